"""The command line: fit a file, encode it, reconstruct it, look at a model.

Every command is a few lines over the public API. Errors are one sentence on standard error; exit codes are
0 for success, 1 for a file or data that cannot be used, 2 for wrong usage, 130 for Ctrl-C. Heavy imports
wait until a command runs.
"""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from isthmus.autoencoder import Autoencoder

__all__ = ["app", "main"]

app = typer.Typer(
    help="Autoencoders for real data: fit a file, compress it, rebuild it, see whether it is any good.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

KINDS = [
    "undercomplete",
    "linear",
    "deep",
    "sparse",
    "kl-sparse",
    "k-sparse",
    "denoising",
    "contractive",
    "nested",
]

InFile = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="CSV, TSV, Parquet, NPY, NPZ ('file.npz:name' for one array); a folder of pictures, WAVs or "
        "Parquet; a URL.",
    ),
]
ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="A .isthmus file.")]
OutFile = Annotated[
    Path, typer.Option("--output", "-o", help="Where to write; the ending decides the format.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
Na = Annotated[list[str] | None, typer.Option("--na", help="Another word for a missing value, such as '?'.")]
Header = Annotated[
    bool | None, typer.Option("--header/--no-header", help="Whether a CSV's first row holds names.")
]


@app.command()
def fit(
    file: InFile,
    output: Annotated[Path, typer.Option("--output", "-o", help="The model file to write, MODEL.isthmus.")],
    code: Annotated[
        int | None, typer.Option(help="Numbers in the code; by default the kind's usual.")
    ] = None,
    kind: Annotated[str, typer.Option(help=f"One of: {', '.join(KINDS)}.")] = "undercomplete",
    hidden: Annotated[str | None, typer.Option(help="Widths of the hidden layers, as in 256,64.")] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the rows at most; chosen if left out.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="A column to leave out, such as an identifier.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same model.")] = 0,
    na: Na = None,
    header: Header = None,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Learn a model from FILE and save it."""
    from isthmus.report.console import fit_report

    _must_be_writable(output, (".isthmus",))
    X = _drop(_held(_open(file, header, na)), exclude or [])
    model = _model(kind, code, hidden).set_params(random_state=seed, trainer__max_epochs=epochs)
    model.set_params(trainer__progress=False if quiet or as_json else None)
    say = not (quiet or as_json)
    if say:
        _print(f"{file}: {_size(X)}")
    model.fit(X)
    _save(model, output)
    report = fit_report(model, _in_memory(X, model), output)
    if as_json:
        _print_json(report.plain())
    elif say:
        report.show()


@app.command()
def encode(
    model: ModelFile,
    file: InFile,
    output: OutFile,
    na: Na = None,
    header: Header = None,
    as_json: Json = False,
) -> None:
    """Write the codes of the rows of FILE."""
    from isthmus.inputs.files import ENDINGS, ending
    from isthmus.inputs.writing import writing
    from isthmus.report.progress import shown_blocks

    _must_be_writable(output, ENDINGS)
    fitted = _load(model)
    X = _fitting(_open(file, header, na), fitted, as_json)
    table = ending(output) in (".npy", ".npz")
    names, labels, start = fitted.get_feature_names_out(), getattr(X, "labels", {}), 0
    with writing(output, len(X)) as sink:
        for block in shown_blocks(X):
            codes = fitted.transform(block)
            here = {name: values[start : start + len(codes)] for name, values in labels.items()}
            sink.append(codes if table else _named(codes, names, here))
            start += len(codes)
    _done(as_json, rows=len(X), columns=len(names), output=str(output))


@app.command()
def reconstruct(
    model: ModelFile,
    file: InFile,
    output: OutFile,
    errors: Annotated[Path | None, typer.Option(help="Also write the error of every cell here.")] = None,
    na: Na = None,
    header: Header = None,
    as_json: Json = False,
) -> None:
    """Write FILE as the model rebuilds it from its code, gaps filled; a folder as a folder."""
    from isthmus.inputs import RunningMean
    from isthmus.inputs.files import ENDINGS
    from isthmus.inputs.folders import refuse_full
    from isthmus.inputs.writing import writing
    from isthmus.report.progress import shown_blocks

    into_folder = Path(file).is_dir() and not str(output).lower().endswith(ENDINGS)
    if into_folder:
        refuse_full(output)
    for place in (None if into_folder else output, errors):
        if place is not None:
            _must_be_writable(place, ENDINGS)
    fitted = _load(model)
    X = _fitting(_open(file, header, na), fitted, as_json)
    mean = RunningMean()
    into_files = into_folder and hasattr(X, "write")
    with ExitStack() as open_:
        kept: Any = [] if into_files else open_.enter_context(writing(output, len(X)))
        also = open_.enter_context(writing(errors, len(X))) if errors is not None else None
        for block in shown_blocks(X):
            kept.append(fitted.reconstruct(block))
            cells = fitted.errors(block)
            mean.add(cells)
            if also is not None:
                also.append(cells)
        if into_files:
            import numpy as np

            X.write(np.concatenate(kept), output)
    _done(as_json, rows=len(X), error_per_cell=mean.value, output=str(output))


@app.command()
def export(
    model: ModelFile,
    output: Annotated[Path, typer.Argument(metavar="OUT", help="OUT.onnx, or OUT.py for numpy alone.")],
    as_json: Json = False,
) -> None:
    """Write a model as ONNX, or as a Python file that needs numpy alone."""
    from isthmus.exporting import export as write

    difference = write(_load(model), output)
    if as_json:
        _print_json({"difference": difference, "output": str(output)})
    else:
        _print(f"checked: differs from the model by {difference:.1g} at most -> {output}")


@app.command()
def info(model: ModelFile, as_json: Json = False) -> None:
    """Say what is in a model file."""
    from isthmus.report.console import model_report

    report = model_report(_load(model), model)
    _print_json(report.plain()) if as_json else report.show()


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="A folder for models and pictures.")] = Path(
        "demo"
    ),
    quick: Annotated[bool, typer.Option("--quick", help="Fewer epochs: see that everything works.")] = False,
) -> None:
    """Train every classical kind on bundled data, beside PCA, and draw what they do."""
    from isthmus.demo import run

    run(output, quick)


# ---------------------------------------------------------------- small pieces


def _open(file: str, header: bool | None, na: list[str] | None) -> Any:
    """A Source where the file can be read in blocks, the whole file in memory otherwise."""
    from isthmus.inputs.disk import is_url, open_source
    from isthmus.inputs.files import read

    blocks = (".npy", ".parquet")
    place = Path(file)
    of_parquet = place.is_dir() and any(place.rglob("*.parquet"))
    if is_url(file) or of_parquet or (file.lower().endswith(blocks) and place.is_file()):
        return open_source(file)
    return read(file, header=header, na=na or ())


def _held(X: Any) -> Any:
    """What is small as it lies in memory, so that rows can be drawn from all of it."""
    from isthmus.inputs.disk import DiskSource, held

    return held(X) if isinstance(X, DiskSource) else X


def _drop(X: Any, columns: list[str]) -> Any:
    """The table without some columns."""
    from isthmus.checks import must

    if not columns:
        return X
    names = [str(name) for name in getattr(X, "columns", [])]
    unknown = [name for name in columns if name not in names]
    if unknown:
        raise must(
            "--exclude", "name a column of the file", unknown[0], f"It has {', '.join(names[:10]) or 'none'}"
        )
    return X.drop(columns=columns)


def _model(kind: str, code: int | None, hidden: str | None) -> Autoencoder:
    """The recipe called `kind`, with the sizes asked for."""
    from isthmus import recipes
    from isthmus.checks import must
    from isthmus.networks import MLP, Suited

    if kind not in KINDS:
        raise must("--kind", f"be one of {', '.join(KINDS)}", kind, "Check its spelling")
    recipe = getattr(recipes, f"{kind.replace('-', '_')}_autoencoder")
    model: Autoencoder = recipe() if code is None else recipe(code)
    if code is None and kind in ("undercomplete", "linear"):
        model.set_params(n_components="auto")
    if hidden is not None:
        try:
            widths = tuple(int(width) for width in hidden.split(","))
        except ValueError:
            raise must("--hidden", "be widths with commas between", hidden, "Use --hidden 256,64") from None
        suited = isinstance(model.architecture, Suited)
        model.set_params(**{"architecture": MLP(widths)} if suited else {"architecture__hidden": widths})
    return model


def _must_be_writable(path: Path, endings: tuple[str, ...]) -> None:
    """Refuse an output that cannot work before any work is done."""
    from isthmus.checks import FileError

    if not str(path).lower().endswith(endings):
        raise FileError(f"{path} must end in {' or '.join(endings)}. Choose another name.")
    if not path.parent.is_dir():
        raise FileError(f"the folder of {path} must exist; got none. Create it first.")
    if path.is_dir():
        raise FileError(f"{path} is a folder. Choose the name of a file.")


def _load(path: Path) -> Autoencoder:
    from isthmus.saving import load

    return load(path)


def _save(model: Autoencoder, path: Path) -> None:
    from isthmus.saving import save

    save(model, path)


def _named(codes: Any, names: Any, labels: dict[str, Any]) -> Any:
    """Codes as a table, after the columns that say which file each row is from."""
    import pandas

    return pandas.concat([pandas.DataFrame(labels), pandas.DataFrame(codes, columns=list(names))], axis=1)


def _fitting(X: Any, model: Autoencoder, quiet: bool) -> Any:
    """A folder as the model reads it, what was skipped said on standard error; anything else as it is."""
    from isthmus.inputs import Folder, ImagesSchema, SignalsSchema

    schema = model.schema_
    if not (isinstance(X, Folder) and isinstance(schema, (ImagesSchema, SignalsSchema))):
        return X
    folder = schema.source(X)
    for sentence in () if quiet else folder.about_skipped():
        typer.echo(f"isthmus: {sentence}", err=True)
    return folder


def _in_memory(X: Any, model: Autoencoder) -> Any:
    """A folder's rows as an array, of which the report takes some."""
    fitting = _fitting(X, model, quiet=True)
    return fitting.load() if hasattr(fitting, "load") else fitting


def _size(X: Any) -> str:
    if hasattr(X, "counts"):
        return f"{len(X.counts):,} {X.KIND}"
    if hasattr(X, "sizes"):
        return f"{len(X):,} rows, read in {len(X.sizes):,} blocks"
    rows, columns = len(X), int(getattr(X, "size", len(X)) // max(1, len(X)))
    return f"{rows:,} rows, {columns:,} columns"


def _done(as_json: bool, **facts: Any) -> None:
    if as_json:
        _print_json(facts)
    else:
        rows, rest = facts.pop("rows"), facts.pop("output")
        extra = "".join(f", {name.replace('_', ' ')} {value:.4g}" for name, value in facts.items())
        _print(f"{rows:,} rows{extra} -> {rest}")


def _print(text: str) -> None:
    typer.echo(text)


def _print_json(facts: dict[str, Any]) -> None:
    typer.echo(json.dumps(facts, default=str))


def main() -> None:
    """Run the command line; every expected failure is one sentence."""
    from isthmus.checks import IsthmusError

    debug = "--debug" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != "--debug"]
    try:
        app()
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    except (IsthmusError, OSError, MemoryError, TypeError, ImportError) as error:
        if debug:
            raise
        _fail(str(error) or type(error).__name__, 1)


def _fail(message: str, code: int) -> None:
    typer.echo(f"isthmus: {' '.join(message.split())}", err=True)
    raise SystemExit(code)


if __name__ == "__main__":
    main()
