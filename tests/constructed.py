"""Models whose verdict is known because of how they and their data were made; `verdict` is the right one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from isthmus import (
    L1,
    MLP,
    Autoencoder,
    GaussianNoise,
    ReLU,
    ReLUCode,
    SigmoidCode,
    Trainer,
    k_sparse_autoencoder,
    linear_autoencoder,
)
from isthmus.demo import mixed_table

__all__ = ["CASES", "Case", "curved", "flat", "independent"]

Array = NDArray[np.float64]


class Case(NamedTuple):
    """A name, the kinds of verdict that are right, the model, and its training and test rows."""

    name: str
    right: str
    model: Any
    rows: Callable[[], tuple[Any, Any]]


class Lookup:
    """Returns the nearest training row: the perfect memoriser."""

    def fit(self, X: Array) -> Lookup:
        self.known, self.index = X, NearestNeighbors(n_neighbors=1).fit(X)
        return self

    def transform(self, X: Array) -> Array:
        return self.index.kneighbors(X)[1].astype(float)

    def inverse_transform(self, Z: Array) -> Array:
        return self.known[Z[:, 0].astype(int)]


def curved(rows: int, seed: int, noise: float = 0.05) -> Array:
    """Rows (n, 20) near a curved surface of four dimensions."""
    rng, mixing = np.random.default_rng(seed), np.random.default_rng(99).normal(size=(4, 20))
    return np.tanh(1.5 * rng.normal(size=(rows, 4)) @ mixing) + noise * rng.normal(size=(rows, 20))


def flat(rows: int, seed: int, rank: int = 5, width: int = 20, noise: float = 0.1) -> Array:
    """Rows (n, width) near a plane of `rank` dimensions."""
    rng, mixing = np.random.default_rng(seed), np.random.default_rng(7).normal(size=(rank, width))
    return rng.normal(size=(rows, rank)) @ mixing + noise * rng.normal(size=(rows, width))


def independent(rows: int, seed: int, width: int = 20) -> Array:
    """Rows (n, width) of columns that have nothing to do with each other, some of them skewed."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, width))
    X[:, ::3] = np.exp(X[:, ::3] / 2)
    return X


def _two(make: Callable[..., Any], train: int, test: int = 300, **more: Any) -> Callable[[], tuple[Any, Any]]:
    return lambda: (make(train, 0, **more), make(test, 1, **more))


def _digits(train: int, where: int = 0) -> Callable[[], tuple[Array, Array]]:
    def rows() -> tuple[Array, Array]:
        X = load_digits().data / 16
        X = X[np.random.default_rng(0).permutation(len(X))]
        return X[where : where + train], X[1400:]

    return rows


def _patients() -> tuple[pd.DataFrame, pd.DataFrame]:
    table = mixed_table()
    return table[:350], table[350:]


def _in_cents() -> tuple[Array, Array]:
    """One of twenty columns of the other rows is counted in another unit."""
    train, test = curved(500, 0), curved(300, 1)
    test[:, 7] = 100 * (test[:, 7] + 2)
    train[:, 7] += 2
    return train, test


def _frame(make: Callable[..., Array], rows: int) -> Callable[[], tuple[Any, Any]]:
    names = [f"column {j}" for j in range(20)]
    return lambda: tuple(pd.DataFrame(make(n, seed), columns=names) for n, seed in ((rows, 0), (200, 1)))  # type: ignore[return-value]


def _net(k: int, epochs: int, **parts: Any) -> Autoencoder:
    return Autoencoder(k, random_state=0, **{"trainer": Trainer(max_epochs=epochs), **parts})


BY_HEART = Trainer(max_epochs=250, lr=3e-3, held_out=0.0)
WIDE = MLP((256, 128))
PLAIN = MLP((32,), from_pca=False)

