"""Masks: cells are blanked, one by one, in blocks, or behind a neighbour's value."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from isthmus.checks import need
from isthmus.corruptions.base import Corruption, check_fraction, chosen, spread
from isthmus.parts import Layout

if TYPE_CHECKING:
    import torch
    from torch import Generator, Tensor
else:
    from isthmus.lazily import torch

__all__ = ["BlindSpots", "BlockMask", "MaskingNoise", "VaryingMask"]


class MaskingNoise(Corruption):
    """Each cell is blanked with probability `fraction`: set to 0, which everywhere means "not observed"."""

    fraction: float = 0.25

    def __call__(self, x: Tensor, layout: Layout, generator: Generator) -> Tensor:
        """x_tilde (n, d)."""
        return x.masked_fill(chosen(x, layout, self.fraction, generator), 0.0)


class VaryingMask(Corruption):
    """Cells are blanked as by `MaskingNoise`, in each row a share of its own, uniform between `least` and
    `most`.

    A network that is to fill gaps, be they few or many, has met both (Yoon et al. 2018; Du et al. 2024).
    """

    least: float = 0.15
    most: float = 0.45

    def __call__(self, x: Tensor, layout: Layout, generator: Generator) -> Tensor:
        """x_tilde (n, d)."""
        check_fraction(self.least)
        check_fraction(self.most)
        need(self.least <= self.most, "least", "be at most `most`", self.least, "Use VaryingMask(0.15, 0.45)")
        share = torch.rand(len(x), 1, generator=generator, device=x.device)
        share = self.least + (self.most - self.least) * share
        cells = torch.rand(len(x), len(layout.cells), generator=generator, device=x.device) < share
        return x.masked_fill(spread(cells, layout), 0.0)


class BlockMask(Corruption):
    """One contiguous block of every row is blanked: a rectangle of a picture, a span of time in all channels
    of a signal, a run of columns.

    fraction: the block's share of the row; a picture's block has the square root of it in each direction.
    """

    fraction: float = 0.25

    def __call__(self, x: Tensor, layout: Layout, generator: Generator) -> Tensor:
        """x_tilde (n, d)."""
        check_fraction(self.fraction)
        if layout.signal:
            channels, time = layout.shape
            return x.masked_fill(
                block(len(x), (time,), self.fraction, generator, x.device).repeat(1, channels), 0.0
            )
        if len(layout.shape) < 2:
            cells = block(len(x), (len(layout.cells),), self.fraction, generator, x.device)
            return x.masked_fill(spread(cells, layout), 0.0)
        height, width, *colours = layout.shape
        inside = block(len(x), (height, width), self.fraction, generator, x.device)
        return x.masked_fill(inside.repeat_interleave(math.prod(colours), dim=1), 0.0)


class BlindSpots(Corruption):
    """Single pixels of a picture, or moments of a signal, are replaced by one of their neighbours, and the
    loss counts only those.

    A network so learns to clean from noisy samples alone, if their noise has mean zero and is independent
    from place to place.

    fraction: places that are hidden. radius: how far a neighbour may be.

    Reference: Krull, Buchholz & Jug (2019), Noise2Void, CVPR; Batson & Royer (2019), Noise2Self, ICML.
    """

    fraction: float = 0.05
    radius: int = 2

    blind: ClassVar[bool] = True

    def __call__(self, x: Tensor, layout: Layout, generator: Generator) -> Tensor:
        """x_tilde (n, d)."""
        check_fraction(self.fraction)
        need(self.radius >= 1, "radius", "be at least 1", self.radius, "Use BlindSpots(radius=2)")
        need(len(layout.shape) >= 2, "X", "be pictures or signals for BlindSpots", "a table", "Use SwapNoise")
        channels, time = layout.shape[:2]
        height, width = (1, time) if layout.signal else layout.shape[:2]
        grid = x.view(len(x), channels, time).mT if layout.signal else x
        planes = grid.reshape(len(x), height * width, -1)
        hit = torch.rand(planes.shape[:2], generator=generator, device=x.device) < self.fraction
        row, column, place = hit.nonzero()[:, 0], hit.nonzero()[:, 1] // width, hit.nonzero()[:, 1] % width
        down = _step(column, min(self.radius, height - 1), height, generator) if height > 1 else column
        across = _step(place, min(self.radius, width - 1), width, generator)
        made = planes.clone()
        made[hit] = planes[row, down * width + across]
        return (made.mT if layout.signal else made).reshape(x.shape)


def block(
    n: int, shape: tuple[int, ...], fraction: float, generator: Generator, device: torch.device
) -> Tensor:
    """One random block per row in a grid of `shape`, flattened: (n, product of shape)."""
    inside = torch.ones(n, *(1 for _ in shape), dtype=torch.bool, device=device)
    for axis, size in enumerate(shape):
        length = round(size * fraction ** (1 / len(shape)))
        first = torch.randint(size - length + 1, (n, 1), generator=generator, device=device)
        place = torch.arange(size, device=device)
        span = (place >= first) & (place < first + length)
        inside = inside & span.view(n, *(size if i == axis else 1 for i in range(len(shape))))
    return inside.flatten(1)


def _step(at: Tensor, radius: int, size: int, generator: Generator) -> Tensor:
    """Places up to `radius` away from `at`, never `at` itself, within `size`."""
    far = torch.randint(1, radius + 1, at.shape, generator=generator, device=at.device)
    back = torch.rand(at.shape, generator=generator, device=at.device) < 0.5
    step = torch.where(back, -far, far)
    return torch.where((at + step < 0) | (at + step >= size), at - step, at + step).clamp(0, size - 1)
