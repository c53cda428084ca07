"""Laws 1-3: what a linear autoencoder must be, by theory older than the package."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

from isthmus import (
    MLP,
    Autoencoder,
    Deviance,
    L2Weights,
    Linear,
    Shared,
    SquaredError,
    Table,
    Trainer,
    Unscaled,
)
from isthmus.networks import Network, SiLU
from isthmus.networks.chain import Chain
from isthmus.objective import Objective
from isthmus.parts import Layout


def planted(n: int = 2000, d: int = 20, seed: int = 0) -> np.ndarray:
    """Gaussian rows whose covariance has eigenvalues 2^-j: an eigengap of 2 everywhere."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(d, d)))[0]
    return rng.normal(size=(n, d)) * 2.0 ** (-np.arange(d) / 2) @ axes.T + rng.normal(size=d)


def error(model: Autoencoder, X: np.ndarray) -> float:
    """Mean squared error per row in float64."""
    return float(np.square(model.reconstruct(X) - X).sum(1).mean())


def pca_error(k: int, train: np.ndarray, X: np.ndarray | None = None) -> float:
    """The same for scikit-learn's PCA."""
    X = train if X is None else X
    pca = PCA(k).fit(train)
    return float(np.square(pca.inverse_transform(pca.transform(X)) - X).sum(1).mean())


@pytest.mark.parametrize("k", [1, 4, 8])
def test_linear_autoencoder_spans_the_pca_subspace(k, digits):
    """Law 1: not below PCA, not above it by a thousandth, and the same subspace (Baldi & Hornik 1989)."""
    for X in (digits[0], planted()):
        model = Autoencoder(k, architecture=Linear(), inputs=Table(scaling=Unscaled())).fit(X)
        ratio = error(model, X) / pca_error(k, X)
        assert 1 - 1e-6 <= ratio <= 1.00001  # float32 arithmetic; the exact bound is below
        axes = PCA(k).fit(X).components_
        decoder = model.network_.decoder.layers[0].weight.detach().numpy()
        assert np.sin(subspace_angles(axes.T, decoder).max()) <= 0.001


def test_linear_autoencoder_gives_scikit_learns_pca_scores(digits):
    """The codes are PCA's scores themselves, signs included."""
    model = Autoencoder(5, architecture=Linear(), inputs=Table(scaling=Unscaled())).fit(digits[0])
    assert np.abs(model.transform(digits[1]) - PCA(5).fit(digits[0]).transform(digits[1])).max() < 1e-5


def test_no_trained_linear_autoencoder_beats_pca():
    """Law 1 for gradient descent from random weights: never below PCA, and LBFGS reaches it in float64."""
    X = torch.tensor(planted(500, 10))
    torch.manual_seed(0)
    network = network_of(Chain.dense((10, 3), SiLU()), Chain.dense((3, 10), SiLU()))
    objective = Objective(Layout.numeric(10), SquaredError())
    optimum = pca_error(3, X.numpy())
    for loss in lbfgs(network, objective, X, 60):
        assert loss >= optimum * (1 - 1e-9)
    assert loss <= 1.001 * optimum


def test_with_gaps_training_improves_on_pca_of_the_filled_data(digits):
    """With gaps there is no closed form; on the observed cells, training must beat PCA of mean-filled
    data.
    """
    X = digits[0].copy()
    X[np.random.default_rng(0).random(X.shape) < 0.2] = np.nan
    filled = np.where(np.isnan(X), np.nanmean(X, 0), X)
    pca = PCA(8).fit(filled)
    by_pca = np.nanmean(np.square(pca.inverse_transform(pca.transform(filled)) - X))
    model = Autoencoder(8, architecture=Linear(), inputs=Table(scaling=Shared()), random_state=0).fit(X)
    observed = np.nanmean(np.square(model.reconstruct(X) - X))
    assert observed < 0.97 * by_pca


def test_linear_decoder_cannot_beat_pca_but_a_deep_one_can(digits):
    """Law 2 (Eckart-Young): on training rows a linear decoder stays at or above PCA; a deep one falls to .6
    of it.
    """
    train = digits[0]
    inputs, trainer = Table(scaling=Unscaled()), Trainer(held_out=0, max_epochs=60)

    class DeepThenLinear(MLP):
        def build(self, layout, n_components):
            encoder, _ = super().build(layout, n_components)
            return encoder, Chain.dense((n_components, layout.width), SiLU())

        def start(self, encoder, decoder, x):
            pass

    linear = Autoencoder(
        8, architecture=DeepThenLinear(), inputs=inputs, trainer=trainer, random_state=0
    ).fit(train)
    deep = Autoencoder(8, inputs=inputs, trainer=trainer, random_state=0).fit(train)
    assert error(linear, train) >= pca_error(8, train) * (1 - 1e-6)
    assert error(deep, train) <= 0.6 * pca_error(8, train)


def test_l2_regularised_linear_autoencoder_finds_the_axes_themselves():
    """Law 3 (Kunin et al. 2019): eigenvalues of W2 W1 are 1 - lam / sigma_i^2, W1 = W2^T, rows are the
    axes.
    """
    X = torch.tensor(planted(400, 8))
    X -= X.mean(0)
    n, k, lam = len(X), 3, 20.0
    torch.manual_seed(1)
    network = network_of(Chain.dense((8, k), SiLU()), Chain.dense((k, 8), SiLU()))
    objective = Objective(Layout.numeric(8), Deviance(), (lam / n) * L2Weights())
    list(lbfgs(network, objective, X, 400))
    w1, w2 = network.encoder.layers[0].weight.detach(), network.decoder.layers[0].weight.detach()
    sigma, axes = np.linalg.svd(X.numpy())[1:]
    eigenvalues = np.sort(torch.linalg.eigvals(w2 @ w1).real.numpy())[::-1][:k]
    assert np.abs(eigenvalues - (1 - lam / sigma[:k] ** 2)).max() <= 1e-5
    assert torch.linalg.norm(w1 - w2.t()) / torch.linalg.norm(w1) <= 1e-4
    left = torch.linalg.svd(w2, full_matrices=False).U.numpy()
    assert np.abs((left.T @ axes[:k].T).diagonal()).min() >= 0.999


def network_of(encoder, decoder) -> Network:
    """A float64 network with a linear code."""
    from isthmus import LinearCode

    return Network(encoder, LinearCode(), decoder).double()


def lbfgs(network, objective, X, rounds):
    """Minimise the objective itself with torch's LBFGS; yields the value after every round."""
    optimiser = torch.optim.LBFGS(
        network.parameters(),
        max_iter=20,
        history_size=50,
        line_search_fn="strong_wolfe",
        tolerance_grad=1e-12,
        tolerance_change=1e-16,
    )
    generator = torch.Generator()

    def closure():
        optimiser.zero_grad()
        value = objective(network, X, None, generator)["objective"]
        value.backward()
        return value

    for _ in range(rounds):
        optimiser.step(closure)
        with torch.no_grad():
            yield float(objective(network, X, None, generator)["objective"])
