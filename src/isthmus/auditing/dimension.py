"""How many dimensions the data have near any one row: TwoNN (Facco, d'Errico, Rodriguez & Laio 2017).

Where rows lie evenly on a surface of D dimensions, the ratio of the distances to the second and to the first
neighbour, mu = r2 / r1, has the distribution F(mu) = 1 - mu^(-D), whatever the density is. D is the slope of
-log(1 - F) over log mu through the origin, the largest tenth of the ratios left out.

It reads the finest scale the rows resolve. Noise has all the dimensions there are, so on noisy data D is that
of the noise; few rows underestimate a high one.

>>> rng = np.random.default_rng(0)
>>> sheet = rng.uniform(size=(1000, 2)) @ np.linalg.qr(rng.normal(size=(10, 10)))[0][:2]
>>> 1.8 < two_nn(sheet) < 2.2
True
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isthmus.auditing.finding import Finding
from isthmus.auditing.subject import Subject
from isthmus.wording import counted

__all__ = ["Dimension", "intrinsic_dimension", "two_nn"]

KEPT = 0.9  # of the ratios, the smallest
LEAST = 20  # rows below which nothing is said

Array = NDArray[np.float64]


class Dimension(Finding):
    """TwoNN's dimension beside the numbers of the code."""

    label = "dimension"
    dimension: float
    n_components: int

    def __str__(self) -> str:
        if not np.isfinite(self.dimension):
            return "too few different rows to tell the dimension of the data"
        numbers = counted(self.n_components, "number")
        return f"the rows lie on about {self.dimension:.1f} dimensions (TwoNN); a row's code has {numbers}"


def two_nn(x: Array) -> float:
    """The dimension near rows x (n, d); NaN where fewer than 20 rows differ."""
    from sklearn.neighbors import NearestNeighbors

    x = np.unique(x, axis=0)
    if len(x) < LEAST:
        return float("nan")
    found = NearestNeighbors(n_neighbors=3).fit(x).kneighbors(x)[0]
    mu = np.sort(found[:, 2] / np.maximum(found[:, 1], 1e-300))
    kept = int(KEPT * len(mu))
    log_mu = np.log(mu[:kept])
    below = -np.log1p(-np.arange(1, kept + 1) / (len(mu) + 1))
    square = float(log_mu @ log_mu)
    return float(log_mu @ below) / square if square > 0 else float("nan")


def intrinsic_dimension(subject: Subject) -> Dimension:
    """TwoNN of the training rows looked at."""
    return Dimension(dimension=two_nn(subject.complete(subject.train)), n_components=subject.numbers)
