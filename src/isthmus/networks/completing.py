"""Completing: what is missing of a row from what is there, beginning at the best linear answer.

The encoder fills the gaps of x with their mean given the rest of the row under a Gaussian (see
`isthmus.gaussian`), and beside it reads, with a few dense layers, the filled row, which of it is a fill, and
for every number where among eight quantile bins it lies (piecewise-linear encoding: Gorishniy et al. 2022),
which lets smooth layers make the sharp turns that trees make. The code is the fill, the gaps and what those
layers found; the decoder adds a correction to the fill, in the gaps alone. The correction starts at zero,
so training starts at EM and can only add what is not linear:

    x_hat = fill(x) + gaps * (V h)

What is observed comes back as it is. With a corruption that hides cells, such as `VaryingMask`, the loss is
thus what it costs to restore them. The numbers added to are those `Deviance` reads: a mean for a number,
half-logits for yes/no, logs of probabilities for the levels of a category.

>>> from isthmus.parts import Layout
>>> part, layout = Completing(hidden=16), Layout.numeric(3)
>>> encoder, decoder = part.build(layout, part.code_width(layout))
>>> x = torch.tensor([[1.0, 0.0, -2.0]])
>>> decoder(encoder(x)).tolist()
[[1.0, 0.0, -2.0]]
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.checks import need
from isthmus.gaussian import Gaussian
from isthmus.networks.activations import Activation, SiLU
from isthmus.networks.architecture import Architecture
from isthmus.parts import Layout

__all__ = ["Completing", "Filling"]

BINS = 8  # intervals between quantiles a number is placed among
FACTORS = 48  # directions of the covariance kept at most
EXACT = 32  # features up to which none is left out
LEFT = 0.005  # share of the variance that directions left out may have, with more
LEAST = 1e-4  # probability of a level at least


class Completing(Architecture):
    """Fills gaps at the Gaussian conditional mean, and learns what is to be added to it.

    hidden: width of the layers. depth: how many, each adding to what the one before found. Wants a
    corruption that hides cells, and `n_components=None`.
    """

    hidden: int = 128
    depth: int = 2
    activation: Activation = SiLU()

    def build(self, layout: Layout, n_components: int) -> tuple[nn.Module, nn.Module]:
        """The filling encoder, and the decoder that adds the correction."""
        for name in ("hidden", "depth"):
            value = getattr(self, name)
            whole = isinstance(value, int) and not isinstance(value, bool) and value >= 1
            need(whole, name, "be a whole number of at least 1", value, f"Use Completing({name}=2)")
        wide = self.code_width(layout)
        need(n_components == wide, "n_components", "be None for Completing", n_components, "Leave it out")
        return Filling(self, layout), _Correcting(layout.width, self.hidden)

    def code_width(self, layout: Layout) -> int:
        """The fill, the gaps and the hidden layer."""
        return 2 * layout.width + self.hidden

    @torch.no_grad()
    def start(self, encoder: nn.Module, decoder: nn.Module, x: Tensor) -> None:
        """Learn the Gaussian and the quantiles from the training rows x (n, d), gaps being 0."""
        cast("Filling", encoder).learn(x)


class _Correcting(nn.Module):
    """(fill, gaps, hidden) -> fill + gaps * V hidden."""

    def __init__(self, d: int, hidden: int) -> None:
        super().__init__()
        self.d = d
        self.correction = nn.Linear(hidden, d)
        nn.init.zeros_(self.correction.weight)
        nn.init.zeros_(self.correction.bias)

    def forward(self, z: Tensor) -> Tensor:
        fill, gaps, hidden = z.split([self.d, self.d, z.shape[1] - 2 * self.d], 1)
        output: Tensor = torch.addcmul(fill, gaps, self.correction(hidden))
        return output


class Filling(nn.Module):
    """x (n, d) with gaps at 0 -> (fill, gaps, hidden)."""

    mean: Tensor
    factors: Tensor
    noise: Tensor
    knots: Tensor

    def __init__(self, part: Completing, layout: Layout) -> None:
        super().__init__()
        d, k = layout.width, min(layout.width, FACTORS)
        self.activation = part.activation
        self.single = layout.all_numeric
        kinds = [cell.kind for cell in layout.cells for _ in range(cell.width)]
        self.numbers = [j for j, kind in enumerate(kinds) if kind == "numeric"]
        self.truths = [j for j, kind in enumerate(kinds) if kind == "binary"]
        self.levels = [j for j, kind in enumerate(kinds) if kind == "categorical"]
        self.home = [i for i, cell in enumerate(layout.cells) for _ in range(cell.width)]
        self.cells = len(layout.cells)
        double = torch.float64
        self.register_buffer("mean", torch.zeros(d, dtype=double))
        self.register_buffer("factors", torch.zeros(d, k, dtype=double))
        self.register_buffer("noise", torch.ones(d, dtype=double))
        self.register_buffer("knots", torch.linspace(-2, 2, BINS + 1).repeat(len(self.numbers), 1))
        self.first = nn.Linear(2 * d + BINS * len(self.numbers), part.hidden)
        self.layers = nn.ModuleList(nn.Linear(part.hidden, part.hidden) for _ in range(part.depth))

    def forward(self, x: Tensor) -> Tensor:
        fixed = self.fixed(x)
        h = self.first(self.read(fixed, self.knots))
        for layer in self.layers:
            h = h + layer(self.activation(h))
        fill, gaps = fixed.split(x.shape[1], 1)
        return torch.cat([self.scored(fill), gaps, self.activation(h)], 1)

    @torch.no_grad()
    def fixed(self, x: Tensor) -> Tensor:
        """What training does not change: the filled rows, and 1 where a feature is a gap: (n, 2 d)."""
        seen = self.seen(x)
        return torch.cat([self.filled(x, seen), (~seen).to(x.dtype)], 1)

    @torch.no_grad()
    def read(self, fixed: Tensor, knots: Tensor) -> Tensor:
        """What the layers read of `fixed` (.., n, 2 d): the same, and where each number lies among its
        quantiles, the `knots` (numbers, bins + 1): (.., n, in).

        Of several models at once, `knots` are (models, 1, numbers, bins + 1).
        """
        low = knots[..., :-1]
        width = (knots[..., 1:] - low).clamp_min(1e-2)
        placed = (fixed[..., self.numbers, None] - low).div_(width).clamp_(0, 1)
        return torch.cat([fixed, placed.flatten(-2)], -1)

    def seen(self, x: Tensor) -> Tensor:
        """Which features are observed: (n, d); those of a group together."""
        if self.single:
            return x != 0
        home = torch.tensor(self.home, device=x.device)
        cells = x.new_zeros(x.shape[0], self.cells).index_add_(1, home, x.abs())
        return cells.index_select(1, home) > 0

    def filled(self, x: Tensor, seen: Tensor) -> Tensor:
        """Rows with their gaps at their conditional mean: (n, d).

        Of Sigma = W W^T + Psi, by the k numbers behind a row: (I + W_o^T Psi_o^-1 W_o) z = W_o^T Psi_o^-1
        (x_o - mu_o), and mu + W z.
        """
        weight = seen / self.noise
        used = max(1, int(torch.count_nonzero(self.factors.any(0))))
        factors = self.factors[:, :used]
        pairs = (factors[:, :, None] * factors[:, None, :]).view(-1, used * used)
        system = (weight @ pairs).view(-1, used, used)
        system.diagonal(dim1=1, dim2=2).add_(1.0)
        known = (weight * (x - self.mean)) @ factors
        z = torch.cholesky_solve(known[:, :, None], torch.linalg.cholesky(system))[:, :, 0]
        return torch.where(seen, x, (self.mean + z @ factors.t()).to(x.dtype))

    def scored(self, fill: Tensor) -> Tensor:
        """The fill in the units of the output: numbers as they are, half-logits, logs of probabilities."""
        if self.single:
            return fill
        fill = fill.clone()
        fill[:, self.truths] = 2 * fill[:, self.truths].clamp(2 * LEAST - 1, 1 - 2 * LEAST).atanh()
        fill[:, self.levels] = fill[:, self.levels].clamp(LEAST, 1).log()
        return fill

    def learn(self, x: Tensor) -> None:
        """Set the Gaussian and the quantiles."""
        seen = self.seen(x)
        gaussian = Gaussian.of(x.cpu().numpy(), seen.cpu().numpy())
        values, vectors = np.linalg.eigh(gaussian.covariance)
        d, k = self.factors.shape
        least = max(float(values[0]), 1e-6)
        left = 1 - np.cumsum(values[::-1]) / values.sum()
        used = k if d <= EXACT else min(k, 1 + int(np.count_nonzero(left > LEFT)))
        spread = np.sqrt(np.maximum(values[::-1][:k] - least, 0)) * (np.arange(k) < used)
        factors = vectors[:, ::-1][:, :k] * spread
        noise = np.maximum(np.diagonal(gaussian.covariance) - (factors**2).sum(1), least)
        self.mean.copy_(torch.from_numpy(gaussian.mean))
        self.factors.copy_(torch.from_numpy(np.ascontiguousarray(factors)))
        self.noise.copy_(torch.from_numpy(noise))
        shares = torch.linspace(0, 1, BINS + 1)
        for row, j in enumerate(self.numbers):
            some = x[seen[:, j], j][:20_000]
            if len(some):
                self.knots[row] = torch.quantile(some, shares.to(some))
