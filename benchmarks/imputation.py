"""Imputation beside the tools people reach for: cells are hidden, filled by each, and compared.

Tables: shared/data/tables and scikit-learn's own, at most 1,000 rows drawn at random (adult 600), because
missForest takes most of the time. Defaults were chosen on breast, wine_white, airfoil and obesity; all other
tables only confirm.

Hidden: MCAR, 30% of all cells at random. MAR, in seven columns of ten about 30%, with a probability that
depends on the other three. MNAR, about 30% of every column, the likelier the larger the value itself (of a
category, by a random weight of its level). titanic and horse_colic have gaps of their own besides.

Error: root mean square over hidden numbers in standard deviations of the column. Accuracy: share of hidden
yes/no and levels that are found. Peers see categories as one-hot columns, all standardised, and answer with
the largest. missForest is scikit-learn's IterativeImputer over 100 ExtraTrees, 10 rounds. Nothing is rounded
(`Imputer(rounded=False)`), because the peers do not. All on one thread, CPU seconds.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import rankdata
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 (makes the next line possible)
from sklearn.impute import IterativeImputer, KNNImputer

from datasets import FOLDER
from isthmus import Imputer
from isthmus.gaussian import Gaussian
from measuring import arguments, say, table

OURS = "isthmus"
CHOSEN_ON = ("breast", "wine_white", "airfoil", "obesity")
UCI = ("airfoil", "compression", "letter", "libras", "obesity", "parkinsons", "wine_white")
ORDER = (
    "iris",
    "wine",
    "airfoil",
    "diabetes",
    "compression",
    "penguins",
    "parkinsons",
    "wine_white",
    "obesity",
)
MECHANISMS = ("MCAR", "MAR", "MNAR")
SHARE = 0.3
ROWS = 1_000
FEWEST = 25  # hidden cells of a column that is compared with the mean

Array = Any


# ---------------------------------------------------------------- tables


def tables(small: bool) -> dict[str, pd.DataFrame]:
    """Every table by name; those of the shared folder only where there is one."""
    made = {"breast": load_breast_cancer, "diabetes": load_diabetes, "wine": load_wine, "iris": load_iris}
    found = {name: pd.DataFrame(load().data) for name, load in made.items()}
    folder = FOLDER / "tables"
    if folder.is_dir():
        found |= {name: pd.read_csv(folder / "uci_imputation" / f"{name}.csv") for name in UCI}
        found |= mixed(folder)
    else:
        print("The shared tables were not found: set ISTHMUS_DATA.\n")
    if small:
        found = {name: found[name][:150] for name in ("iris", "penguins") if name in found}
    order = sorted(found, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
    return {name: some(found[name]) for name in order}


def mixed(folder: Any) -> dict[str, pd.DataFrame]:
    """Tables with categories, dates and, two of them, gaps of their own."""
    adult = pd.read_csv(folder / "adult_train.csv", header=None, na_values=["?"], skipinitialspace=True)
    horse = pd.read_csv(folder / "horse_colic.csv", header=None, na_values=["?"])
    horse = horse.drop(columns=[2, *range(23, 28)]).astype(dict.fromkeys((0, 1, *range(6, 15)), object))
    titanic = pd.read_csv(folder / "titanic.csv")
    taxis = pd.read_parquet(folder / "nyc_taxis.parquet").dropna()
    moments = taxis.select_dtypes("datetime")
    taxis[moments.columns] = moments.apply(lambda c: c.astype("int64") / 6e10)
    return {
        "adult": adult.dropna().sample(600, random_state=0).drop(columns=[2, 13]),
        "penguins": pd.read_csv(folder / "penguins.csv").dropna(),
        "titanic": titanic[
            ["pclass", "sex", "age", "sibsp", "parch", "fare", "embarked", "survived", "alone"]
        ],
        "horse_colic": horse,
        "nyc_taxis": taxis.drop(columns=["pickup_zone", "dropoff_zone"]),
    }


def some(frame: pd.DataFrame) -> pd.DataFrame:
    """At most ROWS rows, whole and broken numbers as float, everything else as text."""
    frame = frame.sample(min(ROWS, len(frame)), random_state=0).reset_index(drop=True)
    frame.columns = [str(name) for name in frame.columns]
    for name in frame:
        column = frame[name]
        number = column.dtype.kind in "iuf" and column.dtype != bool
        frame[name] = column.astype(float) if number else column.astype(str).where(column.notna(), None)
    return frame


def hidden(frame: pd.DataFrame, mechanism: str, seed: int) -> Array:
    """Which cells to hide: (n, columns)."""
    rng = np.random.default_rng(seed)
    n, d = frame.shape
    if mechanism == "MCAR":
        return rng.random((n, d)) < SHARE
    z = np.empty((n, d))
    for j, name in enumerate(frame):
        column = frame[name]
        if column.dtype.kind != "f":
            weights = {level: rng.normal() for level in sorted(column.dropna().unique())}
            column = column.map(weights)
        spread = column.std()
        z[:, j] = ((column - column.mean()) / (spread if spread > 0 else 1.0)).fillna(0.0)
    logits = 2 * z
    if mechanism == "MAR":
        order = rng.permutation(d)
        known = order[: max(1, round(0.3 * d))]
        logits = 2 * z[:, known] @ rng.normal(size=(len(known), d)) / np.sqrt(len(known))
        logits[:, known] = -np.inf
    low, high = np.full(d, -30.0), np.full(d, 30.0)
    for _ in range(50):  # the constant that hides the wanted share of every column
        middle = (low + high) / 2
        share = (1 / (1 + np.exp(-(logits + middle)))).mean(0)
        low, high = np.where(share < SHARE, middle, low), np.where(share < SHARE, high, middle)
    return rng.random((n, d)) < 1 / (1 + np.exp(-(logits + high)))


# ---------------------------------------------------------------- who takes part

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
    """A Gaussian copula, gcimpute's."""
    from gcimpute.gaussian_copula import GaussianCopula

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


