"""Sources: rows that need not be in memory, read block by block.

A source stands wherever X may stand. It promises two things: how many rows each of its blocks has, and to
read any block as data of the ordinary kind, a DataFrame or an array, so that a schema encodes a block as it
would encode X. Blocks are the unit of shuffling and of memory: small enough to hold dozens of them at once.

What is done to every row can be done to a source, and gives a source: nothing is computed until a block is
read, and nothing is kept after it.

>>> import numpy as np
>>> class Halves(Source):
...     def __init__(self, X):
...         self.X = X
...
...     @property
...     def sizes(self):
...         return (2, 2)
...
...     def read(self, block):
...         return self.X[2 * block : 2 * block + 2]
>>> source = Halves(np.arange(8).reshape(4, 2))
>>> len(source), [block.sum() for block in source.map(np.negative).blocks()]
(4, [np.int64(-6), np.int64(-22)])
>>> rows_of(source, [3, 0]).tolist()
[[6, 7], [0, 1]]
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from isthmus.inputs.frames import stacked

__all__ = ["Source", "rows_of"]


class Source(ABC):
    """Rows on a disk or elsewhere, in blocks that can be read in any order and more than once."""

    @property
    @abstractmethod
    def sizes(self) -> Sequence[int]:
        """Rows of every block; known without reading them."""

    @property
    def cheap(self) -> bool:
        """Whether reading a block takes no longer than copying it."""
        return False

    @abstractmethod
    def read(self, block: int) -> Any:
        """The rows of one block as a DataFrame or an array; equal each time."""

    def __len__(self) -> int:
        return sum(self.sizes)

    def blocks(self) -> Iterator[Any]:
        """Every block, in order."""
        return (self.read(block) for block in range(len(self.sizes)))

    def order(self, rng: np.random.Generator) -> list[int]:
        """All blocks in an order that is random yet cheap to read; here every order is as cheap."""
        return [int(block) for block in rng.permutation(len(self.sizes))]

    def map(self, function: Callable[[Any], Any]) -> Source:
        """The source whose blocks are function(block); the function keeps the number of rows."""
        return _Mapped(self, function)


class _Mapped(Source):
    """A source seen through a function."""

    def __init__(self, inner: Source, function: Callable[[Any], Any]) -> None:
        self.inner, self.function = inner, function

    @property
    def sizes(self) -> Sequence[int]:
        return self.inner.sizes

    def read(self, block: int) -> Any:
        return self.function(self.inner.read(block))

    def order(self, rng: np.random.Generator) -> list[int]:
        return self.inner.order(rng)


def rows_of(X: Any, which: Any) -> Any:
    """The rows numbered `which` of a frame, an array or a source; of a source only their blocks are read."""
    if not isinstance(X, Source):
        return X.iloc[which] if hasattr(X, "iloc") else (X if hasattr(X, "shape") else np.asarray(X))[which]
    which = np.asarray(which, dtype=np.int64)
    ends = np.cumsum(X.sizes)
    home = np.searchsorted(ends, which, side="right")
    order = np.argsort(home, kind="stable")
    inside = which - (ends - np.asarray(X.sizes))[home]
    found = [rows_of(X.read(int(block)), inside[home == block]) for block in np.unique(home)]
    return rows_of(stacked(found), np.argsort(order))
