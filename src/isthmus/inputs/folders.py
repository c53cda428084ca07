"""Folders: many small files as rows. What pictures and recordings share.

A folder is searched with everything below it. Every file is looked at once when the folder is opened: one
that cannot be read is skipped and named in `skipped`, so that the rows are known before any is used. Files
come from anywhere: sizes are checked before memory is taken, and whatever a decoder raises on hostile bytes
is a reason to skip, never a crash.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from isthmus.atomic import try_place
from isthmus.checks import FileError, brief, must
from isthmus.inputs.source import Source
from isthmus.wording import counted

__all__ = ["Folder", "is_path", "labels_of", "loaded", "open_folder", "unusable", "warn_of_skipped"]

BLOCK = 64  # files read together
KEPT = 2**28  # bytes up to which decoded files stay in memory


class Folder(Source):
    """The readable files of one kind in a folder, `BLOCK` of them to a block; or one such file.

    names: the file each row comes from, as a path below the folder. labels: the same for a table of results,
    with whatever else tells rows of one file apart. skipped: a sentence on each file that was left out.
    """

    KIND: ClassVar[str] = "files"
    ENDINGS: ClassVar[tuple[str, ...]] = ()

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.place = Path(path)
        lone = self.place.is_file()
        self.path = self.place.parent if lone else self.place
        self.skipped: list[str] = []
        self._kept: dict[str, NDArray[Any]] = {}
        names = [self.place.name] if lone else files_below(self.path, self.ENDINGS)
        found = {name: self._attempt(name, self._header) for name in names}
        self.headers: dict[str, Any] = {name: head for name, head in found.items() if head is not None}
        if not self.headers:
            raise nothing_readable(self.place, self.KIND, self.ENDINGS, self.skipped)

    # ---------------------------------------------------------------- what a kind of file defines

    @abstractmethod
    def _header(self, name: str) -> Any:
        """What a file's first bytes say of it; whatever it raises is a reason to skip the file."""

    @abstractmethod
    def _decode(self, name: str) -> NDArray[Any]:
        """The rows of one file."""

    @abstractmethod
    def restore(self, rows: NDArray[Any], folder: Path) -> int:
        """Write rows as files under their own names into an empty folder; how many files it were."""

    # ---------------------------------------------------------------- a source

    @cached_property
    def counts(self) -> dict[str, int]:
        """Rows of every readable file; decodes each file once, and keeps them while there is room."""
        counts, room = {}, KEPT
        for name in self.headers:
            rows = self._attempt(name, self._decode)
            if rows is None:
                continue
            counts[name] = len(rows)
            room -= rows.nbytes
            if room >= 0:
                self._kept[name] = rows
        if not counts:
            raise nothing_readable(self.place, self.KIND, self.ENDINGS, self.skipped)
        return counts

    @property
    def sizes(self) -> Sequence[int]:
        """Rows of every block of 64 files."""
        counts = list(self.counts.values())
        return [sum(counts[i : i + BLOCK]) for i in range(0, len(counts), BLOCK)]

    def read(self, block: int) -> NDArray[Any]:
        """The rows of 64 files."""
        names = list(self.counts)[block * BLOCK : (block + 1) * BLOCK]
        return np.concatenate([self._rows(name) for name in names])

    def load(self) -> NDArray[Any]:
        """All rows in memory."""
        return np.concatenate(list(self.blocks()))

    @property
    def names(self) -> list[str]:
        """The file of every row."""
        return [name for name, count in self.counts.items() for _ in range(count)]

    @property
    def labels(self) -> dict[str, list[Any]]:
        """Columns that tell rows apart in a table of results."""
        return {"file": self.names}

    def write(self, rows: NDArray[Any], folder: str | os.PathLike[str]) -> int:
        """Write rows (n, ...) as files under their own names to a new folder, all of them or none."""
        target = Path(folder)
        refuse_full(target)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as place:
            made = Path(place) / "made"
            made.mkdir()
            try:
                count = self.restore(rows, made)
                made.replace(target)
            except OSError as error:
                raise FileError(f"{target} cannot be written: {error.strerror or error}.") from None
        return count

    # ---------------------------------------------------------------- small pieces

    def _rows(self, name: str) -> NDArray[Any]:
        if name in self._kept:
            return self._kept[name]
        try:
            return self._decode(name)
        except Exception as error:
            raise FileError(f"{self.path / name} changed while it was in use: {brief(str(error))}.") from None

    def _attempt(self, name: str, read: Any) -> Any:
        """What `read` makes of a file, or None with a line in `skipped`."""
        try:
            return read(name)
        except Exception as error:  # decoders raise nearly everything on hostile bytes
            told = getattr(error, "strerror", None) or str(error)
            words = told.replace(str(self.path / name), "it") or type(error).__name__
            self.skipped.append(f"{name} ({brief(words, 60).rstrip('.')})")
            return None

    def about_skipped(self) -> tuple[str, ...]:
        """One sentence naming what was left out, or nothing."""
        readable = len(self.counts)  # looks at every file, which may skip some more
        if not self.skipped:
            return ()
        shown = "; ".join(self.skipped[:5])
        more = f"; and {len(self.skipped) - 5} more" if len(self.skipped) > 5 else ""
        total = len(self.skipped) + readable
        return (
            f"Skipped {len(self.skipped)} of {counted(total, 'file')} that cannot be read: {shown}{more}.",
        )


