"""Forward: a fitted network applied to rows in numpy arrays, without gradients.

Rows go through in chunks that stay in the processor's cache, which is faster than all at once
(`benchmarks/scoring_speed.py`), and the network's own device does the work. A few rows of a dense network
stay in numpy: there, calling torch would cost several times what the products do.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.losses import Loss
from isthmus.networks import Network
from isthmus.parts import Layout

__all__ = ["cell_errors", "codes", "examined", "rebuilt", "reconstructions"]

CHUNK = 2**19  # numbers in the widest layer at a time: 2 MB
FEW = 16  # rows up to which numpy is faster

Array = NDArray[np.float32]


def codes(network: Network, x: Array, width: int) -> Array:
    """Codes z (n, width) of encoded rows x (n, d)."""
    if len(x) <= FEW and network.is_plain:
        return network.encoder.of_array(x)  # type: ignore[operator, no-any-return]
    return _applied(network, network.encode, x, width)


def reconstructions(network: Network, loss: Loss, layout: Layout, z: Array) -> Array:
    """x_hat (n, d) of codes z (n, k), in the network's own units."""
    if len(z) <= FEW and network.is_plain:
        output = torch.from_numpy(network.decoder.of_array(z))  # type: ignore[operator]
        return loss.link(output, layout).numpy()
    return _applied(network, lambda part: loss.link(network.decode(part), layout), z, layout.width)


def rebuilt(network: Network, loss: Loss, layout: Layout, x: Array) -> Array:
    """x_hat (n, d) of encoded rows x (n, d), or (n, d + 1) where a network takes what follows them; no code
    is kept, which may be far wider than a row.
    """
    if len(x) <= FEW and network.is_plain:
        return reconstructions(network, loss, layout, network.encoder.of_array(x))  # type: ignore[operator]
    return _applied(network, lambda part: loss.link(network.reconstruct(part), layout), x, layout.width)


def cell_errors(network: Network, loss: Loss, layout: Layout, x: Array) -> Array:
    """Errors (n, cells) of encoded rows x (n, d)."""
    if len(x) <= FEW and network.is_plain:
        output = network.decoder.of_array(network.encoder.of_array(x))  # type: ignore[operator]
        return loss(torch.from_numpy(x), torch.from_numpy(output), layout).numpy()
    return _applied(network, lambda part: loss(part, network.reconstruct(part), layout), x, len(layout.cells))


def examined(
    network: Network, loss: Loss, layout: Layout, x: Array, width: int
) -> tuple[Array, Array, Array]:
    """Codes (n, k), reconstructions (n, d) and errors (n, cells) of encoded rows x (n, d), in one pass."""
    if len(x) <= FEW and network.is_plain:
        z = network.encoder.of_array(x)  # type: ignore[operator]
        output = torch.from_numpy(network.decoder.of_array(z))  # type: ignore[operator]
        return z, loss.link(output, layout).numpy(), loss(torch.from_numpy(x), output, layout).numpy()

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
