"""Told: what a figure shows, in the sentence that is its title where none is given."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.wording import percent

__all__ = [
    "change",
    "distances",
    "fall",
    "followed",
    "gathered",
    "left_over",
    "levels",
    "nearer",
    "patched",
    "slopes",
    "spot",
    "strongest",
    "titled",
]

LETTER = 0.62  # widths of a letter in heights
MOST = 1000  # rows that distances are taken to, or between

Array = NDArray[Any]


def titled(ax: Any, title: str) -> None:
    """A title at the left, in as many lines as it needs: to the figure's edge, or its neighbour's."""
    place = ax.get_subplotspec()
    columns = 1 if place is None else place.get_gridspec().ncols
    text = ax.set_title(title, loc="left", fontsize="medium", wrap=True)
    if columns > 1:
        wide = 72 * ax.figure.get_figwidth() / columns / (LETTER * text.get_fontsize())
        text.set_text(textwrap.fill(title, max(8, int(wide)), break_long_words=False))


def left_over(x: Array, x_hats: dict[str, Array]) -> str:
    """What reconstructions leave of the variance of x (n, ...), model by model."""
    rows = np.asarray(x, float).reshape(len(x), -1)
    whole = np.square(rows - rows.mean(0)).sum() or 1.0
    alike = {
        name: np.reshape(x_hat, rows.shape) for name, x_hat in x_hats.items() if np.size(x_hat) == rows.size
    }
    left = {name: np.square(rows - x_hat).sum() / whole for name, x_hat in alike.items()}
    shares = [f"{name} {percent(share, 0 if share >= 0.1 else 1)}" for name, share in left.items()]
    return f"Left of the variance: {', '.join(shares)}" if shares else ""


def nearer(starts: Array, ends: Array, points: Array | None) -> str:
    """How far from the data (m, d) places (n, d) are before and after, or how far they went."""
    if points is None:
        return f"The arrows are {np.linalg.norm(ends - starts, axis=1).mean():.2g} long on average"
    data = np.asarray(points, float)[None, _some(len(points))]
    before, after = (np.linalg.norm(some[:, None] - data, axis=2).min(1).mean() for some in (starts, ends))
    return f"Places are {before:.2g} from the nearest data on average, r(x) {after:.2g}"


def slopes(places: Array, curves: dict[str, Array], points: Array | None) -> str:
    """Mean slope of curves (n,) over places (n,), where the data's own places (m,) are if they are given."""
    at = places if points is None else np.asarray(points, float)
    found = {
        name: np.interp(at, places, np.gradient(np.asarray(values, float), places)).mean()
        for name, values in curves.items()
    }
    told = ", ".join(f"{name} {slope:.2f}" for name, slope in found.items())
    return f"Slope {'along the line' if points is None else 'at the data'}: {told}"


def fall(history: list[dict[str, float]]) -> str:
    """The objective at first and at best, of rows held out where there are some."""
    held_out = "held_out_objective" in history[-1]
    name, rows = ("held_out_objective", "Held-out") if held_out else ("objective", "Training")
    best = min(history, key=lambda row: row[name] if np.isfinite(row[name]) else np.inf)
    values = f"{history[0][name]:.3g} at first, {best[name]:.3g} at best (epoch {best['epoch']:.0f})"
    return f"{rows} rows: {values}"


def gathered(z: Array, values: Array | None, groups: bool) -> str:
    """How alike what colours the nearest of points (n, 2) is: a share of same groups, a correlation."""
    known = np.isfinite(z).all(1)
    if values is not None:
        if np.ndim(values) != 1:
            return ""
        known &= True if groups else np.isfinite(values)
        values = values[known]
    z = z[known]
    if len(z) < 3:
        return ""
    if values is None:
        return f"The two numbers correlate at {_correlation(*z.T):.2f}"
    some = _some(len(z))
    places, marks = z[some], values[some]
    apart = np.square(places[:, None] - places[None]).sum(2)
    np.fill_diagonal(apart, np.inf)
    nearest = marks[apart.argmin(1)]
    if not groups:
        return f"Nearest neighbours' values correlate at {_correlation(marks, nearest):.2f}"
    share, chance = (marks == nearest).mean(), np.square(np.unique(marks, return_counts=True)[1] / len(marks))
    return f"Nearest neighbours are of one group in {percent(share)}, by chance in {percent(chance.sum())}"


