"""Evidence: what a fitted model says about rows, whatever the model is.

A score needs three things of a row x: where the model puts it (the code z), what it fails to rebuild (the
residual r = x - x_hat in units in which every column counts alike), and what that costs cell by cell. An
`Autoencoder` answers in its own scaled units and with its own loss; any other transformer with an
`inverse_transform` (PCA, a Pipeline) is read through both, each column on the scale its training rows have,
with r^2 as the cost.

Rows are encoded once; everything that follows, repairs included, happens in the encoded space and is decoded
at the end. There one cell of a table is one or more features, and 0 means that it is missing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.autoencoder import Autoencoder
from isthmus.checks import DataError, must, need

__all__ = ["ROUNDS", "Evidence", "Reader", "reader_of"]

ROUNDS = 4  # times a missing cell is rebuilt before it counts as at rest

Array = NDArray[Any]


class Evidence(NamedTuple):
    """Of n rows: inputs x and reconstructions x_hat (n, d), codes z (n, k), costs of cells (n, m).

    residual (n, m): x - x_hat of cells that are one number, the root of the cost of those that are several,
    so that a category of a hundred levels counts as the one cell it is. reader: what read them.
    """

    x: Array
    x_hat: Array
    z: Array
    cells: Array
    residual: Array
    reader: Any = None


class Reader(ABC):
    """A fitted model as what encodes rows, looks at them, and decodes them.

    spans: the features of each cell, as (start, stop). names: the cells' columns.
    """

    spans: list[tuple[int, int]]
    names: list[Any]
    rounds = ROUNDS

    @abstractmethod
    def encode(self, X: Any) -> tuple[Array, Array | None]:
        """Rows of X as features x (n, d), and which cells are observed (n, m), None for all."""

    @abstractmethod
    def look(self, x: Array, observed: Array | None = None) -> Evidence:
        """The evidence on encoded rows; cells that are missing leave no residual and cost nothing."""

    @abstractmethod
    def decode(self, x: Array) -> Any:
        """Encoded rows in the user's units."""

    def read(self, X: Any) -> Evidence:
        """The evidence on rows of X."""
        return self.look(*self.encode(X))


def reader_of(model: Any, X: Any) -> Reader:
    """The reader for a fitted model; X are its training rows, for the scales it may not know.

    Raises DataError where the model cannot rebuild what it transforms.
    """
    if isinstance(model, Autoencoder):
        return _OfAutoencoder(model)
    for name in ("transform", "inverse_transform"):
        if not hasattr(model, name):
            rule = "have transform and inverse_transform"
            raise must("model", rule, type(model).__name__, "Use Autoencoder(), PCA(8) or a Pipeline of such")
    values = _numbers(X)
    scale = values.std(0)
    return _OfTransformer(
        model, values.mean(0), np.where(scale > 0, scale, 1.0), list(getattr(X, "columns", ()))
    )


class _OfAutoencoder(Reader):
    def __init__(self, model: Autoencoder) -> None:
        self.model = model
        cells = model.schema_.layout.cells
        self.spans, self.names = [(c.start, c.stop) for c in cells], [c.name for c in cells]
        self.starts = np.array([c.start for c in cells])
        self.single = np.array([c.stop - c.start == 1 for c in cells])
        self.home = np.repeat(np.arange(len(cells)), [c.stop - c.start for c in cells])

    def encode(self, X: Any) -> tuple[Array, Array | None]:
        return self.model.schema_.encode(X)

    def look(self, x: Array, observed: Array | None = None) -> Evidence:
        x = np.ascontiguousarray(x, np.float32)
        unseen = None if observed is None else ~observed[:, self.home]
        if unseen is not None and not self.model.schema_.layout.gaps:
            x = self._filled(x, unseen)
        z, x_hat, cells = self.model.examine(x)
        if observed is not None and unseen is not None:
            cells[~observed] = 0.0
            x_hat[unseen] = x[unseen]
        residual = np.where(self.single, (x - x_hat)[:, self.starts], np.sqrt(np.maximum(cells, 0)))
        return Evidence(x, x_hat, z, cells, residual, self)

    def _filled(self, x: Array, unseen: Array) -> Array:
        """Missing features as a model that never met a gap makes them of the others."""
        x, rows = x.copy(), unseen.any(1)
        some, gone = x[rows], unseen[rows]
        for _ in range(ROUNDS if len(some) else 0):
            some[gone] = self.model.examine(some)[1][gone]
        x[rows] = some
        return x

    def decode(self, x: Array) -> Any:
        return self.model.schema_.decode(np.ascontiguousarray(x, np.float32))


class _OfTransformer(Reader):
    def __init__(self, model: Any, centre: Array, scale: Array, columns: list[Any]) -> None:
        self.model, self.centre, self.scale, self.columns = model, centre, scale, columns
        self.spans = [(j, j + 1) for j in range(len(centre))]
        self.names = columns or list(range(len(centre)))
        self.name = type(model).__name__

    def encode(self, X: Any) -> tuple[Array, Array | None]:
        if self.columns and hasattr(X, "columns"):
            other = set(X.columns) ^ set(self.columns)
            named = ", ".join(sorted(map(str, other)))
            need(
                not other,
                "X",
                f"have the columns {self.name} was fitted on",
                f"others: {named}",
                "Name them so",
            )
            X = X[self.columns]
        values = _numbers(X)
        if values.shape[1] != len(self.centre):
            raise DataError(
                f"X has {values.shape[1]} features, but {self.name} is expecting {len(self.centre)} "
                "features as input."
            )
        return (values - self.centre) / self.scale, None

    def look(self, x: Array, observed: Array | None = None) -> Evidence:
        z = np.asarray(self.model.transform(self.decode(x)))
        x_hat = (_numbers(self.model.inverse_transform(z)) - self.centre) / self.scale
        residual = x - x_hat
        return Evidence(x, x_hat, z.reshape(len(z), -1), residual**2, residual, self)

    def decode(self, x: Array) -> Any:
        values = x * self.scale + self.centre
        if not self.columns:
            return values
        import pandas

        return pandas.DataFrame(values, columns=self.columns)


def _numbers(X: Any) -> Array:
    values = np.asarray(X, np.float64)
    return values.reshape(len(values), -1)
