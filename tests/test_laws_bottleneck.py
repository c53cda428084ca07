"""Laws 8, 9, 10 and 12: contraction, sparsity, dictionaries, memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch.func import jacrev, vmap

from isthmus import (
    L1,
    MLP,
    Autoencoder,
    BatchTopK,
    Contraction,
    Dictionary,
    KLSparsity,
    LinearCode,
    ReLUCode,
    SigmoidCode,
    Table,
    Tanh,
    TopK,
    Trainer,
    UnitRange,
    Unscaled,
)
from isthmus.networks import Network, SiLU
from isthmus.networks.chain import Chain

PLAIN = Table(scaling=Unscaled())


# ---------------------------------------------------------------- 8: contraction finds the tangent plane

WAVES = np.random.default_rng(5).normal(size=(2, 2, 20))


def surface(u: np.ndarray) -> np.ndarray:
    """A curved 2-D surface in 20-D at u (n, 2)."""
    return np.sin(u @ WAVES[0]) + 0.5 * np.cos(u @ WAVES[1])


def tangents(u: np.ndarray) -> np.ndarray:
    """Its two tangent directions, by hand: (n, 20, 2)."""
    rising = (
        np.cos(u @ WAVES[0])[:, :, None] * WAVES[0].T - 0.5 * np.sin(u @ WAVES[1])[:, :, None] * WAVES[1].T
    )
    return np.linalg.qr(rising)[0]


def jacobians(model: Autoencoder, X: np.ndarray) -> np.ndarray:
    """J of the whole reconstruction at each row by torch's own transform: (n, 20, 20)."""
    network = model.network_
    through = lambda row: network.decode(network.encode(row[None]))[0]  # noqa: E731
    return vmap(jacrev(through))(torch.tensor(X, dtype=torch.float32)).detach().numpy()


def contracted(weight: float, of: str = "reconstruction", tied: bool = False) -> tuple[float, float, float]:
    """Ratio s2 / s3, cosine to the tangent plane, mean norm(J)^2 after training with this weight."""
    u = np.random.default_rng(0).uniform(-1, 1, size=(3000, 2))
    model = Autoencoder(
        20,
        architecture=MLP((128,), tied=tied),
        penalty=weight * Contraction(of),
        inputs=PLAIN,
        random_state=0,
        trainer=Trainer(max_epochs=60),
    ).fit(surface(u))
    left, s, _ = np.linalg.svd(jacobians(model, surface(u[:200])))
    cosines = np.linalg.svd(np.einsum("nij,nik->njk", left[:, :, :2], tangents(u[:200])))[1]
    return float(np.median(s[:, 1] / s[:, 2])), float(cosines.mean()), float(np.square(s).sum(1).mean())


def test_contracting_the_reconstruction_finds_the_tangent_plane():
    """Law 8: two singular values stand out, they span the tangent plane, and norm(J)^2 falls strictly in
    lambda.
    """
    ratios, cosines, norms = zip(*(contracted(weight) for weight in (1e-3, 3e-2, 0.3)), strict=True)
    assert ratios[1] >= 3
    assert cosines[1] >= 0.93
    assert norms[0] > norms[1] > norms[2]


def test_contracting_a_tied_encoder_finds_it_and_an_untied_one_less(recwarn):
    """Law 8: with tied weights the textbook penalty works; untied it can be evaded by rescaling, and says
    so.
    """
    tied, untied = contracted(0.1, "encoder", tied=True), contracted(0.1, "encoder")
    assert tied[0] > 2
    assert tied[0] > 1.5 * untied[0]
    assert any("evaded" in str(warning.message) for warning in recwarn)


# ---------------------------------------------------------------- 9: sparsity does what it says


@pytest.mark.parametrize("k", [1, 3, 40])
def test_topk_leaves_at_most_k_nonzeros_in_every_row(k, digits):
    """Trained, on rows never seen."""
    model = Autoencoder(
        64,
        architecture=Dictionary(),
        code=TopK(k),
        inputs=PLAIN,
        trainer=Trainer(max_epochs=5),
        random_state=0,
    ).fit(digits[0])
    assert (model.transform(digits[1]) != 0).sum(1).max() <= k


def test_batch_topk_keeps_k_on_average(digits):
    """Rows share the budget in training; afterwards the remembered threshold keeps k within a tenth."""
    model = Autoencoder(
        128,
        architecture=Dictionary(),
        code=BatchTopK(8),
        inputs=PLAIN,
        trainer=Trainer(lr=1e-2),
        random_state=0,
    ).fit(digits[0])
    counts = (model.transform(digits[1]) != 0).sum(1)
    assert counts.mean() == pytest.approx(8, rel=0.1)
    assert counts.std() > 0


def test_kl_sparsity_brings_mean_activation_to_rho(digits):
    """abs(mean activation - rho) <= .1 rho at weight 10."""
    model = Autoencoder(
        32,
        architecture=MLP(()),
        code=SigmoidCode(),
        penalty=10 * KLSparsity(0.05),
        inputs=Table(scaling=UnitRange()),
        random_state=0,
    ).fit(digits[0])
    assert model.transform(digits[0]).mean() == pytest.approx(0.05, rel=0.1)


