"""Mersenne: torch's random numbers without torch.

torch draws on a processor from MT19937, seeded with the lower 32 bits of the seed, as numpy's `RandomState`
does (Matsumoto & Nishimura 1998). What is made of the draws is repeated here, so that a network starts with
the same bits and sees its rows in the same order, whoever trains it.

>>> import torch
>>> order = torch.randperm(5, generator=torch.Generator().manual_seed(3))
>>> bool((Mersenne(3).permutation(5) == order.numpy()).all())
True
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray

__all__ = ["Mersenne"]

FRACTION = 24  # bits of a float32 between 0 and 1
SHORT = 2**16  # numbers below are sorted four times as fast with 16 bits


class _Blank(ISeedSequence):
    """A state for a generator that is seeded afterwards: to mix one takes thirty times as long as that."""

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Any:
        """Zeros."""
        return np.zeros(n_words, dtype)


class Mersenne:
    """A generator with the draws of `torch.Generator().manual_seed(seed)` on a processor."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.MT19937(_Blank())  # type: ignore[arg-type]
        self._state = np.random.RandomState(self._bits)
        self.manual_seed(seed)

    def manual_seed(self, seed: int) -> Mersenne:
        """Begin again at a seed; itself."""
        self._state.seed(seed & 0xFFFFFFFF)
        return self

    def skip(self, count: int) -> None:
        """Leave out so many draws."""
        self._bits.random_raw(count, output=False)

    def uniform(self, shape: tuple[int, ...], bound: float) -> NDArray[np.float32]:
        """As `tensor.uniform_(-bound, bound)` in float32."""
        low, high = (float(np.float32(end)) for end in (-bound, bound))
        draws = self._bits.random_raw(int(np.prod(shape))) & ((1 << FRACTION) - 1)
        values = draws * 2.0**-FRACTION * (high - low) + low
        return np.asarray(values.reshape(shape), np.float32)

    def permutation(self, n: int) -> NDArray[np.int64]:
        """As `torch.randperm(n)`: each place from the front is exchanged with one that is not before it."""
        left = np.arange(n, 1, -1, dtype=np.uint64)
        others = np.arange(n)
        others[: len(left)] += (self._bits.random_raw(len(left)) % left).view(np.int64)
        return exchanged(others)


def exchanged(others: NDArray[np.int64]) -> NDArray[np.int64]:
    """0 ... n - 1 after place i was exchanged with place others[i] >= i, for i = 0, 1, ... n - 1 in turn.

    What place i holds before its turn was put there by the last exchange with it, or is i: following those
    back to their start, all at once, tells it. It goes to others[i], and place i keeps what the exchange
    before it with others[i] has left there.
    """
    holds = np.arange(len(others))
    moved = np.flatnonzero(others != holds)
    holds[others[moved]] = moved  # of several the last one stays
    while not np.array_equal(earlier := holds[holds], holds):
        holds = earlier
    by_other = others.astype(np.uint16 if len(others) <= SHORT else np.int64).argsort(kind="stable")
    sorted_others = others[by_other]
    again = np.flatnonzero(sorted_others[1:] == sorted_others[:-1])
    kept = others.copy()
    kept[by_other[again + 1]] = holds[by_other[again]]
    return kept
