"""The engine: what a run trains with, by torch - weights in one matrix, an optimiser, the step that suits.

`isthmus.training.plain` has another, of numpy alone; the loop does not know which it was given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isthmus.training.adam import Adam
from isthmus.training.average import Average
from isthmus.training.completion import CompletionStep, Passes, completes
from isthmus.training.dense import DenseStep, suits
from isthmus.training.differentiated import DifferentiatedStep
from isthmus.training.flat import Flat
from isthmus.training.member import Member
from isthmus.training.ranks import Ranks
from isthmus.training.replayed import ReplayedStep, replays

__all__ = ["Engine"]


class Engine:
    """Chosen for some members; `passes` has the rows of those that are shown others in every pass."""

    def __init__(self, members: Sequence[Member], bf16: bool = False) -> None:
        self.bf16, self.kind = bf16, self._kind(members, bf16)
        self.passes = {id(member): Passes(member) for member in members if self.kind is CompletionStep}

    @staticmethod
    def _kind(members: Sequence[Member], bf16: bool) -> type[Any]:
        if not bf16 and completes(members):
            return CompletionStep
        if all(map(suits, members)):
            return ReplayedStep if replays(members) else DenseStep
        return DifferentiatedStep

    def gathered(self, members: Sequence[Member]) -> tuple[Flat, Adam, Any]:
        """The weights of these members in one matrix, their optimiser, and the step that fills gradients."""
        flat = Flat([member.network for member in members])
        return flat, Adam(flat.weights, flat.grads), self.kind(members, flat, self.bf16)

    def average(self, flat: Flat, decay: float) -> Average | None:
        """A running mean of the weights where it is asked for."""
        return Average(flat.weights, decay) if decay else None

    def ranks(self, flat: Flat) -> Ranks:
        """Which of torchrun's processes this is."""
        return Ranks.here(flat.weights.device)
