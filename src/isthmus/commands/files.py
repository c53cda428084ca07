"""Files as commands use them: opened as the model remembers, and never written over what is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from isthmus.autoencoder import Autoencoder
    from isthmus.inputs.text import Reading

__all__ = [
    "Opened",
    "asked_reading",
    "dropped",
    "excluded",
    "fitting",
    "held_rows",
    "left_out",
    "of_files",
    "opened",
    "refuse_folder",
    "refuse_output",
    "reminders",
]

SEPARATORS = {"tab": "\t", "\\t": "\t", "blanks": " ", "comma": ",", "semicolon": ";"}


class Opened(NamedTuple):
    """The rows; for a text file how it was read; and what was noticed."""

    X: Any
    reading: Reading | None
    notes: tuple[str, ...]


def asked_reading(
    header: bool | None,
    na: list[str] | None,
    separator: str | None,
    decimal: str | None,
    encoding: str | None,
) -> Reading:
    """The options on how a text file is read, as one value."""
    from isthmus.inputs.text import Reading

    sign = None if separator is None else SEPARATORS.get(separator, separator)
    return Reading(sign, decimal, encoding, header, na=tuple(na or ())).checked()


def opened(
    file: str,
    asked: Reading,
    model: Autoencoder | None = None,
    whole: bool = False,
    unsaid: Sequence[str] = (),
) -> Opened:
    """A Source where the file can be read in blocks, the whole file in memory otherwise; a text file as the
    one was that the model was fitted on, and unless `whole` without the columns that were left out there.

    unsaid: columns that will be left out, of which there are no notes.
    """
    found = _opened(file, asked, model, unsaid)
    if model is not None:
        _refuse_other_kind(found.X, model, file)
    if whole or "excluded" not in getattr(model, "facts_", {}):
        return found
    return found._replace(X=dropped(found.X, excluded(model, found.X)))


def _refuse_other_kind(X: Any, model: Autoencoder, file: str) -> None:
    """Raise for pictures, recordings or a table where the model was fitted on something else."""
    from isthmus.checks import must
    from isthmus.inputs import Folder, ImagesSchema, SignalsSchema

    fitted = {ImagesSchema: "pictures", SignalsSchema: "recordings"}.get(type(model.schema_), "a table")
    columns = len(getattr(X, "columns", ()))  # a picture may be a row of as many columns as it has pixels
    table = columns not in (0, model.schema_.layout.width)
    got = X.KIND if isinstance(X, Folder) else "a table" if table else fitted
    if got != fitted:
        do = "Use another model, or other data"
        raise must(file, f"be {fitted}, which the model was fitted on", got, do)


def of_files(file: str) -> bool:
    """Whether a path is a folder, or a single picture or recording."""
    return Path(file).is_dir() or (Path(file).is_file() and _is_single(file))


def _is_single(path: str | Path) -> bool:
    """Whether a path has the ending of a picture or a recording."""
    from isthmus.inputs.images import Pictures
    from isthmus.inputs.signals import Recordings

    return str(path).lower().endswith((*Pictures.ENDINGS, *Recordings.ENDINGS))


def refuse_folder(path: Path) -> None:
    """Refuse a folder for files under their own names that cannot be made, before any work is done."""
    from isthmus.checks import FileError
    from isthmus.inputs.folders import refuse_full

    if _is_single(path) and not path.is_dir():
        raise FileError(f"{path} must name a folder, for files under their own names. Leave the ending out.")
    refuse_full(path)


def excluded(model: Autoencoder | None, X: Any) -> list[str]:
    """The columns of X that were left out when the model was fitted."""
    names = list(getattr(X, "columns", ()))
    return [name for name in left_out(model) if name in names]


def left_out(model: Autoencoder | None) -> list[str]:
    """The columns that were left out when the model was fitted."""
    found = getattr(model, "facts_", {}).get("excluded")
    return list(found) if isinstance(found, (list, tuple)) else []


def reminders(reading: Reading | None, without: list[str] | None) -> dict[str, Any]:
    """What a model's file remembers of the file it was fitted on."""
    from isthmus.parts import pack

    facts: dict[str, Any] = {} if reading is None else {"reading": pack(reading)}
    return {**facts, "excluded": list(without)} if without else facts


