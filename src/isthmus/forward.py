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

    from isthmus.networks import Network, PlainNetwork
else:
    from isthmus.lazily import torch

__all__ = ["by_numpy", "cell_errors", "codes", "examined", "rebuilt", "reconstructions"]

CHUNK = 2**19  # numbers in the widest layer at a time: 2 MB
SOON, SMALL = 2**28, 60_000  # multiplications and weights up to which it is as fast for some rows more
ROWS = 1024  # at a time there

Array = NDArray[np.float32]


def by_numpy(network: Network | PlainNetwork, rows: int) -> bool:
    """Whether numpy alone applies the network to so many rows."""
    if not network.is_plain:
        return False
    return rows <= FEW or (network.size <= SMALL and rows * network.size <= SOON)


def codes(network: Any, x: Array, width: int) -> Array:
    """Codes z (n, width) of encoded rows x (n, d)."""
    if by_numpy(network, len(x)):
        return _in_blocks(network.encoder.of_array, x)
    return _applied(network, network.encode, x, width)


def reconstructions(network: Any, loss: Loss, layout: Layout, z: Array) -> Array:
    """x_hat (n, d) of codes z (n, k), in the network's own units."""
    if by_numpy(network, len(z)):
        return _in_blocks(lambda part: _linked(loss, layout, network.decoder.of_array(part)), z)
    return _applied(network, lambda part: loss.link(network.decode(part), layout), z, layout.width)


def rebuilt(network: Any, loss: Loss, layout: Layout, x: Array) -> Array:
    """x_hat (n, d) of encoded rows x (n, d), or (n, d + 1) where a network takes what follows them; no code
    is kept, which may be far wider than a row.
    """
    if by_numpy(network, len(x)):
        return _in_blocks(lambda part: _linked(loss, layout, _passed(network, part)), x)
    return _applied(network, lambda part: loss.link(network.reconstruct(part), layout), x, layout.width)


def cell_errors(network: Any, loss: Loss, layout: Layout, x: Array) -> Array:
    """Errors (n, cells) of encoded rows x (n, d)."""
    if by_numpy(network, len(x)):
        return _in_blocks(lambda part: _wrong(loss, layout, part, _passed(network, part)), x)
    return _applied(network, lambda part: loss(part, network.reconstruct(part), layout), x, len(layout.cells))


def examined(network: Any, loss: Loss, layout: Layout, x: Array, width: int) -> tuple[Array, Array, Array]:
    """Codes (n, k), reconstructions (n, d) and errors (n, cells) of encoded rows x (n, d), in one pass."""
    if by_numpy(network, len(x)):
        z = _in_blocks(network.encoder.of_array, x)
        output = _in_blocks(network.decoder.of_array, z)
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


def _in_blocks(function: Callable[[Array], Array], rows: Array) -> Array:
    """A function of arrays on all rows, chunk by chunk."""
    ends = [*range(ROWS, len(rows) - FEW, ROWS), len(rows)]  # no rest so small that it is taken otherwise
    found = [function(rows[start:end]) for start, end in itertools.pairwise([0, *ends])]
    return found[0] if len(found) == 1 else np.concatenate(found)


def _passed(network: Any, x: Array) -> Array:
    """The output for x."""
    output: Array = network.decoder.of_array(network.encoder.of_array(x))
    return output


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
