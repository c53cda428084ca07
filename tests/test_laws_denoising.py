"""Laws 5, 6, 7 and 11: what a denoiser learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.func import jacrev, vmap

from isthmus import (
    MLP,
    Autoencoder,
    Contraction,
    GaussianNoise,
    Linear,
    LinearCode,
    MaskingNoise,
    SquaredError,
    Table,
    Trainer,
    Unscaled,
)
from isthmus.networks import Network
from isthmus.parts import Layout

PLAIN = Table(scaling=Unscaled())
CENTRES = np.array([[-2.0, 0.0], [2.0, 0.0], [0.0, 2.5]])
WIDTH = 0.3


def mixture(n: int, seed: int) -> np.ndarray:
    """Rows from three Gaussians in the plane."""
    rng = np.random.default_rng(seed)
    return CENTRES[rng.integers(3, size=n)] + WIDTH * rng.normal(size=(n, 2))


def smoothed_score(x: np.ndarray, sigma: float) -> np.ndarray:
    """Grad log p_sigma of the mixture smoothed by N(0, sigma^2), by hand."""
    variance = WIDTH**2 + sigma**2
    apart = x[:, None, :] - CENTRES
    logits = -np.square(apart).sum(2) / (2 * variance)
    share = np.exp(logits - logits.max(1, keepdims=True))
    share /= share.sum(1, keepdims=True)
    return -(share[:, :, None] * apart).sum(1) / variance


@pytest.mark.parametrize(("sigma", "least"), [(0.5, 0.97), (0.15, 0.85)])
def test_denoisers_residual_is_the_score(sigma, least):
    """Law 5 (Miyasawa; Vincent 2011): r(x) - x = sigma^2 grad log p_sigma(x)."""
    model = Autoencoder(
        None,
        architecture=MLP((128, 128)),
        corruption=GaussianNoise(sigma),
        inputs=PLAIN,
        trainer=Trainer(max_epochs=40, batch_size=512),
        random_state=0,
    ).fit(mixture(20_000, 0))
    x = mixture(4000, 1) + sigma * np.random.default_rng(2).normal(size=(4000, 2))
    residual, truth = model.reconstruct(x) - x, sigma**2 * smoothed_score(x, sigma)
    r2 = 1 - np.square(residual - truth).sum() / np.square(truth - truth.mean(0)).sum()
    slope = (residual * truth).sum() / np.square(truth).sum()
    assert r2 >= least
    assert sigma < 0.5 or 0.95 <= slope <= 1.03


def test_best_linear_denoiser_is_the_wiener_filter():
    """Law 6: the expected loss of the trained filter, in closed form, is within 1% of Sigma (Sigma + s^2
    I)^-1's.
    """
    X, s = load_digits().data / 16, 0.3
    mean, cov = X.mean(0), np.cov(X.T, bias=True)
    identity = np.eye(64)
    wiener = cov @ np.linalg.inv(cov + s**2 * identity)
    model = Autoencoder(
        64,
        architecture=Linear(),
        corruption=GaussianNoise(s),
        inputs=PLAIN,
        random_state=0,
        trainer=Trainer(held_out=0, max_epochs=200, batch_size=256),
    ).fit(X)
    at_zero = model.reconstruct(np.zeros((1, 64)))[0]
    filter_ = (model.reconstruct(identity) - at_zero).T
    bias = mean - filter_ @ mean - at_zero

    def expected(a, b):
        return (
            np.trace((identity - a) @ cov @ (identity - a).T) + s**2 * np.square(a).sum() + np.square(b).sum()
        )

    best = expected(wiener, np.zeros(64))
    assert best * (1 - 1e-6) <= expected(filter_, bias) <= 1.01 * best


def test_small_noise_costs_the_jacobian_norm_and_a_laplacian_term():
    """Law 7 (Bishop 1995): E norm(r(x+e)-x)^2 - norm(r(x)-x)^2 = s^2 (norm(J)^2 + (r-x).Lap r) + O(s^4)."""
    torch.manual_seed(0)
    architecture = MLP((8,), from_pca=False)
    encoder, decoder = architecture.build(Layout.numeric(3), 2)
    network = Network(encoder, LinearCode(), decoder).double()
    for p in network.parameters():
        torch.nn.init.normal_(p, std=0.8)
    network.requires_grad_(False)
    r = lambda row: network.decode(network.encode(row[None]))[0]  # noqa: E731
    x, s = torch.tensor([0.5, -0.3, 0.8], dtype=torch.float64), 0.05
    penalty = Contraction(exact=True)
    trace = network.trace(x[None], x[None], Layout.numeric(3), torch.Generator())
    jacobian = penalty.per_row(trace)[0]
    laplacian = jacrev(jacrev(r))(x).diagonal(dim1=1, dim2=2).sum(1)
    predicted = s**2 * (jacobian + ((r(x) - x) * laplacian).sum())
    e = s * torch.randn(400_000, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    cost = (
        sum((network.decode(network.encode(x + sign * e)) - x).square().sum(1).mean() for sign in (1, -1)) / 2
    )
    measured = cost - (r(x) - x).square().sum()
    assert float(measured / predicted) == pytest.approx(1.0, abs=0.01)
    assert torch.allclose(jacobian, vmap(jacrev(r))(x[None]).square().sum(), rtol=1e-10)


def test_masked_autoencoder_imputes_the_conditional_mean():
    """Law 11: within 3% of the exact Gaussian conditional expectation, 30% of the cells missing."""
    rng = np.random.default_rng(0)
    factors = np.random.default_rng(1).normal(size=(10, 4))
    cov = factors @ factors.T + 0.3 * np.eye(10)
    scale = np.sqrt(np.diag(cov))
    cov = cov / scale[:, None] / scale
    root = np.linalg.cholesky(cov)
    train, test = rng.normal(size=(40_000, 10)) @ root.T, rng.normal(size=(2000, 10)) @ root.T
    gone = rng.random(test.shape) < 0.3
    oracle = test.copy()
    for row, m in zip(oracle, gone, strict=True):
        if m.any() and not m.all():
            row[m] = cov[np.ix_(m, ~m)] @ np.linalg.solve(cov[np.ix_(~m, ~m)], row[~m])
        row[m & m.all()] = 0.0
    model = Autoencoder(
        32,
        architecture=MLP((128, 128), gaps=True),
        corruption=MaskingNoise(0.3),
        random_state=0,
        trainer=Trainer(max_epochs=50, batch_size=512),
    ).fit(train)
    filled = model.reconstruct(np.where(gone, np.nan, test))
    rmse = lambda guess: np.sqrt(np.square(guess - test)[gone].mean())  # noqa: E731
    assert 0.99 <= rmse(filled) / rmse(oracle) <= 1.03
    assert rmse(np.zeros_like(test)) / rmse(oracle) > 1.5


class NoisyTarget(SquaredError):
    """Squared error towards x + sigma e, with fresh noise at every step."""

    sigma: float = 0.3

    def __call__(self, x, output, layout):
        return super().__call__(x + self.sigma * torch.randn_like(x), output, layout)


def test_noisy_targets_have_the_same_minimiser_as_clean_ones(digits):
    """Law 11 (Noise2Noise): noisy targets cost at most 8% over clean ones; both beat the Wiener filter."""
    train, test = digits
    s = 0.3
    x_tilde = test + s * np.random.default_rng(0).normal(size=test.shape)
    mean, cov = train.mean(0), np.cov(train.T, bias=True)
    wiener = mean + (x_tilde - mean) @ np.linalg.solve(cov + s**2 * np.eye(64), cov)

    def error(loss):
        model = Autoencoder(64, corruption=GaussianNoise(s), loss=loss, inputs=PLAIN, random_state=0).fit(
            train
        )
        return np.square(model.reconstruct(x_tilde) - test).mean()

    to_clean, to_noisy = error(SquaredError()), error(NoisyTarget(s))
    assert to_noisy <= 1.08 * to_clean
    assert max(to_clean, to_noisy) < np.square(wiener - test).mean()
