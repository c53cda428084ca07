"""Conformal p-values: error rates that hold, whatever the score and however long it was trained.

A score s says how strange a row is. Beside the scores s_1 ... s_n of rows that had no part in training,

    p(x) = (1 + #{i : s_i >= s(x)}) / (n + 1)

is a p-value: if x comes from where those rows come from, p(x) <= alpha happens with probability alpha at
most, for every alpha and with no assumption on the score or the data (Vovk et al. 2005; as outlier tests,
Bates et al. 2023). It can never be smaller than 1 / (n + 1): an alpha finer than that needs more rows.

Where no row can be spared, K models are trained, each without two of K parts: s_i is the mean of the two that
have not seen row i, s(x) that of all K (after Vovk 2015, cross-conformal predictors, and Kim, Xu & Barber
2020, who average out-of-bag models). That is no theorem: a mean of five models strays a little less than one
of two, so where models are mostly noise the rate comes out below alpha, at .03 for .05; with one model for
each row it was .015.

Where new rows are known to come in another mixture, with w(x) times the density of the calibration rows,
rows count by their weight (Tibshirani et al. 2019):

    p(x) = (w(x) + sum_i w_i [s_i >= s(x)]) / (w(x) + sum_i w_i)

>>> Calibration.of([0.1, 0.4, 0.2, 0.3]).p_values([0.35, 9.0])
array([0.4, 0.2])
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import must, need
from isthmus.parts import Record

__all__ = ["Calibration", "needed"]

Array = NDArray[np.float64]


class Calibration(Record):
    """Scores of rows that had no part in training, in ascending order; weights, or () where all count the
    same.
    """

    scores: tuple[float, ...]
    weights: tuple[float, ...] = ()

    @classmethod
    def of(cls, scores: Any, weights: Any = None) -> Calibration:
        """From unordered scores (n,), and weights (n,) where rows count differently.

        Raises DataError where a score or weight is not finite, a weight negative, or nothing is there.
        """
        s = np.asarray(scores, np.float64)
        need(len(s) > 0, "calibration", "have at least one row", "none", "Pass rows of X")
        need(bool(np.isfinite(s).all()), "calibration scores", "be finite", "others", "Look at the rows")
        order = np.argsort(s, kind="stable")
        ordered = tuple(s[order].tolist())
        if weights is None:
            return cls(ordered)
        w = np.asarray(weights, np.float64)
        need(w.shape == s.shape, "weights", f"be {len(s)}, one a row", w.shape, "Give one each")
        good = bool((np.isfinite(w) & (w >= 0)).all()) and w.sum() > 0
        need(good, "weights", "be finite, none negative, and not all 0", "others", "Use density ratios")
        return cls(ordered, tuple(w[order].tolist()))

    @property
    def rows(self) -> int:
        """Calibration rows."""
        return len(self.scores)

    @property
    def finest(self) -> float:
        """The smallest p-value of a row of weight 1: 1 / (rows + 1), or 1 / (sum of weights + 1)."""
        return float(1 / (self._arrays[1][0] + 1))

    def p_values(self, scores: Any, weights: Any = None) -> Array:
        """P-values (n,) of new rows with these scores (n,), higher being stranger.

        weights: (n,) density ratios of the new rows, for a weighted calibration; 1 if left out.
        """
        sorted_, tail = self._arrays
        s = np.asarray(scores, np.float64)
        own = np.ones(s.shape) if weights is None else np.asarray(weights, np.float64)
        need(
            weights is None or bool(self.weights),
            "weights",
            "be left out",
            "some",
            "Recalibrate with weights",
        )
        good = own.shape == s.shape and bool((np.isfinite(own) & (own > 0)).all())
        need(good, "weights", "be one positive number a row", own.shape, "Use density ratios")
        above = tail[np.searchsorted(sorted_, s, side="left")]
        p: Array = (own + above) / (own + tail[0])
        return p

    @cached_property
    def _arrays(self) -> tuple[Array, Array]:
        """The scores, and for every place among them the weight of all from there on."""
        heavy = np.asarray(self.weights or (1.0,) * self.rows)
        return np.asarray(self.scores), np.append(np.cumsum(heavy[::-1])[::-1], 0.0)

    def check(self, alpha: float) -> None:
        """Raise DataError unless a level alpha lies in (0, 1) and these rows are enough to support it."""
        need(0 < alpha < 1, "alpha", "lie between 0 and 1", alpha, "Use alpha=0.05")
        if alpha < self.finest:
            rule = f"be at least {self.finest:.3g} with {self.rows:,} calibration rows"
            if self.weights:
                raise must(
                    "alpha", f"{rule} of these weights", alpha, "Raise alpha, or use weights of about 1"
                )
            raise must("alpha", rule, alpha, f"Calibrate on {needed(alpha):,} rows or more, or raise alpha")


def needed(alpha: float) -> int:
    """Calibration rows that support a level alpha: 1 / (rows + 1) <= alpha."""
    return math.ceil(1 / alpha - 1e-9) - 1
