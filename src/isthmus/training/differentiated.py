"""The general step: the objective of any network, penalty and code, differentiated by torch.

What the dense step (`isthmus.training.dense`) does not know by heart comes here: networks of a user's own,
convolutions, Jacobians. It holds the package's only `.backward()`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from isthmus.training.flat import Flat
from isthmus.training.member import Member
from isthmus.training.rows import Batch, Rows

__all__ = ["DifferentiatedStep"]


class DifferentiatedStep:
    """Fills `flat.grads` for one batch a member."""

    def __init__(self, members: Sequence[Member], flat: Flat, bf16: bool) -> None:
        self.members, self.flat, self.bf16 = members, flat, bf16

    def __call__(self, batches: Sequence[Batch]) -> dict[str, Tensor]:
        """The terms of the objective before the update, each (models,)."""
        self.flat.grads.zero_()
        found = []
        for member, batch in zip(self.members, batches, strict=True):
            x, observed, _, x_tilde = batch
            with torch.autocast(x.device.type, torch.bfloat16, enabled=self.bf16):
                terms = member.objective(member.network, x, observed, member.generator, x_tilde)
            terms["objective"].backward()
            found.append({name: value.detach() for name, value in terms.items()})
        return {name: torch.stack([terms[name] for terms in found]) for name in found[0]}

    @torch.no_grad()
    def evaluate(self, rows: Sequence[Rows]) -> list[dict[str, float]]:
        """Every term on other rows, with the same draws of noise each time; one dict a member."""
        return [self._evaluate(*pair) for pair in zip(self.members, rows, strict=True)]

    def _evaluate(self, member: Member, rows: Rows) -> dict[str, float]:
        sums: dict[str, float] = {}
        generator = torch.Generator(self.flat.weights.device).manual_seed(0)
        member.network.eval()
        for batch in rows.chunks(member.rows_at_once):
            terms = member.objective(member.network, batch.x, batch.observed, generator, batch.x_tilde)
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(batch.x)
        member.network.train()
        return {name: value / len(rows) for name, value in sums.items()}

    def refresh(self) -> None:
        """Read the members' objectives again, after a weight has changed."""
