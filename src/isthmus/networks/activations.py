"""Activations with their slopes: h = phi(a) and phi'(a), elementwise.

The slope is written down, not traced, because the contractive penalty and every Jacobian report multiply
slopes along the chain of layers; a closed form costs one elementwise product where differentiating twice
costs a second backward.

>>> import torch
>>> Tanh().slope(torch.zeros(1))
tensor([1.])
"""

from __future__ import annotations

import torch
from torch import Tensor

from isthmus.parts import Part

__all__ = ["Activation", "ReLU", "SiLU", "Sigmoid", "Tanh"]


class Activation(Part):
    """An elementwise function phi of a tensor of any shape; `slope(a)` is phi'(a)."""

    def __call__(self, a: Tensor) -> Tensor:
        """phi(a)."""
        raise NotImplementedError

    def slope(self, a: Tensor) -> Tensor:
        """phi'(a)."""
        raise NotImplementedError


class ReLU(Activation):
    """max(a, 0)."""

    def __call__(self, a: Tensor) -> Tensor:
        """max(a, 0)."""
        return torch.relu(a)

    def slope(self, a: Tensor) -> Tensor:
        """1 where a > 0, else 0."""
        return (a > 0).to(a.dtype)


class SiLU(Activation):
    """a * sigmoid(a): smooth, so Jacobians exist everywhere (Elfwing et al. 2018)."""

    def __call__(self, a: Tensor) -> Tensor:
        """A * sigmoid(a)."""
        return torch.nn.functional.silu(a)

    def slope(self, a: Tensor) -> Tensor:
        """S + a s (1 - s) with s = sigmoid(a)."""
        s = torch.sigmoid(a)
        return s * (1 + a * (1 - s))


class Sigmoid(Activation):
    """1 / (1 + exp(-a))."""

    def __call__(self, a: Tensor) -> Tensor:
        """1 / (1 + exp(-a))."""
        return torch.sigmoid(a)

    def slope(self, a: Tensor) -> Tensor:
        """S (1 - s)."""
        s = torch.sigmoid(a)
        return s * (1 - s)


class Tanh(Activation):
    """tanh(a)."""

    def __call__(self, a: Tensor) -> Tensor:
        """tanh(a)."""
        return torch.tanh(a)

    def slope(self, a: Tensor) -> Tensor:
        """1 - tanh(a)^2."""
        return 1 - torch.tanh(a).square()
