"""Why: in which cells two rows agree, beside how much others do."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.anomaly.regions import hottest
from isthmus.checks import DataError
from isthmus.inputs import SignalsSchema
from isthmus.inputs.frames import as_frame_like, is_frame
from isthmus.retrieval.coder import Coder
from isthmus.retrieval.rows import is_sparse, is_texts

__all__ = ["agreement", "apart"]

Array = NDArray[Any]
TERMS = 20  # of a sparse row, at most
UNKNOWN = 1.0  # what a cell counts that one row shows and the other lacks


def apart(coder: Coder, asked: Any, rows: Any) -> NDArray[np.float32]:
    """Root mean square difference (n,) of rows from one, over the cells that one has."""
    differ, seen = _differences(coder, asked, rows)
    return np.sqrt(differ[:, seen].mean(1) if seen.any() else np.zeros(len(differ))).astype(np.float32)


def agreement(coder: Coder, asked: Any, found: Any, others: Any) -> Any:
    """What `Retriever.why` returns."""
    words = coder.words(asked) if is_texts(asked) else None
    if words is not None and hasattr(words, "get_feature_names_out"):
        return _terms(words.transform(asked), words.transform(found), words.get_feature_names_out(), "word")
    if is_sparse(asked):
        return _terms(asked, found, np.arange(asked.shape[1]), "column")
    if is_texts(asked) or not coder.spans:
        raise DataError("why must have rows of numbers or columns; got others. Compare them by looking.")
    shape = tuple(getattr(getattr(coder.model, "schema_", None), "shape", ()))
    if len(shape) > 1:
        return _places(coder, asked, found, others, shape)
    differ, seen = _differences(coder, asked, found)
    usual, _ = _differences(coder, asked, others)
    share = (usual > differ + 1e-12).mean(0)
    there = coder.cells(found)[1]
    share = share if there is None else np.where(there[0], share, 0.0)
    order = [j for j in np.argsort(-share, kind="stable") if seen[j]]
    table = {
        "column": [coder.names[j] for j in order],
        "query": [_value(asked, coder.names[j]) for j in order],
        "found": [_value(found, coder.names[j]) for j in order],
        "agreement": share[order],
    }
    return as_frame_like(None, table)


def _differences(coder: Coder, asked: Any, rows: Any) -> tuple[Array, NDArray[np.bool_]]:
    """Squared differences (n, cells) of rows from one, at most 1 for categories, and the cells that one
    has.
    """
    a, known = coder.cells(asked)
    b, there = coder.cells(rows)
    squares = np.square(b.astype(np.float64) - a.astype(np.float64))
    starts = [start for start, _ in coder.spans]
    if len(starts) < squares.shape[1]:
        squares = np.add.reduceat(squares, starts, axis=1)
    kinds = _kinds(coder)
    squares *= np.where(kinds == "binary", 0.25, np.where(kinds == "categorical", 0.5, 1.0))
    if there is not None:
        squares[~there] = UNKNOWN
    seen = np.ones(len(starts), np.bool_) if known is None else known[0]
    return squares, seen


def _kinds(coder: Coder) -> NDArray[Any]:
    schema = getattr(coder.model, "schema_", None)
    if schema is None:
        return np.full(len(coder.spans), "numeric")
    return np.array([cell.kind for cell in schema.layout.cells])


def _value(rows: Any, name: Any) -> Any:
    if not is_frame(rows):
        return np.asarray(rows).reshape(-1)[name].item()
    column = rows[name]
    return column.iloc[0] if hasattr(column, "iloc") else column[0]


def _terms(asked: Any, found: Any, names: Array, what: str) -> Any:
    """Columns that both rows have, by their share of the product."""
    product = asked.multiply(found).tocoo()
    order = np.argsort(-product.data, kind="stable")[:TERMS]
    total = float(product.data.sum()) or 1.0
    columns = product.coords[-1] if hasattr(product, "coords") else product.col
    return as_frame_like(None, {what: names[columns[order]], "share": product.data[order] / total})


def _places(coder: Coder, asked: Any, found: Any, others: Any, shape: tuple[int, ...]) -> Any:
    """Regions where two samples differ less than others do."""
    differ, _ = _differences(coder, asked, found)
    usual, _ = _differences(coder, asked, others)
    common = np.maximum(usual.mean(0) - differ[0], 0).reshape(shape)
    regions = hottest(common, isinstance(coder.model.schema_, SignalsSchema))
    return as_frame_like(None, {"place": [r.place for r in regions], "share": [r.share for r in regions]})
