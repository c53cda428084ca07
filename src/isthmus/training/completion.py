"""The step of `Completing`, written out: what it adds to the fill, for several models at once.

    h_0 = F x_in,   h_l = h_(l-1) + W_l phi(h_(l-1)),   o = fill + gaps * V phi(h_L)

The fill and what is read of it do not change in training. So they are made pass by pass, for all rows in one
go, and the passes are used again once there are as many different ones as `VERSIONS` says and memory has room
for: on a table with thirty columns the small systems behind a fill cost more than all the products that
follow.

A pass has its noise from a generator of its own, so that a training that is taken up again meets the same
gaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from isthmus.networks import Filling
from isthmus.training.flat import Flat
from isthmus.training.member import CHUNK, Member
from isthmus.training.products import Block, Products
from isthmus.training.rows import Batch, Rows, Together
from isthmus.training.written import Generators, Terms, WrittenStep

__all__ = ["CompletionStep", "Passes", "completes"]

VERSIONS = (16, 64)  # of every row, with other gaps each time: at least, at most
NUMBERS = 2**24  # kept at most for one model; where the least would be more, every pass is made anew
NOISE = 2**40  # far from the seeds that order the batches


def completes(members: Sequence[Member]) -> bool:
    """Whether all members are of the kind whose gradients are written here, and equally long."""
    sizes = {(len(m.train), 0 if m.held_out is None else len(m.held_out)) for m in members}
    return len(sizes) == 1 and all(map(_completes, members))


def _completes(member: Member) -> bool:
    network, objective = member.network, member.objective
    ours = type(network.encoder) is Filling and network.code.transparent and not objective.terms_by_name
    plain = isinstance(member.train, Rows) and member.train.seen is None
    noisy = objective.corruption is not None and not objective.corruption.blind
    return ours and plain and noisy and all(p.requires_grad for p in network.parameters())


class Passes:
    """The rows of a member as the part of its network that is not trained leaves them: `seen` (all, 2 d)."""

    def __init__(self, member: Member) -> None:
        self.member, self.train = member, cast("Rows", member.train)
        self.versions = min(VERSIONS[1], NUMBERS // (len(member.train) * 2 * member.objective.layout.width))
        self.keeps = self.versions >= VERSIONS[0]
        self.kept: dict[int, Rows] = {}

    def __call__(self, epoch: int) -> Rows:
        """The training rows of one pass."""
        number = epoch % self.versions if self.keeps else epoch
        if number not in self.kept:
            if not self.keeps:
                self.kept.clear()
            self.kept[number] = self._made(self.train, number)
        return self.kept[number]

    @cached_property
    def watched(self) -> Rows | None:
        """The held-out rows, with the same gaps at every look."""
        return None if self.member.held_out is None else self._made(self.member.held_out, -1)

    def _made(self, rows: Rows, number: int) -> Rows:
        objective, encoder, x = self.member.objective, self.member.network.encoder, rows.x
        seed = (self.member.seed * 1_000_003 + NOISE + number) % 2**63
        generator = torch.Generator(x.device).manual_seed(seed)
        places = rows.places.to(x.device)
        seen = x.new_empty(len(x), 2 * x.shape[1])
        for part in places.split(CHUNK):
            seen[part] = encoder.fixed(objective.corrupted(x[part], generator))  # type: ignore[operator]
        return rows.showing(seen)


class _Space(NamedTuple):
    """What a step writes for batches of one shape: h_l, phi(h_l), gradients on their way, V phi(h_L)."""

    a: list[Block]
    s: list[Block]
    pulled: Block
    passed: Block
    out: Block


class CompletionStep(WrittenStep):
    """Fills `flat.grads` for one batch a member, each row of which is (fill, gaps) already."""

    def __init__(self, members: Sequence[Member], flat: Flat, bf16: bool) -> None:
        self.members, self.flat, self.bf16 = members, flat, False
        self.products = products = Products(flat, bf16=False)
        encoders: list[Any] = [member.network.encoder for member in members]
        decoder: Any = members[0].network.decoder
        self.encoder = encoders[0]
        self.into, self.pull = self.encoder.activation.by_heart()
        self.first, self.last = products.layer(encoders[0].first), products.layer(decoder.correction)
        self.layers = [products.layer(layer) for layer in encoders[0].layers]
        knots = [encoder.knots for encoder in encoders]
        self.knots = knots[0] if len(knots) == 1 else torch.stack(knots)[:, None]
        self.objective = members[0].objective
        self.spaces: dict[int, _Space] = {}

    @torch.no_grad()
    def __call__(self, batches: Sequence[Batch]) -> Terms:
        """The terms of the objective before the update, each (models,)."""
        generators = [member.generator for member in self.members]
        terms, g = self._through(*self._joined(batches, generators))
        self._backward(g)
        return terms

    def forward(self, batches: Sequence[Batch], generators: Generators, training: bool) -> Terms:
        """The terms of the objective."""
        return self._through(*self._joined(batches, generators))[0]

    def _through(self, x: Tensor, fixed: Tensor, observed: Tensor | None) -> tuple[Terms, Tensor]:
        """The terms of the objective, and the gradient of the loss by the output (.., n, d)."""
        fill, self.gaps = fixed.split(x.shape[-1], -1)
        output = self._corrected(self.encoder.read(fixed, self.knots))
        flat, models = (-1, x.shape[-1]), len(self.members)
        scored = self.encoder.scored(fill.reshape(flat)).view(x.shape)
        output = torch.addcmul(scored, self.gaps, output)
        total, g = self.objective.loss.gradient(
            x.view(flat), output.view(flat), self.objective.layout, observed, models, 1 / x.shape[-2]
        )
        loss = total / x.shape[-2]
        return {"objective": loss, "loss": loss}, g.view(x.shape)

    def _joined(
        self, batches: Sequence[Batch], generators: Generators
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Clean x (.., n, d), (fill, gaps) (.., n, 2 d) and observed (models * n, cells)."""
        if isinstance(batches, Together) and batches.x_tilde is not None:
            return batches.x, batches.x_tilde, batches.observed
        each = zip(batches, self.members, generators, strict=True)
        fixed = [self._fixed(batch, member, generator) for batch, member, generator in each]
        if len(batches) == 1:
            return batches[0].x, fixed[0], batches[0].observed
        masks = [batch.observed for batch in batches]
        observed = None if masks[0] is None else torch.cat(masks)  # type: ignore[arg-type]
        return torch.stack([batch.x for batch in batches]), torch.stack(fixed), observed

    def _fixed(self, batch: Batch, member: Member, generator: torch.Generator) -> Tensor:
        if batch.x_tilde is not None:
            return batch.x_tilde
        found: Tensor = member.network.encoder.fixed(member.objective.corrupted(batch.x, generator))  # type: ignore[operator]
        return found

    def _corrected(self, h: Tensor) -> Tensor:
        """The correction (.., n, d) from what is read (.., n, in), and on the way what `_backward` needs."""
        self.read, self.space = self.products.block(h), self._space(h)
        a, s, out = self.space.a, self.space.s, self.space.out
        self.first.forward(self.read, a[0])
        for i, layer in enumerate(self.layers):
            self.into(a[i].tensor, s[i].tensor)
            layer.forward(s[i], a[i + 1])
            a[i + 1].tensor.add_(a[i].tensor)
        self.into(a[-1].tensor, s[-1].tensor)
        self.last.forward(s[-1], out)
        return out.tensor

    def _space(self, h: Tensor) -> _Space:
        """Memory for as many rows as h has, the same at every step."""
        found = self.spaces.get(h.shape[-2])
        if found is None:
            width, depth = self.first.weight.shape[-2], len(self.layers) + 1
            a, s = (self.products.blocks(h, [width] * depth) for _ in range(2))
            last = [width, width, self.last.weight.shape[-2]]
            found = self.spaces[h.shape[-2]] = _Space(a, s, *self.products.blocks(h, last))
        return found

    def _backward(self, g: Tensor) -> None:
        """Gradients of all layers from that by the output (.., n, d)."""
        a, s, pulled, passed, _ = self.space
        corrected = self.products.block(g.mul_(self.gaps))
        self.last.learn(corrected, s[-1])
        self.last.back(corrected, passed)
        passed.tensor.copy_(self.pull(passed.tensor, a[-1].tensor, s[-1].tensor))
        for i in range(len(self.layers) - 1, -1, -1):
            self.layers[i].learn(passed, s[i])
            self.layers[i].back(passed, pulled)
            passed.tensor.add_(self.pull(pulled.tensor, a[i].tensor, s[i].tensor))
        self.first.learn(passed, self.read)

    def refresh(self) -> None:
        """There are no lambdas here."""
