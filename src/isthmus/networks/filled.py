"""Filled convolutional networks: good guesses of what a hole hides, weighed, and corrected.

    r(x_tilde) = x_tilde                                        where it is known
               = sum_k w_k fill_k(x_tilde) + correction         in the hole; w = softmax of what filters see

A network that must invent a hole from nothing needs far more pictures than one that starts at what
statistics already know (`networks.fills`): on a few hundred faces the first loses to a soap film, the second
cannot. All weights start even and the correction at zero, so training starts at the mean of the fills.

Small pictures of one size also get a dense correction of that mean, which sees the whole picture at once:
filters see a few dozen pixels. With `axes=0, neighbours=0, hidden=0` nothing depends on the size, and the
network fills photographs from what lies around the hole (`isthmus.tiling`).

>>> from isthmus.parts import Layout
>>> plan = FilledConvNet(width=8, depth=2, axes=0, neighbours=0, hidden=0)
>>> down, up = plan.build(Layout.numeric(64, (8, 8)), 0)
>>> x, hidden = torch.full((1, 64), 0.5), torch.zeros(1, 64)
>>> hidden[0, 27] = 1
>>> made = up(down(torch.cat([x * (1 - hidden), hidden], 1)))
>>> bool((made - x).abs().max() < 1e-6)
True
"""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.checks import need
from isthmus.networks.architecture import Architecture
from isthmus.networks.fills import Gaussians, Neighbours, bent, smooth
from isthmus.networks.residual import GENTLE, _filters, _sides
from isthmus.parts import Layout

__all__ = ["FilledConvNet"]

KEEN = 8.0  # of the weights: how soon they leave even odds


class FilledConvNet(Architecture):
    """Fills what `HoleMask` hides, with `n_components=None`.

    width: filters of a layer. depth: layers between the first and the last. shuffle: pixels a side that
        become channels. axes: of the Gaussian fill; 0 for none. neighbours: pictures whose mean is a fill; 0
        for none. pictures: kept to choose them from; they are part of the model. hidden: units of the two
        dense layers; 0 for none.
    """

    width: int = 48
    depth: int = 4
    shuffle: int = 2
    axes: int = 100
    neighbours: int = 12
    pictures: int = 3000
    hidden: int = 1024

    def build(self, layout: Layout, n_components: int) -> tuple[Fills, Filled]:
        """Fills and features of a picture, and what is made of them."""
        sides = _sides(layout)
        for name in ("width", "depth", "shuffle"):
            value = getattr(self, name)
            need(isinstance(value, int) and value >= 1, name, "be at least 1", value, f"Leave {name} out")
        for name in ("axes", "neighbours", "pictures", "hidden"):
            value = getattr(self, name)
            need(isinstance(value, int) and value >= 0, name, "be at least 0", value, f"Leave {name} out")
        return Fills(sides, self), Filled(sides, self)

    def start(self, encoder: nn.Module, decoder: nn.Module, x: Tensor) -> None:
        """Let the fills learn from the training rows."""
        cast("Fills", encoder).start(x)

    def code_width(self, layout: Layout) -> int:
        """Numbers in the code: the planes' own, sides rounded up, and the features."""
        height, width, channels = _sides(layout)
        across = math.ceil(height / self.shuffle) * math.ceil(width / self.shuffle)
        return across * (self.planes(channels) * self.shuffle**2 + self.width)

    @property
    def is_local(self) -> bool:
        """Whether nothing depends on the size of a picture."""
        return self.axes == self.neighbours == self.hidden == 0

    @property
    def fills(self) -> int:
        """How many fills are weighed."""
        return 2 * (1 + (self.axes > 0) + (self.neighbours > 0)) + (self.hidden > 0)

    def planes(self, channels: int) -> int:
        """The fills, the picture, and where it is hidden."""
        return (self.fills + 1) * channels + 1


