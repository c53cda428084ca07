"""Hiding: which known cells are asked for, to judge fills, and what else is out of sight meanwhile.

Two ways. To choose what fills are made of, every known cell is asked for beside others, as nobody knows what
new rows will lack. To tell how wrong fills are, a cell of a column with gaps is hidden together with what was
missing in some row where that column was, as far as those cells are missing more often with the column than
without: gaps that come together are judged together, gaps that come alone beside all the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["GROUPS", "AsTheyCome", "Hiding", "beside_others"]

GROUPS = 8  # parts in which cells are hidden beside others
GAPS = 0.2  # share of cells missing meanwhile, at least
ENOUGH = 5  # gaps of a column that show how they come
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
    """The same for the columns with gaps alone, by how gaps come in what is `observed` (n, cells)."""

    def __init__(self, observed: Mask) -> None:
        self.missing = ~observed
        count = self.missing.sum(0)
        self.columns = np.flatnonzero((count >= ENOUGH) & (count < len(observed)))

    @property
    def rows_enough(self) -> int:
        """Rows of a fold to hide cells of, column by column."""
        return max(ROWS[0], min(ROWS[1], TOGETHER // max(1, len(self.columns))))

    def __call__(self, known: Mask, rng: np.random.Generator) -> Iterator[tuple[Mask, Mask]]:
        """Column by column."""
        for j in self.columns:
            asked = np.zeros_like(known)
            asked[:, j] = known[:, j]
            yield asked, known & ~asked & ~self._beside(j, len(known), rng)

    def _beside(self, j: Any, n: int, rng: np.random.Generator) -> Mask:
        """What is hidden with column j in n rows: a row's gaps beside its own, thinned to what is more than
        usual: (n, cells).
        """
        gone = self.missing[:, j]
        together, usual = self.missing[gone].mean(0), self.missing[~gone].mean(0)
        more = np.clip(together - usual, 0, None) / np.maximum(1 - usual, 1e-9)
        rows = rng.choice(np.flatnonzero(gone), n)
        kept = rng.random((n, len(more))) < more / np.maximum(together, 1e-9)
        return np.asarray(self.missing[rows] & kept)
