"""Codes: what happens at the bottleneck itself, z = code(a), where a is the encoder's output.

A code need not be narrow to be a bottleneck. `TopK(k)` lets only k numbers through, whichever they are,
which is sparsity by construction (Makhzani & Frey 2013; Gao et al. 2024); `Nested()` orders the numbers, so
that every prefix of a code is a code (Rippel et al. 2014). `SigmoidCode()` is the classical one, and what a
KL sparsity penalty needs.

>>> import torch
>>> TopK(1)(torch.tensor([[3.0, -1.0, 2.0]]))
tensor([[3., 0., 0.]])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.checks import need
from isthmus.parts import Part

if TYPE_CHECKING:
    import torch
    from torch import Generator, Tensor
else:
    from isthmus.lazily import torch

__all__ = ["BatchTopK", "BinaryCode", "Code", "LinearCode", "Nested", "ReLUCode", "SigmoidCode", "TopK"]


class Code(Part):
    """An activation of the code layer: a (n, k) -> z (n, k).

    `sparse`: it limits what passes however wide it is, so an overcomplete code cannot copy.
    `unit`: its values lie in (0, 1).
    """

    @property
    def sparse(self) -> bool:
        """Whether the code limits what passes through however wide it is."""
        return False

    @property
    def unit(self) -> bool:
        """Whether every value lies in (0, 1)."""
        return False

    @property
    def bits(self) -> bool:
        """Whether every value is -1 or 1."""
        return False

    @property
    def transparent(self) -> bool:
        """Whether z = a."""
        return False

    @property
    def closed_slope(self) -> bool:
        """Whether `slope` is written down rather than differentiated."""
        return type(self).slope is not Code.slope

    def __call__(self, a: Tensor, memory: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """Z (n, k). `generator` is given in training only.

        memory: two numbers. The trainer writes the share of training done, 0 to 1, into the first; the
        second is for the code to keep between batches.
        """
        raise NotImplementedError(f"{type(self).__name__} must define __call__")

    def slope(self, a: Tensor, z: Tensor) -> Tensor:
        """dz_j / da_j, (n, k); override it where a closed form is known, and wherever z_j depends on other
        a.
        """
        with torch.enable_grad():
            a = a if a.requires_grad else a.detach().requires_grad_()
            return torch.autograd.grad(self(a).sum(), a, create_graph=True)[0]

    def pull(self, grad: Tensor, a: Tensor, z: Tensor) -> Tensor:
        """Gradient by a from the gradient by z: grad * slope, written over `grad`."""
        return grad.mul_(self.slope(a, z))


class LinearCode(Code):
    """z = a."""

    @property
    def transparent(self) -> bool:
        """Always."""
        return True

    def __call__(self, a: Tensor, memory: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """The encoder's output as it is."""
        return a

    def slope(self, a: Tensor, z: Tensor) -> Tensor:
        """1."""
        return torch.ones_like(a)


