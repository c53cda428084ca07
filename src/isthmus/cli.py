"""The command line: fit a file, encode it, reconstruct it, look at a model.

Every command is a few lines over the public API; what they share lies in `isthmus.commands`. Warnings and
errors are one sentence each on standard error; with `--json` an error is one JSON object {"error": sentence}
on standard output instead. Exit codes: 0 for success, 1 for a file or data that cannot be used, 2 for wrong
usage, 130 for Ctrl-C and SIGTERM. Either during `fit` keeps the best model so far, says so, and is 130 all
the same; before anything was learned nothing is written. Heavy imports wait until a command runs.
"""

from __future__ import annotations

import gc
import json
import re
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.commands.auditing import audit
from isthmus.commands.denoising import denoise
from isthmus.commands.impute import impute
from isthmus.commands.inpainting import inpaint
from isthmus.commands.interrupts import (
    StoppedError,
    heed_termination,
    is_untrained,
    nothing_learned,
    noticing_interrupts,
)
from isthmus.commands.models import INPUTS, KINDS
from isthmus.commands.options import (
    Decimal,
    Encoding,
    Exclude,
    Header,
    InFile,
    Json,
    ModelFile,
    Na,
    OutFile,
    Quiet,
    Separator,
)
from isthmus.commands.reporting import report
from isthmus.commands.searching import duplicates, index, search
from isthmus.commands.tasks import MODELS, Asked, check_task, fitted_use
from isthmus.commands.words import Said, in_options, tell
from isthmus.wording import counted, passes

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


def _say_version(wanted: bool) -> None:
    if wanted:
        from isthmus import __version__

        _print(f"isthmus {__version__}")
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Autoencoders for real data: fit a file, compress it, rebuild it, see whether it is any good."""


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
        int | None,
        typer.Option(
            help="Passes at most over the rows, of photographs over 8,000 patches; chosen if left out."
        ),
    ] = None,
    task: Annotated[
        str,
        typer.Option(
            help="compress; detect: what does not belong; denoise: take noise out; impute: fill gaps; "
            "inpaint: fill holes in pictures; search: codes in which like is near like."
        ),
    ] = "compress",
    noisy: Annotated[
        bool, typer.Option("--noisy", help="For denoise: FILE is noisy itself; nothing clean is known.")
    ] = False,
    clean: Annotated[
        bool | None,
        typer.Option(
            "--clean/--unclean", help="For detect: the rows are known to be ordinary, or known not."
        ),
    ] = None,
    window: Annotated[
        int | None, typer.Option(help="For detect: FILE is a series; judge windows of so many steps.")
    ] = None,
    exclude: Exclude = None,
    inputs: Annotated[str, typer.Option(help=f"What the data are: {', '.join(INPUTS)}.")] = "auto",
    seed: Annotated[int, typer.Option(help="The same seed gives the same model.")] = 0,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Keep training's state here; the same command goes on from it.")
    ] = None,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps: where the products are computed.")
    ] = "auto",
    na: Na = None,
    header: Header = None,
    separator: Separator = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Learn a model from FILE and save it."""
    from isthmus.commands.files import (
        asked_reading,
        dropped,
        held_rows,
        opened,
        refuse_output,
        reminders,
    )
    from isthmus.commands.models import asked_model, search_model
    from isthmus.commands.ranging import opened_series
    from isthmus.commands.results import kept
    from isthmus.diagnostics import FEW

    refuse_output(output, (".isthmus",), file)
    check_task(task, checkpoint, clean, window, noisy)
    if checkpoint is not None:
        refuse_output(checkpoint, ("",), file, output)
    asked, say = asked_reading(header, na, separator, decimal, encoding), not (quiet or as_json)
    with noticing_interrupts() as interrupts:
        try:
            opens = opened if window is None else opened_series
            X, reading, notes = opens(file, asked, unsaid=exclude or [])
            X, remembered = dropped(held_rows(X), exclude or []), reminders(reading, exclude)
            made = search_model if task == "search" else asked_model
            model, chosen = made(kind, code, hidden, inputs, X)
            model.set_params(random_state=seed, trainer__max_epochs=epochs)
            model.set_params(trainer__checkpoint=None if checkpoint is None else str(checkpoint))
            model.set_params(trainer__progress=None if say else False, trainer__device=device)
            if say:
                _print(f"{file}: {_size(X)}")
            if say and checkpoint is not None and checkpoint.exists():
                _print(f"{checkpoint}: training goes on from here")
            if task not in MODELS:
                own = (code, hidden) != (None, None) or kind != "undercomplete"
                asked_for = Asked(model, own, epochs, seed, clean, window, noisy, say, device)
                use = fitted_use(task, X, asked_for, remembered, output, interrupts)
                said = [*notes, *use.notes_]
                facts = {"rows": len(X), "output": str(output), "notes": said}
                _done("\n".join([*said, f"-> {output}"]), facts, as_json, quiet)
                _say_interrupted(interrupts, output)
                return
            model.fit(X)
        except KeyboardInterrupt:
            raise nothing_learned(output) from None
        if interrupts and is_untrained(model):
            raise nothing_learned(output)
        # this run's, not the model's
        model.set_params(trainer__checkpoint=None, trainer__progress=None, trainer__device="auto")
        model.notes_ = [in_options(note) for note in (*notes, *chosen, *model.notes_)]
        told = kept(model, X, remembered, output, bool(interrupts))
    if as_json:
        _print_json(told.plain())
    elif say:
        told.show()
    elif told.facts["rows"] < FEW:
        tell(str(told.verdict))
    _say_interrupted(interrupts, output, f", after {passes(told.facts['epochs'])},")


