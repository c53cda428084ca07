"""Learning to clean from noisy data: pairs of takes, and single ones by blind spots."""

import numpy as np
import pytest
import torch

from isthmus import (
    MLP,
    Autoencoder,
    BlindSpots,
    DataError,
    GaussianNoise,
    Linear,
    MaskingNoise,
    ResidualConvNet,
    Signals,
    SquaredError,
    Table,
    Trainer,
    Unscaled,
    fit_many,
)
from isthmus.objective import Objective
from isthmus.parts import Layout


def takes(n, d=12, sigma=0.4, seed=0):
    """Points on a curved surface, and two noisy takes of each."""
    rng = np.random.default_rng(seed)
    clean = np.tanh(rng.normal(size=(n, 3)) @ np.random.default_rng(99).normal(size=(3, d)))
    return clean, *(clean + sigma * rng.normal(size=clean.shape) for _ in range(2))


def model(**options):
    trainer = Trainer(max_epochs=30, batch_size=256)
    inputs = Table(scaling=Unscaled())
    return Autoencoder(
        None, architecture=MLP((64,)), inputs=inputs, trainer=trainer, random_state=0, **options
    )


def test_a_second_noisy_take_teaches_what_the_clean_one_does():
    """Law 11 (Noise2Noise): within 8% of clean targets; a network that is shown x itself copies."""
    clean, first, second = takes(20_000)
    truth, noisy, _ = takes(1000, seed=1)
    error = lambda target, shown=first: float(  # noqa: E731
        np.square(model().fit_pairs(shown, target).reconstruct(noisy) - truth).mean()
    )
    by_clean, by_noisy = error(clean), error(second)
    assert by_noisy <= 1.08 * by_clean
    assert by_noisy < 0.7 * np.square(noisy - truth).mean()
    assert error(first) > 2 * by_noisy


def test_pairs_with_the_noise_of_a_corruption_teach_what_the_corruption_does():
    clean, noisy, _ = takes(6000)
    truth, other, _ = takes(1000, seed=1)
    by_pairs = np.square(model().fit_pairs(noisy, clean).reconstruct(other) - truth).mean()
    drawn = model(corruption=GaussianNoise(0.4)).fit(clean)
    assert by_pairs == pytest.approx(np.square(drawn.reconstruct(other) - truth).mean(), rel=0.1)


def test_a_linear_network_of_pairs_is_their_regression():
    """Closed forms are for x alone: a linear autoencoder of pairs is trained, towards least squares."""
    clean, noisy, _ = takes(3000)
    linear = Autoencoder(
        12, architecture=Linear(), loss=SquaredError(), inputs=Table(scaling=Unscaled()), random_state=0
    ).fit_pairs(noisy, clean)
    design = np.column_stack([noisy, np.ones(len(noisy))])
    regression = design @ np.linalg.lstsq(design, clean, rcond=None)[0]
    apart = np.square(linear.reconstruct(noisy) - regression).mean()
    assert apart < 0.02 * np.square(regression - noisy).mean()


def test_pairs_that_do_not_match_are_refused():
    clean, noisy, _ = takes(50)
    with pytest.raises(DataError, match="X_tilde must have as many rows as X, 50"):
        model().fit_pairs(noisy[:40], clean)
    with pytest.raises(DataError, match="corruption must be None where noisy rows are given"):
        model(corruption=MaskingNoise(0.1)).fit_pairs(noisy, clean)
    with pytest.raises(DataError, match="nothing keeps the autoencoder from copying"):
        model().fit(clean)


def test_only_changed_cells_count():
    layout = Layout.numeric(30, (6, 5))
    x = torch.rand(4, 30)
    blind = BlindSpots(0.3)
    seen = blind(x, layout, torch.Generator().manual_seed(0))
    network = (
        Autoencoder(None, architecture=ResidualConvNet(4, 1, 1), corruption=blind)
        .fit(np.random.default_rng(0).random((12, 6, 5)))
        .network_
    )
    terms = Objective(layout, SquaredError(), None, blind)(network, x, None, torch.Generator(), seen)
    errors = (network.reconstruct(seen) - x).square().detach()
    expected = sum(float(errors[i, j]) for i in range(4) for j in range(30) if seen[i, j] != x[i, j]) / 4
    assert terms["loss"].item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("layout", "near"),
    [
        (Layout.numeric(600, (20, 30)), lambda i, j: max(abs(i // 30 - j // 30), abs(i % 30 - j % 30)) <= 2),
        (Layout.numeric(600, (2, 300), signal=True), lambda i, j: i // 300 == j // 300 and abs(i - j) <= 2),
    ],
)
def test_blind_spots_take_the_value_of_another_place_nearby(layout, near):
    x = torch.arange(600.0).repeat(3, 1)
    seen = BlindSpots(0.1)(x, layout, torch.Generator().manual_seed(0))
    moved = (seen != x).nonzero()
    assert 0.07 < len(moved) / x.numel() < 0.13
    assert all(near(int(place), int(seen[row, place])) for row, place in moved)


def test_all_colours_of_a_blind_spot_come_from_one_place():
    x = torch.arange(300.0).view(1, -1)
    seen = BlindSpots(0.2)(x, Layout.numeric(300, (10, 10, 3)), torch.Generator().manual_seed(0)).view(-1, 3)
    assert (seen[:, 0] % 3 == 0).all()
    assert (seen[:, 1:] - seen[:, :1] == torch.tensor([1.0, 2.0])).all()


def test_blind_spots_clean_signals_from_noisy_ones_alone():
    rng = np.random.default_rng(0)
    t = np.arange(64)
    clean = np.sin(2 * np.pi * (t / rng.uniform(12, 30, (400, 1)) + rng.random((400, 1))))[:, None]
    noisy = clean + 0.5 * rng.normal(size=clean.shape)
    cleaner = Autoencoder(
        None,
        corruption=BlindSpots(0.15),
        architecture=MLP((128,)),
        loss=SquaredError(),
        inputs=Signals(),
        trainer=Trainer(max_epochs=40, batch_size=32),
        random_state=0,
    ).fit(noisy)
    error = lambda made: float(np.square(made - clean).mean())  # noqa: E731
    assert error(cleaner.reconstruct(noisy)) < 0.6 * error(noisy)


def test_blind_spots_on_tables_are_refused():
    with pytest.raises(DataError, match="be pictures or signals for BlindSpots"):
        model(corruption=BlindSpots()).fit(takes(50)[0])


def test_blind_networks_train_side_by_side_as_alone():
    X = np.random.default_rng(0).random((60, 6, 6))
    make = lambda seed: Autoencoder(  # noqa: E731
        None,
        corruption=BlindSpots(0.2),
        architecture=MLP((16,)),
        random_state=seed,
        trainer=Trainer(max_epochs=3),
    )
    together = fit_many([make(0), make(1)], X)
    np.testing.assert_allclose(together[1].reconstruct(X), make(1).fit(X).reconstruct(X), atol=1e-5)
