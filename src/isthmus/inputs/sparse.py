"""Sparse rows: scipy.sparse matrices, such as documents as weighted words, made dense a few rows at a time.

Of 20,000 documents and as many words one cell in two hundred is not zero; as a dense array they would take 3
GB. Here a block of rows is made dense when it is used, and nothing is kept of it. Zero means zero, not
missing, and all cells share one range, so that a word weighs what it weighs. What comes back, a
reconstruction, is dense.

>>> from scipy.sparse import csr_array
>>> X = csr_array([[0, 2, 0], [1, 0, 4]])
>>> schema = Sparse().fit(X)
>>> schema.encode(X).x.tolist(), schema.layout.positive
([[0.0, 0.5, 0.0], [0.25, 0.0, 1.0]], True)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import DataError, must
from isthmus.inputs.base import Encoded, Inputs, Schema
from isthmus.inputs.source import Source
from isthmus.parts import Layout
from isthmus.wording import counted, percent

__all__ = ["Sparse", "SparseSchema", "SparseSource", "is_sparse"]

CELLS = 2**21  # of a block when it is dense: 8 MB


def is_sparse(X: Any) -> bool:
    """Whether X is a scipy.sparse matrix or array."""
    return hasattr(X, "tocsr") and type(X).__module__.startswith("scipy.sparse")


class SparseSource(Source):
    """A sparse matrix in blocks of rows, which stay sparse."""

    def __init__(self, X: Any) -> None:
        if X.ndim != 2 or X.dtype.kind not in "biuf":
            got = f"{X.ndim}-D, {X.dtype}"
            raise must("a sparse X", "be 2-D and hold real numbers", got, "Use a CSR matrix of floats")
        for axis, word in ((0, "sample"), (1, "feature")):
            if X.shape[axis] == 0:
                raise DataError(
                    f"Found array with 0 {word}(s) (shape={X.shape}) while a minimum of 1 is required."
                )
        self.X = X.tocsr()
        values = self.X.data
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise DataError(
                "Input X contains NaN or infinity; sparse rows have zeros, not gaps. Replace them."
            )

    @cached_property
    def sizes(self) -> Sequence[int]:
        """Rows of every block."""
        rows, size = self.X.shape[0], self._rows
        return [min(size, rows - start) for start in range(0, rows, size)]

    @property
    def _rows(self) -> int:
        return max(1, min(4096, CELLS // int(self.X.shape[1])))

    @property
    def cheap(self) -> bool:
        """It is in memory."""
        return True

    def read(self, block: int) -> Any:
        """The rows of one block, sparse."""
        return self.X[block * self._rows : (block + 1) * self._rows]


class SparseSchema(Schema):
    """Columns of a sparse matrix by number, all from 0 (or -`top`) to `top`."""

    width: int
    top: float = 1.0
    positive: bool = True
    dtype: str = "float64"

    @property
    def names(self) -> tuple[str | int, ...]:
        """0 ... width - 1."""
        return tuple(range(self.width))

    @property
    def named(self) -> bool:
        """Never."""
        return False

    @cached_property
    def layout(self) -> Layout:
        """One number for each column."""
        return Layout.numeric(self.width, positive=self.positive)

    def source(self, X: Any) -> Any:
        """A sparse matrix as blocks; anything else as it is."""
        return SparseSource(X) if is_sparse(X) else X

    def encode(self, X: Any) -> Encoded:
        """Rows as dense float32, in units of the largest value."""
        if isinstance(X, SparseSource):
            X = X.X
        elif is_sparse(X):
            X = SparseSource(X).X
        if np.ndim(X) != 2 and not is_sparse(X):
            raise DataError(
                f"X must be 2-D; got a {np.ndim(X)}-D array. Expected 2D array. Reshape your data."
            )
        if X.shape[1] != self.width:
            raise DataError(
                f"X has {X.shape[1]} features, but Autoencoder is expecting {self.width} features as input."
            )
        dense = X.toarray() if is_sparse(X) else np.asarray(X)
        x = np.ascontiguousarray(dense, np.float32) / np.float32(self.top)
        if not np.isfinite(x).all():
            raise DataError("Input X contains NaN or infinity. Replace it; zero means zero here.")
        return Encoded(np.clip(x, 0.0, None) if self.positive else x, None)

    def decode(self, x_hat: NDArray[np.float32], like: Any = None) -> Any:
        """A dense array."""
        dtype = np.dtype(self.dtype if np.dtype(self.dtype).kind == "f" else "float64")
        return (x_hat * self.top).astype(dtype)

    def value(self, X: Any, row: int, cell: int) -> Any:
        """X[row, cell]."""
        return X[[row]].toarray()[0, cell].item() if is_sparse(X) else np.asarray(X)[row, cell].item()


class Sparse(Inputs):
    """A scipy.sparse matrix (n, columns) of real numbers, such as tf-idf weights."""

    def open(self, X: Any) -> Any:
        """The matrix as blocks of rows."""
        return SparseSource(X) if is_sparse(X) else X

    def fit(self, X: Any) -> Schema:
        """Learn the range."""
        matrix = X.X if isinstance(X, SparseSource) else X
        if not is_sparse(matrix):
            raise must("X", "be a scipy.sparse matrix", type(X).__name__, "Use inputs=Table() for arrays")
        matrix = SparseSource(matrix).X
        values = matrix.data.astype(np.float64)
        top = float(np.abs(values).max()) if values.size else 1.0
        positive = not values.size or float(values.min()) >= 0
        filled = values.size / (matrix.shape[0] * matrix.shape[1])
        width = counted(matrix.shape[1], "column")
        note = f"Read as sparse rows of {width}, {percent(filled, 2)} of the cells not zero."
        return SparseSchema(int(matrix.shape[1]), top or 1.0, positive, str(matrix.dtype), notes=(note,))