@app.command()
def encode(
    model: ModelFile,
    file: InFile,
    output: OutFile,
    na: Na = None,
    header: Header = None,
    separator: Separator = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write the codes of the rows of FILE."""
    from isthmus.commands.files import asked_reading, fitting, opened, refuse_output
    from isthmus.commands.results import Lines
    from isthmus.inputs.files import ENDINGS, as_pandas
    from isthmus.inputs.writing import writing
    from isthmus.report.progress import shown_blocks

    refuse_output(output, ENDINGS, model, file)
    asked = asked_reading(header, na, separator, decimal, encoding)
    fitted = _load(model)
    X = fitting(opened(file, asked, fitted).X, fitted)
    names = fitted.get_feature_names_out()
    with writing(output, len(X)) as sink:
        lines = Lines(sink, X)
        for block in shown_blocks(X):
            codes = fitted.transform(block)
            lines.append(as_pandas(codes, names) if sink.is_table else codes)
    facts = {"rows": len(X), "code_size": len(names), "output": str(output)}
    _done(
        f"{counted(len(X), 'row')}, {counted(len(names), 'number')} each -> {output}", facts, as_json, quiet
    )


@app.command()
def reconstruct(
    model: ModelFile,
    file: InFile,
    output: OutFile,
    errors: Annotated[Path | None, typer.Option(help="Also write the error of every cell here.")] = None,
    na: Na = None,
    header: Header = None,
    separator: Separator = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write FILE as the model rebuilds it from its code; a folder as a folder.

    Gaps are filled, except where the answer is one of the rare levels that share a place.
    """
    from isthmus.commands.files import (
        asked_reading,
        fitting,
        of_files,
        opened,
        refuse_folder,
        refuse_output,
    )
    from isthmus.commands.results import rebuild
    from isthmus.inputs.files import ENDINGS

    into_folder = of_files(file) and not str(output).lower().endswith(ENDINGS)
    if into_folder:
        refuse_folder(output)
    else:
        refuse_output(output, ENDINGS, model, file)
    if errors is not None:
        refuse_output(errors, ENDINGS, model, file, output)
    asked = asked_reading(header, na, separator, decimal, encoding)
    fitted = _load(model)
    X = fitting(opened(file, asked, fitted).X, fitted)
    mean = rebuild(fitted, X, output, errors, into_folder and hasattr(X, "write"))
    facts = {"rows": len(X), "error_per_cell": mean, "output": str(output)}
    facts["errors"] = None if errors is None else str(errors)
    _done(f"{counted(len(X), 'row')}, error per cell {mean:.4g} -> {output}", facts, as_json, quiet)


@app.command()
def detect(
    model: ModelFile,
    file: InFile,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the flagged rows here: CSV, TSV or Parquet.")
    ] = None,
    alpha: Annotated[
        float | None,
        typer.Option(help="Share of ordinary rows that may be flagged; 0.05, of a series 0.01, if left out."),
    ] = None,
    fdr: Annotated[
        float | None, typer.Option(help="Instead: share of the flagged rows that may be ordinary.")
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Say which cells would have to be different, and how; of pictures, where."
        ),
    ] = False,
    draw: Annotated[Path | None, typer.Option(help="Draw what was found here: PNG, SVG or PDF.")] = None,
    na: Na = None,
    header: Header = None,
    separator: Separator = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find the rows of FILE, or the ranges of a series, that do not belong.

    MODEL is from `fit --task detect`.
    """
    from isthmus.anomaly import SeriesDetector
    from isthmus.checks import need
    from isthmus.commands.detecting import flagged, load_detector, of_rows
    from isthmus.commands.files import asked_reading, fitting, opened, refuse_output
    from isthmus.commands.ranging import Ranges, opened_series
    from isthmus.inputs.writing import write

    if output is not None:
        refuse_output(output, (".csv", ".csv.gz", ".tsv", ".parquet"), model, file)
    if draw is not None:
        refuse_output(draw, (".png", ".svg", ".pdf"), model, file)
    asked = asked_reading(header, na, separator, decimal, encoding)
    detector = load_detector(model)
    first = of_rows(detector).models_[0]
    found: Any
    if isinstance(detector, SeriesDetector):
        need(
            fdr is None and not explain,
            "--fdr and --explain",
            "be left out for a series",
            "one",
            "Use --alpha",
        )
        X = opened_series(file, asked, first)[0]
        found = Ranges(detector, X, alpha)
    else:
        X = fitting(opened(file, asked, first).X, first)
        found = flagged(detector, X, alpha, fdr, explain)
    if output is not None:
        write(found.table(X), output)
    if as_json:
        _print_json({**found.plain(), "output": None if output is None else str(output)})
    elif not quiet:
        found.show()
    if draw is not None:
        found.draw(X, draw)


app.command()(impute)
app.command()(index)
app.command()(search)
app.command()(duplicates)


@app.command()
def export(
    model: ModelFile,
    output: Annotated[Path, typer.Option("--output", "-o", help="OUT.onnx, or OUT.py for numpy alone.")],
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a model as ONNX, or as a Python file that needs numpy alone."""
    from isthmus.exporting import export as write
    from isthmus.saving import load

    difference = write(load(model), output)
    facts = {"difference": difference, "output": str(output)}
    text = f"checked: differs from the model by {difference:.1g} at most -> {output}"
    _done(text, facts, as_json, quiet)


