"""What `index`, `search` and `duplicates` do: a file as a store, and what in it is like something."""

from __future__ import annotations

import json
from itertools import accumulate
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

if TYPE_CHECKING:
    from isthmus.retrieval import Retriever

__all__ = ["duplicates", "index", "search"]

WRITTEN = (".csv", ".csv.gz", ".tsv", ".parquet")
DRAWN = (".png", ".svg", ".pdf")
SHOWN = 20  # lines on the screen
WIDE = 28  # characters of a value on the screen
PICTURES = 8  # questions in a drawing

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
    from isthmus.report.progress import shown_source
    from isthmus.retrieval import ITQ, MeanShift, Retriever
    from isthmus.saving import load_autoencoder

    fitted = load_autoencoder(model)
    X, _, _ = opened(file, asked_reading(header, na, separator, decimal, encoding), fitted)
    X, beside = _split(fitting(X, fitted), fitted)
    facts = _metadata(metadata, beside, getattr(X, "labels", {}))
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
    from isthmus.inputs.writing import write
    from isthmus.retrieval import Retriever

    for path, endings in ((output, WRITTEN), (draw, DRAWN)):
        if path is not None:
            refuse_output(path, endings, query)
    asked = asked_reading(header, na, separator, decimal, encoding)
    with Retriever.open(store) as retriever:
        number = _row_asked(query)
        rows = retriever.rows([number]) if number is not None else _rows(retriever, query, asked)
        found = retriever.query(rows, k, where) if number is None else retriever.like(number, k, where)
        first = rows if isinstance(rows, dict) else rows[:1]
        reasons = retriever.why(first, int(found.iloc[0, 1])) if why and len(found) else None
        measure = retriever.compared_by(rows)
        if output is not None:
            write(found, output)
        if draw is not None and len(found):
            _drawn(retriever, rows, found, query, draw)
        draw = draw if len(found) else None
    if as_json:
        facts = {"query": query, "k": k, "where": where, "distance": measure, "found": _plain(found)}
        facts["why"] = None if reasons is None else _plain(reasons)
        facts["drawn"], facts["output"] = (None if path is None else str(path) for path in (draw, output))
        typer.echo(json.dumps(facts, default=str))
    elif not quiet:
        _show(found.iloc[:, int(found.iloc[:, 0].nunique() == 1) :])
        if len(found):
            typer.echo(f"Distance: {measure}.")
        if reasons is not None:
            typer.echo("\nWhy the first:")
            _show(reasons)
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
    from isthmus.inputs.writing import write
    from isthmus.retrieval import Retriever

    if output is not None:
        refuse_output(output, WRITTEN)
    with Retriever.open(store) as retriever:
        level = retriever.threshold_ if threshold is None else threshold
        found = retriever.duplicates(level)
        rows, measure = len(retriever), retriever.compared_by(retriever.rows(retriever.store_.ids(most=1)))
    if output is not None:
        write(found, output)
    groups = int(found.iloc[:, 0].nunique())
    said = {"rows": rows, "threshold": level, "groups": groups, "duplicates": len(found) - groups}
    if as_json:
        typer.echo(json.dumps({**said, "found": _plain(found)}, default=str))
    elif not quiet:
        words = f"{groups:,} groups, {said['duplicates']:,} rows beside their representatives"
        typer.echo(f"{rows:,} rows; within {level:.3g} ({measure}): {words}.")
        _show(found)


# ---------------------------------------------------------------- what goes in


