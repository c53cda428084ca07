"""Holes: pictures before and after, the hole in a colour no picture has."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.figures.mosaics import _bare, axes_or_new
from isthmus.figures.told import patched

__all__ = ["inpainted"]

HOLE = (0.93, 0.17, 0.55)
GAP = 0.02  # of a picture's width, between two
TALL = 6.5  # inches of all rows together, unless they are many


def inpainted(
    given: NDArray[Any],
    hidden: NDArray[np.bool_],
    made: NDArray[Any],
    *,
    draws: NDArray[Any] | None = None,
    spread: NDArray[Any] | None = None,
    clean: NDArray[Any] | None = None,
    ax: Any = None,
    title: str | None = None,
) -> Any:
    """Pictures in rows: with the hole painted over, filled, and what else there is.

    given, made : (n, h, w) or (n, h, w, 3), or one picture; hidden : (n, h, w). draws : (n, m, h, w[, 3]),
    several plausible fills. spread : (n, h, w), in which the largest is white. clean : what was there.
    """
    if np.ndim(hidden) == 2:
        draws, spread, clean = (
            part if part is None else np.asarray(part)[None] for part in (draws, spread, clean)
        )
        given, hidden, made = np.asarray(given)[None], np.asarray(hidden)[None], np.asarray(made)[None]
    hole = np.asarray(hidden, bool)
    whole = np.asarray(made if clean is None else clean)
    low, high = (0.0, 255.0) if whole.dtype == np.uint8 else (float(whole.min()), float(whole.max()))

    def shown(part: Any) -> NDArray[np.float64]:
        values = np.nan_to_num((np.asarray(part, np.float64) - low) / ((high - low) or 1.0)).clip(0, 1)
        planes = values if values.ndim == hole.ndim + 1 else values[..., None]
        return np.broadcast_to(planes, (*planes.shape[:3], 3)).copy()

    before = shown(given)
    before[hole] = HOLE
    columns = {"given": before, "filled": shown(made)}
    for number in range(0 if draws is None else np.shape(draws)[1]):
        columns[f"draw {number + 1}"] = shown(np.asarray(draws)[:, number])
    if spread is not None:
        largest = np.asarray(spread).max() or 1.0
        columns["spread"] = np.repeat((np.asarray(spread) / largest)[..., None], 3, axis=3)
    if clean is not None:
        columns["clean"] = shown(clean)
    return _side_by_side(columns, ax, patched(hole, made, clean) if title is None else title)


def _side_by_side(columns: dict[str, NDArray[np.float64]], ax: Any, title: str) -> Any:
    """Columns of pictures (n, h, w, 3) as one picture."""
    n, height, width = next(iter(columns.values())).shape[:3]
    gap = max(1, round(GAP * width))
    across, down = len(columns) * (width + gap) - gap, n * (height + gap) - gap
    mosaic = np.zeros((down, across, 4))
    for column, pictures in enumerate(columns.values()):
        for row, picture in enumerate(pictures):
            top, left = row * (height + gap), column * (width + gap)
            mosaic[top : top + height, left : left + width, :3] = picture
            mosaic[top : top + height, left : left + width, 3] = 1
    inches = min(3.2, max(1.1, 12 / len(columns)), max(1.0, TALL * width / down))
    ax = axes_or_new(ax, inches * len(columns), inches * down / width + 0.6)
    ax.imshow(mosaic, interpolation="nearest" if width < 200 else "antialiased")
    _bare(ax, title)
    places = [column * (width + gap) + width / 2 - 0.5 for column in range(len(columns))]
    ax.set_xticks(places, list(columns))
    ax.xaxis.tick_top()
    ax.set_yticks([])
    ax.tick_params(length=0)
    return ax
