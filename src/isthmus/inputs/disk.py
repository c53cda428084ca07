"""Disk: NPY files and everything else `open_source` knows, in blocks, from a disk or a URL.

A memory map looks as if it cost no memory, but every page that was touched counts as resident until the
system wants it back. Blocks are therefore read by seek and read into a small array of their own: nothing
stays, and a block costs the same wherever it lies.

>>> import tempfile
>>> path = Path(tempfile.mkdtemp()) / "x.npy"
>>> np.save(path, np.arange(12.0).reshape(6, 2))
>>> source = open_source(path)
>>> len(source), source.read(0)[-1].tolist()
(6, [10.0, 11.0])
"""

from __future__ import annotations

import math
import mmap
import os
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from isthmus.checks import FileError, brief, must, need
from isthmus.inputs.frames import stacked
from isthmus.inputs.source import Source

__all__ = ["DiskSource", "NpySource", "Place", "as_source", "filled", "held", "is_url", "open_source"]

ROWS = 1024  # blocks are whole multiples of this where rows are not large
BLOCK = 2 << 20  # bytes of a block of ordinary rows
LARGEST = 8 << 20  # and of large ones
LARGE = 1 << 30  # bytes from which on data stay where they are


class DiskSource(Source):
    """A source that knows how large it would be in memory."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes of all rows in memory; an estimate where only reading would tell."""


class Place:
    """A path on this machine, or a URL that fsspec opens with the user's own credentials."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.name = os.fspath(path)
        self.filesystem: Any = None
        self.path = self.name
        if is_url(self.name):
            self.filesystem, self.path = _filesystem(self.name)

    def __truediv__(self, name: str) -> Place:
        """A file inside this folder."""
        inside = Place.__new__(Place)
        inside.filesystem = self.filesystem
        inside.name, inside.path = (f"{text.rstrip('/')}/{name}" for text in (self.name, self.path))
        return inside

    def open(self) -> BinaryIO:
        """For reading, unbuffered on this machine."""
        if self.filesystem is None:
            return open(self.path, "rb", buffering=0)  # noqa: PTH123 # the caller's `with` closes it
        return self.filesystem.open(self.path, "rb")  # type: ignore[no-any-return]

    def is_folder(self) -> bool:
        """Whether files lie inside."""
        return Path(self.path).is_dir() if self.filesystem is None else bool(self.filesystem.isdir(self.path))

    def files(self, ending: str) -> list[str]:
        """Names, from here on down, of the files with an ending, sorted; hidden ones left out."""
        if self.filesystem is None:
            root = Path(self.path)
            found = [file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file()]
        else:
            root_path = self.path.rstrip("/")
            found = [str(file)[len(root_path) :].lstrip("/") for file in self.filesystem.find(root_path)]
        seen = [name for name in found if not any(part[0] in "._" for part in name.split("/"))]
        return sorted(name for name in seen if name.lower().endswith(ending))


def is_url(path: object) -> bool:
    """Whether a path names a protocol, as in s3://bucket/x.parquet."""
    return isinstance(path, str) and "://" in path


def _filesystem(url: str) -> tuple[Any, str]:
    protocol = url.partition("://")[0]
    try:
        from fsspec.core import url_to_fs  # type: ignore[import-untyped, unused-ignore]

        return url_to_fs(url)  # type: ignore[no-any-return]
    except ImportError as error:
        raise FileError(f"{protocol}:// needs one more package: {brief(str(error), 120)}.") from None
    except ValueError as error:
        raise FileError(f"{url} cannot be opened: {brief(str(error), 120)}. Check the protocol.") from None


def open_source(path: str | os.PathLike[str]) -> DiskSource:
    """A file or folder as a Source: .npy, .parquet, a folder of .parquet files, or a URL of one of these.

    Raises FileError when there is nothing, or nothing that can be read in blocks.
    """
    from isthmus.inputs.parquet import ParquetSource

    known = isinstance(path, (str, os.PathLike))
    need(
        known,
        "path",
        "be the name of a file or folder, or a URL",
        path,
        "Arrays and frames go in as they are",
    )
    place = Place(path)
    if place.name.lower().endswith(".npy"):
        return NpySource(place)
    if place.name.lower().endswith(".parquet") or place.is_folder():
        return ParquetSource(place)
    raise must(
        f"a source {place.name!r}",
        "be a .npy file, a .parquet file or a folder of Parquet files",
        "another kind",
        "Read it with pandas, or convert it to Parquet",
        FileError,
    )


def held(source: DiskSource) -> Any:
    """The source itself where it is large: over a gigabyte, or a quarter of this machine's memory; all of its
    rows where not.
    """
    return source if source.nbytes > min(LARGE, _memory() // 4) else stacked(list(source.blocks()))


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError):  # a system that does not say
        return 4 * LARGE


def as_source(X: Any) -> Any:
    """A memory map as a source over its file; anything else as it is."""
    return NpySource(X) if isinstance(X, np.memmap) and X.ndim >= 2 and _on_disk(X) else X


