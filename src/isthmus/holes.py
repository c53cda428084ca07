"""Holes: what inpainting learns from. Parts of clean pictures are hidden, and the network is told which.

    x -> x * (1 - hidden), hidden        hidden (h, w): one for a pixel whose channels are all unknown

0 is also black, so the hole itself must be told: `HoleMask` appends it to every row. What is hidden is drawn
anew each time, of one of several kinds: `Blocks` (something stood before it), `Strokes` (scratches, hairs,
writing), `Pixels` (dust, dead pixels).

>>> from isthmus.parts import Layout
>>> x = torch.ones(2, 64)
>>> seen = HoleMask((Blocks(0.25, 0.25),))(x, Layout.numeric(64, (8, 8)), torch.Generator().manual_seed(0))
>>> seen.shape, seen[:, :64].sum(1), seen[:, 64:].sum(1)
(torch.Size([2, 128]), tensor([48., 48.]), tensor([16., 16.]))
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import must, need
from isthmus.corruptions import Corruption
from isthmus.parts import Layout, Part

if TYPE_CHECKING:
    import torch
    from torch import Generator, Tensor
else:
    from isthmus.lazily import torch

__all__ = ["Blocks", "Hole", "HoleMask", "Painted", "Pixels", "Strokes"]


class Hole(Part):
    """One kind of hole: (n, h, w) of booleans, True where hidden, drawn from a generator."""

    def __call__(self, n: int, size: tuple[int, int], generator: Generator) -> Tensor:
        """Holes for n pictures of (h, w) = size."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__")


class Blocks(Hole):
    """A rectangle of `low` to `high` of the picture, up to twice as long as wide."""

    low: float = 0.03
    high: float = 0.2

    def __call__(self, n: int, size: tuple[int, int], generator: Generator) -> Tensor:
        """(n, h, w)."""
        _check_shares(self.low, self.high, "Blocks")
        share = _between(n, self.low, self.high, generator)
        longer = 2 ** _between(n, -0.5, 0.5, generator) if self.low < self.high else torch.ones(n)
        inside = torch.ones(n, *size, dtype=torch.bool)
        for axis, (side, factor) in enumerate(zip(size, (longer, 1 / longer), strict=True)):
            length = (side * share.sqrt() * factor).round().clamp(1, side)
            first = (torch.rand(n, generator=generator) * (side - length + 1)).floor()
            place = torch.arange(side)
            span = (place >= first[:, None]) & (place < (first + length)[:, None])
            inside &= span[:, :, None] if axis == 0 else span[:, None, :]
        return inside