def warn_of_skipped(folder: Folder) -> Folder:
    """The folder, a warning given about files of it that cannot be read."""
    for sentence in folder.about_skipped():
        warnings.warn(sentence, UserWarning, stacklevel=5)
    return folder


def is_path(X: Any) -> bool:
    """Whether X names a place on the disk."""
    return isinstance(X, (str, os.PathLike))


def files_below(path: Path, endings: Sequence[str]) -> list[str]:
    """Files with these endings below a folder, as paths within it, in order; hidden ones are left out."""
    found = []
    for place, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            if name.lower().endswith(tuple(endings)) and not name.startswith("."):
                found.append(Path(place, name).relative_to(path).as_posix())
    return sorted(found)


def open_folder(path: str | os.PathLike[str]) -> Folder:
    """The pictures or the recordings in a folder, whichever it holds; or a single one."""
    from isthmus.inputs.images import Pictures
    from isthmus.inputs.signals import Recordings

    place = Path(path)
    if place.is_file():
        for kind in (Pictures, Recordings):
            if place.name.lower().endswith(kind.ENDINGS):
                return kind(place)
    if not place.is_dir():
        rule = "be data of 2-D or more, or a folder of pictures or WAV files"
        do = "Read it first: open_source, or pandas" if place.is_file() else "Check the path"
        raise must("X", rule, f"{path!r}, which is no folder", do)
    kinds = [kind for kind in (Pictures, Recordings) if files_below(place, kind.ENDINGS)]
    if len(kinds) == 2:
        raise FileError(f"{place} holds pictures and recordings. Use a folder with one kind of them.")
    if not kinds:
        raise nothing_readable(place, "pictures or WAV files", (*Pictures.ENDINGS, *Recordings.ENDINGS), [])
    return kinds[0](place)


def nothing_readable(path: Path, kind: str, endings: Sequence[str], skipped: Sequence[str]) -> FileError:
    """The error for a folder, or a file, with nothing to read."""
    if path.is_file():
        shown = skipped[0] if skipped else path.name
        return FileError(
            f"{path} must be one of the {kind} ({', '.join(endings)}); got one that cannot be read, {shown}. "
            "Check it."
        )
    got = f"{len(skipped)} that cannot be read, such as {skipped[0]}" if skipped else "none"
    return FileError(f"{path} must hold {kind} ({', '.join(endings)}); got {got}. Check the folder.")


def refuse_others(X: Any, kind: str) -> None:
    """Raise for a folder of other files than `kind`, "pictures" or "recordings"."""
    if isinstance(X, Folder) and kind != X.KIND:
        raise must("X", f"be {kind}", f"a folder of {X.KIND}", f"Use a folder of {kind}")


def refuse_full(folder: Path) -> None:
    """Raise unless a folder can be made, or is there and empty."""
    if not folder.parent.is_dir():
        raise FileError(f"the folder above {folder} must exist; got none. Create it first.")
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise FileError(f"{folder} must be a new or empty folder; got one with files. Choose another name.")
    try_place(folder)


def blocks_of(X: NDArray[Any], rows: int = BLOCK) -> Iterator[NDArray[Any]]:
    """An array in pieces of so many rows, so that only a piece at a time is in float64."""
    return (X[i : i + rows] for i in range(0, len(X), rows))


def unusable(kind: str, extra: str) -> FileError:
    """The error for a missing optional package."""
    return FileError(
        f"Reading {kind} needs another package. Install it with: pip install 'isthmus[{extra}]'."
    )


def loaded(X: Any) -> Any:
    """The files of a folder as one array; anything else as it is, whatever its columns are called."""
    return X.load() if isinstance(X, Folder) else X


def labels_of(X: Any) -> dict[str, list[Any]]:
    """What tells the rows of a folder apart; nothing of anything else."""
    return X.labels if isinstance(X, Folder) else {}
