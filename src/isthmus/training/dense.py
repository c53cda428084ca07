"""The dense step: forward and backward of dense chains written out, in buffers that are used again.

For a chain h_l = phi(W_l h_(l-1) + b_l) the gradients are three products a layer,

    dL/dW_l = g_l^T h_(l-1),   dL/db_l = sum_rows g_l,   g_(l-1) = (g_l W_l) * phi'(a_(l-1)),

and the nets that tables need are so small that recording a graph, walking it and freeing it costs several
times what the products do. Loss and penalties hand in their gradients by output and by code
(`Loss.gradient`, `Penalty.code_gradient`), the code its slope. The same lines train several models of one
shape at once: every tensor has a leading axis of models then, and every product is a batched one.

`suits` says what is known by heart here; everything else is differentiated by torch, in the same loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, cast

import torch
from torch import Tensor

from isthmus.networks import Chain
from isthmus.training.flat import Flat
from isthmus.training.member import Member
from isthmus.training.products import Block, Products
from isthmus.training.rows import Batch, Together
from isthmus.training.written import Generators, Terms, WrittenStep

__all__ = ["DenseStep", "suits"]


def suits(member: Member) -> bool:
    """Whether network, code and penalties are ones whose gradients are written down."""
    network, objective = member.network, member.objective
    chains = type(network.encoder) is Chain and type(network.decoder) is Chain
    trainable = all(p.requires_grad for p in network.parameters())
    z = torch.full((1, 1), 0.5)
    terms, blind = (
        objective.terms_by_name.values(),
        objective.corruption is not None and objective.corruption.blind,
    )
    known = network.code.closed_slope and all(term.code_gradient(z) is not None for term in terms)
    return chains and trainable and known and not blind


class _Space:
    """What one chain writes for batches of one shape: a_l, h_l, and the gradients by h_l and by its input
    once there are some.
    """

    def __init__(self, products: Products, x: Tensor, width_in: int, widths: Sequence[int]) -> None:
        self.products, self.width_in, self.hidden = products, width_in, widths[:-1]
        self.like = x.new_empty(()).expand(*x.shape[:-1], 1)  # as many rows, and no memory
        self.a, self.h = (products.blocks(self.like, some) for some in (widths, self.hidden))

    @cached_property
    def g(self) -> list[Block]:
        """Gradients by h_l."""
        return self.products.blocks(self.like, self.hidden)

    @cached_property
    def g_in(self) -> Block:
        """Gradient by the input."""
        return self.products.blocks(self.like, [self.width_in])[0]


class _Half:
    """One chain: what a forward pass leaves behind is what the backward pass reads."""

    def __init__(self, products: Products, chain: Any) -> None:
        self.products = products
        self.into, self.pull = chain.activation.by_heart()
        self.layers = [products.layer(layer) for layer in chain.layers]
        self.road = None if chain.road is None else products.layer(chain.road)
        self.gaps = None if chain.gaps is None else products.layer(chain.gaps)
        self.widths = [layer.weight.shape[-2] for layer in self.layers]
        self.width_in = self.layers[0].weight.shape[-1]
        self.spaces: dict[int, _Space] = {}

    def _space(self, x: Tensor) -> _Space:
        """Memory for as many rows as x has, the same at every step."""
        found = self.spaces.get(x.shape[-2])
        if found is None:
            found = self.spaces[x.shape[-2]] = _Space(self.products, x, self.width_in, self.widths)
        return found

    def forward(self, x: Block) -> Block:
        """(.., n, in) -> (.., n, out)."""
        self.x, self.space = x, self._space(x.tensor)
        a, h = self.space.a, self.space.h
        for i, layer in enumerate(self.layers):
            layer.forward(h[i - 1] if i else x, a[i])
            if i == 0 and self.gaps is not None:
                self.blank = self.products.block((x.tensor == 0).to(x.tensor.dtype))
                self.gaps.forward(self.blank, a[0])
            if i < len(h):
                self.into(a[i].tensor, h[i].tensor)
        if self.road is not None:
            self.road.forward(x, a[-1])
        return a[-1]

    def backward(self, g: Block, needed: bool) -> Block | None:
        """Gradients from g = dL/d out (.., n, out); dL/d in where `needed`. Overwrites g."""
        a, h, below = self.space.a, self.space.h, self.space.g
        if self.road is not None:
            self.road.learn(g, self.x)
            if needed:
                self.road.back(g, self.space.g_in)
        for i in range(len(self.layers) - 1, 0, -1):
            self.layers[i].learn(g, h[i - 1])
            self.layers[i].back(g, below[i - 1])
            g = below[i - 1]
            pulled = self.pull(g.tensor, a[i - 1].tensor, h[i - 1].tensor)
            if pulled is not g.tensor:  # a user's own may make another
                g.tensor.copy_(pulled)
        self.layers[0].learn(g, self.x)
        if self.gaps is not None:
            self.gaps.learn(g, self.blank)
        if not needed:
            return None
        self.layers[0].back(g, self.space.g_in, adds=self.road is not None)
        return self.space.g_in


class DenseStep(WrittenStep):
    """Fills `flat.grads` for one batch a member; all members have networks of one shape."""

    def __init__(self, members: Sequence[Member], flat: Flat, bf16: bool) -> None:
        self.members, self.flat, self.models = members, flat, len(members)
        self.bf16 = bf16
        self.products = products = Products(flat, bf16)
        self.low, self.low_grads = products.weights, products.grads
        network = members[0].network
        self.encoder, self.decoder = _Half(products, network.encoder), _Half(products, network.decoder)
        if network.is_tied:
            for layer in self.encoder.layers:
                layer.adds = True
        self.layout, self.transparent = members[0].objective.layout, network.code.transparent
        self.clean = not any(member.objective.corruption for member in members)
        self.loss = members[0].objective.loss
        self.in_arrays = products.arrays and self.loss.takes_arrays(self.layout)
        self.terms: list[tuple[str, Any, Tensor]] = []
        self.refresh()

    def refresh(self) -> None:
        """Read the members' objectives again, after a weight has changed; lambdas stay where they are."""
        terms = [member.objective.terms_by_name for member in self.members]
        places, self.terms = {name: lambdas for name, _, lambdas in self.terms}, []
        for name, term in terms[0].items():
            lambdas = self.flat.weights.new_tensor([float(named[name].weight) for named in terms])
            self.terms.append((name, term, places[name].copy_(lambdas) if name in places else lambdas))

    # ---------------------------------------------------------------- a step

    @torch.no_grad()
    def __call__(self, batches: Sequence[Batch]) -> Terms:
        """The terms of the objective before the update, each (models,)."""
        generators = [member.generator for member in self.members]
        return self.filled(*self._joined(batches, generators, training=True), generators)

    def filled(self, x: Tensor, x_tilde: Tensor, observed: Tensor | None, generators: Generators) -> Terms:
        """Gradients and terms for clean x, what the encoder is shown, and what was observed of x."""
        if self.bf16:
            self.low.copy_(self.flat.weights)
        terms, g = self._through(x, x_tilde, observed, generators, training=True)
        g_z = self.decoder.backward(g, needed=True)
        self.encoder.backward(self._through_code(g_z), needed=False)
        if self.bf16:
            self.flat.grads.copy_(self.low_grads)
        return terms

    def forward(self, batches: Sequence[Batch], generators: Generators, training: bool) -> Terms:
        """The terms of the objective."""
        return self._through(*self._joined(batches, generators, training), generators, training)[0]

    def _through(
        self, x: Tensor, x_tilde: Tensor, observed: Tensor | None, generators: Generators, training: bool
    ) -> tuple[Terms, Block]:
        """The terms of the objective, and the gradient of the loss by the output (.., n, d)."""
        block = self.products.block
        seen = block(x_tilde)
        a = self.encoder.forward(seen)
        z = self.z = a if self.transparent else block(self._coded(a.tensor, generators, training))
        self.a = a
        output = self.decoder.forward(z)
        total, g = self._lost(seen if x is x_tilde else block(x), output, observed)
        mean = total * (1 / x.shape[-2])
        terms = {"objective": mean, "loss": mean}
        self.pulls = []
        for name, term, lambdas in self.terms:
            value, pull = term.code_gradient(z.tensor if term.is_rounded else z.tensor.to(x.dtype))
            terms[name] = (lambdas * value).numpy() if self.in_arrays else lambdas * value
            terms["objective"] = terms["objective"] + terms[name]
            self.pulls.append((pull, lambdas[0] if self.models == 1 else lambdas[:, None, None]))
        return terms, g

    def _lost(self, x: Block, output: Block, observed: Tensor | None) -> tuple[Any, Block]:
        """Summed loss of every model, and its gradient by the output."""
        seen: Any = observed
        if self.in_arrays:
            rows, out, seen = x.array, output.array, None if observed is None else observed.numpy()
        else:
            rows, out = x.tensor, output.tensor.to(x.tensor.dtype)
        shape, width = rows.shape, rows.shape[-1]
        if self.models > 1:
            rows, out = rows.reshape(-1, width), out.reshape(-1, width)
        total, g = self.loss.gradient(rows, out, self.layout, seen, self.models, 1 / shape[-2])
        g = g if self.models == 1 else g.reshape(shape)
        return total, self.products.block(g if self.in_arrays else self._lowered(g))

    def _lowered(self, x: Tensor) -> Tensor:
        """As precise as the products."""
        return x if x.dtype is self.low.dtype else x.to(self.low.dtype)

    def _joined(
        self, batches: Sequence[Batch], generators: Generators, training: bool
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Clean x and x_tilde (.., n, d), and observed (models * n, cells)."""
        if self.clean and batches[0].x_tilde is None:
            if self.models == 1:
                return batches[0].x, self._lowered(batches[0].x), batches[0].observed
            if isinstance(batches, Together):
                return batches.x, self._lowered(batches.x), batches.observed
        with torch.set_grad_enabled(training):  # how a corruption knows
            seen = [
                member.objective.corrupted(batch.x, generator) if batch.x_tilde is None else batch.x_tilde
                for batch, member, generator in zip(batches, self.members, generators, strict=True)
            ]
        if self.models == 1:
            return batches[0].x, self._lowered(seen[0]), batches[0].observed
        x_tilde = self._lowered(torch.stack(seen))
        if isinstance(batches, Together):
            return batches.x, x_tilde, batches.observed
        x = torch.stack([batch.x for batch in batches])
        masks = [batch.observed for batch in batches]
        observed = None if masks[0] is None else torch.cat(masks)  # type: ignore[arg-type]
        return x, x_tilde, observed

    # ---------------------------------------------------------------- the code between the chains

    def _coded(self, a: Tensor, generators: Sequence[torch.Generator], training: bool) -> Tensor:
        """Code z of every model, each with its own memory and randomness."""
        code = self.members[0].network.code
        with torch.set_grad_enabled(training):  # how a code knows
            each = a[None] if self.models == 1 else a
            z = [
                code(part, member.network.memory, generator)
                for part, member, generator in zip(each, self.members, generators, strict=True)
            ]
        return z[0] if self.models == 1 else torch.stack(z)

    def _through_code(self, g_z: Any) -> Block:
        """dL/da from dL/dz, the penalties' share added."""
        if self.transparent and not self.pulls:
            return cast("Block", g_z)
        g = g_z.tensor
        for pull, lambdas in self.pulls:
            g = g.add_(pull * lambdas) if lambdas.ndim else g.addcmul_(pull.to(g.dtype), lambdas)
        if not self.transparent:
            g = self.members[0].network.code.pull(g, self.a.tensor, self.z.tensor)
        return self.products.block(g)
