"""Principal axes: where a linear autoencoder ends, and where the others begin.

The k leading eigenvectors of the covariance of x span the subspace no linear autoencoder with squared error
can beat (Bourlard & Kamp 1988; Baldi & Hornik 1989). They are computed in float64 from the smaller of the
two Gram matrices.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["principal_axes", "set_roads"]

BLOCK = 2**22  # numbers in float64 at a time

Doubles = NDArray[np.float64]


def principal_axes(x: NDArray[np.float32], k: int) -> tuple[Doubles, Doubles, Doubles]:
    """Mean (d,), axes (m, d) and standard deviations (m,) of the rows of x (n, d).

    m is k, or less where the rows do not vary in so many directions. Each axis points so that its entry
    largest in size is positive, as scikit-learn's PCA does.
    """
    n, d = x.shape
    mean = x.mean(0, dtype=np.float64)
    m = min(k, n, d)
    axes, variances = _from_covariance(x, mean, m) if d <= n else _from_gram(x - mean, m)
    spread = np.sqrt(np.maximum(variances, 0))
    varied = spread > 1e-7 * spread.max(initial=0.0)
    axes, spread = axes[varied], spread[varied]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(1)[:, None], 1)
    return mean, axes * np.where(largest < 0, -1.0, 1.0), spread


def set_roads(down: NDArray[Any], up: NDArray[Any], x: NDArray[np.float32]) -> Doubles:
    """Put the weights (k, d) and (d, k) of linear roads at the principal axes of x (n, d), in a scale that
    gives the code unit variance.

    Returns the mean of x, (d,), which the biases beside the roads have to allow for.
    """
    mean, axes, spread = principal_axes(x, len(down))
    scale = np.sqrt(np.square(spread).mean()) if len(spread) else 1.0
    down[:], up[:] = 0, 0
    down[: len(axes)] = axes / scale
    up[:, : len(axes)] = axes.T * scale
    return mean


def _from_covariance(x: NDArray[np.float32], mean: Doubles, m: int) -> tuple[Doubles, Doubles]:
    covariance = np.zeros((x.shape[1], x.shape[1]))
    size = max(1, BLOCK // x.shape[1])
    for start in range(0, len(x), size):
        centred = x[start : start + size] - mean
        covariance += centred.T @ centred
    values, vectors = np.linalg.eigh(covariance / len(x))
    return vectors[:, ::-1][:, :m].T, values[::-1][:m]


def _from_gram(centred: Doubles, m: int) -> tuple[Doubles, Doubles]:
    values, vectors = np.linalg.eigh(centred @ centred.T)
    values, vectors = np.maximum(values[::-1][:m], 0), vectors[:, ::-1][:, :m]
    axes = (vectors.T @ centred) / np.maximum(np.sqrt(values), np.finfo(np.float64).tiny ** 0.5)[:, None]
    return axes, values / len(centred)
