"""Manifolds: PCA's plane beside what an autoencoder learned, where its residual points, how it slopes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.figures.style import COLOURS, axes_or_new, finished, ink, solid_axes
from isthmus.figures.told import left_over, nearer, slopes, titled

__all__ = ["contraction_along_line", "manifolds", "vector_field"]

Array = NDArray[Any]


def manifolds(
    points: Array,
    rebuilt: dict[str, Array],
    *,
    ax: Any = None,
    title: str | None = None,
    links: int = 40,
) -> Any:
    """Data (n, 2) or (n, 3), and where each model puts them: {model's name: (n, 2 or 3)}.

    Up to `links` thin lines join a row to its reconstruction by the last model.
    """
    points = np.asarray(points, float)
    title = left_over(points, rebuilt) if title is None else title
    solid = points.shape[1] == 3
    ax = solid_axes(ax) if solid else axes_or_new(ax, 5.0, 4.2)
    ax.scatter(*points.T, s=6, color="#999999", alpha=0.5, linewidths=0, label="data")
    for (name, x_hat), colour, mark in zip(rebuilt.items(), COLOURS[1::-1], ("s", "o"), strict=False):
        shown = {"s": 9, "color": colour, "marker": mark, "linewidths": 0, "alpha": 0.7 if solid else None}
        ax.scatter(*np.asarray(x_hat, float).T, label=name, **shown)
    last = np.asarray(list(rebuilt.values())[-1], float)
    for i in np.linspace(0, len(points) - 1, min(links, len(points))).astype(int):
        ax.plot(*np.stack([points[i], last[i]]).T, color=COLOURS[0], linewidth=0.4, alpha=0.6)
    if solid:
        ax.set_xticklabels([])
        ax.set_yticklabels([])
        ax.set_zticklabels([])
        titled(ax, title)
        ax.legend(frameon=False, fontsize="small", markerscale=1.5, loc="lower center", ncols=3)
        return ax
    ax.set_aspect("equal", adjustable="datalim")
    return finished(ax, title, legend=True)


def vector_field(
    starts: Array,
    ends: Array,
    *,
    points: Array | None = None,
    ax: Any = None,
    title: str | None = None,
) -> Any:
    """Arrows from places (n, 2) to what a denoiser makes of them (n, 2), over the data (m, 2)."""
    ax = axes_or_new(ax, 5.0, 4.4)
    starts, ends = np.asarray(starts, float), np.asarray(ends, float)
    if points is not None:
        ax.scatter(*np.asarray(points, float).T, s=5, color=COLOURS[1], alpha=0.6, linewidths=0, label="data")
    moved = ends - starts
    arrows = {"width": 0.0035, "headwidth": 4, "headlength": 4.5, "color": COLOURS[0]}
    ax.quiver(*starts.T, *moved.T, angles="xy", scale_units="xy", scale=1, **arrows)
    ax.set_aspect("equal", adjustable="datalim")
    ax.margins(0.03)
    return finished(ax, nearer(starts, ends, points) if title is None else title, legend=points is not None)


def contraction_along_line(
    places: Array,
    curves: dict[str, Array],
    *,
    points: Array | None = None,
    ax: Any = None,
    title: str | None = None,
) -> Any:
    """Along a line through the data: where r(x) lies on it (n,), by place (n,), for each model.

    Flat stretches contract; crossings of the diagonal are where r leaves a point alone. `points` (m,) are the
    data's own places.
    """
    ax = axes_or_new(ax, 5.0, 4.2)
    places = np.asarray(places, float)
    ax.plot(places, places, color=ink(), linewidth=0.8, linestyle=":", label="r(x) = x")
    for (name, values), colour in zip(curves.items(), COLOURS, strict=False):
        ax.plot(places, np.asarray(values, float), color=colour, linewidth=1.8, label=name)
    if points is not None:
        low = min(float(np.min(values)) for values in [places, *curves.values()])
        ax.plot(points, np.full(len(points), low), "|", color=ink(), markersize=9, label="data")
    ax.set_xlabel("place of x along the line")
    ax.set_ylabel("place of r(x)")
    return finished(ax, slopes(places, curves, points) if title is None else title, legend=True)
