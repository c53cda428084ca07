"""Penalties: Omega_k in L(x, x_hat) + sum_k lambda_k * Omega_k.

A penalty reads the trace of one pass and returns one number, a mean over the rows of the batch. Its
`weight` is the lambda. Penalties scale and add as the formula does: `0.1 * L1() + 1e-2 * Contraction()`.
One of your own is one method:

>>> class Energy(Penalty):
...     def __call__(self, trace):
...         return trace.z.square().sum(1).mean()
>>> 0.1 * Energy() + L1(weight=1e-3)
Penalties(terms=(Energy(weight=0.1), L1(weight=0.001)))
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections import Counter
from numbers import Real
from typing import Any, Literal

import torch
from torch import Tensor

from isthmus.checks import DataError, must, need
from isthmus.parts import Part, Trace

__all__ = ["L1", "Contraction", "KLSparsity", "L2Weights", "Penalties", "Penalty"]


SURE = 1e-6  # rho_hat is kept this far from 0 and 1, where its divergence is infinite


class Penalty(Part):
    """One term lambda * Omega of the objective."""

    weight: float = dataclasses.field(default=1.0, kw_only=True)

    def __call__(self, trace: Trace) -> Tensor:
        """Omega, a scalar, without its weight."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__")

    def code_gradient(self, z: Tensor) -> tuple[Tensor, Tensor] | None:
        """Omega and its gradient by z, in closed form, for z (n, k) or (models, n, k): (models,) and like z.

        None (the default) where the penalty reads more than the code, or has no closed form: training then
        differentiates the whole objective, which takes longer.
        """
        return None

    def check(self, network: Any) -> None:
        """Raise, before training, if the penalty cannot work on this network."""

    def check_weights(self) -> None:
        """Raise unless every term's weight is finite and at least 0."""
        for name, term in self.terms_by_name.items():
            what, do = f"the weight of the penalty {name}", f"Use {type(term).__name__}(weight=0.1)"
            weight: Any = term.weight  # whatever the user gave
            good = isinstance(weight, Real) and math.isfinite(weight) and float(weight) >= 0
            need(bool(good), what, "be finite and at least 0", term.weight, do)

    def check_value(self, trace: Trace) -> None:
        """Raise unless every term gives one number as a tensor."""
        for name, term in self.terms_by_name.items():
            value: object = term(trace)
            if isinstance(value, Tensor) and value.numel() == 1:
                continue
            shape = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else ""
            do = "Use .sum() or .mean() of tensors"
            raise must(f"the penalty {name}", "return one number as a tensor", shape or value, do)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of hidden layers whose activations the penalty reads from `trace.hidden`."""
        return ()

    @property
    def terms_by_name(self) -> dict[str, Penalty]:
        """The single terms this penalty is made of, by the name they carry in `history_`."""
        return {type(self).__name__.lower(): self}

    def with_params(self, **changes: Any) -> Any:
        """A copy with hyperparameters changed; a single term also answers to its own name (`l1__weight`)."""
        mine = f"{type(self).__name__.lower()}__"
        return super().with_params(**{key.removeprefix(mine): value for key, value in changes.items()})

    def __rmul__(self, factor: float) -> Penalty:
        """The same penalty with its weight times `factor`."""
        scaled: Penalty = self.with_params(weight=self.weight * factor)
        return scaled

    def __mul__(self, factor: float) -> Penalty:
        """The same penalty with its weight times `factor`."""
        return factor * self

    def __add__(self, other: Penalty) -> Penalties:
        """Both terms."""
        return Penalties((*self.terms_by_name.values(), *other.terms_by_name.values()))


class Penalties(Penalty):
    """A sum of penalties. Each term is a parameter under its own name: `penalty__l1__weight`."""

    terms: tuple[Penalty, ...] = ()

    def __call__(self, trace: Trace) -> Tensor:
        """sum_k lambda_k * Omega_k, itself without the outer weight."""
        return torch.stack([term.weight * term(trace) for term in self.terms]).sum()

    def check(self, network: Any) -> None:
        """Each term's own check."""
        for term in self.terms:
            term.check(network)

    @property
    def layers(self) -> tuple[str, ...]:
        """All hidden layers any term reads."""
        return tuple(dict.fromkeys(name for term in self.terms for name in term.layers))

    @property
    def terms_by_name(self) -> dict[str, Penalty]:
        """The terms, those of one type numbered (`l1_1`, `l1_2`), with the outer weight multiplied in."""
        return dict(zip(self._names(), (self.weight * term for term in self.terms), strict=True))

    def _names(self) -> list[str]:
        names = [type(term).__name__.lower() for term in self.terms]
        many, seen = Counter(names), Counter[str]()
        for i, name in enumerate(names):
            seen[name] += 1
            names[i] = f"{name}_{seen[name]}" if many[name] > 1 else name
        return names

    def _children(self) -> dict[str, Any]:
        return {**dict(zip(self._names(), self.terms, strict=True)), "weight": self.weight}

    def _replaced(self, children: dict[str, Any]) -> Penalties:
        return Penalties(tuple(children[name] for name in self._names()), weight=children["weight"])


