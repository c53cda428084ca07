"""How much a network's output moves when its input does: squared Frobenius norms of Jacobians, per row.

With slopes D_l = diag(phi'(a_l)) a chain's Jacobian is J = W_L D_(L-1) W_(L-1) ... D_1 W_1 + S, and the
code adds its own slope in front. Three ways to its squared norm, each from the code side, where the
matrices are small:

* one layer: norm(J)^2 = sum_j D_j^2 norm(W_j)^2, exact and almost free (Rifai et al. 2011);
* one probe: E norm(v^T J)^2 = norm(J)^2 for v of random signs; unbiased, one extra pass (Hutchinson 1990);
* exact: J J^T accumulated row by row of the code, the first layer only through its Gram matrix W_1 W_1^T.

For modules of a user's own, without a tape of slopes, the same quantities come from automatic
differentiation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from isthmus.networks.chain import Chain

if TYPE_CHECKING:
    from isthmus.networks.network import Network
    from isthmus.parts import Trace

__all__ = ["decoder_gram", "encoder_gram", "one_layer_encoder", "probed_encoder", "probed_reconstruction"]


def pull(chain: Chain, tape: list[Tensor], u: Tensor) -> Tensor:
    """U J for rows u (n, r, out) of a chain at the point of its tape: (n, r, in)."""
    flow = _pull_to_first(chain, tape, u) @ chain.first.weight
    return flow if chain.road is None else flow + u @ chain.road.weight


def _pull_to_first(chain: Chain, tape: list[Tensor], u: Tensor) -> Tensor:
    """U times everything but the first layer's weight."""
    layers = cast("list[nn.Linear]", list(chain.layers))
    for layer, a in zip(reversed(layers[1:]), reversed(tape), strict=True):
        u = (u @ layer.weight) * chain.activation.slope(a)[:, None, :]
    return u


def _push_to_last(chain: Chain, tape: list[Tensor]) -> Tensor:
    """The tangents of every input unit after the last activation: (n, in, h)."""
    layers = cast("list[nn.Linear]", list(chain.layers))
    t = layers[0].weight.t() * chain.activation.slope(tape[0])[:, None, :]
    for layer, a in zip(layers[1:-1], tape[1:], strict=True):
        t = (t @ layer.weight.t()) * chain.activation.slope(a)[:, None, :]
    return t


def _gram_with_road(inner: Tensor, outer: Tensor, first: Tensor, road: Tensor | None) -> Tensor:
    """(inner F + outer R)(inner F + outer R)^T through the Gram matrices of F and R, without forming (n, r,
    d).
    """
    gram = inner @ (first @ first.t()) @ inner.mT
    if road is None:
        return gram
    cross = inner @ (first @ road.t()) @ outer.mT
    return gram + cross + cross.mT + outer @ (road @ road.t()) @ outer.mT


def encoder_gram(trace: Trace) -> Tensor:
    """J J^T of the encoder (code slope included) at each row of x_tilde: (n, k, k)."""
    network: Network = trace.network
    slope = network.code.slope(trace.a, trace.z)
    encoder = network.encoder
    if not isinstance(encoder, Chain):
        jacobian = _autograd_jacobian(network.encode, trace.x_tilde)
        return jacobian @ jacobian.mT
    start = torch.diag_embed(slope)
    road = None if encoder.road is None else encoder.road.weight
    return _gram_with_road(_pull_to_first(encoder, trace.tapes[0], start), start, encoder.first.weight, road)


def decoder_gram(trace: Trace) -> Tensor:
    """J^T J of the decoder at each row's code: (n, k, k)."""
    network: Network = trace.network
    decoder = network.decoder
    if not isinstance(decoder, Chain):
        jacobian = _autograd_jacobian(network.decode, trace.z)
        return jacobian.mT @ jacobian
    last = decoder.last.weight
    if len(decoder.layers) == 1:
        whole = last if decoder.road is None else last + decoder.road.weight
        return (whole.t() @ whole).expand(len(trace.z), -1, -1)
    tangents = _push_to_last(decoder, trace.tapes[1])
    road = None if decoder.road is None else decoder.road.weight.t()
    identity = torch.eye(tangents.shape[1], dtype=last.dtype, device=last.device).expand(
        len(tangents), -1, -1
    )
    return _gram_with_road(tangents, identity, last.t(), road)


def one_layer_encoder(trace: Trace) -> Tensor | None:
    """norm(J_f)^2 per row (n,) in closed form where the encoder is one layer, else None."""
    network: Network = trace.network
    encoder = network.encoder
    if not (isinstance(encoder, Chain) and len(encoder.layers) == 1):
        return None
    weight = encoder.first.weight
    whole = weight if encoder.road is None else weight + encoder.road.weight
    return network.code.slope(trace.a, trace.z).square() @ whole.square().sum(1)


def probed_encoder(trace: Trace) -> Tensor:
    """norm(J_f)^2 per row (n,): exact for one layer, otherwise an unbiased estimate from one random-sign
    probe.
    """
    network: Network = trace.network
    encoder = network.encoder
    slope = network.code.slope(trace.a, trace.z)
    if isinstance(encoder, Chain) and len(encoder.layers) == 1:
        weight = encoder.first.weight
        whole = weight if encoder.road is None else weight + encoder.road.weight
        return slope.square() @ whole.square().sum(1)
    probe = _signs(trace.z, trace.generator)
    if not isinstance(encoder, Chain):
        return _autograd_pull(network.encode, trace.x_tilde, probe).square().sum(1)
    return pull(encoder, trace.tapes[0], (probe * slope)[:, None, :]).square().sum((1, 2))


def probed_reconstruction(trace: Trace) -> Tensor:
    """norm(J_r)^2 per row (n,), r = decoder after encoder (before the loss's link); an unbiased one-probe
    estimate.
    """
    network: Network = trace.network
    probe = _signs(trace.output, trace.generator)
    if not (isinstance(network.encoder, Chain) and isinstance(network.decoder, Chain)):
        return _autograd_pull(network.reconstruct, trace.x_tilde, probe).square().sum(1)
    at_code = pull(network.decoder, trace.tapes[1], probe[:, None, :])
    at_code = at_code * network.code.slope(trace.a, trace.z)[:, None, :]
    return pull(network.encoder, trace.tapes[0], at_code).square().sum((1, 2))


def _signs(like: Tensor, generator: torch.Generator) -> Tensor:
    coins = torch.randint(0, 2, like.shape, generator=generator, device=like.device)
    return coins.to(like.dtype).mul_(2).sub_(1)


def _autograd_pull(function: Callable[[Tensor], Tensor], x: Tensor, probe: Tensor) -> Tensor:
    """probe^T J of any row-wise function, kept differentiable: (n, d)."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return torch.autograd.grad((function(x) * probe).sum(), x, create_graph=True)[0]


def _autograd_jacobian(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """J of any row-wise function, one backward pass per output unit: (n, out, d)."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        out = function(x)
        rows = [torch.autograd.grad(out[:, j].sum(), x, create_graph=True)[0] for j in range(out.shape[1])]
        return torch.stack(rows, 1)