def test_more_l1_means_fewer_active_units(digits):
    """Exact zeros on a one-sided code grow with lambda, and error with them."""
    zeros, errors = [], []
    for weight in (0.0, 0.05, 0.5):
        model = Autoencoder(
            64,
            architecture=Dictionary(),
            code=ReLUCode(),
            penalty=weight * L1(),
            inputs=PLAIN,
            trainer=Trainer(lr=1e-2, max_epochs=60),
            random_state=0,
        ).fit(digits[0])
        zeros.append((model.transform(digits[1]) == 0).mean())
        errors.append(-model.score(digits[1]))
    assert zeros[0] < zeros[1] < zeros[2]
    assert errors[0] < errors[1] < errors[2]


def test_l1_code_over_an_orthonormal_dictionary_is_the_soft_threshold():
    """argmin_z norm(x - D z)^2 + lam sum abs(z_j) = soft(D^T x, lam / 2), found by minimising our own
    objective.
    """
    from isthmus import SquaredError
    from isthmus.objective import Objective
    from isthmus.parts import Layout

    torch.manual_seed(0)
    atoms = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64))[0]
    x, lam = torch.randn(1, 6, dtype=torch.float64), 0.8
    decoder = Chain.dense((6, 6), SiLU()).double()
    encoder = Chain.dense((6, 6), SiLU()).double()
    with torch.no_grad():
        decoder.layers[0].weight.copy_(atoms)
        encoder.layers[0].weight.zero_()
    code = encoder.layers[0].bias  # with W = 0 the code is the bias itself
    network = Network(encoder, LinearCode(), decoder)
    objective = Objective(Layout.numeric(6), SquaredError(), lam * L1())
    for _ in range(4000):  # proximal-free: subgradient steps of falling size on the code alone
        value = objective(network, x, None, torch.Generator())["objective"]
        gradient = torch.autograd.grad(value, code)[0]
        with torch.no_grad():
            code -= 0.5 * 0.997**_ * gradient
    found = x @ atoms
    soft = found.sign() * (found.abs() - lam / 2).clamp_min(0)
    assert torch.allclose(code.detach()[None], soft, atol=1e-3)


# ---------------------------------------------------------------- 10: a planted dictionary is recovered


@pytest.mark.parametrize("seed", [0, 1])
def test_planted_dictionary_is_recovered(seed):
    """64 atoms in 32-D, 3 active: 95% of them at cosine .95, no dead unit; a random dictionary reaches .45
    at most.
    """
    rng = np.random.default_rng(seed)
    unit = lambda rows: rows / np.linalg.norm(rows, axis=1, keepdims=True)  # noqa: E731
    atoms = unit(rng.normal(size=(64, 32)))
    z = np.zeros((20_000, 64))
    active = np.argsort(rng.random(z.shape), 1)[:, :3]
    np.put_along_axis(z, active, rng.uniform(0.5, 1.5, size=active.shape), 1)
    model = Autoencoder(
        64,
        architecture=Dictionary(),
        code=TopK(3),
        inputs=PLAIN,
        random_state=0,
        trainer=Trainer(lr=1e-2, max_epochs=100, batch_size=256),
    ).fit(z @ atoms)
    found = unit(model.network_.decoder.layers[-1].weight.detach().numpy().T)
    cosines = np.abs(found @ atoms.T).max(0)
    assert (cosines > 0.95).mean() >= 0.95
    assert cosines.mean() >= 0.97
    assert (model.transform(z @ atoms) > 0).any(0).all()
    chance = np.abs(unit(rng.normal(size=(64, 32))) @ atoms.T).max(0).mean()
    assert chance <= 0.5 < cosines.mean()


# ---------------------------------------------------------------- 12: memorisation is seen


@pytest.mark.parametrize(
    "architecture",
    [MLP((64,), from_pca=False), MLP((128, 128), from_pca=False), MLP((128, 128), Tanh(), from_pca=False)],
    ids=repr,
)
def test_a_network_trained_on_one_example_returns_it(architecture):
    """Law 12a (Radhakrishnan et al. 2019): iterating r from around the example ends at it."""
    example = np.random.default_rng(0).normal(size=(1, 8))
    model = Autoencoder(
        7, architecture=architecture, inputs=PLAIN, trainer=Trainer(max_epochs=2000, lr=1e-3), random_state=0
    ).fit(example)
    x = example + 0.1 * np.random.default_rng(1).normal(size=(20, 8))
    for _ in range(200):
        x = model.reconstruct(x)
    assert np.abs(x - example).max() < 1e-3


def test_a_narrow_network_on_many_digits_returns_next_to_none(digits):
    """Law 12b: at most 2% of the training rows are attractors of an 8-number autoencoder."""
    train = digits[0]
    model = Autoencoder(8, inputs=PLAIN, random_state=0).fit(train)
    spacing = np.median(NearestNeighbors(n_neighbors=2).fit(train).kneighbors(train)[0][:, 1])
    x = train + 0.01 * np.random.default_rng(0).normal(size=train.shape)
    for _ in range(100):
        x = model.reconstruct(x)
    returned = np.linalg.norm(x - train, axis=1) < 0.1 * spacing
    assert returned.mean() <= 0.02
