"""Statistics of numeric columns in one pass, block by block, each block while it lies in the cache.

Blocks are joined by the update of Chan, Golub & LeVeque (1983),

    delta = mean_b - mean_a,    mean = mean_a + delta n_b / n,    M = M_a + M_b + delta^2 n_a n_b / n,

with M the sum of squares about the mean, so nothing is lost where a mean is large beside the spread.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Statistics", "statistics_of"]

Array = NDArray[np.float64]
CACHED = 2**16  # numbers of a block


class Statistics(NamedTuple):
    """Smallest, largest, mean and standard deviation of each column: (m,) each."""

    low: Array
    high: Array
    mean: Array
    std: Array


def statistics_of(values: NDArray[Any]) -> Statistics | None:
    """Those of values (n, m) of any real dtype; None where one is missing, infinite, or could overflow."""
    n, m = values.shape
    if not values.size or values.dtype.kind not in "biuf":
        return None
    size, met = max(1, CACHED // m), 0
    low, high, mean, squares = np.full(m, np.inf), np.full(m, -np.inf), np.zeros(m), np.zeros(m)
    for start in range(0, n, size):
        block = values[start : start + size].astype(np.float64)
        np.minimum(low, block.min(0), out=low)
        np.maximum(high, block.max(0), out=high)
        if not _ordinary(low, high):
            return None
        own, count = block.mean(0), len(block)
        block -= own
        delta, met = own - mean, met + count
        mean += delta * (count / met)
        squares += np.einsum("ij,ij->j", block, block) + delta**2 * (count * (met - count) / met)
    if max(high.max(), -low.min()) <= 1e-100:  # squares would vanish
        return None
    std = np.sqrt(squares / n)
    constant = low == high  # what is left of it is rounding
    mean[constant], std[constant] = low[constant], 0.0
    return Statistics(low, high, mean, std)


def _ordinary(low: Array, high: Array) -> bool:
    """Whether nothing between is missing or could overflow when squared; no where an end is NaN."""
    return bool(low.min() > -1e100 and high.max() < 1e100)
