"""The panel: several models with their scores, judging a row together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.anomaly.evidence import Reader
from isthmus.anomaly.score import LearnedScore

__all__ = ["Judge", "Panel", "Seen"]

Array = NDArray[Any]


class Judge(NamedTuple):
    """One model, what the score learned from the rows it was trained on, and what each cell usually costs."""

    reader: Reader
    learned: LearnedScore
    usual: Array

    def scores(self, X: Any) -> Array:
        """Scores (n,) of rows of X; higher is stranger."""
        return self.learned(self.reader.read(X))


class Seen(NamedTuple):
    """Rows as one judge encodes them: x (n, d), observed (n, m)."""

    x: Array
    observed: Array


class Panel:
    """The judges; a row's score is the mean of theirs."""

    def __init__(self, judges: Sequence[Judge]) -> None:
        self.judges = list(judges)

    @property
    def names(self) -> list[Any]:
        """The columns of the cells."""
        return self.judges[0].reader.names

    def scores(self, X: Any) -> Array:
        """Scores (n,) of rows of X; higher is stranger."""
        found: Array = np.mean(self.each(X), axis=0)
        return found

    def each(self, X: Any) -> list[Array]:
        """Scores (n,) of rows of X by every judge."""
        return [judge.scores(X) for judge in self.judges]

    def heat(self, X: Any) -> Array:
        """What each cell costs, over what it usually costs and a tenth of what all usually do: (n, m)."""
        parts = [
            judge.reader.read(X).cells / (judge.usual + 0.1 * judge.usual.mean() + 1e-12)
            for judge in self.judges
        ]
        found: Array = np.mean(parts, axis=0)
        return found

    def seen(self, X: Any) -> list[Seen]:
        """Rows of X as every judge encodes them."""
        found = []
        for judge in self.judges:
            x, observed = judge.reader.encode(X)
            everything = np.ones((len(x), len(judge.reader.spans)), dtype=bool)
            found.append(Seen(x, everything if observed is None else observed))
        return found

    def scores_of(self, seen: Sequence[Seen]) -> Array:
        """Scores (n,) of rows that are encoded already."""
        pairs = zip(self.judges, seen, strict=True)
        found: Array = np.mean([judge.learned(judge.reader.look(*rows)) for judge, rows in pairs], axis=0)
        return found
