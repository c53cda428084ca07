"""The audit's verdicts: on five shared data sets, and on every case whose right verdict is known.

Each data set is fitted as a user would first do it; what the audit says is printed, and its CPU time beside
the fit's. The bar is a fifth of the fit's time or 5 seconds, whichever is more. The constructed cases are
those of `tests/constructed.py`: memorisers, identity maps, linear data, noise, codes too small, dead units,
good fits.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datasets import FOLDER
from isthmus import Autoencoder, Trainer, audit
from measuring import arguments, say, table, verdict

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

TABLES = FOLDER / "tables"
QUIET = Trainer(progress=False)


def adult() -> Any:
    """15 mixed columns with gaps."""
    names = "age workclass fnlwgt education education-num marital-status occupation relationship race sex"
    names = [*names.split(), "capital-gain", "capital-loss", "hours-per-week", "native-country", "income"]
    return pd.read_csv(TABLES / "adult_train.csv", names=names, na_values=["?"], skipinitialspace=True)[
        :10_000
    ]


def beats() -> Any:
    """Two-second windows of an electrocardiogram, (n, 2, 256)."""
    signal = np.load(FOLDER / "timeseries" / "mitbih_record100.npz")["signal"][: 650_000 // 256 * 256]
    return (signal.reshape(-1, 256, 2).transpose(0, 2, 1).astype(np.float32) - 1024) / 200


DATA: dict[str, tuple[Callable[[], Any], int | str]] = {
    "penguins, 344 x 7": (lambda: pd.read_csv(TABLES / "penguins.csv"), 2),
    "adult, 10,000 x 15": (adult, 6),
    "satellite, 6,435 x 36": (
        lambda: np.load(FOLDER / "anomaly/adbench/30_satellite.npz")["X"].astype(float),
        6,
    ),
    "MNIST, 60,000 x 784": (lambda: np.load(FOLDER / "images/mnist.npz")["X_train"].reshape(-1, 784), 16),
    "ECG, 2,539 x 2 x 256": (beats, 16),
}


def shared(small: bool) -> None:
    """A line for every shared data set."""
    lines, over = [], []
    for name, (load, k) in DATA.items():
        try:
            X = load()
        except FileNotFoundError:
            print(f"{name} was not found: set ISTHMUS_DATA.\n")
            continue
        X = X[:300] if small else X
        epochs = 1 if small else 4 if "MNIST" in name else 20 if "ECG" in name else None
        start = time.process_time()
        model = Autoencoder(k, trainer=QUIET.with_params(max_epochs=epochs), random_state=0).fit(X)
        fitted = time.process_time()
        found = audit(model, X)
        done = time.process_time()
        fit, look = fitted - start, done - fitted
        over.append(look / max(0.2 * fit, 5.0))
        say(f"{name}: {found.kind}, fit {fit:.1f} s, audit {look:.1f} s")
        lines.append((name, f"{fit:.1f} s", f"{look:.1f} s", found.kind, found.verdict))
    table(["data", "fit", "audit", "kind", "verdict"], lines)
    if over:
        print("- the audit's time over its bar, at most:", verdict(max(over), 1.0, at_most=True), "\n")


def constructed() -> None:
    """A line for every case whose verdict is known."""
    from constructed import CASES

    lines, wrong = [], 0
    for case in CASES:
        train, test = case.rows()
        found = audit(case.model.fit(train), train, test)
        right = found.kind in case.right.split("|")
        wrong += not right
        kind = found.kind if right else f"**{found.kind}**"
        lines.append((case.name, case.right.replace("|", " or "), kind, found.verdict))
        say(f"{case.name}: {found.kind}")
    table(["constructed case", "right", "found", "verdict"], lines)
    print(f"- wrong of {len(CASES)}:", verdict(wrong, 0, at_most=True))


def main() -> None:
    """Both tables."""
    small = arguments(__doc__).small
    warnings.simplefilter("ignore")
    shared(small)
    constructed()


if __name__ == "__main__":
    main()
