"""Patches: what a convolutional denoiser learns photographs from.

Filters see a few dozen pixels to either side, so that patches teach them what whole pictures would, and
pictures of all sizes, turned and mirrored, fill batches of one shape.

>>> rng = np.random.default_rng(0)
>>> grey, coloured = (rng.integers(256, size=size, dtype=np.uint8) for size in [(80, 100), (70, 90, 3)])
>>> patches([grey, coloured], 5, 64, rng).shape
(5, 64, 64, 3)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import DataError, brief, must, need
from isthmus.inputs import Pictures, value_range
from isthmus.inputs.folders import is_path
from isthmus.inputs.photographs import read_photograph

__all__ = ["Album", "as_planes", "ends", "grey_of", "patches", "unit"]

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601

Array = NDArray[np.float32]


class Album(Sequence[NDArray[Any]]):
    """Pictures (h, w[, 3]) of any sizes: arrays in memory, or the files of a folder, read when asked for.

    sizes: (h, w) of each. coloured: whether any has three channels. skipped: a sentence on files left out.
    """

    def __init__(self, X: Any) -> None:
        self.skipped: tuple[str, ...] = ()
        if is_path(X) or isinstance(X, Pictures):
            folder = X if isinstance(X, Pictures) else Pictures(X)
            heads = [(name, folder.headers[name]) for name in folder.counts]
            self.sizes, self.coloured = (
                [head.size for _, head in heads],
                any(head.colour for _, head in heads),
            )
            self._read: list[Callable[[], Any]] = [_reader(folder.path / name) for name, _ in heads]
            self.skipped = folder.about_skipped()
            return
        pictures = [_checked(picture) for picture in X]
        need(
            len(pictures) > 0, "X", "have at least one picture", "none", "Pass pictures, or a folder of them"
        )
        self.sizes = [picture.shape[:2] for picture in pictures]
        self.coloured = any(picture.ndim == 3 for picture in pictures)
        self._read = [lambda picture=picture: picture for picture in pictures]  # type: ignore[misc]

    def __len__(self) -> int:
        return len(self._read)

    def __getitem__(self, which: Any) -> Any:
        """One picture."""
        return self._read[which]()


def patches(
    pictures: Sequence[NDArray[Any]], count: int, side: int, rng: np.random.Generator, *others: Sequence[Any]
) -> Any:
    """Squares (count, side, side[, 3]) in [0, 1] from random places of pictures (h, w[, 3]).

    They are turned and mirrored at random. If any picture is coloured all patches have three channels, and
    every second one is grey in all three. A picture is drawn as often as its sides are long, so that a few
    large ones do not drown the others. others: more pictures of the same scenes; their patches, from the same
    places, come beside the first in a list.
    """
    albums = [one if isinstance(one, Album) else Album(one) for one in (pictures, *others)]
    _check_alike(albums)
    coloured, sizes = any(album.coloured for album in albums), albums[0].sizes
    weights = np.sqrt([height * width for height, width in sizes])
    drawn = np.sort(rng.choice(len(sizes), size=count, p=weights / weights.sum()))
    order, shape = rng.permutation(count), (count, side, side, 3) if coloured else (count, side, side)
    made = [np.empty(shape, np.float32) for _ in albums]
    for which in np.unique(drawn):
        opened = [unit(_large_enough(album[int(which)], side)) for album in albums]
        for number in order[drawn == which]:
            cut = _cut(opened[0].shape[:2], side, rng)
            for store, picture in zip(made, opened, strict=True):
                store[number] = _channels(cut(picture), coloured, grey=bool(number % 2))
    return made if others else made[0]


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


def ends(picture: NDArray[Any]) -> tuple[float, float]:
    """Black and white: of unsigned numbers those of their dtype, of others 0 and 1, or 0 and 255, where all
    lie there but for some noise, and else as `Images` reads them.
    """
    if picture.dtype.kind == "u":
        return 0.0, float(np.iinfo(picture.dtype).max)
    low, high = (float(end) for end in (picture.min(), picture.max()))
    for top in (1.0, 255.0):
        if -top / 2 <= low <= high <= 1.5 * top and picture.dtype.kind == "f":
            return 0.0, top
    return value_range(picture)


def unit(picture: NDArray[Any]) -> Array:
    """Pixels with black at 0 and white at 1."""
    low, high = ends(picture)
    return ((picture - np.float32(low)) / np.float32(high - low)).astype(np.float32)


def _channels(patch: Array, coloured: bool, grey: bool) -> Array:
    if not coloured:
        return patch
    return as_planes(grey_of(patch) if grey else patch, 3)


def _large_enough(picture: NDArray[Any], side: int) -> NDArray[Any]:
    """A picture that is too small is mirrored at its edges."""
    short = [max(0, side - size) for size in picture.shape[:2]]
    if not any(short):
        return picture
    return np.pad(picture, [(0, short[0]), (0, short[1]), (0, 0)][: picture.ndim], mode="symmetric")


def _cut(
    size: tuple[int, ...], side: int, rng: np.random.Generator
) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """The same square of any picture of this size, turned and mirrored the same way."""
    top, left = (int(rng.integers(whole - side + 1)) for whole in size)
    turns, mirrored = int(rng.integers(4)), rng.random() < 0.5

    def cut(picture: NDArray[Any]) -> NDArray[Any]:
        turned = np.rot90(picture[top : top + side, left : left + side], turns)
        return turned[:, ::-1] if mirrored else turned

    return cut


def _reader(path: Path) -> Callable[[], NDArray[Any]]:
    return lambda: read_photograph(path).pixels


def _checked(picture: Any) -> NDArray[Any]:
    array = np.asarray(picture)
    good = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3))
    if not (good and array.size and array.dtype.kind in "uif"):
        got = f"an array of shape {array.shape} and type {array.dtype}"
        raise must("a picture", "be numbers (h, w) or (h, w, 3)", got, "Use one of these shapes")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(f"a picture must be finite; got {brief(array[~np.isfinite(array)][0])}. Mend it.")
    return array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array


def _check_alike(albums: Sequence[Album]) -> None:
    for album in albums[1:]:
        alike = [tuple(size) for size in album.sizes] == [tuple(size) for size in albums[0].sizes]
        need(alike, "X and y", "be pictures of the same scenes and sizes", "others", "Give both in one order")
