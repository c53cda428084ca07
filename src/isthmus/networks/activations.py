"""Activations with their slopes: h = phi(a) and phi'(a), elementwise.

The slope is written down, not traced, because the contractive penalty and every Jacobian report multiply
slopes along the chain of layers; a closed form costs one elementwise product where differentiating twice
costs a second backward.

>>> import torch
>>> Tanh().slope(torch.zeros(1))
tensor([1.])
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isthmus.parts import Part

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    from isthmus.lazily import torch

__all__ = ["KNOWN", "Activation", "ReLU", "SiLU", "Sigmoid", "Tanh"]

Array = NDArray[np.float32]
ZERO, INFINITY = np.zeros((), np.float32), np.full((), np.inf, np.float32)  # arrays: converted once
LAST = np.full((), 31, np.int32)  # bits from the first one of a float32


class Activation(Part):
    """An elementwise function phi of a tensor of any shape; `slope(a)` is phi'(a)."""

    def __call__(self, a: Tensor) -> Tensor:
        """phi(a)."""
        raise NotImplementedError

    def slope(self, a: Tensor) -> Tensor:
        """phi'(a)."""
        raise NotImplementedError

    def of_array(self, a: Array) -> Array:
        """phi(a) of an array."""
        h: Array = self(torch.from_numpy(a)).numpy()
        return h

    def array_into(self, a: Array, h: Array) -> None:
        """Write phi(a) into h, and over a what `array_pull` needs of it."""
        raise NotImplementedError

    def array_pull(self, grad: Array, a: Array, h: Array) -> None:
        """Write grad * phi'(a) over `grad`, from what `array_into` left in a and h, which may be lost."""
        raise NotImplementedError

    def by_heart(self) -> tuple[Callable[..., None], Callable[..., Tensor]]:
        """`into` and `pull` of this very function, or what follows from phi and its slope where they are
        another's: a class made of one of ours may define phi alone.
        """
        into, pull = self.into, self.pull
        if self._place("into") > self._place("__call__"):
            into = partial(Activation.into, self)
        if self._place("pull") > min(self._place("__call__"), self._place("slope")):
            pull = partial(Activation.pull, self)
        return into, pull

    def _place(self, name: str) -> int:
        """How far up the classes a method is defined."""
        return next(place for place, kind in enumerate(type(self).__mro__) if name in vars(kind))

    def into(self, a: Tensor, h: Tensor) -> None:
        """Write phi(a) into h, which nobody differentiates."""
        h.copy_(self(a))

    def pull(self, grad: Tensor, a: Tensor, h: Tensor) -> Tensor:
        """Gradient by a from the gradient by h = phi(a): grad * phi'(a), written over `grad`.

        A fused kernel where torch has one.
        """
        return grad.mul_(self.slope(a))


class ReLU(Activation):
    """max(a, 0)."""

    def __call__(self, a: Tensor) -> Tensor:
        """max(a, 0)."""
        return torch.relu(a)

    def slope(self, a: Tensor) -> Tensor:
        """1 where a > 0, else 0."""
        return (a > 0).to(a.dtype)

    def of_array(self, a: Array) -> Array:
        """max(a, 0)."""
        return np.maximum(a, 0)

    def array_into(self, a: Array, h: Array) -> None:
        """Write max(a, 0) into h, as a clip, which numpy makes in a third of the time of a maximum."""
        a.clip(ZERO, INFINITY, out=h)

    def array_pull(self, grad: Array, a: Array, h: Array) -> None:
        """Nothing passes where h = 0; the bits of a positive float, negated, begin with the one of a mask."""
        mask, bits = a.view(np.int32), grad.view(np.int32)
        np.negative(h.view(np.int32), out=mask)
        np.right_shift(mask, LAST, out=mask)
        np.bitwise_and(bits, mask, out=bits)

    def into(self, a: Tensor, h: Tensor) -> None:
        """Write max(a, 0) into h."""
        torch.clamp_min(a, 0, out=h)

    def pull(self, grad: Tensor, a: Tensor, h: Tensor) -> Tensor:
        """Nothing passes where h = 0."""
        torch.ops.aten.threshold_backward.grad_input(grad, h, 0, grad_input=grad)
        return grad


