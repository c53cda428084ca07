"""Questions that lie in files: a picture, a recording, rows of a table."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from isthmus.checks import FileError
from isthmus.inputs import ImagesSchema, SignalsSchema
from isthmus.inputs.files import read

__all__ = ["read_file"]


def read_file(schema: Any, path: str | os.PathLike[str]) -> Any:
    """The rows of a file as a model with this schema reads them; pictures and recordings as arrays."""
    place, lone = Path(path), isinstance(schema, (ImagesSchema, SignalsSchema))
    if lone and not place.is_dir() and place.suffix.lower() not in (".npy", ".npz"):
        if not place.is_file():
            raise FileError(f"{path} must be a file; got nothing there. Check the path.")
        return _lone(schema, place)
    return read(path)


def _lone(schema: Any, path: Path) -> Any:
    """One picture or recording, read as one of a folder is."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name.lstrip(".")
        try:
            copy.symlink_to(path.resolve())
        except OSError:  # a system without links
            shutil.copyfile(path, copy)
        try:
            return schema.source(folder).load()
        except FileError as error:
            said = str(error).replace(f"{folder} must hold", f"{path} must be one of the")
            raise FileError(
                said.replace(folder, str(path.parent)).replace("Check the folder", "Check it")
            ) from None
