"""Products: the dense layers of several networks of one shape as batched matrix products.

    h W^T + b,     dL/dW = g^T h,     dL/db = sum_rows g,     g W

Every tensor has a leading axis of models, where there are several, and one call serves all of them. What a
step writes goes to memory that the next step uses again: fresh buffers cost more than small products do.

On one thread of a processor the gradients are numpy's products over the same memory: its calls cost a third
of torch's, and the products of nets as small as tables need take half to four fifths of the time. Forward
torch is as fast, as it adds the bias in the same call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.networks import TiedLinear
from isthmus.training.flat import Flat
from isthmus.training.threads import single_thread

__all__ = ["ArrayLayer", "Block", "Layer", "Products"]


class Block:
    """Memory (.., n, width) as torch sees it and, on one thread, as numpy does; `ones` is (1, n)."""

    __slots__ = ("_tensor", "array", "ones", "turned")
    turned: Any

    def __init__(self, tensor: Tensor | None, array: Any = None, ones: Any = None) -> None:
        self._tensor, self.array, self.ones = tensor, array, ones
        self.turned = None if array is None else array.swapaxes(-1, -2)

    @property
    def tensor(self) -> Tensor:
        """For torch; made when it is first asked for."""
        if self._tensor is None:
            self._tensor = torch.from_numpy(self.array)
        return self._tensor


class Layer:
    """One product of a chain: weight (.., out, in), bias (.., 1, out) and their gradients."""

    def __init__(self, weight: Tensor, grad: Tensor, bias: Tensor | None, bias_grad: Tensor | None) -> None:
        many = weight.ndim == 3
        self.mm: Any = torch.bmm if many else torch.mm
        self.addmm: Any = torch.baddbmm if many else torch.addmm
        self.weight, self.turned, self.grad = weight, weight.mT, grad
        self.bias, self.bias_grad = bias, bias_grad
        self.adds = False  # whether the gradient was begun by another layer that shares the weight

    def forward(self, h: Block, out: Block) -> None:
        """Write h W^T + b into `out`; without a bias, add h W^T to what stands there."""
        self.addmm(out.tensor if self.bias is None else self.bias, h.tensor, self.turned, out=out.tensor)

    def learn(self, g: Block, h: Block) -> None:
        """Write g^T h and the sum of g's rows into the gradients."""
        if self.adds:
            self.addmm(self.grad, g.tensor.mT, h.tensor, out=self.grad)
        else:
            self.mm(g.tensor.mT, h.tensor, out=self.grad)
        if self.bias_grad is not None:
            torch.sum(g.tensor, -2, out=self.bias_grad)

    def back(self, g: Block, out: Block, adds: bool = False) -> None:
        """Write g W into `out`, or add it to what stands there."""
        if adds:
            self.addmm(out.tensor, g.tensor, self.weight, out=out.tensor)
        else:
            self.mm(g.tensor, self.weight, out=out.tensor)


class ArrayLayer(Layer):
    """The same with numpy's products backwards."""

    def __init__(self, weight: Tensor, grad: Tensor, bias: Tensor | None, bias_grad: Tensor | None) -> None:
        super().__init__(weight, grad, bias, bias_grad)
        self.weight_array, self.grad_array = weight.detach().numpy(), grad.numpy()
        self.sums = None if bias_grad is None else bias_grad.unsqueeze(-2).numpy()

    def learn(self, g: Block, h: Block) -> None:
        """Write g^T h and the sum of g's rows into the gradients."""
        if self.adds:
            return super().learn(g, h)
        np.matmul(g.turned, h.array, out=self.grad_array)
        if self.sums is not None:
            np.matmul(g.ones, g.array, out=self.sums)
        return None

    def back(self, g: Block, out: Block, adds: bool = False) -> None:
        """Write g W into `out`, or add it to what stands there."""
        if adds:
            super().back(g, out, adds)
        else:
            np.matmul(g.array, self.weight_array, out=out.array)


class Products:
    """The layers of networks that lie in one matrix, in bfloat16 on request, and memory for what they
    make.
    """

    def __init__(self, flat: Flat, bf16: bool) -> None:
        self.flat, self.models = flat, len(flat.weights)
        self.weights = flat.weights.to(torch.bfloat16) if bf16 else flat.weights
        self.grads = torch.zeros_like(self.weights) if bf16 else flat.grads
        plain = self.weights.dtype in (torch.float32, torch.float64)
        self.arrays = self.weights.is_cpu and plain and single_thread()
        self.dtype = self.weights.numpy().dtype if self.arrays else None
        self.ones: dict[int, Any] = {}

    def layer(self, module: Any) -> Layer:
        """A dense layer of the first network as the products of all of them."""
        kind = ArrayLayer if self.arrays else Layer
        tied = isinstance(module, TiedLinear)
        own = module.source.weight if tied else module.weight
        weight, grad = (self.flat.stacked(m, own) for m in (self.weights, self.grads))
        if tied:
            weight, grad = weight.mT, grad.mT
        if module.bias is None:
            return kind(weight, grad, None, None)
        bias, bias_grad = (self.flat.stacked(m, module.bias) for m in (self.weights, self.grads))
        return kind(weight, grad, bias if self.models == 1 else bias[:, None, :], bias_grad)

    def block(self, memory: Any) -> Block:
        """A tensor or, on one thread, an array (.., n, width) for the layers to read."""
        if not self.arrays:
            return Block(memory)
        n = memory.shape[-2]
        if n not in self.ones:
            self.ones[n] = np.ones((1, n), dtype=self.dtype)
        if isinstance(memory, Tensor):
            return Block(memory, memory.numpy(), self.ones[n])
        return Block(None, memory, self.ones[n])

    def blocks(self, like: Tensor, widths: Sequence[int]) -> list[Block]:
        """Memory for (.., n, width) each, with as many rows as `like` has."""
        return [self.block(like.new_empty(*like.shape[:-1], width)) for width in widths]
