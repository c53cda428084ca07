"""Shift: whether the rows a model is judged by are of the kind it has learned from.

For every feature, with means over the cells that were observed,

    shift = (mean of other rows - mean of training rows) / standard deviation of training rows

or twice the difference between the shares of cells that were observed, where that is more. Two samples of one
kind differ by the square root of one over their size. Where they differ by far more, what other rows cost
tells nothing about memorising.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.auditing.finding import Finding, plainly
from isthmus.auditing.subject import Subject
from isthmus.wording import percent

__all__ = ["Shift", "shift"]

ERRORS = 6.0  # standard errors that are worth a standard deviation, where the largest shift is looked for
TWICE = 2.0  # half of the cells unreadable on one side alone is worth a standard deviation
UNREAD = 0.25  # difference of those shares from which on it is told in their place
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
        if abs(self.known - self.known_before) > UNREAD:
            shares = percent(self.known), percent(self.known_before)
            return f"{self.column} (readable in {shares[0]} of them, and in {shares[1]} of training rows)"
        return f"{self.column} (on average {plainly(self.size)} standard deviations away)"

    def __str__(self) -> str:
        return f"held-out rows differ from training rows most in {self.place}"


def shift(subject: Subject) -> Shift:
    """Of the held-out rows against the training rows."""
    looks = subject.train, subject.test
    seen = [np.broadcast_to(look.seen, look.x.shape).astype(float) for look in looks]
    before, after = (_moments(look.x, known) for look, known in zip(looks, seen, strict=True))
    read, read_after = (_moments(known, np.ones_like(known)) for known in seen)
    usual = float(np.sqrt(np.mean(before.variance))) or 1.0
    moved = _apart(before, after) / np.maximum(np.sqrt(before.variance), FLAT * usual)
    missed = TWICE * _apart(read, read_after)
    z = np.where(missed > moved, _errors_apart(read, read_after, 1.0), _errors_apart(before, after, usual))
    size = np.maximum(missed, moved)
    most = int(np.argmax(np.minimum(size, z / ERRORS)))
    ends = np.array([stop for _, stop in subject.reader.spans])
    return Shift(
        size=float(size[most]),
        z=float(z[most]),
        column=subject.names[int(np.searchsorted(ends, most, side="right"))],
        known=float(read_after.mean[most]),
        known_before=float(read.mean[most]),
    )


class _Moments(NamedTuple):
    """Of the cells that were observed, by feature."""

    mean: Array
    variance: Array
    cells: Array


def _moments(x: Array, seen: Array) -> _Moments:
    cells = seen.sum(0)
    mean = (x * seen).sum(0) / np.maximum(1, cells)
    return _Moments(mean, (np.square(x - mean) * seen).sum(0) / np.maximum(1, cells), cells)


def _apart(before: _Moments, after: _Moments) -> Array:
    """How far means are apart; 0 where one side has no cell."""
    return np.where(np.minimum(before.cells, after.cells) > 0, np.abs(after.mean - before.mean), 0.0)


def _errors_apart(before: _Moments, after: _Moments, usual: float) -> Array:
    """The same in standard errors, by the wider of both sides: few rows seem alike."""
    widest = np.sqrt(np.maximum(before.variance, after.variance))
    error = widest * np.sqrt(1 / np.maximum(1, before.cells) + 1 / np.maximum(1, after.cells))
    found: Array = _apart(before, after) / np.maximum(error, 1e-9 * usual)
    return found
