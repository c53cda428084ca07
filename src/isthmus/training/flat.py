"""Flat: the trainable parameters of several networks of one shape as the rows of one matrix.

Each parameter becomes a view into its network's row, and so does its gradient. The optimiser, the norm of
the gradient, a copy of the best weights or a sum over several processes are then one operation each,
however many layers there are; and a batched product reads the same layer of all networks as one tensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.checks import DataError

__all__ = ["Flat"]


class Flat:
    """`weights` and `grads`, both (models, parameters)."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        self.networks = list(networks)
        self.parameters = [[p for p in n.parameters() if p.requires_grad] for n in self.networks]
        first = self.parameters[0]
        kinds = {(p.dtype, p.device) for p in first} or {(torch.float32, torch.device("cpu"))}
        if len(kinds) > 1:
            raise DataError(f"parameters must share one dtype and device; got {len(kinds)} kinds. Use one.")
        dtype, device = kinds.pop()
        self.starts = [0]
        for p in first:
            self.starts.append(self.starts[-1] + p.numel())
        self.weights = torch.empty(len(self.networks), self.starts[-1], dtype=dtype, device=device)
        self.grads = torch.zeros_like(self.weights)
        self._place = {id(p): i for i, p in enumerate(first)}
        for row, parameters in enumerate(self.parameters):
            for i, p in enumerate(parameters):
                self._part(self.weights[row], i).copy_(p.data)
                p.data, p.grad = self._part(self.weights[row], i), self._part(self.grads[row], i)

    def _part(self, row: Tensor, i: int) -> Tensor:
        return row[self.starts[i] : self.starts[i + 1]].view(self.parameters[0][i].shape)

    def stacked(self, matrix: Tensor, parameter: Tensor) -> Tensor:
        """The entries of `matrix` (models, parameters) for one parameter of the first network.

        (models, *shape); without the first axis where there is one model. A view, nothing is copied.
        """
        i = self._place[id(parameter)]
        shape = self.parameters[0][i].shape
        if len(matrix) == 1:
            return self._part(matrix[0], i)
        return matrix[:, self.starts[i] : self.starts[i + 1]].view(len(matrix), *shape)

    def hush(self, share: float) -> None:
        """Set to 0 what is less than a share of the largest entry of its network's gradient."""
        size = self.grads.abs()
        self.grads.mul_(size >= share * size.amax(1, keepdim=True))

    def norms(self) -> list[float]:
        """Norm of every network's gradient, in ordinary memory."""
        lying, standing = self._views
        return cast("list[float]", np.sqrt((lying @ standing).ravel()).tolist())

    @cached_property
    def _views(self) -> tuple[Any, Any]:
        """The gradients as rows and as columns."""
        array = self.grads.numpy()
        return array[:, None, :], array[:, :, None]

    def release(self) -> None:
        """Give every parameter memory of its own again, and no gradient."""
        for parameters in self.parameters:
            for p in parameters:
                p.data, p.grad = p.data.clone(), None
