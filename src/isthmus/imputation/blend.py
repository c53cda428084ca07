"""Blend: for every column, how much of the Gaussian and of the network to add to the mean, and whether.

    guess = mean + a (gaussian - mean) + b (network - mean),      a, b >= 0, a + b <= 1

a and b are those of a grid with the least squared error on hidden cells, plus one standard error of what is
gained over the mean; and they are taken only if the gain is two standard errors or more. Otherwise a = b = 0,
the mean or the most frequent level: a fill does no harm where columns have nothing to do with each other,
which is where an unguarded network is worst.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isthmus.imputation.folds import Hidden
from isthmus.parts import Record

__all__ = ["Blend", "blend_of"]

STEPS = 10  # the grid's, from 0 to 1
GRID = np.array([(a, b) for a in range(STEPS + 1) for b in range(STEPS + 1 - a)], dtype=float) / STEPS
SURE = 2.0  # standard errors a gain over the mean must have
FEWEST = 8  # hidden cells below which nothing is judged

Array = NDArray[np.float64]


class Blend(Record):
    """Weights of Gaussian and network, and the errors on hidden cells of the blend and of the mean.

    Errors are root mean squares in own units for numbers, shares that are wrong for yes/no and levels.
    """

    gaussian: float = 0.0
    network: float = 0.0
    cells: int = 0
    error: float = float("nan")
    error_of_mean: float = float("nan")

    @property
    def weight(self) -> float:
        """What is not the mean's."""
        return self.gaussian + self.network

    @property
    def unshrunk(self) -> Blend:
        """The same without the mean, where anything else is in it: draws must not lean towards it."""
        whole = self.weight if self.weight > 0 else 1.0
        return Blend(self.gaussian / whole, self.network / whole)

    def __call__(self, mean: Array, gaussian: Array, network: Array) -> Array:
        """The blended guess (n, width)."""
        return mean + self.gaussian * (gaussian - mean) + self.network * (network - mean)


def blend_of(hidden: Hidden, mean: Array, numeric: bool, spared: float = 0.0) -> Blend:
    """The blend for a column with these hidden cells, `mean` (width,) being its mean or frequencies.

    The hidden cells were filled by one network each; `spared` is the squared error that goes when the mean of
    all fills instead.
    """
    count = len(np.unique(hidden.rows))
    if count < FEWEST:
        return Blend(cells=len(hidden.rows))
    t, g, h = hidden.truth - mean, hidden.gaussian - mean, hidden.model - mean
    scale = max(float(np.square(t).sum(1).mean()), 1e-300)
    products = ((t * g), (t * h), (g * g), (g * h), (h * h))
    tg, th, gg, gh, hh = (product.sum(1) / scale for product in products)
    a, b = GRID[:, :1], GRID[:, 1:]
    gains = a**2 * gg + 2 * a * b * gh + b**2 * hh - 2 * a * tg - 2 * b * th
    gain = gains.mean(1) - (GRID[:, 1] ** 2) * spared / scale
    error = gains.std(1) / np.sqrt(count)
    best = int((gain + error).argmin())
    pair = GRID[best] if gain[best] + SURE * error[best] < 0 else GRID[0]
    one, other = float(pair[0]), float(pair[1])
    found = Blend(one, other, len(hidden.rows))
    errors = [
        _error(hidden.truth, blend(mean, hidden.gaussian, hidden.model), numeric)
        for blend in (found, Blend())
    ]
    if not numeric and errors[0] > errors[1]:
        return Blend(0.0, 0.0, len(hidden.rows), errors[1], errors[1])
    return Blend(one, other, len(hidden.rows), *errors)


def _error(truth: Array, guess: Array, numeric: bool) -> float:
    guess = np.broadcast_to(guess, truth.shape)
    if numeric:
        return float(np.sqrt(np.square(truth - guess).mean()))
    if truth.shape[1] == 1:
        return float(np.mean((truth > 0) != (guess > 0)))
    return float(np.mean(truth.argmax(1) != guess.argmax(1)))
