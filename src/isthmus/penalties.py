"""Penalties: Omega_k in L(x, x_hat) + sum_k lambda_k * Omega_k.

A penalty reads the trace of one pass and returns one number, a mean over the rows of the batch. Its
`weight` is the lambda. Penalties scale and add as the formula does: `0.1 * L1() + 1e-2 * Contraction()`.
One of your own is one method:

>>> class Energy(Penalty):
...     def __call__(self, trace):
...         return trace.z.square().sum(1).mean()
>>> 0.1 * Energy() + L1(weight=1e-3)
Penalties(terms=(Energy(weight=0.1), L1(weight=0.001)))

Who knows the level but not the lambda gives that: `L1(target_active=0.1)`, `KLSparsity(0.05, target=True)`,
`Contraction(target=1.0)`. Training then finds lambda (`isthmus.training.goals`), and `lambdas_`, `history_`
and `notes_` of the model say which. A penalty of one's own can do so with `goal` and `level`.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections import Counter
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from isthmus.checks import DataError, must, need
from isthmus.parts import Part, Trace

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    from isthmus.lazily import torch

__all__ = ["L1", "BitBalance", "Contraction", "KLSparsity", "L2Weights", "Penalties", "Penalty"]


ACTIVE = 0.1  # of the root mean square of all activations: what exceeds it is active
ROWS = 1024  # rows times probes, at least, that a Jacobian norm is estimated from: to about two percent
SURE = 1e-6  # rho_hat is kept this far from 0 and 1, where its divergence is infinite


class Penalty(Part):
    """One term lambda * Omega of the objective."""

    measure: ClassVar[str] = "the level"  # what `level` is, in a sentence
    stops_at_goal: ClassVar[bool] = False  # whether large lambdas all bring the level to the goal
    rounded: ClassVar[bool] = False  # whether this very class's `code_gradient` will do with bfloat16
    weight: float = dataclasses.field(default=1.0, kw_only=True)

    def __call__(self, trace: Trace) -> Tensor:
        """Omega, a scalar, without its weight."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__")

    @property
    def goal(self) -> float | None:
        """The level that training finds lambda for; None (the default) where the weight is the lambda."""
        return None

    def level(self, trace: Trace) -> Tensor:
        """What the goal is about: a scalar, a mean over rows, that falls as lambda grows."""
        raise NotImplementedError(f"{type(self).__name__} must define level to have a goal")

    @property
    def is_rounded(self) -> bool:
        """Whether the class itself says so: one that is made of it may compute other things."""
        return bool(vars(type(self)).get("rounded", False))

    @property
    def bare(self) -> Penalty:
        """The same with weight 1 and no goal: what models must share to be trained together."""
        term: Penalty = self.with_params(weight=1.0)
        return term

    def code_gradient(self, z: Tensor) -> tuple[Tensor, Tensor] | None:
        """Omega and its gradient by z, in closed form, for z (n, k) or (models, n, k): (models,) and like z.

        None (the default) where the penalty reads more than the code, or has no closed form: training then
        differentiates the whole objective, which takes longer. z is float32 even where products are not,
        unless `rounded` says that bfloat16 will do.
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
            if isinstance(value, torch.Tensor) and value.numel() == 1:
                continue
            shape = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else ""
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

    target_active: the share of activations that shall be active, in (0, 1); lambda is found in training, and
        the weight is only where the search starts. Active is what exceeds a tenth of the root mean square of
        all activations, abs(a_i) > 0.1 rms(a): no matter of scale, so that a code that only shrinks does not
        become sparse by it; the same on every code. On a `ReLUCode` it is nearly a_i > 0; on a `SigmoidCode`
        it means well off zero; a `LinearCode` has no exact zeros, and this says how many are as good as zero.
    """

    measure: ClassVar[str] = "the share of active units"
    rounded: ClassVar[bool] = True
    layer: str | None = None
    target_active: float | None = None

    def __call__(self, trace: Trace) -> Tensor:
        """Omega = mean_rows sum_i abs(a_i)."""
        return self._activations(trace).abs().flatten(1).sum(1).mean()

    def _activations(self, trace: Trace) -> Tensor:
        return trace.z if self.layer is None else trace.hidden[self.layer]

    @property
    def goal(self) -> float | None:
        """The share of active units."""
        return self.target_active

    def level(self, trace: Trace) -> Tensor:
        """The share of activations with abs(a_i) > 0.1 rms(a)."""
        size = self._activations(trace).abs()
        return (size > ACTIVE * size.square().mean().sqrt()).to(size.dtype).mean()

    @property
    def bare(self) -> Penalty:
        """Weight 1, no goal."""
        return L1(self.layer) if type(self) is L1 else super().bare

    def check(self, network: Any) -> None:
        """A share lies in (0, 1)."""
        share: Any = self.target_active
        good = share is None or (isinstance(share, Real) and 0 < float(share) < 1)
        need(good, "target_active", "lie in (0, 1), or be None", share, "Use L1(target_active=0.1)")
        _check_start(self)

    def code_gradient(self, z: Tensor) -> tuple[Tensor, Tensor] | None:
        """sign(z) / n; None for a hidden layer."""
        if self.layer is not None:
            return None
        n = z.shape[-2]
        total = torch.linalg.vector_norm(
            z, 1, (-2, -1), dtype=torch.float32 if z.dtype.itemsize < 4 else None
        )
        return total.view(-1) / n, z.sign().div_(n)

    @property
    def layers(self) -> tuple[str, ...]:
        """The hidden layer it reads, if any."""
        return () if self.layer is None else (self.layer,)


