"""Spool: rows decoded once and kept in a scratch file for the passes after the first.

Parquet and pictures take longer to decode than a small network takes to learn from them, and every
epoch would pay for it again. What the network sees, float32 and what is known of it, goes to a file without
a name where temporary files belong (TMPDIR, else /var/tmp): the system removes it with the process, however
that ends. It is read back in the order the source asks for, so that a fit is the same with it and without.

>>> from isthmus.inputs import Encoded
>>> spool = Spool(lambda block: Encoded(np.full((2, 3), block, np.float32), None))
>>> [float(spool(1).x.sum()) for _ in range(2)]
[6.0, 6.0]
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.inputs import Encoded
from isthmus.inputs.disk import filled

__all__ = ["Spool", "has_room", "scratch"]

SPARE = 2  # times what is to be written must be free


def scratch() -> str:
    """The folder for temporary files: a disk's, because /tmp is memory on many systems."""
    if not any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP")) and os.access("/var/tmp", os.W_OK):
        return "/var/tmp"
    return tempfile.gettempdir()


def has_room(nbytes: int) -> bool:
    """Whether so many bytes fit into the scratch folder and leave as many free."""
    return Path(scratch()).is_dir() and shutil.disk_usage(scratch()).free > SPARE * nbytes


class Spool:
    """`encoded(block)`, each block computed once and read from a scratch file from then on."""

    def __init__(self, encoded: Callable[[int], Encoded]) -> None:
        self.encoded = encoded
        self.file = tempfile.TemporaryFile(dir=scratch(), buffering=0)  # noqa: SIM115 # closed with this object
        weakref.finalize(self, self.file.close)
        self.places: dict[int, _Place] = {}
        self.end = 0

    def __call__(self, block: int) -> Encoded:
        """One block: x (n, width) float32, observed (n, cells) or None."""
        place = self.places.get(block)
        if place is None:
            return self._kept(block, self.encoded(block))
        self.file.seek(place.start)
        x = self._read(np.empty(place.shape, np.float32))
        return Encoded(x, None if place.cells is None else self._read(np.empty((len(x), place.cells), bool)))

    def _kept(self, block: int, fresh: Encoded) -> Encoded:
        """The same, written to the end of the file; not where the disk is full."""
        x, observed = np.ascontiguousarray(fresh.x), fresh.observed
        parts = [x] if observed is None else [x, np.ascontiguousarray(observed)]
        try:
            self.file.seek(self.end)
            for part in parts:
                self._write(part)
        except OSError:
            return fresh
        self.places[block] = _Place(self.end, x.shape, None if observed is None else observed.shape[1])
        self.end += sum(part.nbytes for part in parts)
        return fresh

    def _write(self, values: NDArray[Any]) -> None:
        rest = memoryview(values.data).cast("B")
        while len(rest):
            rest = rest[self.file.write(rest) :]

    def _read(self, out: NDArray[Any]) -> NDArray[Any]:
        if not filled(self.file, out):
            raise OSError("the scratch file has become shorter")
        return out


class _Place(NamedTuple):
    """Where a block lies in the file, and its shape."""

    start: int
    shape: tuple[int, ...]
    cells: int | None