def _opened(file: str, asked: Reading, model: Autoencoder | None, unsaid: Sequence[str]) -> Opened:
    from isthmus.inputs.disk import is_url, open_source
    from isthmus.inputs.files import read_as
    from isthmus.inputs.folders import open_folder

    place = Path(file)
    of_parquet = place.is_dir() and any(place.rglob("*.parquet"))
    if is_url(file) or of_parquet or (file.lower().endswith((".npy", ".parquet")) and place.is_file()):
        return Opened(open_source(file), None, ())
    if model is None:
        return Opened(*read_as(file, asked, unsaid=unsaid))
    if of_files(file):
        return Opened(open_folder(file), None, ())
    return Opened(*read_as(file, asked, *_remembered(model), unsaid=unsaid))


def _remembered(model: Autoencoder) -> tuple[Reading, list[str], list[str]]:
    """How the model's file was read, its columns, and those of them that are text."""
    from isthmus.checks import DataError, FileError
    from isthmus.inputs import LevelSpec, TableSchema
    from isthmus.inputs.text import Reading
    from isthmus.parts import unpack

    schema, packed = model.schema_, getattr(model, "facts_", {}).get("reading")
    try:
        reading = Reading() if packed is None else unpack(packed, {"Reading": Reading}).checked()
    except (DataError, AttributeError, TypeError):
        raise FileError("the model's note on how its file was read is damaged. Fit it again.") from None
    names = [str(name) for name in schema.names] if schema.named else []
    specs = schema.columns if isinstance(schema, TableSchema) else ()
    texts = [s for s in specs if isinstance(s, LevelSpec) and all(isinstance(v, str) for v in s.levels)]
    return reading, names, [str(spec.name) for spec in texts]


def held_rows(X: Any) -> Any:
    """What is small as it lies in memory, so that rows can be drawn from all of it."""
    from isthmus.inputs.disk import DiskSource, held

    return held(X) if isinstance(X, DiskSource) else X


def dropped(X: Any, columns: list[str]) -> Any:
    """The table without some columns."""
    from isthmus.checks import must
    from isthmus.wording import few

    if not columns:
        return X
    names = [str(name) for name in getattr(X, "columns", [])]
    unknown = [name for name in columns if name not in names]
    if unknown:
        there = f"It has {few(names, 10) or 'none'}"
        raise must("--exclude", "name a column of the file", unknown[0], there)
    if not set(names) - set(columns):
        raise must("--exclude", "leave at least one column", "all of them", "Leave out fewer")
    return X.drop(columns=columns)


def fitting(X: Any, model: Autoencoder) -> Any:
    """A folder as the model reads it, what was skipped being told; anything else as it is."""
    from isthmus.commands.words import tell
    from isthmus.inputs import Folder, ImagesSchema, SignalsSchema

    schema = model.schema_
    if not (isinstance(X, Folder) and isinstance(schema, (ImagesSchema, SignalsSchema))):
        return X
    folder = schema.source(X)
    for sentence in folder.about_skipped():
        tell(sentence)
    return folder


def refuse_output(path: Path, endings: tuple[str, ...], *inputs: str | Path) -> None:
    """Refuse an output that cannot work, or would write over what is read, before any work is done."""
    from isthmus.atomic import try_place
    from isthmus.checks import FileError

    if not str(path).lower().endswith(endings):
        raise FileError(f"{path} must end in {' or '.join(endings)}. Choose another name.")
    if path.is_dir():
        raise FileError(f"{path} is a folder. Choose the name of a file.")
    for other in inputs:
        if _same(path, other):
            rule = f"{path} must be a file of its own; got the same as {other}"
            raise FileError(f"{rule}. Choose another name.")
    try_place(path)


def _same(path: Path, other: str | Path) -> bool:
    from isthmus.inputs.files import located

    place = located(other)[0]
    if path.exists() and place.exists():
        return path.samefile(place)
    return path.resolve() == place.resolve()
