"""How good a restored signal is, beside the clean one, in decibels.

    SNR     10 log10  norm(s)^2 / norm(s - s_hat)^2
    SI-SDR  10 log10  norm(a s)^2 / norm(a s - s_hat)^2,    a = <s_hat, s> / norm(s)^2

The signal-to-noise ratio punishes an estimate for being too quiet; the scale-invariant signal-to-distortion
ratio does not, as ears do not (Le Roux, Wisdom, Erdogan & Hershey 2019, SDR: half-baked or well done?). Means
are taken off first for it.

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

__all__ = ["si_sdr", "snr"]


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
