"""Rows: encoded data on the training device, with what was observed and where each row came from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Rows"]


class Rows(NamedTuple):
    """x (n, d) float32, observed (n, cells) of booleans or None, numbers (n,) of the rows in X."""

    x: Tensor
    observed: Tensor | None
    numbers: Tensor

    @classmethod
    def of(cls, x: NDArray[np.float32], observed: NDArray[np.bool_] | None) -> Rows:
        """All rows of encoded arrays, in order; nothing is copied."""
        return cls(
            torch.from_numpy(x),
            None if observed is None else torch.from_numpy(observed),
            torch.arange(len(x)),
        )

    def __len__(self) -> int:
        return len(self.x)

    def take(self, which: Tensor) -> Rows:
        """The rows numbered `which`."""
        observed = None if self.observed is None else self.observed[which]
        return Rows(self.x[which], observed, self.numbers[which])

    def split(self, fraction: float, generator: torch.Generator) -> tuple[Rows, Rows | None]:
        """Training rows and held-out rows, at random; no held-out rows where that would be fewer than one
        in ten.
        """
        n = len(self)
        count = round(fraction * n)
        if count < 1 or n < 10:
            return self, None
        order = torch.randperm(n, generator=generator)
        return self.take(order[count:].sort().values), self.take(order[:count].sort().values)
