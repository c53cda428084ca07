"""Metrics: how alike two codes are.

A code z becomes a vector v whose straight-line distance is the metric, so that every index needs to know
one distance only:

    Euclidean       v = z - mean                  distance  norm(v - v')
    Standardised    v_j = (z_j - mean_j) / std_j  distance  norm(v - v')
    Cosine          v = (z - mean) / norm         distance  1 - v.v', from 0 to 2

No labels are needed to choose: of rows that were set aside, each is rebuilt as the mean of the training rows
that are its neighbours under a metric, and the metric with the least error, cell by cell in the model's own
units, is taken (`chosen`); for documents the error is the likelihood of their words. Measured on MNIST,
whitening a code fully ranks noise as high as what matters and loses; it is therefore not among them.

>>> v = Cosine().learn(np.array([[1.0, 0.0], [-1.0, 0.0]]))(np.array([[0.0, 3.0]]))
>>> v.tolist()
[[0.0, 1.0]]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
NUMBERS = 2**25  # of dense rows looked at: 128 MB
FEW = 200  # rows, at least
OTHERS = 0.1  # share of what is usual in what is expected of counts


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
    z: NDArray[Any],
    units: Callable[[NDArray[np.int64]], NDArray[Any]],
    seed: int,
    metrics: Sequence[Metric] = METRICS,
    counts: bool = False,
) -> tuple[Metric, dict[str, float]]:
    """The metric whose neighbours rebuild rows best, and the error of each, for codes z (n, k).

    units: gives the rows of some numbers, (n, d), in the units in which the model weighs errors. counts: rows
    are counts or weights of words, and the error is how surprising a row's words are, given its neighbours'.
    """
    order = np.random.default_rng(seed).permutation(len(z))
    width = units(order[:1]).shape[1]
    most = max(FEW, min(ROWS + BASE, NUMBERS // width))
    aside, base = np.split(order[:most], [min(ROWS, max(1, min(most, len(z)) // 5))])
    if len(base) < 2:
        return Euclidean(), {}
    errors, x, rows = {}, units(aside), units(base)
    error = _surprise(rows) if counts else _squared
    for metric in metrics:
        place = metric.learn(z[base])
        _, found = nearest(place(z[aside]), place(z[base]), min(NEIGHBOURS, len(base)))
        wrong = [error(one, rows[near].mean(0)) for one, near in zip(x, found, strict=True)]
        errors[type(metric).__name__] = float(np.mean(wrong))
    best = min(metrics, key=lambda metric: errors[type(metric).__name__])
    return best, errors


def _squared(x: NDArray[Any], x_hat: NDArray[Any]) -> float:
    """Mean squared error of one row."""
    return float(np.square(x - x_hat).mean())


def _surprise(rows: NDArray[Any]) -> Callable[[NDArray[Any], NDArray[Any]], float]:
    """-sum_j s_j log p_j, with s the shares of x and p those of x_hat, mixed with what is usual so that a
    word that no neighbour has is rare and not impossible.
    """
    usual = OTHERS * _shares(rows.mean(0, dtype=np.float64))

    def error(x: NDArray[Any], x_hat: NDArray[Any]) -> float:
        there = x > 0
        expected = (1 - OTHERS) * _shares(x_hat)[there] + usual[there]
        return float(-(_shares(x)[there] * np.log(np.maximum(expected, 1e-12))).sum())

    return error


def _shares(x: NDArray[Any]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = x / max(float(x.sum()), 1e-12)
    return shares
