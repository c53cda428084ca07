"""Anomaly detection beside the peers: who ranks better, whose error rate holds, who names the broken cell.

ADBench's classical tables, standard scaling by the training rows, at most 10,000 rows. One-class: a
shuffled half of the ordinary rows trains, the others and all anomalies are scored. Contaminated: all rows
train and are scored. One default setting throughout. The score was chosen on every second set (half A); B is
the rest. Place is a method's mean place among all that ran, by AUROC; settings other than the default take
the default's place in turn.

Error rates: the share of 4,000 fresh ordinary rows flagged at 5%, by PyOD's AutoEncoder with a contamination
of 5% and by isthmus with alpha = 5%, both with the same widths and epochs. Culprits: rows near a curved sheet
with one cell of the wrong sign, named by the largest squared z-score, residual or contribution.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from scipy.stats import rankdata
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

from datasets import FOLDER
from isthmus import MLP, AnomalyDetector, Autoencoder, NearFar, Trainer
from measuring import arguments, say, table

Scores = Callable[
    [Any, Any, int], Any
]  # training rows, rows to score, seed -> scores; the same object: in place
ROWS = 10_000
FILE_ORDER = "one-class, in the order of the file"


# ---------------------------------------------------------------- who takes part


def ours(clean: bool | None) -> Scores:
    """The default detector, or with what is known of the training rows."""

    def scores(train: Any, test: Any, seed: int) -> Any:
        return (
            -AnomalyDetector(anomaly_score=NearFar(clean), random_state=seed).fit(train).score_samples(test)
        )

    return scores


def neighbour(train: Any, test: Any, _seed: int) -> Any:
    """Distance to the 5th neighbour; a training row is not its own."""
    k = 6 if test is train else 5
    return NearestNeighbors(n_neighbors=k).fit(train).kneighbors(test)[0][:, -1]


def lof(train: Any, test: Any, _seed: int) -> Any:
    """Local outlier factor, 20 neighbours."""
    if test is train:
        return -LocalOutlierFactor().fit(train).negative_outlier_factor_
    return -LocalOutlierFactor(novelty=True).fit(train).score_samples(test)


def forest(train: Any, test: Any, seed: int) -> Any:
    """Isolation forest."""
    return -IsolationForest(random_state=seed).fit(train).score_samples(test)


def pca(train: Any, test: Any, _seed: int) -> Any:
    """Squared residual of the PCA that explains 90%."""
    model = PCA(0.9, svd_solver="full").fit(train)
    return np.square(test - model.inverse_transform(model.transform(test))).sum(1)


def trimmed(train: Any, test: Any, _seed: int) -> Any:
    """Mahalanobis distance, refitted twice on the closest 75%."""
    kept = train
    for _ in range(3):
        model = LedoitWolf().fit(kept)
        near = model.mahalanobis(train)
        kept = train[near <= np.quantile(near, 0.75)]
    return model.mahalanobis(test)


def pyod(train: Any, test: Any, seed: int) -> Any:
    """PyOD's AutoEncoder as it comes."""
    return _pyod(seed).fit(train).decision_function(test)


def _pyod(seed: int, **options: Any) -> Any:
    from pyod.models.auto_encoder import AutoEncoder

    return AutoEncoder(contamination=0.05, random_state=seed, verbose=0, **options)


METHODS: dict[str, Scores] = {
    "isthmus": ours(None),
    "isthmus, clean=True": ours(True),
    "isthmus, clean=False": ours(False),
    "kNN": neighbour,
    "LOF": lof,
    "IForest": forest,
    "PCA residual": pca,
    "trimmed Mahalanobis": trimmed,
    "PyOD AutoEncoder": pyod,
}
ASIDE = ("isthmus, clean=True", "isthmus, clean=False")  # shown, but not ranked among the others


def have_pyod() -> bool:
    """Whether PyOD can be imported, here or from ISTHMUS_PEERS."""
    sys.path.append(os.environ.get("ISTHMUS_PEERS", ""))
    try:
        _pyod(0)
    except ImportError:
        say("PyOD: not installed")
        return False
    return True


# ---------------------------------------------------------------- ranking


