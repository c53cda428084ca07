"""Principal axes as the plain baseline: what any number of them explains of rows they were not fitted on.

One decomposition serves every number of axes k, since the best k axes are the first k of the best k + 1
(Eckart & Young 1936): e_k(x) = norm(x - m)^2 - sum_{j <= k} (v_j . (x - m))^2.

>>> rng = np.random.default_rng(0)
>>> x = rng.normal(size=(50, 2)) @ rng.normal(size=(2, 5))
>>> axes = Axes(x, 3)
>>> axes.errors(x, 2).max() < 1e-20, axes.errors(x, 1).max() > 1
(np.True_, np.True_)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Axes"]

NOTHING = 1e-12  # squared units that are rounding errors

Array = NDArray[np.float64]


class Axes:
    """The mean (d,) of training rows (n, d) without gaps, and up to `most` axes, as rows of (k, d)."""

    def __init__(
        self, x: Array, most: int, bounds: tuple[float, float] = (-np.inf, np.inf), seed: int = 0
    ) -> None:
        self.mean, self.bounds = x.mean(0), bounds
        self.vectors: Array = np.empty((0, x.shape[1]))
        self.spread: Array = np.empty(0)
        count = min(most, *x.shape)
        if count and np.square(x - self.mean).sum() > NOTHING * len(x):  # otherwise there are no axes
            from sklearn.decomposition import PCA  # here, because importing it takes long

            pca = PCA(count, random_state=seed).fit(x)
            self.vectors, self.spread = pca.components_, pca.explained_variance_

    def rebuilt(self, x: Array, k: int, seen: Any = None) -> Array:
        """Rows (n, d) rebuilt from k numbers; gaps, where `seen` is False, count as the mean."""
        centred = (x if seen is None else np.where(seen, x, self.mean)) - self.mean
        vectors = self.vectors[:k]
        rebuilt: Array = np.clip(centred @ vectors.T @ vectors + self.mean, *self.bounds)
        return rebuilt

    def errors(self, x: Array, k: int, seen: Any = None) -> Array:
        """Squared error of every row over what was observed: (n,)."""
        wrong = np.square(x - self.rebuilt(x, k, seen))
        return np.asarray((wrong if seen is None else wrong * seen).sum(1))
