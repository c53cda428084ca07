"""Anomalies in time: `SeriesDetector` beside a moving average, neighbours of windows, and a random score.

One default setting throughout (windows of 16 steps, NearFar), chosen on every second file of NAB and every
fourth channel of SMAP/MSL (half A); B is the rest. No contender looks ahead.

NAB: each learns from the first 15% of a file. A run of high scores is one alarm, so for all contenders only a
score above those of the 300 rows before it counts; and files are made comparable by dividing what a score has
above the median of the 2,000 before it by their spread. SMAP/MSL: each learns from the training part of a
channel and scores the rows of its test part; area under the ROC curve, average precision, and the
"point-adjusted" F1 of much of the literature with its best threshold, which counts all of a labelled range as
found when one row of it is: a random score does well on it. ECG: MIT-BIH record 100, the first five minutes
train; beats of the rest, the premature ones (atrial or ventricular) to be found, scored by the largest score
from a third of a second before to half a second after.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score
from sklearn.neighbors import NearestNeighbors

import nab
from datasets import FOLDER
from isthmus import NearFar, SeriesDetector
from measuring import arguments, say, table

QUIET, RECENT = 300, 2000
Scores = Callable[[Any, Any, int], Any]  # training steps, all steps (n, channels), window -> scores (n,)
PUBLISHED = "Numenta HTM 70, KNN-CAD 58, random cut forest 52, windowed Gaussian 40, random 11"


# ---------------------------------------------------------------- who takes part


def ours(train: Any, steps: Any, window: int) -> Any:
    """The default detector."""
    detector = SeriesDetector(window=window, anomaly_score=NearFar(), random_state=0).fit(train)
    return _filled(-detector.score_samples(steps))


def neighbours(train: Any, steps: Any, window: int) -> Any:
    """Distance to the 5th nearest training window, standardised; of 10,000 training windows at most."""
    low, spread = np.nanmean(train, 0), np.nanstd(train, 0)
    a, b = (_windows((part - low) / np.where(spread > 0, spread, 1), window) for part in (train, steps))
    a = a[:: -(-len(a) // 10_000)]
    index = NearestNeighbors(n_neighbors=5).fit(a)
    found = np.concatenate([index.kneighbors(b[i : i + 4096])[0][:, -1] for i in range(0, len(b), 4096)])
    return _filled(np.concatenate([np.full(len(steps) - len(found), np.nan), found]))


def moving_average(_train: Any, steps: Any, _window: int) -> Any:
    """The largest distance of a channel from the mean of the 50 steps before, in standard deviations."""
    frame = pd.DataFrame(steps)
    before = frame.shift(1).rolling(50, min_periods=5)
    mean, spread = before.mean(), before.std()
    far = (frame - mean).abs() / (spread + 0.01 * mean.abs() + 1e-9)
    return np.minimum(np.nan_to_num(far.to_numpy().max(1)), 50.0)


def at_random(_train: Any, steps: Any, _window: int) -> Any:
    """Uniform noise."""
    return np.random.default_rng(0).random(len(steps))


CONTENDERS: dict[str, Scores] = {
    "isthmus": ours,
    "neighbours of windows": neighbours,
    "moving average": moving_average,
    "random": at_random,
}


def _windows(values: Any, window: int) -> Any:
    return sliding_window_view(values, window, axis=0).reshape(len(values) - window + 1, -1)


def _filled(scores: Any) -> Any:
    """The first steps, which have no window yet, as ordinary ones."""
    return np.where(np.isnan(scores), np.nanmedian(scores), scores)


# ---------------------------------------------------------------- the three corpora


def of_nab(small: bool) -> None:
    """NAB's score."""
    print("### NAB, standard profile\n")
    files = list(nab.series(FOLDER / "timeseries" / "nab.zip"))
    files = files[20:26] if small else files
    lines = []
    for name, scores in CONTENDERS.items():
        found = []
        for one in files:
            values = one.values[:, None]
            raw = scores(values[: one.learning], values, 16)
            found.append((one, nab.onsets(raw if name == "random" else _beside_recent(raw), QUIET)))
        lines.append([name, *(f"{nab.score(part):.1f}" for part in (found[::2], found[1::2], found))])
        say(str(lines[-1]))
    table(["", "half A", "half B", "all 58 files"], lines)
    print(f"\nPublished, all files (the corpus's own scoreboard): {PUBLISHED}.\n", flush=True)


