"""Writing: CSV, Parquet, NPY and NPZ by their endings, block by block as results are made.

What is written goes to a temporary name and takes the real one when all of it is there (see
`isthmus.atomic`), so that an interrupted run leaves an older file as it was. Only one block is held at a
time: the length of an array must be known before its first row, which a `Source` promises.
"""

from __future__ import annotations

import gzip
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from isthmus.atomic import replacing
from isthmus.checks import FileError
from isthmus.inputs.files import as_pandas, ending
from isthmus.inputs.source import Source

__all__ = ["Sink", "write", "writing"]

GROUP = 16 << 20  # bytes gathered into one row group of a Parquet file


def write(X: Any, path: str | os.PathLike[str], exact: bool = False) -> None:
    """An array, a DataFrame or a Source to a file of the format its ending says, whole or not at all.

    exact: in text, numbers with all their digits, not to nine of them.
    """
    with writing(path, len(X)) as sink:
        sink.exact = exact
        for block in X.blocks() if isinstance(X, Source) else (X,):
            sink.append(block)


@contextmanager
def writing(path: str | os.PathLike[str], rows: int) -> Iterator[Sink]:
    """A sink for `rows` rows; the file appears when the `with` block ends well.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with writing(folder / "x.npy", 4) as sink:
    ...     sink.append(np.zeros((3, 2)))
    ...     sink.append(np.ones((1, 2)))
    >>> np.load(folder / "x.npy").tolist()
    [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1.0, 1.0]]
    """
    kinds: dict[str, type[Sink]] = {".npy": _Npy, ".npz": _Npz, ".parquet": _Parquet}
    kind = kinds.get(ending(path), _Text)
    with replacing(path) as file:
        sink = kind(file, Path(path), rows)
        try:
            yield sink
            sink.close()
        except BaseException:
            with suppress(Exception):  # what was opened around the doomed file must not outlive it
                sink.end()
            raise


class Sink:
    """Takes blocks of rows in order: `append` each, `close` after the last.

    exact: whether text gets all digits of a number. is_table: whether columns have names and kinds of their
    own.
    """

    exact = False
    is_table = True

    def __init__(self, file: BinaryIO, path: Path, rows: int) -> None:
        self.file, self.path, self.rows, self.written = file, path, rows, 0

    def append(self, X: Any) -> None:
        """The next rows: an array, or a DataFrame with the columns of the first."""
        self._append(X)
        self.written += len(X)

    def close(self) -> None:
        """Finish the file; FileError when rows are missing or too many."""
        if self.written != self.rows:
            raise FileError(
                f"{self.path} must get {self.rows:,} rows; got {self.written:,}. Leave its source unchanged "
                "while it is read."
            )
        self.end()

    def _append(self, X: Any) -> None:
        raise NotImplementedError

    def end(self) -> None:
        """Write what the format wants after the last row."""


class _Npy(Sink):
    """The header, with the final shape, before the first row; then the rows as they are in memory."""

    first: NDArray[Any] | None = None
    is_table = False

    def _append(self, X: Any) -> None:
        array = self._numbers(X)
        if self.first is None:
            self.first = array[:0]
            shape = (self.rows, *array.shape[1:])
            header = {"descr": npy.dtype_to_descr(array.dtype), "fortran_order": False, "shape": shape}
            npy.write_array_header_1_0(self.file, header)
        if array.shape[1:] != self.first.shape[1:] or not np.can_cast(array.dtype, self.first.dtype):
            raise FileError(
                f"{self.path} must get rows of one kind; got {array.dtype} {array.shape[1:]} after "
                f"{self.first.dtype} {self.first.shape[1:]}. Use Parquet or CSV for such a table."
            )
        self.file.write(array.astype(self.first.dtype, copy=False).tobytes())

    def _numbers(self, X: Any) -> NDArray[Any]:
        array = np.asarray(X)
        if array.dtype.kind == "O" and hasattr(X, "to_numpy"):
            with suppress(TypeError, ValueError):
                array = np.asarray(X.to_numpy(dtype=np.float64, na_value=np.nan))
        if array.dtype.kind not in "biuf":
            raise FileError(f"{self.path} can hold numbers only; got text or dates. Write CSV or Parquet.")
        return array


