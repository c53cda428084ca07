"""A beacon: eight bytes in shared memory that are others after every change of a store.

Asking SQLite whether another process has written takes system calls that cost as much as a walk through a
graph of a million vectors; its own counter lies in memory it promises nobody. So every writer puts eight
random bytes into a small file beside the rows once a change is committed, before it is acknowledged, and
every reader, to whom the file is mapped, compares them. Random, because two writers that count might count
to the same number. Nothing depends on what is in the file: who cannot map it asks SQLite, and all do so now
and then, for a writer that died between the two.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from pathlib import Path

__all__ = ["Beacon"]

SIZE = 8


class Beacon:
    """The bytes at a path; none where there is none, or the file cannot be mapped."""

    def __init__(self, path: Path | None) -> None:
        self.bytes: mmap.mmap | None = None
        if path is None:
            return
        for flags, access in ((os.O_RDWR | os.O_CREAT, mmap.ACCESS_WRITE), (os.O_RDONLY, mmap.ACCESS_READ)):
            with contextlib.suppress(OSError, ValueError):
                self.bytes = _mapped(path, flags, access)
                self.writes = access == mmap.ACCESS_WRITE
                return

    def __call__(self) -> bytes | None:
        """What is there now."""
        return None if self.bytes is None else self.bytes[:SIZE]

    def change(self) -> None:
        """Tell all who look."""
        if self.bytes is not None and self.writes:
            self.bytes[:SIZE] = os.urandom(SIZE)

    def close(self) -> None:
        """Let go of the file."""
        if self.bytes is not None:
            self.bytes.close()
            self.bytes = None


def _mapped(path: Path, flags: int, access: int) -> mmap.mmap:
    handle = os.open(path, flags, 0o666)
    try:
        if flags & os.O_CREAT and os.fstat(handle).st_size < SIZE:
            os.ftruncate(handle, SIZE)
        return mmap.mmap(handle, SIZE, access=access)
    finally:
        os.close(handle)
