"""Metrics: how alike two codes are.

A code z becomes a vector v whose straight-line distance is the metric, so that every index needs to know
one distance only:

    Euclidean       v = z - mean                  distance  norm(v - v')
    Standardised    v_j = (z_j - mean_j) / std_j  distance  norm(v - v')
    Cosine          v = (z - mean) / norm         distance  1 - v.v', from 0 to 2

No labels are needed to choose: of rows that were set aside, each is rebuilt as the mean of the training rows
that are its neighbours under a metric, and the metric with the least error, cell by cell in the model's own
units, is taken (`chosen`). Measured on MNIST, whitening a code fully ranks noise as high as what matters and
loses; it is therefore not among them.

>>> v = Cosine().learn(np.array([[1.0, 0.0], [-1.0, 0.0]]))(np.array([[0.0, 3.0]]))
>>> v.tolist()
[[0.0, 1.0]]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from isthmus.parts import Part
from isthmus.retrieval.exact import nearest

__all__ = ["METRICS", "Cosine", "Euclidean", "Metric", "Standardised", "chosen"]

Array = NDArray[np.float32]
ROWS = 2_000  # set aside, at most, to choose by
BASE = 10_000  # to choose their neighbours from
NEIGHBOURS = 10


class Placed:
    """A metric with the mean and scale it learned: codes (n, k) -> vectors (n, k) float32."""

    def __init__(self, mean: Any, scale: Any, unit: bool) -> None:
        self.mean, self.scale, self.unit = np.asarray(mean), np.asarray(scale), unit

    def __call__(self, z: NDArray[Any]) -> Array:
        v = ((np.asarray(z, np.float64) - self.mean) / self.scale).astype(np.float32)
        return unit(v) if self.unit else v


class Metric(Part):
    """How alike two codes are."""

    unit: ClassVar[bool] = False  # whether vectors have length 1 and distances are 1 - v.v'

    def __call__(self, z: NDArray[Any]) -> Placed:
        """The same as `learn`."""
        return self.learn(z)

    def learn(self, z: NDArray[Any]) -> Placed:
        """The metric for codes like z (n, k)."""
        return Placed(np.mean(z, 0, np.float64), np.ones(z.shape[1]), self.unit)


class Euclidean(Metric):
    """norm(z - z'): codes as they are."""


class Standardised(Metric):
    """norm((z - z') / std): every number of the code counts alike."""

    def learn(self, z: NDArray[Any]) -> Placed:
        """The metric for codes like z (n, k); numbers that never vary are left as they are."""
        std = np.std(z, 0, np.float64)
        return Placed(np.mean(z, 0, np.float64), np.where(std > 1e-12, std, 1.0), False)


class Cosine(Metric):
    """1 - cos(z - mean, z' - mean): what a row is of, not how much of it."""

    unit: ClassVar[bool] = True


METRICS = (Cosine(), Euclidean(), Standardised())


def unit(v: Array) -> Array:
    """Rows of length 1; those of length 0 stay."""
    length = np.linalg.norm(v, axis=1, keepdims=True)
    return (v / np.where(length > 0, length, 1.0)).astype(np.float32)


def chosen(
    z: NDArray[Any], x: NDArray[Any], seed: int, metrics: Sequence[Metric] = METRICS
) -> tuple[Metric, dict[str, float]]:
    """The metric whose neighbours rebuild rows best, and the error of each, for codes z (n, k) of rows x (n,
    d) in units in which cells count alike.
    """
    order = np.random.default_rng(seed).permutation(len(z))
    aside = order[: min(ROWS, max(1, len(z) // 5))]
    base = order[len(aside) : len(aside) + BASE]
    if len(base) < 2:
        return Euclidean(), {}
    errors = {}
    for metric in metrics:
        place = metric.learn(z[base])
        _, found = nearest(place(z[aside]), place(z[base]), min(NEIGHBOURS, len(base)))
        rebuilt = x[base][found].mean(1)
        errors[type(metric).__name__] = float(np.square(x[aside] - rebuilt).mean())
    best = min(metrics, key=lambda metric: errors[type(metric).__name__])
    return best, errors
