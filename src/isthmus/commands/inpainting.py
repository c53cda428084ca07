"""What `fit --task inpaint` and `inpaint` do: an inpainter in a file, pictures with their holes filled."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from isthmus.commands.options import Json, ModelFile, Quiet
from isthmus.wording import counted, percent

if TYPE_CHECKING:
    from isthmus.inpainting import Inpainter
    from isthmus.report.console import Report

__all__ = ["fit_inpainter", "inpaint", "inpainter_report", "keep_inpainter"]

DRAWN = (".png", ".svg", ".pdf")


class Mended(NamedTuple):
    """One file: its name, how many pixels it has and how many were filled, and the PSNR in them if known."""

    file: str
    pixels: int
    filled: int
    psnr: float | None


class Asked(NamedTuple):
    """Where the holes are, and how they are filled."""

    mask: Path | None
    colour: tuple[float, ...] | None
    tolerance: float
    rounds: int
    draws: int


def fit_inpainter(X: Any, seed: int, epochs: int | None, shown: bool | None, device: str) -> Inpainter:
    """Train an inpainter on the pictures X: a folder, or an array."""
    from isthmus.inpainting import Inpainter
    from isthmus.training import Trainer

    trainer = Trainer(max_epochs=epochs, progress=shown, device=device)
    inpainter = Inpainter(trainer=trainer, random_state=seed).fit(X)
    for model in inpainter.models_:  # this run's, not the model's
        model.set_params(trainer__progress=None, trainer__device="auto")
    return inpainter


def keep_inpainter(inpainter: Any, _reading: Any, output: Path) -> None:
    """Save it; pictures have nothing to remember of how they were read."""
    from isthmus.saving import save

    save(inpainter, output)


def inpaint(
    model: ModelFile,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A picture, or a folder of pictures.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file, or the new folder, to write.")],
    mask: Annotated[
        Path | None,
        typer.Option(
            help="A picture that is not black in the hole, or a folder of such under the same names."
        ),
    ] = None,
    colour: Annotated[
        str | None, typer.Option(help="Fill what has this colour, '#ff00ff', or the grey value '255'.")
    ] = None,
    tolerance: Annotated[
        float, typer.Option(help="How far a pixel may be from --colour in every channel.")
    ] = 0.0,
    rounds: Annotated[int, typer.Option(help="Fill from the edge inward in so many rounds.")] = 1,
    draws: Annotated[
        int, typer.Option(help="Also write so many plausible fills, OUT-1.png, ... beside OUT.png.")
    ] = 0,
    reference: Annotated[
        Path | None, typer.Option(help="The picture or folder without holes, to say how near the result is.")
    ] = None,
    draw: Annotated[Path | None, typer.Option(help="Draw before and after here: PNG, SVG or PDF.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fill holes in FILE, or in every picture of a folder. MODEL is from `fit --task inpaint`."""
    from isthmus.checks import need
    from isthmus.commands.files import refuse_output
    from isthmus.commands.restoring import restored
    from isthmus.inputs import Pictures

    need(file.exists(), "FILE", "be a file or a folder", str(file), "Check the path")
    need(
        mask is not None or colour is not None,
        "--mask or --colour",
        "say where the holes are",
        "neither",
        "Use --mask holes.png",
    )
    need(draws >= 0, "--draws", "be at least 0", draws, "Use --draws 4")
    if file.is_dir():
        for name, value in (("--draw", draw), ("--draws", draws or None)):
            need(value is None, name, "be left out for a folder", value, "Take one picture")
        need(mask is None or mask.is_dir(), "--mask", "be a folder of masks", str(mask), "Check the path")
    else:
        others = [path for path in (mask, reference) if path is not None]
        need(mask is None or mask.is_file(), "--mask", "be a picture file", str(mask), "Check the path")
        refuse_output(output, Pictures.ENDINGS, file, *others)
    if draw is not None:
        refuse_output(draw, DRAWN, file, output)
    asked = Asked(mask, None if colour is None else _colour(colour), tolerance, rounds, draws)
    inpainter = _loaded(model)

    def one(source: Path, target: Path, clean: Path | None, progress: Callable[[float], Any]) -> Mended:
        where = asked.mask
        if where is not None and where.is_dir():
            where = where / source.relative_to(file)
        return _mended(inpainter, asked._replace(mask=where), source, target, clean, draw, progress)

    shown = False if as_json or quiet else None
    found = restored(file, output, reference, one, "pictures", Pictures.ENDINGS, shown)
    report = _report([picture._replace(file=name) for name, picture in found], output)
    if as_json:
        typer.echo(json.dumps(report.plain(), default=str))
    elif not quiet:
        report.show()


