"""What `denoise` does with sounds: a WAV file, or a folder of them, without their noise."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from isthmus.denoising import AudioDenoiser
    from isthmus.report.console import Report

__all__ = ["Sound", "denoise_sounds", "draw_sounds", "sound_denoiser_report", "sounds_report"]

PATIENCE = 1.0  # seconds after which a bar is drawn


class Sound(NamedTuple):
    """One file that was restored: its name, seconds, and SI-SDR in dB before and after, where it is known."""

    file: str
    seconds: float
    before: float | None
    after: float | None


def denoise_sounds(
    denoiser: AudioDenoiser,
    place: Path,
    output: Path,
    reference: Path | None = None,
    noise_level: float | None = None,
    shown: bool | None = None,
) -> list[Sound]:
    """Restore a WAV file to a file, or a folder to a new folder under the same names.

    reference: the clean file, or a folder with clean files of the same names, to compare with. shown: whether
    to draw a progress bar; None where standard error is a terminal and it takes more than a second.

    A file that cannot be read stops a single file, and is skipped and told in a folder. All of a folder is
    written, or nothing.
    """
    from isthmus.inputs.folders import refuse_full

    if not place.is_dir():
        _check_reference(reference, folder=False)
        with _bar(1, shown) as told:
            denoiser.denoise_file(
                place, output, noise_level=noise_level, progress=lambda share: told(0, share)
            )
        return [_compared(place, output, reference)]
    _check_reference(reference, folder=True)
    refuse_full(output)
    return _folder(denoiser, place, output, reference, noise_level, shown)


def draw_sounds(place: Path, output: Path, reference: Path | None, picture: Path) -> None:
    """Spectrograms of a file before and after, and of the clean reference where there is one."""
    from isthmus import figures
    from isthmus.commands.drawing import _write
    from isthmus.inputs.wav import read_wav, wav_header

    files = {"noisy": place, "denoised": output} | ({"clean": reference} if reference else {})
    heads = {name: wav_header(path) for name, path in files.items()}
    sounds = {name: read_wav(files[name], head)[0] for name, head in heads.items()}
    axes = figures.spectrograms(sounds, heads["noisy"].rate)
    _write(axes[0].figure, picture)


def sounds_report(sounds: list[Sound], output: Path) -> Report:
    """What became of the files, and how much nearer they came to the clean ones where those are known."""
    import numpy as np

    from isthmus.report.console import Report

    judged = [(s.before, s.after) for s in sounds if s.before is not None and s.after is not None]
    before, after = np.mean(judged, axis=0).tolist() if judged else (None, None)
    facts = {
        "files": len(sounds),
        "seconds": sum(sound.seconds for sound in sounds),
        "si_sdr_before": before,
        "si_sdr_after": after,
        "output": str(output),
    }
    gained = None
    if before is not None and after is not None:
        gained = f"{before:.1f} dB before, {after:.1f} dB after, the mean of {len(judged):,}"
    lines = {
        "files": f"{len(sounds):,}, {facts['seconds']:,.1f} seconds",
        "SI-SDR": gained,
        "in": str(output),
    }
    return Report(facts, lines)


def sound_denoiser_report(denoiser: AudioDenoiser, path: Path) -> Report:
    """What a denoiser's file holds."""
    from isthmus.report.console import Report, model_report

    about = model_report(denoiser.model_, path)
    facts = {**about.facts, "names": [], "denoiser": " ".join(repr(denoiser).split())}
    facts |= {"rate": denoiser.rate_, "window": denoiser.window_}
    rate = "any" if denoiser.rate_ is None else f"{denoiser.rate_:,} Hz"
    said = ("file", "weights", "epochs", "held out loss", "versions")
    lines = {
        "denoiser": f"of sounds at {rate}, in windows of {denoiser.window_:,} samples",
        "noise": repr(denoiser.model_.corruption),
        **{name: line for name, line in about.lines.items() if name in said},
    }
    return Report(facts, lines, None, denoiser.notes_)


def _folder(
    denoiser: AudioDenoiser,
    place: Path,
    output: Path,
    reference: Path | None,
    noise_level: float | None,
    shown: bool | None,
) -> list[Sound]:
    import tempfile

    from isthmus.checks import FileError
    from isthmus.commands.words import tell
    from isthmus.inputs.folders import files_below, nothing_readable

    names, done, skipped = files_below(place, (".wav",)), [], []
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        with _bar(len(names), shown) as told:
            for number, name in enumerate(names):
                target = made / name
                target.parent.mkdir(parents=True, exist_ok=True)
                clean = None if reference is None else reference / name
                try:
                    denoiser.denoise_file(place / name, target, noise_level=noise_level)
                except FileError as error:
                    skipped.append(name)
                    tell(f"skipped: {error}")
                    continue
                done.append(_compared(place / name, target, clean)._replace(file=name))
                told(number, 1.0)
        if not done:
            raise nothing_readable(place, "recordings", (".wav",), skipped)
        made.replace(output)
    return done


def _check_reference(reference: Path | None, folder: bool) -> None:
    from isthmus.checks import need

    if reference is not None:
        there = reference.is_dir() if folder else reference.is_file()
        rule = "be a folder of clean files" if folder else "be a clean WAV file"
        need(there, "--reference", rule, str(reference), "Check the path")


def _compared(noisy: Path, made: Path, clean: Path | None) -> Sound:
    """The figures of one file; without those that need a reference where there is none of its length."""
    from isthmus.denoising import si_sdr
    from isthmus.inputs.wav import read_wav, wav_header

    head = wav_header(noisy)
    before = after = None
    if clean is not None and clean.is_file():
        target = read_wav(clean, wav_header(clean))
        x, x_hat = read_wav(noisy, head), read_wav(made, head)
        if target.shape == x.shape and target.any():
            before, after = si_sdr(target, x), si_sdr(target, x_hat)
    return Sound(noisy.name, head.frames / head.rate, before, after)


@contextmanager
def _bar(files: int, shown: bool | None) -> Iterator[Callable[[int, float], Any]]:
    """Something to tell the number of a file and the share of it that is done."""
    started, bar = time.perf_counter(), None
    wanted = sys.stderr.isatty() if shown is None else shown

    def told(number: int, share: float) -> None:
        nonlocal bar
        if bar is None and wanted and time.perf_counter() - started > PATIENCE:
            bar = _opened(files)
        if bar is not None:
            bar.update(bar.task_ids[0], completed=number + share)

    try:
        yield told
    finally:
        if bar is not None:
            bar.stop()


def _opened(files: int) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    count = "{task.completed:.0f} of {task.total:.0f} files" if files > 1 else "{task.percentage:.0f}%"
    bar = Progress(
        TextColumn(count),
        BarColumn(bar_width=24),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
    )
    bar.add_task("", total=files)
    bar.start()
    return bar
