"""Parquet: the row groups of a file, or of all files of a folder, as blocks.

Sizes come from the footers, so that opening reads no data. A row group is the smallest thing Parquet finds
by itself; one too large for a block is read in steps by a cursor that stays open, so that its blocks are
cheap one after the other and dear in any other order. `order` therefore mixes a few row groups at a time
instead of jumping between all of them.

Folders of the form year=2024/month=1/ add their keys as columns.
"""

from __future__ import annotations

import re
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import accumulate
from os import PathLike
from typing import Any, NamedTuple, Self
from urllib.parse import unquote

import numpy as np

from isthmus.checks import FileError, brief, must
from isthmus.inputs.disk import LARGEST, ROWS, DiskSource, Place

__all__ = ["ParquetSource"]

CURSORS = 256 << 20  # bytes that all open cursors together may take
PER_COLUMN = 5 << 19  # and what a cursor takes for one column: pages and a dictionary
OPEN = 8  # files, and cursors where they are small
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


class Group(NamedTuple):
    """One row group: file and number, its rows, and how many of them make a block."""

    file: int
    number: int
    rows: int
    step: int

    @property
    def blocks(self) -> int:
        """Blocks its rows make."""
        return -(-self.rows // self.step)


class ParquetSource(DiskSource):
    """A Parquet file, or all Parquet files below a folder, in blocks of at most about 8 MB.

    path: a path or a URL. columns: names to read; None reads all. Blocks are pandas DataFrames with the
    dtypes pandas.read_parquet gives. Raises FileError when a file is damaged or its columns are not those
    of the first.
    """

    def __init__(self, path: str | PathLike[str] | Place, columns: Sequence[str] | None = None) -> None:
        self.place = path if isinstance(path, Place) else Place(path)
        names = self.place.files(".parquet") if self.place.is_folder() else [""]
        if not names:
            raise FileError(
                f"the folder {self.place.name} must hold .parquet files; got none. Check the path."
            )
        self.files = [self.place / name if name else self.place for name in names]
        self._lock = threading.Lock()
        self._readers: OrderedDict[int, Any] = OrderedDict()
        self._cursors: OrderedDict[int, _Cursor] = OrderedDict()
        self._gaps: set[str] = set()
        self._schema = self._survey()
        self._keys = {key: v for key, v in _partitions(names).items() if key not in self._schema.names}
        labels = _labels(self._schema)
        moments = len(labels) == 1 and _arrow().types.is_timestamp(self._schema.field(labels[0]).type)
        self._moments = labels[0] if moments else None
        known = [*(name for name in self._schema.names if name not in labels), *self._keys]
        self.columns = [name for name in known if columns is None or name in columns]
        unknown = sorted(set(columns or ()) - set(known))
        if unknown:
            raise must("columns", f"be among those of {self.place.name}", unknown[0], "Check its spelling")
        stored = [name for name in self.columns if name not in self._keys]
        self._schema = _arrow().schema([self._schema.field(n) for n in stored], self._schema.metadata)

    def drop(self, *, columns: Sequence[str]) -> Self:
        """The same source without some columns, which are then not read at all."""
        return type(self)(self.place, [name for name in self.columns if name not in columns])

    def moments(self) -> Any:
        """The row labels that pandas kept beside the columns, of all rows, if they are moments; else None."""
        if self._moments is None:
            return None
        parts = []
        for number, place in enumerate(self.files):
            with self._lock, _said_plainly(place):
                parts.append(self._reader(number).read(columns=[self._moments]).column(self._moments))
        return _arrow().chunked_array([chunk for part in parts for chunk in part.chunks]).to_pandas()

    @property
    def nbytes(self) -> int:
        """Bytes in memory, estimated from types and footers."""
        return self._nbytes

    @cached_property
    def sizes(self) -> Sequence[int]:
        """Rows of every block, from the footers."""
        return tuple(min(g.step, g.rows - at) for g in self.groups for at in range(0, g.rows, g.step))

    @cached_property
    def _firsts(self) -> list[int]:
        """The first block of every row group."""
        return list(accumulate((group.blocks for group in self.groups[:-1]), initial=0))

    # ---------------------------------------------------------------- reading

    def read(self, block: int) -> Any:
        """One block as a DataFrame; blocks of one row group are cheapest one after the other."""
        number = bisect_right(self._firsts, range(len(self.sizes))[block]) - 1
        group = self.groups[number]
        with self._lock, _said_plainly(self.files[group.file]):
            at = (block % len(self.sizes) - self._firsts[number]) * group.step
            table = self._cursor(number, at).take(at, self.sizes[block])
            return self._frame(table, group.file)

    def order(self, rng: np.random.Generator) -> list[int]:
        """Row groups in random order, a few open at a time, the next block from any of these."""
        waiting = [int(number) for number in rng.permutation(len(self.groups))]
        active: list[Iterator[int]] = []
        mixed: list[int] = []
        while waiting or active:
            while waiting and len(active) < self._most_cursors:
                first = self._firsts[number := waiting.pop()]
                active.append(iter(range(first, first + self.groups[number].blocks)))
            chosen = int(rng.integers(len(active)))
            block = next(active[chosen], None)
            if block is None:
                del active[chosen]
            else:
                mixed.append(block)
        return mixed

    @property
    def _most_cursors(self) -> int:
        return int(np.clip(CURSORS // (PER_COLUMN * max(1, len(self._schema))), 1, OPEN))

    def _cursor(self, number: int, at: int) -> _Cursor:
        """A cursor on a row group that has not yet passed row `at`."""
        cursor = self._cursors.pop(number, None)
        if cursor is None or cursor.at > at:
            cursor = _Cursor(self._reader(self.groups[number].file), self.groups[number], self._schema.names)
        self._cursors[number] = cursor
        while len(self._cursors) > self._most_cursors:
            self._cursors.popitem(last=False)
        return cursor

    def _reader(self, file: int) -> Any:
        """An open file; the last few stay open."""
        reader = self._readers.pop(file, None) or _open(self.files[file])
        self._readers[file] = reader
        while len(self._readers) > OPEN:
            self._readers.popitem(last=False)
        return reader

    def _frame(self, table: Any, file: int) -> Any:
        """A table as a DataFrame whose dtypes do not depend on the block."""
        import pandas

        if table.schema.remove_metadata() != self._schema.remove_metadata():
            table = table.select(self._schema.names).cast(self._schema, safe=False)
        frame = table.replace_schema_metadata(self._schema.metadata).to_pandas(use_threads=False)
        for name in self._gaps.intersection(frame.columns):
            if str(frame[name].dtype).startswith(("int", "uint", "bool")):
                frame[name] = frame[name].astype(object if frame[name].dtype == bool else np.float64)
        for key, (levels, codes) in self._keys.items():
            if key in self.columns:
                column = np.full(len(frame), codes[file])
                frame[key] = pandas.Categorical.from_codes(column, pandas.Index(levels))
        return frame

    # ---------------------------------------------------------------- what is there

    def _survey(self) -> Any:
        """Read every footer: row groups, one schema for all files, which columns have gaps."""
        found: list[tuple[int, int, int, int]] = []
        schema: Any = None
        for number, place in enumerate(self.files):
            with _said_plainly(place):
                reader = self._reader(number)
                schema = _agreed(schema, reader.schema_arrow, self.files[0].name, place.name)
                for g in range(reader.metadata.num_row_groups):
                    about = reader.metadata.row_group(g)
                    self._gaps.update(_with_gaps(about))
                    found.append((number, g, about.num_rows, about.total_byte_size))
        width = sum(_width(kind) for kind in schema.types)
        weighed = [(*g[:3], max(width, g[3] // g[2])) for g in found if g[2] > 0]
        if any(not 0 <= rows < 1 << 31 for _, _, rows, _ in found):
            raise FileError(f"{self.place.name} claims an impossible number of rows. Check the file.")
        if not weighed:
            raise FileError(f"{self.place.name} has no rows. Nothing to read.")
        self.groups = [
            Group(f, g, rows, ROWS * max(1, LARGEST // (ROWS * row))) for f, g, rows, row in weighed
        ]
        self._nbytes: int = sum(rows * row for _, _, rows, row in weighed)
        return schema


class _Cursor:
    """A place in a row group, moving forward only."""

    def __init__(self, reader: Any, group: Group, columns: list[str]) -> None:
        self.batches = reader.iter_batches(group.step, [group.number], columns, use_threads=False)
        self.at = 0
        self.rest: Any = None  # what is left of the newest batch

    def take(self, at: int, rows: int) -> Any:
        """Rows at ... at + rows - 1 as an arrow table."""
        while self.at < at:
            self._next(at - self.at)
        parts, count = [], 0
        while count < rows:
            parts.append(self._next(rows - count))
            count += parts[-1].num_rows
        return _arrow().Table.from_batches(parts)

    def _next(self, most: int) -> Any:
        """The next rows, at most so many, as they come."""
        batch = next(self.batches) if self.rest is None else self.rest
        self.rest = batch.slice(most) if batch.num_rows > most else None
        batch = batch.slice(0, most)
        self.at += batch.num_rows
        return batch


# ---------------------------------------------------------------- footers


def _agreed(known: Any, schema: Any, first: str, here: str) -> Any:
    """One schema for two files: a column that is empty in one takes the type it has in the other, and of two
    kinds of numbers the wider: pandas writes whole numbers with a gap as floats.
    """
    if len(set(schema.names)) < len(schema.names):
        raise FileError(f"{here} must name each column once; got {brief(str(schema.names))}. Rename them.")
    if known is None:
        return schema
    if set(schema.names) != set(known.names):
        odd = sorted(set(schema.names) ^ set(known.names))[0]
        raise FileError(
            f"{here} must have the columns of {first}; they differ in {odd!r}. Separate the files."
        )
    for number, (name, kind) in enumerate(zip(known.names, known.types, strict=True)):
        other = schema.field(name).type
        both = _of_both(kind, other)
        if both is None:
            raise FileError(
                f"{here} must have the types of {first}; got {other} instead of {kind} in column {name!r}. "
                "Convert one of them."
            )
        known = known.set(number, known.field(number).with_type(both))
    return known


def _of_both(kind: Any, other: Any) -> Any:
    """A type for the values of two; None where they are of different kinds."""
    arrow = _arrow()
    if kind == other or arrow.types.is_null(other):
        return kind
    if arrow.types.is_null(kind):
        return other
    of = arrow.types
    if not all(of.is_integer(one) or of.is_floating(one) for one in (kind, other)):
        return None
    alike = of.is_signed_integer, of.is_unsigned_integer, of.is_floating
    if any(same(kind) and same(other) for same in alike):
        return max(kind, other, key=lambda one: one.bit_width)
    return arrow.float64()


def _with_gaps(about: Any) -> Iterator[str]:
    """The columns of a row group that have missing values."""
    for column in (about.column(j) for j in range(about.num_columns)):
        if column.statistics is not None and column.statistics.null_count:
            yield column.path_in_schema


def _width(kind: Any) -> int:
    """Bytes a value takes in memory, about."""
    try:
        return max(1, int(kind.bit_width) // 8)
    except ValueError:
        return 32  # text and the like


def _labels(schema: Any) -> list[str]:
    """Columns that are row labels of pandas'."""
    labels = (schema.pandas_metadata or {}).get("index_columns", ())
    return [label for label in labels if isinstance(label, str) and label in schema.names]


def _partitions(names: list[str]) -> dict[str, tuple[list[Any], list[int]]]:
    """Keys from folders of the form key=value: the levels, and the level's number for every file."""
    pairs = [dict(part.split("=", 1) for part in name.split("/")[:-1] if "=" in part) for name in names]
    keys: dict[str, tuple[list[Any], list[int]]] = {}
    for key in pairs[0]:
        if not all(key in pair for pair in pairs):
            raise FileError(
                f"every file must lie in a folder {key}=...; got {names[0]} and others. Move them."
            )
        texts = [unquote(pair[key]) for pair in pairs]
        known = {text for text in texts if text != NO_VALUE}
        whole = all(re.fullmatch(r"-?\d{1,9}", text) for text in known)
        ordered = sorted(known, key=int if whole else str)  # type: ignore[type-var, arg-type, unused-ignore]
        codes = [ordered.index(text) if text in known else -1 for text in texts]
        keys[key] = [int(text) if whole else text for text in ordered], codes
    return keys


# ---------------------------------------------------------------- pyarrow


def _open(place: Place) -> Any:
    _arrow()
    from pyarrow.parquet import ParquetFile

    return ParquetFile(place.path, filesystem=place.filesystem, pre_buffer=False, buffer_size=1 << 16)


def _arrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise FileError("Parquet needs pyarrow. Install it with: pip install 'isthmus[data]'.") from None
    return pyarrow


@contextmanager
def _said_plainly(place: Place) -> Iterator[None]:
    """Errors of the system and of pyarrow as one sentence with the file's name."""
    try:
        yield
    except FileError:
        raise
    except (OSError, ValueError, KeyError, StopIteration, NotImplementedError) as error:
        why = brief(str(error), 200).rstrip(".")
        raise FileError(f"{place.name} cannot be read as parquet: {why}. Check the file.") from None
