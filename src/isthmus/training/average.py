"""Average: a running mean of the weights, which is looked at and kept in their stead.

    mean  <-  mean + (1 - d) (w - mean),       d = min(decay, t / (t + 10)) after t updates

Where gradients are noisy the weights wander about a good place; their mean lies in it. It allows higher rates
and calmer looks at the held-out rows, for one small operation an update (Polyak & Juditsky 1992).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

__all__ = ["Average"]

SOON = 10  # updates after which half of the mean is new


class Average:
    """The mean of the rows of `weights` (models, parameters)."""

    def __init__(self, weights: Tensor, decay: float) -> None:
        self.weights, self.decay, self.mean = weights, decay, weights.clone()

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after update number `step`."""
        self.mean.lerp_(self.weights, 1 - min(self.decay, step / (step + SOON)))

    def restart(self, row: int) -> None:
        """Begin anew at the weights of one model."""
        self.mean[row] = self.weights[row]

    def follow(self, weights: Tensor, rows: Sequence[int]) -> None:
        """Go on over `weights`, those of these rows alone."""
        self.weights, self.mean = weights, self.mean[list(rows)]

    @contextmanager
    def shown(self) -> Iterator[None]:
        """The mean in the place of the weights, while the block runs."""
        moving = self.weights.clone()
        self.weights.copy_(self.mean)
        try:
            yield
        finally:
            self.weights.copy_(moving)
