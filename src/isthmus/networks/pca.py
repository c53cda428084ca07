"""Principal axes: where a linear autoencoder ends, and where the others begin.

The k leading eigenvectors of the covariance of x span the subspace no linear autoencoder with squared error
can beat (Bourlard & Kamp 1988; Baldi & Hornik 1989). They are computed in float64 from the smaller of the
two Gram matrices.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["principal_axes", "set_roads"]

BLOCK = 2**22  # numbers in float64 at a time


def principal_axes(x: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (d,), axes (m, d) and standard deviations (m,) of the rows of x (n, d), in float64.

    m is k, or less where the rows do not vary in so many directions. Each axis points so that its entry
    largest in size is positive, as scikit-learn's PCA does.
    """
    n, d = x.shape
    mean = x.mean(0, dtype=torch.float64)
    m = min(k, n, d)
    axes, variances = _from_covariance(x, mean, m) if d <= n else _from_gram(x.double() - mean, m)
    spread = variances.clamp_min(0).sqrt()
    varied = spread > 1e-7 * spread.max()
    axes, spread = axes[varied], spread[varied]
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    return mean, axes * torch.where(largest < 0, -1.0, 1.0), spread


@torch.no_grad()
def set_roads(down: nn.Linear, up: nn.Linear, x: Tensor) -> Tensor:
    """Put linear roads at the principal axes of x (n, d), in a scale that gives the code unit variance.

    Returns the mean of x, (d,), which the biases beside the roads have to allow for.
    """
    mean, axes, spread = principal_axes(x, down.out_features)
    scale = spread.square().mean().sqrt() if len(spread) else mean.new_ones(())
    down.weight.zero_()
    up.weight.zero_()
    down.weight[: len(axes)] = (axes / scale).to(x.dtype)
    up.weight[:, : len(axes)] = (axes.t() * scale).to(x.dtype)
    return mean


def _from_covariance(x: Tensor, mean: Tensor, m: int) -> tuple[Tensor, Tensor]:
    covariance = torch.zeros(x.shape[1], x.shape[1], dtype=torch.float64, device=x.device)
    for block in x.split(max(1, BLOCK // x.shape[1])):
        centred = block.double() - mean
        covariance.addmm_(centred.t(), centred)
    values, vectors = torch.linalg.eigh(covariance / len(x))
    return vectors.flip(1)[:, :m].t(), values.flip(0)[:m]


def _from_gram(centred: Tensor, m: int) -> tuple[Tensor, Tensor]:
    values, vectors = torch.linalg.eigh(centred @ centred.t())
    values, vectors = values.flip(0)[:m].clamp_min(0), vectors.flip(1)[:, :m]
    axes = (vectors.t() @ centred) / values.sqrt().clamp_min(torch.finfo(torch.float64).tiny ** 0.5)[:, None]
    return axes, values / len(centred)
