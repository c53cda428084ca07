"""Facts: what is known of a row besides its code, as columns that a database can filter by.

Metadata, and the columns of a table that is searched, are stored one by one, numbers as numbers, text as
text, moments as text that sorts as they do (`2024-05-01 00:00:00`), and come back as they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import DataError, must, need
from isthmus.inputs.frames import Column, DType, is_frame, read_columns, write_frame
from isthmus.parts import Record

__all__ = [
    "WIDEST",
    "Fact",
    "as_metadata",
    "columns_of",
    "described",
    "frame_of",
    "refuse_other_order",
    "stored_moments",
]

WIDEST = 900  # columns that are stored one by one; databases have a limit


class Fact(Record):
    """One column: its name and dtype in the user's frame, and whether it is one of the rows' own."""

    name: str | int
    kind: str  # "number", "truth", "text" or "time", as a database has it
    dtype: DType
    own: bool = False

    @property
    def sql(self) -> str:
        """The type every database has for it."""
        whole = self.kind == "truth" or (self.kind == "number" and "int" in self.dtype.text.lower())
        if whole:
            return "BIGINT"
        return "DOUBLE PRECISION" if self.kind == "number" else "TEXT"


def as_metadata(metadata: Any, rows: int, labels: Mapping[str, Sequence[Any]] = {}) -> Any:
    """Metadata as a frame of as many rows as X, with what the source says of its rows; None for none."""
    if metadata is None and not labels:
        return None
    if metadata is None or isinstance(metadata, Mapping):
        metadata = _pandas().DataFrame({**labels, **dict(metadata or {})})
    elif not is_frame(metadata):
        do = "Use metadata={'label': labels} or a DataFrame"
        raise must("metadata", "be a DataFrame or a dict of columns", type(metadata).__name__, do)
    elif labels:
        metadata = metadata.assign(**{k: v for k, v in labels.items() if k not in metadata.columns})
    need(
        len(metadata) == rows,
        "metadata",
        f"have the {rows:,} rows of X",
        len(metadata),
        "Pass one line a row",
    )
    return metadata


def refuse_other_order(X: Any, metadata: Any) -> None:
    """Raise where two pandas frames hold one index in two orders: their lines belong together by place."""
    a, b = (frame.index if hasattr(frame, "iloc") else None for frame in (X, metadata))
    if a is not None and b is not None and a.is_unique and not a.equals(b) and set(a) == set(b):
        do = "Use metadata.loc[X.index]"
        raise must("metadata", "have the rows of X in their order", "the same index in another order", do)


def _pandas() -> Any:
    try:
        import pandas
    except ImportError:
        raise DataError(
            "metadata needs pandas; got none. Install it with: pip install 'isthmus[data]'."
        ) from None
    return pandas


def described(frame: Any, own: bool) -> list[Fact]:
    """The facts of a frame."""
    return [Fact(c.name, _kind(c), c.dtype, own) for c in read_columns(frame)]


def _kind(column: Column) -> str:
    if column.kind == "numeric" or column.dtype.text.lower().startswith(("timedelta", "duration")):
        return "number"
    if column.kind == "boolean":
        return "truth"
    if column.kind == "time":
        return "time"
    known = [value for value in column.values or () if value is not None]
    numbers = known and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in known)
    return "number" if numbers else "text"


def columns_of(frame: Any, facts: Sequence[Fact]) -> list[list[Any]]:
    """A frame's columns, one for each fact, as plain values with None for what is missing.

    Raises DataError for a column that was not there at the start, or is of another kind.
    """
    there = {} if frame is None else {column.name: column for column in read_columns(frame)}
    unknown = sorted(str(name) for name in set(there) - {fact.name for fact in facts})
    names = ", ".join(str(fact.name) for fact in facts[:20])
    if unknown:
        raise must("a column", "be one of those that were there at fit", unknown[0], f"There are {names}")
    rows = 0 if frame is None else len(frame)
    return [_plain(fact, there[fact.name]) if fact.name in there else [None] * rows for fact in facts]


def _plain(fact: Fact, column: Column) -> list[Any]:
    numbers = column.numbers
    if fact.kind == "time" and numbers is not None:
        gone = np.isnan(numbers)
        moments = np.where(gone, 0, np.rint(numbers)).astype(np.int64).astype("datetime64[us]")
        texts = stored_moments(moments)
        return [None if missing else text for text, missing in zip(texts, gone, strict=True)]
    if numbers is not None and fact.kind == "number":
        whole = fact.sql == "BIGINT"
        return [None if value != value else int(value) if whole else value for value in numbers.tolist()]
    values = column.values if column.values is not None else [None] * len(column.numbers)  # type: ignore[arg-type]
    if column.values is None and not np.isnan(column.numbers).all():  # type: ignore[arg-type]
        raise must(f"column {fact.name!r}", f"hold {fact.kind}s as at fit", column.kind, "Convert it")
    if fact.kind == "truth":
        return [None if value is None else int(value) for value in values]
    if fact.kind == "number":
        return _numbers(fact, values)
    return [None if value is None else str(value) for value in values]


def _numbers(fact: Fact, values: Sequence[Any]) -> list[Any]:
    odd = next((v for v in values if v is not None and not isinstance(v, (int, float))), None)
    if odd is not None:
        raise must(f"column {fact.name!r}", "hold numbers as at fit", odd, "Convert it")
    return list(values)


def stored_moments(moments: NDArray[Any]) -> list[str]:
    """Moments as texts that sort as they do, to the second or the microsecond."""
    texts = np.datetime_as_string(moments.astype("datetime64[us]"))
    return [text.removesuffix(".000000") for text in np.char.replace(texts, "T", " ").tolist()]


def frame_of(facts: Sequence[Fact], columns: Sequence[Sequence[Any]], library: str = "pandas") -> Any:
    """Stored columns as a frame with the dtypes they had."""
    made = {f.name: (_restored(f, list(c)), f.dtype) for f, c in zip(facts, columns, strict=True)}
    return write_frame(made, library)


def _restored(fact: Fact, values: list[Any]) -> Any:
    text = fact.dtype.text.lower()
    if fact.kind == "time":
        moments = np.array(["NaT" if v is None else v for v in values], "datetime64[us]")
        numbers = moments.astype(np.int64).astype(np.float64)
        numbers[np.isnat(moments)] = np.nan
        return numbers
    if fact.kind == "number" and not text.startswith(("category", "object", "enum", "categorical")):
        if "int" in text and None not in values:
            return np.array(values, dtype=np.int64)
        return np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    return [None if v is None else bool(v) for v in values] if fact.kind == "truth" else values