def inpainter_report(inpainter: Inpainter, path: Path) -> Report:
    """What an inpainter's file holds."""
    from isthmus.report.console import Report, model_report

    about = model_report(inpainter.models_[0], path)
    height, width, channels = inpainter._shape
    size = f"{height} x {width}{' in colour' if channels == 3 else ''}" if inpainter.whole_ else "any size"
    facts = {**about.facts, "names": [], "inpainter": " ".join(repr(inpainter).split())}
    said = ("file", "weights", "epochs", "held out loss", "versions")
    lines = {
        "inpainter": f"of pictures of {size}",
        "holes": repr(inpainter.models_[0].corruption),
        **{name: line for name, line in about.lines.items() if name in said},
    }
    return Report(facts, lines, None, inpainter.notes_)


def _loaded(model: Path) -> Inpainter:
    from isthmus.checks import FileError
    from isthmus.inpainting import Inpainter
    from isthmus.saving import load

    found = load(model)
    if not isinstance(found, Inpainter):
        raise FileError(
            f"{model} holds no inpainter. Fit one with: isthmus fit FOLDER --task inpaint -o {model}"
        )
    return found


def _mended(
    inpainter: Inpainter,
    asked: Asked,
    source: Path,
    target: Path,
    clean: Path | None,
    draw: Path | None,
    progress: Callable[[float], Any],
) -> Mended:
    import numpy as np

    from isthmus import figures
    from isthmus.commands.drawing import written
    from isthmus.commands.picturing import comparable
    from isthmus.commands.words import tell
    from isthmus.inpainting import hidden_in
    from isthmus.inputs.photographs import LOSSY, Photograph, read_photograph, write_photograph

    given = read_photograph(source)
    mask = None if asked.mask is None else read_photograph(asked.mask).pixels
    hole = hidden_in(given.pixels, mask, asked.colour, asked.tolerance)
    if not hole.any():
        where = "--colour (see --tolerance)" if asked.mask is None else str(asked.mask)
        tell(f"{source.name} has nothing to fill: {where} marks no pixel of it")
    elif target.suffix.lower() in LOSSY:
        tell(f"{target.suffix} changes known pixels as well: write a PNG to keep them as they are")
    made = inpainter.inpaint(given.pixels, hole, rounds=asked.rounds, progress=progress)
    write_photograph(target, Photograph(made, given.alpha))
    several = inpainter.draws(given.pixels, hole, asked.draws) if asked.draws else None
    for number, picture in enumerate(() if several is None else several.pictures):
        path = target.with_name(f"{target.stem}-{number + 1}{target.suffix}")
        write_photograph(path, Photograph(picture, given.alpha))
    truth = comparable(clean, source, made)
    judged = None
    if truth is not None and hole.any():
        top, off = float(np.iinfo(made.dtype).max), made[hole].astype(np.float64) - truth[hole]
        square = float(np.square(off).mean())
        judged = float("inf") if square == 0 else 10 * float(np.log10(top**2 / square))
    if draw is not None:
        more: dict[str, Any] = (
            {"draws": several.pictures, "spread": several.spread} if several is not None else {}
        )
        more |= {} if truth is None else {"clean": truth}
        if judged is not None:
            more["title"] = f"{percent(hole.mean())} of the pixels filled, at a PSNR of {judged:.1f} dB"
        written(figures.inpainted(given.pixels, hole, made, **more).figure, draw)
    return Mended(source.name, hole.size, int(hole.sum()), judged)


def _colour(text: str) -> tuple[float, ...]:
    """'#ff00ff' or '255' as numbers."""
    from isthmus.checks import must

    digits = text.removeprefix("#")
    try:
        if text.startswith("#") and len(digits) == 6:
            return tuple(float(int(digits[at : at + 2], 16)) for at in (0, 2, 4))
        if not text.startswith("#"):
            return tuple(float(part) for part in text.split(","))
    except ValueError:
        pass
    raise must("--colour", "be as #ff00ff, or numbers", text, "Use --colour '#ff00ff'")


def _report(pictures: list[Mended], output: Path) -> Report:
    import numpy as np

    from isthmus.report.console import Report

    known = [picture.psnr for picture in pictures if picture.psnr is not None]
    mean = float(np.mean(known)) if known else None
    pixels, filled = (sum(getattr(picture, name) for picture in pictures) for name in ("pixels", "filled"))
    facts = {"files": len(pictures), "pixels": pixels, "filled": filled, "psnr": mean, "output": str(output)}
    lines = {
        "files": f"{len(pictures):,}, {pixels / 1e6:,.2f} million pixels",
        "filled": f"{counted(filled, 'pixel')}, {percent(filled / max(1, pixels), 1)}",
        "PSNR": None if mean is None else f"{mean:.2f} dB in the holes",
        "in": str(output),
    }
    return Report(facts, lines)
