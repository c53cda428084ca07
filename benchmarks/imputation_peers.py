"""The tools people reach for to fill gaps, and what each makes of a table.

Peers see categories as one-hot columns, all standardised, and answer with the largest. missForest is
scikit-learn's IterativeImputer over 100 ExtraTrees, 10 rounds. CPU seconds on one thread.

What a peer makes of a table does not change when isthmus does, and missForest takes half an hour. So where
ISTHMUS_KEPT names a file, what is in it is read and what is not is added to it: a run that was broken off
goes on where it was. The benchmark says how many figures it has read.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 (makes the next line possible)
from sklearn.impute import IterativeImputer, KNNImputer

from imputation_tables import Array, judged
from isthmus.gaussian import Gaussian
from measuring import say

Fill = Callable[[Array, int], Array]  # standardised numbers with NaN, seed -> the same filled


def soft_impute(Z: Array, seed: int) -> Array:
    """Singular values shrunk by a threshold, over and over; the threshold by a tenth of the cells."""
    known = ~np.isnan(Z)
    probe = known & (np.random.default_rng(seed).random(Z.shape) < 0.1)
    top = np.linalg.svd(np.nan_to_num(Z), compute_uv=False)[0]
    best, start = (np.inf, top), np.zeros_like(Z)
    for threshold in top * np.geomspace(0.8, 0.01, 12):
        start = _soft(Z, known & ~probe, threshold, start)
        wrong = float(np.square((start - Z)[probe]).mean()) if probe.any() else 0.0
        best = min(best, (wrong, threshold))
    return np.where(known, Z, _soft(Z, known, best[1], np.zeros_like(Z), 300))


def _soft(Z: Array, known: Array, threshold: float, start: Array, rounds: int = 100) -> Array:
    X = start
    for _ in range(rounds):
        U, s, V = np.linalg.svd(np.where(known, Z, X), full_matrices=False)
        new = (U * np.maximum(s - threshold, 0)) @ V
        change = np.square(new - X).sum() / max(1e-12, np.square(X).sum())
        X = new
        if change < 1e-5:
            break
    return X


def em(Z: Array, _seed: int) -> Array:
    """The Gaussian conditional mean."""
    seen = ~np.isnan(Z)
    return Gaussian.of(np.nan_to_num(Z), seen, rows=len(Z)).conditional(np.nan_to_num(Z), seen)[0]


def ridge(Z: Array, seed: int) -> Array:
    """scikit-learn's IterativeImputer as it comes."""
    return IterativeImputer(random_state=seed).fit_transform(Z)


def forest(Z: Array, seed: int) -> Array:
    """As missForest does."""
    trees = ExtraTreesRegressor(100, random_state=seed, n_jobs=1)
    return IterativeImputer(trees, max_iter=10, random_state=seed).fit_transform(Z)


def copula(Z: Array, seed: int) -> Array:
    """A Gaussian copula, gcimpute's, which calls numpy's `round_` of before 2.0."""
    from gcimpute.gaussian_copula import GaussianCopula

    if not hasattr(np, "round_"):
        np.round_ = np.round  # noqa: NPY003, NPY201
    return GaussianCopula(random_state=seed, verbose=0).fit_transform(Z)


PEERS: dict[str, Fill] = {
    "mean": lambda Z, _: np.nan_to_num(Z),
    "kNN": lambda Z, _: KNNImputer(n_neighbors=10).fit_transform(Z),
    "EM": em,
    "soft-impute": soft_impute,
    "BayesianRidge": ridge,
    "missForest": forest,
    "gcimpute": copula,
}


class Numbers:
    """A table as standardised numbers, one-hot where it has levels, and back."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame, parts, self.groups = frame, [], []
        for name in frame:
            column = frame[name]
            if column.dtype.kind == "f":
                part = column.to_numpy()[:, None]
                self.levels = None
            else:
                levels = sorted(column.dropna().unique())
                part = np.array(
                    [[np.nan] * len(levels) if pd.isna(v) else [v == one for one in levels] for v in column]
                )
                part = part.astype(float).reshape(len(frame), -1)
                self.levels = levels
            self.groups.append((name, self.levels, part.shape[1]))
            parts.append(part)
        X = np.concatenate(parts, axis=1)
        self.mean, spread = np.nanmean(X, 0), np.nanstd(X, 0)
        self.spread = np.where(spread > 0, spread, 1.0)
        self.Z = (X - self.mean) / self.spread

    def back(self, Z: Array) -> pd.DataFrame:
        """The table with every cell that was missing filled from Z."""
        X, made, start = Z * self.spread + self.mean, {}, 0
        for name, levels, width in self.groups:
            part = X[:, start : start + width]
            values = part[:, 0] if levels is None else np.array(levels, object)[part.argmax(1)]
            made[name] = self.frame[name].where(self.frame[name].notna(), values)
            start += width
        return pd.DataFrame(made)


def have_gcimpute() -> bool:
    """Whether gcimpute can be imported, here or from ISTHMUS_PEERS."""
    sys.path.append(os.environ.get("ISTHMUS_PEERS", ""))
    try:
        import gcimpute.gaussian_copula  # noqa: F401
    except ImportError:
        say("gcimpute: not installed")
        return False
    return True


Found = tuple[float, float, dict[str, float], float]  # error, accuracy, by column, seconds


class Kept:
    """Figures by table, mechanism and peer; those a file of an earlier run has are not made again."""

    def __init__(self) -> None:
        name = os.environ.get("ISTHMUS_KEPT")
        self.path = Path(name) if name else None
        lines = self.path.read_text().splitlines() if self.path is not None and self.path.exists() else []
        records = map(json.loads, lines)
        self.known = {(r["table"], r["mechanism"], r["peer"]): r for r in records}
        self.read = self.made = 0

    def figures(
        self, key: tuple[str, str, str], fill: Fill, full: Any, shown: Any, mask: Array
    ) -> Found | None:
        """What a peer makes of a table; None where it gives up."""
        record = self.known.get(key)
        if record is None:
            self.made += 1
            record = dict(zip(("table", "mechanism", "peer"), key, strict=True)) | _made(
                fill, full, shown, mask
            )
            if self.path is not None:
                with self.path.open("a") as file:
                    file.write(json.dumps(record) + "\n")
        else:
            self.read += 1
        if "failed" in record:
            say(f"{', '.join(key)}: {record['failed']}")
            return None
        return record["error"], record["accuracy"], record["columns"], record["seconds"]


def _made(fill: Fill, full: pd.DataFrame, shown: pd.DataFrame, mask: Array) -> dict[str, Any]:
    numbers = Numbers(shown)
    start = time.process_time()
    try:
        with contextlib.redirect_stdout(sys.stderr):  # some talk
            filled = numbers.back(fill(numbers.Z.copy(), 0))
    except Exception as error:  # a peer that gives up is left out of this contest and said so
        return {"failed": str(error)[:100]}
    seconds = time.process_time() - start
    error, accuracy, columns = judged(full, filled, mask)
    return {"error": error, "accuracy": accuracy, "columns": columns, "seconds": seconds}
