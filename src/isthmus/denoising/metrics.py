"""How good a restored signal or picture is, beside the clean one.

    SNR     10 log10  norm(s)^2 / norm(s - s_hat)^2
    SI-SDR  10 log10  norm(a s)^2 / norm(a s - s_hat)^2,    a = <s_hat, s> / norm(s)^2

The signal-to-noise ratio punishes an estimate for being too quiet; the scale-invariant signal-to-distortion
ratio does not, as ears do not (Le Roux, Wisdom, Erdogan & Hershey 2019, SDR: half-baked or well done?). Means
are taken off first for it.

Pictures are compared by their peak signal-to-noise ratio, and by structural similarity, which looks through a
Gaussian window of 11 x 11 pixels at means, spreads and correlation (Wang, Bovik, Sheikh & Simoncelli 2004,
IEEE Transactions on Image Processing 13):

    PSNR    10 log10  peak^2 / mean (x - x_hat)^2
    SSIM    mean of  (2 m m' + c1)(2 cov + c2) / ((m^2 + m'^2 + c1)(v + v' + c2))

>>> import numpy as np
>>> clean = np.array([1.0, -1.0, 1.0, -1.0])
>>> bool(snr(clean, 0.9 * clean) < 20.1), si_sdr(clean, 0.9 * clean)
(True, inf)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import need

__all__ = ["psnr", "si_sdr", "snr", "ssim"]

WINDOW, SPREAD = 11, 1.5  # pixels a side, and the Gaussian's standard deviation


def si_sdr(reference: Any, estimate: Any) -> float:
    """Scale-invariant signal-to-distortion ratio in dB of an estimate (..., time) of a clean reference.

    Several channels count as one long signal. inf where the estimate is the reference at some volume, -inf
    where it has nothing of it. Raises DataError where the shapes differ or the reference is silent.
    """
    clean, made = (part - part.mean() for part in _pair(reference, estimate))
    energy = float(clean @ clean)
    need(energy > 0, "reference", "not be silent", "one that is constant", "Use a clean recording")
    target = float(made @ clean) / energy * clean
    return _decibels(target, made - target)


def snr(reference: Any, estimate: Any) -> float:
    """Signal-to-noise ratio in dB of an estimate (..., time) of a clean reference, the volume counting."""
    clean, made = _pair(reference, estimate)
    return _decibels(clean, made - clean)


def psnr(reference: Any, estimate: Any, peak: float | None = None) -> float:
    """Peak signal-to-noise ratio in dB of pictures of any shape; inf where they are equal.

    peak: black to white; None is what the reference's dtype holds, 1 for floats.
    """
    clean, made = _pair(reference, estimate)
    error = float(np.square(clean - made).mean())
    return math.inf if error == 0 else 10 * math.log10(_peak(reference, peak) ** 2 / error)


def ssim(reference: Any, estimate: Any, peak: float | None = None) -> float:
    """Structural similarity of pictures (h, w) or (h, w, c), the mean over pixels and channels: at most 1.

    peak: as in `psnr`. The window is narrower for pictures of less than 11 pixels a side, and pixels nearer
    to an edge than its radius do not count.
    """
    _pair(reference, estimate)
    clean, made = (np.atleast_3d(np.asarray(part, np.float64)) for part in (reference, estimate))
    need(clean.ndim == 3, "reference", "be a picture (h, w) or (h, w, c)", clean.shape, "Pass one at a time")
    radius = max(0, min(WINDOW // 2, (min(clean.shape[:2]) - 1) // 2))
    high = _peak(reference, peak)
    kept = tuple(slice(radius, size - radius) for size in clean.shape[:2])
    found = _similarity(clean, made, radius, (0.01 * high) ** 2, (0.03 * high) ** 2)
    return float(found[kept].mean())


def _similarity(x: NDArray[np.float64], y: NDArray[np.float64], radius: int, c1: float, c2: float) -> Any:
    """SSIM of every pixel."""
    from scipy.ndimage import gaussian_filter

    def seen(values: Any) -> Any:
        return gaussian_filter(values, SPREAD, radius=radius, axes=(0, 1))

    mx, my = seen(x), seen(y)
    vx, vy, both = seen(x * x) - mx * mx, seen(y * y) - my * my, seen(x * y) - mx * my
    return (2 * mx * my + c1) * (2 * both + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))


def _peak(reference: Any, peak: float | None) -> float:
    dtype = np.asarray(reference).dtype
    usual = float(np.iinfo(dtype).max) if dtype.kind in "iu" else 1.0
    need(peak is None or peak > 0, "peak", "be positive", peak, "Use peak=255 for 8 bits")
    return usual if peak is None else float(peak)


def _pair(reference: Any, estimate: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    clean, made = (np.asarray(part, np.float64) for part in (reference, estimate))
    alike = clean.shape == made.shape and clean.size > 0
    need(alike, "estimate", f"have the shape {clean.shape} of the reference", made.shape, "Cut them alike")
    return clean.reshape(-1), made.reshape(-1)


def _decibels(signal: NDArray[np.float64], noise: NDArray[np.float64]) -> float:
    over, under = float(signal @ signal), float(noise @ noise)
    if under <= 1e-28 * over:  # rounding
        return math.inf if over > 0 else math.nan
    return 10 * math.log10(over / under) if over > 0 else -math.inf
