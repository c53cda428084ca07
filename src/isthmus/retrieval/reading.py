"""Reading: whatever may be searched or asked with, as rows of one kind, a block at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from isthmus.checks import must, need
from isthmus.inputs import Folder, Source, as_source, is_sparse, rows_of, sample
from isthmus.inputs.folders import is_path, open_folder
from isthmus.inputs.frames import is_frame, stacked
from isthmus.retrieval.asking import read_file
from isthmus.retrieval.facts import columns_of
from isthmus.retrieval.rows import FrameRows, TextRows, is_texts
from isthmus.retrieval.store import Ids, Store

__all__ = [
    "as_rows",
    "blocks",
    "count",
    "drawn",
    "gathered",
    "lines_of",
    "picked",
    "question",
    "read_by",
    "row_numbers",
]

LEARNED = 50_000  # rows that metric, smoothing and bits are learned from, at most
BLOCK = 16_384  # rows encoded and stored together


def as_rows(X: Any) -> Any:
    """Frames, sparse matrices, texts and sources as they are, a folder as its source, the rest as an
    array.
    """
    X = _listed(as_source(X))
    if is_path(X):
        return open_folder(X)
    if isinstance(X, (Source, dict)) or is_frame(X) or is_texts(X):
        need(len(X) > 0, "X", "have at least one row", "none", "Pass rows")
        return X
    if is_sparse(X):
        need(X.shape[0] > 0, "X", "have at least one row", "none", "Pass rows")
        return X.tocsr()
    array = np.asarray(X)
    if array.ndim < 2 or not array.size or array.dtype.kind not in "biuf":
        raise must(
            "X", "be rows of numbers, a DataFrame, texts or a folder", f"shape {array.shape}", "Reshape it"
        )
    return array


def _texts(X: Any) -> list[str]:
    """A question of a store of texts."""
    X = [X] if isinstance(X, str) else _listed(X)
    need(is_texts(X), "a query", "be a text or a list of texts", X, "Use 'words to look for'")
    return list(X)


def _listed(X: Any) -> Any:
    """A column or an array of texts as their list, anything else as it is."""
    if getattr(X, "ndim", 0) != 1 or not hasattr(X, "tolist"):
        return X
    values = X.tolist()
    odd = next((i for i, value in enumerate(values) if not isinstance(value, str)), None)
    if odd is None and values:
        return values
    if any(isinstance(value, str) for value in values):
        raise must("X", "have a text in every row", f"{values[odd]!r} in row {odd}", "Use X.fillna('')")
    return X


def count(X: Any) -> int:
    """Rows of X."""
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def blocks(X: Any) -> Iterator[Any]:
    """Rows of X, some at a time."""
    if isinstance(X, Source):
        yield from X.blocks()
        return
    for start in range(0, count(X), BLOCK):
        part = slice(start, start + BLOCK)
        yield X[part] if is_texts(X) or is_sparse(X) else rows_of(X, part)


def gathered(X: Source) -> Any:
    """All rows of a source in memory."""
    return stacked(list(X.blocks()))


def drawn(X: Any, seed: int) -> Any:
    """Rows to learn the space from."""
    if isinstance(X, Source):
        return sample(X, seed, LEARNED)[0]
    n = count(X)
    if n <= LEARNED:
        return X
    return picked(X, np.sort(np.random.default_rng(seed).choice(n, LEARNED, replace=False)))


def picked(X: Any, which: Any) -> Any:
    """The rows numbered `which` of what is in memory."""
    return [X[i] for i in which] if is_texts(X) else X[which] if is_sparse(X) else rows_of(X, which)


def lines_of(store: Store, block: Any, lines: Any, keeper: Any) -> list[list[Any]]:
    """Values of all facts for rows and their lines of metadata."""
    own = [fact for fact in store.facts if fact.own]
    more = [fact for fact in store.facts if not fact.own]
    rows = count(lines) if block is None else count(block)
    outer = columns_of(lines, more) if lines is not None else [[None] * rows for _ in more]
    given = isinstance(keeper, FrameRows) and block is not None
    inner = columns_of(block, own) if given else [[None] * rows for _ in own]
    return [*outer, *inner]


def row_numbers(rows: Any) -> Ids:
    """Numbers of rows as an array; DataError for what are none."""
    ids = np.atleast_1d(np.asarray(rows))
    if ids.dtype.kind not in "iu" and ids.size:
        raise must("row numbers", "be whole numbers", rows, "Use the column 'row' of query")
    return ids.astype(np.int64).ravel()


def read_by(model: Any, X: Any) -> Any:
    """A folder as the model reads it."""
    schema = getattr(model, "schema_", None)
    return schema.source(X) if schema is not None and isinstance(X, Folder) else X


def question(X: Any, model: Any, keeper: Any) -> Any:
    """A question as rows: a path is read, one row becomes a set of one; DataError where there is none."""
    if isinstance(keeper, TextRows):
        return _texts(X)
    if isinstance(X, list) and X and all(isinstance(row, Mapping) for row in X):
        X = {name: [row.get(name) for row in X] for name in dict.fromkeys(n for row in X for n in row)}
    if isinstance(X, Mapping):
        return X
    if is_path(X) and hasattr(model, "schema_"):
        X = read_file(model.schema_, X)
    elif hasattr(X, "to_frame") and not hasattr(X, "columns"):
        X = X.to_frame().T.infer_objects()
    elif not (is_sparse(X) or is_frame(X) or isinstance(X, Source)):
        X = np.asarray(X)
        good = X.ndim > 0 and X.dtype.kind in "biuf"
        need(good, "a query", "be rows like those stored", X.tolist(), "Use like(17) for a stored row")
        shape = getattr(keeper, "shape", None)
        X = X[None] if shape is not None and X.shape == tuple(shape) else X
    if isinstance(X, Source):
        X = gathered(read_by(model, X))
    need(count(X) > 0, "a query", "have at least one row", "none", "Pass rows")
    return X
