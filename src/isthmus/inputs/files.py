"""Files: CSV, Parquet, NPY and NPZ into memory, by their endings; folders of pictures and recordings as
sources. Nothing is ever unpickled.

CSV is read as a person would: a first row of plain words is a header, blanks after commas are dropped,
whole numbers with gaps stay whole, ISO dates become dates. `isthmus.inputs.writing` writes the same formats,
`isthmus.inputs.disk` reads what is larger than memory.
"""

from __future__ import annotations

import csv
import io
import os
import re
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.checks import FileError, brief
from isthmus.inputs.folders import open_folder

__all__ = ["ENDINGS", "as_pandas", "ending", "read"]

ENDINGS = (".csv", ".csv.gz", ".tsv", ".parquet", ".npy", ".npz")
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$")


def ending(path: str | os.PathLike[str]) -> str:
    """The ending that decides the format; FileError when it is none of `ENDINGS`."""
    name = str(path).lower()
    found = [known for known in ENDINGS if name.endswith(known)]
    if not found:
        raise FileError(f"{path} must end in one of {', '.join(ENDINGS)}. Rename it, or convert it first.")
    return max(found, key=len)


def read(path: str | os.PathLike[str], *, header: bool | None = None, na: Sequence[str] = ()) -> Any:
    """A file as a pandas DataFrame (CSV, Parquet) or an array (NPY, NPZ); a folder of pictures or WAV files
    as a source.

    Parameters
    ----------
    path : path
        For an NPZ with several arrays, "file.npz:name" chooses one.
    header : bool or None
        Whether a CSV's first row holds names; None looks at it.
    na : sequence of str
        Words that mean "missing" besides the usual ones, such as "?".
    """
    place, _, key = str(path).partition(".npz:")
    file = Path(place + ".npz" if key else place)
    if file.is_dir():
        return open_folder(file)
    kind = ending(file)
    if not file.is_file():
        raise FileError(f"{file} must be a file; got nothing there. Check the path.")
    if file.stat().st_size == 0:
        raise FileError(f"{file} is empty. Nothing to read.")
    try:
        if kind in (".npy", ".npz"):
            return _read_numpy(file, key)
        return _read_parquet(file) if kind == ".parquet" else _read_csv(file, kind, header, list(na))
    except FileError:
        raise
    except (OSError, ValueError, KeyError, EOFError, csv.Error, zipfile.BadZipFile, zlib.error) as error:
        raise FileError(
            f"{file} cannot be read as {kind[1:]}: {brief(str(error), 200)}. Check the file."
        ) from None


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


def as_pandas(X: Any) -> Any:
    """A frame or an array as a pandas DataFrame."""
    pandas = _pandas()
    if isinstance(X, pandas.DataFrame):
        return X
    if hasattr(X, "to_pandas"):
        return X.to_pandas()
    array = np.asarray(X)
    flat = array.reshape(len(array), -1)
    return pandas.DataFrame(flat, columns=[f"column_{j}" for j in range(flat.shape[1])])


def _read_parquet(file: Path) -> Any:
    pandas = _pandas()
    try:
        return pandas.read_parquet(file)
    except ImportError:
        raise FileError(
            "Reading Parquet needs pyarrow. Install it with: pip install 'isthmus[data]'."
        ) from None


def _read_csv(file: Path, kind: str, header: bool | None, na: list[str]) -> Any:
    pandas = _pandas()
    encoding, first = _peek(file, kind)
    rows = list(
        csv.reader(io.StringIO(first), delimiter="\t" if kind == ".tsv" else ",", skipinitialspace=True)
    )
    if not rows:
        raise FileError(f"{file} has no rows. Nothing to read.")
    named = _looks_like_names(rows[0], na) if header is None else header
    names = [name.strip() for name in rows[0]] if named else [f"column_{j}" for j in range(len(rows[0]))]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FileError(f"{file} names the column {twice[0]!r} more than once. Rename it in the file.")
    frame = pandas.read_csv(
        file,
        sep="\t" if kind == ".tsv" else ",",
        names=names,
        header=0 if named else None,
        index_col=False,
        skipinitialspace=True,
        na_values=na,
        encoding=encoding,
        dtype_backend="numpy_nullable",
        on_bad_lines="error",
    )
    return _with_dates(frame)


def _peek(file: Path, kind: str) -> tuple[str, str]:
    """The encoding, and the first line that is not blank."""
    import gzip

    def lines(encoding: str) -> str:
        opened = gzip.open if kind == ".csv.gz" else open
        with opened(file, "rt", encoding=encoding) as stream:
            found = next((line for line in stream if line.strip()), "")
            for _ in stream:  # decodes the rest, so that a wrong encoding shows here
                pass
        return found

    try:
        return "utf-8-sig", lines("utf-8-sig")
    except UnicodeDecodeError:
        return "latin-1", lines("latin-1")


def _looks_like_names(cells: list[str], na: list[str]) -> bool:
    """A header has only words: no number, no blank, no mark for a missing value. Or it counts 0, 1, 2, ..."""
    words = [cell.strip() for cell in cells]
    if len(words) > 1 and words == [str(j) for j in range(len(words))]:
        return True
    return not any(word in ("", "?", "NA", *na) or _is_number(word) for word in words)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _with_dates(frame: Any) -> Any:
    """Columns of text whose every value is an ISO date become datetimes."""
    pandas = _pandas()
    for name in frame.columns:
        column = frame[name]
        known = column.dropna()
        if column.dtype != "string" or known.empty or not known.map(lambda v: bool(ISO_DATE.match(v))).all():
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                frame[name] = pandas.to_datetime(column, format="ISO8601")
            except ValueError:
                continue
    return frame