def _beside_recent(scores: Any) -> Any:
    before = pd.Series(scores).shift(1).rolling(RECENT, min_periods=50)
    middle = before.median()
    return np.nan_to_num((scores - middle) / (before.quantile(0.9) - middle + 0.1)).clip(-5, 1000)


def of_telemetry(small: bool) -> None:
    """SMAP and MSL, all channels of a file together."""
    print("### SMAP/MSL telemetry\n")
    arrays = np.load(FOLDER / "timeseries" / "telemanom_smap_msl.npz")
    labels = pd.read_csv(FOLDER / "timeseries" / "telemanom_labels.csv").drop_duplicates("chan_id")
    rows = list(labels.itertuples())[: 8 if small else None]
    lines = []
    for name, scores in CONTENDERS.items():
        found = []
        for row in rows:
            train, test = arrays[f"{row.chan_id}_train"], arrays[f"{row.chan_id}_test"]
            y = np.zeros(len(test), bool)
            for first, last in ast.literal_eval(row.anomaly_sequences):
                y[first : last + 1] = True
            s = scores(train, test, 16)
            found.append((roc_auc_score(y, s), average_precision_score(y, s), _adjusted_f1(y, s)))
        a, b = np.mean(found[::4], 0), np.mean([f for i, f in enumerate(found) if i % 4], 0)
        lines.append([name, *(f"{a[k]:.3f} / {b[k]:.3f}" for k in range(3))])
        say(str(lines[-1]))
    header = ["", "AUROC, half A / B", "average precision, A / B", "point-adjusted F1, A / B"]
    table(header, lines)
    print(flush=True)


def _adjusted_f1(y: Any, scores: Any) -> float:
    """The best F1 when every row of a labelled range gets the highest score in it."""
    adjusted = scores.copy()
    edges = np.flatnonzero(np.diff(np.r_[0, y.astype(int), 0]))
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        adjusted[first:end] = scores[first:end].max()
    precision, recall, _ = precision_recall_curve(y, adjusted)
    return float(np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12)))


def of_heart(small: bool) -> None:
    """Premature beats of one record."""
    print("### ECG, MIT-BIH record 100\n")
    with np.load(FOLDER / "timeseries" / "mitbih_record100.npz") as file:
        signal, samples, symbols = file["signal"], file["ann_sample"], file["ann_symbol"]
    steps = ((signal - 1024.0) / 200.0)[: 120_000 if small else None : 3]  # 360 Hz -> 120 Hz
    rate, train = 120, (60 if small else 300) * 120
    beats = [(int(at) // 3, name) for at, name in zip(samples, symbols, strict=True) if name in "NAV"]
    beats = [(at, name) for at, name in beats if train + rate < at < len(steps) - rate]
    y = np.array([name != "N" for _, name in beats])
    lines = []
    for name, scores in CONTENDERS.items():
        s = scores(steps[:train], steps, 96)
        each = [float(s[at - rate // 3 : at + rate // 2].max()) for at, _ in beats]
        lines.append([name, f"{roc_auc_score(y, each):.3f}", f"{average_precision_score(y, each):.3f}"])
        say(str(lines[-1]))
    print(f"{len(beats):,} beats, {int(y.sum())} of them premature; windows of 0.8 seconds.\n")
    table(["", "AUROC", "average precision"], lines)
    print(flush=True)


def main() -> None:
    """Three tables."""
    small = arguments(__doc__).small
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    if not Path(FOLDER / "timeseries").is_dir():
        print("The series were not found: set ISTHMUS_DATA.")
        return
    parts: Sequence[Callable[[bool], None]] = (of_nab, of_telemetry, of_heart)
    for part in parts:
        part(small)


if __name__ == "__main__":
    main()
