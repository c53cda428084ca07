"""Plain networks: dense layers as arrays, applied by numpy alone.

What is small and dense needs no torch: importing it takes longer than fitting such a network, and calling it
longer than the products of a few rows. A torch network over the same memory is one call away (`module`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.lazily import fetched
from isthmus.networks.activations import Activation

if TYPE_CHECKING:
    from isthmus.codes import Code
    from isthmus.networks.mersenne import Mersenne
    from isthmus.networks.network import Network

__all__ = ["PlainChain", "PlainNetwork"]

Array = NDArray[np.float32]

HALVES = ("encoder", "decoder")
MEMORY: dict[str, tuple[int, ...]] = {"memory": (2,)}
FEW = 16  # rows up to which they are taken as they come; a product of more has no rest for other kernels


class PlainChain:
    """Dense layers, an activation between each two, and maybe a linear road beside them (`Chain` says more).

    layers: weights (out, in) and biases (out,). road: (out of the last, in of the first). gaps: (out of the
    first, in of the first).
    """

    def __init__(
        self,
        layers: Sequence[tuple[Array, Array]],
        activation: Activation,
        road: Array | None = None,
        gaps: Array | None = None,
    ) -> None:
        self.layers, self.activation, self.road, self.gaps = list(layers), activation, road, gaps
        sides = (None if side is None else side.swapaxes(-1, -2) for side in (road, gaps))
        self._turned = _Turned([weight.swapaxes(-1, -2) for weight, _ in layers], *sides)

    @classmethod
    def dense(
        cls, widths: Sequence[int], activation: Activation, road: bool, generator: Mersenne
    ) -> PlainChain:
        """A fresh chain, with the weights that `Chain.dense` draws; with a road its last layer is zero."""
        shapes = [(outputs, inputs) for inputs, outputs in itertools.pairwise(widths)]
        generator.skip(sum(outputs * (inputs + 1) for outputs, inputs in shapes))  # torch draws unasked first
        layers = [
            (generator.uniform(shape, math.sqrt(3.0) / math.sqrt(shape[1])), np.zeros(shape[0], np.float32))
            for shape in shapes
        ]
        if not road:
            return cls(layers, activation)
        layers[-1][0][:] = 0
        generator.skip(widths[0] * widths[-1])  # set_roads writes these weights
        return cls(layers, activation, np.zeros((widths[-1], widths[0]), np.float32))

    def __reduce__(self) -> Any:
        return PlainChain, (self.layers, self.activation, self.road, self.gaps)

    def show_gaps(self, generator: Mersenne) -> PlainChain:
        """The same chain shown which features are blank, to no effect until trained."""
        shape = self.layers[0][0].shape
        generator.skip(shape[0] * shape[1])
        return PlainChain(self.layers, self.activation, self.road, np.zeros(shape, np.float32))

    def plain(self) -> PlainChain:
        """The chain itself, as of a torch `Chain` the arrays."""
        return self

    @property
    def widths(self) -> list[int]:
        """Numbers that come out of each layer."""
        return [bias.shape[-1] for _, bias in self.layers]

    def arrays(self) -> list[Array]:
        """All weights and biases."""
        sides = [side for side in (self.road, self.gaps) if side is not None]
        return [*itertools.chain.from_iterable(self.layers), *sides]

    @staticmethod
    def shapes(widths: Sequence[int], road: bool, gaps: bool) -> dict[str, tuple[int, ...]]:
        """The shapes of weights and biases by the names that `Chain` gives them."""
        found: dict[str, tuple[int, ...]] = {}
        for i, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
            found |= {f"layers.{i}.weight": (outputs, inputs), f"layers.{i}.bias": (outputs,)}
        found |= {"road.weight": (widths[-1], widths[0])} if road else {}
        return found | ({"gaps.weight": (widths[1], widths[0])} if gaps else {})

    @classmethod
    def named(cls, arrays: Mapping[str, Array], activation: Activation) -> PlainChain:
        """The chain of these weights and biases."""
        count = sum(name.endswith(".bias") for name in arrays)
        layers = [(arrays[f"layers.{i}.weight"], arrays[f"layers.{i}.bias"]) for i in range(count)]
        return cls(layers, activation, arrays.get("road.weight"), arrays.get("gaps.weight"))

    def state_dict(self) -> dict[str, Array]:
        """Weights and biases by the names that `Chain` gives them."""
        widths = self.layers[0][0].shape[1], *self.widths
        names = self.shapes(widths, self.road is not None, self.gaps is not None)
        return dict(zip(names, self.arrays(), strict=True))

    def over(self, memory: Iterator[Array]) -> PlainChain:
        """A chain of the same shape whose weights and biases are the next ones of `memory`."""
        layers = [(next(memory), next(memory)) for _ in self.layers]
        sides = [None if side is None else next(memory) for side in (self.road, self.gaps)]
        return PlainChain(layers, self.activation, *sides)

    def of_array(self, x: Array) -> Array:
        """X (n, in) -> (n, out); a row among many comes out with the same bits wherever it stands."""
        if len(x) <= FEW:
            return self._passed(x, self._turned)
        padded = np.zeros((-(-len(x) // FEW) * FEW, x.shape[1]), x.dtype)
        padded[: len(x)] = x
        return self._passed(padded, _Turned(*map(_contiguous, self._turned)))[: len(x)]

    def _passed(self, x: Array, turned: _Turned) -> Array:
        """The output for x."""
        h = x
        for i, weight in enumerate(turned.weights):
            if i:
                h = self.activation.of_array(h)
            h = h @ weight
            h += self.layers[i][1]
            if i == 0 and turned.gaps is not None:
                h += (x == 0).astype(x.dtype) @ turned.gaps
        return h if turned.road is None else h + x @ turned.road


class _Turned(NamedTuple):
    """Transposed weights."""

    weights: list[Array]
    road: Array | None
    gaps: Array | None


def _contiguous(some: Any) -> Any:
    """With numbers in order in memory."""
    if isinstance(some, list):
        return [np.ascontiguousarray(array) for array in some]
    return None if some is None else np.ascontiguousarray(some)


class PlainNetwork:
    """Encoder and decoder as arrays in one block of memory, `weights` (parameters,), and z = a between."""

    is_dense = True

    def __init__(self, encoder: PlainChain, code: Code, decoder: PlainChain) -> None:
        self.code, self.encoder, self.decoder = code, encoder, decoder
        self.lie(np.concatenate([part.ravel() for part in (*encoder.arrays(), *decoder.arrays())]))

    def lie(self, weights: Array) -> None:
        """Have `weights` (parameters,), and nothing else, as memory."""
        self.weights = weights
        self.encoder, self.decoder = self.over(weights)

    def known(self, half: str) -> PlainChain:
        """The encoder or decoder."""
        return self.encoder if half == "encoder" else self.decoder

    @property
    def size(self) -> int:
        """Number of weights and biases."""
        return self.weights.size

    @property
    def largest(self) -> int:
        """Weights of the largest layer."""
        return max(part.size for part in (*self.encoder.arrays(), *self.decoder.arrays()))

    def train(self) -> None:
        """Nothing: training and use are alike."""

    eval = train

    @staticmethod
    def shapes(widths: Sequence[int], road: bool, gaps: bool) -> dict[str, tuple[int, ...]]:
        """The shapes of what `state_dict` holds, for these widths on the way down."""
        halves = PlainChain.shapes(widths, road, gaps), PlainChain.shapes(widths[::-1], road, False)
        named = zip(HALVES, halves, strict=True)
        return {f"{half}.{name}": shape for half, some in named for name, shape in some.items()} | MEMORY

    @classmethod
    def named(cls, arrays: Mapping[str, Any], code: Code, activation: Activation) -> PlainNetwork:
        """The network of these weights and biases."""
        numbers = {name: np.asarray(array, np.float32) for name, array in arrays.items()}

        def half(start: str) -> PlainChain:
            own = {name.removeprefix(start): a for name, a in numbers.items() if name.startswith(start)}
            return PlainChain.named(own, activation)

        encoder, decoder = (half(f"{name}.") for name in HALVES)
        return cls(encoder, code, decoder)

    def state_dict(self) -> dict[str, Array]:
        """Weights and biases by the names that `Network` gives them, and the memory its code would have."""
        halves = zip(HALVES, (self.encoder, self.decoder), strict=True)
        found = {f"{half}.{name}": a for half, chain in halves for name, a in chain.state_dict().items()}
        return found | {name: np.zeros(shape, np.float32) for name, shape in MEMORY.items()}

    def __reduce__(self) -> Any:
        return PlainNetwork, (self.encoder, self.code, self.decoder)

    def over(self, memory: Array) -> tuple[PlainChain, PlainChain]:
        """Chains like these two over other memory (.., parameters), of several networks where it has rows."""

        def parts() -> Iterator[Array]:
            start = 0
            for like in (*self.encoder.arrays(), *self.decoder.arrays()):
                part = memory[..., start : start + like.size]
                yield part.reshape(*memory.shape[:-1], *like.shape)
                start += like.size

        found = parts()
        return self.encoder.over(found), self.decoder.over(found)

    def module(self) -> Network:
        """The same as a torch network over the same memory, ready to be used."""
        fetched("torch")
        from isthmus.networks.chain import Chain
        from isthmus.networks.network import Network

        network = Network(Chain.over(self.encoder), self.code, Chain.over(self.decoder))
        network.eval()
        return network
