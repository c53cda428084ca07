"""One nested fit beside an autoencoder trained for every size of the code: held-out errors and cost.

`component_curve` was settled on digits, letter and wine_white; fault, satellite and pendigits were looked at
once, at the end. Both learn from the same four fifths of the rows and are judged on the other fifth, by the
squared error of a row in the units the model sees. Every separate autoencoder is the default one, stopped by
held-out rows of its own. Time is CPU time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

from datasets import FOLDER
from isthmus import Autoencoder, Trainer, component_curve
from measuring import arguments, say, table, verdict

ADBENCH = FOLDER / "anomaly" / "adbench"
TABLES = FOLDER / "tables" / "uci_imputation"
ROWS = 4_000


def adbench(name: str) -> Callable[[], Any]:
    """A table of numbers from ADBench."""
    return lambda: np.load(ADBENCH / f"{name}.npz")["X"].astype(float)


def uci(name: str, columns: int | None = None) -> Callable[[], Any]:
    """A table of numbers of the UCI repository."""
    return lambda: pd.read_csv(TABLES / f"{name}.csv").iloc[:, :columns].to_numpy(float)


DATA: dict[str, tuple[Callable[[], Any], int, str]] = {
    "digits": (lambda: load_digits().data.astype(float), 12, "chosen on"),
    "letter": (uci("letter", 16), 8, "chosen on"),
    "wine_white": (uci("wine_white"), 6, "chosen on"),
    "fault": (adbench("12_fault"), 8, "confirmed on"),
    "satellite": (adbench("30_satellite"), 8, "confirmed on"),
    "pendigits": (adbench("28_pendigits"), 8, "confirmed on"),
}


def parted(X: Any, small: bool) -> tuple[Any, Any]:
    """Training rows and others, shuffled."""
    X = X[np.random.default_rng(0).permutation(len(X))][: 300 if small else ROWS]
    return X[: len(X) * 4 // 5], X[len(X) * 4 // 5 :]


def alone(k: int, train: Any, test: Any, trainer: Trainer) -> tuple[float, float]:
    """Held-out error of an autoencoder trained for k numbers, and its CPU seconds."""
    start = time.process_time()
    model = Autoencoder(k, trainer=trainer, random_state=0).fit(train)
    seconds = time.process_time() - start
    x = model.schema_.encode(test).x
    return float(np.square(x - model.reconstruct_encoded(test)).sum(1).mean()), seconds


def main() -> None:
    """A table by data set, and one line each on the bars."""
    small, shares, worst, lines = arguments(__doc__).small, {}, {}, []
    trainer = Trainer(2 if small else None, progress=False)
    for name, (load, most, role) in DATA.items():
        try:
            train, test = parted(load(), small)
        except FileNotFoundError:
            print(f"{name} was not found: set ISTHMUS_DATA.\n")
            continue
        start = time.process_time()
        curve = component_curve(train, test, most=most, model=Autoencoder(trainer=trainer))
        seconds = time.process_time() - start
        fits = [alone(k, train, test, trainer) for k in range(1, most + 1)]
        apart = [curve.error[k] / error - 1 for k, (error, _) in enumerate(fits)]
        shares[name] = seconds / sum(cost for _, cost in fits)
        worst[name] = max(apart, key=abs)
        above = max(apart)
        say(f"{name}: {worst[name]:+.1%}, {shares[name]:.2f}")
        within = sum(abs(gap) <= 0.05 for gap in apart)
        lines.append(
            (f"{name} ({role})", most, f"{seconds:.1f} s", f"{shares[name]:.2f}", f"{within} of {most}",
             f"{above:+.1%}", f"{min(apart):+.1%}", " ".join(f"{gap:+.0%}" for gap in apart), curve.suggested)
        )  # fmt: skip
    header = ["data", "sizes", "cost", "share of separate fits", "within 5%", "most above", "most below"]
    table([*header, "curve over separate fit - 1, by k", "suggested"], lines)
    if worst:
        print(
            "- share of the time of separate fits, at most:",
            verdict(max(shares.values()), 0.25, at_most=True),
        )
        apart = max(abs(gap) for gap in worst.values())
        print("- farthest from a separate fit, either way:", verdict(apart, 0.05, at_most=True))


if __name__ == "__main__":
    main()
