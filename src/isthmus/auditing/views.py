"""Views: what a model makes of places chosen to be looked at, for `isthmus.figures` to draw.

`field` and `along_line` show where r sends points of a plane and of a line; `traversals` and `interpolations`
walk through the code; `strongest` finds the rows a unit answers to most.

>>> from sklearn.decomposition import PCA
>>> X = np.random.default_rng(0).normal(size=(50, 2)) * [3.0, 0.1]
>>> starts, ends = field(PCA(1).fit(X), X, 5)
>>> starts.shape, bool(np.ptp(ends[:, 1]) < 0.5)
((25, 2), True)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import need
from isthmus.inputs import rows_of

__all__ = ["along_line", "field", "interpolations", "strongest", "traversals"]

Array = NDArray[Any]


def field(model: Any, X: Any, steps: int = 20, margin: float = 0.15) -> tuple[Array, Array]:
    """Of data in two columns: a grid of places (steps^2, 2) around them, and r of each (steps^2, 2)."""
    x = np.asarray(X, float)
    need(x.ndim == 2 and x.shape[1] == 2, "X", "have two columns", x.shape, "Choose two")
    low, high = x.min(0), x.max(0)
    low, high = low - margin * (high - low), high + margin * (high - low)
    grid = np.meshgrid(*(np.linspace(a, b, steps) for a, b in zip(low, high, strict=True)))
    places = np.stack([axis.ravel() for axis in grid], 1)
    return places, rebuilt(model, places)


def along_line(model: Any, start: Any, end: Any, steps: int = 200) -> tuple[Array, Array]:
    """Places (steps,) on the line from `start` (d,), 0, to `end`, 1, and the places r(x) has on it."""
    first, last = np.asarray(start, float), np.asarray(end, float)
    direction = last - first
    places = np.linspace(0, 1, steps)
    made = rebuilt(model, first + places[:, None] * direction)
    return places, (made - first) @ direction / (direction @ direction)


def traversals(model: Any, X: Any, units: Any = None, steps: int = 9) -> Array:
    """Data made of the mean code of X, one unit after the other moved from its 2nd to its 98th percentile.

    (units, steps, ...) in the data's own kind of numbers; all units where `units` is None.
    """
    z = np.asarray(model.transform(X), float)
    chosen = range(z.shape[1]) if units is None else units
    codes = []
    for unit in chosen:
        walk = np.repeat(z.mean(0)[None], steps, 0)
        low, high = np.percentile(z[:, unit], [2, 98])
        walk[:, unit] = np.linspace(float(low), float(high), steps)
        codes.append(walk)
    return _decoded(model, np.array(codes))


def interpolations(model: Any, starts: Any, ends: Any, steps: int = 9) -> Array:
    """Data made of codes evenly between those of `starts` and `ends`: (n, steps, ...)."""
    first, last = (np.asarray(model.transform(rows), float) for rows in (starts, ends))
    share = np.linspace(0, 1, steps)[None, :, None]
    return _decoded(model, (1 - share) * first[:, None] + share * last[:, None])


def strongest(model: Any, X: Any, unit: int, rows: int = 8) -> tuple[Any, Array]:
    """The rows of X that `unit` answers to most, in X's own kind, and its activations, largest first."""
    z = np.asarray(model.transform(X), float)
    need(0 <= unit < z.shape[1], "unit", f"lie between 0 and {z.shape[1] - 1}", unit, "Use unit=0")
    order = np.argsort(-z[:, unit], kind="stable")[:rows]
    return rows_of(X, order), z[order, unit]


def rebuilt(model: Any, X: Any) -> Array:
    """r(x) of an array, by any transformer."""
    if hasattr(model, "reconstruct"):
        return np.asarray(model.reconstruct(X), float)
    return np.asarray(model.inverse_transform(model.transform(X)), float)


def _decoded(model: Any, codes: Array) -> Array:
    made = np.asarray(model.inverse_transform(codes.reshape(-1, codes.shape[2])))
    return made.reshape(*codes.shape[:2], *made.shape[1:])
