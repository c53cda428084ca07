"""Mosaics: many small pictures as one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.figures.told import left_over, spot, titled

__all__ = ["filters", "reconstructions"]


def axes_or_new(ax: Any, width: float = 6.0, height: float = 4.0) -> Any:
    """`ax`, or a new one of this size in inches that does not touch pyplot's state."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained").add_subplot()


def reconstructions(
    x: NDArray[Any],
    x_hats: dict[str, NDArray[Any]],
    shape: tuple[int, int],
    *,
    ax: Any = None,
    title: str | None = None,
) -> Any:
    """Originals in the first row, below them what each model makes of them.

    x : (n, h * w) pictures. x_hats : {model's name: (n, h * w)}. All share the grey scale of x.
    """
    rows = {"original": x, **x_hats}
    ax = axes_or_new(ax, 0.55 * len(x) + 1.5, 0.56 * len(rows) + 0.4)
    picture = np.vstack([tiled(pictures, shape, len(x), np.nan) for pictures in rows.values()])
    ax.imshow(picture, cmap="gray", vmin=float(np.min(x)), vmax=float(np.max(x)), interpolation="nearest")
    step = shape[0] + 1
    ax.set_yticks([step * i + step / 2 - 0.5 for i in range(len(rows))], list(rows))
    return _bare(ax, left_over(x, x_hats) if title is None else title)


def filters(
    weights: NDArray[Any], shape: tuple[int, int], *, ax: Any = None, title: str | None = None
) -> Any:
    """Weights (units, h * w) as pictures, each in its own scale: blue takes away, red adds, white is zero."""
    columns = math.ceil(math.sqrt(len(weights) * 1.5))
    ax = axes_or_new(ax, 6.0, 6.0 * math.ceil(len(weights) / columns) / columns + 0.4)
    largest = np.abs(weights).max(axis=1, keepdims=True)
    picture = tiled(weights / np.where(largest > 0, largest, 1), shape, columns, np.nan)
    ax.imshow(picture, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    ax.set_yticks([])
    return _bare(ax, spot(weights) if title is None else title)


def tiled(pictures: NDArray[Any], shape: tuple[int, int], columns: int, gap: float) -> NDArray[np.float64]:
    """Pictures (n, h * w) side by side, `columns` to a row, one pixel of `gap` between."""
    h, w = shape
    rows = math.ceil(len(pictures) / columns)
    mosaic = np.full((rows * (h + 1) - 1, columns * (w + 1) - 1), gap)
    for i, picture in enumerate(pictures):
        top, left = (i // columns) * (h + 1), (i % columns) * (w + 1)
        mosaic[top : top + h, left : left + w] = np.reshape(picture, shape)
    return np.pad(mosaic, ((0, 1), (0, 0)), constant_values=gap)


def _bare(ax: Any, title: str) -> Any:
    ax.set_xticks([])
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)
    titled(ax, title)
    return ax
