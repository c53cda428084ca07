"""The engine: what a run trains with, by torch - weights in one matrix, an optimiser, the step that suits.

`isthmus.training.plain` has another, of numpy alone; the loop does not know which it was given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from isthmus.training.adam import Adam
from isthmus.training.average import Average
from isthmus.training.completion import CompletionStep, Passes, completes
from isthmus.training.dense import DenseStep, suits
from isthmus.training.differentiated import DifferentiatedStep
from isthmus.training.flat import Flat
from isthmus.training.member import Member
from isthmus.training.ranks import Ranks
from isthmus.training.replayed import ReplayedStep, replays
from isthmus.training.rows import Batch, Rows
from isthmus.training.stream import Stream

__all__ = ["Engine"]


class Engine:
    """Chosen for some members."""

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

    def rows(self, member: Member, epoch: int) -> Rows | Stream:
        """What a member learns from in one pass."""
        return self.passes[id(member)](epoch) if self.passes else member.train

    def watched(self, member: Member) -> Rows | None:
        """What it is judged by."""
        return self.passes[id(member)].watched if self.passes else member.held_out

    def batches(
        self, rows: Sequence[Rows | Stream], size: int, orders: Sequence[torch.Generator], skip: int
    ) -> Iterator[Sequence[Batch]]:
        """One pass, from batch number `skip` on, one batch a member; gathered at once where all members' rows
        are of one memory, and shown alike.
        """
        held = [some for some in rows if isinstance(some, Rows)]
        alike = all(r.x is held[0].x and (r.seen is None) == (held[0].seen is None) for r in held)
        if 1 < len(held) == len(rows) and alike:
            return held[0].batches_beside(held[1:], size, orders, skip)
        passes = [some.batches(size, order, skip) for some, order in zip(rows, orders, strict=True)]
        return zip(*passes, strict=True)
