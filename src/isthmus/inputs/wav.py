"""One WAV file: what its header says, its samples, and back at the same rate and depth.

Files come from anywhere: a header is checked against the file's size before anything is decoded, a file cut
short is refused where the decoder would read it in silence, and so are samples that are not finite.
"""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.atomic import write_atomically
from isthmus.checks import FileError
from isthmus.inputs.folders import unusable

__all__ = ["WavHeader", "common_ratio", "read_wav", "resampled", "soundfile", "wav_header", "write_wav"]

FASTEST = 768_000  # samples a second any file may claim to have


class WavHeader(NamedTuple):
    """Samples a second, channels, samples of each, and how a sample is stored (PCM_16, FLOAT, ...)."""

    rate: int
    channels: int
    frames: int
    subtype: str


def wav_header(path: Path) -> WavHeader:
    """What a file says of itself; raises FileError for what is no WAV file."""
    library = soundfile()
    with path.open("rb") as file:
        _check_chunks(file, path.stat().st_size)
        try:
            info = library.info(file)
        except library.SoundFileError:
            raise FileError("its header is damaged") from None
    if info.format not in ("WAV", "WAVEX", "RF64"):
        raise FileError("not a WAV file")
    if info.frames < 1:
        raise FileError("it holds no samples")
    if not 1 <= info.samplerate <= FASTEST:
        raise FileError(f"it claims {info.samplerate:,} samples a second")
    return WavHeader(info.samplerate, info.channels, info.frames, info.subtype)


def read_wav(path: Path, head: WavHeader) -> NDArray[np.float32]:
    """The samples (channels, time) in [-1, 1] of a file with this header."""
    library = soundfile()
    try:
        samples, _ = library.read(path, dtype="float32", always_2d=True)
    except library.SoundFileError:
        raise FileError("its samples are damaged") from None
    if len(samples) != head.frames:
        raise FileError("it is truncated")
    if not np.isfinite(samples).all():
        raise FileError("it holds values that are not finite")
    signal: NDArray[np.float32] = samples.T
    return signal


def write_wav(path: str | os.PathLike[str], signal: NDArray[Any], head: WavHeader) -> None:
    """Write (channels, time) at the rate and depth of a header, whole or not at all; whole numbers
    are cut at full scale.
    """
    library = soundfile()
    whole = head.subtype not in ("FLOAT", "DOUBLE")
    cut = np.clip(signal.T, 2.0**-15 - 1.0, 1.0 - 2.0**-15) if whole else signal.T

    def write(file: BinaryIO) -> None:
        library.write(file, cut, head.rate, format="WAV", subtype=head.subtype)

    write_atomically(path, write)


def soundfile() -> Any:
    """The library that decodes; FileError where it is not installed."""
    try:
        import soundfile
    except ImportError:
        raise unusable("recordings", "audio") from None
    return soundfile


def common_ratio(to: int, rate: int) -> Fraction:
    """`to / rate`; odd rates by the nearest fraction of small terms, a few parts in a million off at most."""
    return Fraction(to, rate).limit_denominator(1000) or Fraction(to, rate)


def resampled(signal: NDArray[Any], to: int, rate: int) -> NDArray[Any]:
    """(channels, time) at another rate, without what the lower of the two cannot carry."""
    if to == rate:
        return signal
    from scipy.signal import resample_poly

    ratio = common_ratio(to, rate)
    made: NDArray[Any] = resample_poly(signal, ratio.numerator, ratio.denominator, axis=1)
    return made.astype(signal.dtype)


def _check_chunks(file: BinaryIO, size: int) -> None:
    """Raise unless the file is as long as its chunks say; the decoder reads a truncated one in silence."""
    start = file.read(12)
    if not start:
        raise FileError("it is empty")
    if start[:4] not in (b"RIFF", b"RF64", b"RIFX") or start[8:] != b"WAVE"[: len(start[8:])]:
        raise FileError("not a WAV file")
    while len(head := file.read(8)) == 8:
        length = int.from_bytes(head[4:], "big" if start[:4] == b"RIFX" else "little")
        left = size - file.tell()
        if head[:4] == b"data":
            unknown = length in (0, 0xFFFFFFFF)  # written to a pipe, or longer than 32 bits can say
            if length > left and not unknown:
                raise FileError(f"it is truncated: {left:,} of {length:,} bytes")
            break
        file.seek(min(left, length + length % 2), 1)
    else:
        raise FileError("it is truncated within its header")
    file.seek(0)
