"""Anomaly detection as a service: one row at a time, many rows, and the cost of explaining one.

Fitted on rows near a curved sheet of four dimensions; the default of each. One thread. One row: median of 200
calls with another row each. Many: rows per second of one call with 20,000 rows. Explaining: one flagged row,
all of its cells tried.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor

from anomaly import have_pyod
from isthmus import AnomalyDetector
from measuring import REPEATS, arguments, say, spread, table

CASES = ((2_000, 20), (12_000, 20), (2_000, 200))


def sheet(n: int, d: int, seed: int) -> Any:
    """(n, d) rows near a curved sheet of four dimensions."""
    inner = np.random.default_rng(seed).normal(size=(n, 4))
    mixing = np.random.default_rng(1).normal(size=(4, d))
    return np.tanh(inner @ mixing) + 0.1 * np.random.default_rng(seed + 1).normal(size=(n, d))


def ours(X: Any) -> Callable[[Any], Any]:
    """The default detector."""
    return AnomalyDetector(random_state=0).fit(X).score_samples


def pyod(X: Any) -> Callable[[Any], Any]:
    """PyOD's AutoEncoder as it comes."""
    from pyod.models.auto_encoder import AutoEncoder

    scores: Callable[[Any], Any] = AutoEncoder(random_state=0, verbose=0).fit(X).decision_function
    return scores


CONTENDERS: dict[str, Callable[[Any], Callable[[Any], Any]]] = {
    "isthmus": ours,
    "isolation forest": lambda X: IsolationForest(random_state=0).fit(X).score_samples,
    "local outlier factor": lambda X: LocalOutlierFactor(novelty=True).fit(X).score_samples,
    "PyOD AutoEncoder": pyod,
}


def one_row(scores: Callable[[Any], Any], X: Any, calls: int) -> float:
    """Median milliseconds of a call."""
    times = []
    for i in range(calls + 5):
        start = time.perf_counter()
        scores(X[i : i + 1])
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times[5:]))


def many(scores: Callable[[Any], Any], X: Any) -> float:
    """Rows per second."""
    start = time.perf_counter()
    scores(X)
    return len(X) / (time.perf_counter() - start)


def explaining(rows: int, columns: int) -> list[float]:
    """Milliseconds for one flagged row, several of them."""
    detector = AnomalyDetector(random_state=0).fit(sheet(rows, columns, 0))
    strange = sheet(50, columns, 5)
    strange[:, 0] *= -1
    flagged = strange[detector.predict(strange) < 0][:5]
    times = []
    for row in flagged:
        start = time.perf_counter()
        detector.repairs(row[None])
        times.append(1000 * (time.perf_counter() - start))
    return times


def main() -> None:
    """One table for each size."""
    small = arguments(__doc__).small
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    names = [name for name in CONTENDERS if have_pyod() or not name.startswith("PyOD")]
    for rows, columns in CASES[:1] if small else CASES:
        print(f"### Fitted on {rows:,} x {columns}\n")
        X, new = sheet(rows, columns, 0), sheet(1_000 if small else 20_000, columns, 3)
        lines = []
        for name in names:
            scores = CONTENDERS[name](X)
            turns = range(2 if small else REPEATS)
            single = [one_row(scores, new, 20 if small else 200) for _ in turns]
            lines.append([name, spread(single), spread([many(scores, new) for _ in turns], 0)])
            say(str(lines[-1]))
        table(["", "one row, ms", "rows per second"], lines)
        print(f"- repairs of one flagged row: {spread(explaining(rows, columns), 0)} ms\n", flush=True)


if __name__ == "__main__":
    main()