app.command()(audit)
app.command()(report)


@app.command()
def info(model: ModelFile, as_json: Json = False) -> None:
    """Say what is in a model file, or in a store."""
    if model.is_dir():
        from isthmus.commands.searching import described as store_described
        from isthmus.retrieval.saved import is_store

        if is_store(model):
            store_described(str(model), as_json)
            return
    from isthmus.commands.describing import described
    from isthmus.saving import load

    report = described(load(model), model)
    _print_json(report.plain()) if as_json else report.show()


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="A folder for models and pictures.")] = Path(
        "demo"
    ),
    quick: Annotated[bool, typer.Option("--quick", help="Fewer epochs: see that everything works.")] = False,
) -> None:
    """Every classical kind and the four uses on bundled data, beside something simpler, and a report."""
    from isthmus.demo import run

    run(output, quick)


app.command()(denoise)
app.command()(inpaint)


# ---------------------------------------------------------------- small pieces


def _load(path: Path) -> Autoencoder:
    from isthmus.saving import load_autoencoder

    return load_autoencoder(path)


def _size(X: Any) -> str:
    from isthmus.inputs import columns_of

    if hasattr(X, "counts"):
        return counted(len(X.counts), X.KIND.removesuffix("s"))
    if hasattr(X, "sizes"):
        return f"{counted(len(X), 'row')}, read in {counted(len(X.sizes), 'block')}"
    rows, columns = len(X), columns_of(X) or 0
    return f"{counted(rows, 'row')}, {counted(columns, 'column')}"


