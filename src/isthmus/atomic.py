"""Files written whole or not at all.

Everything goes to a temporary name in the same folder, is flushed to the disk, and only then takes the real
name; a full disk, a crash or Ctrl-C leaves the old file as it was.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from isthmus.checks import FileError

__all__ = ["replacing", "try_place", "write_atomically"]


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A binary file that becomes `path` when the `with` block ends well, and leaves no trace otherwise.

    Raises FileError where the folder is missing or the disk refuses.
    """
    target = Path(path)
    handle, name = _begun(target)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(target)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise FileError(
                f"{target} cannot be written: {error.strerror or error}. Free some space."
            ) from None
        raise


def try_place(path: str | os.PathLike[str]) -> None:
    """Raise FileError where `replacing` could not begin: before the work whose result would be lost."""
    handle, name = _begun(Path(path))
    os.close(handle)
    Path(name).unlink()


def write_atomically(path: str | os.PathLike[str], write_to: Callable[[BinaryIO], object]) -> None:
    """Call `write_to` with a binary file that becomes `path` when all went well; raises FileError
    otherwise.
    """
    with replacing(path) as file:
        write_to(file)


def _begun(target: Path) -> tuple[int, str]:
    """An open file of a temporary name beside the target, and the name."""
    if not target.parent.is_dir():
        raise FileError(f"the folder of {str(target)!r} must exist; got none. Create it first.")
    try:
        return tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    except OSError as error:
        raise FileError(f"{target} cannot be written: {error.strerror}. Choose another place.") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