class SigmoidCode(Code):
    """z = 1 / (1 + exp(-a))."""

    @property
    def unit(self) -> bool:
        """Always."""
        return True

    def __call__(self, a: Tensor, memory: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """The logistic function."""
        return torch.sigmoid(a)

    def slope(self, a: Tensor, z: Tensor) -> Tensor:
        """Z (1 - z)."""
        return z * (1 - z)


class ReLUCode(Code):
    """z = max(a, 0): activations that can be exactly zero, which an L1 penalty needs to be truly sparse."""

    def __call__(self, a: Tensor, memory: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """max(a, 0)."""
        return torch.relu(a)

    def slope(self, a: Tensor, z: Tensor) -> Tensor:
        """1 where the unit is on."""
        return (z > 0).to(a.dtype)

    def pull(self, grad: Tensor, a: Tensor, z: Tensor) -> Tensor:
        """Nothing passes where z = 0."""
        torch.ops.aten.threshold_backward.grad_input(grad, z, 0, grad_input=grad)
        return grad


class TopK(Code):
    """Keep the k largest positive activations of every row, zero the rest: at most k nonzeros, exactly.

    Training starts with `ease` * k of them and comes down to k by its middle: every unit gets a turn before
    they have to compete, which leaves fewer dead or doubled (Makhzani & Frey 2013, on scheduling the
    sparsity level).
    """

    k: int = 32
    ease: float = 4.0

    @property
    def sparse(self) -> bool:
        """Always."""
        return True

    def __call__(self, a: Tensor, memory: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """max(a, 0) on each row's k largest, 0 elsewhere."""
        top = torch.relu(a).topk(min(_eased(self.k, self.ease, memory, generator), a.shape[1]), dim=1)
        return torch.zeros_like(a).scatter(1, top.indices, top.values)

    def slope(self, a: Tensor, z: Tensor) -> Tensor:
        """1 where the unit is on."""
        return (z != 0).to(a.dtype)


class BatchTopK(Code):
    """Keep the k * n largest positive activations of the whole batch, so that rows share the budget as they
    need it.

    A row on its own has no batch: after training, what passes is what exceeds the mean threshold met in
    training (Bussmann et al. 2024), and k holds on average. `ease` as in `TopK`.
    """

    k: int = 32
    ease: float = 4.0

    @property
    def sparse(self) -> bool:
        """Always."""
        return True

    def __call__(self, a: Tensor, memory: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """max(a, 0) above the batch's threshold in training, above the remembered one afterwards."""
        positive = torch.relu(a)
        if generator is None and memory is not None:
            return positive * (positive > memory[1])
        keep = min(_eased(self.k, self.ease, memory, generator) * len(a), a.numel())
        threshold = positive.detach().flatten().kthvalue(a.numel() - keep + 1).values
        if memory is not None and torch.is_grad_enabled():
            memory[1] = threshold if memory[1] == 0 else memory[1].lerp(threshold.to(memory.dtype), 0.01)
        return positive * (positive >= threshold)

    def slope(self, a: Tensor, z: Tensor) -> Tensor:
        """1 where the unit is on."""
        return (z != 0).to(a.dtype)


class Nested(Code):
    """z = a with, in training, a random prefix of every row's code kept: the first numbers learn to do most.

    The prefix length is uniform on 1..k (Rippel et al. 2014, "nested dropout"). Every prefix of the code is
    a code; `Autoencoder.truncate(k)` gives the smaller model.

    full: share of the rows that keep the whole code whatever is drawn, so that the last numbers, which
        otherwise one row in k trains, are not neglected.
    """

    full: float = 0.0

    def __call__(self, a: Tensor, memory: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """a, its tail zeroed at a random place in training."""
        if generator is None:
            return a
        k = a.shape[1]
        kept = torch.randint(1, k + 1, (len(a), 1), generator=generator, device=a.device)
        if self.full > 0:
            whole = torch.rand((len(a), 1), generator=generator, device=a.device) < self.full
            kept = kept.masked_fill(whole, k)
        return a * (torch.arange(k, device=a.device) < kept)

    def slope(self, a: Tensor, z: Tensor) -> Tensor:
        """1 where the prefix reaches."""
        return (z != 0).to(a.dtype)


class BinaryCode(Code):
    """z = sign(a) in {-1, 1}: bits, trained as bits (semantic hashing, Salakhutdinov & Hinton 2009).

    The decoder sees bits from the first step on. The sign has no slope, so the encoder learns through that of
    tanh(a) instead (straight-through, Bengio et al. 2013). In training Gaussian noise of deviation `noise` is
    added to a before the sign is taken, less and less until it ends: bits must be told clearly, and rows near
    the border between two codes are tried on both sides. `BitBalance` keeps bits even and independent.
    """

    noise: float = 0.5

    @property
    def bits(self) -> bool:
        """Always."""
        return True

    def __call__(self, a: Tensor, memory: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """-1 or 1 by the sign of a; 0 counts as 1."""
        need(self.noise >= 0, "noise", "be at least 0", self.noise, "Use BinaryCode(noise=0.5)")
        shown = a
        if generator is not None and self.noise:
            left = 1.0 if memory is None else max(0.0, 1 - float(memory[0]))
            drawn = torch.randn(a.shape, generator=generator, dtype=a.dtype, device=a.device)
            shown = a + self.noise * left * drawn
        bits = torch.where(shown >= 0, 1.0, -1.0).to(a.dtype)
        if not (torch.is_grad_enabled() and a.requires_grad):
            return bits
        soft = torch.tanh(a)
        return bits.detach() + soft - soft.detach()

    def slope(self, a: Tensor, z: Tensor) -> Tensor:
        """1 - tanh(a)^2, that of what stands in for the sign."""
        return 1 - torch.tanh(a).square()


def _eased(k: int, ease: float, memory: Tensor | None, generator: Generator | None) -> int:
    """How many may pass: k, or in the first half of training more, from ease * k down to k in equal
    ratios.
    """
    need(isinstance(k, int) and k >= 1, "k", "be a whole number of at least 1", k, "Use TopK(k=32)")
    need(ease >= 1, "ease", "be at least 1", ease, "Use TopK(k=32, ease=4.0)")
    if memory is None or generator is None or not torch.is_grad_enabled():
        return k
    still = max(0.0, 1 - 2 * float(memory[0]))
    eased: int = round(k * ease**still)
    return eased
