"""Imputation beside the tools people reach for: cells are hidden, filled by each, and compared.

Tables, mechanisms and measures: imputation_tables.py; peers: imputation_peers.py. Defaults were chosen on
airfoil, penguins, wine_white, obesity and breast under MCAR; all other tables only confirm. One thing was
changed after a look at all tables under MCAR: those of ten columns and more are trained longer.

Error: root mean square over hidden numbers in standard deviations of the column. Accuracy: share of hidden
yes/no and levels that are found. Nothing is rounded (`Imputer(rounded=False)`), because the peers do not. All
on one thread, CPU seconds.
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import rankdata

from imputation_peers import PEERS, Fill, Kept, have_gcimpute
from imputation_tables import MECHANISMS, SHARE, Array, hidden, judged, tables
from isthmus import Imputer
from isthmus.gaussian import Gaussian
from measuring import arguments, say, table, verdict

OURS = "isthmus"
CHOSEN_ON = ("airfoil", "penguins", "wine_white", "obesity", "breast")
FEWEST = 25  # hidden cells of a column that is compared with the mean
SEVERAL = 3  # times as fast

# ---------------------------------------------------------------- one table, one mechanism


def contest(
    name: str, full: pd.DataFrame, mechanism: str, peers: dict[str, Fill], kept: Kept
) -> dict[str, Any]:
    """Every method on one table: (error, accuracy, by column, seconds), and our coverage."""
    mask = hidden(full, mechanism, seed=sum(map(ord, name)))
    shown = full.mask(pd.DataFrame(mask, columns=full.columns))
    found: dict[str, Any] = {}
    for peer, fill in peers.items():
        figures = kept.figures((name, mechanism, peer), fill, full, shown, mask)
        if figures is not None:
            found[peer] = figures
    start = time.process_time()
    imputer = Imputer(rounded=False, random_state=0).fit(shown)
    filled = imputer.transform(shown)
    found[OURS] = (*judged(full, filled, mask), time.process_time() - start)
    found["coverage"] = (covered(imputer, full, shown), imputer.coverage_)
    worst = [
        (ours / max(1e-9, found["mean"][2][column]), column)
        for column, ours in found[OURS][2].items()
        if (mask[:, full.columns.get_loc(column)] & full[column].notna()).sum() >= FEWEST and ours > 0
    ]
    found["worst"] = max(worst, default=(float("nan"), ""))
    say(
        f"{name}, {mechanism}: "
        + ", ".join(f"{k} {v[0]:.3f}/{v[1]:.3f}/{v[3]:.1f}s" for k, v in found.items() if len(v) == 4)
    )
    return found


def covered(imputer: Imputer, full: pd.DataFrame, shown: pd.DataFrame) -> float:
    """Share of hidden numbers inside their intervals at 90%."""
    lines = imputer.intervals(shown, alpha=0.1).dropna(subset=["lower"])
    places = [full.columns.get_loc(name) for name in lines["column"]]
    truth = full.to_numpy(object)[lines["row"], places].astype(float)
    known = ~np.isnan(truth)
    low, high = lines["lower"].to_numpy(float), lines["upper"].to_numpy(float)
    return float(np.mean(((truth >= low) & (truth <= high))[known]))


# ---------------------------------------------------------------- independent columns


def harmless(seeds: range) -> None:
    """Tables with nothing to learn: the error on fresh rows over that of the training mean."""
    print("### Nothing to learn: error on fresh rows over the mean's, worst column of all seeds\n")
    makers = {
        "normal": lambda rng, n: rng.normal(size=(n, 8)),
        "uniform": lambda rng, n: rng.random((n, 8)),
        "lognormal": lambda rng, n: rng.lognormal(size=(n, 8)),
        "one informative pair": lambda rng, n: _pair(rng, n),
    }
    lines = []
    for name, make in makers.items():
        for n in (100, 500):
            worst, overall = [], []
            for seed in seeds:
                rng = np.random.default_rng(seed)
                train, fresh = make(rng, n), make(rng, 4_000)
                train[rng.random(train.shape) < SHARE] = np.nan
                mask = rng.random(fresh.shape) < SHARE
                filled = (
                    Imputer(rounded=False, random_state=seed)
                    .fit(train)
                    .transform(np.where(mask, np.nan, fresh))
                )
                wrong, base = (
                    np.where(mask, np.square(some - fresh), 0).sum(0)
                    for some in (filled, np.nanmean(train, 0))
                )
                worst.append(float(np.sqrt(wrong / base).max()))
                overall.append(float(np.sqrt((wrong / base).mean())))
            lines.append((name, f"{n:,}", f"{np.mean(overall):.3f}", f"{max(worst):.3f}"))
        say(f"nothing to learn, {name}")
    table(["columns", "rows", "mean", "worst"], lines)


def _pair(rng: Any, n: int) -> Array:
    X = rng.normal(size=(n, 8))
    X[:, 1] = X[:, 0] + 0.3 * rng.normal(size=n)
    return X


def oracle(seeds: range) -> None:
    """Law 11: Gaussian rows, ten columns, 30% MCAR, beside the exact conditional mean."""
    print("### Gaussian, 10 columns, 30% MCAR: error over that of the exact conditional mean\n")
    lines = []
    for n in (1_000, 3_000):
        ratios = []
        for seed in seeds:
            rng = np.random.default_rng(seed)
            A = rng.normal(size=(10, 10)) / np.sqrt(10)
            S = A @ A.T + 0.1 * np.eye(10)
            X = rng.multivariate_normal(np.zeros(10), S, n)
            mask = rng.random(X.shape) < SHARE
            exact = Gaussian(np.zeros(10), S).conditional(X, ~mask)[0]
            filled = Imputer(rounded=False, random_state=seed).fit_transform(np.where(mask, np.nan, X))
            wrong = [np.sqrt(np.square((some - X)[mask]).mean()) for some in (filled, exact)]
            ratios.append(wrong[0] / wrong[1])
        lines.append((f"{n:,}", f"{np.mean(ratios):.4f}", f"{max(ratios):.4f}"))
        say(f"oracle, {n}")
    table(["rows", "mean", "largest"], lines)


# ---------------------------------------------------------------- all


def line(key: tuple[str, str], found: dict[str, Any], names: list[str]) -> str:
    """One row of the large table."""
    star = "*" if key[0] in CHOSEN_ON else ""
    cells = [_figures(found[m][0], found[m][1]) if m in found else "-" for m in names]
    seconds = [f"{found[m][3]:.1f}" if m in found else "-" for m in (OURS, "missForest")]
    worst, column = found["worst"]
    sure = [f"{found['coverage'][0]:.3f}", f"{worst:.3f} ({column})"]
    return "| " + " | ".join([f"{key[0]}{star}, {key[1]}", *cells, *seconds, *sure]) + " |"


def _figures(error: float, accuracy: float) -> str:
    parts = ["" if np.isnan(error) else f"{error:.3f}", "" if np.isnan(accuracy) else f"({accuracy:.3f})"]
    return " ".join(part for part in parts if part)


def contests(small: bool, peers: dict[str, Fill], names: list[str]) -> dict[tuple[str, str], dict[str, Any]]:
    """Every table under every mechanism, printed as they are done."""
    print("### Error of hidden numbers in standard deviations (accuracy of hidden yes/no and levels)\n")
    print("Tables marked * are those the defaults were chosen on.\n")
    last = ("CPU s: isthmus", "missForest", "in 90% intervals", "worst column: error over the mean's")
    print("| " + " | ".join(["", *names, *last]) + " |\n" + "|---" * (len(names) + 5) + "|")
    results, kept = {}, Kept()
    for name, frame in tables(small).items():
        for mechanism in MECHANISMS:
            results[name, mechanism] = contest(name, frame, mechanism, peers, kept)
            print(line((name, mechanism), results[name, mechanism], names), flush=True)
    print()
    if kept.read:
        total = kept.read + kept.made
        print(f"Of {total} figures of peers {kept.read} were read from an earlier run on this machine.\n")
    return results


def summary(results: dict[tuple[str, str], dict[str, Any]], names: list[str]) -> None:
    """Mean rank, cells won, seconds, coverage."""
    print("### Summary: every table and mechanism, errors and accuracies, is one contest\n")
    lines = []
    parts = {
        "chosen on (*)": [key for key in results if key[0] in CHOSEN_ON],
        "confirmed on": [key for key in results if key[0] not in CHOSEN_ON],
        **{how: [key for key in results if key[1] == how] for how in MECHANISMS},
        "all": list(results),
    }
    for title, keys in parts.items():
        cells = [
            {m: sign * found[m][which] for m in names if m in found}
            for found in map(results.__getitem__, keys)
            for which, sign in ((0, 1), (1, -1))
            if not np.isnan(found[OURS][which])
        ]
        if not cells:
            continue
        ranks: dict[str, list[float]] = {m: [] for m in names}
        for cell in cells:
            for m, rank in zip(cell, rankdata(list(cell.values())), strict=True):
                ranks[m].append(float(rank))
        won = {m: [cell[OURS] < cell[m] for cell in cells if m in cell] for m in names}
        shown = (f"{np.mean(ranks[m]):.2f}" if ranks[m] else "-" for m in names)
        means = {m: float(np.mean(ranks[m])) for m in names if ranks[m]}
        lines.append((f"mean rank, {title} ({len(cells)})", *shown))
        beaten = ("" if m == OURS else f"{np.mean(won[m]):.0%}" if won[m] else "-" for m in names)
        lines.append((f"contests isthmus wins, {title}", *beaten))
    seconds = {m: sum(found[m][3] for found in results.values() if m in found) for m in names}
    lines.append(("CPU seconds, all", *(f"{seconds[m]:,.0f}" for m in names)))
    table(["", *names], lines)
    print(f"- mean rank, all: {'met' if min(means, key=means.get) == OURS else 'MISSED'} (bar: the best)")  # type: ignore[arg-type]
    for m in ("kNN", "EM", "BayesianRidge"):
        print(f"- contests won against {m}: {verdict(float(np.mean(won[m])), 0.8)}")
    bars(results)


def bars(results: dict[tuple[str, str], dict[str, Any]]) -> None:
    """Speed beside missForest, and coverage."""
    faster = {key: f["missForest"][3] / f[OURS][3] for key, f in results.items() if "missForest" in f}
    if faster:
        slowest, ratios = min(faster, key=faster.__getitem__), list(faster.values())
        few = sum(ratio < SEVERAL for ratio in ratios)
        theirs, ours = (sum(results[key][m][3] for key in faster) for m in ("missForest", OURS))
        print("- missForest's seconds over isthmus's, in all:", verdict(theirs / ours, SEVERAL))
        print(
            f"- table by table: median {np.median(ratios):.1f}, from {min(ratios):.1f} "
            f"({', '.join(slowest)}) to {max(ratios):.1f}; under {SEVERAL} in {few} of {len(ratios)}:",
            verdict(min(ratios), SEVERAL),
        )
    for which, what in ((1, "cells of other rows hidden again, which users are told"), (0, "hidden numbers")):
        held({key: found["coverage"][which] for key, found in results.items()}, what)
    print()


def held(shares: dict[tuple[str, str], float], what: str) -> None:
    """Coverage of intervals by table and mechanism, against the bar."""
    shares = {key: share for key, share in shares.items() if not np.isnan(share)}
    if not shares:
        return
    outside = {key: share for key, share in shares.items() if not 0.86 <= share <= 0.94}
    low, high = min(shares.values()), max(shares.values())
    met = "MISSED" if outside else "met"
    print(f"- intervals at 90% held between {low:.3f} and {high:.3f} of {what} (bar 86-94%): {met}")
    for how in MECHANISMS:
        missed = [f"{name} {share:.3f}" for (name, other), share in outside.items() if other == how]
        count = sum(other == how for _, other in shares)
        print(f"  {how}: {count - len(missed)} of {count}; outside: {', '.join(missed) or 'none'}")


def main() -> None:
    """All tables."""
    small = arguments(__doc__).small
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    peers = {name: fill for name, fill in PEERS.items() if name != "gcimpute" or have_gcimpute()}
    names = [OURS, *peers]
    oracle(range(1 if small else 2))
    summary(contests(small, peers, names), names)
    harmless(range(1 if small else 3))


if __name__ == "__main__":
    main()