class _Npz(_Npy):
    """One compressed member, named as numpy names an unnamed array."""

    def __init__(self, file: BinaryIO, path: Path, rows: int) -> None:
        self.archive = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)
        member = self.archive.open(zipfile.ZipInfo("arr_0.npy"), "w", force_zip64=True)
        super().__init__(member, path, rows)  # type: ignore[arg-type] # a member is a binary file to write to

    def end(self) -> None:
        self.file.close()
        self.archive.close()


class _Text(Sink):
    """Numbers to nine digits, enough for every float32, or exactly; then whole ones without a point where the
    file they came from has them so, or where a column of floats holds no others.
    """

    plain: list[Any] | None = None

    def __init__(self, file: BinaryIO, path: Path, rows: int) -> None:
        super().__init__(file, path, rows)
        kind = ending(path)
        self.separator = "\t" if kind == ".tsv" else ","
        self.packed = gzip.GzipFile("", "wb", fileobj=file, mtime=0) if kind == ".csv.gz" else None

    def _append(self, X: Any) -> None:
        frame = as_pandas(X)
        if self.exact:
            self.plain = _plain(frame) if self.plain is None else self.plain
            frame = frame.copy(deep=False)
            for name in self.plain:
                values = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
                frame[name] = np.array([_shortest(value) for value in values.tolist()], dtype=object)
        text = frame.to_csv(
            index=False,
            header=not self.written,
            sep=self.separator,
            float_format=None if self.exact else "%.9g",
        )
        (self.packed or self.file).write(text.encode())

    def end(self) -> None:
        if self.packed is not None:
            self.packed.close()


def _plain(frame: Any) -> list[Any]:
    """Columns of floats whose whole numbers are written without a point."""
    asked = frame.attrs.get("plain", ())
    floats = [name for name, kind in frame.dtypes.items() if str(kind).lower().startswith("float")]
    numpy = [n for n in floats if isinstance(frame[n].dtype, np.dtype)]  # whose integers have no gaps
    return [n for n in floats if n in asked or (n in numpy and (frame[n].isna() | (frame[n] % 1 == 0)).all())]


def _shortest(value: float) -> float:
    """18 for 18.0; anything else, NaN among them, as it is."""
    return int(value) if abs(value) < 1e15 and value == int(value) else value


class _Parquet(Sink):
    """Blocks gathered into row groups of GROUP bytes, in the types of the first block."""

    def __init__(self, file: BinaryIO, path: Path, rows: int) -> None:
        super().__init__(file, path, rows)
        self.waiting: list[Any] = []
        self.writer: Any = None

    def _append(self, X: Any) -> None:
        arrow = _arrow()
        frame = as_pandas(X).rename(columns=str)
        schema = self.waiting[0].schema if self.waiting else self.writer and self.writer.schema
        try:
            table = arrow.Table.from_pandas(frame, schema=schema or None, preserve_index=False)
        except (arrow.ArrowException, KeyError) as error:
            raise FileError(
                f"{self.path} must get rows of one kind; {error}. Use CSV for such a table."
            ) from None
        self.waiting.append(table)
        if sum(waiting.nbytes for waiting in self.waiting) >= GROUP:
            self._flush()

    def _flush(self) -> None:
        table = _arrow().concat_tables(self.waiting)
        self.waiting = []
        if self.writer is None:
            from pyarrow.parquet import ParquetWriter

            self.writer = ParquetWriter(self.file, table.schema)
        self.writer.write_table(table)

    def end(self) -> None:
        if self.waiting:
            self._flush()
        self.writer.close()


def _arrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise FileError("Parquet needs pyarrow. Install it with: pip install 'isthmus[data]'.") from None
    return pyarrow