class Strokes(Hole):
    """One to `most` lines that bend twice, each between a hair and `width` of the shorter side wide."""

    most: int = 4
    width: float = 0.08

    def __call__(self, n: int, size: tuple[int, int], generator: Generator) -> Tensor:
        """(n, h, w)."""
        need(self.most >= 1 and 0 < self.width < 1, "most and width", "be positive", self, "Use Strokes()")
        height, width = size
        short, count = min(size), n * self.most
        start = torch.rand(count, 2, generator=generator) * torch.tensor([height, width])
        angle = _between(count, 0, 2 * math.pi, generator)
        half = _between(count, 0.6, max(0.7, self.width * short / 2), generator)
        used = torch.rand(n, self.most, generator=generator)
        wanted = torch.randint(1, self.most + 1, (n, 1), generator=generator)
        drawn = used.argsort(1).argsort(1) < wanted
        grid = torch.stack(torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij"), -1) + 0.5
        hidden = torch.zeros(count, height, width, dtype=torch.bool)
        for _ in range(3):
            length = _between(count, 0.15, 0.5, generator) * short
            end = start + length[:, None] * torch.stack([angle.sin(), angle.cos()], 1)
            hidden |= _near(grid, start, end, half)
            start, angle = end, angle + _between(count, -0.8, 0.8, generator)
        return (hidden.view(n, self.most, height, width) & drawn[:, :, None, None]).any(1)


class Pixels(Hole):
    """Single pixels, `low` to `high` of them."""

    low: float = 0.1
    high: float = 0.6

    def __call__(self, n: int, size: tuple[int, int], generator: Generator) -> Tensor:
        """(n, h, w)."""
        _check_shares(self.low, self.high, "Pixels")
        share = _between(n, self.low, self.high, generator)
        return torch.rand(n, *size, generator=generator) < share[:, None, None]


class HoleMask(Corruption):
    """Hides holes in pictures (n, d): the pixels become 0, and `hidden` (n, h * w) is appended.

    kinds: what the holes are; every picture gets one of them, at even odds.
    """

    kinds: tuple[Hole, ...] = (Blocks(), Strokes(), Pixels())

    def __call__(self, x: Tensor, layout: Layout, generator: Generator) -> Tensor:
        """x_tilde (n, d + h * w)."""
        hidden, colours = self._on(x, layout, generator)
        shown = x.masked_fill(hidden.repeat_interleave(colours, dim=1), 0.0)
        return torch.cat([shown, hidden.to(x.dtype)], 1)

    def _on(self, x: Tensor, layout: Layout, generator: Generator) -> tuple[Tensor, int]:
        """Holes (n, h * w) in pictures (n, d), and how many colours these have."""
        if layout.signal or len(layout.shape) not in (2, 3):
            name, got = type(self).__name__, layout.shape or "rows of a table"
            raise must("X", f"be pictures for {name}", got, "Use MaskingNoise")
        height, width, *colours = layout.shape
        hidden = self.drawn(len(x), (height, width), generator)
        return hidden.to(x.device).flatten(1), math.prod(colours)

    def drawn(self, n: int, size: tuple[int, int], generator: Generator) -> Tensor:
        """Holes (n, h, w) of booleans, at least one pixel each."""
        good = isinstance(self.kinds, tuple) and self.kinds and all(isinstance(k, Hole) for k in self.kinds)
        need(bool(good), "kinds", "be kinds of holes", self.kinds, "Use HoleMask((Blocks(), Strokes()))")
        cpu = generator if generator.device.type == "cpu" else torch.Generator().manual_seed(_seed(generator))
        which = torch.randint(len(self.kinds), (n,), generator=cpu)
        hidden = torch.zeros(n, *size, dtype=torch.bool)
        for number, kind in enumerate(self.kinds):
            rows = (which == number).nonzero()[:, 0]
            if len(rows):
                hidden[rows] = kind(len(rows), size, cpu)
        empty = ~hidden.flatten(1).any(1)
        hidden[empty, size[0] // 2, size[1] // 2] = True
        return hidden

    def arrays(self, n: int, size: tuple[int, int], seed: int) -> NDArray[np.bool_]:
        """The same as a numpy array (n, h, w), from a seed."""
        return self.drawn(n, size, torch.Generator().manual_seed(seed)).numpy()


class Painted(HoleMask):
    """Holes in pictures (n, d) painted over in one colour for each picture, and nothing tells where they are.

    A denoiser that learned with it finds and fills scratches and writing by itself (blind inpainting). The
    colour is anything between the least and the greatest value of the batch.

    kinds: what the holes are; every picture gets one of them, at even odds.
    """

    kinds: tuple[Hole, ...] = (Strokes(),)

    def __call__(self, x: Tensor, layout: Layout, generator: Generator) -> Tensor:
        """x_tilde (n, d)."""
        hidden, colours = self._on(x, layout, generator)
        grey = torch.rand(len(x), 1, generator=generator, dtype=x.dtype, device=x.device)
        mixed = torch.rand(len(x), colours, generator=generator, dtype=x.dtype, device=x.device)
        plain = grey < 0.5  # half of the pictures in a shade of grey
        colour = torch.where(plain, 2 * grey, mixed)
        paint = (x.amin() + (x.amax() - x.amin()) * colour).repeat(1, hidden.shape[1])
        return torch.where(hidden.repeat_interleave(colours, dim=1), paint, x)


def _seed(generator: Generator) -> int:
    """A seed from a generator of another device."""
    return int(torch.randint(2**62, (1,), generator=generator, device=generator.device))


def _between(n: int, low: float, high: float, generator: Generator) -> Tensor:
    return low + (high - low) * torch.rand(n, generator=generator)


def _near(grid: Tensor, start: Tensor, end: Tensor, half: Tensor) -> Tensor:
    """Whether the points of grid (h, w, 2) are nearer than `half` to the lines from start to end (n, 2)."""
    along = end - start
    length = along.square().sum(1).clamp(min=1e-6)
    away = grid[None] - start[:, None, None]
    share = ((away * along[:, None, None]).sum(-1) / length[:, None, None]).clamp(0, 1)
    gap = away - share[..., None] * along[:, None, None]
    return gap.square().sum(-1) < half.square()[:, None, None]


def _check_shares(low: float, high: float, name: str) -> None:
    need(0 < low <= high < 1, "low and high", "be 0 < low <= high < 1", (low, high), f"Use {name}()")
