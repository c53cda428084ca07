"""Filters: the torch modules of `ConvNet`, down to a code and back up."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from isthmus.networks.activations import Activation
from isthmus.networks.chain import Hidden

if TYPE_CHECKING:
    from isthmus.networks.conv import Grid, Step

__all__ = ["Down", "Up"]

GENTLE = 0.3  # the decoder's dense layer begins so much smaller: it then learns features, not random ones


class Down(nn.Module):
    """x (n, d) -> the grid, filters, and a dense layer to (n, n_components)."""

    def __init__(
        self, grid: Grid, steps: list[Step], width: int | None, activation: Activation, road: bool
    ) -> None:
        super().__init__()
        self.grid = grid
        self.layers = nn.ModuleList(_down(step) for step in steps)
        # without a dense layer the last filters are the code, which has an activation of its own
        self.hidden = nn.ModuleList(Hidden(activation) for _ in (steps if width else steps[1:]))
        self.last = nn.Linear(steps[-1].features, width) if width else None
        self.road = nn.Linear(grid.width, width, bias=False) if width and road else None
        if self.last is not None:
            _initialise(self.last, 0 if road else self.last.in_features)

    def forward(self, x: Tensor) -> Tensor:
        """(n, d) -> (n, k)."""
        h = self.grid.unflatten(x)
        for number, layer in enumerate(self.layers):
            h = layer(h)
            if number < len(self.hidden):
                h = self.hidden[number](h)
        a: Tensor = h.flatten(1)
        if self.last is not None:
            a = self.last(a)
        return a if self.road is None else a + self.road(x)


class Up(nn.Module):
    """z (n, n_components) -> a dense layer, filters back up, and the grid as a flat row (n, d)."""

    def __init__(
        self, grid: Grid, steps: list[Step], width: int | None, activation: Activation, road: bool
    ) -> None:
        super().__init__()
        self.grid = grid
        self.start = (steps[-1].outputs, *steps[-1].left_sizes)
        self.first = nn.Linear(width, steps[-1].features) if width else None
        self.hidden = nn.ModuleList(Hidden(activation) for _ in steps)
        self.layers = nn.ModuleList(_up(step) for step in reversed(steps))
        self.road = nn.Linear(width, grid.width, bias=False) if width and road else None
        self.mean = nn.Parameter(torch.zeros(grid.width))  # a bias for every place, where filters share one
        if self.first is not None:
            _initialise(self.first, self.first.in_features, GENTLE)
        if road:
            nn.init.zeros_(cast("Tensor", self.layers[-1].weight))

    def forward(self, z: Tensor) -> Tensor:
        """(n, k) -> (n, d)."""
        h = (z if self.first is None else self.first(z)).unflatten(1, self.start)
        if h.dim() == 4:
            h = h.contiguous(memory_format=torch.channels_last)
        for hidden, layer in zip(self.hidden, self.layers, strict=True):
            h = layer(hidden(h))
        output = self.grid.flatten(h) + self.mean
        return output if self.road is None else output + self.road(z)


def _down(step: Step) -> nn.Module:
    """The convolution."""
    kind = nn.Conv1d if len(step.kernel) == 1 else nn.Conv2d
    layer = kind(step.inputs, step.outputs, step.kernel, step.stride, step.padding)  # type: ignore[arg-type]
    return _initialise(layer, step.inputs * math.prod(step.kernel))


def _up(step: Step) -> nn.Module:
    """The transposed convolution, back to the sizes before."""
    kind = nn.ConvTranspose1d if len(step.kernel) == 1 else nn.ConvTranspose2d
    layer = kind(step.outputs, step.inputs, step.kernel, step.stride, step.padding, step.remainder)  # type: ignore[arg-type]
    return _initialise(layer, step.outputs * math.prod(step.kernel) // math.prod(step.stride))


def _initialise(layer: nn.Module, seen: int, share: float = 1.0) -> nn.Module:
    """Weights that keep the size of what passes, `seen` numbers being summed (He et al. 2015), or a share of
    it; 0 is zero.
    """
    bound = share * math.sqrt(6 / seen) if seen else 0.0
    nn.init.uniform_(cast("Tensor", layer.weight), -bound, bound)
    nn.init.zeros_(cast("Tensor", layer.bias))
    return layer
