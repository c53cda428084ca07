"""The one equation: L(x, x_hat) + sum_k lambda_k * Omega_k, with x_tilde = corrupt(x).

    x -> corrupt -> x_tilde -> encode -> z -> decode -> x_hat

L is the sum of a row's cell errors over the cells that were observed (of a blind corruption, over those it
changed), averaged over rows; each Omega is a mean over rows too. Undercomplete, sparse, denoising and
contractive autoencoders are this function with different arguments.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from isthmus.corruptions import Corruption
from isthmus.losses import Loss
from isthmus.parts import Layout, Record
from isthmus.penalties import Penalties, Penalty

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from isthmus.networks import Network

__all__ = ["Objective"]


class Objective(Record):
    """The trade-off between reconstructing and not memorising, as a function of a network and a batch."""

    layout: Layout
    loss: Loss
    penalty: Penalty | None = None
    corruption: Corruption | None = None

    @property
    def terms_by_name(self) -> dict[str, Penalty]:
        """The penalties by the name they carry in `history_`."""
        return {} if self.penalty is None else self.penalty.terms_by_name

    @property
    def lambdas(self) -> dict[str, float]:
        """The weights of the penalties by name."""
        return {name: float(term.weight) for name, term in self.terms_by_name.items()}

    def with_lambdas(self, lambdas: Mapping[str, float]) -> Objective:
        """The same with other weights, by the names of the terms; the user's penalty stays as it is."""
        terms = self.terms_by_name.items()
        changed = (term.with_params(weight=lambdas.get(name, term.weight)) for name, term in terms)
        return dataclasses.replace(self, penalty=Penalties(tuple(changed)))

    def corrupted(self, x: Tensor, generator: Generator) -> Tensor:
        """What the encoder is shown for x (n, d)."""
        return x if self.corruption is None else self.corruption(x, self.layout, generator)

    def __call__(
        self,
        network: Network,
        x: Tensor,
        observed: Tensor | None,
        generator: Generator,
        x_tilde: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The terms by name: "objective", "loss", then each penalty already times its weight.

        x (n, d); observed (n, cells) of booleans, or None when nothing is missing; x_tilde (n, d) where the
        noise has been drawn already.
        """
        x_tilde = self.corrupted(x, generator) if x_tilde is None else x_tilde
        layers = () if self.penalty is None else self.penalty.layers
        trace = network.trace(x, x_tilde, self.layout, generator, layers)
        errors = self.loss(x, trace.output, self.layout)
        if self.corruption is not None and self.corruption.blind:
            errors = errors * self.corruption.changed(x, x_tilde, self.layout)
        loss = (errors if observed is None else errors * observed).sum() / len(x)
        omegas = {name: term.weight * term(trace) for name, term in self.terms_by_name.items()}
        return {"objective": sum(omegas.values(), loss), "loss": loss, **omegas}
