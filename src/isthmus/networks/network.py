"""The network: encoder, code, decoder, as one torch module.

    x_tilde -> encoder -> a -> code -> z -> decoder -> output

Encoder and decoder are any modules that map (n, d) to (n, k) and back. `Network` adds only what every use
needs: the code's activation between them, named hidden layers, and the trace a penalty reads.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from isthmus.checks import must
from isthmus.networks.chain import Chain
from isthmus.networks.jacobian import (
    decoder_gram,
    encoder_gram,
    one_layer_encoder,
    probed_encoder,
    probed_reconstruction,
)
from isthmus.parts import Layout, Trace

if TYPE_CHECKING:
    from isthmus.codes import Code
    from isthmus.networks.plain import PlainChain

__all__ = ["Network"]


class Network(nn.Module):
    """Encoder, code and decoder.

    `memory` holds two numbers for the code: the share of training done, and one it may keep between batches.
    """

    memory: Tensor

    def __init__(self, encoder: nn.Module, code: Code, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.code = code
        self.decoder = decoder
        self.register_buffer("memory", torch.zeros(2))

    @property
    def is_tied(self) -> bool:
        """Whether the decoder uses the encoder's weights."""
        return isinstance(self.decoder, Chain) and self.decoder.is_tied

    @property
    def is_dense(self) -> bool:
        """Whether it is dense chains in ordinary memory with z = a between them."""
        parts, memory = self._modules, self._buffers["memory"]  # past torch's lookup, for scoring one row
        chains = type(parts["encoder"]) is Chain and type(parts["decoder"]) is Chain
        return chains and self.code.transparent and memory is not None and memory.is_cpu

    def known(self, half: str) -> PlainChain | None:
        """The encoder or decoder of a dense network as arrays, where they say all that it does."""
        found: PlainChain | None = self._modules[half].known()  # type: ignore[operator, union-attr]
        return found

    @property
    def size(self) -> int:
        """Number of weights and biases."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def largest(self) -> int:
        """Weights of the largest layer."""
        return max((parameter.numel() for parameter in self.parameters()), default=0)

    def encode(self, x: Tensor) -> Tensor:
        """X (n, d) -> z (n, k)."""
        z: Tensor = self.code(self.encoder(x), self.memory, None)
        return z

    def decode(self, z: Tensor) -> Tensor:
        """Z (n, k) -> output (n, d), before the loss's link."""
        output: Tensor = self.decoder(z)
        return output

    def reconstruct(self, x: Tensor) -> Tensor:
        """X (n, d) -> output (n, d)."""
        return self.decode(self.encode(x))

    def trace(
        self,
        x: Tensor,
        x_tilde: Tensor,
        layout: Layout,
        generator: torch.Generator,
        layers: tuple[str, ...] = (),
        noisy: bool = True,
    ) -> Trace:
        """One pass with everything a penalty may read; `noisy` lets the code use its own randomness."""
        with self._watched(layers) as hidden:
            a, encoder_tape = _run(self.encoder, x_tilde)
            z = self.code(a, self.memory, generator if noisy else None)
            output, decoder_tape = _run(self.decoder, z)
        return Trace(x, x_tilde, a, z, output, hidden, (encoder_tape, decoder_tape), self, layout, generator)

    def squared_jacobian(self, trace: Trace, of: str, exact: bool) -> Tensor:
        """norm(J)_F^2 of the encoder or of the whole reconstruction at each row of a trace: (n,)."""
        if of == "encoder":
            closed = one_layer_encoder(trace)
            if closed is not None:
                return closed
            return encoder_gram(trace).diagonal(dim1=1, dim2=2).sum(1) if exact else probed_encoder(trace)
        if exact:
            return (encoder_gram(trace) * decoder_gram(trace)).sum((1, 2))
        return probed_reconstruction(trace)

    @contextlib.contextmanager
    def _watched(self, names: tuple[str, ...]) -> Iterator[dict[str, Tensor]]:
        """Collect the outputs of the submodules called `names` while the block runs."""
        seen: dict[str, Tensor] = {}
        handles = [self._layer(name).register_forward_hook(_keep(seen, name)) for name in names]
        try:
            yield seen
        finally:
            for handle in handles:
                handle.remove()

    def _layer(self, name: str) -> nn.Module:
        modules: dict[str, nn.Module] = dict(self.named_modules())
        if name not in modules:
            known = ", ".join(key for key in modules if key)
            raise must("layer", "name a layer of the network", name, f"Use one of: {known}")
        return modules[name]


def _keep(seen: dict[str, Tensor], name: str) -> Callable[..., None]:
    def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        seen[name] = output

    return hook


def _run(module: nn.Module, x: Tensor) -> tuple[Tensor, list[Tensor] | None]:
    return module.taped(x) if isinstance(module, Chain) else (module(x), None)
