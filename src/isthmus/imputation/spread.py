"""Spread: how far from a fill the truth may lie, in a column of numbers.

On hidden cells the signed error, over the standard deviation the Gaussian gives that very cell, is a score.
Quantiles of the scores, times the deviation of the cell at hand, are the ends of its interval: it holds the
truth with the probability it claims, on average over cells like the hidden ones, whatever the distribution
(split conformal prediction: Vovk et al. 2005; locally scaled: Lei et al. 2018), and is narrow where the rest
of the row says much.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.imputation.blend import Blend
from isthmus.imputation.cells import Cells
from isthmus.imputation.folds import Hidden

__all__ = ["Spread", "spread_of"]

FEWEST = 19  # scores for an interval at 90%
KEPT = 4_000  # scores of a column at most

Array = NDArray[np.float64]


class Spread(NamedTuple):
    """Of the scores of a column, in order (c,); the column's variance in encoded units, the weight of what is
    not the mean in its fill; and the share of hidden cells inside intervals at 90% made of the others.
    """

    scores: Array
    variance: float
    weight: float
    coverage: float = float("nan")

    def deviation(self, variance: Array) -> Array:
        """Standard deviations (n,) of cells whose variance under the Gaussian is `variance` (n,)."""
        return np.asarray(
            np.sqrt(np.maximum((1 - self.weight) * self.variance + self.weight * variance, 1e-12))
        )

    def ends(self, alpha: float) -> tuple[float, float]:
        """Scores that hold a new one with probability 1 - alpha; infinite where there are too few."""
        n = len(self.scores)
        low, high = int(np.floor((n + 1) * alpha / 2)), int(np.ceil((n + 1) * (1 - alpha / 2)))
        if low < 1 or high > n:
            return -np.inf, np.inf
        return float(self.scores[low - 1]), float(self.scores[high - 1])


def spread_of(cells: Cells, j: int, hidden: Hidden, blend: Blend, mean: Array, variance: float) -> Spread:
    """The spread of column j from its hidden cells."""
    rough = Spread(np.empty(0), variance, blend.weight)
    if not len(hidden.rows):
        return rough
    guess = blend(mean, hidden.gaussian, hidden.model)[:, 0]
    wrong = encoded_column(cells, j, hidden.truth[:, 0]) - encoded_column(cells, j, guess)
    scores = wrong / rough.deviation(hidden.variance[:, 0])
    half = np.unique(hidden.rows, return_inverse=True)[1] % 2 == 0
    enough = min(half.sum(), (~half).sum()) >= FEWEST
    inside = [_inside(scores[one], scores[other]) for one, other in ((half, ~half), (~half, half))]
    kept = np.sort(scores)
    if len(kept) > KEPT:
        kept = np.quantile(kept, np.linspace(0, 1, KEPT))
    return rough._replace(
        scores=kept, coverage=float(np.concatenate(inside).mean()) if enough else float("nan")
    )


def _inside(scores: Array, others: Array) -> NDArray[Any]:
    low, high = Spread(np.sort(scores), 1.0, 0.0).ends(0.1)
    return np.asarray((others >= low) & (others <= high))


def encoded_column(cells: Cells, j: int, own: Array) -> Array:
    """Values (n,) of the j-th cell, a number, in encoded units."""
    whole = np.zeros((len(own), len(cells.numeric)))
    whole[:, cells.place_of[j]] = own
    return np.asarray(cells.scales.encode(whole)[:, cells.place_of[j]])


def own_column(cells: Cells, j: int, encoded: Array) -> Array:
    """The inverse."""
    whole = np.zeros((len(encoded), len(cells.numeric)))
    whole[:, cells.place_of[j]] = encoded
    return np.asarray(cells.scales.decode(whole)[:, cells.place_of[j]])