CASES = [
    Case("curved surface, narrow code", "good", _net(4, 40), _two(curved, 500)),
    Case("curved surface, narrower code", "good", _net(2, 40), _two(curved, 500)),
    Case("curved surface, as a table", "good", _net(4, 40), _frame(curved, 400)),
    Case("digits, 8 numbers", "good", _net(8, 25), _digits(1000)),
    Case(
        "digits, 4 of 64 units on",
        "good",
        k_sparse_autoencoder(64, 4, random_state=0, trainer=Trainer(max_epochs=30, lr=1e-2)),
        _digits(1000),
    ),
    Case(
        "digits, a wide denoiser",
        "good",
        _net(96, 15, corruption=GaussianNoise(1.0)),
        _digits(1000),
    ),
    Case("300 digits, trained long", "strained", _net(8, 100), _digits(300)),
    Case("a flat plane", "pca", _net(5, 20), _two(flat, 500)),
    Case("a flat plane without noise", "pca", _net(5, 20), _two(flat, 500, noise=0.0)),
    Case("a linear autoencoder", "pca", linear_autoencoder(5, random_state=0), _two(flat, 500)),
    Case("PCA of digits", "pca", PCA(8), _digits(1000)),
    Case("PCA of scaled columns", "pca", make_pipeline(StandardScaler(), PCA(5)), _two(flat, 500)),
    Case("PCA of a line", "pca", PCA(1), _two(flat, 300, rank=1, width=3)),
    Case("a column in cents", "other", _net(4, 40), _in_cents),
    Case("a column in cents, PCA", "other", PCA(4), _in_cents),
    Case("nearest training row", "memorises", Lookup(), _digits(500)),
    Case(
        "60 digits, trained long", "memorises", _net(8, 0, architecture=WIDE, trainer=BY_HEART), _digits(60)
    ),
    Case(
        "40 noisy rows, trained long",
        "memorises",
        _net(8, 0, architecture=WIDE, trainer=BY_HEART),
        _two(curved, 40, noise=0.5),
    ),
    Case(
        "50 rows of a noisy plane, trained long",
        "memorises",
        _net(10, 0, architecture=WIDE, trainer=BY_HEART),
        _two(flat, 50, width=40, noise=0.7),
    ),
    Case(
        "5 digits, a wide code",
        "memorises",
        _net(96, 0, architecture=PLAIN, corruption=GaussianNoise(0.01), trainer=BY_HEART),
        _digits(5),
    ),
    Case("the identity", "copies", FunctionTransformer(np.copy, np.copy), _digits(500)),
    Case("PCA with all axes", "copies", PCA(20), _two(curved, 300)),
    Case("as many numbers as columns", "copies", _net(20, 10), _two(curved, 300)),
    Case("one number fewer, noise", "copies", _net(19, 10), _two(independent, 400)),
    Case(
        "a wide code and hardly any noise",
        "copies",
        _net(64, 20, corruption=GaussianNoise(0.01)),
        _two(curved, 400),
    ),
    Case("a wide code and hardly a penalty", "copies", _net(64, 20, penalty=1e-6 * L1()), _two(curved, 400)),
    Case("independent columns", "noise", _net(5, 15), _two(independent, 500)),
    Case("independent columns, PCA", "noise", PCA(5), _two(independent, 500)),
    Case("independent columns, few", "noise", _net(3, 15), _two(independent, 800, width=10)),
    Case(
        "independent columns, trained long",
        "noise",
        _net(5, 0, architecture=WIDE, trainer=BY_HEART),
        _two(independent, 60),
    ),
    Case("1 number for 8 dimensions", "small", _net(1, 20), _two(flat, 400, rank=8, width=24)),
    Case("1 number for digits", "small", _net(1, 20), _digits(800)),
    Case("PCA(2) for 8 dimensions", "small", PCA(2), _two(flat, 400, rank=8, width=24)),
    Case(
        "a rate that kills units",
        "dead",
        _net(
            32,
            0,
            architecture=MLP((64,), activation=ReLU(), from_pca=False),
            code=ReLUCode(),
            penalty=1.0 * L1(),
            trainer=Trainer(max_epochs=40, lr=5e-2),
        ),
        _digits(1000),
    ),
    Case(
        "a penalty that leaves nothing",
        "collapsed",
        _net(8, 15, architecture=MLP((), from_pca=False), code=SigmoidCode(), penalty=1000 * L1()),
        _digits(800),
    ),
    Case(
        "a wide code, hardly trained",
        "collapsed",
        _net(64, 2, architecture=MLP((), from_pca=False), code=SigmoidCode(), penalty=0.1 * L1()),
        _two(curved, 400),
    ),
    Case(
        "one short epoch",
        "collapsed",
        _net(8, 0, architecture=PLAIN, trainer=Trainer(1, lr=1e-6)),
        _digits(800),
    ),
    Case("too short a training", "worse", _net(8, 12, architecture=PLAIN), _digits(1000)),
    Case("rows that are all the same", "nothing", _net(2, 2), lambda: (np.ones((100, 5)), np.ones((50, 5)))),
    Case("five rows to judge by", "nothing", _net(2, 5), _two(curved, 60, test=5)),
    Case("a mixed table with gaps", "good|strained", _net(8, 60), _patients),
]
