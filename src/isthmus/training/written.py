"""Written steps: those whose gradients are written down, for several models of one shape at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch

from isthmus.training.differentiated import DifferentiatedStep
from isthmus.training.flat import Flat
from isthmus.training.member import CHUNK, Member
from isthmus.training.rows import Batch, Rows

__all__ = ["Generators", "Terms", "WrittenStep"]

Terms = dict[str, Any]  # of the objective, each (models,): tensors, or arrays where numpy made them
Generators = Sequence[torch.Generator]


class WrittenStep(ABC):
    """Fills `flat.grads` for one batch a member; all members have networks of one shape."""

    members: Sequence[Member]
    flat: Flat
    bf16: bool

    @abstractmethod
    def __call__(self, batches: Sequence[Batch]) -> Terms:
        """The terms of the objective before the update, each (models,)."""

    @abstractmethod
    def forward(self, batches: Sequence[Batch], generators: Generators, training: bool) -> Terms:
        """The terms of the objective."""

    @torch.no_grad()
    def evaluate(self, rows: Sequence[Rows]) -> list[dict[str, float]]:
        """Every term on other rows, with the same draws of noise each time; one dict a member."""
        if len({len(some) for some in rows}) > 1 or self.bf16:
            return DifferentiatedStep(self.members, self.flat, bf16=False).evaluate(rows)
        sums: Terms = {}
        models, device = len(self.members), self.flat.weights.device
        generators = [torch.Generator(device).manual_seed(0) for _ in rows]
        for batches in zip(*(some.chunks(max(256, CHUNK // models)) for some in rows), strict=True):
            terms = self.forward(batches, generators, training=False)
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + value * len(batches[0].x)
        values = {name: (value / len(rows[0])).tolist() for name, value in sums.items()}
        return [{name: value[m] for name, value in values.items()} for m in range(models)]
