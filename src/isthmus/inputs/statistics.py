"""Statistics of numeric columns in one pass, block by block, each block while it lies in the cache.

Blocks are joined by the update of Chan, Golub & LeVeque (1983),

    delta = mean_b - mean_a,    mean = mean_a + delta n_b / n,    M = M_a + M_b + delta^2 n_a n_b / n,

with M the sum of squares about the mean, so nothing is lost where a mean is large beside the spread.
"""

from __future__ import annotations

from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.segments import each, segments

__all__ = ["Statistics", "statistics_of"]

Array = NDArray[np.float64]
CACHED = 2**18  # numbers of a block: of fewer, threads wait for Python longer than they work
GREATEST = 1e100  # beyond, squares could overflow


class Statistics(NamedTuple):
    """Smallest, largest, mean and standard deviation of each column: (m,) each."""

    low: Array
    high: Array
    mean: Array
    std: Array


class _Met(NamedTuple):
    """What is known of the columns of some rows: how many, their ends, mean, and squares about it."""

    rows: int
    low: Array
    high: Array
    mean: Array
    squares: Array


def statistics_of(values: NDArray[Any]) -> Statistics | None:
    """Those of values (n, m) of any real dtype; None where one is missing, infinite, or could overflow."""
    if not values.size or values.dtype.kind not in "biuf":
        return None
    parts = each(lambda rows: _met(values[rows]), segments(*values.shape))
    met = reduce(_joined, parts)
    if met is None or max(met.high.max(), -met.low.min()) <= 1e-100:  # squares would vanish
        return None
    mean, std = met.mean, np.sqrt(met.squares / met.rows)
    constant = met.low == met.high  # what is left of it is rounding
    mean[constant], std[constant] = met.low[constant], 0.0
    return Statistics(met.low, met.high, mean, std)


def _met(values: NDArray[Any]) -> _Met | None:
    """What is known of these rows; None where they are not ordinary."""
    met, memory = None, np.empty((0, values.shape[1]))
    for rows in segments(len(values), values.shape[1], CACHED):
        part = values[rows]
        if len(memory) < len(part):
            memory = np.empty(part.shape)
        block = memory[: len(part)]
        np.copyto(block, part)
        low, high = block.min(0), block.max(0)
        if not (low.min() > -GREATEST and high.max() < GREATEST):  # nor where one is NaN
            return None
        mean = block.mean(0)
        block -= mean
        own = _Met(len(block), low, high, mean, np.einsum("ij,ij->j", block, block))
        met = own if met is None else _joined(met, own)
    return met


def _joined(some: _Met | None, more: _Met | None) -> _Met | None:
    """What is known of both together."""
    if some is None or more is None:
        return None
    count, delta = some.rows + more.rows, more.mean - some.mean
    return _Met(
        count,
        np.minimum(some.low, more.low),
        np.maximum(some.high, more.high),
        some.mean + delta * (more.rows / count),
        some.squares + more.squares + delta**2 * (more.rows * some.rows / count),
    )