# ---------------------------------------------------------------- one table, one mechanism


def judged(full: pd.DataFrame, filled: pd.DataFrame, mask: Array) -> tuple[float, float, dict[str, float]]:
    """Error of numbers, accuracy of levels, and the root mean square of every column in deviations."""
    squares, right, by_column = [], [], {}
    for j, name in enumerate(full):
        rows = mask[:, j] & full[name].notna().to_numpy()
        truth, guess = full[name][rows], filled[name][rows]
        if full[name].dtype.kind == "f":
            spread = full[name].std(ddof=0)
            if spread > 0 and rows.any():
                wrong = (truth.to_numpy() - guess.to_numpy().astype(float)) / spread
                squares.append(np.square(wrong))
                by_column[name] = float(np.sqrt(squares[-1].mean()))
        elif rows.any():
            right.append(truth.to_numpy() == guess.to_numpy())
            by_column[name] = float(1 - right[-1].mean())
    error = float(np.sqrt(np.concatenate(squares).mean())) if squares else float("nan")
    return error, float(np.concatenate(right).mean()) if right else float("nan"), by_column


def contest(name: str, full: pd.DataFrame, mechanism: str, peers: dict[str, Fill]) -> dict[str, Any]:
    """Every method on one table: (error, accuracy, by column, seconds), and our coverage."""
    mask = hidden(full, mechanism, seed=sum(map(ord, name)))
    shown = full.mask(pd.DataFrame(mask, columns=full.columns))
    numbers, found = Numbers(shown), {}
    for peer, fill in peers.items():
        start = time.process_time()
        try:
            filled = numbers.back(fill(numbers.Z.copy(), 0))
        except Exception as error:  # a peer that gives up is left out of this cell and said so
            say(f"{name} {mechanism} {peer}: {str(error)[:100]}")
            continue
        found[peer] = (*judged(full, filled, mask), time.process_time() - start)
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


def have_gcimpute() -> bool:
    """Whether gcimpute can be imported, here or from ISTHMUS_PEERS."""
    sys.path.append(os.environ.get("ISTHMUS_PEERS", ""))
    try:
        import gcimpute.gaussian_copula  # noqa: F401
    except ImportError:
        say("gcimpute: not installed")
        return False
    return True


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
    results = {}
    for name, frame in tables(small).items():
        for mechanism in MECHANISMS:
            results[name, mechanism] = contest(name, frame, mechanism, peers)
            print(line((name, mechanism), results[name, mechanism], names), flush=True)
    print()
    return results


def summary(results: dict[tuple[str, str], dict[str, Any]], names: list[str]) -> None:
    """Mean rank, cells won, seconds, coverage."""
    print("### Summary: every table and mechanism, errors and accuracies, is one contest\n")
    lines = []
    for title, chosen in (("chosen on (*)", True), ("confirmed on", False), ("all", None)):
        cells = [
            {m: sign * found[m][which] for m in names if m in found}
            for (name, _), found in results.items()
            if chosen is None or (name in CHOSEN_ON) == chosen
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
        lines.append((f"mean rank, {title} ({len(cells)})", *shown))
        beaten = ("" if m == OURS else f"{np.mean(won[m]):.0%}" if won[m] else "-" for m in names)
        lines.append((f"contests isthmus wins, {title}", *beaten))
    seconds = {m: sum(found[m][3] for found in results.values() if m in found) for m in names}
    lines.append(("CPU seconds, all", *(f"{seconds[m]:,.0f}" for m in names)))
    table(["", *names], lines)
    faster = [f["missForest"][3] / f[OURS][3] for f in results.values() if "missForest" in f]
    if faster:
        ends = f"median {np.median(faster):.1f}, from {min(faster):.1f} to {max(faster):.1f}"
        print(f"missForest's seconds over isthmus's: {ends}.\n")
    shares = {key: f["coverage"][0] for key, f in results.items() if not np.isnan(f["coverage"][0])}
    outside = [
        f"{name}, {how} ({share:.3f})" for (name, how), share in shares.items() if not 0.86 <= share <= 0.94
    ]
    print(
        f"Intervals at 90% held between {min(shares.values()):.3f} and {max(shares.values()):.3f} of hidden"
    )
    print(f"numbers; outside 86-94%: {'; '.join(outside) or 'none'}.\n")


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
