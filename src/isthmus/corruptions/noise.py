"""Noise: something is added to every cell, or put in the place of some."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from isthmus.checks import need
from isthmus.corruptions.base import Corruption, chosen, spread
from isthmus.parts import Layout

if TYPE_CHECKING:
    import torch
    from torch import Generator, Tensor
else:
    from isthmus.lazily import torch

__all__ = ["GaussianNoise", "NoiseAtSNR", "NoiseLevels", "SaltAndPepper", "SwapNoise"]


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


class SaltAndPepper(Corruption):
    """Each cell is set, with probability `fraction`, to the lowest or the highest value it can take, at
    even odds.

    Values in [0, 1] become 0 or 1; other numbers the least or greatest of the batch in their column; yes/no
    cells a fair coin; categories a random level.
    """

    fraction: float = 0.1

    def __call__(self, x: Tensor, layout: Layout, generator: Generator) -> Tensor:
        """x_tilde (n, d)."""
        hit = chosen(x, layout, self.fraction, generator)
        high = torch.rand(x.shape, generator=generator, device=x.device) < 0.5
        low, top = (0.0, 1.0) if layout.positive else (x.amin(0, keepdim=True), x.amax(0, keepdim=True))
        extremes = torch.where(high, torch.as_tensor(top, dtype=x.dtype), torch.as_tensor(low, dtype=x.dtype))
        for cell in layout.cells:
            if cell.kind == "categorical":
                level = torch.randint(cell.width, (len(x), 1), generator=generator, device=x.device)
                extremes[:, cell.start : cell.stop] = 0.0
                extremes[:, cell.start : cell.stop].scatter_(1, level, 1.0)
        return torch.where(hit, extremes, x)


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
        hit = chosen(x, layout, self.fraction, generator)
        step = torch.randint(1, n, (n, len(layout.cells)), generator=generator, device=x.device)
        others = (torch.arange(n, device=x.device)[:, None] + step) % n
        return torch.where(hit, x.gather(0, spread(others, layout)), x)


def _alike(e: Tensor, x: Tensor, layout: Layout) -> Tensor:
    """Noise (n, d), equal in the three channels of those pictures whose channels are."""
    if layout.signal or len(layout.shape) != 3 or layout.shape[2] != 3:
        return e
    pixels, noise = x.view(len(x), -1, 3), e.view(len(x), -1, 3)
    grey = (pixels == pixels[:, :, :1]).flatten(1).all(1)
    return torch.where(grey[:, None, None], noise[:, :, :1], noise).flatten(1)


def _tinted(noise: Tensor, slope: Tensor) -> Tensor:
    """White noise (n, channels, time) with its power made to fall as 1 / f^slope, (n, 1)."""
    time = noise.shape[2]
    frequency = torch.arange(time // 2 + 1, device=noise.device, dtype=noise.dtype).clamp(min=1)
    amplitude = frequency ** (-slope / 2)
    tinted: Tensor = torch.fft.irfft(torch.fft.rfft(noise) * amplitude[:, None], time)
    return tinted
