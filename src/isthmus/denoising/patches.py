"""Patches: what a convolutional denoiser learns photographs from.

Filters see a few dozen pixels to either side, so that patches teach them what whole pictures would, and
pictures of all sizes, turned and mirrored, fill batches of one shape.

>>> rng = np.random.default_rng(0)
>>> grey, coloured = (rng.integers(256, size=size, dtype=np.uint8) for size in [(80, 100), (70, 90, 3)])
>>> patches([grey, coloured], 5, 64, rng).shape
(5, 64, 64, 3)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["as_planes", "grey_of", "patches", "unit"]

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601

Array = NDArray[np.float32]


def patches(pictures: Sequence[NDArray[Any]], count: int, side: int, rng: np.random.Generator) -> Array:
    """Squares (count, side, side[, 3]) in [0, 1] from random places of pictures (h, w[, 3]).

    They are turned and mirrored at random. If any picture is coloured all patches have three channels, and
    every second one is grey in all three. A picture is drawn as often as its sides are long, so that a few
    large ones do not drown the others.
    """
    coloured = any(picture.ndim == 3 for picture in pictures)
    weights = np.array([np.sqrt(picture.shape[0] * picture.shape[1]) for picture in pictures])
    drawn = rng.choice(len(pictures), size=count, p=weights / weights.sum())
    made = np.empty((count, side, side, 3) if coloured else (count, side, side), np.float32)
    for number, which in enumerate(drawn):
        patch = _turned(_square(pictures[which], side, rng), rng)
        if not coloured:
            made[number] = patch
        else:
            made[number] = as_planes(grey_of(patch) if number % 2 else patch, 3)
    return made


def as_planes(picture: NDArray[Any], channels: int) -> NDArray[Any]:
    """A picture (h, w) or (h, w, c) as (h, w, channels): grey in as many equal channels, colours as grey."""
    if picture.ndim == 3 and picture.shape[2] == channels:
        return picture
    plane = picture if picture.ndim == 2 else grey_of(picture)
    return np.repeat(plane[..., None], channels, axis=2)


def grey_of(picture: NDArray[Any]) -> NDArray[Any]:
    """The luminance (h, w) of a picture."""
    if picture.ndim == 2:
        return picture
    grey: NDArray[Any] = picture @ LUMINANCE if picture.shape[2] == 3 else picture.mean(2)
    return grey


def unit(picture: NDArray[Any]) -> Array:
    """Pixels in [0, 1]: whole numbers by the largest their dtype holds, others as they are."""
    if picture.dtype.kind in "iu":
        return (picture / np.float32(np.iinfo(picture.dtype).max)).astype(np.float32)
    return picture.astype(np.float32)


def _square(picture: NDArray[Any], side: int, rng: np.random.Generator) -> Array:
    """A square from a random place; a picture that is too small is mirrored at its edges."""
    short = [max(0, side - size) for size in picture.shape[:2]]
    if any(short):
        edges = [(0, short[0]), (0, short[1]), (0, 0)][: picture.ndim]
        picture = np.pad(picture, edges, mode="symmetric")
    top, left = (int(rng.integers(size - side + 1)) for size in picture.shape[:2])
    return unit(picture[top : top + side, left : left + side])


def _turned(patch: Array, rng: np.random.Generator) -> Array:
    turned = np.rot90(patch, int(rng.integers(4)))
    return turned[:, ::-1] if rng.random() < 0.5 else turned
