"""Tiling: a convolutional network trained on patches applied to a picture of any size.

The picture goes through in tiles. Each is read with as many pixels around it as can change it (`reach`), so
that what comes out is what the whole picture at once would give, to the rounding of its sums: no seams, and
memory for one tile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from isthmus.networks import Network

__all__ = ["Place", "filtered", "tiles"]

TILE = 256  # pixels a side

Array = NDArray[np.float32]


class Place(NamedTuple):
    """A tile: what is read of a picture, what is kept, and where the kept lies in what was read."""

    read: tuple[slice, slice]
    kept: tuple[slice, slice]
    inner: tuple[slice, slice]


def tiles(height: int, width: int, margin: int, side: int = TILE) -> Iterator[Place]:
    """Tiles of `side` pixels that cover a picture, each read with a margin."""
    for top in range(0, height, side):
        for left in range(0, width, side):
            rows, columns = _span(top, side, height, margin), _span(left, side, width, margin)
            yield Place((rows[0], columns[0]), (rows[1], columns[1]), (rows[2], columns[2]))


def filtered(
    network: Network,
    picture: Array,
    level: Any = None,
    side: int = TILE,
    each: Callable[[int], Any] | None = None,
) -> Array:
    """What a network of planes (`ResidualConvNet`) makes of one picture (h, w, c): (h, w, c).

    level: the standard deviation of the noise, a number or (h, w); estimated where None. each: told, after
    every tile, how many pixels it had.
    """
    height, width, channels = picture.shape
    encoder: Any = network.encoder
    device = network.memory.device
    told = None
    if level is not None:
        told = torch.as_tensor(level, dtype=torch.float32).reshape(1, *np.shape(level) or (1, 1))
    network.eval()
    with torch.no_grad():
        planes = encoder.planes(torch.from_numpy(picture)[None], told)
        out = np.empty((*planes.shape[1:3], channels), np.float32)
        step = encoder.shuffle
        margin = encoder.reach // step * step  # what reaches further lies in the same exchanged block
        for place in tiles(out.shape[0], out.shape[1], margin, max(step, side // step * step)):
            made = network.reconstruct(planes[:, place.read[0], place.read[1]].to(device))
            out[place.kept] = made[0][place.inner].cpu().numpy()
            if each is not None:
                each(out[place.kept][..., 0].size)
    return out[:height, :width]


def _span(start: int, side: int, size: int, margin: int) -> tuple[slice, slice, slice]:
    """Along one axis: what is read, what is kept, and where that lies in what is read."""
    stop = min(start + side, size)
    first, last = max(0, start - margin), min(size, stop + margin)
    return slice(first, last), slice(start, stop), slice(start - first, stop - first)
