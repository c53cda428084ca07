"""Series: anomaly detection in time, on windows, without looking ahead.

The step t of a series of c channels is judged by the window of the w steps that end at t, as a row of w * c
numbers; models, scores and repairs are those of `AnomalyDetector`. Calibration parts are stretches of time,
and no training window overlaps them. A p-value compares a step with the `recent` scores before it, at first
those of the calibration: series wander, and what was strange a month ago is the rule today. The last ten
windows wait before they count among them, or else a long fault would soon be compared with itself.

Neighbouring windows share most of their steps, so p-values come in runs. On average over time a share alpha
of ordinary steps is flagged, but together: ranges are reported, not points. A fault stays in sight for w
steps after its last one: that much is taken off the end of a range, as far as its peak.

>>> rng = np.random.default_rng(0)
>>> x = np.sin(np.arange(3000) / 10) + 0.1 * rng.normal(size=3000)
>>> detector = SeriesDetector(random_state=0).fit(x[:2000])
>>> x[2500:2510] += 2
>>> found = detector.ranges(x[2000:], alpha=0.002)
>>> bool(((found.start <= 509) & (found.end >= 500)).any())
True
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from isthmus.anomaly.detector import AnomalyDetector
from isthmus.anomaly.nearfar import NearFar
from isthmus.anomaly.score import AnomalyScore
from isthmus.anomaly.steps import Steps, read_steps, refuse_clocks
from isthmus.checks import must, need
from isthmus.citizen import Estimator
from isthmus.inputs import as_frame_like
from isthmus.inputs.frames import is_frame
from isthmus.wording import counted, few, percent

__all__ = ["OfWindows", "SeriesDetector"]

WINDOWS = 20_000  # trained on, at most, evenly over time
CHUNK = 4_096  # windows scored at a time
CHANNELS = 3  # to blame, at most
WAIT = 10  # windows until a score counts as recent

Array = NDArray[np.float64]


class SeriesDetector(Estimator):
    """Finds ranges of a series that do not belong.

    Parameters
    ----------
    model : Autoencoder, or any transformer with inverse_transform, or None
        What windows are held against; None takes the default of `AnomalyDetector`.
    window : int
        Steps a judgement looks back. A few for spikes and jumps, a period or more for changes of shape.
    anomaly_score : AnomalyScore
        As for `AnomalyDetector`.
    alpha : float
        Share of ordinary steps that may be flagged, on average over time.
    recent : int or None
        Scores that p-values are compared with: so many before each step, or with None those of the
        calibration for ever.
    random_state : int, RandomState, Generator or None
        Seed of the models.

    Attributes
    ----------
    detector_ : AnomalyDetector
        The detector of windows.
    notes_ : list of str
        What was chosen, in sentences.
    """

    def __init__(
        self,
        model: Any = None,
        *,
        window: int = 16,
        anomaly_score: AnomalyScore = NearFar(),
        alpha: float = 0.01,
        recent: int | None = 2000,
        random_state: Any = None,
    ) -> None:
        self.model = model
        self.window = window
        self.anomaly_score = anomaly_score
        self.alpha = alpha
        self.recent = recent
        self.random_state = random_state

    facts_: dict[str, Any]  # what a face wants kept in the file, as plain values

    def fit(self, X: Any, y: None = None) -> Self:
        """Train on a series that is ordinary for the most part.

        X : array (n,) or (n, channels), or DataFrame
            Steps in the order of time. Of a frame, a column or an index of moments says when; other columns
            are channels, numbers or yes/no. NaN is a gap.
        """
        self._check_parameters()
        steps = read_steps(X)
        refuse_clocks(steps)
        n, least = len(steps.values), 8 * self.window
        need(n >= least, "X", f"have at least {least} steps for windows of {self.window}", n, "Use fewer")
        hop = -(-(n - self.window + 1) // WINDOWS)
        rows = _windows(steps.values, self.window)[::hop].reshape(-1, self.window * steps.values.shape[1])
        detector = OfWindows(
            self.model, anomaly_score=self.anomaly_score, alpha=self.alpha, random_state=self.random_state
        )
        detector.purge = -(-self.window // hop)
        self.detector_ = detector.fit(np.ascontiguousarray(rows))
        self.channels_, self.n_features_in_ = steps.names, len(steps.names)
        every = "" if hop == 1 else f", every {hop}th of them"
        self.notes_ = [
            f"Windows of {counted(self.window, 'step')}{every}; no window looks ahead.",
            *detector.notes_,
        ]
        return self

    # ---------------------------------------------------------------- step by step

    def score_samples(self, X: Any) -> Array:
        """Minus the score of each step (n,): the lower, the stranger. NaN for the first window - 1 steps."""
        return self._scored(self._read(X))

    def p_values(self, X: Any) -> Array:
        """P-values (n,) of the steps, none looking ahead; NaN for the first window - 1 steps."""
        return self._p_values(self.score_samples(X))

    def predict(self, X: Any, alpha: float | None = None) -> NDArray[np.int64]:
        """-1 for steps that do not belong, 1 for others, the first window - 1 included: (n,)."""
        level = self._level(alpha)
        return np.where(np.nan_to_num(self.p_values(X), nan=1.0) <= level, -1, 1)

    def ranges(self, X: Any, alpha: float | None = None) -> Any:
        """The ranges of X that do not belong: a DataFrame, one line a range, in the order of time.

        start, end: moments, or numbers of steps, both inside the range. peak: its strangest step. p_value,
        score: of that step; score is minus its `score_samples`. channels: those with the largest share of the
        reconstruction error of the peak's window, and their share.
        """
        level, steps = self._level(alpha), self._read(X)
        scores = self._scored(steps)
        p = self._p_values(scores)
        lines = []
        for first, last in _runs(np.flatnonzero(np.nan_to_num(p, nan=1.0) <= level), self.window):
            peak = first + int(np.argmin(scores[first : last + 1]))
            end = max(peak, last - self.window + 1)
            lines.append((first, end, peak, float(p[peak]), -float(scores[peak]), self._blamed(steps, peak)))
        columns = zip(*lines, strict=True) if lines else ([] for _ in COLUMNS)
        found: dict[Any, Any] = dict(zip(COLUMNS, map(list, columns), strict=True))
        found["channels"] = np.array(found["channels"], dtype=object)
        for name in ("start", "end", "peak"):
            found[name] = steps.times[np.asarray(found[name], int)]
        return as_frame_like(None, found)

    # ---------------------------------------------------------------- the pieces

    def _scored(self, steps: Steps) -> Array:
        n, w = steps.values.shape[0], self.window
        scores = np.full(n, np.nan)
        if n < w:
            return scores
        windows = _windows(steps.values, w)
        for start in range(0, len(windows), CHUNK):
            rows = np.ascontiguousarray(windows[start : start + CHUNK]).reshape(-1, w * self.n_features_in_)
            scores[start + w - 1 : start + w - 1 + len(rows)] = self.detector_.score_samples(rows)
        return scores

    def _p_values(self, scores: Array) -> Array:
        known = ~np.isnan(scores)
        p = np.full(len(scores), np.nan)
        if self.recent is None:
            p[known] = self.detector_.calibration_.p_values(-scores[known])
        else:
            before = self.detector_.in_time[-self.recent :].tolist()
            p[known] = list(_among_recent(before, (-scores[known]).tolist(), self.recent, WAIT * self.window))
        return p

    def _level(self, alpha: float | None) -> float:
        self.must_be_fitted()
        level = self.alpha if alpha is None else alpha
        self.detector_.calibration_.check(level)
        if self.recent is not None:
            rule = f"be at least {1 / (self.recent + 1):.3g} beside {self.recent:,} recent scores"
            need(
                level * (self.recent + 1) >= 1 - 1e-9,
                "alpha",
                rule,
                level,
                "Raise recent, or use recent=None",
            )
        return level

    def _blamed(self, steps: Steps, peak: int) -> str:
        """The channels with the largest errors in the window that ends at a step, with their shares."""
        window = np.ascontiguousarray(_windows(steps.values, self.window)[peak - self.window + 1])
        reader = self.detector_._panel.judges[0].reader
        cells = reader.read(window.reshape(1, -1)).cells.reshape(self.window, -1).sum(0)
        shares = cells / (cells.sum() or 1.0)
        worst = np.argsort(-shares, kind="stable")[:CHANNELS].tolist()
        return ", ".join(f"{steps.names[j]} {percent(shares[j])}" for j in worst if shares[j] >= 0.05)

    def _read(self, X: Any) -> Steps:
        self.must_be_fitted()
        steps = read_steps(X)
        if steps.names == self.channels_:
            return steps
        if not is_frame(X) and len(steps.names) == len(self.channels_):
            return Steps(steps.values, steps.times, self.channels_)
        if set(steps.names) == set(self.channels_):
            order = [steps.names.index(name) for name in self.channels_]
            return Steps(steps.values[:, order], steps.times, self.channels_)
        known, got = (few([str(name) for name in names], 5) for names in (self.channels_, steps.names))
        raise must("X", f"have the channels {known}", got, "Pass the same")

    def _check_parameters(self) -> None:
        whole = isinstance(self.window, (int, np.integer)) and not isinstance(self.window, bool)
        need(whole and self.window >= 1, "window", "be a whole number of steps", self.window, "Use window=16")
        recent = self.recent
        counted = isinstance(recent, (int, np.integer)) and not isinstance(recent, bool)
        good = recent is None or (counted and int(recent) >= 1)
        need(good, "recent", "be a whole number of scores, or None", recent, "Use recent=2000")


COLUMNS = ("start", "end", "peak", "p_value", "score", "channels")


class OfWindows(AnomalyDetector):
    """A detector whose calibration parts are stretches of time, apart from what its models train on."""

    purge: int = 1

    def _parts(self, n: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        parts = super()._parts(n, rng)
        if len(parts) == 1:
            return [np.arange(n - len(parts[0]), n)]
        return list(np.array_split(np.arange(n), len(parts)))

    def _others(self, n: int, aside: NDArray[np.int64]) -> NDArray[np.int64]:
        near = np.zeros(n, dtype=bool)
        for stretch in np.split(aside, np.flatnonzero(np.diff(aside) > 1) + 1):
            near[max(0, stretch[0] - self.purge + 1) : stretch[-1] + self.purge] = True
        return np.flatnonzero(~near)

    def fit(self, X: Any, y: None = None) -> Self:
        """The same, and the calibration scores in the order of time."""
        super().fit(X)
        known = -self.training_scores_
        self.in_time: Array = known[~np.isnan(known)]
        return self


def _windows(values: Array, w: int) -> Array:
    """(n, c) -> a view (n - w + 1, w, c)."""
    view: Array = sliding_window_view(values, w, axis=0).transpose(0, 2, 1)
    return view


def _among_recent(before: list[float], scores: list[float], most: int, wait: int) -> Iterator[float]:
    """(1 + #{recent >= s}) / (1 + #recent) for each score, which is one of the recent `wait` scores later."""
    line, ordered, waiting = deque(before), sorted(before), deque[float]()
    for score in scores:
        yield (1 + len(ordered) - bisect_left(ordered, score)) / (1 + len(ordered))
        waiting.append(score)
        if len(waiting) > wait:
            line.append(waiting.popleft())
            insort(ordered, line[-1])
        if len(line) > most:
            del ordered[bisect_left(ordered, line.popleft())]


def _runs(numbers: NDArray[np.int64], gap: int) -> Iterator[tuple[int, int]]:
    """First and last of each run of ascending numbers with no larger step than `gap`."""
    if len(numbers):
        for run in np.split(numbers, np.flatnonzero(np.diff(numbers) > gap) + 1):
            yield int(run[0]), int(run[-1])
