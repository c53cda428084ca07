"""What `fit --task denoise` and `denoise` do: a denoiser in a file, and files without their noise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.commands.options import Json, Quiet

if TYPE_CHECKING:
    from isthmus.report.console import Report

__all__ = ["SHIPPED", "denoise", "denoiser_report", "fit_denoiser", "keep_denoiser"]

SHIPPED = "photographs"  # the word for the denoiser that comes with the package
DRAWN = (".png", ".svg", ".pdf")


def fit_denoiser(X: Any, seed: int, epochs: int | None, noisy: bool, shown: bool | None, device: str) -> Any:
    """Train the denoiser that suits X; `noisy` where X is noisy itself."""
    from isthmus.denoising.denoiser import opened_as

    X, kind = opened_as(X)
    usual = kind.usual_trainer(X)
    trainer = usual.with_params(progress=shown, device=device)
    if epochs is not None:
        trainer = trainer.with_params(max_epochs=epochs)
    own = {"noisy": True} if noisy else {}
    denoiser = kind(trainer=trainer, random_state=seed, **own).fit(X)
    denoiser.model_.set_params(trainer=usual)  # this run's, not the model's
    return denoiser


def keep_denoiser(denoiser: Any, facts: dict[str, Any], output: Path) -> None:
    """Save the denoiser, with what it remembers of its file."""
    from isthmus.saving import save

    if facts:
        denoiser.model_.facts_ = facts
    save(denoiser, output)


def denoise(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help=f"A .isthmus file of fit --task denoise, or the word {SHIPPED}; may be left out for those.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file, or the new folder, to write.")],
    given: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="A picture, a WAV file, a table, or a folder of files."),
    ] = None,
    level: Annotated[
        float | None,
        typer.Option(help="Standard deviation of the noise in the data's units; estimated if left out."),
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(help="The clean file or folder, to say how near the result is.")
    ] = None,
    draw: Annotated[Path | None, typer.Option(help="Draw before and after here: PNG, SVG or PDF.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Take the noise out of FILE, or of every file of a folder.

    `isthmus denoise noisy.jpg -o clean.png` needs no training: a general denoiser of photographs comes with
    the package.
    """
    from isthmus.checks import need
    from isthmus.commands.files import refuse_output
    from isthmus.commands.tabling import denoise_rows
    from isthmus.denoising import AudioDenoiser, PhotoDenoiser
    from isthmus.inputs import Pictures

    model, file = (model, given) if given is not None else (SHIPPED, _photographs(model, Pictures.ENDINGS))
    need(file.exists(), "FILE", "be a file or a folder", str(file), "Check the path")
    if draw is not None:
        need(not file.is_dir(), "--draw", "be left out for a folder", str(draw), "Draw one file")
        refuse_output(draw, DRAWN, file, output)
    denoiser = loaded(model)
    if isinstance(denoiser, AudioDenoiser):
        endings: tuple[str, ...] = (".wav",)
    elif isinstance(denoiser, PhotoDenoiser):
        endings = Pictures.ENDINGS
    else:
        need(draw is None, "--draw", "be left out for rows", str(draw), "Leave it out")
        _say(denoise_rows(denoiser, file, output, reference, level, model), as_json, quiet)
        return
    if not file.is_dir():
        refuse_output(output, endings, file, *([] if reference is None else [reference]))
    _say(_files(denoiser, file, output, level, reference, draw, as_json or quiet), as_json, quiet)


def _photographs(only: str, endings: tuple[str, ...]) -> Path:
    """The only argument as pictures to restore; DataError where it is something else."""
    from isthmus.checks import need

    place = Path(only)
    fits = place.is_dir() or only.lower().endswith(endings)
    need(
        fits,
        "MODEL and FILE",
        "both be given, but for pictures",
        only,
        "Use isthmus denoise MODEL FILE -o OUT",
    )
    return place


def loaded(model: str) -> Any:
    """The denoiser in a file, or the one that comes with the package; FileError for another file."""
    from isthmus.checks import FileError
    from isthmus.denoising import AudioDenoiser, PhotoDenoiser, SampleDenoiser
    from isthmus.saving import load

    if model == SHIPPED and not Path(model).exists():
        return PhotoDenoiser.shipped()
    found = load(model)
    if not isinstance(found, (AudioDenoiser, PhotoDenoiser, SampleDenoiser)):
        raise FileError(
            f"{model} holds no denoiser. Fit one with: isthmus fit FOLDER --task denoise -o {model}"
        )
    return found


def denoiser_report(denoiser: Any, path: Path) -> Report:
    """What a denoiser's file holds."""
    from isthmus.commands.picturing import photo_denoiser_report
    from isthmus.commands.sounding import sound_denoiser_report
    from isthmus.denoising import AudioDenoiser, PhotoDenoiser
    from isthmus.report.console import Report, model_report

    if isinstance(denoiser, AudioDenoiser):
        return sound_denoiser_report(denoiser, path)
    if isinstance(denoiser, PhotoDenoiser):
        return photo_denoiser_report(denoiser, path)
    about = model_report(denoiser.model_, path)
    facts = {**about.facts, "denoiser": " ".join(repr(denoiser).split())}
    lines = {"denoiser": "of rows", "noise": repr(denoiser.model_.corruption), **about.lines}
    return Report(facts, lines, None, denoiser.notes_)


def _files(
    denoiser: Any,
    file: Path,
    output: Path,
    level: float | None,
    reference: Path | None,
    draw: Path | None,
    silent: bool,
) -> Report:
    """Pictures or sounds."""
    from isthmus.commands import picturing, sounding
    from isthmus.denoising import AudioDenoiser

    shown = False if silent else None
    if isinstance(denoiser, AudioDenoiser):
        sounds = sounding.denoise_sounds(denoiser, file, output, reference, level, shown)
        if draw is not None:
            sounding.draw_sounds(sounds[0], file, output, reference, draw)
        return sounding.sounds_report(sounds, output)
    pictures = picturing.denoise_pictures(denoiser, file, output, reference, level, shown)
    if draw is not None:
        picturing.draw_pictures(pictures[0], file, output, reference, draw)
    return picturing.pictures_report(pictures, output)


def _say(report: Report, as_json: bool, quiet: bool) -> None:
    import json

    if as_json:
        typer.echo(json.dumps(report.plain(), default=str))
    elif not quiet:
        report.show()
