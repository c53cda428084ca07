"""Recordings as people have them: arrays of several shapes, folders, two takes of the same."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import must, need
from isthmus.inputs import Recordings
from isthmus.wording import counted

__all__ = ["checked", "left_out", "paired", "sounds_of", "within"]

CHANNELS = 16  # a sound has at most so many


def sounds_of(X: Any) -> list[NDArray[Any]]:
    """A list of arrays, or an array of two or three dimensions, as sounds."""
    if isinstance(X, (list, tuple)):
        need(len(X) > 0, "X", "have at least one recording", "none", "Pass recordings")
        return [checked(one) for one in X]
    array = np.asarray(X)
    do = "Use a list [waveform] for one recording"
    rule = "be recordings (n, channels, time) or (n, time)"
    need(array.ndim in (2, 3) and len(array) > 0, "X", rule, f"an array of shape {array.shape}", do)
    return [checked(one) for one in array]


def checked(waveform: Any) -> NDArray[Any]:
    """A waveform (time,) or (channels, time) of finite numbers."""
    sound = np.asarray(waveform)
    do = "Use waveform.T" if sound.ndim == 2 else "Use an array of numbers"
    shaped = sound.ndim in (1, 2) and sound.size > 0
    shaped = shaped and (sound.ndim == 1 or len(sound) <= CHANNELS or len(sound) <= sound.shape[1])
    rule = f"be a sound (time,) or (channels, time), {CHANNELS} channels at most"
    need(shaped, "waveform", rule, f"an array of shape {sound.shape}", do)
    need(sound.dtype.kind in "iuf", "waveform", "be numbers", sound.dtype, "Use an array of floats")
    wrong = np.argwhere(~np.isfinite(sound))
    if len(wrong):
        got = f"{sound[tuple(wrong[0])]} at sample {wrong[0][-1]:,}"
        raise must("waveform", "be finite", got, "Mend it, as by np.nan_to_num")
    return sound


def paired(takes: Iterator[NDArray[Any]], others: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    """Two takes of each recording, as (2, time)."""
    for number, (one, other) in enumerate(itertools.zip_longest(takes, others)):
        got = [None if take is None else len(take) for take in (one, other)]
        rule = f"have the length of X in channel {number}"
        need(got[0] == got[1], "y", rule, f"{got[1]} samples for {got[0]}", "Use takes of the same")
        yield np.stack([one, other])


def within(recordings: Iterator[NDArray[Any]], most: int) -> Iterator[NDArray[Any]]:
    """Recordings until there are so many samples."""
    for recording in recordings:
        if most <= 0:
            return
        yield recording[..., :most]
        most -= recording.shape[-1]


def left_out(folder: Recordings) -> tuple[str, ...]:
    """One sentence naming what was left out, or nothing."""
    shown = "; ".join(folder.skipped[:5])
    return (f"Skipped {counted(len(folder.skipped), 'file')} that cannot be read: {shown}.",) if shown else ()
