"""Corruptions: x -> x_tilde, while the target stays clean.

A denoising autoencoder must give back x from x_tilde, so it cannot copy; it learns where the data live, and
its residual r(x) - x points there (Vincent et al. 2008; Alain & Bengio 2014). Every corruption draws from
the generator it is handed and works on cells, so a one-hot group is masked or swapped as one. They add up:
`GaussianNoise(0.1) + MaskingNoise(0.2)` applies the first, then the second. One of your own is one method:

>>> import torch
>>> class Fade(Corruption):
...     to: float = 0.5
...
...     def __call__(self, x, layout, generator):
...         return x * self.to
>>> Fade()(torch.ones(1, 2), None, None)
tensor([[0.5000, 0.5000]])
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from isthmus.checks import need
from isthmus.parts import Layout, Part

__all__ = [
    "BlockMask",
    "Corruption",
    "Corruptions",
    "GaussianNoise",
    "MaskingNoise",
    "SaltAndPepper",
    "SwapNoise",
    "VaryingMask",
]


class Corruption(Part):
    """A random damage to rows: x (n, d) -> x_tilde (n, d), drawn from `generator`; never changes x itself."""

    def __call__(self, x: Tensor, layout: Layout, generator: Generator) -> Tensor:
        """x_tilde (n, d)."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__")

    def __add__(self, other: Corruption) -> Corruption:
        """Apply this one, then `other`."""
        return Corruptions((*_steps(self), *_steps(other)))


class Corruptions(Corruption):
    """Several corruptions, one after another."""

    steps: tuple[Corruption, ...] = ()

    def __call__(self, x: Tensor, layout: Layout, generator: Generator) -> Tensor:
        """Each applied to what the one before left."""
        for step in self.steps:
            x = step(x, layout, generator)
        return x


class GaussianNoise(Corruption):
    """x + sigma e, e ~ N(0, I); sigma in the units of x (standard deviations for a standardised table)."""

    sigma: float = 0.3

    def __call__(self, x: Tensor, layout: Layout, generator: Generator) -> Tensor:
        """x_tilde (n, d)."""
        need(self.sigma >= 0, "sigma", "be at least 0", self.sigma, "Use GaussianNoise(0.3)")
        return x + self.sigma * torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)


class MaskingNoise(Corruption):
    """Each cell is blanked with probability `fraction`: set to 0, which everywhere means "not observed"."""

    fraction: float = 0.25

    def __call__(self, x: Tensor, layout: Layout, generator: Generator) -> Tensor:
        """x_tilde (n, d)."""
        return x.masked_fill(_chosen(x, layout, self.fraction, generator), 0.0)


class VaryingMask(Corruption):
    """Cells are blanked as by `MaskingNoise`, in each row a share of its own, uniform between `least` and
    `most`.

    A network that is to fill gaps, be they few or many, has met both (Yoon et al. 2018; Du et al. 2024).
    """

    least: float = 0.15
    most: float = 0.45

    def __call__(self, x: Tensor, layout: Layout, generator: Generator) -> Tensor:
        """x_tilde (n, d)."""
        _check_fraction(self.least)
        _check_fraction(self.most)
        need(self.least <= self.most, "least", "be at most `most`", self.least, "Use VaryingMask(0.15, 0.45)")
        share = torch.rand(len(x), 1, generator=generator, device=x.device)
        share = self.least + (self.most - self.least) * share
        cells = torch.rand(len(x), len(layout.cells), generator=generator, device=x.device) < share
        return x.masked_fill(_spread(cells, layout), 0.0)


class SaltAndPepper(Corruption):
    """Each cell is set, with probability `fraction`, to the lowest or the highest value it can take, at
    even odds.

    Values in [0, 1] become 0 or 1; other numbers the least or greatest of the batch in their column; yes/no
    cells a fair coin; categories a random level.
    """

    fraction: float = 0.1

    def __call__(self, x: Tensor, layout: Layout, generator: Generator) -> Tensor:
        """x_tilde (n, d)."""
        hit = _chosen(x, layout, self.fraction, generator)
        high = torch.rand(x.shape, generator=generator, device=x.device) < 0.5
        low, top = (0.0, 1.0) if layout.positive else (x.amin(0, keepdim=True), x.amax(0, keepdim=True))
        extremes = torch.where(high, torch.as_tensor(top, dtype=x.dtype), torch.as_tensor(low, dtype=x.dtype))
        for cell in layout.cells:
            if cell.kind == "categorical":
                level = torch.randint(cell.width, (len(x), 1), generator=generator, device=x.device)
                extremes[:, cell.start : cell.stop] = 0.0
                extremes[:, cell.start : cell.stop].scatter_(1, level, 1.0)
        return torch.where(hit, extremes, x)


class BlockMask(Corruption):
    """One contiguous block of every row is blanked: a rectangle of a picture, a span of time in all channels
    of a signal, a run of columns.

    fraction: the block's share of the row; a picture's block has the square root of it in each direction.
    """

    fraction: float = 0.25

    def __call__(self, x: Tensor, layout: Layout, generator: Generator) -> Tensor:
        """x_tilde (n, d)."""
        _check_fraction(self.fraction)
        if layout.signal:
            channels, time = layout.shape
            return x.masked_fill(
                _block(len(x), (time,), self.fraction, generator, x.device).repeat(1, channels), 0.0
            )
        if len(layout.shape) < 2:
            cells = _block(len(x), (len(layout.cells),), self.fraction, generator, x.device)
            return x.masked_fill(_spread(cells, layout), 0.0)
        height, width, *colours = layout.shape
        inside = _block(len(x), (height, width), self.fraction, generator, x.device)
        return x.masked_fill(inside.repeat_interleave(math.prod(colours), dim=1), 0.0)


class SwapNoise(Corruption):
    """Each cell is replaced, with probability `fraction`, by the same column's value from another row of
    the batch.

    Every cell stays plausible on its own; only what columns have to do with each other is broken.
    """

    fraction: float = 0.15

    def __call__(self, x: Tensor, layout: Layout, generator: Generator) -> Tensor:
        """x_tilde (n, d)."""
        n = len(x)
        if n < 2:
            return x
        hit = _chosen(x, layout, self.fraction, generator)
        step = torch.randint(1, n, (n, len(layout.cells)), generator=generator, device=x.device)
        others = (torch.arange(n, device=x.device)[:, None] + step) % n
        return torch.where(hit, x.gather(0, _spread(others, layout)), x)


def _steps(corruption: Corruption) -> tuple[Corruption, ...]:
    return corruption.steps if isinstance(corruption, Corruptions) else (corruption,)


def _check_fraction(fraction: float) -> None:
    need(0 <= fraction <= 1, "fraction", "lie in [0, 1]", fraction, "Use 0.25 for a quarter of the cells")


def _chosen(x: Tensor, layout: Layout, fraction: float, generator: Generator) -> Tensor:
    """Features (n, d) of cells picked independently with probability `fraction`."""
    _check_fraction(fraction)
    cells = torch.rand(len(x), len(layout.cells), generator=generator, device=x.device) < fraction
    return _spread(cells, layout)


def _spread(cells: Tensor, layout: Layout) -> Tensor:
    """A value per cell (n, cells) repeated over the cell's features (n, d)."""
    if layout.all_numeric:
        return cells
    widths = torch.tensor([cell.width for cell in layout.cells], device=cells.device)
    return cells.repeat_interleave(widths, dim=1)


def _block(
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