class SiLU(Activation):
    """a * sigmoid(a): smooth, so Jacobians exist everywhere (Elfwing et al. 2018)."""

    def __call__(self, a: Tensor) -> Tensor:
        """A * sigmoid(a)."""
        return torch.nn.functional.silu(a)

    def slope(self, a: Tensor) -> Tensor:
        """S + a s (1 - s) with s = sigmoid(a)."""
        s = torch.sigmoid(a)
        return s * (1 + a * (1 - s))

    def of_array(self, a: Array) -> Array:
        """A (1 + tanh(a / 2)) / 2, which does not overflow."""
        half = 0.5 * a
        h: Array = half * np.tanh(half) + half
        return h

    def array_into(self, a: Array, h: Array) -> None:
        """Write a s into h, and s = sigmoid(a) over a."""
        np.copyto(h, a)
        _sigmoid(a, a)
        h *= a

    def array_pull(self, grad: Array, a: Array, h: Array) -> None:
        """Times s + h (1 - s)."""
        np.subtract(h, h * a, out=h)
        h += a
        grad *= h

    def into(self, a: Tensor, h: Tensor) -> None:
        """Write a * sigmoid(a) into h."""
        torch.ops.aten.silu.out(a, out=h)

    def pull(self, grad: Tensor, a: Tensor, h: Tensor) -> Tensor:
        """Times s + a s (1 - s)."""
        torch.ops.aten.silu_backward.grad_input(grad, a, grad_input=grad)
        return grad


class Sigmoid(Activation):
    """1 / (1 + exp(-a))."""

    def __call__(self, a: Tensor) -> Tensor:
        """1 / (1 + exp(-a))."""
        return torch.sigmoid(a)

    def slope(self, a: Tensor) -> Tensor:
        """S (1 - s)."""
        s = torch.sigmoid(a)
        return s * (1 - s)

    def of_array(self, a: Array) -> Array:
        """1 / (1 + exp(-a))."""
        h = np.empty_like(a)
        with np.errstate(over="ignore"):
            _sigmoid(a, h)
        return h

    def array_into(self, a: Array, h: Array) -> None:
        """Write 1 / (1 + exp(-a)) into h."""
        _sigmoid(a, h)

    def array_pull(self, grad: Array, a: Array, h: Array) -> None:
        """Times h (1 - h)."""
        h -= h * h
        grad *= h

    def into(self, a: Tensor, h: Tensor) -> None:
        """Write 1 / (1 + exp(-a)) into h."""
        torch.sigmoid(a, out=h)

    def pull(self, grad: Tensor, a: Tensor, h: Tensor) -> Tensor:
        """Times h (1 - h)."""
        torch.ops.aten.sigmoid_backward.grad_input(grad, h, grad_input=grad)
        return grad


class Tanh(Activation):
    """tanh(a)."""

    def __call__(self, a: Tensor) -> Tensor:
        """tanh(a)."""
        return torch.tanh(a)

    def slope(self, a: Tensor) -> Tensor:
        """1 - tanh(a)^2."""
        return 1 - torch.tanh(a).square()

    def of_array(self, a: Array) -> Array:
        """tanh(a)."""
        return np.tanh(a)

    def array_into(self, a: Array, h: Array) -> None:
        """Write tanh(a) into h."""
        np.tanh(a, out=h)

    def array_pull(self, grad: Array, a: Array, h: Array) -> None:
        """Times 1 - h^2."""
        np.subtract(1, h * h, out=h)
        grad *= h

    def into(self, a: Tensor, h: Tensor) -> None:
        """Write tanh(a) into h; on one thread numpy takes a sixth of the time that torch does."""
        if a.is_cpu and a.dtype is torch.float32 and torch.get_num_threads() == 1:
            np.tanh(a.numpy(), out=h.numpy())
        else:
            torch.tanh(a, out=h)

    def pull(self, grad: Tensor, a: Tensor, h: Tensor) -> Tensor:
        """Times 1 - h^2."""
        torch.ops.aten.tanh_backward.grad_input(grad, h, grad_input=grad)
        return grad


KNOWN = (ReLU, SiLU, Sigmoid, Tanh)  # of arrays as well; one that is made of them may not be


def _sigmoid(a: Array, out: Array) -> None:
    """Write 1 / (1 + exp(-a)) into `out`; 0 where exp(-a) overflows: callers hush the warning."""
    np.exp(np.negative(a, out=out), out=out)
    out += 1
    np.divide(1, out, out=out)
