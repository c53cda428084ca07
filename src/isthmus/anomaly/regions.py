"""Regions: where in a picture or signal the strangeness lies.

A pixel is not a cell that somebody mistyped: faults there are patches and spans. The heat of a cell is its
cost over what it usually costs on the training rows; the hottest cells that carry half of a sample's heat are
joined where they touch, and each patch is named by its place and its share.

>>> heat = np.zeros((8, 8))
>>> heat[2:4, 5:7] = 1.0
>>> hottest(heat, time=False)
[Region(place='rows 2-3, columns 5-6', share=1.0)]
>>> hottest(np.array([[0.0, 0, 3, 3, 0, 0]]), time=True)
[Region(place='channel 0, 2-3', share=1.0)]
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Region", "hottest"]

CARRIED = 0.5  # of the heat that the named cells carry
MOST = 3  # regions named, at most
LEAST = 0.05  # and the share of one


class Region(NamedTuple):
    """A patch or span in words, ends included, and its share of the sample's heat."""

    place: str
    share: float


def hottest(heat: NDArray[Any], time: bool) -> list[Region]:
    """The hottest regions of one sample, by share: pictures (h, w[, c]), signals (channels, time)."""
    from scipy import ndimage

    flat = heat if time or heat.ndim == 2 else heat.sum(2)
    total = float(flat.sum())
    if total <= 0:
        return []
    touching = [[0, 0, 0], [1, 1, 1], [0, 0, 0]] if time else np.ones((3, 3))
    labels, count = ndimage.label(flat >= _level(flat, total), touching)
    boxes = ndimage.find_objects(labels)
    found = [
        Region(_place(box, time), float(flat[labels == i + 1].sum()) / total) for i, box in enumerate(boxes)
    ]
    ranked = sorted(found, key=lambda region: -region.share)[:MOST]
    return [region for region in ranked if region.share >= LEAST] if count else []


def _level(flat: NDArray[Any], total: float) -> float:
    """The heat from which on cells carry their part."""
    descending = np.sort(flat, axis=None)[::-1]
    last = int(np.searchsorted(np.cumsum(descending), CARRIED * total))
    return max(float(descending[min(last, len(descending) - 1)]), np.finfo(float).tiny)


def _place(box: tuple[slice, slice], time: bool) -> str:
    rows, columns = (_ends(part) for part in box)
    return f"channel {rows}, {columns}" if time else f"rows {rows}, columns {columns}"


def _ends(part: slice) -> str:
    first, last = part.start, part.stop - 1
    return str(first) if first == last else f"{first}-{last}"
