"""What `denoise` does with pictures: a file, or a folder of them, without their noise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from isthmus.denoising import PhotoDenoiser
    from isthmus.report.console import Report

__all__ = [
    "Picture",
    "comparable",
    "denoise_pictures",
    "draw_pictures",
    "photo_denoiser_report",
    "pictures_report",
]


JPEG = "smooths noise, so that its level is estimated too low: where grain is left, give --level"


class Picture(NamedTuple):
    """One file that was restored: its name, pixels, the level of its noise, and PSNR and SSIM before and
    after, where they are known.
    """

    file: str
    pixels: int
    level: float
    judged: dict[str, float]
    estimated: bool = False


def denoise_pictures(
    denoiser: PhotoDenoiser,
    place: Path,
    output: Path,
    reference: Path | None = None,
    level: float | None = None,
    shown: bool | None = None,
) -> list[Picture]:
    """Restore a picture file to a file, or a folder to a new folder under the same names.

    reference: the clean file, or a folder with clean files of the same names, to compare with.
    """
    from isthmus.commands.restoring import restored
    from isthmus.inputs import Pictures

    def one(source: Path, target: Path, clean: Path | None, told: Callable[[float], Any]) -> Picture:
        return _restored(denoiser, level, source, target, clean, told)

    found = restored(place, output, reference, one, "pictures", Pictures.ENDINGS, shown)
    return [picture._replace(file=name) for name, picture in found]


def draw_pictures(found: Picture, place: Path, output: Path, reference: Path | None, picture: Path) -> None:
    """A file before and after side by side, and the clean reference where there is one."""
    from isthmus import figures
    from isthmus.commands.drawing import written
    from isthmus.inputs.photographs import read_photograph

    files = {"noisy": place, "denoised": output} | ({"clean": reference} if reference else {})
    title = (
        "PSNR {psnr_before:.1f} dB, denoised {psnr_after:.1f} dB".format(**found.judged)
        if found.judged
        else None
    )
    shown = {name: read_photograph(path).pixels for name, path in files.items()}
    axes = figures.restored(shown, title=title)
    written(axes[0].figure, picture)


def pictures_report(pictures: list[Picture], output: Path) -> Report:
    """What became of the files, and how much nearer they came to the clean ones where those are known."""
    import numpy as np

    from isthmus.report.console import Report

    judged = [picture.judged for picture in pictures if picture.judged]
    means = {name: float(np.mean([one[name] for one in judged])) for name in (judged[0] if judged else ())}
    levels, pixels = [picture.level for picture in pictures], sum(picture.pixels for picture in pictures)
    facts = {
        "files": len(pictures),
        "pixels": pixels,
        "levels": levels,
        **{name: means.get(name) for name in ("psnr_before", "psnr_after", "ssim_before", "ssim_after")},
        "output": str(output),
    }
    spread = f"{levels[0]:.3g}" if len(levels) == 1 else f"{min(levels):.3g} to {max(levels):.3g}"
    count = f", the mean of {len(judged):,}" if len(judged) > 1 else ""
    gained = "{psnr_before:.2f} dB before, {psnr_after:.2f} dB after".format(**means) if means else None
    alike = "{ssim_before:.3f} before, {ssim_after:.3f} after".format(**means) if means else None
    lines = {
        "files": f"{len(pictures):,}, {pixels / 1e6:,.2f} million pixels",
        "noise": f"{spread}, standard deviation in the pictures' units",
        "JPEG": JPEG if any(map(_is_jpeg, pictures)) else None,
        "PSNR": None if gained is None else gained + count,
        "SSIM": None if alike is None else alike + count,
        "in": str(output),
    }
    return Report(facts, lines)


def comparable(clean: Path | None, source: Path, made: Any) -> Any:
    """The pixels of a clean reference; None, and said why, where they are not as many or of another kind."""
    from isthmus.commands.restoring import compared_with
    from isthmus.inputs.photographs import read_photograph

    def kind(pixels: Any) -> str:
        return f"{'x'.join(map(str, pixels.shape))} of {pixels.dtype.itemsize * 8} bits"

    def wrong(truth: Any) -> str:
        alike = truth.shape == made.shape and truth.dtype == made.dtype
        return "" if alike else f"{clean} has {kind(truth)}, it has {kind(made)}"

    return compared_with(clean, source.name, lambda path: read_photograph(path).pixels, wrong)


def photo_denoiser_report(denoiser: PhotoDenoiser, path: Path) -> Report:
    """What a denoiser's file holds."""
    from isthmus.report.console import Report, model_report

    about = model_report(denoiser.model_, path)
    facts = {**about.facts, "names": [], "denoiser": " ".join(repr(denoiser).split())}
    said = ("file", "weights", "epochs", "held out loss", "versions")
    lines = {
        "denoiser": "of photographs of any size",
        "noise": repr(denoiser.model_.corruption),
        **{name: line for name, line in about.lines.items() if name in said},
    }
    return Report(facts, lines, None, denoiser.notes_)


def _restored(
    denoiser: PhotoDenoiser,
    level: float | None,
    source: Path,
    target: Path,
    clean: Path | None,
    told: Callable[[float], Any],
) -> Picture:
    from isthmus.denoising import noise_level
    from isthmus.inputs.photographs import Photograph, read_photograph, write_photograph

    noisy = read_photograph(source)
    found = noise_level(noisy.pixels) if level is None else level
    made = denoiser.denoise(noisy.pixels, found, told)
    write_photograph(target, Photograph(made, noisy.alpha))
    truth = comparable(clean, source, made)
    judged = {} if truth is None else denoiser.report(truth, noisy.pixels, made)
    return Picture(source.name, made.shape[0] * made.shape[1], float(found), judged, level is None)


def _is_jpeg(picture: Picture) -> bool:
    """Whether its noise was estimated of what a JPEG left of it."""
    from isthmus.inputs.photographs import LOSSY

    return picture.estimated and picture.file.lower().endswith(LOSSY)
