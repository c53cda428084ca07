"""Rows as a store keeps them: tables column by column, everything else as bytes."""

from __future__ import annotations

from typing import Any

import numpy as np

from isthmus.checks import FileError, need
from isthmus.inputs import is_sparse
from isthmus.inputs.frames import is_frame, library_of
from isthmus.parts import Record
from isthmus.retrieval.facts import WIDEST, frame_of
from isthmus.retrieval.store import Ids, Store
from isthmus.wording import counted

__all__ = ["ArrayRows", "FrameRows", "Keeper", "SparseRows", "TextRows", "is_sparse", "is_texts", "keeper_of"]


def is_texts(X: Any) -> bool:
    """Whether X is a list of texts."""
    return isinstance(X, (list, tuple)) and len(X) > 0 and all(isinstance(row, str) for row in X)


class Keeper(Record):
    """Turns rows of one kind into bytes and back."""

    def bytes_of(self, X: Any) -> list[bytes | None]:
        """One for each row."""
        raise NotImplementedError

    def restore(self, store: Store, ids: Ids) -> Any:
        """The rows numbered `ids`, as data of the kind that came."""
        return self.read([_there(row, i) for row, i in zip(store.rows(ids), ids, strict=True)])

    def read(self, rows: list[bytes]) -> Any:
        """Rows from their bytes."""
        raise NotImplementedError


class FrameRows(Keeper):
    """Rows of a frame: their columns are facts of their own."""

    library: str = "pandas"

    def bytes_of(self, X: Any) -> list[bytes | None]:
        """None: nothing besides the facts."""
        return [None] * len(X)

    def restore(self, store: Store, ids: Ids) -> Any:
        """A frame of the library that came."""
        pairs = zip(store.facts, store.columns(ids), strict=True)
        own = [(fact, values) for fact, values in pairs if fact.own]
        return frame_of([fact for fact, _ in own], [values for _, values in own], self.library)


class ArrayRows(Keeper):
    """Rows of an array of this dtype, each of this shape."""

    dtype: str
    shape: tuple[int, ...]

    def bytes_of(self, X: Any) -> list[bytes | None]:
        """Of the numbers in order."""
        array = np.ascontiguousarray(X, np.dtype(self.dtype)).reshape(len(X), -1)
        size = int(np.prod(self.shape))
        need(
            array.shape[1] == size,
            "X",
            f"have {counted(size, 'number')} a row as at fit",
            array.shape[1],
            "Check it",
        )
        return [row.tobytes() for row in array]

    def read(self, rows: list[bytes]) -> Any:
        """(n, *shape)."""
        try:
            return np.frombuffer(b"".join(rows), np.dtype(self.dtype)).reshape(len(rows), *self.shape).copy()
        except ValueError:
            raise FileError(
                "the store's rows must fit its model; got others. Index the data again."
            ) from None


class SparseRows(Keeper):
    """Rows of a sparse matrix with `width` columns: the columns of what is not zero, and its values."""

    width: int

    def bytes_of(self, X: Any) -> list[bytes | None]:
        """Columns as int32, then values as float32."""
        X = X.tocsr()
        ends = zip(X.indptr[:-1], X.indptr[1:], strict=True)
        return [
            X.indices[a:b].astype(np.int32).tobytes() + X.data[a:b].astype(np.float32).tobytes()
            for a, b in ends
        ]

    def read(self, rows: list[bytes]) -> Any:
        """A CSR array."""
        from scipy.sparse import csr_array

        halves = [(row[: len(row) // 2], row[len(row) // 2 :]) for row in rows]
        columns = np.frombuffer(b"".join(a for a, _ in halves), np.int32)
        values = np.frombuffer(b"".join(b for _, b in halves), np.float32)
        ends = np.cumsum([0, *(len(a) // 4 for a, _ in halves)])
        return csr_array((values, columns, ends), shape=(len(rows), self.width))


class TextRows(Keeper):
    """Rows that are texts."""

    def bytes_of(self, X: Any) -> list[bytes | None]:
        """UTF-8."""
        return [row.encode("utf-8", "surrogatepass") for row in X]

    def read(self, rows: list[bytes]) -> Any:
        """A list."""
        return [row.decode("utf-8", "surrogatepass") for row in rows]


def keeper_of(X: Any) -> Keeper:
    """How rows like X are kept."""
    if is_texts(X):
        return TextRows()
    if is_sparse(X):
        return SparseRows(int(X.shape[1]))
    if is_frame(X):
        columns = len(X.columns)
        need(columns <= WIDEST, "X", f"have at most {WIDEST} columns", columns, "Use X.to_numpy()")
        return FrameRows(library_of(X))
    array = np.asarray(X)
    return ArrayRows(str(array.dtype), tuple(int(size) for size in array.shape[1:]))


def _there(row: bytes | None, number: Any) -> bytes:
    if row is None:
        raise FileError(f"the store has no row {number}. Use a number that query gave.")
    return row
