"""Sources: rows that need not be in memory, read block by block.

A source stands wherever X may stand. It promises two things: how many rows each of its blocks has, and to
read any block as data of the ordinary kind, a DataFrame or an array, so that a schema encodes a block as it
would encode X. Blocks are the unit of shuffling and of memory: small enough to hold dozens of them at once.

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
>>> len(source), [block.sum() for block in source.blocks()]
(4, [np.int64(6), np.int64(22)])
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["Source"]


class Source(ABC):
    """Rows on a disk or elsewhere, in blocks that can be read in any order and more than once."""

    @property
    @abstractmethod
    def sizes(self) -> Sequence[int]:
        """Rows of every block; known without reading them."""

    @abstractmethod
    def read(self, block: int) -> Any:
        """The rows of one block as a DataFrame or an array; equal each time."""

    def __len__(self) -> int:
        return sum(self.sizes)

    def blocks(self) -> Iterator[Any]:
        """Every block, in order."""
        return (self.read(block) for block in range(len(self.sizes)))