class Fills(nn.Module):
    """Pictures with holes -> fills, picture, hole and features, as rows (n, k) or as planes."""

    def __init__(self, sides: tuple[int, int, int], plan: FilledConvNet) -> None:
        super().__init__()
        self.shape, self.shuffle, self.count = sides, plan.shuffle, plan.fills
        self.reach = (plan.depth + 2) * plan.shuffle + plan.shuffle - 1
        d, pixels = math.prod(sides), sides[0] * sides[1]
        self.gaussian = Gaussians(d, plan.axes) if plan.axes else None
        self.neighbours = Neighbours(d, plan.pictures, plan.neighbours) if plan.neighbours else None
        self.dense = _dense(d + pixels, plan.hidden, d) if plan.hidden else None
        self.first = _filters(plan.planes(sides[2]) * plan.shuffle**2, plan.width)
        self.layers = nn.ModuleList(_filters(plan.width, plan.width, GENTLE) for _ in range(plan.depth))

    def start(self, x: Tensor) -> None:
        """Learn from rows x (n, d) what needs no gradient."""
        fold = None if self.neighbours is None else self.neighbours.start(x)
        if self.gaussian is not None:
            self.gaussian.start(x, fold)

    def forward(self, x: Tensor) -> Tensor:
        """X (n, d[ + h w]) -> z (n, k); `planes` (n, h, w, c') -> z (n, k', h', w')."""
        planes = self._planes_of_rows(x) if x.dim() == 2 else x
        seen = F.pixel_unshuffle(planes.permute(0, 3, 1, 2), self.shuffle)
        h = self.first(seen.contiguous(memory_format=torch.channels_last))
        for layer in self.layers:
            h = h + F.relu(layer(h))
        z = torch.cat([seen, h.to(seen.dtype)], 1)
        return z.flatten(1) if x.dim() == 2 else z

    def planes(self, pixels: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Pictures (n, h, w, c) and where they are hidden (n, h, w), as what the filters look at, the sides
        made multiples of `shuffle` by repeating the last pixels: (n, h', w', c').
        """
        hidden = torch.zeros(pixels.shape[:3]) if hidden is None else hidden.expand(pixels.shape[:3])
        x, mask = pixels.permute(0, 3, 1, 2), hidden[:, None].to(pixels.dtype)
        known = mask < 0.5
        x = torch.where(known, x, torch.zeros_like(x))
        planes = torch.cat([*self._fills(x, known), x, mask], 1)
        below, right = -planes.shape[2] % self.shuffle, -planes.shape[3] % self.shuffle
        if below or right:
            planes = F.pad(planes, (0, right, 0, below), mode="replicate")
        return planes.permute(0, 2, 3, 1)

    def _fills(self, x: Tensor, known: Tensor) -> list[Tensor]:
        """Each (n, c, h, w), the picture itself where it is known."""
        made, where = [smooth(x, known), bent(x, known)], known.expand_as(x)
        means, fold = [], None
        if self.neighbours is not None:
            near, fold = self.neighbours(_rows(x), _rows(where))
            means.append(self._pictures(near))
        if self.gaussian is not None:
            means.append(self._pictures(self.gaussian(_rows(x), _rows(where), fold)))
        for mean in means:  # alone, and with what it misses around the hole carried on into it
            left = bent(torch.where(known, x - mean, 0.0), known)
            made += [torch.where(known, x, mean), torch.where(known, x, mean + left)]
        if self.dense is not None:
            usual = torch.stack(made).mean(0)
            hidden = (~known).to(x.dtype)
            change = self.dense(torch.cat([_rows(usual), hidden.flatten(1)], 1))
            made.append(usual + self._pictures(change) * hidden)
        return made

    def _pictures(self, rows: Tensor) -> Tensor:
        """(n, d) -> (n, c, h, w)."""
        return rows.view(-1, *self.shape).permute(0, 3, 1, 2)

    def _planes_of_rows(self, x: Tensor) -> Tensor:
        width = math.prod(self.shape)
        hidden = x[:, width:].view(-1, *self.shape[:2]) if x.shape[1] > width else None
        return self.planes(x[:, :width].view(-1, *self.shape), hidden)


class Filled(nn.Module):
    """Fills, picture, hole and features -> the picture with its hole filled."""

    def __init__(self, sides: tuple[int, int, int], plan: FilledConvNet) -> None:
        super().__init__()
        self.shape, self.shuffle, self.count = sides, plan.shuffle, plan.fills
        self.inputs = plan.planes(sides[2]) * plan.shuffle**2
        self.last = _filters(plan.width, (plan.fills + sides[2]) * plan.shuffle**2)
        nn.init.zeros_(self.last.weight)

    def forward(self, z: Tensor) -> Tensor:
        """Z (n, k) -> output (n, d); (n, k', h', w') -> (n, h, w, c)."""
        height, width, channels = self.shape
        size = (math.ceil(height / self.shuffle), math.ceil(width / self.shuffle))
        folded = z if z.dim() == 4 else z.unflatten(1, (-1, *size))
        planes = F.pixel_shuffle(folded[:, : self.inputs], self.shuffle)
        fills = planes[:, : self.count * channels].unflatten(1, (self.count, channels))
        x, hidden = planes[:, -channels - 1 : -1], planes[:, -1:]
        features = folded[:, self.inputs :].contiguous(memory_format=torch.channels_last)
        head = F.pixel_shuffle(self.last(features).to(z.dtype), self.shuffle)
        weights = torch.softmax(KEEN * head[:, : self.count], 1)
        guess = (weights[:, :, None] * fills).sum(1) + head[:, self.count :]
        made = torch.where(hidden > 0.5, guess, x).permute(0, 2, 3, 1)
        return made if z.dim() == 4 else made[:, :height, :width].flatten(1)


def _dense(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Two hidden layers; the last one starts at zero."""
    last = nn.Linear(hidden, outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), last)


def _rows(planes: Tensor) -> Tensor:
    """(n, c, h, w) -> (n, d), colours last."""
    return planes.permute(0, 2, 3, 1).flatten(1)
