"""Tables: numbers, yes/no, categories, moments and gaps in one matrix, and back.

Each column becomes one cell: a scaled number, a sign, or a one-hot group. All numbers are scaled together;
everything learned is in the schema, so a saved model needs nothing else to read the next table.

>>> import pandas as pd
>>> df = pd.DataFrame({"size": [1.0, 2.0, None], "kind": ["a", "b", "a"]})
>>> schema = Table().fit(df)
>>> schema.encode(df).x.shape, schema.layout.cells[1].kind
((3, 3), 'categorical')
>>> schema.decode(schema.encode(df).x)["kind"].tolist()
['a', 'b', 'a']
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import DataError, must
from isthmus.inputs.arrays import ArraySchema, as_array, encode_numbers, no_folder, refuse_infinite
from isthmus.inputs.base import Encoded, Inputs, Schema
from isthmus.inputs.columns import (
    Boolean,
    Categorical,
    ColumnKind,
    Datetime,
    LevelSpec,
    NumberSpec,
    Numeric,
    Spec,
    TruthSpec,
)
from isthmus.inputs.frames import (
    Column,
    column_names,
    is_frame,
    library_of,
    plain_numbers,
    read_columns,
    write_frame,
)
from isthmus.inputs.scaling import Scales, Scaling, Standard
from isthmus.inputs.statistics import Statistics, statistics_of
from isthmus.parts import Cell, Layout
from isthmus.wording import few

__all__ = ["Table", "TableSchema"]


class TableSchema(Schema):
    """The columns of a DataFrame, by name."""

    columns: tuple[Spec, ...]
    scales: Scales
    positive: bool = False
    gaps: bool = False

    @cached_property
    def names(self) -> tuple[str | int, ...]:
        """Columns in the order of fitting."""
        return tuple(spec.name for spec in self.columns)

    @property
    def named(self) -> bool:
        """Always."""
        return True

    @cached_property
    def layout(self) -> Layout:
        """One cell per column."""
        cells, start = [], 0
        for spec in self.columns:
            cells.append(Cell(spec.name, spec.kind, start, start + spec.width))
            start += spec.width
        positive = self.positive and all(cell.kind == "numeric" for cell in cells)
        return Layout(tuple(cells), (), positive, self.gaps)

    def source(self, X: Any) -> Any:
        """X as it is, unless it is a folder."""
        return no_folder(X)

    def encode(self, X: Any) -> Encoded:
        """Columns matched by name, in any order; an array or nameless data by position."""
        X = self._framed(X)
        raw = plain_numbers(X, self.names) if self._all_numbers else None
        if raw is not None:
            return encode_numbers(raw, self.scales, self.names)
        columns = self._columns_of(X)
        x = np.zeros((len(X), self.layout.width), np.float32)
        numeric = [(cell, spec, c) for cell, spec, c in columns if isinstance(spec, NumberSpec)]
        if numeric:
            values = np.column_stack([spec.numbers(column) for _, spec, column in numeric])
            refuse_infinite(values, tuple(cell.name for cell, _, _ in numeric))
            gone = np.isnan(values)
            places = [cell.start for cell, _, _ in numeric]
            x[:, places] = np.where(gone, 0.0, self.scales.encode(values))
        observed = np.empty((len(x), len(self.columns)), dtype=bool)
        for j, (cell, spec, column) in enumerate(columns):
            if isinstance(spec, NumberSpec):
                observed[:, j] = ~np.isnan(spec.numbers(column))
            elif isinstance(spec, (TruthSpec, LevelSpec)):
                x[:, cell.start : cell.stop] = spec.encode(column)
                observed[:, j] = x[:, cell.start : cell.stop].any(1)
        return Encoded(x, None if observed.all() else observed)

    def decode(self, x_hat: NDArray[np.float32], like: Any = None) -> Any:
        """A DataFrame of the fitted library, columns and dtypes."""
        places = [
            c.start
            for c, spec in zip(self.layout.cells, self.columns, strict=True)
            if isinstance(spec, NumberSpec)
        ]
        numbers = iter(self.scales.decode(x_hat[:, places]).T)
        made: dict[str | int, Any] = {}
        for cell, spec in zip(self.layout.cells, self.columns, strict=True):
            if isinstance(spec, NumberSpec):
                made[spec.name] = spec.decode(next(numbers))
            elif isinstance(spec, (TruthSpec, LevelSpec)):
                made[spec.name] = spec.decode(x_hat[:, cell.start : cell.stop])
        return write_frame(made, self.columns[0].dtype.library, like)

    def value(self, X: Any, row: int, cell: int) -> Any:
        """The value of column number `cell` in row number `row`."""
        return self._matched(X)[cell][2].raw(row)

    def _matched(self, X: Any) -> list[tuple[Cell, Spec, Column]]:
        """The fitted columns beside those of X."""
        return self._columns_of(self._framed(X))

    def _framed(self, X: Any) -> Any:
        """X as a frame that has the fitted columns."""
        if not is_frame(X):
            X = _frame_by_position(X, self.names)
        given, wanted = column_names(X), self.names
        if set(given) != set(wanted):
            raise DataError(_difference(given, list(wanted)))
        return X

    def _columns_of(self, X: Any) -> list[tuple[Cell, Spec, Column]]:
        by_name = {column.name: column for column in read_columns(X)}
        return [(c, s, by_name[s.name]) for c, s in zip(self.layout.cells, self.columns, strict=True)]

    @cached_property
    def _all_numbers(self) -> bool:
        return all(isinstance(spec, NumberSpec) for spec in self.columns)


class Table(Inputs):
    """A DataFrame or a 2-D array, each column read by its dtype.

    columns: kinds by name, where the dtype misleads: {"zip": Categorical(), "flag": Boolean()}.
    scaling: how numbers are scaled: `Standard()`, `Shared()`, `UnitRange()`, `Unscaled()`.
    max_levels: levels kept in a column of text.
    min_count: rows in which a level must be met to be kept.
    """

    columns: dict[str | int, ColumnKind] | None = None
    scaling: Scaling = Standard()
    max_levels: int = 64
    min_count: int = 1

    def fit(self, X: Any) -> Schema:
        """Learn the columns of X."""
        return self._fit_frame(X) if is_frame(X) else self._fit_array(X)

    def _fit_array(self, X: Any) -> Schema:
        if self.columns:
            do = "Use a DataFrame"
            raise must(
                "columns", "be left out for an array, whose columns are all numbers", list(self.columns), do
            )
        array = as_array(X)
        values = array.reshape(len(array), -1)
        known = _known(values, tuple(range(values.shape[1])))
        scales = self.scaling(values, known)
        dtype = np.asarray(X).dtype
        shape = array.shape[1:] if array.ndim > 2 else ()
        notes = _about_tails(scales, tuple(range(values.shape[1])))
        gaps = known is None and bool(np.isnan(values).any())
        return ArraySchema(scales, str(dtype), shape, self.scaling.positive, gaps, notes=notes)

    def _fit_frame(self, X: Any) -> Schema:
        columns = read_columns(X)
        _refuse_empty(X, columns)
        chosen = self.columns or {}
        unknown = [name for name in chosen if name not in [column.name for column in columns]]
        if unknown:
            raise must("columns", "name columns of X", unknown[0], f"X has {_few([c.name for c in columns])}")
        learned = [chosen.get(column.name, self._guess(column)).learn(column) for column in columns]
        specs = tuple(spec for spec, _ in learned)
        numeric = [(s, c) for s, c in zip(specs, columns, strict=True) if isinstance(s, NumberSpec)]
        names = tuple(spec.name for spec, _ in numeric)
        values = np.column_stack([s.numbers(c) for s, c in numeric]) if numeric else np.empty((len(X), 0))
        scales = self.scaling(values, _known(values, names))
        notes = (*(note for _, some in learned for note in some), *_about_tails(scales, names))
        gaps = any(column.gaps for column in columns)
        return TableSchema(specs, scales, self.scaling.positive, gaps, notes=notes)

    def _guess(self, column: Column) -> ColumnKind:
        kinds: dict[str, ColumnKind] = {"numeric": Numeric(), "time": Datetime(), "boolean": Boolean()}
        return kinds.get(column.kind, Categorical(self.max_levels, self.min_count))


def _refuse_empty(X: Any, columns: list[Column]) -> None:
    if not columns:
        raise DataError(f"Found array with 0 feature(s) (shape={X.shape}) while a minimum of 1 is required.")
    if not len(X):
        raise DataError(f"Found array with 0 sample(s) (shape={X.shape}) while a minimum of 1 is required.")


def _about_tails(scales: Scales, names: tuple[str | int, ...]) -> tuple[str, ...]:
    if not scales.squeezed:
        return ()
    which = _few([names[j] for j in scales.squeezed])
    return (f"Heavy tails: {which} squeezed by asinh, so that a few extreme values do not drown the rest.",)


def _few(names: list[str | int]) -> str:
    return few([repr(name) for name in names], 5)


def _difference(given: list[str | int], wanted: list[str | int]) -> str:
    missing = [name for name in wanted if name not in given]
    unknown = [name for name in given if name not in wanted]
    parts = [f"lacks {_few(missing)}"] if missing else []
    parts += [f"has unknown {_few(unknown)}"] if unknown else []
    return f"X must have the columns it was fitted on; got one that {' and '.join(parts)}. Add or drop them."


def _frame_by_position(X: Any, names: tuple[str | int, ...]) -> Any:
    """An array's columns under the fitted names."""
    array = np.asarray(X, dtype=object) if not isinstance(X, np.ndarray) else X
    if array.ndim != 2 or array.shape[1] != len(names):
        shape = array.shape[1] if array.ndim == 2 else array.ndim
        raise DataError(
            f"X has {shape} features, but Autoencoder is expecting {len(names)} features as input."
        )
    library = "pandas" if library_of(X) == "" else library_of(X)
    import importlib

    return importlib.import_module(library).DataFrame({name: array[:, j] for j, name in enumerate(names)})


def _known(values: NDArray[Any], names: tuple[str | int, ...]) -> Statistics | None:
    """The columns' statistics; None where they are not so simple. Raises DataError for an infinite value."""
    known = statistics_of(values)
    if known is None:
        refuse_infinite(values.astype(np.float64, copy=False), names)
    return known
