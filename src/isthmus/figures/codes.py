"""Codes: where rows lie in the latent space, and what lies between and around them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import need
from isthmus.figures.mosaics import tiled
from isthmus.figures.style import COLOURS, MARKS, axes_or_new, finished, paper
from isthmus.figures.told import change, gathered, titled
from isthmus.wording import counted

__all__ = ["latent_scatter", "picture_rows"]

FEW = len(COLOURS)  # groups that get a colour each
GAPS = ("None", "nan", "<NA>", "NaT")
LABEL = 0.06  # of the extent of the codes, that labels keep between them

Array = NDArray[Any]


def latent_scatter(
    z: Array, *, colour: Any = None, name: str = "", ax: Any = None, title: str | None = None
) -> Any:
    """Two numbers of a code (n, 2), coloured by anything: a number, or up to seven groups by name.

    Groups get a colour and a mark each and are labelled where they lie; more than seven, a colour map and
    the labels alone.
    """
    z = np.asarray(z, float)
    need(z.ndim == 2 and z.shape[1] == 2, "z", "be points (n, 2)", z.shape, "Choose two columns of the code")
    values = None if colour is None else _whole(np.asarray(colour))
    if values is not None:
        rule = f"have {counted(len(z), 'value')}, one a point"
        need(len(values) == len(z), "colour", rule, values.shape, "Give as many")
    ax = axes_or_new(ax, 5.0, 4.4)
    number = values is not None and (
        values.dtype.kind in "fc" or (values.dtype.kind in "iu" and len(np.unique(values)) > 20)
    )
    if values is None:
        ax.scatter(*z.T, s=8, color=COLOURS[0], alpha=0.6, linewidths=0)
    elif number:
        seen = ax.scatter(*z.T, s=8, c=values, cmap="viridis", linewidths=0)
        ax.figure.colorbar(seen, ax=ax, pad=0.02, fraction=0.04, label=name)
    else:
        _groups(ax, z, values)
    ax.set_xlabel("first number of the code")
    ax.set_ylabel("second")
    return finished(ax, gathered(z, values, groups=not number) if title is None else title)


def picture_rows(
    pictures: Array,
    shape: tuple[int, int],
    *,
    names: Any = None,
    ax: Any = None,
    title: str | None = None,
    along: str = "",
) -> Any:
    """Traversals or interpolations: pictures (rows, steps, h * w), a line each, from left to right.

    `along` says what changes along a line.
    """
    x = np.asarray(pictures, float)
    rows, steps = x.shape[:2]
    ax = axes_or_new(ax, 0.5 * steps + 1.2, 0.5 * rows * shape[0] / shape[1] + 0.7)
    mosaic = tiled(x.reshape(rows * steps, -1), shape, steps, np.nan)
    ax.imshow(mosaic, cmap="gray", interpolation="nearest")
    step = shape[0] + 1
    labels = range(rows) if names is None else names
    ax.set_yticks([step * i + shape[0] / 2 for i in range(rows)], [str(label) for label in labels])
    ax.set_xticks([])
    ax.set_xlabel(along)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    titled(ax, change(x) if title is None else title)
    return ax


def _whole(values: Array) -> Array:
    """Numbers as they are, names of groups as text, of which a gap is one of its own."""
    if values.dtype.kind != "O":
        return values
    gaps = np.array([str(value) in GAPS for value in values])
    if all(isinstance(value, (int, float)) for value in values[~gaps]):
        return np.where(gaps, np.nan, values).astype(float)
    return np.array(["no value" if gap else str(value) for gap, value in zip(gaps, values, strict=True)])


def _groups(ax: Any, z: Array, values: Array) -> None:
    """A colour for every group, and its name at its middle."""
    import matplotlib as mpl

    groups = np.unique(values)
    for i, group in enumerate(groups):
        here = z[values == group]
        shade = (
            COLOURS[i] if len(groups) <= FEW else mpl.colormaps["turbo"](0.1 + 0.8 * i / (len(groups) - 1))
        )
        ax.scatter(*here.T, s=8, color=shade, marker=MARKS[i % len(MARKS)], alpha=0.7, linewidths=0)
    middles = _apart(np.array([np.median(z[values == group], axis=0) for group in groups]), np.ptp(z, axis=0))
    for group, middle in zip(groups, middles, strict=True):
        box = {"boxstyle": "round,pad=0.15", "facecolor": paper(), "alpha": 0.8, "linewidth": 0}
        ax.text(*middle, str(group), ha="center", va="center", fontsize="small", weight="bold", bbox=box)


def _apart(places: Array, extent: Array) -> Array:
    """Places of labels (n, 2), those that would lie on each other pushed to either side."""
    unit = LABEL * np.where(extent > 0, extent, 1.0)
    moved = places / unit
    for _ in range(50):
        ways = moved[:, None] - moved[None]
        far = np.sqrt(np.square(ways).sum(2)) + np.eye(len(moved))
        short = np.maximum(0, 1 - far)[..., None]
        moved = moved + 0.3 * (short * ways / np.maximum(far, 1e-9)[..., None]).sum(1)
    return moved * unit
