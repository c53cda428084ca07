"""Tables for imputation, which of their cells are hidden, and how fills of these are judged.

Tables: shared/data/tables and scikit-learn's own, at most 1,000 rows drawn at random (adult 600), because
missForest takes most of the time.

Hidden: MCAR, 30% of all cells at random. MAR, in seven columns of ten about 30%, with a probability that
depends on the other three. MNAR, about 30% of every column, the likelier the larger the value itself (of a
category, by a random weight of its level). titanic and horse_colic have gaps of their own besides.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine

from datasets import FOLDER

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

Array = Any


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
