"""Restorations: pictures before and after."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.figures.told import distances, titled

__all__ = ["restored"]

CLOSE = 96  # pixels a side of the detail shown below
LARGE = 200  # pixels a side from which on a detail is worth it


def restored(pictures: dict[str, NDArray[Any]], *, axes: Any = None, title: str | None = None) -> Any:
    """Pictures (h, w) or (h, w, 3) by name side by side, and below each the same detail, enlarged.

    pictures : such as {"noisy": x, "denoised": x_hat, "clean": reference}, of one size; the detail is where
        the last varies most, and is left out of small ones. axes : as many as there are pictures and details,
        row by row; returned, or new ones.
    """
    first = next(iter(pictures.values()))
    detailed = min(first.shape[:2]) >= LARGE
    where = _liveliest(list(pictures.values())[-1]) if detailed else None
    if title is None and axes is None:  # the title is that of the whole figure: of ours only
        title = distances(pictures)
    axes = _new(len(pictures), first.shape, detailed) if axes is None else np.ravel(axes)
    for ax, (name, picture) in zip(axes, pictures.items(), strict=False):
        _show(ax, picture)
        titled(ax, name)
        if where is not None:
            ax.indicate_inset((where[1], where[0], CLOSE, CLOSE), edgecolor="#d55e00", alpha=1)
    if where is not None:
        for ax, picture in zip(axes[len(pictures) :], pictures.values(), strict=True):
            _show(ax, picture[where[0] : where[0] + CLOSE, where[1] : where[1] + CLOSE])
    if title is not None:
        axes[0].figure.suptitle(title, x=0.01, ha="left", fontsize="medium", wrap=True)
    return axes


def _show(ax: Any, picture: NDArray[Any]) -> None:
    top = float(np.iinfo(picture.dtype).max) if picture.dtype.kind in "iu" else 1.0
    shown = np.clip(picture / top, 0, 1)
    ax.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_axis_off()


def _liveliest(picture: NDArray[Any]) -> tuple[int, int]:
    """The top left corner of the square in which neighbours differ most, away from the edges."""
    grey = np.asarray(picture if picture.ndim == 2 else picture.mean(2), dtype=float)
    steps = np.abs(np.diff(grey, axis=0))[:, 1:] + np.abs(np.diff(grey, axis=1))[1:]
    edge = CLOSE // 4
    corners = [
        (top, left)
        for top in range(edge, grey.shape[0] - CLOSE - edge, edge)
        for left in range(edge, grey.shape[1] - CLOSE - edge, edge)
    ]
    return max(corners, key=lambda at: float(steps[at[0] : at[0] + CLOSE, at[1] : at[1] + CLOSE].mean()))


def _new(count: int, shape: tuple[int, ...], detailed: bool) -> Any:
    from matplotlib.figure import Figure

    wide = 10.0 / count
    tall = wide * shape[0] / shape[1]
    rows = [tall, wide] if detailed else [tall]
    figure = Figure(figsize=(10.0, sum(rows) + 0.3 * len(rows)), layout="constrained")
    return figure.subplots(len(rows), count, squeeze=False, height_ratios=rows).ravel()
