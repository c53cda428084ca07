"""How a table's columns travel: numbers in one float64 matrix, text in one matrix of strings.

Yes/no is 1 and 0, a moment its microseconds since 1970, NaN where missing; a column of levels that are
numbers goes with the numbers, one of levels that are text goes with the text, "" where missing.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.autoencoder import Autoencoder
from isthmus.checks import brief, must
from isthmus.inputs import (
    ArraySchema,
    ImagesSchema,
    LevelSpec,
    NumberSpec,
    SignalsSchema,
    TableSchema,
    TruthSpec,
)
from isthmus.inputs.columns import Spec

__all__ = ["Fitted", "Outputs", "feeds", "fitted_schema", "is_text", "is_whole", "split_columns"]


Fitted = ArraySchema | TableSchema


class Outputs(NamedTuple):
    """What an exported model gives: z (n, k); x_hat an array of the fitted kind, or a table's columns in the
    order of fitting; errors (n, cells); score (n,).
    """

    z: NDArray[Any]
    x_hat: Any
    errors: NDArray[Any]
    score: NDArray[Any]


def fitted_schema(model: Autoencoder) -> Fitted:
    """The model's schema, where it is one that can be exported."""
    schema = model.schema_
    if isinstance(schema, (ImagesSchema, SignalsSchema)):
        return schema.as_arrays()
    if not isinstance(schema, (ArraySchema, TableSchema)):
        raise must("model", "be fitted on a table or an array to be exported", schema, "Fit it on an array")
    return schema


def is_text(spec: Spec) -> bool:
    """Whether a column's levels are text; refuses levels that are neither all text nor all numbers."""
    if not isinstance(spec, LevelSpec):
        return False
    if all(isinstance(level, str) for level in spec.levels):
        return True
    numbers = [float(level) for level in spec.levels if not isinstance(level, str)]
    if len(set(numbers)) < len(spec.levels) or not all(map(math.isfinite, numbers)):
        rule = "have levels that are all text or all distinct numbers to be exported"
        raise must(f"column {spec.name!r}", rule, brief(str(spec.levels)), "Convert it to text and fit again")
    return False


def is_whole(spec: Spec) -> bool:
    """Whether a number is rounded on the way back."""
    return isinstance(spec, NumberSpec) and spec.dtype.text.lower().startswith(("int", "uint"))


def split_columns(schema: Fitted) -> tuple[list[int], list[int]]:
    """Positions of the columns that travel as numbers, and of those that travel as text."""
    if isinstance(schema, ArraySchema):
        return list(range(len(schema.names))), []
    text = [j for j, spec in enumerate(schema.columns) if is_text(spec)]
    return [j for j in range(len(schema.columns)) if j not in set(text)], text


def feeds(schema: Fitted, X: Any) -> dict[str, Any]:
    """X as an ONNX file takes it: {"X": matrix} and, for a table with text, "text"."""
    if isinstance(schema, ArraySchema):
        array = np.asarray(X)
        shape = schema.shape or (len(schema.names),)
        return {"X": array.reshape(len(array), *shape).astype(array_dtype(schema))}
    numbers, text = split_columns(schema)
    matched = schema._matched(X)
    columns = [_as_numbers(matched[j][1], matched[j][2]) for j in numbers]
    made = {"X": np.column_stack(columns) if columns else np.empty((len(X), 0))}
    if text:
        words = [["" if v is None else v for v in matched[j][2].values or ()] for j in text]
        made["text"] = np.array(words, dtype=object).T
    return made


def array_dtype(schema: ArraySchema) -> np.dtype[Any]:
    """The dtype an exported model takes and gives: the fitted one, or float64 where that was no number's."""
    dtype = np.dtype(schema.dtype)
    return dtype if dtype.kind in "biuf" and dtype.itemsize <= 8 else np.dtype(np.float64)


def _as_numbers(spec: Spec, column: Any) -> NDArray[np.float64]:
    if isinstance(spec, NumberSpec):
        return spec.numbers(column)
    if isinstance(spec, TruthSpec):
        signs = spec.encode(column)[:, 0].astype(np.float64)
        return np.where(signs == 0, np.nan, (signs + 1) / 2)
    if column.numbers is not None:
        return np.asarray(column.numbers)
    return np.array([np.nan if value is None else float(value) for value in column.values])