def change(pictures: Array) -> str:
    """How much lines of pictures (rows, steps, pixels) change."""
    if pictures.shape[1] < 2:
        return ""
    steps, ends = np.abs(np.diff(pictures, axis=1)).mean(), np.abs(pictures[:, -1] - pictures[:, 0]).mean()
    return f"A step changes a pixel by {steps:.2g} on average, a whole line by {ends:.2g}"


def spot(weights: Array) -> str:
    """How small the places are in which filters (units, pixels) weigh, squared."""
    power = np.sort(np.square(np.asarray(weights, float)), axis=1)[:, ::-1]
    power = power[power.sum(1) > 0]
    if not len(power):
        return ""
    half = 1 + (power.cumsum(1) < 0.5 * power.sum(1, keepdims=True)).sum(1)
    return (
        f"The median filter has half its power in {percent(np.median(half) / power.shape[1])} of the picture"
    )


def followed(spectra: dict[str, Array]) -> str:
    """How much a model's output follows its input in all directions: the sum of mean singular values."""
    return f"Singular values sum to {', '.join(f'{np.sum(s):.2g} ({name})' for name, s in spectra.items())}"


def strongest(values: Any) -> str:
    """A unit's answers to the rows that are shown."""
    if values is None:
        return ""
    return f"The unit answers these rows with {np.max(values):.2g} to {np.min(values):.2g}"


def distances(pictures: dict[str, Array]) -> str:
    """How far pictures are from the last, of a range of 1, where they are of one size."""
    last = list(pictures)[-1]
    found = {name: _gap(picture, pictures[last]) for name, picture in pictures.items() if name != last}
    if not found or not np.isfinite(list(found.values())).all():
        return ""
    return f"From {last}, root mean square: {', '.join(f'{name} {gap:.2g}' for name, gap in found.items())}"


def levels(sounds: dict[str, Array]) -> str:
    """Signal to noise of the first channels against the last of three sounds and more, of one length; of two,
    how loud the second is beside the first.
    """
    waves = {name: np.atleast_2d(np.asarray(sound, float))[0] for name, sound in sounds.items()}
    *names, last = waves
    end = waves[last]
    if len(names) == 1:
        louder = _decibels(np.square(end).mean(), np.square(waves[names[0]]).mean())
        return f"{last} is {louder} beside {names[0]}" if louder else ""
    alike = names and all(len(waves[name]) == len(end) for name in names)
    ratios = {n: _decibels(np.square(end).sum(), np.square(waves[n] - end).sum()) for n in names if alike}
    if not ratios or not all(ratios.values()):
        return ""
    return f"Signal to noise against {last}: {', '.join(f'{n} {ratio}' for n, ratio in ratios.items())}"


def patched(hidden: Array, made: Array, clean: Array | None) -> str:
    """How much of pictures was hidden (n, h, w), and how far what was made is from what was there."""
    told = f"{percent(float(np.mean(hidden)))} of the pixels filled"
    if clean is None or not np.any(hidden) or np.shape(made) != np.shape(clean):
        return told
    gap = _gap(np.asarray(made)[hidden], np.asarray(clean)[hidden])
    return f"{told}, {gap:.2g} from what was there (root mean square)" if np.isfinite(gap) else told


def _gap(picture: Array, other: Array) -> float:
    """Root mean square of the difference, whole numbers as shares of their range; NaN of other sizes."""
    a, b = (
        np.asarray(some) / (np.iinfo(some.dtype).max if some.dtype.kind in "iu" else 1.0)
        for some in map(np.asarray, (picture, other))
    )
    return float(np.sqrt(np.square(a - b).mean())) if a.shape == b.shape else float("nan")


def _decibels(power: float, other: float) -> str:
    """A ratio of powers; nothing where one is none."""
    return f"{10 * np.log10(power / other):.1f} dB" if power > 0 and other > 0 else ""


def _some(count: int) -> Array:
    """Places of at most `MOST` rows, evenly."""
    return np.linspace(0, count - 1, min(MOST, count)).astype(int)


def _correlation(a: Array, b: Array) -> float:
    """0 where one of them does not vary."""
    a, b = (np.asarray(some, float) - np.mean(some) for some in (a, b))
    return float((a * b).sum() / (np.sqrt(np.square(a).sum() * np.square(b).sum()) or 1.0))
