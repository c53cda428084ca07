"""How far off a fill may be: what the model's errors on held-out pictures say.

A mean over everything plausible is the best single fill and looks like none of it. The errors on other
pictures with the very same hole, added to it, do: they have the size and the shape of what was missed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from isthmus.holes import HoleMask

__all__ = ["MOST", "Errors", "carried", "peeled"]

Filler = Callable[[NDArray[Any], NDArray[np.bool_]], NDArray[np.float32]]
MOST = 200  # held-out pictures kept
NEAREST = 40  # held-out pictures like the one that is filled
DISTANCES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)  # pixels from what is known: upper ends
GRAIN = 1.0  # pixels: how smooth the errors of photographs are


class Errors(NamedTuple):
    """What was seen on held-out pictures.

    pictures (m, d): encoded. far (len(DISTANCES),): root mean squared errors by the distance from what is
    known. level: the same of all hidden pixels.
    """

    pictures: NDArray[np.float32]
    far: NDArray[np.float64]
    level: float

    @classmethod
    def learned(
        cls, x: NDArray[np.float32], shape: tuple[int, ...], holes: HoleMask, filled: Filler, seed: int
    ) -> Self:
        """From clean rows x (n, d) of pictures of this shape, with holes drawn anew."""
        hidden = holes.arrays(len(x), (shape[0], shape[1]), seed)
        errors = np.square(filled(x, hidden.reshape(len(x), -1)) - x).reshape(len(x), shape[0], shape[1], -1)
        errors = errors.mean(axis=3)
        away = np.stack([distance_transform_edt(one) for one in hidden])
        bins = np.searchsorted(DISTANCES, away[hidden]).clip(max=len(DISTANCES) - 1)
        sums = np.bincount(bins, errors[hidden], len(DISTANCES))
        counts = np.bincount(bins, minlength=len(DISTANCES))
        far = np.sqrt(np.maximum.accumulate(np.where(counts > 0, sums / np.maximum(counts, 1), 0)))
        return cls(x.astype(np.float16).astype(np.float32), far, float(np.sqrt(errors[hidden].mean())))

    @property
    def sentence(self) -> str:
        """What to expect of a fill."""
        decibels = math.inf if self.level == 0 else -20 * math.log10(self.level)
        return f"In holes of held-out pictures the PSNR is {decibels:.1f} dB."

    def around(
        self,
        x: NDArray[Any],
        hole: NDArray[np.bool_],
        draws: int,
        filled: Filler | None,
        rng: np.random.Generator,
    ) -> tuple[list[NDArray[Any]], NDArray[np.float64]]:
        """Plausible changes (h, w, c) of the filled picture x (h, w, c), and their spread (h, w)."""
        if filled is not None and self.pictures.shape[1] == x.size and hole.any():
            return self._of_others(x, hole, draws, filled, rng)
        away = distance_transform_edt(hole)
        spread = np.where(hole, np.interp(away, DISTANCES, self.far), 0.0)
        fields = [gaussian_filter(rng.normal(size=hole.shape), GRAIN) for _ in range(draws)]
        sigma = 1 / (2 * math.sqrt(math.pi) * GRAIN)  # of white noise so blurred
        return [(spread * field / sigma)[..., None] for field in fields], spread

    def _of_others(
        self,
        x: NDArray[Any],
        hole: NDArray[np.bool_],
        draws: int,
        filled: Filler,
        rng: np.random.Generator,
    ) -> tuple[list[NDArray[Any]], NDArray[np.float64]]:
        known = np.repeat(~hole.reshape(-1), x.shape[2])
        distance = np.square(self.pictures[:, known] - x.reshape(-1)[known]).sum(axis=1)
        like = self.pictures[np.argsort(distance)[:NEAREST]]
        errors = like - filled(like, np.repeat(hole.reshape(1, -1), len(like), axis=0))
        errors = errors.reshape(-1, *x.shape)
        chosen = rng.choice(len(errors), size=draws, replace=draws > len(errors))
        return list(errors[chosen]), np.sqrt(np.square(errors).mean(axis=(0, 3)))


def peeled(hole: NDArray[np.bool_], rounds: int) -> Iterator[NDArray[np.bool_]]:
    """The hole, then what is left of it as it is closed from its edge inward: `rounds` holes."""
    away = distance_transform_edt(hole)
    for number in range(rounds):
        left = away > away.max() * number / rounds
        if left.any():
            yield left


def carried(wanted: NDArray[np.bool_], margin: int) -> slice:
    """From the first to the last True along one axis, with a margin."""
    places = np.flatnonzero(wanted)
    return slice(max(0, int(places[0]) - margin), min(len(wanted), int(places[-1]) + 1 + margin))
