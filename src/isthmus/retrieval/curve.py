"""An order of vectors in which those that are near come near each other.

A graph over vectors built in this order has its neighbours close by in memory, and questions asked in this
order find them still in the processor's cache. The order is that along a Z-shaped curve (Morton 1966) through
cells in the leading principal directions.

>>> rng = np.random.default_rng(0)
>>> vectors = rng.normal(size=(500, 3)).astype(np.float32)
>>> steps = np.diff(vectors[Curve(vectors).order(vectors)], axis=0)
>>> bool(np.square(steps).mean() < 0.5 * np.square(np.diff(vectors, axis=0)).mean())
True
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Curve"]

SAMPLE = 20_000  # vectors that the directions are taken from
DIRECTIONS, BITS = 5, 4  # 2^BITS cells along each
WIDE = 2.0  # standard deviations on either side; what lies farther is in the last cell


class Curve:
    """Fitted to vectors (n, d); `order` then puts these or others in line."""

    def __init__(self, vectors: NDArray[Any]) -> None:
        some = vectors[:: max(1, len(vectors) // SAMPLE)].astype(np.float64)
        self.centre = some.mean(0)
        scatter = np.cov(some, rowvar=False).reshape(some.shape[1], -1)
        variances, axes = np.linalg.eigh(scatter)
        leading = slice(None, -DIRECTIONS - 1, -1)
        spread = np.sqrt(np.maximum(variances[leading], 1e-30))
        self.axes = (axes[:, leading] / spread).astype(np.float32)

    def order(self, vectors: NDArray[Any]) -> NDArray[np.int64]:
        """Their places (n,), in line."""
        along = (vectors - self.centre.astype(np.float32)) @ self.axes
        cells = ((np.clip(along / WIDE, -1, 1) + 1) * (2 ** (BITS - 1))).astype(np.int64)
        cells = np.minimum(cells, 2**BITS - 1)
        key = np.zeros(len(vectors), np.int64)
        for bit in range(BITS - 1, -1, -1):
            for cell in cells.T:
                key = key << 1 | (cell >> bit & 1)
        return np.argsort(key, kind="stable")
