"""Files: CSV, Parquet, NPY and NPZ into memory, by their endings; folders of pictures and recordings as
sources. Nothing is ever unpickled.

`isthmus.inputs.text` reads CSV and its relatives, `isthmus.inputs.writing` writes the same formats,
`isthmus.inputs.disk` reads what is larger than memory.
"""

from __future__ import annotations

import csv
import os
import zipfile
import zlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.checks import FileError, IsthmusError, brief, must
from isthmus.inputs.folders import open_folder
from isthmus.inputs.images import Pictures
from isthmus.inputs.signals import Recordings
from isthmus.inputs.text import Reading, read_text

__all__ = ["ENDINGS", "READABLE", "TEXT", "as_pandas", "ending", "located", "read", "read_as"]

ENDINGS = (".csv", ".csv.gz", ".tsv", ".parquet", ".npy", ".npz")
TEXT = (".csv", ".csv.gz", ".tsv", ".txt", ".data")
READABLE = (*ENDINGS, ".txt", ".data")
FOLDER = "Name the folder it is in"
OTHERS = (
    (Pictures.ENDINGS, "a single picture", f"{FOLDER}; isthmus denoise and isthmus inpaint take single ones"),
    (Recordings.ENDINGS, "a single recording", f"{FOLDER}; isthmus denoise takes single ones"),
    ((".isthmus",), "a model", "Name the file with the data"),
    ((".xlsx", ".xls", ".ods"), "a spreadsheet", "Save it as CSV or Parquet"),
)


def ending(path: str | os.PathLike[str], known: Sequence[str] = ENDINGS) -> str:
    """The ending that decides the format; FileError when it is none of those known."""
    name = str(path).lower()
    found = [end for end in known if name.endswith(end)]
    if not found:
        raise FileError(f"{path} must end in one of {', '.join(known)}. Rename it, or convert it first.")
    return max(found, key=len)


def read(path: str | os.PathLike[str], *, header: bool | None = None, na: Sequence[str] = ()) -> Any:
    """A file as a pandas DataFrame (text, Parquet) or an array (NPY, NPZ); a folder of pictures or WAV files
    as a source.

    Parameters
    ----------
    path : path
        For an NPZ with several arrays, "file.npz:name" chooses one.
    header : bool or None
        Whether a text file's first row holds names; None looks at it.
    na : sequence of str
        Words that mean "missing" besides the usual ones.
    """
    return read_as(path, Reading(header=header, na=tuple(na)))[0]


def read_as(
    path: str | os.PathLike[str],
    asked: Reading = Reading(),
    known: Reading = Reading(),
    names: Collection[str] = (),
    text: Collection[str] = (),
    unsaid: Collection[str] = (),
) -> tuple[Any, Reading | None, tuple[str, ...]]:
    """The same, with how a text file was read and notes on it; see `isthmus.inputs.text.read_text`."""
    file, key = located(path)
    if file.is_dir():
        return open_folder(file), None, ()
    if not file.is_file():
        raise FileError(f"{file} must be a file or a folder; got nothing there. Check the path.")
    _refuse_other_kinds(file)
    kind = ending(file, READABLE)
    if file.stat().st_size == 0:
        raise FileError(f"{file} is empty. Nothing to read.")
    try:
        if kind in TEXT:
            _pandas()
            return tuple(read_text(file, asked, known, names, text, unsaid))
        return (_read_parquet(file) if kind == ".parquet" else _read_numpy(file, key)), None, ()
    except FileError:
        raise
    except (OSError, ValueError, KeyError, EOFError, csv.Error, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, IsthmusError):
            raise
        why = brief(str(error), 200).rstrip(".")
        if "pickle" in why:  # numpy's words advise to load it anyway
            why = "it holds Python objects, which are never loaded, or is no such file"
        raise FileError(f"{file} cannot be read as {kind[1:]}: {why}. Check the file.") from None


def _refuse_other_kinds(file: Path) -> None:
    """Raise for a file of a kind that has another way in."""
    for endings, got, do in OTHERS:
        if file.name.lower().endswith(endings):
            raise must(str(file), "be a table, an array or a folder", got, do, FileError)


def located(path: str | os.PathLike[str]) -> tuple[Path, str]:
    """The file a path names, and the array inside it that "file.npz:name" chooses."""
    place, colon, key = str(path).partition(".npz:")
    return Path(place + ".npz" if colon else place), key


# ---------------------------------------------------------------- numpy


def _read_numpy(file: Path, key: str) -> Any:
    if file.suffix.lower() == ".npy":
        return _refuse_objects(file, np.load(file, allow_pickle=False))
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        names = archive.files
        if not key and len(names) != 1:
            example = names[0] if names else "name"
            raise FileError(
                f"{file} holds {', '.join(names[:8]) or 'nothing'}: choose one with {file}:{example}."
            )
        chosen = key or names[0]
        if chosen not in names:
            raise FileError(
                f"{file} holds no array {chosen!r}, only {', '.join(names[:8])}. Choose one of them."
            )
        return _refuse_objects(file, archive[chosen])


def _refuse_objects(file: Path, array: Any) -> Any:
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        kind = getattr(array, "dtype", type(array).__name__)
        raise FileError(f"{file} must hold numbers; got {kind}. Use CSV or Parquet for tables with text.")
    if array.ndim < 2 or not array.size:
        rule = f"{file} must have rows and columns; got shape {brief(str(array.shape), 60)}"
        raise FileError(f"{rule}. Reshape it before saving.")
    return array


# ---------------------------------------------------------------- tables


def _pandas() -> Any:
    try:
        import pandas
    except ImportError:
        raise FileError(
            "Reading tables needs pandas. Install it with: pip install 'isthmus[data]'."
        ) from None
    return pandas


def as_pandas(X: Any, names: Any = None) -> Any:
    """A frame, or an array with names for its columns, as a pandas DataFrame."""
    pandas = _pandas()
    if isinstance(X, pandas.DataFrame):
        return X
    if hasattr(X, "to_pandas"):
        return X.to_pandas()
    array = np.asarray(X)
    flat = array.reshape(len(array), -1)
    columns = [f"column_{j}" for j in range(flat.shape[1])] if names is None else list(names)
    return pandas.DataFrame(flat, columns=columns)


def _read_parquet(file: Path) -> Any:
    pandas = _pandas()
    try:
        return pandas.read_parquet(file)
    except ImportError:
        raise FileError(
            "Reading Parquet needs pyarrow. Install it with: pip install 'isthmus[data]'."
        ) from None
