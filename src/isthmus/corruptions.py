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
import torch.nn.functional as F
from torch import Generator, Tensor

from isthmus.checks import must, need
from isthmus.parts import Layout, Part

__all__ = [
    "BlockMask",
    "Corruption",
    "Corruptions",
    "Distortion",
    "GaussianNoise",
    "MaskingNoise",
    "SaltAndPepper",
    "SwapNoise",
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


class Distortion(Corruption):
    """A picture moved, turned, stretched and bent: what changes how a thing lies and not what it is.

    The target is the picture as it was, so that a code is pulled towards what all its distortions share, and
    two pictures of one thing get codes that are near (the elastic deformations are those of Simard et al.
    2003). Each is drawn uniformly up to the bound given, for every picture anew; what comes in from outside
    is 0.

    shift: share of the side. turn: degrees. zoom: log of the factor, in each direction. shear: slope.
    elastic: how far the knots of a 5 x 5 net are moved, as a share of the side; between knots the picture is
    bent smoothly.
    """

    shift: float = 0.07
    turn: float = 15.0
    zoom: float = 0.1
    shear: float = 0.1
    elastic: float = 0.1

    def __call__(self, x: Tensor, layout: Layout, generator: Generator) -> Tensor:
        """x_tilde (n, d)."""
        if layout.signal or len(layout.shape) not in (2, 3):
            do = "Use it for pictures (n, h, w[, c])"
            raise must("x", "be pictures for Distortion", f"rows of shape {layout.shape}", do)
        height, width, *colours = layout.shape
        n, channels = len(x), math.prod(colours)
        planes = x.view(n, height, width, channels).permute(0, 3, 1, 2)
        grid = F.affine_grid(self._turned(n, x, generator), list(planes.shape), align_corners=False)
        if self.elastic:
            knots = 2 * self.elastic * _uniform((n, 2, 5, 5), x, generator)
            bent = F.interpolate(knots, size=(height, width), mode="bicubic", align_corners=True)
            grid = grid + bent.permute(0, 2, 3, 1)
        moved = F.grid_sample(planes, grid, align_corners=False)
        return moved.permute(0, 2, 3, 1).reshape(n, -1)

    def _turned(self, n: int, x: Tensor, generator: Generator) -> Tensor:
        """One affine map each, (n, 2, 3)."""
        angle = math.radians(self.turn) * _uniform((n,), x, generator)
        factors = torch.exp(self.zoom * _uniform((n, 2), x, generator))
        stretched = torch.diag_embed(factors)
        stretched[:, 0, 1] = self.shear * _uniform((n,), x, generator)
        cos, sin = angle.cos(), angle.sin()
        turned = torch.stack([cos, -sin, sin, cos], 1).view(n, 2, 2) @ stretched
        return torch.cat([turned, 2 * self.shift * _uniform((n, 2, 1), x, generator)], 2)


def _uniform(shape: tuple[int, ...], like: Tensor, generator: Generator) -> Tensor:
    """Draws from -1 to 1."""
    return 2 * torch.rand(shape, generator=generator, dtype=like.dtype, device=like.device) - 1


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
