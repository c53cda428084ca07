"""`isthmus report`: one HTML page about a model."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.commands.auditing import Test, training_rows
from isthmus.commands.options import Decimal, Encoding, Header, InFile, Json, ModelFile, Na, Quiet, Separator

if TYPE_CHECKING:
    from isthmus.autoencoder import Autoencoder

__all__ = ["facts_of", "report"]


def report(
    model: ModelFile,
    file: InFile,
    output: Annotated[Path, typer.Option("--output", "-o", help="The page to write, REPORT.html.")],
    test: Test = None,
    rows: Annotated[
        int, typer.Option(help="Rows of the data that are put in, to be looked at; 0 for none.")
    ] = 300,
    na: Na = None,
    header: Header = None,
    separator: Separator = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write one HTML page about a model: whether to trust it, and why. It needs no network.

    FILE is what the model was fitted on; it is judged by the rows it kept from training, or by --test.
    """
    from isthmus.atomic import write_atomically
    from isthmus.auditing import audit
    from isthmus.checks import need
    from isthmus.commands.files import asked_reading, refuse_output
    from isthmus.report.page import html_report
    from isthmus.saving import load_autoencoder

    refuse_output(output, (".html", ".htm"), model, file)
    need(rows >= 0, "--rows", "be at least 0", rows, "Use --rows 0 for none")
    fitted = load_autoencoder(model)
    asked = asked_reading(header, na, separator, decimal, encoding)
    X, other = training_rows(fitted, file, test, asked)
    found = audit(fitted, X, other)
    page = html_report(found, facts_of(fitted, model, file, test, output), rows)
    write_atomically(output, lambda place: place.write(page.encode()))
    facts = {"kind": found.kind, "verdict": found.verdict, "output": str(output)}
    if as_json:
        typer.echo(json.dumps(facts))
    elif not quiet:
        typer.echo(f"{found.verdict}\n-> {output}")


def facts_of(model: Autoencoder, path: Path, file: str, test: str | None, output: Path) -> Any:
    """Parameters, versions, and the lines that make the page again."""
    from isthmus.report.console import model_report
    from isthmus.report.page import Facts

    told = model_report(model, path)
    left_out = ("explained", "explained by PCA", "names", "loss", "held out loss")
    settings = {name: text for name, text in told.lines.items() if text and name not in left_out}
    more = "" if test is None else f" --test {shlex.quote(test)}"
    names = [shlex.quote(str(name)) for name in (path, file, output)]
    lines = [
        f"isthmus report {names[0]} {names[1]}{more} -o {names[2]}",
        "",
        "# or from Python",
        "from isthmus import audit, load",
        f"model = load({str(path)!r})",
        f"print(audit(model, X{'' if test is None else ', X_test'}))  # X: the rows of {file}",
    ]
    return Facts(f"{path.name}: is it any good?", settings, "\n".join(lines), model.history_rows_, told.notes)
