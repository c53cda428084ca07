"""The options that several commands share, with their line of help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Decimal",
    "Encoding",
    "Exclude",
    "Header",
    "InFile",
    "Json",
    "ModelFile",
    "Na",
    "OutFile",
    "Quiet",
    "Separator",
]

InFile = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="CSV, TSV, TXT, Parquet, NPY, NPZ ('file.npz:name' for one array); a folder of pictures, WAVs "
        "or Parquet; a URL.",
    ),
]
ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="A .isthmus file.")]
OutFile = Annotated[
    Path, typer.Option("--output", "-o", help="Where to write; the ending decides the format.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines, errors as well.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but warnings and errors.")]
Exclude = Annotated[
    list[str] | None, typer.Option(help="A column to leave out, such as an identifier; may be repeated.")
]

# How a text file is read: found by looking, remembered by the model, overridden here.
Na = Annotated[list[str] | None, typer.Option("--na", help="Another word for a missing value, such as 99.")]
Header = Annotated[
    bool | None, typer.Option("--header/--no-header", help="Whether a text file's first row holds names.")
]
Separator = Annotated[
    str | None, typer.Option(help="The sign between cells: ';', 'tab', 'blanks'; found by looking.")
]
Decimal = Annotated[str | None, typer.Option(help="The decimal sign, '.' or ','; found by looking.")]
Encoding = Annotated[str | None, typer.Option(help="The text's encoding, such as latin-1; found by looking.")]
