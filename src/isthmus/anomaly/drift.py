"""Drift: whether incoming rows still come from where the calibration rows came from.

While they do, each new score is as likely to take any rank among all scores so far as any other, so that

    p_n = (#{i < n : s_i > s_n} + theta_n (1 + #{i < n : s_i = s_n})) / n,    theta_n uniform in [0, 1]

are independent and uniform (Vovk et al. 2005). Against that one bets, with

    f(p) = 1 + a (p - 1/2), a in {-1, 0, 1}        and        1 + b (12 (p - 1/2)^2 - 1), b in {-1/2, 1/2}

on higher and lower scores, wider and narrower ones; a hundredth of the capital is shared out anew at every
row (the simple jumper of Vovk et al. 2021, with two more bets). All integrate to 1, so a capital that starts
at 1 is a martingale, and exceeds 1 / rate, ever, with probability `rate` at most (Ville). So that a change
after a million rows is seen as soon as one after ten, the capital is paid out over all starting times k, with
1 / (k (k + 1)) of it for row k: still one martingale, and a late start costs 2 log k at most.

>>> rng = np.random.default_rng(0)
>>> alarm = DriftAlarm(np.ravel, rng.normal(size=200))
>>> alarm.update(rng.normal(size=2000)), alarm.update(rng.normal(size=200) + 1.5), alarm.raised_at > 2000
(False, True, True)
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import need

__all__ = ["DriftAlarm"]

SLOPES = np.array([-1.0, 0.0, 1.0, 0.0, 0.0])  # the first bets on higher scores
BENDS = np.array([0.0, 0.0, 0.0, -0.5, 0.5])
JUMP = 0.01
KNOWN = 100_000  # scores kept to compare with, at most: their own chance no longer matters


class DriftAlarm:
    """Watches rows as they come and says when they stop being like the calibration rows.

    Parameters
    ----------
    scores_of : callable
        X -> scores (n,), one that has not seen the calibration rows either. `AnomalyDetector.drift_alarm`
        gives it.
    reference : array (n,)
        Scores of the calibration rows.
    rate : float
        The probability that it ever goes off while nothing has changed.
    random_state : int
        Of the draws that break ties.
    stranger_only : bool
        Bet on higher scores alone: rows that are too ordinary, such as those of training, are then no drift.

    Attributes
    ----------
    rows : int
        Rows seen.
    evidence : float
        The capital: near 1 or below where nothing has changed; an alarm at 1 / rate.
    raised_at : int or None
        The row, counted from 1, at which the alarm went off.

    References
    ----------
    Vovk et al. (2021), Retrain or not retrain: conformal test martingales for change-point detection, COPA.
    """

    def __init__(
        self,
        scores_of: Callable[[Any], NDArray[Any]],
        reference: Any,
        rate: float = 0.01,
        random_state: int = 0,
        stranger_only: bool = False,
    ) -> None:
        need(0 < rate < 1, "rate", "lie between 0 and 1", rate, "Use rate=0.01")
        self.scores_of, self.rate = scores_of, rate
        self.rows, self.evidence = 0, 1.0
        self.raised_at: int | None = None
        self._known = sorted(np.asarray(reference, float).tolist())
        bets = slice(0, 2) if stranger_only else slice(None)
        self._slopes, self._bends = SLOPES[bets], BENDS[bets]
        self._capital = np.zeros(len(self._slopes))
        self._rng = np.random.default_rng(random_state)

    def update(self, X: Any) -> bool:
        """Look at more rows, in the order they came; whether the alarm has gone off, now or before."""
        return self.hear(self.scores_of(X))

    def hear(self, scores: NDArray[Any]) -> bool:
        """The same for rows whose scores (n,) are there already."""
        for score in scores.tolist():
            self.rows += 1
            self._bet(self._p_value(score))
            if len(self._known) < KNOWN:
                insort(self._known, score)
            if self.raised_at is None and self.evidence >= 1 / self.rate:
                self.raised_at = self.rows
        return self.raised_at is not None

    def _p_value(self, score: float) -> float:
        low, high = bisect_left(self._known, score), bisect_right(self._known, score)
        return float(
            (len(self._known) - high + self._rng.random() * (high - low + 1)) / (len(self._known) + 1)
        )

    def _bet(self, p: float) -> None:
        started = self._capital + 1 / (len(self._slopes) * self.rows * (self.rows + 1))
        mixed = (1 - JUMP) * started + JUMP * started.mean()
        payoff = 1 + self._slopes * (p - 0.5) + self._bends * (12 * (p - 0.5) ** 2 - 1)
        self._capital = np.minimum(mixed * payoff, 1e200)
        self.evidence = float(self._capital.sum()) + 1 / (self.rows + 1)