def _say_interrupted(interrupts: list[bool], output: Path, after: str = "") -> None:
    if interrupts:
        tell(f"interrupted: the best model so far{after} is in {output}")
        raise SystemExit(130)


def _done(text: str, facts: dict[str, Any], as_json: bool, quiet: bool) -> None:
    if as_json:
        _print_json(facts)
    elif not quiet:
        _print(text)


def _print(text: str) -> None:
    typer.echo(text)


def _print_json(facts: dict[str, Any]) -> None:
    typer.echo(json.dumps(facts, default=str))


# ---------------------------------------------------------------- when things go wrong


def main() -> None:
    """Run the command line; every expected failure is one sentence."""
    from isthmus.checks import IsthmusError

    debug = "--debug" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != "--debug"]
    said = Said()
    said.listen()
    heed_termination()
    gc.set_threshold(100_000)  # torch's import makes many objects that stay
    try:
        code = app(standalone_mode=False)
        if code == 130:
            _fail("interrupted", 130)
        raise SystemExit(code or 0)
    except (KeyboardInterrupt, StoppedError) as error:
        _fail(str(error) or "interrupted", 130)
    except (IsthmusError, OSError, MemoryError, TypeError, ImportError) as error:
        if debug:
            raise
        _fail(_sentence(error), 1)
    except Exception as error:
        if not hasattr(error, "format_message"):  # no complaint of the command line's parser
            raise
        _misused(error)
    finally:
        said.finish()
        gc.freeze()  # a process that ends need not search them for garbage: that took a third of a second


def _sentence(error: Exception) -> str:
    """An error in words; the system's own say which file, what, and what to do."""
    reason, place = getattr(error, "strerror", None), getattr(error, "filename", None)
    if reason and place:
        return f"{place} cannot be used: {reason.lower()}. Check its path and its permissions."
    if reason:
        return f"the system refused: {reason.lower()}. Make room, or see what else it says."
    return str(error) or type(error).__name__


def _misused(error: Any) -> None:
    """Wrong usage: the parser's own words, and one sentence where an option's value is of another kind."""
    wanted = re.search(r"valid (integer|number|float)", str(getattr(error, "message", "")))
    if wanted and getattr(error, "param", None) is not None:
        kind = "a whole number" if wanted[1] == "integer" else "a number"
        option = max(error.param.opts, key=len)
        option = option if option.startswith("-") else option.upper()
        _fail(f"{option} must be {kind}; got {_given(error.param.opts)}. Correct it.", error.exit_code)
    if "--json" in sys.argv:
        _fail(error.format_message(), error.exit_code)
    error.show()
    raise SystemExit(error.exit_code)


def _given(names: list[str]) -> str:
    """The value of an option as it was typed."""
    for before, word in pairwise(sys.argv):
        name, equals, value = word.partition("=")
        if before in names or (equals and name in names):
            return word if before in names else value
    return "something else"


def _fail(message: str, code: int) -> None:
    if "--json" in sys.argv:
        _print_json({"error": in_options(message)})
    else:
        tell(message)
    raise SystemExit(code)


if __name__ == "__main__":
    main()
