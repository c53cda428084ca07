"""Retrieval: how well codes find what is of the same kind, which no model here was told.

Mean average precision over the whole ranking (precision among the first 100 in brackets); two rows are
relevant to each other when they have one label. Labels are used to count, and for nothing else. All rankings
are those of `Retriever`, whatever the model: peers are its models or its bits. Of rows at equal distances, as
bits give them, those with the lower number come first.

MNIST: 500 queries and 9,500 rows to find, drawn from the test pictures; everything learns from the 60,000
training pictures. How strongly pictures are distorted, and how long to train, was chosen on 10,000 training
pictures that were kept from training. KMNIST, of which only the 10,000 test pictures are here, has had no say
in anything: it learns from the 9,500 rows to find. 20 Newsgroups: 1,000 of the test documents ask for the
11,314 training documents, as tf-idf of 2,000 terms; the loss was chosen on training documents. So was the
measure by which documents choose their metric, but after a first run of this script had shown that another
measure chose badly.

`MeanShift()` moves codes to where the training rows are dense, whatever the codes; it stands beside both.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.preprocessing import FunctionTransformer

from datasets import FOLDER, mnist
from isthmus import (
    ITQ,
    MLP,
    Autoencoder,
    BinaryCode,
    BitBalance,
    Cosine,
    Distortion,
    Euclidean,
    MaskingNoise,
    MeanShift,
    Multinomial,
    Retriever,
    Trainer,
)
from measuring import arguments, say, table, verdict

SIZES = (16, 32, 64)
FIRST = 100
LEARN = 10_000  # training rows that metric, smoothing and rotation are learned from


class Projected(BaseEstimator, TransformerMixin):
    """LSH: inner products with random directions; their signs are the bits."""

    def __init__(self, bits: int = 16) -> None:
        self.bits = bits

    def fit(self, X: Any, y: None = None) -> Projected:
        """Draw the directions."""
        self.mean_ = np.asarray(X.mean(0)).reshape(-1)
        self.axes_ = np.random.default_rng(0).normal(size=(X.shape[1], self.bits))
        return self

    def transform(self, X: Any) -> Any:
        """(n, bits)."""
        return np.asarray(X @ self.axes_) - self.mean_ @ self.axes_


class Signs(ITQ):
    """The signs of the vectors as they are, without a rotation."""

    def learn(self, v: Any, rng: Any) -> Any:
        """The mean, and the axes as they are."""
        return v.mean(0).astype(np.float64), np.eye(v.shape[1])


def quality(ids: Any, asked: Any, labels: Any) -> tuple[float, float]:
    """Mean average precision and precision among the first 100 of full rankings ids (q, n)."""
    precision, first = [], []
    for ranking, label in zip(ids, asked, strict=True):
        relevant = labels[ranking] == label
        at = np.flatnonzero(relevant)
        precision.append((np.arange(1, len(at) + 1) / (at + 1)).mean())
        first.append(relevant[:FIRST].mean())
    return float(np.mean(precision)), float(np.mean(first))


class Task:
    """Rows to learn from, rows to find and rows to ask with."""

    def __init__(self, train: Any, base: Any, queries: Any, labels: Any, asked: Any) -> None:
        self.train, self.base, self.queries = train, base, queries
        self.labels, self.asked = labels, asked

    def score(self, model: Any, **options: Any) -> tuple[float, float]:
        """Of a fitted model; the space is learned from the training rows, as the model was."""
        train, base, queries = (
            _seen_by(model, rows) for rows in (self.train[:LEARN], self.base, self.queries)
        )
        retriever = Retriever(model, random_state=0, **options).fit(train)
        retriever.delete(np.arange(train.shape[0]))
        first = int(retriever.add(base)[0])
        ids = []
        for start in range(0, queries.shape[0], 250):
            some = queries[start : start + 250]
            ids.append(retriever.kneighbors(some, base.shape[0])[1] - first)
        return quality(np.concatenate(ids), self.asked, self.labels)


def _seen_by(model: Any, rows: Any) -> Any:
    """Pixels as pictures for an autoencoder, in one line for anything else."""
    return rows.reshape(-1, 28, 28) if isinstance(model, Autoencoder) and rows.shape[1] == 784 else rows


def shown(found: tuple[float, float]) -> str:
    """As it stands in a table."""
    return f"{found[0]:.3f} ({found[1]:.3f})"


def trained(make: Callable[[], Autoencoder], X: Any, name: str) -> tuple[Autoencoder, float]:
    """A model, and the CPU seconds it took."""
    start = time.process_time()
    model = make()
    model.fit(_seen_by(model, X))
    cpu = time.process_time() - start
    say(f"{name}: {cpu:.0f} CPU s")
    return model, cpu


def distorting(k: int, epochs: int, **parts: Any) -> Autoencoder:
    """A denoising autoencoder that gives back pictures from distorted ones."""
    parts = {"corruption": Distortion(), **parts}
    plan = Trainer(epochs, 512, 2e-3, held_out=0, bf16=True, progress=False)
    return Autoencoder(k, architecture=MLP((512, 256)), trainer=plan, random_state=0, **parts)


def pictures(name: str, task: Task, epochs: int, sizes: tuple[int, ...]) -> dict[str, dict[int, Any]]:
    """Every way of search on one set of pictures, by the size of the code."""
    found: dict[str, dict[int, Any]] = {}

    def note(way: str, size: int, score: tuple[float, float]) -> None:
        say(f"{name}, {way}, {size}: {shown(score)}")
        found.setdefault(way, {})[size] = score

    raw = task.score(FunctionTransformer().fit(task.train[:2]), metric=Euclidean())
    for k in sizes:
        note("raw pixels", k, raw)
        pca = PCA(k, random_state=0).fit(task.train)
        note("PCA", k, task.score(pca, metric=Euclidean()))
        note("bits: LSH", k, task.score(Projected(k).fit(task.train), metric=Euclidean(), bits=Signs()))
        note("bits: PCAH", k, task.score(pca, metric=Euclidean(), bits=Signs()))
        note("bits: ITQ", k, task.score(pca, metric=Euclidean(), bits=ITQ()))
        model, cpu = trained(lambda k=k: distorting(k, epochs), task.train, f"distorted {k}")
        note("Autoencoder, Distortion", k, task.score(model))
        note("bits: Autoencoder, Distortion, ITQ", k, task.score(model, metric=Cosine(), bits=ITQ()))
        binary, _ = trained(lambda k=k: distorting(k, epochs, code=BinaryCode()), task.train, f"binary {k}")
        note("bits: Autoencoder, Distortion, BinaryCode", k, task.score(binary))
        if k != 32:
            continue
        note("PCA, metric chosen", k, task.score(pca))
        shift = {"metric": Cosine(), "smoothing": MeanShift()}
        note("PCA + MeanShift", k, task.score(pca, **shift))
        note("bits: PCA + MeanShift + ITQ", k, task.score(pca, **shift, bits=ITQ()))
        note("Autoencoder, Distortion + MeanShift", k, task.score(model, **shift))
        note("bits: Autoencoder, Distortion + MeanShift, ITQ", k, task.score(model, **shift, bits=ITQ()))
        plain, _ = trained(lambda k=k: distorting(k, epochs, corruption=None), task.train, f"plain {k}")
        note("Autoencoder, nothing done to its input", k, task.score(plain))
        even = {"code": BinaryCode(), "penalty": 1.0 * BitBalance()}
        binary, _ = trained(lambda k=k, even=even: distorting(k, epochs, **even), task.train, "balanced")
        note("bits: the same with BitBalance", k, task.score(binary))
    print(f"One such autoencoder takes {cpu:.0f} CPU seconds: {epochs} epochs.\n")
    columns = [f"{k} numbers or bits" for k in sizes]
    table(
        [name, *columns],
        [(way, *(shown(by[k]) if k in by else "" for k in sizes)) for way, by in found.items()],
    )
    return found


def bars(found: dict[str, dict[int, Any]], sizes: tuple[int, ...]) -> None:
    """What was aimed at."""
    for k in sizes:
        bar = found["bits: ITQ"][k][0] + 0.05
        stretch = 0.60 if k == 32 else None
        for way in ("Autoencoder, Distortion, ITQ", "Autoencoder, Distortion, BinaryCode"):
            if k in found.get(f"bits: {way}", {}):
                print(f"- {k} bits, {way}:", verdict(found[f"bits: {way}"][k][0], bar, stretch))
    for k in set(sizes) & {16, 32}:
        print(f"- {k} numbers, mAP:", verdict(found["Autoencoder, Distortion"][k][0], 0.52, 0.60))
    print()


def documents(small: bool) -> None:
    """20 Newsgroups as sparse tf-idf."""
    path = FOLDER / "text" / "20newsgroups_bydate.parquet"
    if not path.is_file():
        print("20 Newsgroups was not found: set ISTHMUS_DATA.\n")
        return
    import pandas as pd
    from sklearn.feature_extraction.text import TfidfVectorizer

    frame = pd.read_parquet(path)
    labels = frame["newsgroup"].astype("category").cat.codes.to_numpy()
    train, test = (np.flatnonzero(frame["split"].str.contains(word)) for word in ("train", "test"))
    test = np.random.default_rng(0).permutation(test)[: 100 if small else 1000]
    train = np.random.default_rng(0).permutation(train)[: 1000 if small else len(train)]
    words = TfidfVectorizer(max_features=2000, sublinear_tf=True, stop_words="english")
    X = words.fit_transform(frame["text"].iloc[train]).astype(np.float32)
    task = Task(
        X, X, words.transform(frame["text"].iloc[test]).astype(np.float32), labels[train], labels[test]
    )
    found: dict[str, dict[int, Any]] = {}
    identity = FunctionTransformer(accept_sparse=True).fit(X)
    raw = task.score(identity, metric=Plain())
    sizes = (64,)
    for k in sizes:
        lsa = TruncatedSVD(k, random_state=0).fit(X)
        masked = lambda k=k, **parts: Autoencoder(  # noqa: E731
            k,
            architecture=MLP((512,), from_pca=False),
            loss=Multinomial(),
            corruption=MaskingNoise(0.5),
            trainer=Trainer(2 if small else 20, 256, 2e-3, held_out=0, progress=False),
            random_state=0,
            **parts,
        )
        model, _ = trained(masked, X, f"documents {k}")
        binary, _ = trained(lambda masked=masked: masked(code=BinaryCode()), X, f"documents {k}, binary")
        for way, score in {
            "tf-idf, 2,000 numbers, cosine": lambda: raw,
            "LSA, cosine": lambda lsa=lsa: task.score(lsa, metric=Plain()),
            "LSA, cosine from the mean": lambda lsa=lsa: task.score(lsa, metric=Cosine()),
            "Autoencoder, half the words hidden": lambda model=model: task.score(model),
            "bits: LSH": lambda k=k: task.score(Projected(k).fit(X), metric=Euclidean(), bits=Signs()),
            "bits: LSA, ITQ": lambda lsa=lsa: task.score(lsa, metric=Cosine(), bits=ITQ()),
            "bits: Autoencoder, ITQ": lambda model=model: task.score(model, metric=Cosine(), bits=ITQ()),
            "bits: Autoencoder, BinaryCode": lambda binary=binary: task.score(binary),
        }.items():
            found.setdefault(way, {})[k] = score()
            say(f"{way}, {k}: {shown(found[way][k])}")
    rows = [(way, *(shown(by[k]) if k in by else "" for k in sizes)) for way, by in found.items()]
    table(["20 Newsgroups", *(f"{k} numbers or bits" for k in sizes)], rows)
    for k in sizes:
        lsa_best = max(found[way][k][0] for way in ("LSA, cosine", "LSA, cosine from the mean"))
        print(f"- {k} numbers:", verdict(found["Autoencoder, half the words hidden"][k][0], lsa_best))
        for way in ("Autoencoder, ITQ", "Autoencoder, BinaryCode"):
            print(f"- {k} bits, {way}:", verdict(found[f"bits: {way}"][k][0], found["bits: LSA, ITQ"][k][0]))


class Plain(Cosine):
    """The angle from the origin, as is usual for LSA."""

    def learn(self, z: Any) -> Any:
        """No mean is taken off."""
        return super().learn(np.zeros((1, z.shape[1]), np.float32))


def main() -> None:
    """The three tables."""
    small = arguments(__doc__).small
    sizes = (16,) if small else SIZES
    rng, data = np.random.default_rng(0), mnist()
    if data is not None:
        train, _, test = data
        with np.load(FOLDER / "images" / "mnist.npz") as file:
            y = file["y_test"]
        order = rng.permutation(len(test))
        order = order[:1000] if small else order
        queries, base = order[:500], order[500:]
        train = train[:2000] if small else train
        task = Task(train, test[base], test[queries], y[base], y[queries])
        found = pictures("MNIST", task, 1 if small else 6, sizes)
        bars(found, sizes)
    path = FOLDER / "images" / "kmnist_test.npz"
    if path.is_file():
        with np.load(path) as file:
            X, y = file["X"], file["y"]
        order = rng.permutation(len(X))
        order = order[:1000] if small else order
        queries, base = order[:500], order[500:]
        rows = X.reshape(len(X), -1)
        task = Task(rows[base], rows[base], rows[queries], y[base], y[queries])
        found = pictures("KMNIST", task, 1 if small else 30, (16,) if small else (32,))
        bars_above(found)
    documents(small)


def bars_above(found: dict[str, dict[int, Any]]) -> None:
    """Above every peer of the same size."""
    for kind, ours, peers in (
        ("numbers", "Autoencoder, Distortion", ("PCA", "PCA, metric chosen", "raw pixels")),
        ("bits, ITQ", "bits: Autoencoder, Distortion, ITQ", ("bits: LSH", "bits: PCAH", "bits: ITQ")),
        (
            "bits, BinaryCode",
            "bits: Autoencoder, Distortion, BinaryCode",
            ("bits: LSH", "bits: PCAH", "bits: ITQ"),
        ),
    ):
        for k, score in found[ours].items():
            best = max(found[peer][k][0] for peer in peers if k in found.get(peer, {}))
            print(f"- {k} {kind}:", verdict(score[0], best))
    print()


if __name__ == "__main__":
    main()
