"""`isthmus audit`: whether a model is any good."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.commands.options import Decimal, Encoding, Header, InFile, Json, ModelFile, Na, Separator

if TYPE_CHECKING:
    from isthmus.autoencoder import Autoencoder
    from isthmus.inputs.text import Reading

__all__ = ["audit", "training_rows"]

Test = Annotated[
    str | None, typer.Option(help="Judge by the rows of this file instead, which the model has never seen.")
]
Seeds = Annotated[
    int, typer.Option(help="Fit again with so many seeds in all, and say whether they agree; 3 is enough.")
]


def audit(
    model: ModelFile,
    file: InFile,
    test: Test = None,
    seeds: Seeds = 0,
    columns: Annotated[
        Path | None, typer.Option(help="Write how well every column is explained here.")
    ] = None,
    na: Na = None,
    header: Header = None,
    separator: Separator = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
    as_json: Json = False,
) -> None:
    """Say whether a model is any good, beside PCA, and what to do.

    FILE is what the model was fitted on; it is judged by the rows it kept from training, or by --test.
    """
    from isthmus.auditing import audit as look
    from isthmus.commands.files import asked_reading, refuse_output
    from isthmus.inputs.files import ENDINGS
    from isthmus.inputs.writing import write
    from isthmus.report.console import audit_report
    from isthmus.saving import load_autoencoder

    if columns is not None:
        refuse_output(columns, ENDINGS, model, file)
    fitted = load_autoencoder(model)
    asked = asked_reading(header, na, separator, decimal, encoding)
    X, other = training_rows(fitted, file, test, asked)
    found = look(fitted, X, other, seeds=seeds)
    if columns is not None:
        write(found.columns, columns)
    report = audit_report(found, model)
    typer.echo(json.dumps(report.plain(), default=str)) if as_json else report.show()


def training_rows(model: Autoencoder, file: str, test: str | None, asked: Reading) -> tuple[Any, Any]:
    """The rows a model was fitted on, and those of --test or None.

    Raises FileError where FILE cannot be what it was fitted on and nothing else is named to judge by.
    """
    from isthmus.checks import FileError, must
    from isthmus.commands.files import fitting, opened

    X = fitting(opened(file, asked, model).X, model)
    if test is not None:
        return X, fitting(opened(test, asked, model).X, model)
    if len(model.held_out_) == 0:
        raise must("--test", "be given where the model kept no rows from training", test, "Name new rows")
    if model.held_out_.max() >= len(X) or not _begins_with(X, model):
        raise FileError(
            f"{file} must be the file the model was fitted on; got other rows. Name that file, and these "
            f"rows by --test {file}."
        )
    return X, None


def _begins_with(X: Any, model: Autoencoder) -> bool:
    """Whether X begins with the rows a model's fingerprint is of, which are all rows but of large data."""
    import numpy as np

    from isthmus.fingerprint import fingerprint
    from isthmus.inputs import Source, encoded

    known, parts, left = model.fingerprint_, list[Any](), model.fingerprint_["rows"]
    if len(X) < left or (len(X) > left and not isinstance(X, Source)):
        return False
    for block in encoded(model.schema_, X):
        parts.append(block.x[:left])
        left -= len(parts[-1])
        if left == 0:
            break
    return bool(fingerprint(np.concatenate(parts), model.schema_.names)["sha256"] == known["sha256"])