class L1(Penalty):
    """sum_i abs(a_i), mean over rows: many activations go to zero, a few carry the row.

    Reads the code, or the hidden layer called `layer` (such as "encoder.hidden.0"). On a code that is
    one-sided (`ReLUCode()`) the zeros are exact.
    """

    layer: str | None = None

    def __call__(self, trace: Trace) -> Tensor:
        """Omega = mean_rows sum_i abs(a_i)."""
        activations = trace.z if self.layer is None else trace.hidden[self.layer]
        return activations.abs().flatten(1).sum(1).mean()

    def code_gradient(self, z: Tensor) -> tuple[Tensor, Tensor] | None:
        """sign(z) / n; None for a hidden layer."""
        if self.layer is not None:
            return None
        return z.abs().sum((-2, -1)).view(-1) / z.shape[-2], z.sign() / z.shape[-2]

    @property
    def layers(self) -> tuple[str, ...]:
        """The hidden layer it reads, if any."""
        return () if self.layer is None else (self.layer,)


class KLSparsity(Penalty):
    """sum_j KL(rho, rho_hat_j): every unit is on for a share rho of the rows (Ng 2011).

    KL(rho, r) = rho log(rho / r) + (1 - rho) log((1 - rho) / (1 - r)), rho_hat_j = mean of unit j over the
    batch. Needs units in (0, 1): `code=SigmoidCode()`.
    """

    rho: float = 0.05

    def __call__(self, trace: Trace) -> Tensor:
        """Omega = sum_j KL(rho, rho_hat_j)."""
        return self._divergence(trace.z.mean(0).clamp(SURE, 1 - SURE)).sum()

    def _divergence(self, rho_hat: Tensor) -> Tensor:
        rho = self.rho
        return rho * (rho / rho_hat).log() + (1 - rho) * ((1 - rho) / (1 - rho_hat)).log()

    def code_gradient(self, z: Tensor) -> tuple[Tensor, Tensor] | None:
        """((1 - rho) / (1 - rho_hat) - rho / rho_hat) / n, the same for every row."""
        mean = z.mean(-2, keepdim=True)
        rho_hat = mean.clamp(SURE, 1 - SURE)
        slope = (1 - self.rho) / (1 - rho_hat) - self.rho / rho_hat
        slope = slope * ((mean >= SURE) & (mean <= 1 - SURE)) / z.shape[-2]
        return self._divergence(rho_hat).sum((-2, -1)).view(-1), slope.expand_as(z)

    def check(self, network: Any) -> None:
        """Rho lies in (0, 1), and so do the code's values."""
        need(0 < self.rho < 1, "rho", "lie in (0, 1)", self.rho, "Use KLSparsity(rho=0.05)")
        if not network.code.unit:
            raise must(
                "the code", "have values in (0, 1) for KLSparsity", network.code, "Use code=SigmoidCode()"
            )


class Contraction(Penalty):
    """norm(J(x))_F^2, mean over rows: the code, or the reconstruction, should not move when x does.

    of: "reconstruction" penalises J of decoder after encoder; "encoder" is the textbook's J_f (Rifai et al.
        2011). With an untied decoder the encoder's Jacobian can be made small by shrinking the code and
        growing the decoder, which contracts nothing: use it with tied weights (a warning says so
        otherwise).
    exact: the exact value instead of an unbiased one-probe estimate, at several times the cost; a one-layer
        encoder is exact anyway.
    """

    of: Literal["reconstruction", "encoder"] = "reconstruction"
    exact: bool = False

    def __call__(self, trace: Trace) -> Tensor:
        """Omega = mean_rows norm(J)_F^2 at x_tilde; for "reconstruction" before the loss's link."""
        return self.per_row(trace).mean()

    def per_row(self, trace: Trace) -> Tensor:
        """norm(J)_F^2 of every row: (n,)."""
        norms: Tensor = trace.network.squared_jacobian(trace, self.of, self.exact)
        return norms

    def check(self, network: Any) -> None:
        """A row's Jacobian must exist, and the penalty must not be one that rescaling can evade."""
        if self.of not in ("reconstruction", "encoder"):
            raise must("of", "be 'reconstruction' or 'encoder'", self.of, "Use Contraction()")
        if any(isinstance(module, torch.nn.modules.batchnorm._BatchNorm) for module in network.modules()):
            raise DataError(
                "Contraction needs a network that treats rows one by one; got one with BatchNorm, under "
                "which the Jacobian of a single row does not exist. Use LayerNorm, or no normalisation."
            )
        if self.of == "encoder" and not network.is_tied:
            warnings.warn(
                "Contraction(of='encoder') with an untied decoder can be evaded by shrinking the code and "
                "growing the decoder. Use MLP(tied=True), or Contraction().",
                UserWarning,
                stacklevel=2,
            )


class L2Weights(Penalty):
    """sum of all squared weights (not biases): on a linear autoencoder it finds the principal axes
    themselves.

    With L(x, x_hat) averaged over n rows, weight = lam / n corresponds to norm(X - X_hat)^2 + lam *
    norm(W)^2 (Kunin et al. 2019).
    """

    def __call__(self, trace: Trace) -> Tensor:
        """Omega = sum_W norm(W)_F^2."""
        weights = [p for p in trace.network.parameters() if p.ndim > 1]
        return torch.stack([p.square().sum() for p in weights]).sum()
