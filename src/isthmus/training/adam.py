"""Adam (Kingma & Ba 2015) straight over torch's fused kernel.

    m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g^2,
    w = w - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)

Constructing `torch.optim.Adam` imports some 800 modules, which costs as much as importing torch and most of
the time of fitting a small table. The kernel it ends in is one call. That call is private to torch, so
where it is missing or has changed, the same update runs as a handful of public operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from isthmus.training.plan import BETA_1, BETA_2, EPS

__all__ = ["Adam"]


SETTINGS: Any = {
    "beta1": BETA_1,
    "beta2": BETA_2,
    "eps": EPS,
    "weight_decay": 0.0,
    "amsgrad": False,
    "maximize": False,
}


class Adam:
    """The optimiser's state for the rows of `weights` (models, parameters), each with a clock of its own."""

    def __init__(self, weights: Tensor, grads: Tensor) -> None:
        self.weights, self.grads = weights, grads
        self.first, self.second = torch.zeros_like(weights), torch.zeros_like(weights)
        self.counts = [0] * len(weights)
        self.clock = torch.zeros((), device=weights.device)

    def follow(self, other: Adam, rows: Sequence[int]) -> None:
        """Go on where these rows of another stand."""
        self.first.copy_(other.first[list(rows)])
        self.second.copy_(other.second[list(rows)])
        self.counts = [other.counts[row] for row in rows]

    def reset(self, row: int) -> None:
        """Forget the moments of one model."""
        self.first[row].zero_()
        self.second[row].zero_()
        self.counts[row] = 0

    def step(self, rates: Sequence[float]) -> None:
        """One update of every row with its learning rate."""
        self.counts = [count + 1 for count in self.counts]
        state = (self.weights, self.grads, self.first, self.second)
        alike: dict[tuple[float, int], list[int]] = {}
        for row, key in enumerate(zip(rates, self.counts, strict=True)):
            alike.setdefault(key, []).append(row)
        for (lr, count), rows in alike.items():
            if len(alike) == 1:
                self._update(lr, count, *state)
                break
            for row in rows:
                self._update(lr, count, *(tensor[row] for tensor in state))

    def _update(self, lr: float, count: int, w: Tensor, g: Tensor, m: Tensor, v: Tensor) -> None:
        try:
            clocks = [self.clock.fill_(count)]
            torch._fused_adam_([w], [g], [m], [v], [], clocks, lr=lr, **SETTINGS)
        except (AttributeError, TypeError, NotImplementedError):
            m.lerp_(g, 1 - BETA_1)
            v.mul_(BETA_2).addcmul_(g, g, value=1 - BETA_2)
            root = (v / (1 - BETA_2**count)).sqrt_().add_(EPS)
            w.addcdiv_(m, root, value=-lr / (1 - BETA_1**count))
