"""Where a picture is unknown: told by a mask, by NaN, or by a colour painted over it.

>>> hidden_in(np.array([[0.5, np.nan]])), hidden_in(np.uint8([[7, 9]]), colour=9, tolerance=1)
(array([[False,  True]]), array([[False,  True]]))
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import must, need

__all__ = ["hidden_in"]


def hidden_in(
    picture: NDArray[Any], mask: Any = None, colour: Any = None, tolerance: float = 0.0
) -> NDArray[np.bool_]:
    """The hole (h, w) of a picture (h, w) or (h, w, c): True where it is to be filled.

    mask: (h, w), or (h, w, c), booleans or numbers that are not 0 in the hole. colour: one number, or one for
    each channel, in the picture's units; pixels whose channels are all within `tolerance` of it are hidden.
    Pixels with NaN always are. Raises DataError for a mask of another size, a colour of other channels, and
    where nothing is left to fill from.
    """
    size = picture.shape[:2]
    planes = picture.reshape(*size, -1)
    hole: NDArray[np.bool_] = np.zeros(size, bool)
    if picture.dtype.kind == "f":
        hole |= np.isnan(planes).any(2)
    if mask is not None:
        hole |= _masked(np.asarray(mask), size)
    if colour is not None:
        hole |= _painted(planes, colour, tolerance)
    rule = "leave some pixels known"
    need(not hole.all(), "the mask", rule, f"{size[0]} x {size[1]} hidden ones", "Check its colours")
    return hole


def _masked(mask: NDArray[Any], size: tuple[int, ...]) -> NDArray[np.bool_]:
    fits = mask.shape[:2] == size and mask.ndim in (2, 3) and mask.dtype.kind in "buif"
    need(fits, "the mask", f"be {size[0]} x {size[1]} as the picture", mask.shape, "Make it of that size")
    hidden: NDArray[np.bool_] = np.any(mask.reshape(*size, -1) != 0, axis=2)
    return hidden


def _painted(planes: NDArray[Any], colour: Any, tolerance: float) -> NDArray[np.bool_]:
    wanted = np.atleast_1d(np.asarray(colour, np.float64))
    channels = planes.shape[2]
    need(tolerance >= 0, "tolerance", "be at least 0", tolerance, "Use tolerance=0")
    if len(wanted) == 3 and channels == 1 and (wanted == wanted[0]).all():
        wanted = wanted[:1]
    if len(wanted) == 1 and channels == 3:
        wanted = np.repeat(wanted, 3)
    if wanted.shape != (channels,):
        do = "Use a shade of grey" if channels == 1 else "Use colour=(255, 0, 255)"
        raise must("colour", f"have {channels} numbers, as a pixel has", colour, do)
    near: NDArray[np.bool_] = np.all(np.abs(planes - wanted) <= tolerance, axis=2)
    return near
