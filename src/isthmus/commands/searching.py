"""What `index`, `search` and `duplicates` do: a file as a store, and what in it is like something."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.commands.options import (
    Decimal,
    Encoding,
    Header,
    InFile,
    Json,
    ModelFile,
    Na,
    Quiet,
    Separator,
)
from isthmus.wording import counted

if TYPE_CHECKING:
    from isthmus.retrieval import Retriever

__all__ = ["described", "duplicates", "index", "search"]

WRITTEN = (".csv", ".csv.gz", ".tsv", ".parquet")
DRAWN = (".png", ".svg", ".pdf")

StorePlace = Annotated[
    str, typer.Argument(metavar="STORE", help="A folder made by `index`, or postgresql://...#name.")
]
Written = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write what is found here: CSV, TSV or Parquet.")
]


def index(
    model: ModelFile,
    file: InFile,
    output: Annotated[
        str, typer.Option("--output", "-o", help="A new folder for the store, or postgresql://...#name.")
    ],
    metadata: Annotated[
        str | None,
        typer.Option(
            help="A table with a line for each row, or with a column 'file', to filter by and show."
        ),
    ] = None,
    smooth: Annotated[
        bool,
        typer.Option("--smooth", help="Draw codes together where rows are dense: finds kinds, not copies."),
    ] = False,
    bits: Annotated[int | None, typer.Option(help="Keep so many bits of each code.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same store.")] = 0,
    na: Na = None,
    header: Header = None,
    separator: Separator = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make FILE searchable: store its rows with their codes.

    Columns that MODEL does not know are kept beside as metadata.
    """
    from isthmus.commands.files import asked_reading, fitting, opened
    from isthmus.inputs import labels_of
    from isthmus.report.progress import shown_source
    from isthmus.retrieval import ITQ, MeanShift, Retriever
    from isthmus.saving import load_autoencoder

    fitted = load_autoencoder(model)
    asked = asked_reading(header, na, separator, decimal, encoding)
    X, _, _ = opened(file, asked, fitted, whole=True)  # what the model does not know becomes metadata
    X, beside = _split(fitting(X, fitted), fitted)
    facts = _metadata(metadata, beside, labels_of(X))
    retriever = Retriever(
        fitted,
        store=output,
        smoothing=MeanShift() if smooth else None,
        bits=None if bits is None else ITQ(bits),
        random_state=seed,
    )
    with retriever.fit(shown_source(X), metadata=facts):
        said = {"rows": len(retriever), "store": output, "notes": retriever.notes_}
        said["columns"] = [str(fact.name) for fact in retriever.store_.facts]
    if as_json:
        typer.echo(json.dumps(said, default=str))
    elif not quiet:
        typer.echo("\n".join([*retriever.notes_, f"-> {output}"]))


