"""Forward: a fitted network applied to rows in numpy arrays, without gradients.

Rows go through in chunks that stay in the processor's cache, which is faster than all at once
(`benchmarks/scoring_speed.py`), and the network's own device does the work. What a small dense network makes
of some thousand rows, and any dense network of a few, is numpy's: calling torch would cost several times what
the products do, and importing it more.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus.losses import Loss
from isthmus.networks.plain import FEW
from isthmus.parts import Layout

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from isthmus.networks import Network, PlainChain
else:
    from isthmus.lazily import torch

__all__ = ["cell_errors", "codes", "examined", "few_for", "rebuilt", "reconstructions"]

CHUNK = 2**19  # numbers in the widest layer at a time: 2 MB
SOON, SMALL = 2**28, 60_000  # multiplications and weights up to which it is as fast for some rows more
ROWS = 1024  # at a time there

Array = NDArray[np.float32]


def few_for(network: Any, rows: int) -> bool:
    """Whether rows are so few that numpy applies a dense network to them."""
    return rows <= FEW or (network.size <= SMALL and rows * network.size <= SOON)


def codes(network: Any, x: Array, width: int) -> Array:
    """Codes z (n, width) of encoded rows x (n, d)."""
    chain = _half(network, len(x), "encoder")
    if chain is not None:
        return _in_blocks(chain.of_array, x)
    return _applied(network, network.encode, x, width)


def reconstructions(network: Any, loss: Loss, layout: Layout, z: Array) -> Array:
    """x_hat (n, d) of codes z (n, k), in the network's own units."""
    chain = _half(network, len(z), "decoder")
    if chain is not None:
        return _in_blocks(lambda part: _linked(loss, layout, chain.of_array(part)), z)
    return _applied(network, lambda part: loss.link(network.decode(part), layout), z, layout.width)


def rebuilt(network: Any, loss: Loss, layout: Layout, x: Array) -> Array:
    """x_hat (n, d) of encoded rows x (n, d), or (n, d + 1) where a network takes what follows them; no code
    is kept, which may be far wider than a row.
    """
    down, up = (_half(network, len(x), half) for half in ("encoder", "decoder"))
    if down is not None and up is not None:
        return _in_blocks(lambda part: _linked(loss, layout, up.of_array(down.of_array(part))), x)
    return _applied(network, lambda part: loss.link(network.reconstruct(part), layout), x, layout.width)


def cell_errors(network: Any, loss: Loss, layout: Layout, x: Array) -> Array:
    """Errors (n, cells) of encoded rows x (n, d)."""
    down, up = (_half(network, len(x), half) for half in ("encoder", "decoder"))
    if down is not None and up is not None:
        return _in_blocks(lambda part: _wrong(loss, layout, part, up.of_array(down.of_array(part))), x)
    return _applied(network, lambda part: loss(part, network.reconstruct(part), layout), x, len(layout.cells))


def examined(network: Any, loss: Loss, layout: Layout, x: Array, width: int) -> tuple[Array, Array, Array]:
    """Codes (n, k), reconstructions (n, d) and errors (n, cells) of encoded rows x (n, d), in one pass."""
    down, up = (_half(network, len(x), half) for half in ("encoder", "decoder"))
    if down is not None and up is not None:
        z = _in_blocks(down.of_array, x)
        output = _in_blocks(up.of_array, z)
        return z, _linked(loss, layout, output), _wrong(loss, layout, x, output)

    def all_three(part: Tensor) -> Tensor:
        z = network.encode(part)
        output = network.decode(z)
        return torch.cat([z, loss.link(output, layout), loss(part, output, layout)], 1)

    joined = _applied(network, all_three, x, width + layout.width + len(layout.cells))
    z, x_hat, errors = np.split(joined, [width, width + layout.width], axis=1)
    return z, x_hat, errors


def rows_at_once(network: Network, d: int) -> int:
    """Rows in a chunk: as many as keep its widest layer in the cache, 256 at least."""
    widest = max([d, *(p.shape[0] for p in network.parameters() if p.ndim)])
    return max(256, CHUNK // widest)


def _applied(network: Network, function: Callable[[Tensor], Tensor], rows: Array, width: int) -> Array:
    """A function of the network on all rows, chunk by chunk: (n, width)."""
    if network.training:
        network.eval()
    out = np.empty((len(rows), width), np.float32)
    size = rows_at_once(network, rows.shape[1])
    device, start = network.memory.device, 0
    with torch.no_grad():
        for part in torch.from_numpy(rows).split(size) if len(rows) else ():
            out[start : start + len(part)] = function(part.to(device)).cpu().numpy()
            start += len(part)
    return out


def _half(network: Any, rows: int, half: str) -> PlainChain | None:
    """The encoder or decoder as arrays, where numpy applies it to so many rows."""
    if network.is_dense and few_for(network, rows):
        found: PlainChain | None = network.known(half)
        return found
    return None


def _in_blocks(function: Callable[[Array], Array], rows: Array) -> Array:
    """A function of arrays on all rows, chunk by chunk."""
    if len(rows) <= ROWS + FEW:
        return function(rows)
    ends = [*range(ROWS, len(rows) - FEW, ROWS), len(rows)]  # no rest so small that it is taken otherwise
    return np.concatenate([function(rows[start:end]) for start, end in itertools.pairwise([0, *ends])])


def _linked(loss: Loss, layout: Layout, output: Any) -> Array:
    """x_hat of the network's output."""
    if loss.takes_arrays(layout):
        return loss.link(output, layout)  # type: ignore[return-value]
    with torch.no_grad():
        return np.array(loss.link(torch.from_numpy(output), layout).numpy(), np.float32)


def _wrong(loss: Loss, layout: Layout, x: Any, output: Any) -> Array:
    """Errors (n, cells)."""
    if loss.takes_arrays(layout):
        return loss(x, output, layout)  # type: ignore[return-value]
    with torch.no_grad():
        errors = loss(torch.from_numpy(x), torch.from_numpy(output), layout)
        return np.array(errors.numpy(), np.float32)
