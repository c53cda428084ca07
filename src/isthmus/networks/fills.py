"""Fills: four ways to guess what a hole hides, without training by gradient.

    smooth     what is visible, carried on evenly: the nearest thing to a soap film over the hole
    bent       the same with slopes carried on as well: a thin plate
    Gaussian   E[x_hidden | x_visible] of factor analysis, x = mean + W z + e, z ~ N(0, I), e ~ N(0, Psi):
               mean + W (I + W_v' Psi_v^-1 W_v)^-1 W_v' Psi_v^-1 (x_v - mean_v)
    neighbours the mean of the training pictures that are nearest on what is visible

Each is best somewhere: thin scratches, faces, digits. `networks.filled` weighs them and learns what they
leave. The two that learn from pictures must not fill a training picture with itself, nor, where there are
few, with others of its kind that no new picture will have: `Neighbours` knows a picture of its own by a
distance of nothing and leaves out its fold, and `Gaussians` has for every fold one that was learned without
it. Folds are pictures that follow each other, which are often of one person, one day, one place.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.networks.pca import principal_axes

__all__ = ["Gaussians", "Neighbours", "bent", "smooth"]

ROUNDS = 4  # of averaging, at every size
STEPS = 20  # of conjugate gradients
TINY = 1e-12
FOLDS = 5
FEW = 2_000  # pictures up to which those of a fold are left out, not only the very one
OWN = 1e-5  # of a picture's visible square: nearer is itself, rounded to half precision
BLOCK = 2**24  # numbers of a batch of weighted axes at a time


def smooth(x: Tensor, known: Tensor) -> Tensor:
    """Pictures x (n, c, h, w) with what is not known (n, 1, h, w) filled smoothly.

    A pyramid: known pixels are averaged to half the size, that is filled, and brought back up; at every size
    a few rounds of averaging over neighbours follow (a multigrid solution of Laplace's equation).
    """
    height, width = x.shape[2:]
    weight = known.to(x.dtype)
    if max(height, width) <= 2:
        mean = (x * weight).sum((2, 3), keepdim=True) / weight.sum((2, 3), keepdim=True).clamp(min=1)
        return torch.where(known, x, mean)
    padding = (0, width % 2, 0, height % 2)
    half = F.avg_pool2d(F.pad(weight, padding), 2)
    down = F.avg_pool2d(F.pad(x * weight, padding), 2) / half.clamp(min=1e-3)
    below = smooth(down, half > 0)
    up = F.interpolate(below, scale_factor=2, mode="bilinear")[:, :, :height, :width]
    made = torch.where(known, x, up)
    for _ in range(ROUNDS):
        ringed = F.pad(made, (1, 1, 1, 1), mode="replicate")
        made = torch.where(known, x, F.avg_pool2d(ringed, 3, 1))
    return made


def bent(x: Tensor, known: Tensor) -> Tensor:
    """The same with the least bending: slopes are carried on into the hole, as a thin plate would.

    Conjugate gradients on the biharmonic equation D'D f = 0 in the hole, D the Laplacian, from `smooth` on.
    Some steps solve thin holes; wide ones stay near the smooth fill, where bending helps least.
    """
    made = smooth(x, known)
    hole = (~known).to(x.dtype)
    left = -_laplacian(_laplacian(made)) * hole
    along, size = left, _squares(left)
    for _ in range(STEPS):
        turned = _laplacian(_laplacian(along)) * hole
        step = size / (along * turned).sum((2, 3), keepdim=True).clamp(min=TINY)
        made = made + step * along
        left = left - step * turned
        new = _squares(left)
        along, size = left + new / size.clamp(min=TINY) * along, new
    return torch.where(known, x, made)


class Gaussians(nn.Module):
    """Factor analysis of pictures, and for training one more for every fold left out."""

    mean: Tensor
    axes: Tensor
    noise: Tensor

    def __init__(self, d: int, k: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(d))
        self.register_buffer("axes", torch.zeros(d, k))
        self.register_buffer("noise", torch.ones(d))
        self.without: list[tuple[Tensor, Tensor, Tensor]] = []

    @torch.no_grad()
    def start(self, x: Tensor, fold: Tensor | None) -> None:
        """Learn from rows x (n, d); fold (n,): the fold of each, to be left out where they are few."""
        for store, value in zip((self.mean, self.axes, self.noise), self._learned(x), strict=True):
            store.copy_(value)
        if fold is not None and 2 * FOLDS <= len(x) <= FEW:
            self.without = [self._learned(x[fold != k]) for k in range(FOLDS)]

    @torch.no_grad()
    def forward(self, x: Tensor, known: Tensor, fold: Tensor | None = None) -> Tensor:
        """X (n, d), known (n, d) of booleans; fold (n,): -1, or the fold that must not be used."""
        made = torch.empty_like(x)
        fold = torch.full((len(x),), -1) if fold is None or not self.without else fold.cpu()
        for k in fold.unique().tolist():
            rows = (fold == k).nonzero()[:, 0].to(x.device)
            parts = (self.mean, self.axes, self.noise) if k < 0 else self.without[k]
            step = max(1, BLOCK // parts[1].numel())
            for some in rows.split(step):
                made[some] = _conditional(x[some], known[some], *(part.to(x.device) for part in parts))
        return made

    def _learned(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean, axes times their spread, variance of what they leave: probabilistic PCA, by pixel."""
        found = principal_axes(x.numpy(), self.axes.shape[1])
        mean, axes, spread = map(torch.from_numpy, found)
        left = x.double().var(0, correction=0) - (axes * spread[:, None]).square().sum(0)
        rank = max(1, min(x.shape) - len(axes))  # directions in which the rows still vary
        level = float(left.clamp(min=0).mean()) * (1 + x.shape[1] / rank if x.shape[1] > len(x) else 1)
        noise = 0.5 * left.clamp(min=0) + 0.5 * level + 1e-6
        scale = (spread.square() - float(noise.mean())).clamp(min=0).sqrt()
        wide = torch.zeros_like(self.axes)
        wide[:, : len(axes)] = (axes * scale[:, None]).t().to(x.dtype)
        return mean.to(x.dtype), wide, noise.to(x.dtype)


class Neighbours(nn.Module):
    """The training pictures nearest on what is visible."""

    pictures: Tensor

    def __init__(self, d: int, count: int, nearest: int) -> None:
        super().__init__()
        self.nearest = nearest
        self.register_buffer("pictures", torch.zeros(count, d, dtype=torch.float16))
        self._full: Tensor | None = None
        self._folds = torch.zeros(count, dtype=torch.long)

    @torch.no_grad()
    def start(self, x: Tensor) -> Tensor:
        """Keep rows of x (n, d), evenly chosen; the fold (n,) of each row, -1 for those not kept."""
        places = torch.linspace(0, len(x) - 1, len(self.pictures)).round().long()
        self.pictures.copy_(x[places])
        alone = len(x) > FEW
        self._full, self._folds = None, (places if alone else places * FOLDS // len(x))
        fold = torch.full((len(x),), -1)
        fold[places] = self._folds
        return fold

    @torch.no_grad()
    def forward(self, x: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Fills (n, d), and in training the fold (n,) of rows that are themselves among the pictures."""
        if self._full is None or self._full.device != x.device:
            self._full = self.pictures.to(x.dtype)
        weight, kept = known.to(x.dtype), self._full
        shown = x * weight
        square = shown.square().sum(1, keepdim=True)
        distance = square - 2 * shown @ kept.t() + weight @ kept.square().t()
        own = distance < OWN * square + 1e-4
        if not self.training:
            own = torch.zeros_like(own)
        fold = torch.where(own.any(1), self._folds.to(x.device)[own.int().argmax(1)], -1)
        out = own | (self._folds.to(x.device) == fold[:, None])
        distance = distance.clamp(min=0).masked_fill(out, torch.inf)
        nearest = distance.topk(min(self.nearest, len(kept)), largest=False)
        far = nearest.values - nearest.values[:, :1]
        share = torch.softmax(-far / nearest.values.mean(1, keepdim=True).clamp(min=1e-6) * 2, 1)
        share = torch.nan_to_num(share, nan=0.0)
        made = (kept[nearest.indices] * share[..., None]).sum(1)
        return made, fold


def _laplacian(f: Tensor) -> Tensor:
    """The sum of the differences to the four neighbours, at the edges of those there are."""
    down, across = f.diff(dim=2), f.diff(dim=3)
    return (
        F.pad(down, (0, 0, 0, 1)) - F.pad(down, (0, 0, 1, 0)) + F.pad(across, (0, 1)) - F.pad(across, (1, 0))
    )


def _squares(f: Tensor) -> Tensor:
    """Of every plane: (n, c, 1, 1)."""
    return f.square().sum((2, 3), keepdim=True)


def _conditional(x: Tensor, known: Tensor, mean: Tensor, axes: Tensor, noise: Tensor) -> Tensor:
    """Mean of all pixels given the known ones: (n, d)."""
    precision = known.to(x.dtype) / noise
    weighted = precision[:, :, None] * axes
    inner = weighted.mT @ axes + torch.eye(axes.shape[1], device=x.device, dtype=x.dtype)
    z: Tensor = torch.linalg.solve(inner, ((x - mean) * precision) @ axes)
    return mean + z @ axes.t()
