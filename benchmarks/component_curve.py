"""One curve beside an autoencoder trained for every size of the code: held-out errors and cost.

`component_curve` was settled on digits, letter and wine_white; fault, satellite and pendigits were looked at
once, at the end, but for a tiny run with --small, where satellite's kinks showed that what stands between
trained sizes ought to follow PCA. Both learn from the same four fifths of the rows and are judged on the
other fifth, by the squared error of a row in the units the model sees. Every separate autoencoder is the
default one, stopped by held-out rows of its own. Time is CPU time; imports are counted to neither.

The bar is against the separate fits of the curve's own seed. Two separate fits of one size with other seeds
differ too, so they are repeated with three: `seeds` is how far, at most, another seed's is from that one, and
the bar is of use only where that is well below 5%. The mean over the seeds is compared with as well.
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
SEEDS = (0, 1, 2)  # the curve's own first


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


def alone(k: int, seed: int, train: Any, test: Any, trainer: Trainer) -> tuple[float, float]:
    """Held-out error of an autoencoder trained for k numbers, and its CPU seconds."""
    start = time.process_time()
    model = Autoencoder(k, trainer=trainer, random_state=seed).fit(train)
    seconds = time.process_time() - start
    x = model.schema_.encode(test).x
    return float(np.square(x - model.reconstruct_encoded(test)).sum(1).mean()), seconds


def percent(values: Any, sign: str = "+") -> str:
    """One after the other, in whole percent."""
    return " ".join(f"{value:{sign}.0%}" for value in values)


def main() -> None:
    """A table by data set, and one line each on the bars."""
    small, shares, worst, lines = arguments(__doc__).small, {}, {}, []
    near: list[Any] = []
    trainer = Trainer(2 if small else None, progress=False)
    for columns in (8, 100):  # what small networks and large ones need is imported
        once = Trainer(1, progress=False)
        component_curve(np.eye(200, columns), most=2, model=Autoencoder(trainer=once))
    for name, (load, most, role) in DATA.items():
        try:
            train, test = parted(load(), small)
        except FileNotFoundError:
            print(f"{name} was not found: set ISTHMUS_DATA.\n")
            continue
        start = time.process_time()
        curve = component_curve(train, test, most=most, model=Autoencoder(trainer=trainer))
        seconds = time.process_time() - start
        every = [[alone(k, s, train, test, trainer) for k in range(1, most + 1)] for s in SEEDS]
        errors, costs = np.moveaxis(np.array(every), 2, 0)
        apart = curve.error / errors[0] - 1
        from_mean = curve.error / errors.mean(0) - 1
        between = np.abs(errors / errors[0] - 1).max(0)
        shares[name] = seconds / costs.sum(1).mean()
        near.append((np.abs(apart) <= 0.05, between <= 0.05))
        worst[name] = np.abs(apart).max(), np.abs(from_mean).max(), between.max()
        say(f"{name}: {worst[name][0]:.1%}, {shares[name]:.2f}")
        lines.append(
            (f"{name} ({role})", len(curve.trained), most, f"{seconds:.1f} s", f"{shares[name]:.2f}",
             f"{(np.abs(apart) <= 0.05).sum()} of {most}", percent(apart), percent(from_mean),
             percent(between, ""), curve.suggested)
        )  # fmt: skip
    header = ["data", "sizes trained", "of", "cost", "share of separate fits", "within 5%"]
    header += ["curve over separate fit - 1, by k", "over their mean of three seeds", "seeds", "suggested"]
    table(header, lines)
    if worst:
        at_most = max(shares.values())
        print("- share of the time of separate fits, at most:", verdict(at_most, 0.25, at_most=True))
        apart, from_mean, between = (max(kind) for kind in zip(*worst.values(), strict=True))
        print("- farthest from a separate fit, either way:", verdict(apart, 0.05, at_most=True))
        curves, seeds = (np.concatenate(kind) for kind in zip(*near, strict=True))
        print(f"- within 5% of a separate fit: the curve at {curves.sum()} of {curves.size} sizes,")
        both = (curves & seeds).sum()
        print(f"  separate fits of two other seeds at {seeds.sum()}, and at {both} of those the curve")
        print(f"- farthest from the mean of three separate fits: {from_mean:.1%}")
        print(f"- farthest a separate fit of another seed is from that of the curve's seed: {between:.1%}")


if __name__ == "__main__":
    main()
