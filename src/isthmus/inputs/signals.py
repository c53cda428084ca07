"""Signals: arrays (n, channels, time) and folders of WAV files, as rows of one length, and back.

Recordings come at many rates and lengths; a network needs one of each. All are resampled to the rate most
of them have. Clips of similar length, as spoken words are, stay one row each: as long as 95% of the files,
longer ones cut, shorter ones filled up. Anything else is cut into windows. What was filled up is marked as
missing (NaN), so that it costs nothing and is never learned.

Each channel has its own mean and scale, over all rows and times.

>>> import numpy as np
>>> schema = Signals().fit(np.array([[[1.0, 3.0, 1.0, 3.0]]]))
>>> schema.encode(np.array([[[5.0, 2.0, 2.0, np.nan]]]))
Encoded(x=array([[3., 0., 0., 0.]], dtype=float32), observed=array([[ True,  True,  True, False]]))
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import FileError, must, need
from isthmus.inputs.arrays import ArraySchema, as_array, refuse_infinite
from isthmus.inputs.base import Encoded, Inputs, Schema
from isthmus.inputs.folders import (
    Folder,
    is_path,
    refuse_others,
    warn_of_skipped,
)
from isthmus.inputs.scaling import Scales, Standard, whole
from isthmus.inputs.shaped import ShapedSchema
from isthmus.inputs.source import Source
from isthmus.inputs.wav import WavHeader, common_ratio, read_wav, resampled, soundfile, wav_header, write_wav
from isthmus.parts import Layout
from isthmus.wording import counted

__all__ = ["Recordings", "Signals", "SignalsSchema"]

WINDOW = 4096  # samples in a window where the length is left to us
CLIP = 16_384  # samples up to which a whole file may be one row
FARTHEST = 64  # times the common rate, or a part of it, a file's own may be


class Recordings(Folder):
    """The WAV files in a folder as windows: a source of blocks (n, channels, window) float32, in [-1, 1].

    rate: samples a second; None for that of most files. window, hop: samples in a row, and between the starts
    of two rows of a file; None chooses (see the module's text). hop=0 takes one row of every file. channels:
    None for those the files have, or one, their mean, where they differ. Beyond a file's end there is NaN.
    """

    KIND: ClassVar[str] = "recordings"
    ENDINGS: ClassVar[tuple[str, ...]] = (".wav",)

    def __init__(
        self,
        path: Any,
        rate: int | None = None,
        window: int | None = None,
        hop: int | None = None,
        channels: int | None = None,
    ) -> None:
        soundfile()  # a missing package is no fault of the files
        super().__init__(path)
        heads = list(self.headers.values())
        rates = Counter(head.rate for head in heads)
        self.rate = rate or max(rates, key=lambda one: (rates[one], one))
        each = {head.channels for head in heads}
        self.channels = channels or (each.pop() if len(each) == 1 else 1)
        self.window, self.hop = _windows([self._length(head) for head in heads], window, hop)

    def matching(self, rate: int, window: int, hop: int, channels: int) -> Recordings:
        """The same folder in rows of another make."""
        if (rate, window, hop, channels) == (self.rate, self.window, self.hop, self.channels):
            return self
        return Recordings(self.place, rate, window, hop, channels)

    @property
    def labels(self) -> dict[str, list[Any]]:
        """The file of every row and, of windows, the second each starts at."""
        if not self.hop:
            return {"file": self.names}
        starts = [i * self.hop / self.rate for count in self.counts.values() for i in range(count)]
        return {"file": self.names, "second": starts}

    def restore(self, rows: NDArray[Any], folder: Path) -> int:
        """Each file under its own name, rate, length and depth; where windows overlap, their mean."""
        start = 0
        for name, count in self.counts.items():
            head = self.headers[name]
            whole_ = _joined(rows[start : start + count], self.hop)[:, : self._length(head)]
            start += count
            signal = resampled(whole_, head.rate, self.rate)[:, : head.frames]
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            write_wav(target, signal, head)
        return len(self.counts)

    def about(self) -> str:
        """One sentence on what became of rates and lengths."""
        heads = list(self.headers.values())
        other = sum(head.rate != self.rate for head in heads)
        moved = f" ({other:,} resampled)" if other else ""
        if len({head.channels for head in heads} | {self.channels}) > 1:
            moved += f", mixed to {counted(self.channels, 'channel')}"
        longer = sum(self._length(head) > self.window for head in heads)
        rows = (
            f"one row of {self.window:,} samples each, {longer:,} cut and the shorter filled up"
            if not self.hop
            else f"windows of {self.window:,} samples, {self.hop:,} from one to the next"
        )
        return f"Read {counted(len(self.counts), 'recording')} at {self.rate:,} Hz{moved}: {rows}."

    def _length(self, head: WavHeader) -> int:
        """Samples after resampling."""
        ratio = common_ratio(self.rate, head.rate)
        return math.ceil(head.frames * ratio.numerator / ratio.denominator)

    def _header(self, name: str) -> WavHeader:
        return wav_header(self.path / name)

    def _decode(self, name: str) -> NDArray[Any]:
        """The rows of one file: (windows, channels, window)."""
        return _cut(self.signal(name), self.window, self.hop)

    def signal(self, name: str) -> NDArray[Any]:
        """The whole of one file: (channels, time) at the folder's rate; raises where it cannot be read."""
        head = self.headers[name]
        far = max(head.rate, self.rate) / min(head.rate, self.rate)
        if far > FARTHEST:
            raise FileError(f"{head.rate:,} Hz is too far from {self.rate:,} Hz")
        mixed = _mixed(read_wav(self.path / name, head), self.channels)
        return resampled(mixed, self.rate, head.rate)

    def signals(self) -> Iterator[NDArray[Any]]:
        """Every file in full, at the folder's rate; one that cannot be read is left out, and in `skipped`."""
        for name in self.headers:
            made = self._attempt(name, self.signal)
            if made is not None:
                yield made


class SignalsSchema(ShapedSchema):
    """Signals of one length. `scales` has one column per channel; `rate` is None for arrays; `cut` says that
    signals of other lengths are cut into windows, `hop` samples apart, or (0) to one.
    """

    rate: int | None = None
    hop: int = 0
    cut: bool = False
    gaps: bool = False

    KIND: ClassVar[str] = "signals"

    @cached_property
    def layout(self) -> Layout:
        """One numeric cell per channel and time."""
        return Layout.numeric(int(np.prod(self.shape)), self.shape, gaps=self.gaps, signal=True)

    def as_arrays(self) -> ArraySchema:
        """The same for arrays (n, *shape), with scales for every sample."""
        return ArraySchema(self.scales.spread_out(self.shape[1]), self.dtype, self.shape, False, self.gaps)

    def as_files_of(self, folder: Recordings) -> SignalsSchema:
        """The same where the rows were those of a folder: others are read at its rate and cut like it."""
        return dataclasses.replace(self, rate=folder.rate, hop=folder.hop, cut=True)

    def source(self, X: Any) -> Any:
        """A folder, or the source of one, in rows of the fitted kind; anything else as it is."""
        refuse_others(X, Recordings.KIND)
        if not (is_path(X) or isinstance(X, Recordings)):
            return X
        recordings = X if isinstance(X, Recordings) else Recordings(X, self.rate, self.shape[1], self.hop)
        source = recordings.matching(self.rate or recordings.rate, self.shape[1], self.hop, self.shape[0])
        return warn_of_skipped(source) if is_path(X) else source

    def encode(self, X: Any) -> Encoded:
        """Arrays (n, channels, time), rows (n, d), folders of WAV files and sources of either."""
        pieces = [self._encode(block) for block in self._blocks(X)]
        x, seen = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
        return Encoded(x, None if seen.all() else seen)

    def decode(self, x_hat: NDArray[np.float32], like: Any = None) -> Any:
        """Signals (n, channels, time) of the fitted dtype."""
        values = _by_channel(self.scales.decode, x_hat.reshape(-1, *self.shape))
        if np.dtype(self.dtype).kind in "iu":
            values = whole(values, self.dtype)
        return values.astype(self.dtype)

    def _made_to_fit(self, array: NDArray[Any]) -> NDArray[Any] | None:
        if not self.cut or array.ndim != 3 or array.shape[1] != self.shape[0]:
            return None
        return _cut_all(array, self.shape[1], self.hop)

    def _encode(self, block: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        values = block.astype(np.float64)
        refuse_infinite(values.reshape(len(values), -1), self.names)
        x = _by_channel(self.scales.encode, values).reshape(len(values), -1)
        return np.nan_to_num(x, nan=0.0).astype(np.float32), ~np.isnan(x)


class Signals(Inputs):
    """Signals: an array (n, channels, time), or a folder of WAV files.

    rate: samples a second to resample a folder to; None takes that of most files. Arrays have no rate.
    window: samples in a row; None leaves arrays as they are, takes clips of similar length as one row each,
        as long as 95% of them if that is at most twice the median and 16,384, and anything else in windows of
        4,096.
    hop: samples between the starts of two windows; None puts them side by side, 0 takes only the first.
    """

    rate: int | None = None
    window: int | None = None
    hop: int | None = None

    def open(self, X: Any) -> Any:
        """A path as the source of its recordings."""
        self._check()
        return Recordings(X, self.rate, self.window, self.hop) if is_path(X) else X

    def fit(self, X: Any) -> Schema:
        """Learn the length, and each channel's mean and scale. Raises DataError for arrays of another kind,
        FileError for a folder without a file that can be read; files that cannot be are named in `notes_`.
        """
        X = self.open(X)
        refuse_others(X, Recordings.KIND)
        if isinstance(X, Recordings):
            return self._fit_folder(X)
        array = np.concatenate(list(X.blocks())) if isinstance(X, Source) else as_array(X)
        if array.ndim != 3:
            do = "Use X[:, None, :] for one channel"
            raise must("X", "be signals (n, channels, time)", f"an array of shape {array.shape}", do)
        cut = array if self.window is None else _cut_all(array, self.window, self._hop)
        scales = _scales(cut)
        shape = (int(cut.shape[1]), int(cut.shape[2]))
        gaps = bool(np.isnan(cut).any()) if cut.dtype.kind == "f" else False
        size = f"{counted(shape[0], 'channel')} of {counted(shape[1], 'time')}"
        note = f"Read as signals, {size}: each channel has its own scale."
        hop = self._hop if self.window is not None else 0
        return SignalsSchema(
            shape, str(array.dtype), scales, None, hop, self.window is not None, gaps, notes=(note,)
        )

    @property
    def _hop(self) -> int:
        """Samples between windows where their length is given."""
        return int(self.hop if self.hop is not None else self.window or 0)

    def _fit_folder(self, folder: Recordings) -> Schema:
        if any(mine not in (None, its) for mine, its in self._choices(folder)):
            folder = Recordings(folder.place, self.rate, self.window, self.hop)
        everything = folder.load()
        notes = (folder.about(), *folder.about_skipped())
        shape, gaps = (folder.channels, folder.window), bool(np.isnan(everything).any())
        return SignalsSchema(
            shape, "float32", _scales(everything), folder.rate, folder.hop, True, gaps, notes=notes
        )

    def _choices(self, folder: Recordings) -> list[tuple[int | None, int]]:
        """What was asked for beside what a folder has."""
        return [(self.rate, folder.rate), (self.window, folder.window), (self.hop, folder.hop)]

    def _check(self) -> None:
        for name, least in (("rate", 1), ("window", 1), ("hop", 0)):
            value = getattr(self, name)
            whole_ = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
            rule = f"be a whole number of at least {least}, or None"
            need(
                value is None or (whole_ and value >= least), name, rule, value, f"Use Signals({name}=16000)"
            )


# ---------------------------------------------------------------- lengths


def _windows(lengths: list[int], window: int | None, hop: int | None) -> tuple[int, int]:
    """Window and hop for files of so many samples."""
    if window is not None:
        return int(window), int(window if hop is None else hop)
    ordered = sorted(lengths)
    middle, usual = ordered[(len(ordered) - 1) // 2], ordered[math.ceil(0.95 * (len(ordered) - 1))]
    if hop == 0 or (hop is None and len(lengths) > 1 and usual <= min(CLIP, 2 * middle)):
        return usual, 0
    chosen = min(WINDOW, max(lengths))
    return chosen, int(hop or chosen)


def _cut(signal: NDArray[Any], window: int, hop: int) -> NDArray[Any]:
    """A signal (channels, time) as windows (n, channels, window), NaN behind its end."""
    time = signal.shape[1]
    count = 1 + math.ceil(max(0, time - window) / hop) if hop else 1
    needed = window + (count - 1) * hop
    if time < needed:
        kind = signal.dtype if signal.dtype.kind == "f" else np.dtype(np.float64)
        filled = np.full((len(signal), needed), np.nan, kind)
        filled[:, :time] = signal
        signal = filled
    return np.stack([signal[:, i * hop : i * hop + window] for i in range(count)])


def _cut_all(array: NDArray[Any], window: int, hop: int) -> NDArray[Any]:
    return np.concatenate([_cut(signal, window, hop) for signal in array])


def _joined(rows: NDArray[Any], hop: int) -> NDArray[Any]:
    """Windows (n, channels, window) as one signal; where they overlap, their mean."""
    n, channels, window = rows.shape
    total = np.zeros((channels, window + (n - 1) * hop))
    times = np.zeros(total.shape[1])
    for i, row in enumerate(rows):
        total[:, i * hop : i * hop + window] += row
        times[i * hop : i * hop + window] += 1
    return total / np.maximum(times, 1)


# ---------------------------------------------------------------- channels


def _by_channel(scale: Any, values: NDArray[Any]) -> NDArray[np.float64]:
    """Something that works on columns, on the channels of (n, channels, time)."""
    n, channels, time = values.shape
    flat = np.moveaxis(values, 1, 2).reshape(-1, channels)
    return np.moveaxis(scale(flat).reshape(n, time, channels), 2, 1)


def _scales(array: NDArray[Any]) -> Scales:
    """Mean and scale of every channel."""
    rows = array.reshape(len(array), -1)
    refuse_infinite(rows, tuple(range(rows.shape[1])))
    values = np.moveaxis(array, 1, 2).reshape(-1, array.shape[1]).astype(np.float64)
    return Standard(squeeze=False)(values)


def _mixed(signal: NDArray[Any], channels: int) -> NDArray[Any]:
    """(c, time) with another number of channels: the mean of all, as often as needed."""
    if len(signal) == channels:
        return signal
    return np.repeat(signal.mean(0, keepdims=True), channels, axis=0)
