"""Drawing: completed tables that differ as the truth might.

The joint distribution of the missing cells of a row is the product of that of the first given what is seen,
that of the second given the first as well, and so on; a model trained to fill any gaps knows each of them.
So a draw goes through the columns in random order, draws each missing cell around its fill, and takes it for
observed from there on: what is drawn into a row belongs together. A number is its fill plus the error of some
hidden cell, scaled to the spread of this one; a category is drawn by its probabilities. What of the mean
there is in a fill, which makes it nearer on average, is left out of draws: they would lean towards the rows
that are complete, and an estimate with them.

Draws must also differ as the model might. Folds that leave out a share 1/K of the rows each vary K - 1 times
less than models of other data would; so every draw has the mean of all folds plus each fold's difference from
it, times a normal number of its own, which sums up to that variance (as in a delete-a-group jackknife: Kott
2001). It takes its errors from a bootstrap sample of them (Rubin & Schenker 1986).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.imputation.blend import Blend
from isthmus.imputation.cells import Cells
from isthmus.imputation.folds import Fold, Guesses
from isthmus.imputation.spread import Spread, encoded_column, own_column

__all__ = ["Knowledge", "drawn"]

BLOCK = 20_000  # rows times draws at a time

Array = NDArray[Any]


class Knowledge(NamedTuple):
    """What an imputer has learned: folds, cells, the mean in own units (d,), and by column the blends, the
    spreads around them, and the spreads around the unshrunk ones of draws.
    """

    folds: list[Fold]
    cells: Cells
    mean: Array
    blends: list[Blend]
    spreads: list[Spread | None]
    drawn_spreads: list[Spread | None]

    def blended(self, guesses: Guesses, unshrunk: bool = False) -> Array:
        """Fills in own units (n, d)."""
        found = np.empty_like(guesses.gaussian)
        for span, blend in zip(self.cells.spans, self.blends, strict=True):
            blend = blend.unshrunk if unshrunk else blend
            found[:, span] = blend(self.mean[span], guesses.gaussian[:, span], guesses.model[:, span])
        return found

    def filled(self, x: Array, observed: Array) -> tuple[Array, Array]:
        """The mean over all folds of fills in own units, and of the Gaussian's variance: (n, d) each."""
        each = [fold.guesses(self.cells, x, observed) for fold in self.folds]
        return self.blended(Guesses(*(np.mean(some, axis=0) for some in zip(*each, strict=True)))), np.mean(
            [guesses.variance for guesses in each], axis=0
        )


def drawn(
    known: Knowledge, x: Array, observed: Array, gaps: Array, count: int, rng: Any, rounded: bool
) -> Array:
    """`count` draws of encoded rows x (n, d), with values in own units wherever `gaps` (n, cells) are:
    (count, n, d).
    """
    found = np.repeat(known.cells.own(x)[None], count, axis=0)
    some = _Draw(known, count, rng, rounded)
    size = max(1, BLOCK // count)
    for start in range(0, len(x), size):
        rows = slice(start, start + size)
        found[:, rows] = some(x[rows], observed[rows], gaps[rows])
    return found


class _Draw:
    """Several draws at once; each keeps its model and its errors over all rows."""

    def __init__(self, known: Knowledge, copies: int, rng: Any, rounded: bool) -> None:
        self.known, self.copies, self.rng, self.rounded = known, copies, rng, rounded
        self.weights = rng.normal(size=(copies, len(known.folds)))
        self.pools: list[Any] = [
            None
            if s is None
            else rng.choice(s.scores if len(s.scores) else np.zeros(1), (copies, max(1, len(s.scores))))
            for s in known.drawn_spreads
        ]

    def __call__(self, x: Array, observed: Array, gaps: Array) -> Array:
        """(copies, n, d) in own units."""
        cells, copies = self.known.cells, self.copies
        x, observed, gaps = (np.tile(some, (copies, 1)) for some in (x, observed, gaps))
        copy = np.repeat(np.arange(copies), len(x) // copies)
        own = cells.own(x)
        for j in self.rng.permutation(np.flatnonzero(gaps.any(0))):
            rows, span = np.flatnonzero(gaps[:, j]), cells.spans[j]
            guess, variance = self._guess(j, x[rows], observed[rows], copy[rows])
            if cells.kinds[j] == "numeric":
                made = self._number(j, guess[:, 0], variance, copy[rows])[:, None]
                x[rows, span] = encoded_column(cells, j, made[:, 0])[:, None]
            else:
                x[rows, span] = made = self._levels(j, guess)
            own[rows, span], observed[rows, j] = made, True
        return np.asarray(own.reshape(copies, -1, x.shape[1]))

    def _guess(self, j: int, x: Array, observed: Array, copy: Array) -> tuple[Array, Array]:
        """What each draw's model makes of cell j, (n, width), and the Gaussian's variance of it, (n,)."""
        known, span = self.known, self.known.cells.spans[j]
        each = [fold.guesses(known.cells, x, observed) for fold in known.folds]
        guesses = np.stack([known.blended(some, unshrunk=True)[:, span] for some in each])
        mean = guesses.mean(0)
        shifts = np.einsum("kn,knw->nw", self.weights[copy].T, guesses - mean)
        return mean + shifts, np.mean([some.variance[:, span.start] for some in each], axis=0)

    def _number(self, j: int, guess: Array, variance: Array, copy: Array) -> Array:
        """Each guess (n,) and the scaled error of a hidden cell."""
        spread, cells = self.known.drawn_spreads[j], self.known.cells
        assert spread is not None
        pools = self.pools[j]
        errors = pools[copy, self.rng.integers(pools.shape[1], size=len(copy))]
        values = encoded_column(cells, j, guess) + spread.deviation(variance) * errors
        return cells.habitual(own_column(cells, j, values), cells.place_of[j], self.rounded, drawn=True)

    def _levels(self, j: int, guess: Array) -> Array:
        """Yes/no or a level by its probability, as features (n, width)."""
        u = self.rng.random((len(guess), 1))
        if self.known.cells.kinds[j] == "binary":
            return np.where(u < np.clip((guess + 1) / 2, 0, 1), 1.0, -1.0)
        p = np.cumsum(np.clip(guess, 1e-9, None) * self.known.cells.nameable(j), axis=1)
        level = (u * p[:, -1:] >= p[:, :-1]).sum(1)
        return np.asarray(np.eye(guess.shape[1])[level])
