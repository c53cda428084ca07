"""Blends: for every column whether to fill it with more than the mean, and with how much of what.

    guess = mean + a (gaussian - mean) + b (network - mean),      a, b >= 0, a + b <= 1

Whether the best a and b of a grid are better on hidden cells than the mean is tested column by column, and of
all columns together those are taken that pass by Benjamini and Hochberg's procedure: where nothing depends on
anything all keep the mean, nine tables of ten and more, and where most columns can be told from the others,
one with less evidence is believed, too. A fill does no harm then where columns have nothing to do with each
other, which is where an unguarded network is worst.

Among those with a + b = 1, which do not lean towards the mean, the best is taken, unless leaning is better by
more than one standard error: what is missing for being large is farther from the mean than what is seen.

Benjamini & Hochberg (1995), Controlling the false discovery rate, J. Royal Statistical Society B 57.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from isthmus.discoveries import discoveries
from isthmus.imputation.folds import Hidden
from isthmus.parts import Record

__all__ = ["Blend", "blends_of"]

STEPS = 10  # the grid's, from 0 to 1
GRID = np.array([(a, b) for a in range(STEPS + 1) for b in range(STEPS + 1 - a)], dtype=float) / STEPS
UPRIGHT = GRID.sum(1) > 1 - 0.5 / STEPS  # those that do not lean towards the mean
FALSE = 0.1  # share of columns at most, on average, that are taken though the mean is as good
FEWEST = 8  # rows with hidden cells below which nothing is judged

Array = NDArray[np.float64]


class Blend(Record):
    """Weights of Gaussian and network, and the errors on hidden cells of the blend and of the mean.

    Both are 0 for a column that is filled with the mean. Errors are root mean squares in own units for
    numbers, shares that are wrong for yes/no and levels.
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

    def told(self, hidden: Hidden, mean: Array, named: Array | None) -> Blend:
        """The same with its errors on other hidden cells, where they are enough."""
        if len(np.unique(hidden.rows)) < FEWEST:
            return self
        errors = (
            _error(hidden.truth, blend(mean, hidden.gaussian, hidden.model), named)
            for blend in (self, Blend())
        )
        return Blend(self.gaussian, self.network, len(hidden.rows), *errors)

    def __call__(self, mean: Array, gaussian: Array, network: Array) -> Array:
        """The blended guess (n, width)."""
        return mean + self.gaussian * (gaussian - mean) + self.network * (network - mean)


class _Judged(NamedTuple):
    """The best blend of a column, and the probability of a gain like its own where the mean is as good; NaN
    where there are too few cells to judge.
    """

    blend: Blend
    p: float


def blends_of(
    hidden: Sequence[Hidden], means: Sequence[Array], named: Sequence[Array | None], spared: Sequence[float]
) -> list[Blend]:
    """The blend for every column, from its hidden cells and its mean or frequencies, (width,).

    named: None for numbers, else 1 for what a cell can be filled with and 0 for the place of rare levels.

    The hidden cells were filled by one network each; `spared` is the squared error that goes when the mean of
    all fills instead.
    """
    judged = [_judged(*some) for some in zip(hidden, means, named, spared, strict=True)]
    p = np.array([one.p for one in judged])
    better = np.zeros(len(p), np.bool_)
    better[~np.isnan(p)] = discoveries(p[~np.isnan(p)], FALSE)
    return [
        one.blend if good else Blend(0.0, 0.0, one.blend.cells, *(one.blend.error_of_mean,) * 2)
        for one, good in zip(judged, better, strict=True)
    ]


def _judged(hidden: Hidden, mean: Array, named: Array | None, spared: float) -> _Judged:
    count = len(np.unique(hidden.rows))
    if count < FEWEST:
        return _Judged(Blend(cells=len(hidden.rows)), float("nan"))
    t, g, h = hidden.truth - mean, hidden.gaussian - mean, hidden.model - mean
    scale = max(float(np.square(t).sum(1).mean()), 1e-300)
    tg, th, gg, gh, hh = (
        (one * other).sum(1) / scale for one, other in ((t, g), (t, h), (g, g), (g, h), (h, h))
    )
    a, b = GRID[:, :1], GRID[:, 1:]
    gains = 2 * a * tg + 2 * b * th - a**2 * gg - 2 * a * b * gh - b**2 * hh + b**2 * spared / scale
    gain = gains.mean(1)
    best, upright = int(gain.argmax()), int(np.where(UPRIGHT, gain, -np.inf).argmax())
    error, lost = (float(some.std()) / np.sqrt(count) for some in (gains[best], gains[best] - gains[upright]))
    taken = upright if gain[best] - gain[upright] <= lost else best
    one = Blend(float(GRID[taken, 0]), float(GRID[taken, 1]), len(hidden.rows))
    wrong, mean_wrong = (
        _error(hidden.truth, blend(mean, hidden.gaussian, hidden.model), named) for blend in (one, Blend())
    )
    found = Blend(one.gaussian, one.network, one.cells, wrong, mean_wrong)
    return _Judged(
        found,
        1.0 if named is not None and wrong > mean_wrong else float(norm.sf(gain[best] / max(error, 1e-12))),
    )


def _error(truth: Array, guess: Array, named: Array | None) -> float:
    guess = np.broadcast_to(guess, truth.shape)
    if named is None:
        return float(np.sqrt(np.square(truth - guess).mean()))
    if truth.shape[1] == 1:
        return float(np.mean((truth > 0) != (guess > 0)))
    return float(np.mean(truth.argmax(1) != np.where(named, guess, -np.inf).argmax(1)))
