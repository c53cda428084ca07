"""Frames: columns of a pandas or polars DataFrame as plain arrays, and arrays as columns again.

Reading goes through narwhals, one code for both libraries. Writing goes through the library itself, because
only it knows its own dtypes; a `DType` is such a dtype as text, so that it survives in a file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import DataError, brief, must
from isthmus.parts import Record

__all__ = [
    "Column",
    "DType",
    "as_frame_like",
    "column_names",
    "is_frame",
    "merged",
    "plain_numbers",
    "read_columns",
    "stacked",
    "write_frame",
]


class DType(Record):
    """A column's dtype: the library, its name there, and the categories, and their dtype, where it has a
    list of them.
    """

    library: str
    text: str
    categories: tuple[Any, ...] | None = None
    ordered: bool = False
    level_type: str = ""


class Column(NamedTuple):
    """One column: `numbers` float64 with NaN (numeric and time), or `values` a list with None (the rest)."""

    name: str | int
    kind: str  # "numeric", "boolean", "levels" or "time"
    numbers: NDArray[np.float64] | None
    values: list[Any] | None
    dtype: DType

    @property
    def gaps(self) -> bool:
        """Whether any value is missing."""
        return bool(np.isnan(self.numbers).any()) if self.numbers is not None else None in (self.values or ())

    def raw(self, row: int) -> Any:
        """The value in one row."""
        return self.values[row] if self.values is not None else float(np.asarray(self.numbers)[row])


def library_of(X: Any) -> str:
    """Either "pandas" or "polars", or "" for anything that is not a frame."""
    module = type(X).__module__.partition(".")[0]
    return module if module in ("pandas", "polars") and type(X).__name__ == "DataFrame" else ""


def is_frame(X: Any) -> bool:
    """Whether X is a pandas or polars DataFrame; other frames are refused with the way to convert them."""
    if library_of(X):
        return True
    if type(X).__module__.partition(".")[0] in ("pyarrow", "polars", "dask", "pyspark", "duckdb", "modin"):
        do = "Use X.collect() or X.to_pandas()"
        raise must("X", "be a pandas or polars DataFrame or an array", type(X).__name__, do)
    return False


def column_names(X: Any) -> list[str | int]:
    """The column names of a frame: unique, strings or whole numbers."""
    names = [name.item() if isinstance(name, np.integer) else name for name in X.columns]
    odd = [name for name in names if not isinstance(name, (str, int)) or isinstance(name, bool)]
    if odd:
        raise must(
            "column names", "be strings or whole numbers", odd[0], "Use X.columns = X.columns.map(str)"
        )
    if len(set(names)) < len(names):
        twice = sorted({str(name) for name in names if names.count(name) > 1})
        raise must("column names", "be unique", ", ".join(twice[:5]), "Rename or drop the duplicates")
    return names


def read_columns(X: Any) -> list[Column]:
    """Every column of a frame."""
    import narwhals as nw  # here and below: arrays need none of it

    names = column_names(X)
    frame = nw.from_native(X, eager_only=True)
    return [_read(name, series) for name, series in zip(names, frame.iter_columns(), strict=True)]


def plain_numbers(X: Any, names: Sequence[str | int]) -> NDArray[Any] | None:
    """The columns `names` of a frame as one array (n, m), NaN where missing, in a step that costs the same
    for any number of them; None where one holds anything but numbers.
    """
    if library_of(X) == "polars":
        return X.select(names).to_numpy() if all(kind.is_numeric() for kind in X.dtypes) else None
    if any(not isinstance(kind, np.dtype) or kind.kind not in "iuf" for kind in X.dtypes):
        return None
    ordered = X if list(X.columns) == list(names) else X[list(names)]
    values: NDArray[Any] = ordered.to_numpy()
    return values


def _read(name: str | int, series: Any) -> Column:
    import narwhals as nw

    dtype, native = series.dtype, _dtype_of(series.to_native())
    if dtype.is_numeric():
        return Column(name, "numeric", _floats(series), None, native)
    if dtype in (nw.Datetime, nw.Date):
        moment = series.cast(nw.Datetime("us")) if dtype == nw.Date else series
        return Column(name, "time", _floats(moment.dt.timestamp("us")), None, native)
    if dtype == nw.Duration:
        return Column(name, "time", _floats(series.dt.total_microseconds()), None, native)
    missing = series.is_null().to_numpy()
    values = [None if gone else value for value, gone in zip(series.to_list(), missing, strict=True)]
    return _from_values(name, values, dtype, native)


def _from_values(name: str | int, values: list[Any], dtype: Any, native: DType) -> Column:
    """A column of Python values: yes/no, numbers in an object column, or levels."""
    import narwhals as nw

    types = {type(value) for value in values if value is not None}
    if dtype == nw.Boolean or (types and types <= {bool, np.bool_}):
        return Column(name, "boolean", None, values, native)
    if types and dtype == nw.Object and types <= {int, float, np.int64, np.float64, bool, Decimal}:
        numbers = np.array([np.nan if value is None else float(value) for value in values])
        return Column(name, "numeric", numbers, None, native)
    if types == {date}:  # as a date of Parquet comes in pandas
        moments = np.array(values, dtype="datetime64[us]")
        numbers = np.where(np.isnat(moments), np.nan, moments.astype(np.int64).astype(np.float64))
        return Column(name, "time", numbers, None, DType(native.library, "datetime64[us]"))
    odd = next((t for t in types if not issubclass(t, (str, int, float, bool))), None)
    if odd is not None:
        do = "Convert it to one of these, or drop it"
        raise must(f"column {name!r}", "hold numbers, text, yes/no or dates", odd.__name__, do)
    return Column(name, "levels", None, values, native)


def _floats(series: Any) -> NDArray[np.float64]:
    import narwhals as nw

    return np.asarray(series.cast(nw.Float64).to_numpy(), dtype=np.float64)


# ---------------------------------------------------------------- dtypes as text, and back


def _dtype_of(native: Any) -> DType:
    library = type(native).__module__.partition(".")[0]
    if library == "polars":
        if native.dtype.base_type().__name__ == "Enum":
            return DType("polars", "Enum", tuple(native.dtype.categories.to_list()))
        return DType("polars", repr(native.dtype))
    if str(native.dtype) == "category":
        levels = native.cat.categories
        return DType(
            "pandas", "category", tuple(levels.tolist()), bool(native.cat.ordered), str(levels.dtype)
        )
    return DType("pandas", str(native.dtype))


def write_frame(columns: Mapping[str | int, tuple[Any, DType]], library: str, like: Any = None) -> Any:
    """A frame of `library` from (values, dtype) by name; `like` lends its index and column order."""
    if like is not None and library_of(like) == library:
        columns = {name: columns[name] for name in column_names(like)}
    if library == "polars":
        import polars

        return polars.DataFrame([_polars_series(name, *column) for name, column in columns.items()])
    import pandas

    index = like.index if like is not None and library_of(like) == "pandas" else None
    made = {name: _pandas_series(values, dtype) for name, (values, dtype) in columns.items()}
    frame = pandas.DataFrame(made, columns=list(made))
    return frame if index is None else frame.set_axis(index, axis=0)


def merged(X: Any, other: Any, where: Mapping[str | int, NDArray[np.bool_]]) -> Any:
    """X with the values of `other`, a frame of the same library and columns, in the rows `where` says."""
    library, found = library_of(X), {}
    for name, rows in where.items():
        if rows.any():
            found[name] = (_polars_merged if library == "polars" else _pandas_merged)(
                X[name], other[name], rows
            )
    if library == "polars":
        return X.with_columns(list(found.values()))
    X = X.copy()
    for name, series in found.items():
        X[name] = series
    return X


def _pandas_merged(series: Any, other: Any, rows: NDArray[np.bool_]) -> Any:
    """A column of its own dtype; levels that its categories lack are added to them."""
    import pandas

    series, values = series.copy(), other.array[rows]
    if str(series.dtype) == "category":
        new = [level for level in pandas.unique(values) if level not in series.cat.categories]
        series = series.cat.add_categories([level for level in new if not pandas.isna(level)])
    if str(series.dtype) == "object":
        values = values.astype(object)
    series.iloc[np.flatnonzero(rows)] = values
    return series


def _polars_merged(series: Any, other: Any, rows: NDArray[np.bool_]) -> Any:
    import polars

    kind = series.dtype
    found = other.cast(kind) if other.dtype != kind and kind != polars.Object else other
    return series.zip_with(polars.Series(~rows), found).alias(series.name)


def _pandas_series(values: Any, dtype: DType) -> Any:
    import pandas

    if dtype.text == "category":
        levels = pandas.Index(list(dtype.categories or ()), dtype=dtype.level_type or None)
        kind = pandas.CategoricalDtype(levels, dtype.ordered)
        return pandas.Series(pandas.Categorical(values, dtype=kind))
    if dtype.text.startswith(("datetime64", "timedelta64")):
        unit = re.match(r"(datetime64|timedelta64)\[(\w+)(?:, (.+))?\]", dtype.text)
        base, zone = (unit[1], unit[3]) if unit else ("datetime64", None)
        moments = pandas.Series(_micros(values, base))
        moments = moments.dt.tz_localize("UTC").dt.tz_convert(zone) if zone else moments
        return moments.astype(dtype.text)
    series = pandas.Series(values, dtype=object if isinstance(values, list) else None)
    return series.astype(_settled(series, dtype.text))


def _settled(series: Any, text: str) -> str:
    """The dtype a column can really have: one that holds gaps, when it has gaps."""
    gaps = bool(series.isna().any())
    return (
        "float64"
        if gaps and re.fullmatch(r"u?int\d+", text)
        else "object"
        if gaps and text == "bool"
        else text
    )


def _micros(values: Any, base: str) -> Any:
    """Microseconds as float64 with NaN -> datetime64[us] or timedelta64[us] with NaT."""
    gone = np.isnan(values)
    whole = np.clip(np.where(gone, 0, np.rint(values)), -9.2e18, 9.2e18).astype(np.int64)
    moments = whole.astype(f"{base}[us]")
    moments[gone] = np.array("NaT", dtype=f"{base}[us]")
    return moments


def _polars_series(name: str | int, values: Any, dtype: DType) -> Any:
    import polars

    kind = _polars_dtype(dtype)
    if kind.is_temporal():
        base = "timedelta64" if kind.base_type() is polars.Duration else "datetime64"
        moments = polars.Series(str(name), _micros(values, base))
        zone = getattr(kind, "time_zone", None)
        moments = moments.dt.replace_time_zone("UTC").dt.convert_time_zone(zone) if zone else moments
        return moments.cast(kind)
    if isinstance(values, np.ndarray):
        plain = polars.Series(str(name), values).fill_nan(None) if values.dtype.kind == "f" else values
        return polars.Series(str(name), plain).cast(kind)
    base_kind = polars.Boolean if kind == polars.Boolean else polars.String if _is_text(values) else None
    return polars.Series(str(name), values, dtype=base_kind, strict=False).cast(kind)


def _is_text(values: list[Any]) -> bool:
    return all(value is None or isinstance(value, str) for value in values)


def _polars_dtype(dtype: DType) -> Any:
    import polars

    if dtype.text == "Enum":
        return polars.Enum(list(dtype.categories or ()))
    zoned = re.fullmatch(r"Datetime\(time_unit='(\w+)', time_zone=(?:None|'(.+)')\)", dtype.text)
    if zoned:
        return polars.Datetime(zoned[1], zoned[2])
    span = re.fullmatch(r"Duration\(time_unit='(\w+)'\)", dtype.text)
    if span:
        return polars.Duration(span[1])
    simple = re.match(r"[A-Za-z0-9]+", dtype.text)
    kind = getattr(polars, simple[0] if simple else "", None)
    if not (isinstance(kind, type) and issubclass(kind, polars.DataType)):
        raise DataError(f"a saved dtype must be one polars knows; got {brief(dtype.text)}. Upgrade polars.")
    return polars.Float64 if kind is polars.Decimal else kind


# ---------------------------------------------------------------- tables of results


def as_frame_like(like: Any, values: Any, names: list[str | int] | None = None) -> Any:
    """Results as what the user works in: a frame of the library of `like`, an array where `like` is an array.

    values: (n, m) with `names`, those of `like` where they are None, or a dict of columns. With `like` None,
    pandas or polars if installed, else as it is.
    """
    library = library_of(like) or ("" if like is not None else _installed())
    if not library:
        return values
    names = column_names(like) if names is None and library_of(like) else names
    columns = (
        values if isinstance(values, dict) else {name: values[:, j] for j, name in enumerate(names or ())}
    )
    if library_of(like):
        columns = {name: columns[name] for name in column_names(like)}
    if library == "polars":
        import polars

        return polars.DataFrame({str(name): column for name, column in columns.items()})
    import pandas

    return pandas.DataFrame(columns, index=like.index if library_of(like) else None)


def _installed() -> str:
    from importlib.util import find_spec

    return next((name for name in ("pandas", "polars") if find_spec(name)), "")


# ---------------------------------------------------------------- blocks of rows


def stacked(blocks: list[Any]) -> Any:
    """Blocks of rows, frames or arrays of the same columns, below each other."""
    if len(blocks) == 1:
        return blocks[0]
    library = library_of(blocks[0])
    if library == "pandas":
        import pandas

        return pandas.concat(_of_one_category(blocks), ignore_index=True)
    if library == "polars":
        import polars

        return polars.concat(blocks)
    if hasattr(blocks[0], "tocsr"):
        from scipy.sparse import vstack

        return vstack(blocks, format="csr")
    return np.concatenate(blocks)


def _of_one_category(frames: list[Any]) -> list[Any]:
    """The frames with the levels of all of them in every categorical column, which pandas would turn into
    text otherwise.
    """
    frames = [frame.copy(deep=False) for frame in frames]
    for name in [n for n, dtype in frames[0].dtypes.items() if dtype == "category"]:
        levels = list(dict.fromkeys(level for frame in frames for level in frame[name].cat.categories))
        for frame in frames:
            frame[name] = frame[name].cat.set_categories(levels)
    return frames
