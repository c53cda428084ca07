"""Searches: what was asked beside what was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.figures.curves import BLUE
from isthmus.figures.mosaics import axes_or_new
from isthmus.figures.told import titled

__all__ = ["neighbours"]

GAP = 0.35  # of a cell, between what was asked and what was found
BELOW = 0.22  # of a cell, for a line of words
INCHES = 1.05  # of a cell
ACROSS = 10  # samples found in a line, further ones below


def neighbours(
    asked: NDArray[Any],
    found: Sequence[NDArray[Any]],
    captions: Sequence[Sequence[str]] = (),
    *,
    names: Sequence[str] = (),
    ax: Any = None,
    title: str | None = None,
) -> Any:
    """Each sample asked with at the left, what was found for it beside, nearest first, ten in a line.

    asked: pictures (q, h, w[, c]) or signals (q, channels, time). found: for each the samples found, (k,
    ...). captions: a few words below each that was found. names: a few words below each asked.
    """
    most = max((len(some) for some in found), default=0)
    lines = [max(1, -(-len(some) // ACROSS)) for some in found]
    width, height = 1 + GAP + min(max(most, 1), ACROSS), sum(lines) * (1 + BELOW)
    ax = axes_or_new(ax, INCHES * width, INCHES * height + 0.3)
    top = height
    for i, sample in enumerate(asked):
        _cell(ax, sample, 0, top, names[i] if i < len(names) else "")
        ax.add_patch(_frame(0, top))
        for j, other in enumerate(found[i]):
            words = captions[i][j] if i < len(captions) and j < len(captions[i]) else ""
            _cell(ax, other, 1 + GAP + j % ACROSS, top - j // ACROSS * (1 + BELOW), words)
        top -= lines[i] * (1 + BELOW)
    ax.set_xlim(-0.02, width + 0.02)
    ax.set_ylim(-0.02, height + 0.02)
    ax.set_aspect("equal")
    ax.axis("off")
    many = f"{most} nearest of each" if len(asked) > 1 else f"the {most} nearest"
    titled(ax, f"Asked, and {many}" if title is None else title)
    return ax


def _cell(ax: Any, sample: NDArray[Any], left: float, top: float, words: str) -> None:
    """One sample in a square that ends at `top`, and words below."""
    inside = (left + 0.04, left + 0.96, top - 0.96, top - 0.04)
    if sample.ndim == 2 and sample.shape[0] < sample.shape[1] // 4:
        _curve(ax, sample, inside)
    else:
        picture = np.asarray(sample)
        picture = picture if picture.dtype == np.uint8 else _in_range(picture)
        high, wide = picture.shape[:2]
        share = np.array([wide, high]) / max(wide, high) * 0.92 / 2  # proportions kept
        x, y = left + 0.5, top - 0.5
        box = (x - share[0], x + share[0], y - share[1], y + share[1])
        top_value = 255 if picture.dtype == np.uint8 else 1
        ax.imshow(
            picture, cmap="gray", vmin=0, vmax=top_value, extent=box, interpolation="nearest", aspect="auto"
        )
    if words:
        ax.text(left + 0.5, top - 1.03, words, ha="center", va="top", fontsize="x-small", parse_math=False)


def _curve(ax: Any, sample: NDArray[Any], inside: tuple[float, float, float, float]) -> None:
    left, right, bottom, top = inside
    low, high = float(np.min(sample)), float(np.max(sample))
    scaled = (sample - low) / ((high - low) or 1.0)
    across = np.linspace(left, right, sample.shape[1])
    for channel in scaled:
        ax.plot(across, bottom + channel * (top - bottom), color=BLUE, linewidth=0.6)


def _in_range(picture: NDArray[Any]) -> NDArray[np.float64]:
    low, high = float(np.nanmin(picture)), float(np.nanmax(picture))
    low, high = (0.0, 1.0) if low >= 0 and high <= 1 else (low, high if high > low else low + 1)
    return np.asarray((picture.astype(np.float64) - low) / (high - low))


def _frame(left: float, top: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((left, top - 1), 1, 1, fill=False, edgecolor=BLUE, linewidth=1.5)
