"""Spectrograms: a sound over time and frequency, before and after."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.figures.told import levels, titled

__all__ = ["spectrograms"]

RANGE = 70  # dB shown below the loudest
WINDOW = 0.032  # seconds of which a spectrum is taken


def spectrograms(
    sounds: dict[str, NDArray[Any]], rate: int, *, axes: Any = None, title: str | None = None
) -> Any:
    """Sounds (time,) by name, one below the other, all in one scale of decibels below the loudest of all.

    sounds : such as {"noisy": x, "denoised": x_hat, "clean": reference}; of (channels, time) the first
        channel. rate : samples a second. axes : as many as there are sounds; returned, or new ones.
    """
    drawn = {
        name: _decibels(np.atleast_2d(np.asarray(sound, float))[0], rate) for name, sound in sounds.items()
    }
    if title is None and axes is None:  # the title is that of the whole figure: of ours only
        title = levels(sounds)
    axes = _new(len(sounds)) if axes is None else np.atleast_1d(axes)
    top = max(float(decibels.max()) for decibels, _ in drawn.values())
    for ax, (name, (decibels, seconds)) in zip(axes, drawn.items(), strict=True):
        image = ax.imshow(
            decibels - top,
            origin="lower",
            aspect="auto",
            extent=(0, seconds, 0, rate / 2000),
            cmap="magma",
            vmin=-RANGE,
            vmax=0,
            interpolation="nearest",
        )
        titled(ax, name)
        ax.set_ylabel("kHz")
        ax.spines[:].set_visible(False)
        ax.label_outer()
    axes[-1].set_xlabel("seconds")
    bar = axes[0].figure.colorbar(image, ax=list(axes), label="dB below the loudest", pad=0.01, aspect=40)
    bar.outline.set_visible(False)
    if title is not None:
        axes[0].figure.suptitle(title, x=0.01, ha="left", fontsize="medium", wrap=True)
    return axes


def _new(count: int) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 0.6 + 1.8 * count), layout="constrained")
    return figure.subplots(count, 1, sharex=True, sharey=True, squeeze=False)[:, 0]


def _decibels(waveform: NDArray[Any], rate: int) -> tuple[NDArray[np.float64], float]:
    """Levels (frequencies, frames) in dB, and how many seconds they are."""
    sound = np.atleast_2d(np.asarray(waveform, float))[0]
    size = max(16, 2 ** round(np.log2(WINDOW * rate)))
    padded = np.pad(sound - sound.mean(), size // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[:: max(1, size // 8)]
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(size), axis=1))).T
    return 10 * np.log10(power + 1e-12 * max(power.max(), 1e-300)), len(sound) / rate
