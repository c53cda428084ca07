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
from typing import Any, NamedTuple, cast

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
        self._seen: _Seen | None = None

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

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_seen": None}

    def plain(self) -> PlainChain:
        """The chain as arrays over the same memory."""
        layers = cast("list[nn.Linear]", list(self.layers))
        pairs = [(layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in layers]
        sides = [None if s is None else s.weight.detach().numpy() for s in (self.road, self.gaps)]
        return PlainChain(pairs, self.activation, *sides)

    def known(self) -> PlainChain | None:
        """The same where it says all that the chain does: nobody has put other modules, numbers or hooks into
        it. Past torch's lookup, and made once, as scoring one row takes no longer.
        """
        parts: Any = self._modules
        modules = (
            *parts["layers"]._modules.values(),
            *parts["hidden"]._modules.values(),
            parts.get("road"),
            parts.get("gaps"),
        )
        seen = self._seen
        if seen is None or seen.modules != modules:
            seen = self._seen = _look(self, modules)
        if any(seen.hooks):
            return None
        if seen.places != [owner._parameters[name].data_ptr() for owner, name in seen.numbers]:
            seen = self._seen = _look(self, modules)
        return seen.chain

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


class _Seen(NamedTuple):
    """What a chain was made of at the last look: its modules, the hooks of all, its numbers by their
    layers and where they lie, and the chain as arrays where numpy can say what it does.
    """

    modules: tuple[Any, ...]
    hooks: tuple[Any, ...]
    numbers: list[tuple[Any, str]]
    places: list[int]
    chain: PlainChain | None


def _look(chain: Chain, modules: tuple[Any, ...]) -> _Seen:
    there = [module for module in (chain, *modules) if module is not None]
    hooks = tuple(some for m in there for some in (m._forward_hooks, m._forward_pre_hooks))
    dense = [module for module in there if type(module) in (nn.Linear, TiedLinear)]
    bends = [m for m in there if type(m) is Hidden and type(m.activation) is type(chain.activation)]
    ours = len(dense) + len(bends) + 1 == len(there) and type(chain.activation) in KNOWN
    owners: list[Any] = [layer.source if type(layer) is TiedLinear else layer for layer in dense]
    ours = ours and all("weight" in owner._parameters for owner in owners)  # pruned layers have none
    if any(hooks) or not ours:
        return _Seen(modules, hooks, [], [], None)
    named = [(owner, "weight") for owner in owners] + [(layer, "bias") for layer in dense]
    numbers = [(owner, name) for owner, name in named if owner._parameters[name] is not None]
    values = [owner._parameters[name] for owner, name in numbers]
    if any(value.dtype is not torch.float32 for value in values):
        return _Seen(modules, hooks, [], [], None)
    places = [value.data_ptr() for value in values]
    return _Seen(modules, hooks, numbers, places, chain.plain())
