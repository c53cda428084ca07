"""Score: how strange a row is, from what a model says about it. Higher is stranger.

A score is a part that learns from the evidence on training rows; what it has learned is plain arrays.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from isthmus.anomaly.evidence import Evidence
from isthmus.checks import need
from isthmus.parts import Part

__all__ = ["AnomalyScore", "LearnedScore", "need_shapes"]

Array = NDArray[np.float64]


class LearnedScore(ABC):
    """A score that has seen its training rows; its numbers are the arrays of `state`."""

    @abstractmethod
    def __call__(self, evidence: Evidence) -> Array:
        """Scores (n,), higher is stranger."""

    @abstractmethod
    def state(self) -> dict[str, Array]:
        """Everything learned, by name."""


class AnomalyScore(Part):
    """A way to score; learns from the evidence on training rows."""

    def learn(self, evidence: Evidence, seed: int) -> LearnedScore:
        """The score for rows like these."""
        raise NotImplementedError(f"{type(self).__name__} must define learn")

    def restored(self, state: dict[str, Array], cells: int, width: int) -> LearnedScore:
        """The learned score with this state, for so many cells and numbers in the code; else DataError."""
        raise NotImplementedError(f"{type(self).__name__} must define restored")

    def __call__(self, evidence: Evidence, seed: int) -> LearnedScore:
        """The same as `learn`."""
        return self.learn(evidence, seed)


def need_shapes(state: dict[str, Array], shapes: dict[str, tuple[int, ...]]) -> None:
    """Raise DataError unless the arrays of a file have these shapes and are finite, the scales positive."""
    found = {name: value.shape for name, value in state.items()}
    need(found == shapes, "the score's arrays", "fit the model", "others", "Save the detector again")
    finite = all(value.dtype == np.float64 and np.isfinite(value).all() for value in state.values())
    need(finite, "the score's arrays", "be finite", "others", "Save the detector again")
    good = bool((state.get("usual", np.ones(0)) > 0).all())
    need(good, "the score's scales", "be positive", "others", "Save the detector again")
