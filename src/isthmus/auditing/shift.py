"""Shift: whether the rows a model is judged by are of the kind it has learned from.

For every feature, with means over the cells that were observed,

    shift = (mean of other rows - mean of training rows) / standard deviation of training rows

and the same of whether a cell was observed at all. Two samples of one kind differ by the square root of one
over their size. Where they differ by far more, what other rows cost tells nothing about memorising.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.auditing.finding import Finding, plainly
from isthmus.auditing.subject import Subject
from isthmus.wording import percent

__all__ = ["Shift", "shift"]

ERRORS = 6.0  # standard errors that are worth a standard deviation, where the largest shift is looked for
FLAT = 0.1  # of the usual standard deviation, which a feature that hardly varies is taken to have

Array = NDArray[np.float64]


class Shift(Finding):
    """The largest shift of a feature in training rows' standard deviations, by how many standard errors, and
    the column it belongs to. known, known_before: the shares of cells of that column that were observed.
    """

    label = "kind of rows"
    size: float
    z: float
    column: Any
    known: float
    known_before: float

    @property
    def place(self) -> str:
        """Where it is, in words."""
        if abs(self.known - self.known_before) > 0.25:
            shares = percent(self.known), percent(self.known_before)
            return f"{self.column} (readable in {shares[0]} of them, and in {shares[1]} of training rows)"
        return f"{self.column} (on average {plainly(self.size)} standard deviations away)"

    def __str__(self) -> str:
        return f"held-out rows differ from training rows most in {self.place}"


def shift(subject: Subject) -> Shift:
    """Of the held-out rows against the training rows."""
    values = _apart(*(_moments(look.x, look.seen) for look in (subject.train, subject.test)))
    seen = [np.broadcast_to(look.seen, look.x.shape).astype(float) for look in (subject.train, subject.test)]
    gaps = _apart(*(_moments(known, np.ones((1, 1), bool)) for known in seen))
    missed = 2 * np.abs(seen[1].mean(0) - seen[0].mean(0))  # unreadable in half of the cells more is as much
    size, z = (
        np.where(missed > values[0], gap, value) for gap, value in zip((missed, gaps[1]), values, strict=True)
    )
    most = int(np.argmax(np.minimum(size, z / ERRORS)))
    ends = np.array([stop for _, stop in subject.reader.spans])
    return Shift(
        size=float(size[most]),
        z=float(z[most]),
        column=subject.reader.names[int(np.searchsorted(ends, most, side="right"))],
        known=float(seen[1][:, most].mean()),
        known_before=float(seen[0][:, most].mean()),
    )


def _moments(x: Array, seen: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
    """Means, variances and counts of the cells that were observed, by feature."""
    weights = np.broadcast_to(seen, x.shape)
    count = weights.sum(0)
    mean = (x * weights).sum(0) / np.maximum(1, count)
    return mean, (np.square(x - mean) * weights).sum(0) / np.maximum(1, count), count


def _apart(before: tuple[Array, ...], after: tuple[Array, ...]) -> tuple[Array, Array]:
    """By how many standard deviations, and standard errors, features differ; 0 where one side has none."""
    usual = float(np.sqrt(np.mean(before[1]))) or 1.0
    both = np.minimum(before[2], after[2]) > 0
    away = np.where(both, np.abs(after[0] - before[0]), 0.0)
    spread, widest = np.sqrt(before[1]), np.sqrt(np.maximum(before[1], after[1]))  # few rows seem alike
    error = widest * np.sqrt(1 / np.maximum(1, before[2]) + 1 / np.maximum(1, after[2]))
    return away / np.maximum(spread, FLAT * usual), away / np.maximum(error, 1e-9 * usual)
