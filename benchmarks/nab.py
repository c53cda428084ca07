"""The Numenta Anomaly Benchmark: its files, and its score with the standard profile.

A detection inside a labelled window earns up to 1, the earlier the more; only the best in a window counts.
One outside costs up to 0.11, less just after a window; a window without any costs 1. The threshold is the one
that is best for the whole corpus. 0 is silence, 100 is perfect. The first 15% of a file (of 5,000 rows at
most) are for learning and are not scored. Rules: Lavin & Ahmad (2015), Evaluating real-time anomaly detection
algorithms.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

__all__ = ["Series", "onsets", "score", "series"]

FALSE_ALARM = 0.11


class Series(NamedTuple):
    """One file: values (n,), first and last row of each labelled window, rows to learn from."""

    name: str
    values: Any
    windows: list[tuple[int, int]]
    learning: int


def series(path: Path) -> Iterator[Series]:
    """All files of the corpus in `path`, nab.zip, by name."""
    with zipfile.ZipFile(path) as archive:
        labels = json.loads(archive.read("labels/combined_windows.json"))
        for name in sorted(labels):
            frame = pd.read_csv(io.BytesIO(archive.read(f"data/{name}")), parse_dates=["timestamp"])
            times = frame["timestamp"].to_numpy()
            windows = []
            for start, end in labels[name]:
                first, last = (np.datetime64(pd.Timestamp(moment)) for moment in (start, end))
                inside = np.flatnonzero((times >= first) & (times <= last))
                windows.append((int(inside[0]), int(inside[-1])))
            learning = int(0.15 * min(len(frame), 5000))
            yield Series(name, frame["value"].to_numpy(float), windows, learning)


def onsets(scores: Any, quiet: int) -> Any:
    """Scores (n,) where they exceed all of the `quiet` rows before, else -inf: one alarm, not a run."""
    before = pd.Series(scores).shift(1).rolling(quiet, min_periods=1).max().fillna(-np.inf).to_numpy()
    return np.where(scores > before, scores, -np.inf)


def score(found: Sequence[tuple[Series, Any]]) -> float:
    """The corpus's score with the best threshold, from (file, scores (n,)) of every file."""
    scores, gains, homes, windows = [], [], [], 0
    for one, raw in found:
        gain, home = _gains(len(raw), one.windows)
        scores.append(raw[one.learning :])
        gains.append(gain[one.learning :])
        homes.append(np.where(home < 0, -1, home + windows)[one.learning :])
        windows += len(one.windows)
    flat, gain, home = map(np.concatenate, (scores, gains, homes))
    order = np.argsort(-flat, kind="stable")
    flat, gain, home = flat[order], gain[order].tolist(), home[order].tolist()
    total = best = -float(windows)
    earned = [-1.0] * windows
    for i in range(int(np.isfinite(flat).sum())):
        if home[i] < 0:
            total += gain[i]
        elif gain[i] > earned[home[i]]:
            total += gain[i] - earned[home[i]]
            earned[home[i]] = gain[i]
        if i + 1 == len(flat) or flat[i + 1] < flat[i]:
            best = max(best, total)
    return 100 * (best + windows) / (2 * windows)


def _gains(n: int, windows: list[tuple[int, int]]) -> tuple[Any, Any]:
    """What a detection at each row earns, and the window it lies in, or -1: (n,), (n,)."""
    gain, home = np.full(n, -FALSE_ALARM), np.full(n, -1)
    for number, (first, last) in enumerate(windows):
        inside = np.arange(first, last + 1)
        home[inside] = number
        gain[inside] = _fade(-(last - inside + 1) / (last - first + 1)) / _fade(np.array(-1.0))
        end = windows[number + 1][0] if number + 1 < len(windows) else n
        after = np.arange(last + 1, end)
        gain[after] = FALSE_ALARM * _fade((after - last) / max(1, last - first))
    return gain, home


def _fade(place: Any) -> Any:
    """From 1 at the start of a window, over 0 at its end, to -1 after it."""
    return np.where(place > 3, -1.0, 2 / (1 + np.exp(5 * np.minimum(place, 3))) - 1)
