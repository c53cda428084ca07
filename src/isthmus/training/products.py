"""Products: the dense layers of several networks of one shape as batched matrix products.

    h W^T + b,     dL/dW = g^T h,     dL/db = sum_rows g,     g W

Every tensor has a leading axis of models, where there are several, and one call serves all of them. What a
step writes goes to memory that the next step uses again: fresh buffers cost more than small products do.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from isthmus.networks import TiedLinear
from isthmus.training.flat import Flat

__all__ = ["Layer", "Products"]


class Layer:
    """One product of a chain: weight (.., out, in), bias (.., 1, out) and their gradients."""

    def __init__(self, weight: Tensor, grad: Tensor, bias: Tensor | None, bias_grad: Tensor | None) -> None:
        many = weight.ndim == 3
        self.mm: Any = torch.bmm if many else torch.mm
        self.addmm: Any = torch.baddbmm if many else torch.addmm
        self.weight, self.turned, self.grad = weight, weight.mT, grad
        self.bias, self.bias_grad = bias, bias_grad
        self.adds = False  # whether the gradient was begun by another layer that shares the weight

    def forward(self, h: Tensor, out: Tensor) -> Tensor:
        """Write h W^T + b into `out`; without a bias, add h W^T to what stands there."""
        self.addmm(out if self.bias is None else self.bias, h, self.turned, out=out)
        return out

    def learn(self, g: Tensor, h: Tensor) -> None:
        """Write g^T h and the sum of g's rows into the gradients."""
        if self.adds:
            self.addmm(self.grad, g.mT, h, out=self.grad)
        else:
            self.mm(g.mT, h, out=self.grad)
        if self.bias_grad is not None:
            torch.sum(g, -2, out=self.bias_grad)

    def back(self, g: Tensor, out: Tensor, adds: bool = False) -> Tensor:
        """Write g W into `out`, or add it to what stands there."""
        if adds:
            self.addmm(out, g, self.weight, out=out)
        else:
            self.mm(g, self.weight, out=out)
        return out


class Products:
    """The layers of networks that lie in one matrix, in bfloat16 on request, and memory for what they
    make.
    """

    def __init__(self, flat: Flat, bf16: bool) -> None:
        self.flat, self.models = flat, len(flat.weights)
        self.weights = flat.weights.to(torch.bfloat16) if bf16 else flat.weights
        self.grads = torch.zeros_like(self.weights) if bf16 else flat.grads
        self.buffers: dict[Any, Tensor] = {}

    def layer(self, module: Any) -> Layer:
        """A dense layer of the first network as the products of all of them."""
        tied = isinstance(module, TiedLinear)
        own = module.source.weight if tied else module.weight
        weight, grad = (self.flat.stacked(m, own) for m in (self.weights, self.grads))
        if tied:
            weight, grad = weight.mT, grad.mT
        if module.bias is None:
            return Layer(weight, grad, None, None)
        bias, bias_grad = (self.flat.stacked(m, module.bias) for m in (self.weights, self.grads))
        return Layer(weight, grad, bias if self.models == 1 else bias[:, None, :], bias_grad)

    def buffer(self, like: Tensor, *key: Any) -> Tensor:
        """Memory for (.., n, width), the same at every step with as many rows; `key` ends in the width."""
        name = (like.shape[-2], *key)
        found = self.buffers.get(name)
        if found is None:
            found = self.buffers[name] = like.new_empty(*like.shape[:-1], key[-1])
        return found
