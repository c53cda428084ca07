"""Questions that lie in files: a picture, a recording, rows of a table."""

from __future__ import annotations

import os
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
        return schema.source(place).load()
    return read(path)
