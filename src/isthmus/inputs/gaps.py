"""Gaps: which cells of a table are missing, and the table with them filled and all else as it was.

What is observed is never written, not even by the value it has: a completed table is X itself with other
values where it had none. A level that was not in the training data is observed, though no model can read it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import must
from isthmus.inputs.arrays import ArraySchema, as_array
from isthmus.inputs.base import Schema
from isthmus.inputs.columns import LevelSpec, NumberSpec, TruthSpec
from isthmus.inputs.frames import library_of, merged, write_frame
from isthmus.inputs.table import TableSchema

__all__ = ["completed", "gaps_of", "numbers_of", "scales_of"]


def gaps_of(schema: Schema, X: Any) -> NDArray[np.bool_]:
    """Which cells of X have no value: (n, cells)."""
    if isinstance(schema, TableSchema):
        columns = [column for _, _, column in schema._matched(X)]
        return np.column_stack(
            [
                np.isnan(column.numbers)
                if column.numbers is not None
                else np.array([value is None for value in column.values or ()], dtype=bool)
                for column in columns
            ]
        )
    return np.asarray(np.isnan(_values(schema, X)))


def numbers_of(schema: Schema, X: Any) -> NDArray[np.float64]:
    """The numbers and moments of X in its own units, NaN where missing: (n, numeric cells)."""
    if isinstance(schema, TableSchema):
        found = [spec.numbers(c) for _, spec, c in schema._matched(X) if isinstance(spec, NumberSpec)]
        return np.column_stack(found) if found else np.empty((len(X), 0))
    return _values(schema, X)


def scales_of(schema: Schema) -> Any:
    """The scales of those numbers."""
    if isinstance(schema, (TableSchema, ArraySchema)):
        return schema.scales
    raise must("X", "be a table", type(schema).__name__, "Use a DataFrame or an array (n, columns)")


def completed(
    schema: Schema,
    X: Any,
    gaps: NDArray[np.bool_],
    numbers: NDArray[np.float64],
    x_hat: NDArray[np.float32],
) -> Any:
    """X with its gaps (n, cells) filled: numbers (n, numeric cells) in the data's own units, and yes/no and
    levels as x_hat (n, d) has them. In the kind, order, index and dtypes of X.
    """
    if not isinstance(schema, TableSchema):
        filled: Any = np.where(gaps, numbers, as_array(X)) if gaps.any() else np.array(X)
        return filled.astype(np.asarray(X).dtype, copy=False)
    X = schema._framed(X)
    made, columns = {}, iter(numbers.T)
    for cell, spec in zip(schema.layout.cells, schema.columns, strict=True):
        if isinstance(spec, NumberSpec):
            made[spec.name] = spec.decode(next(columns))
        elif isinstance(spec, LevelSpec):
            named = np.where(
                np.arange(spec.width) < max(1, len(spec.levels)), x_hat[:, cell.start : cell.stop], -1
            )
            made[spec.name] = spec.decode(named.astype(np.float32))
        elif isinstance(spec, TruthSpec):
            made[spec.name] = spec.decode(x_hat[:, cell.start : cell.stop])
    where = {name: gaps[:, j] for j, name in enumerate(schema.names)}
    return merged(X, write_frame(made, library_of(X), X), where)


def _values(schema: Schema, X: Any) -> NDArray[np.float64]:
    """An array (n, columns) of as many columns as were fitted."""
    scales_of(schema)
    assert isinstance(schema, ArraySchema)
    values = schema._values(X).astype(np.float64)
    if schema.shape:
        raise must("X", "be a table", f"samples of shape {schema.shape}", "Use an array (n, columns)")
    return values