def search(
    store: StorePlace,
    query: Annotated[
        str,
        typer.Argument(
            metavar="QUERY",
            help="A picture, a WAV file, a table with all or some columns, '{\"age\": 30}', or row:17.",
        ),
    ],
    k: Annotated[int, typer.Option("-k", help="How many to find.")] = 10,
    where: Annotated[
        str | None, typer.Option(help="Only among rows like \"price < 20 and label == 'shoe'\".")
    ] = None,
    why: Annotated[bool, typer.Option("--why", help="Say in what the first found agrees.")] = False,
    draw: Annotated[
        Path | None, typer.Option(help="Draw pictures or signals found here: PNG, SVG, PDF.")
    ] = None,
    output: Written = None,
    na: Na = None,
    header: Header = None,
    separator: Separator = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find what in STORE is most like QUERY."""
    from isthmus.commands.files import asked_reading, refuse_output
    from isthmus.commands.found import drawn, plain, show
    from isthmus.commands.words import Said
    from isthmus.inputs.files import as_pandas
    from isthmus.inputs.writing import write
    from isthmus.retrieval import Retriever

    for path, endings in ((output, WRITTEN), (draw, DRAWN)):
        if path is not None:
            refuse_output(path, endings, *([query] if _is_there(query) else []))
    asked = asked_reading(header, na, separator, decimal, encoding)
    with Retriever.open(store) as retriever:
        number = _row_asked(query)
        rows = retriever.rows([number]) if number is not None else _rows(retriever, query, asked)
        measure = retriever.compared_by(rows)
        with Said.muted():  # what is new to the model was told just now
            found = as_pandas(
                retriever.query(rows, k, where) if number is None else retriever.like(number, k, where)
            )
            first = rows if isinstance(rows, (dict, str)) else rows[:1]
            reasons = retriever.why(first, int(found.iloc[0, 1])) if why and len(found) else None
        if output is not None:
            write(found, output)
        draw = draw if len(found) else None
        if draw is not None:
            drawn(retriever, rows, found, query, draw)
    if as_json:
        facts = {"query": query, "k": k, "where": where, "distance": measure, "found": plain(found)}
        facts["why"] = None if reasons is None else plain(reasons)
        facts["drawn"], facts["output"] = (None if path is None else str(path) for path in (draw, output))
        typer.echo(json.dumps(facts, default=str))
    elif not quiet:
        show(found.iloc[:, int(found.iloc[:, 0].nunique() == 1) :], output)
        if len(found):
            typer.echo(f"Distance: {measure}.")
        if reasons is not None:
            typer.echo("\nWhy the first:")
            show(reasons)
        if draw is not None:
            typer.echo(f"-> {draw}")


def duplicates(
    store: StorePlace,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="The distance, as `search` shows it for whole rows, within which rows are duplicates."
        ),
    ] = None,
    output: Written = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find groups of near-duplicates in STORE, each with its representative."""
    from isthmus.commands.files import refuse_output
    from isthmus.commands.found import plain, show
    from isthmus.inputs.files import as_pandas
    from isthmus.inputs.writing import write
    from isthmus.retrieval import Retriever

    if output is not None:
        refuse_output(output, WRITTEN)
    with Retriever.open(store) as retriever:
        level = retriever.threshold_ if threshold is None else threshold
        found = as_pandas(retriever.duplicates(level))
        rows, measure = len(retriever), retriever.distance_
    if output is not None:
        write(found, output)
    groups = int(found.iloc[:, 0].nunique())
    beside = len(found) - groups
    said = {"rows": rows, "threshold": level, "groups": groups, "duplicates": beside}
    if as_json:
        typer.echo(json.dumps({**said, "found": plain(found)}, default=str))
    elif not quiet:
        words = f"{counted(groups, 'group')}, {counted(beside, 'row')} beside their representatives"
        typer.echo(f"{counted(rows, 'row')}; within {level:.3g} ({measure}): {words}.")
        if len(found):
            show(found, output)


def described(store: str, as_json: bool) -> None:
    """Say what is in a store."""
    from isthmus.retrieval import Retriever

    with Retriever.open(store) as retriever:
        columns = [str(fact.name) for fact in retriever.store_.facts]
        model = type(retriever.model_).__name__
        said = {"rows": len(retriever), "model": model, "columns": columns, "notes": retriever.notes_}
    if as_json:
        typer.echo(json.dumps(said))
        return
    more = f"Columns to filter by: {', '.join(columns) or 'none'}."
    typer.echo("\n".join([f"{store}: a store, codes by {model}.", *retriever.notes_, more]))


# ---------------------------------------------------------------- what goes in


def _split(X: Any, model: Any) -> tuple[Any, Any]:
    """A table's columns that the model knows, and the others; anything else as it is."""
    from isthmus.inputs import Source

    names = getattr(getattr(model, "schema_", None), "names", getattr(model, "feature_names_in_", ()))
    if isinstance(X, Source) or not hasattr(X, "columns") or not set(X.columns) & set(names):
        return X, None
    known = set(names)
    others = [name for name in X.columns if name not in known]
    return X.drop(columns=others), X[others] if others else None


def _metadata(file: str | None, beside: Any, labels: dict[str, Any]) -> Any:
    """What is kept beside the rows: columns of their own table, and those of a file."""
    import pandas

    from isthmus.checks import must
    from isthmus.commands.words import tell
    from isthmus.inputs.files import as_pandas, read

    if file is None:
        return beside
    table = as_pandas(read(file))
    names = labels.get("file")
    shared = [str(name) for name in table.columns if beside is not None and name in beside.columns]
    if shared:
        raise must("--metadata", "have columns of its own", ", ".join(shared), "Rename them, or leave it out")
    if names is not None:
        if "file" not in table.columns:
            do = "Name the column with the files' names so"
            raise must("--metadata", "have a column 'file' for a folder", list(table.columns)[:5], do)
        lacking = len(set(names) - set(table["file"]))
        if 0 < lacking < len(names):
            tell(
                f"{lacking:,} of {len(names):,} files {'has' if lacking == 1 else 'have'} no line in {file}."
            )
        twice = int(table["file"].duplicated().sum())
        if twice:
            tell(f"{counted(twice, 'line')} of {file} left out, of files that were named before.")
        strange = len(set(table["file"]) - set(names))
        if strange:
            tell(f"{counted(strange, 'line')} of {file} left out, of no file in the folder.")
        table = table.drop_duplicates("file").set_index("file").reindex(names)
        if table.isna().all(axis=None):
            raise must(
                "--metadata", "name the files of the folder", f"none, such as {names[0]}", "Check the column"
            )
        table = table.reset_index()
    return table if beside is None else pandas.concat([beside.reset_index(drop=True), table], axis=1)


def _row_asked(query: str) -> int | None:
    """The number in "row:17"."""
    from isthmus.checks import must

    if not query.startswith("row:") or _is_there(query):
        return None
    try:
        return int(query.removeprefix("row:"))
    except ValueError:
        raise must("QUERY", "be row: and a number", query, "Use row:17") from None


def _rows(retriever: Retriever, query: str, asked: Any) -> Any:
    """The rows of a question."""
    from isthmus.checks import must
    from isthmus.commands.files import opened
    from isthmus.commands.words import tell
    from isthmus.inputs import ImagesSchema, SignalsSchema, Source
    from isthmus.inputs.frames import stacked
    from isthmus.retrieval.asking import read_file

    schema = getattr(retriever.model_, "schema_", None)
    if isinstance(retriever.rows(retriever.store_.ids(most=1)), list):  # texts
        return _text(query, asked.encoding) if query.endswith(".txt") and _is_there(query) else query
    if query.lstrip().startswith(("{", "[")):
        return _parsed(query)
    if not _is_there(query) and query.isdigit():
        raise must("QUERY", "be a file, a JSON object or row:17", query, f"Use row:{query}")
    if isinstance(schema, (ImagesSchema, SignalsSchema)):
        found = read_file(schema, query)
        return schema.source(found).load() if hasattr(found, "load") else found
    X = opened(query, asked, None if schema is None else retriever.model_, whole=True).X
    X = stacked(list(X.blocks())) if isinstance(X, Source) else X
    rows, beside = _split(X, retriever.model_)
    kept = {str(fact.name) for fact in retriever.store_.facts}
    unknown = [str(name) for name in getattr(beside, "columns", ()) if str(name) not in kept]
    if unknown:
        tell(f"{query} has columns that {retriever.store} does not know, left out: {', '.join(unknown[:9])}.")
    return rows


def _is_there(query: str) -> bool:
    """Whether a question is the name of a file; texts can be too long to be one."""
    try:
        return Path(query).exists()
    except (OSError, ValueError):
        return False


def _text(path: str, encoding: str | None) -> str:
    """A question that lies in a file, decoded as a table's text is."""
    from isthmus.commands.words import tell
    from isthmus.inputs.text import decoded

    raw, notes = decoded(Path(path), encoding)
    for note in notes:
        tell(note)
    return raw.decode()


def _parsed(query: str) -> Any:
    """One JSON object, or a list of them."""
    from isthmus.checks import must

    try:
        found = json.loads(query)
    except ValueError:
        found = None
    objects = found if isinstance(found, list) else [found]
    if not objects or not all(isinstance(one, dict) for one in objects):
        raise must("QUERY", "be a JSON object, or a list of them", query, "Use '{\"age\": 30}'")
    return found
