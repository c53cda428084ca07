"""Slopes: the exact singular values of a fitted network's Jacobians at rows in numpy arrays.

With E the Jacobian of the encoder at x (k, d) and D that of the decoder at its code (d, k), the squared
singular values of E are the eigenvalues of E E^T, and those of D E, the whole reconstruction, are the
eigenvalues of (E E^T)^(1/2) D^T D (E E^T)^(1/2): two matrices of the code's size, whatever the data's width.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.losses import Loss
from isthmus.networks import Chain, Network, decoder_gram, encoder_gram
from isthmus.parts import Layout, Trace
from isthmus.segments import segments

__all__ = ["singular_values"]

NUMBERS = 2**21  # in the Jacobians of the rows worked on at a time; a layer between may hold a few times more


def singular_values(
    network: Network,
    loss: Loss,
    layout: Layout,
    x: NDArray[np.float32],
    of: Literal["encoder", "reconstruction"],
) -> NDArray[np.float64]:
    """Of the Jacobian at each encoded row x (n, d), of x_hat or the code by x, in falling order: (n, k)."""
    network.eval()
    rows = torch.from_numpy(np.ascontiguousarray(x, np.float32)).to(network.memory.device)
    with torch.no_grad():
        width = x.shape[1] * network.encode(rows[:1]).shape[1]
        runs = segments(max(1, len(rows)), width, NUMBERS)
        squares = torch.cat([_squares(network, loss, layout, rows[run], of) for run in runs])
    found: NDArray[np.float64] = np.sqrt(squares.clamp_min(0).cpu().numpy()[:, ::-1])
    return found


def _squares(network: Network, loss: Loss, layout: Layout, rows: Tensor, of: str) -> Tensor:
    """The squared singular values at some rows, rising: (n, k)."""
    trace = network.trace(rows, rows, layout, torch.Generator(), noisy=False)
    inner = encoder_gram(trace).double()
    if of == "reconstruction":
        values, axes = torch.linalg.eigh(inner)
        root = axes * values.clamp_min(0).sqrt()[:, None, :]
        inner = root.mT @ _decoder_gram(trace, loss).double() @ root
    squares: Tensor = torch.linalg.eigvalsh(inner)
    return squares


def _decoder_gram(trace: Trace, loss: Loss) -> Tensor:
    """D^T D (n, k, k); of other modules than chains, and where x_hat is not the output itself, column by
    column, of which there are k, not d.
    """
    network: Network = trace.network
    as_it_is = trace.layout.all_numeric and not trace.layout.positive
    if isinstance(network.decoder, Chain) and as_it_is:
        return decoder_gram(trace)
    with torch.enable_grad():  # u^T D is linear in u, and its derivative along v is D v
        z = trace.z.detach().requires_grad_()
        output = loss.link(network.decode(z), trace.layout)
        u = torch.zeros_like(output, requires_grad=True)
        pulled = torch.autograd.grad(output, z, u, create_graph=True)[0]
        directions = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
        columns = [torch.autograd.grad(pulled, u, v.expand_as(z), retain_graph=True)[0] for v in directions]
    pushed = torch.stack(columns, 1)
    return pushed @ pushed.mT
