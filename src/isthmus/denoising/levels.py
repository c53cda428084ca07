"""How strong the noise of a picture is.

White noise is all that is left in the finest diagonal detail where a picture is smooth; where it is not, its
own texture adds to it. So the detail's spread, median |d| / 0.6745 (Donoho & Johnstone 1994), is taken block
by block, and a low quantile of the blocks is believed.

>>> noisy = np.linspace(0, 1, 128)[:, None] + 0.1 * np.random.default_rng(0).normal(size=(128, 128))
>>> round(noise_level(noisy), 2)
0.1
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import need

__all__ = ["check_level", "noise_level"]

BLOCK = 32  # numbers of detail a side
BELIEVED = 0.2  # quantile of the blocks


def check_level(level: float | None, span: float = math.inf) -> None:
    """Raise unless it is None or a standard deviation, below the range of the numbers where that is known."""
    good = level is None or 0 <= level < math.inf
    need(good, "level", "be at least 0", level, "Leave it out to have it estimated")
    rule = f"be below {span:g}, the range of the picture's numbers"
    need(level is None or level < span, "level", rule, level, "Tell it in their units")


def noise_level(picture: NDArray[Any]) -> float:
    """The standard deviation of white noise on a picture (h, w) or (h, w, c), in the picture's own units."""
    planes = np.atleast_3d(picture).astype(np.float64)
    even = planes[: planes.shape[0] // 2 * 2, : planes.shape[1] // 2 * 2]
    if not even.size:
        return 0.0
    detail = np.abs(even[::2, ::2] - even[1::2, ::2] - even[::2, 1::2] + even[1::2, 1::2]) / 2
    if (planes == planes[..., :1]).all():
        detail = detail[..., :1]
    return float(np.quantile(_medians(detail), BELIEVED) / 0.6745)


def _medians(detail: NDArray[np.float64]) -> NDArray[np.float64]:
    """The median of every block of the detail, all channels together."""
    rows, columns = (max(1, size // BLOCK) for size in detail.shape[:2])
    blocks = [
        part for strip in np.array_split(detail, rows) for part in np.array_split(strip, columns, axis=1)
    ]
    return np.array([np.median(block) for block in blocks])
