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
from typing import Any

import torch
from torch import Tensor

from isthmus.networks import Chain
from isthmus.training.flat import Flat
from isthmus.training.member import Member
from isthmus.training.products import Products
from isthmus.training.rows import Batch, Together
from isthmus.training.written import Forward, Generators, WrittenStep

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


class _Half:
    """One chain: what a forward pass leaves behind is what the backward pass reads."""

    def __init__(self, products: Products, chain: Any) -> None:
        self.products, self.activation = products, chain.activation
        self.layers = [products.layer(layer) for layer in chain.layers]
        self.road = None if chain.road is None else products.layer(chain.road)
        self.gaps = None if chain.gaps is None else products.layer(chain.gaps)
        self.widths = [layer.weight.shape[-2] for layer in self.layers]
        self.width_in = self.layers[0].weight.shape[-1]

    def forward(self, x: Tensor) -> Tensor:
        """(.., n, in) -> (.., n, out)."""
        self.x, self.a, self.h = x, [], [x]
        for i, layer in enumerate(self.layers):
            a = layer.forward(self.h[-1], self.products.buffer(x, self, "a", i, self.widths[i]))
            if i == 0 and self.gaps is not None:
                self.blank = (x == 0).to(x.dtype)
                self.gaps.forward(self.blank, a)
            self.a.append(a)
            if i + 1 < len(self.layers):
                self.h.append(self.activation(a))
        return a if self.road is None else self.road.forward(x, a)

    def backward(self, g: Tensor, needed: bool) -> Tensor | None:
        """Gradients from g = dL/d out (.., n, out); dL/d in where `needed`. Overwrites g."""
        into = self.products.buffer(g, self, "in", 0, self.width_in) if needed else None
        if self.road is not None:
            self.road.learn(g, self.x)
            if into is not None:
                self.road.back(g, into)
        for i in range(len(self.layers) - 1, -1, -1):
            layer, h = self.layers[i], self.h[i]
            layer.learn(g, h)
            if i == 0:
                break
            g = layer.back(g, self.products.buffer(g, self, "g", i, self.widths[i - 1]))
            g = self.activation.pull(g, self.a[i - 1], h)
        if self.gaps is not None:
            self.gaps.learn(g, self.blank)
        return None if into is None else self.layers[0].back(g, into, adds=self.road is not None)


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
        self.layout = members[0].objective.layout
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
    def __call__(self, batches: Sequence[Batch]) -> dict[str, Tensor]:
        """The terms of the objective before the update, each (models,)."""
        generators = [member.generator for member in self.members]
        return self.filled(*self._joined(batches, generators, training=True), generators)

    def filled(
        self, x: Tensor, x_tilde: Tensor, observed: Tensor | None, generators: Generators
    ) -> dict[str, Tensor]:
        """Gradients and terms for clean x, what the encoder is shown, and what was observed of x."""
        if self.bf16:
            self.low.copy_(self.flat.weights)
        terms, g = self._through(x, x_tilde, observed, generators, training=True)
        g_z = self.decoder.backward(g.to(self.low.dtype), needed=True)
        self.encoder.backward(self._through_code(g_z), needed=False)
        if self.bf16:
            self.flat.grads.copy_(self.low_grads)
        return terms

    def forward(self, batches: Sequence[Batch], generators: Generators, training: bool) -> Forward:
        """The terms of the objective, and the gradient of the loss by the output (.., n, d)."""
        return self._through(*self._joined(batches, generators, training), generators, training)

    def _through(
        self, x: Tensor, x_tilde: Tensor, observed: Tensor | None, generators: Generators, training: bool
    ) -> Forward:
        self.a = self.encoder.forward(x_tilde)
        self.z = self._coded(self.a, generators, training)
        output = self.decoder.forward(self.z)
        flat = (-1, x.shape[-1])
        loss = self.members[0].objective.loss
        total, g = loss.gradient(
            x.view(flat), output.view(flat).to(x.dtype), self.layout, observed, self.models, 1 / x.shape[-2]
        )
        terms = {"objective": total / x.shape[-2], "loss": total / x.shape[-2]}
        self.pulls = []
        for name, term, lambdas in self.terms:
            value, pull = term.code_gradient(self.z if term.is_rounded else self.z.to(x.dtype))
            terms[name] = lambdas * value
            terms["objective"] = terms["objective"] + terms[name]
            self.pulls.append((pull, lambdas[0] if self.models == 1 else lambdas[:, None, None]))
        return terms, g.view(x.shape)

    def _joined(
        self, batches: Sequence[Batch], generators: Generators, training: bool
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Clean x and x_tilde (.., n, d), and observed (models * n, cells)."""
        clean = not any(member.objective.corruption for member in self.members)
        if isinstance(batches, Together) and batches.x_tilde is None and clean:
            return batches.x, batches.x.to(self.low.dtype), batches.observed
        with torch.set_grad_enabled(training):  # how a corruption knows
            seen = [
                member.objective.corrupted(batch.x, generator) if batch.x_tilde is None else batch.x_tilde
                for batch, member, generator in zip(batches, self.members, generators, strict=True)
            ]
        if self.models == 1:
            return batches[0].x, seen[0].to(self.low.dtype), batches[0].observed
        x_tilde = torch.stack(seen).to(self.low.dtype)
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
        if code.transparent:
            return a
        with torch.set_grad_enabled(training):  # how a code knows
            each = a[None] if self.models == 1 else a
            z = [
                code(part, member.network.memory, generator)
                for part, member, generator in zip(each, self.members, generators, strict=True)
            ]
        return z[0] if self.models == 1 else torch.stack(z)

    def _through_code(self, g_z: Any) -> Tensor:
        """dL/da from dL/dz, the penalties' share added."""
        for pull, lambdas in self.pulls:
            g_z = g_z.add_(pull * lambdas) if lambdas.ndim else g_z.addcmul_(pull.to(g_z.dtype), lambdas)
        code = self.members[0].network.code
        pulled: Tensor = g_z if code.transparent else code.pull(g_z, self.a, self.z)
        return pulled