def _split(X: Any, model: Any) -> tuple[Any, Any]:
    """A table's columns that the model knows, and the others; anything else as it is."""
    from isthmus.inputs import Source

    schema = model.schema_
    if isinstance(X, Source) or not hasattr(X, "columns") or not schema.named:
        return X, None
    known = set(schema.names)
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
    if names is not None:
        if "file" not in table.columns:
            do = "Name the column with the files' names so"
            raise must("--metadata", "have a column 'file' for a folder", list(table.columns)[:5], do)
        lacking = len(set(names) - set(table["file"]))
        if 0 < lacking < len(names):
            tell(f"{lacking:,} of {len(names):,} files have no line in {file}.")
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

    if not query.startswith("row:") or Path(query).exists():
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

    schema = retriever.model_.schema_
    if query.lstrip().startswith("{"):
        try:
            return dict(json.loads(query))
        except ValueError:
            raise must("QUERY", "be a JSON object", query, "Use '{\"age\": 30}'") from None
    if isinstance(schema, (ImagesSchema, SignalsSchema)):
        found = read_file(schema, query)
        return schema.source(found).load() if hasattr(found, "load") else found
    X = opened(query, asked, retriever.model_).X
    X = stacked(list(X.blocks())) if isinstance(X, Source) else X
    rows, beside = _split(X, retriever.model_)
    kept = {str(fact.name) for fact in retriever.store_.facts}
    unknown = [str(name) for name in getattr(beside, "columns", ()) if str(name) not in kept]
    if unknown:
        tell(f"{query} has columns that {retriever.store} does not know, left out: {', '.join(unknown[:9])}.")
    return rows


# ---------------------------------------------------------------- what comes out


def _plain(table: Any) -> list[dict[str, Any]]:
    """Lines as JSON can hold them."""
    lines: list[dict[str, Any]] = json.loads(table.to_json(orient="records", date_format="iso"))
    return lines


def _show(found: Any) -> None:
    """The first lines and columns."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if not len(found):
        console.print("Nothing is found.", markup=False)
        return
    lines = [list(map(_short, line)) for line in _by_days(found[:SHOWN]).itertuples(index=False)]
    columns = list(zip(map(str, found.columns), zip(*lines, strict=True), strict=True))
    widths = [min(WIDE, max(map(len, (name, *texts)))) + 2 for name, texts in columns]
    names = [name for (name, _), end in zip(columns, accumulate(widths), strict=True) if end <= console.width]
    table = Table(box=None)
    for name in names:
        table.add_column(name, overflow="ellipsis", max_width=WIDE, no_wrap=True)
    for line in lines:
        table.add_row(*line[: len(names)])
    console.print(table, markup=False)
    left = [f"{len(found) - SHOWN:,} more lines"] if len(found) > SHOWN else []
    left += [f"{found.shape[1] - len(names)} more columns"] if found.shape[1] > len(names) else []
    if left:
        console.print(f"... {' and '.join(left)}; -o writes all.", markup=False)


def _by_days(found: Any) -> Any:
    """Columns of moments that are all midnight as days."""
    times = found.select_dtypes("datetime").columns
    days = [name for name in times if (found[name].dropna().dt.normalize() == found[name].dropna()).all()]
    return found.assign(**{str(n): [None if v != v else str(v.date()) for v in found[n]] for n in days})


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)


def _drawn(retriever: Retriever, rows: Any, found: Any, query: str, path: Path) -> None:
    """Each question beside what was found for it."""
    import numpy as np

    from isthmus import figures
    from isthmus.checks import must
    from isthmus.commands.drawing import written

    shape = tuple(getattr(retriever.model_.schema_, "shape", ()))
    if len(shape) < 2:
        raise must("--draw", "be for pictures and signals", "a table", "Leave it out")
    asked = np.asarray(rows).reshape(-1, *shape)[:PICTURES]
    lines = [found[found.iloc[:, 0] == i] for i in range(len(asked))]
    samples = [retriever.rows(some.iloc[:, 1].to_numpy()) if len(some) else [] for some in lines]
    label = next((name for name in found.columns[3:] if name != "file"), None)
    captions = [[_caption(line, label) for _, line in some.iterrows()] for some in lines]
    names = [query if query.startswith("row:") else Path(query).name[:14]] if len(asked) == 1 else []
    written(figures.neighbours(asked, samples, captions, names=names).figure, path)


def _caption(line: Any, label: str | None) -> str:
    more = "" if label is None else f"  {_short(line[label])[:10]}"
    return f"{line.iloc[2]:.3g}{more}"