class KLSparsity(Penalty):
    """sum_j KL(rho, rho_hat_j): every unit is on for a share rho of the rows (Ng 2011).

    KL(rho, r) = rho log(rho / r) + (1 - rho) log((1 - rho) / (1 - r)), rho_hat_j = mean of unit j over the
    batch. Needs units in (0, 1): `code=SigmoidCode()`.

    target: find lambda in training, so that the mean activation over rows and units is rho; the weight is
        only where the search starts. Large lambdas all reach rho: the search comes from below.
    """

    measure: ClassVar[str] = "the mean activation"
    stops_at_goal: ClassVar[bool] = True
    rho: float = 0.05
    target: bool = False

    @property
    def goal(self) -> float | None:
        """Rho, where lambda is to be found."""
        return self.rho if self.target else None

    def level(self, trace: Trace) -> Tensor:
        """The mean activation over rows and units: the mean of rho_hat_j."""
        return trace.z.mean()

    @property
    def bare(self) -> Penalty:
        """Weight 1, no goal."""
        return KLSparsity(self.rho) if type(self) is KLSparsity else super().bare

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
        _check_start(self)
        if not network.code.unit:
            raise must(
                "the code", "have values in (0, 1) for KLSparsity", network.code, "Use code=SigmoidCode()"
            )


class BitBalance(Penalty):
    """Bits that are even and say different things: mean_j m_j^2 + sum_(i != j) C_ij^2 / k.

    m_j is the mean of unit j over the batch and C = z^T z / n, for z in {-1, 1}: a bit that is on for half of
    the rows has m_j = 0, two that are independent have C_ij = 0 (Weiss et al. 2009, on what a good code is).
    Meant for `code=BinaryCode()`.
    """

    def __call__(self, trace: Trace) -> Tensor:
        """Omega, a scalar."""
        return self.code_gradient(trace.z)[0][0]

    def code_gradient(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """(2 m + 4 z (C - diag C)) / (n k)."""
        n, k = z.shape[-2:]
        mean = z.mean(-2, keepdim=True)
        shared = z.mT @ z / n
        shared = shared - torch.diag_embed(shared.diagonal(dim1=-2, dim2=-1))
        omega = (mean.square().sum((-2, -1)) + shared.square().sum((-2, -1))) / k
        return omega.view(-1), (2 * mean + 4 * (z @ shared)) / (n * k)

    def check(self, network: Any) -> None:
        """The code is made of bits."""
        if not network.code.bits:
            raise must("the code", "be made of bits for BitBalance", network.code, "Use code=BinaryCode()")


class Contraction(Penalty):
    """norm(J(x))_F^2, mean over rows: the code, or the reconstruction, should not move when x does.

    of: "reconstruction" penalises J of decoder after encoder; "encoder" is the textbook's J_f (Rifai et al.
        2011). With an untied decoder the encoder's Jacobian can be made small by shrinking the code and
        growing the decoder, which contracts nothing: use it with tied weights (a warning says so
        otherwise).
    exact: the exact value instead of an unbiased one-probe estimate, at several times the cost; a one-layer
        encoder is exact anyway.
    target: the mean of norm(J)_F^2 that shall be reached; lambda is found in training, and the weight is
        only where the search starts. It is estimated to about two percent from probes of held-out rows.
    """

    measure: ClassVar[str] = "the mean squared Jacobian norm"
    of: Literal["reconstruction", "encoder"] = "reconstruction"
    exact: bool = False
    target: float | None = None

    @property
    def goal(self) -> float | None:
        """The mean of norm(J)_F^2."""
        return self.target

    def level(self, trace: Trace) -> Tensor:
        """Mean over rows of norm(J)_F^2, over enough probes to tell."""
        probes = 1 if self.exact else max(1, ROWS // len(trace.x))
        return torch.stack([self.per_row(trace).mean() for _ in range(probes)]).mean()

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
        target = self.target
        good = target is None or 0 < target < float("inf")
        need(good, "target", "be positive, or None", target, "Use Contraction(target=1.0)")
        _check_start(self)
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


def _check_start(term: Penalty) -> None:
    """Where lambda is to be found, the search needs a start above 0."""
    rule = "be above 0 where lambda is to be found"
    need(term.goal is None or term.weight > 0, "weight", rule, term.weight, "Use weight=1.0")
