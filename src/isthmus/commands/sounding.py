"""What `denoise` does with sounds: a WAV file, or a folder of them, without their noise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from isthmus.wording import counted

if TYPE_CHECKING:
    from isthmus.denoising import AudioDenoiser
    from isthmus.report.console import Report

__all__ = ["Sound", "denoise_sounds", "draw_sounds", "sound_denoiser_report", "sounds_report"]


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
    level: float | None = None,
    shown: bool | None = None,
) -> list[Sound]:
    """Restore a WAV file to a file, or a folder to a new folder under the same names.

    reference: the clean file, or a folder with clean files of the same names, to compare with.
    """
    from isthmus.commands.restoring import restored

    def one(source: Path, target: Path, clean: Path | None, told: Callable[[float], Any]) -> Sound:
        denoiser.denoise_file(source, target, level=level, progress=told)
        return _compared(source, target, clean)

    found = restored(place, output, reference, one, "recordings", (".wav",), shown)
    return [sound._replace(file=name) for name, sound in found]


def draw_sounds(sound: Sound, place: Path, output: Path, reference: Path | None, picture: Path) -> None:
    """Spectrograms of a file before and after, and of the clean reference where there is one."""
    from isthmus import figures
    from isthmus.commands.drawing import written
    from isthmus.inputs.wav import read_wav, wav_header

    files = {"noisy": place, "denoised": output} | ({"clean": reference} if reference else {})
    heads = {name: wav_header(path) for name, path in files.items()}
    sounds = {name: read_wav(files[name], head)[0] for name, head in heads.items()}
    known = sound.before is not None and sound.after is not None
    title = f"SI-SDR {sound.before:.1f} dB, denoised {sound.after:.1f} dB" if known else None
    axes = figures.spectrograms(sounds, heads["noisy"].rate, title=title)
    written(axes[0].figure, picture)


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


def _compared(noisy: Path, made: Path, clean: Path | None) -> Sound:
    """The figures of one file; without those that need a reference where there is none to compare with."""
    from isthmus.denoising import si_sdr
    from isthmus.inputs.wav import read_wav, wav_header

    head = wav_header(noisy)
    x, before, after = read_wav(noisy, head), None, None
    target = _comparable(clean, noisy.name, x)
    if target is not None:
        before, after = si_sdr(target, x), si_sdr(target, read_wav(made, head))
    return Sound(noisy.name, head.frames / head.rate, before, after)


def _comparable(clean: Path | None, name: str, x: Any) -> Any:
    """The samples of a clean reference; None, and said why, where they are not as many or all silent."""
    from isthmus.commands.restoring import compared_with
    from isthmus.inputs.wav import read_wav, wav_header

    def kind(samples: Any) -> str:
        return f"{counted(samples.shape[0], 'channel')} of {counted(samples.shape[1], 'sample')}"

    def wrong(target: Any) -> str:
        if not target.any():
            return f"{clean} is silent"
        return "" if target.shape == x.shape else f"{clean} has {kind(target)}, it has {kind(x)}"

    return compared_with(clean, name, lambda path: read_wav(path, wav_header(path)), wrong)
