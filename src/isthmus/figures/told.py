"""Told: what a figure shows, in the sentence that is its title where none is given."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["fall", "left_over", "nearer", "slopes"]

MOST = 1000  # rows of data that distances are taken to

Array = NDArray[Any]


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
    spread = np.linspace(0, len(points) - 1, min(MOST, len(points))).astype(int)
    data = np.asarray(points, float)[None, spread]
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
