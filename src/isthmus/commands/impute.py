"""`isthmus impute`: a table in, the same without gaps out; what was learned may be kept and used again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.commands.options import (
    Decimal,
    Encoding,
    Exclude,
    Header,
    InFile,
    Json,
    Na,
    OutFile,
    Quiet,
    Separator,
)
from isthmus.wording import counted, percent

if TYPE_CHECKING:
    from isthmus.imputation import Imputer
    from isthmus.report.console import Report

__all__ = ["fitted_imputer", "impute", "imputer_report", "keep_imputer"]

SHOWN = 30  # columns on the screen
SPANS = (("days", 86_400.0), ("h", 3_600.0), ("min", 60.0), ("s", 1.0))


def impute(
    file: InFile,
    output: OutFile,
    draws: Annotated[
        int | None,
        typer.Option(help="Write so many completed tables below each other, in columns draw and row."),
    ] = None,
    intervals: Annotated[
        Path | None, typer.Option(help="Also write every filled cell with its interval or probability here.")
    ] = None,
    alpha: Annotated[float, typer.Option(help="Share of truths that may lie outside the intervals.")] = 0.1,
    model: Annotated[
        Path | None, typer.Option(help="Learn nothing: use the imputer in this .isthmus file.")
    ] = None,
    save: Annotated[Path | None, typer.Option(help="Keep what was learned here, a .isthmus file.")] = None,
    exclude: Exclude = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the rows at most; chosen if left out.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same fills.")] = 0,
    na: Na = None,
    header: Header = None,
    separator: Separator = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fill the gaps of a table, column by column with its mean unless something else is clearly better.

    Columns named by --exclude, such as an identifier, are neither read nor filled. With --draws, analyse
    every completed table and pool the results by Rubin's rules (`isthmus.pool`).
    """
    from isthmus.checks import need
    from isthmus.commands.files import (
        asked_reading,
        dropped,
        excluded,
        held_rows,
        left_out,
        opened,
        refuse_output,
        reminders,
    )
    from isthmus.commands.interrupts import nothing_learned, noticing_interrupts
    from isthmus.commands.words import tell
    from isthmus.inputs.files import ENDINGS
    from isthmus.inputs.writing import write

    _refuse_pictures(file)
    files = (file, *(() if model is None else (model,)))
    refuse_output(output, ENDINGS, *files)
    if intervals is not None:
        refuse_output(intervals, (".csv", ".csv.gz", ".tsv", ".parquet"), *files, output)
    if save is not None:
        refuse_output(save, (".isthmus",), file, output)
        need(model is None, "--save", "be left out with --model", save, "Copy the file")
    need(draws is None or draws >= 1, "--draws", "be a whole number of at least 1", draws, "Use --draws 20")
    need(0 < alpha < 1, "--alpha", "lie between 0 and 1", alpha, "Use --alpha 0.1")
    asked = asked_reading(header, na, separator, decimal, encoding)
    with noticing_interrupts() as interrupts:
        try:
            imputer = None if model is None else load_imputer(model)
            known = None if imputer is None else imputer.models_[0]
            unsaid = exclude or left_out(known)
            X, reading, notes = opened(file, asked, known, whole=True, unsaid=unsaid)
            X = held_rows(X)
            exclude = exclude or excluded(known, X)
            rows = dropped(X, exclude)
            if imputer is None:
                imputer = fitted_imputer(rows, None, epochs, seed, shown=not (quiet or as_json))
        except KeyboardInterrupt:
            raise nothing_learned(output) from None
    if save is not None:
        keep_imputer(imputer, reminders(reading, exclude), save)
    filled = imputer.transform(rows) if draws is None else _stacked(imputer.draws(rows, draws), X, rows)
    if draws is None:
        filled = _with(filled, X, rows)
    write(filled, output, exact=True)
    if intervals is not None:
        write(_alike(imputer.intervals(rows, alpha), intervals), intervals, exact=True)
    facts = _facts(imputer, rows, [*notes, *(imputer.notes_ if model is None else [])])
    if not any(line["missing"] for line in facts["columns"]):
        facts["notes"] = [*notes, "No cell was missing: the table is as it was."]
    facts |= {"output": str(output), "draws": draws, "save": None if save is None else str(save)}
    facts |= {"intervals": None if intervals is None else str(intervals), "interrupted": bool(interrupts)}
    if as_json:
        typer.echo(json.dumps(facts, default=str))
    elif not quiet:
        _show(facts)
    if interrupts:
        tell(f"interrupted: {output} was filled by what had been learned so far")
        raise SystemExit(130)


def _refuse_pictures(file: str) -> None:
    """Raise for pictures, whose gaps are filled by another command, whatever the output is called."""
    from isthmus.checks import FileError, must
    from isthmus.inputs import Pictures
    from isthmus.inputs.folders import files_below

    place = Path(file)
    one = place.is_file() and file.lower().endswith(Pictures.ENDINGS)
    if one or (place.is_dir() and files_below(place, Pictures.ENDINGS)):
        got = "a picture" if one else "a folder of pictures"
        raise must(file, "be a table", got, "Use Inpainter", FileError)


def load_imputer(path: Path) -> Imputer:
    """The imputer in a file; FileError for a file with something else."""
    from isthmus.checks import FileError
    from isthmus.imputation import Imputer
    from isthmus.saving import load

    found = load(path)
    if not isinstance(found, Imputer):
        do = f"Make one with: isthmus impute FILE -o OUT --save {path}"
        raise FileError(f"{path} must hold an Imputer; got {type(found).__name__}. {do}")
    return found


