"""Recordings of any length as windows of one length, and back without seams.

For training, recordings are brought to one loudness and laid end to end, a pause after each, so that short
ones need no filling up and long ones lose nothing. For use, windows overlap: of each only the middle half
counts, where the network has seen enough on both sides, and neighbours are faded into each other over an
eighth of a window. The weights of the fade add up to 1, so what does not depend on where a window begins
comes out as if it had been done in one piece.

>>> import numpy as np
>>> x = np.random.default_rng(0).normal(size=1000)
>>> bool(np.abs(in_windows(lambda rows: 2 * rows, x, 64) - 2 * x).max() < 1e-6)
True
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["in_windows", "training_windows"]

PAUSE = 8  # a pause is one in so many of the recording's samples long
FAINT = 0.03  # windows quieter than this share of the usual have nothing to learn from
ROWS = 32  # windows restored at a time

Signal = NDArray[np.floating]
Function = Callable[[NDArray[np.float32]], NDArray[np.floating]]


def training_windows(recordings: Iterable[Signal], window: int) -> NDArray[np.float32]:
    """Recordings (time,), or takes of the same (takes, time), as windows (n, takes, window) of mean 0.

    All takes are brought to the loudness of the first; recordings whose first take is silent are left out.
    """
    pieces: list[Signal] = []
    takes = 1
    for recording in map(np.atleast_2d, recordings):
        centred = recording - recording.mean(1, keepdims=True, dtype=np.float64)
        loudness = math.sqrt(float(np.square(centred[0], dtype=np.float64).mean()))
        takes = len(centred)
        if loudness > 0:
            pause = np.zeros((takes, centred.shape[1] // PAUSE), np.float32)
            pieces += [(centred / loudness).astype(np.float32), pause]
    joined = np.concatenate(pieces, axis=1) if pieces else np.zeros((takes, 0), np.float32)
    time = joined.shape[1]
    if 0 < time < window:
        joined = np.tile(joined, math.ceil(window / time))[:, :window]  # the same over and over
    count = joined.shape[1] // window
    rows = joined[:, : count * window].reshape(takes, count, window).transpose(1, 0, 2)
    rows = np.ascontiguousarray(rows[np.sqrt(np.square(rows[:, 0]).mean(1)) > FAINT], np.float32)
    if len(rows):
        rows -= np.float32(rows.mean(dtype=np.float64))
    return rows


def in_windows(
    function: Function,
    signal: Signal,
    window: int,
    progress: Callable[[float], object] | None = None,
) -> NDArray[np.float64]:
    """What `function` makes of a signal (time,), being given windows (n, 1, window) of it, as one signal.

    window: a multiple of 8. Beyond its ends the signal is mirrored. progress: told the share that is done.
    """
    context, fade, hop = window // 4, window // 8, 3 * (window // 8)
    before = context + fade
    count = 1 + math.ceil(max(0, len(signal) - 2 * fade) / hop)
    after = (count - 1) * hop + window - before - len(signal)
    padded = np.pad(signal.astype(np.float32), (before, after), mode="reflect")
    total, weights = np.zeros(len(padded)), _weights(context, fade)
    for first in range(0, count, ROWS):
        starts = [i * hop for i in range(first, min(first + ROWS, count))]
        rows = function(np.stack([padded[at : at + window] for at in starts])[:, None])
        for at, row in zip(starts, rows[:, 0], strict=True):
            total[at : at + window] += weights * row
        if progress is not None:
            progress(min(1.0, (first + ROWS) / count))
    return total[before : before + len(signal)]


def _weights(context: int, fade: int) -> NDArray[np.float64]:
    """0 on the context, up and down over the fade, 1 between: copies three fades apart add up to 1."""
    up = (np.arange(fade) + 0.5) / fade
    blind = np.zeros(context)
    return np.concatenate([blind, up, np.ones(2 * fade), up[::-1], blind])