def _on_disk(X: np.memmap[Any, Any]) -> bool:
    """Whether the file holds what the map shows, row after row."""
    shared = X.filename is not None and X.mode != "c"
    return shared and X.flags.c_contiguous and X.size > 0 and X.dtype.kind in "biuf"


class NpySource(DiskSource):
    """A .npy file, or a memory map of any file, in blocks of about 2 MB.

    path: a path, a URL or a numpy.memmap. Either order of the axes in the file will do; rows of 2-D data are
    columns' values, those of more dimensions pictures or signals. Raises FileError for objects and text,
    and for files shorter than their header says.
    """

    def __init__(self, path: str | os.PathLike[str] | np.memmap[Any, Any] | Place) -> None:
        self.shape: tuple[int, ...]
        self.dtype: np.dtype[Any]
        self.start: int
        if isinstance(path, np.memmap):
            self.place = Place(str(path.filename))
            self.start, self.fortran = _start_of(path), False
            self.shape, self.dtype = path.shape, path.dtype
        else:
            self.place = path if isinstance(path, Place) else Place(path)
            self._read_header()

    @property
    def nbytes(self) -> int:
        """Bytes of the array."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def cheap(self) -> bool:
        """On this machine's disks."""
        return self.place.filesystem is None

    @cached_property
    def sizes(self) -> Sequence[int]:
        """Rows of every block: a multiple of 1,024, or fewer where 1,024 rows take more than 8 MB."""
        full, rest = divmod(self.shape[0], self._rows)
        return (self._rows,) * full + ((rest,) if rest else ())

    @cached_property
    def _rows(self) -> int:
        row = math.prod(self.shape[1:]) * self.dtype.itemsize
        rows = ROWS * max(1, BLOCK // (ROWS * row))
        while rows > 1 and rows * row > LARGEST:
            rows //= 2
        return rows

    def read(self, block: int) -> NDArray[Any]:
        """Rows (size, ...) in the dtype of the file."""
        first, rows = block * self._rows, self.sizes[block]
        width = math.prod(self.shape[1:])
        try:
            with self.place.open() as file:
                if not self.fortran:
                    out = np.empty((rows, *self.shape[1:]), self.dtype)
                    self._fill(file, first * width, out)
                    return out
                lines = np.empty((width, rows), self.dtype)  # one line of the file for each column
                for number, line in enumerate(lines):
                    self._fill(file, number * self.shape[0] + first, line)
        except OSError as error:
            raise _unreadable(self.place, error) from None
        return np.ascontiguousarray(lines.reshape(*self.shape[:0:-1], rows).T)

    def _fill(self, file: BinaryIO, item: int, out: NDArray[Any]) -> None:
        """The items from number `item` on into the contiguous array `out`."""
        file.seek(self.start + item * self.dtype.itemsize)
        if not filled(file, out):
            raise _too_short(self.place)

    def _read_header(self) -> None:
        try:
            with self.place.open() as file:
                version = npy.read_magic(file)
                read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
                if read is None:
                    raise FileError(
                        f"{self.place.name} must hold numbers; got a table of fields. Use Parquet."
                    )
                self.shape, self.fortran, self.dtype = read(file)
                self.start = file.tell()
                size = file.seek(0, os.SEEK_END)
        except FileError:
            raise
        except (OSError, ValueError, EOFError) as error:
            raise _unreadable(self.place, error) from None
        if self.dtype.kind not in "biuf":
            raise FileError(
                f"{self.place.name} must hold numbers; got {brief(str(self.dtype), 40)}. Use Parquet."
            )
        if len(self.shape) < 2 or min(self.shape) < 1:
            raise FileError(
                f"{self.place.name} must have rows and columns; got shape {brief(str(self.shape), 60)}. "
                "Reshape it before saving."
            )
        if size < self.start + self.nbytes:
            raise _too_short(self.place)


def filled(file: BinaryIO, out: NDArray[Any]) -> bool:
    """Read from where a file stands until the contiguous array `out` is full; whether there was enough."""
    rest = memoryview(out.data).cast("B")
    while len(rest):
        count = file.readinto(rest)  # type: ignore[attr-defined] # every binary file that is read has it
        if not count:
            return False
        rest = rest[count:]
    return True


def _start_of(X: np.memmap[Any, Any]) -> int:
    """Where in the file the first item of a map lies; of a part of a map `offset` tells only its parent's."""
    mapped = X._mmap  # type: ignore[attr-defined]
    inside: int = X.ctypes.data - np.frombuffer(mapped, np.uint8).ctypes.data
    return inside + X.offset - X.offset % mmap.ALLOCATIONGRANULARITY


def _too_short(place: Place) -> FileError:
    return FileError(f"{place.name} is shorter than its header says. Copy it again, it may be cut off.")


def _unreadable(place: Place, error: Exception) -> FileError:
    why = getattr(error, "strerror", None) or str(error)
    return FileError(f"{place.name} cannot be read: {brief(why, 200)}. Check the path and the file.")
