"""A chain of dense layers with an optional linear road beside it.

    h_0 = x,   a_l = W_l h_(l-1) + b_l,   h_l = phi(a_l),   out = a_L + S x

The last layer has no activation. S is the linear road: with the layers' last weights at zero and S set to
the leading principal axes, the chain *is* PCA before the first step of training, and training can only add
to it.

A chain may also be shown its gaps: G [x = 0] is added to a_1, where [x = 0] marks the features that are
blank. It is flat almost everywhere in x, so no slope changes.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from isthmus.networks.activations import KNOWN, Activation
from isthmus.networks.plain import PlainChain

__all__ = ["Chain", "Hidden", "TiedLinear"]


class TiedLinear(nn.Module):
    """x @ W + b, where W is another layer's weight (used transposed) and only b is this layer's own."""

    def __init__(self, source: nn.Linear) -> None:
        super().__init__()
        self._source = (source,)  # in a tuple, so that the shared weight is registered and saved once
        self.bias = nn.Parameter(torch.zeros(source.in_features))

    @property
    def source(self) -> nn.Linear:
        """The layer it is tied to."""
        return self._source[0]

    @property
    def weight(self) -> Tensor:
        """(out, in): the transposed weight of the layer it is tied to."""
        return self.source.weight.t()

    def forward(self, x: Tensor) -> Tensor:
        """(n, in) -> (n, out)."""
        return nn.functional.linear(x, self.weight, self.bias)


class Hidden(nn.Module):
    """An activation as a module, so that a hidden layer has a name (`encoder.hidden.0`) and can be
    watched.
    """

    def __init__(self, activation: Activation) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, a: Tensor) -> Tensor:
        return self.activation(a)


class Chain(nn.Module):
    """Dense layers `widths[0] -> ... -> widths[-1]`, an activation between each two, and maybe a linear
    road.
    """

    def __init__(
        self, layers: Sequence[nn.Module], activation: Activation, road: nn.Linear | None = None
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.hidden = nn.ModuleList(Hidden(activation) for _ in layers[1:])
        self.road = road
        self.gaps: nn.Linear | None = None
        self.activation = activation
        self._view: tuple[list[int] | None, PlainChain] | None = None

    @classmethod
    def dense(cls, widths: Sequence[int], activation: Activation, road: bool = False) -> Chain:
        """A fresh chain; with a road its last layer starts at zero."""
        layers = [nn.Linear(a, b) for a, b in itertools.pairwise(widths)]
        for layer in layers:
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="linear")
            nn.init.zeros_(layer.bias)
        if not road:
            return cls(layers, activation)
        nn.init.zeros_(layers[-1].weight)
        return cls(layers, activation, nn.Linear(widths[0], widths[-1], bias=False))

    @classmethod
    def over(cls, plain: PlainChain) -> Chain:
        """The same chain with its weights in the same memory."""
        layers = [_over(weight, bias) for weight, bias in plain.layers]
        chain = cls(layers, plain.activation, None if plain.road is None else _over(plain.road))
        chain.gaps = None if plain.gaps is None else _over(plain.gaps)
        return chain

    def show_gaps(self) -> None:
        """Let the first layer see which features are blank, to no effect until trained."""
        self.gaps = nn.Linear(self.first.in_features, self.first.out_features, bias=False)
        nn.init.zeros_(self.gaps.weight)

    @classmethod
    def tied_to(cls, encoder: Chain) -> Chain:
        """The mirror image of `encoder`, with its weights transposed and biases of its own."""
        layers = [TiedLinear(cast("nn.Linear", layer)) for layer in reversed(list(encoder.layers))]
        return cls(layers, encoder.activation)

    @property
    def first(self) -> nn.Linear:
        """The first layer (a `TiedLinear` has the same weight and bias)."""
        return cast("nn.Linear", self.layers[0])

    @property
    def last(self) -> nn.Linear:
        """The last layer."""
        return cast("nn.Linear", self.layers[-1])

    @property
    def widths(self) -> list[int]:
        """Numbers that come out of each layer."""
        return [len(layer.bias) for layer in self.layers]  # type: ignore[arg-type]

    @property
    def is_tied(self) -> bool:
        """Whether the weights belong to another chain."""
        return isinstance(self.layers[0], TiedLinear)

    def forward(self, x: Tensor) -> Tensor:
        """(n, widths[0]) -> (n, widths[-1])."""
        return self.taped(x)[0]

    @property
    def is_plain(self) -> bool:
        """Whether numpy alone can apply it: nobody has put other modules, numbers or hooks into it."""
        return self._places() is not None

    def of_array(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same of an array, in numpy, which calls and imports nothing of torch."""
        return self.plain().of_array(x)

    def plain(self) -> PlainChain:
        """The chain as arrays over the same memory, made once."""
        places = self._places()
        if self._view is None or places is None or self._view[0] != places:
            layers = cast("list[nn.Linear]", list(self.layers))
            pairs = [(layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in layers]
            sides = [None if s is None else s.weight.detach().numpy() for s in (self.road, self.gaps)]
            self._view = (places, PlainChain(pairs, self.activation, *sides))
        return self._view[1]

    def _places(self) -> list[int] | None:
        """Where the numbers lie in memory, past torch's lookup, as dear as the products; None where numpy
        cannot say what the chain does.
        """
        parts: Any = self._modules
        if type(self.activation) not in KNOWN or _hooked(self):
            return None
        for hidden in parts["hidden"]._modules.values():
            if (
                type(hidden) is not Hidden
                or type(hidden.activation) is not type(self.activation)
                or _hooked(hidden)
            ):
                return None
        places: list[int] = []
        for layer in (*parts["layers"]._modules.values(), parts.get("road"), parts.get("gaps")):
            if layer is not None and not _placed(layer, places):
                return None
        return places

    def taped(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The output and the pre-activations a_1 ... a_(L-1), from which every slope follows."""
        tape: list[Tensor] = []
        a: Tensor = self.first(x)
        if self.gaps is not None:
            a = a + self.gaps((x == 0).to(x.dtype))
        for hidden, layer in zip(self.hidden, self.layers[1:], strict=True):
            tape.append(a)
            a = layer(hidden(a))
        return (a if self.road is None else a + self.road(x)), tape


def _over(weight: NDArray[np.float32], bias: NDArray[np.float32] | None = None) -> nn.Linear:
    """A dense layer whose numbers lie where these arrays do."""
    outputs, inputs = weight.shape
    layer = nn.Linear(inputs, outputs, bias=bias is not None, device="meta")
    layer.weight = nn.Parameter(torch.from_numpy(weight))
    if bias is not None:
        layer.bias = nn.Parameter(torch.from_numpy(bias))
    return layer


def _hooked(module: Any) -> bool:
    """Whether something else happens when it is called."""
    return bool(module._forward_hooks or module._forward_pre_hooks)


def _placed(layer: Any, places: list[int]) -> bool:
    """Add where a dense layer's numbers lie; False for another module, or numbers of another kind."""
    kind = type(layer)
    if kind not in (nn.Linear, TiedLinear) or _hooked(layer):
        return False
    weight = (layer.source if kind is TiedLinear else layer)._parameters.get("weight")
    for numbers in (weight, layer._parameters["bias"]):
        if numbers is not None:
            places.append(numbers.data_ptr())
    return weight is not None and weight.dtype is torch.float32