def keep_imputer(imputer: Imputer, facts: dict[str, Any], path: Path) -> None:
    """Save it, with what it remembers of its file and without what was this run's own."""
    from isthmus.saving import save

    for one in imputer.models_:
        one.set_params(trainer__progress=None)
    imputer.models_[0].facts_ = facts
    save(imputer, path)


def imputer_report(imputer: Imputer, path: Path) -> Report:
    """What an imputer's file holds."""
    from isthmus.report.console import Report, model_report

    about = model_report(imputer.models_[0], path)
    columns = _columns(imputer)
    facts = {**about.facts, "models": len(imputer.models_), "coverage": imputer.coverage_, "columns": columns}
    said = ("file", "names", "weights", "versions")
    lines = {
        "imputer": f"{facts['models']} models, the first of them:",
        **{name: line for name, line in about.lines.items() if name in said},
        "model's share": ", ".join(f"{c['column']} {percent(c['model'])}" for c in columns[:SHOWN]),
    }
    return Report(facts, lines, None, imputer.notes_)


# ---------------------------------------------------------------- the pieces


def fitted_imputer(X: Any, model: Any, epochs: int | None, seed: int, shown: bool) -> Imputer:
    """An imputer of the rows of X over `model`, or over the default where it is None."""
    from isthmus.imputation import Imputer

    imputer = Imputer(model, random_state=seed)
    if model is None and (epochs is not None or not shown):
        model = imputer.default_model(X)
        usual = model.trainer.max_epochs
        model.set_params(trainer__max_epochs=usual if epochs is None else epochs)
        imputer.set_params(model=model.set_params(trainer__progress=None if shown else False))
    return imputer.fit(X)


def _with(filled: Any, X: Any, rows: Any) -> Any:
    """The filled columns among those that were left out."""
    if rows is X or not hasattr(filled, "columns"):
        return filled
    whole = X.copy()
    whole[list(filled.columns)] = filled
    return whole


def _stacked(tables: list[Any], X: Any, rows: Any) -> Any:
    """Completed tables below each other, after the columns draw (from 1) and row (from 0)."""
    import numpy as np

    if not hasattr(rows, "columns"):
        number = np.arange(len(rows))
        each = [np.column_stack([np.full(len(rows), d), number, t]) for d, t in enumerate(tables, 1)]
        return np.concatenate(each)
    import pandas

    each = []
    for d, table in enumerate(tables, 1):
        table = _with(table, X, rows)
        table = table.to_pandas() if hasattr(table, "to_pandas") else table
        names = [f"{name}_" if name in table.columns else name for name in ("draw", "row")]
        lead = pandas.DataFrame({names[0]: d, names[1]: range(len(table))}, index=table.index)
        each.append(pandas.concat([lead, table], axis=1))
    whole = pandas.concat(each, ignore_index=True)
    whole.attrs = dict(getattr(X, "attrs", {}))  # how its numbers were written
    return whole


def _alike(cells: Any, path: Path) -> Any:
    """Cells with values of one kind a column, as Parquet has them: text, where a table is mixed."""
    if not str(path).lower().endswith(".parquet"):
        return cells
    ends = [name for name in ("value", "lower", "upper") if len({type(v) for v in cells[name].dropna()}) > 1]
    return cells.assign(**{name: cells[name].map(str, na_action="ignore") for name in ends})


def _columns(imputer: Imputer) -> list[dict[str, Any]]:
    """The report, line by line."""
    report = imputer.report_
    lines = report.to_dict("records")
    return [{k: None if v != v else v for k, v in line.items()} for line in lines]


def _facts(imputer: Imputer, rows: Any, notes: list[str]) -> dict[str, Any]:
    from isthmus.imputation.imputer import gap_counts

    counts = gap_counts(imputer, rows)
    columns = [{**line, "missing": count} for line, count in zip(_columns(imputer), counts, strict=True)]
    empty = [line["column"] for line, gone in zip(columns, imputer._empty, strict=True) if gone]
    filled = sum(line["missing"] for line in columns if line["column"] not in empty)
    return {"rows": len(rows), "filled": filled, "columns": columns, "empty": empty, "notes": notes}


def _show(facts: dict[str, Any]) -> None:
    """What was filled, with what, and how good that is."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    lines = [line for line in facts["columns"] if line["missing"] and line["column"] not in facts["empty"]]
    cells = f"{counted(facts['filled'], 'cell')} filled in {counted(len(lines), 'column')}"
    said = f"{counted(facts['rows'], 'row')}, {cells}"
    console.print(f"{said} -> {facts['output']}", style="bold", markup=False)
    if lines:
        table = Table(box=None)
        for name in ("column", "gaps", "mean", "gaussian", "model", "error", "of the mean", "covered"):
            table.add_column(name, justify="left" if name == "column" else "right", no_wrap=True)
        for line in sorted(lines, key=lambda line: -line["missing"])[:SHOWN]:
            errors = (_figure(line[name], line["kind"]) for name in ("error", "error_of_mean"))
            covered = "" if line["coverage"] is None else percent(line["coverage"])
            weights = [percent(line[name]) if line[name] else "" for name in ("mean", "gaussian", "model")]
            table.add_row(line["column"], f"{line['missing']:,}", *weights, *errors, covered)
        console.print(table, markup=False)
    for note in facts["notes"]:
        console.print(f"- {note}", style="dim", markup=False)


def _figure(value: float | None, kind: str) -> str:
    """An error in the column's units; of moments a span of time, of yes/no and levels a share."""
    if value is None:
        return "-"
    if kind == "moment":
        unit, size = next(((u, s) for u, s in SPANS if value >= s), SPANS[-1])
        return f"{value / size:.3g} {unit}"
    return f"{value:.3g}" if kind == "numeric" else percent(value, 1)
