"""Told: what a figure shows, in the sentence that is its title where none is given."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

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

MOST = 1000  # rows that distances are taken to, or between

Array = NDArray[Any]


def titled(ax: Any, title: str) -> None:
    """A title at the left, in as many lines as it needs."""
    ax.set_title(title, loc="left", fontsize="medium", wrap=True)


def left_over(x: Array, x_hats: dict[str, Array]) -> str:
    """What reconstructions leave of the variance of x (n, ...), model by model."""
    rows = np.asarray(x, float).reshape(len(x), -1)
    whole = np.square(rows - rows.mean(0)).sum() or 1.0
    alike = {
        name: np.reshape(x_hat, rows.shape) for name, x_hat in x_hats.items() if np.size(x_hat) == rows.size
    }
    left = {name: np.square(rows - x_hat).sum() / whole for name, x_hat in alike.items()}
    shares = [f"{name} {share:.{0 if share >= 0.1 else 1}%}" for name, share in left.items()]
    return f"Left of the variance: {', '.join(shares)}" if shares else ""


def nearer(starts: Array, ends: Array, points: Array | None) -> str:
    """How far from the data (m, d) places (n, d) are before and after, or how far they went."""
    if points is None:
        return f"The arrows are {np.linalg.norm(ends - starts, axis=1).mean():.2g} long on average"
    data = np.asarray(points, float)[None, _some(len(points))]
    before, after = (np.linalg.norm(some[:, None] - data, axis=2).min(1).mean() for some in (starts, ends))
    return f"{before:.2g} from the nearest data on average, {after:.2g} after r(x)"


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
    chance = np.square(np.unique(marks, return_counts=True)[1] / len(marks)).sum()
    share = (marks == nearest).mean()
    return f"Nearest neighbours are of one group in {share:.0%}, by chance in {chance:.0%}"


def change(pictures: Array) -> str:
    """How much lines of pictures (rows, steps, pixels) change."""
    steps, ends = np.abs(np.diff(pictures, axis=1)).mean(), np.abs(pictures[:, -1] - pictures[:, 0]).mean()
    return f"A step changes a pixel by {steps:.2g} on average, a whole line by {ends:.2g}"


def spot(weights: Array) -> str:
    """How small the places are in which filters (units, pixels) weigh."""
    power = np.sort(np.square(np.asarray(weights, float)), axis=1)[:, ::-1]
    half = 1 + (power.cumsum(1) < 0.5 * power.sum(1, keepdims=True)).sum(1)
    return f"Half of a filter's weight lies in {np.median(half) / power.shape[1]:.0%} of the picture"


def followed(spectra: dict[str, Array]) -> str:
    """How many directions Jacobians follow: (sum s^2)^2 / sum s^4 of their singular values."""
    powers = {name: np.square(np.asarray(values, float)) for name, values in spectra.items()}
    found = {name: power.sum() ** 2 / (np.square(power).sum() or 1.0) for name, power in powers.items()}
    return f"Directions followed: {', '.join(f'{name} {count:.1f}' for name, count in found.items())}"


def strongest(values: Any) -> str:
    """A unit's answers to the rows that are shown."""
    if values is None or len(values) == 0:
        return ""
    return f"The unit's strongest answers: {np.max(values):.2g} to {np.min(values):.2g}"


def distances(pictures: dict[str, Array]) -> str:
    """How far all are from the last, where they are of one size."""
    *names, last = pictures
    end = np.asarray(pictures[last], float)
    if not names or any(np.shape(pictures[name]) != end.shape for name in names):
        return ""
    found = {name: np.sqrt(np.square(np.asarray(pictures[name], float) - end).mean()) for name in names}
    return f"From {last}, root mean square: {', '.join(f'{name} {gap:.2g}' for name, gap in found.items())}"


def levels(sounds: dict[str, Array]) -> str:
    """Signal to noise against the last of three sounds and more; of two, how loud they are."""
    *names, last = sounds
    end = np.asarray(sounds[last], float)
    powers = {name: np.square(np.asarray(sound, float)).mean() for name, sound in sounds.items()}
    if len(names) < 2 or any(np.shape(sounds[name]) != end.shape for name in names):
        loudest = max(powers.values())
        return f"Level: {_decibels({name: (power, loudest) for name, power in powers.items()})}"
    noise = {name: np.square(np.asarray(sounds[name], float) - end).mean() for name in names}
    return f"Signal to noise against {last}: {_decibels({n: (powers[last], p) for n, p in noise.items()})}"


def patched(hidden: Array, made: Array, clean: Array | None) -> str:
    """How much of pictures was hidden (n, h, w), and how far what was made is from what was there."""
    told = f"{np.mean(hidden):.0%} of the pixels filled"
    if clean is None or not np.any(hidden):
        return told
    gap = np.asarray(made, float)[hidden] - np.asarray(clean, float)[hidden]
    return f"{told}, {np.sqrt(np.square(gap).mean()):.2g} from what was there (root mean square)"


def _some(count: int) -> Array:
    """Places of at most `MOST` rows, evenly."""
    return np.linspace(0, count - 1, min(MOST, count)).astype(int)


def _correlation(a: Array, b: Array) -> float:
    """0 where one of them does not vary."""
    a, b = (np.asarray(some, float) - np.mean(some) for some in (a, b))
    return float((a * b).sum() / (np.sqrt(np.square(a).sum() * np.square(b).sum()) or 1.0))


def _decibels(powers: dict[str, tuple[float, float]]) -> str:
    ratios = {name: 10 * np.log10(max(a, 1e-300) / max(b, 1e-300)) for name, (a, b) in powers.items()}
    return ", ".join(f"{name} {ratio:.1f} dB" for name, ratio in ratios.items())
