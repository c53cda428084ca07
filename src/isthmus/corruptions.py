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
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from isthmus.checks import must, need
from isthmus.parts import Layout, Part

__all__ = [
    "BlindSpots",
    "BlockMask",
    "Corruption",
    "Corruptions",
    "Distortion",
    "GaussianNoise",
    "MaskingNoise",
    "NoiseAtSNR",
    "NoiseLevels",
    "SaltAndPepper",
    "SwapNoise",
    "VaryingMask",
]


class Corruption(Part):
    """A random damage to rows: x (n, d) -> x_tilde (n, d), drawn from `generator`; never changes x itself.

    blind: the loss counts only the cells that were changed, so that rows which are noisy themselves can be
    learned from (Noise2Self): what stands in a cell must be told from its neighbours.
    """

    blind: ClassVar[bool] = False

    def __call__(self, x: Tensor, layout: Layout, generator: Generator) -> Tensor:
        """x_tilde (n, d)."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__")

    def changed(self, x: Tensor, x_tilde: Tensor, layout: Layout) -> Tensor:
        """Cells (n, cells) of x_tilde that are not those of x."""
        features = x != x_tilde[:, : x.shape[1]]
        if layout.all_numeric:
            return features
        return torch.stack([features[:, cell.start : cell.stop].any(1) for cell in layout.cells], 1)

    def __add__(self, other: Corruption) -> Corruption:
        """Apply this one, then `other`."""
        return Corruptions((*_steps(self), *_steps(other)))


class Corruptions(Corruption):
    """Several corruptions, one after another."""

    steps: tuple[Corruption, ...] = ()

    @property
    def blind(self) -> bool:  # type: ignore[override]
        """Whether any of them is."""
        return any(step.blind for step in self.steps)

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


class NoiseLevels(Corruption):
    """x + sigma e, e ~ N(0, I), with another sigma for every row, uniform in [low, high].

    One network then serves all levels. tell: append sigma to each row, (n, d + 1), for networks that take it
    (`ResidualConvNet`). In a grey picture kept in three equal channels, all three get the same noise, as the
    one channel it has would.
    """

    low: float = 0.0
    high: float = 0.2
    tell: bool = False

    def __call__(self, x: Tensor, layout: Layout, generator: Generator) -> Tensor:
        """x_tilde (n, d), or (n, d + 1)."""
        do = "Use NoiseLevels(0.0, 0.2)"
        need(0 <= self.low <= self.high, "low and high", "be 0 <= low <= high", (self.low, self.high), do)
        sigma = self.low + (self.high - self.low) * torch.rand(
            len(x), 1, generator=generator, dtype=x.dtype, device=x.device
        )
        e = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        noisy = x + sigma * _alike(e, x, layout)
        return torch.cat([noisy, sigma], 1) if self.tell else noisy


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
        _check_fraction(self.fraction)
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


class NoiseAtSNR(Corruption):
    """Gaussian noise at a signal-to-noise ratio drawn anew for every row, evenly between `low` and `high` dB.

    x + e, with mean(e^2) = mean(x^2) / 10^(snr / 10): what is quiet gets quiet noise. The mean of x^2 leaves
    out zeros, which mean "not observed". One network thus learns many levels.

    low, high: in dB.
    colour: the power of the noise falls as 1 / f^a along time, with a drawn evenly from 0 to this for every
        row: 0 is white, 1 up to pink, 2 up to brown. Signals only.
    """

    low: float = -5.0
    high: float = 20.0
    colour: float = 0.0

    def __call__(self, x: Tensor, layout: Layout, generator: Generator) -> Tensor:
        """x_tilde (n, d)."""
        ordered = math.isfinite(self.low) and self.low <= self.high < math.inf
        need(ordered, "low and high", "be dB, low first", (self.low, self.high), "Use NoiseAtSNR(-5, 20)")
        coloured = self.colour > 0
        need(self.colour >= 0, "colour", "be at least 0", self.colour, "Use colour=1.0 for pink")
        need(
            layout.signal or not coloured, "X", "be signals for noise with a colour", "others", "Use colour=0"
        )
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        draws = torch.rand(2, len(x), 1, generator=generator, dtype=x.dtype, device=x.device)
        if coloured:
            noise = _tinted(noise.view(len(x), *layout.shape), self.colour * draws[1]).flatten(1)
        snr = self.low + (self.high - self.low) * draws[0]
        power = x.square().sum(1, keepdim=True) / (x != 0).sum(1, keepdim=True).clamp(min=1)
        return x + noise * (power * 10 ** (-snr / 10) / noise.square().mean(1, keepdim=True)).sqrt()


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


def _step(at: Tensor, radius: int, size: int, generator: Generator) -> Tensor:
    """Places up to `radius` away from `at`, never `at` itself, within `size`."""
    far = torch.randint(1, radius + 1, at.shape, generator=generator, device=at.device)
    back = torch.rand(at.shape, generator=generator, device=at.device) < 0.5
    step = torch.where(back, -far, far)
    return torch.where((at + step < 0) | (at + step >= size), at - step, at + step).clamp(0, size - 1)


def _alike(e: Tensor, x: Tensor, layout: Layout) -> Tensor:
    """Noise (n, d), equal in the three channels of those pictures whose channels are."""
    if layout.signal or len(layout.shape) != 3 or layout.shape[2] != 3:
        return e
    pixels, noise = x.view(len(x), -1, 3), e.view(len(x), -1, 3)
    grey = (pixels == pixels[:, :, :1]).flatten(1).all(1)
    return torch.where(grey[:, None, None], noise[:, :, :1], noise).flatten(1)


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


def _tinted(noise: Tensor, slope: Tensor) -> Tensor:
    """White noise (n, channels, time) with its power made to fall as 1 / f^slope, (n, 1)."""
    time = noise.shape[2]
    frequency = torch.arange(time // 2 + 1, device=noise.device, dtype=noise.dtype).clamp(min=1)
    amplitude = frequency ** (-slope / 2)
    tinted: Tensor = torch.fft.irfft(torch.fft.rfft(noise) * amplitude[:, None], time)
    return tinted