def split(X: Any, y: Any, kind: str, seed: int) -> tuple[Any, Any, Any]:
    """Training rows, rows to score and their labels; scaled by the training rows."""
    rng = np.random.default_rng(seed)
    some = rng.permutation(len(X))[:ROWS]
    some = np.sort(some) if kind == FILE_ORDER else some
    X, y = X[some].astype(np.float64), y[some].astype(int).ravel()
    train, test = np.arange(len(X)), np.arange(len(X))
    if kind in ("one-class", FILE_ORDER):
        ordinary = np.flatnonzero(y == 0)
        ordinary = ordinary if kind == FILE_ORDER else rng.permutation(ordinary)
        train = ordinary[: len(ordinary) // 2]
        test = np.concatenate([ordinary[len(ordinary) // 2 :], np.flatnonzero(y == 1)])
    centre, scale = X[train].mean(0), X[train].std(0)
    X = (X - centre) / np.where(scale > 1e-12, scale, 1.0)
    rows = X[train]
    return rows, rows if kind == "contaminated" else X[test], y[test]


def ranking(kind: str, paths: list[Any], seeds: range, methods: dict[str, Scores]) -> None:
    """One table: AUROC and average precision on both halves, places, seconds; then set by set."""
    found = {name: np.full((len(paths), len(seeds), 3), np.nan) for name in methods}
    for i, path in enumerate(paths):
        data = np.load(path)
        for seed in seeds:
            train, test, y = split(data["X"], data["y"], kind, seed)
            for name, scores in methods.items():
                start = time.process_time()
                s = np.nan_to_num(scores(train, test, seed), nan=0.0, posinf=1e300)
                gone = time.process_time() - start
                found[name][i, seed] = roc_auc_score(y, s), average_precision_score(y, s), gone
        say(f"{kind}, {path.stem}")
    mean = {name: values.mean(1) for name, values in found.items()}
    peers = [name for name in methods if name not in (*ASIDE, "isthmus")]
    places = {}
    for name in mean:
        row = name if name in ASIDE else "isthmus"
        field = [row, *peers]
        order = rankdata([-mean[one][:, 0] for one in field], axis=0)
        places[name] = order[field.index(name)]
    print(f"### {kind}, {len(paths)} sets, {len(seeds)} seeds\n")
    lines = []
    for name, values in mean.items():
        halves = [values[start::2, column].mean() for start in (0, 1) for column in (0, 1)]
        cells = [f"{v:.3f}" for v in (*halves, values[:, 0].mean(), values[:, 1].mean())]
        ahead = [f"{places[name][start::2].mean():.2f}" for start in (0, 1)]
        against = [
            f"{np.sum(values[:, 0] > mean[peer][:, 0])}-{np.sum(values[:, 0] < mean[peer][:, 0])}"
            for peer in ("kNN", "IForest", "trimmed Mahalanobis")
        ]
        lines.append((name, *cells, *ahead, *against, f"{values[:, 2].mean():.2f}"))
    header = ["", "A: AUROC", "AP", "B: AUROC", "AP", "all: AUROC", "AP", "place, A", "place, B"]
    header += ["won-lost: kNN", "IForest", "trimmed", "CPU-s a set"]
    table(header, lines)
    print("AUROC set by set\n")
    names = list(mean)
    by_set = [
        (f"{path.stem} ({'AB'[i % 2]})", *(f"{mean[name][i, 0]:.3f}" for name in names))
        for i, path in enumerate(paths)
    ]
    table(["", *names], by_set)


# ---------------------------------------------------------------- error rates and culprits

MIXING = np.random.default_rng(99).normal(size=(4, 20)) * 0.75


def noise(n: int, rng: Any) -> Any:
    """Independent columns (n, 20)."""
    return rng.normal(size=(n, 20))


def sheet(n: int, rng: Any) -> Any:
    """A curved sheet of four dimensions in 20, and a little noise."""
    return np.tanh(rng.normal(size=(n, 4)) @ MIXING) + 0.05 * rng.normal(size=(n, 20))


RATES: tuple[tuple[str, Any, int, tuple[int, ...] | None, int], ...] = (
    ("independent", noise, 300, None, 0),
    ("independent", noise, 300, (64, 32), 10),
    ("independent", noise, 300, (64, 32), 200),
    ("independent", noise, 300, (256, 128), 200),
    ("independent", noise, 2000, (256, 128), 60),
    ("sheet", sheet, 300, None, 0),
    ("sheet", sheet, 300, (64, 32), 200),
    ("sheet", sheet, 300, (256, 128), 200),
    ("sheet", sheet, 2000, (64, 32), 10),
    ("sheet", sheet, 2000, (256, 128), 60),
)


def rates(seeds: range, peer: bool) -> None:
    """The share of fresh ordinary rows flagged at 5%."""
    print("### Ordinary rows flagged at 5%, median (smallest to largest)\n")
    lines = []
    for name, make, n, hidden, epochs in RATES:
        shares: dict[str, list[float]] = {"isthmus": [], "isthmus, folds=1": [], "PyOD": []}
        for seed in seeds:
            rng = np.random.default_rng(seed)
            train, fresh = make(n, rng), make(4000, rng)
            trainer = Trainer(max(1, epochs), 32, 1e-3, held_out=0.0, progress=False)
            model = None if hidden is None else Autoencoder(10, architecture=MLP(hidden), trainer=trainer)
            for key, folds in (("isthmus", "auto"), ("isthmus, folds=1", 1)):
                detector = AnomalyDetector(model, folds=folds, random_state=seed).fit(train)
                shares[key].append(float(np.mean(detector.predict(fresh) == -1)))
            if peer and hidden is not None:
                flags = (
                    _pyod(seed, hidden_neuron_list=list(hidden), epoch_num=epochs).fit(train).predict(fresh)
                )
                shares["PyOD"].append(float(np.mean(flags)))
        net = "the default" if hidden is None else f"{'-'.join(map(str, hidden))}, {epochs} epochs"
        say(f"{name}, {n}, {net}")
        shown = [
            f"{statistics.median(v):.3f} ({min(v):.3f} to {max(v):.3f})" if v else "" for v in shares.values()
        ]
        lines.append((name, f"{n:,}", net, *shown))
    table(["rows", "n", "net", "isthmus", "isthmus, folds=1", "PyOD"], lines)


def culprits(seeds: range) -> None:
    """How often the broken cell is the one that is named, among rows that are flagged."""
    print("### The broken cell is the one named, share of flagged rows\n")
    named: dict[str, list[float]] = {
        "z-score": [],
        "residual": [],
        "contribution": [],
        "ordinary after repair": [],
    }
    for seed in seeds:
        rng = np.random.default_rng(seed)
        train, X = sheet(1500, rng), sheet(300, rng)
        cells, rows = rng.integers(20, size=len(X)), np.arange(len(X))
        X[rows, cells] = -np.sign(X[rows, cells]) * np.abs(sheet(len(X), rng)[rows, cells])
        detector = AnomalyDetector(random_state=seed).fit(train)
        found = detector.explain(X)
        first = found.drop_duplicates("row")
        flagged = first["row"].to_numpy()
        model = detector.models_[0]
        z = np.abs((X - train.mean(0)) / train.std(0))
        named["z-score"].append(np.mean(z[flagged].argmax(1) == cells[flagged]))
        named["residual"].append(np.mean(model.errors(X[flagged]).argmax(1) == cells[flagged]))
        named["contribution"].append(np.mean(first["column"].to_numpy() == cells[flagged]))
        named["ordinary after repair"].append(np.mean(first["p_value_after"] > detector.alpha))
    table(
        list(named), [[f"{statistics.median(v):.3f} ({min(v):.3f} to {max(v):.3f})" for v in named.values()]]
    )


def rankings(kinds: Sequence[str], seeds: range, small: bool) -> None:
    """A table for every way of splitting."""
    warnings.simplefilter("ignore")
    paths = sorted(
        (FOLDER / "anomaly" / "adbench").glob("*.npz"), key=lambda path: int(path.stem.split("_")[0])
    )
    if not paths:
        print("ADBench was not found: set ISTHMUS_DATA.")
        return
    peer = have_pyod()
    methods = {name: scores for name, scores in METHODS.items() if peer or name != "PyOD AutoEncoder"}
    for kind in kinds:
        ranking(kind, paths[2:5:2] if small else paths, seeds, methods)


def main() -> None:
    """All tables."""
    small = arguments(__doc__).small
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    seeds = range(1) if small else range(3)
    culprits(seeds)
    rates(seeds if small else range(5), have_pyod())
    rankings(("one-class", "contaminated"), seeds, small)


if __name__ == "__main__":
    main()
