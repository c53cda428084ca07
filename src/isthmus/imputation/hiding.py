"""Hiding: which known cells are asked for, to judge fills, and what else is out of sight meanwhile.

Two ways. To choose what fills are made of, every known cell is asked for beside others, as nobody knows what
new rows will lack. To tell how wrong fills are, a cell of a column with gaps is hidden together with what was
missing in some row where that column was, as far as those cells are missing more often with the column than
without: gaps that come together are judged together, gaps that come alone beside all the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["GROUPS", "AsTheyCome", "Hiding", "beside_others"]

GROUPS = 8  # parts in which cells are hidden beside others
GAPS = 0.2  # share of cells missing meanwhile, at least
ENOUGH = 5  # gaps of a column that show how they come
MOST = 48  # columns asked for as their gaps come
ROWS = (60, 250)  # rows of a fold on which they are judged: at least, at most
TOGETHER = 2_000  # of them times columns

Mask = NDArray[np.bool_]
Hiding = Callable[[Mask, np.random.Generator], Iterator[tuple[Mask, Mask]]]


def beside_others(known: Mask, rng: np.random.Generator) -> Iterator[tuple[Mask, Mask]]:
    """For rows of which `known` (n, cells) is known: what is asked for, and what is shown meanwhile."""
    groups = min(GROUPS, known.shape[1])
    group = rng.permuted(np.tile(np.arange(known.shape[1]) % groups, (len(known), 1)), axis=1)
    also = rng.random(known.shape) < max(0.0, GAPS - (~known).mean())
    for number in range(groups):
        asked = known & (group == number)
        yield asked, known & ~asked & ~also


class AsTheyCome:
    """The same for the columns with most gaps alone, by how gaps come in what is `observed` (n, cells).

    A row's gaps beside the one that is asked for are thinned to what is missing more often with it.
    """

    def __init__(self, observed: Mask) -> None:
        self.missing = ~observed
        count = self.missing.sum(0)
        known = np.flatnonzero((count >= ENOUGH) & (count < len(observed)))
        self.columns = np.sort(known[np.argsort(-count[known], kind="stable")[:MOST]])
        gone = self.missing[:, self.columns]
        pairs = gone.T.astype(np.float32) @ self.missing.astype(np.float32)
        together = pairs / count[self.columns][:, None]
        usual = (count - pairs) / (len(observed) - count[self.columns])[:, None]
        more = np.clip(together - usual, 0, None) / np.maximum(1 - usual, 1e-9)
        self.kept = more / np.maximum(together, 1e-9)  # of what is missing beside each of the columns

    @property
    def rows_enough(self) -> int:
        """Rows of a fold to hide cells of, column by column."""
        return max(ROWS[0], min(ROWS[1], TOGETHER // max(1, len(self.columns))))

    def __call__(self, known: Mask, rng: np.random.Generator) -> Iterator[tuple[Mask, Mask]]:
        """Column by column."""
        for j, kept in zip(self.columns, self.kept, strict=True):
            asked = np.zeros_like(known)
            asked[:, j] = known[:, j]
            beside = self.missing[rng.choice(np.flatnonzero(self.missing[:, j]), len(known))]
            yield asked, known & ~asked & ~(beside & (rng.random(known.shape) < kept))
