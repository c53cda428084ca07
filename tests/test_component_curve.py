"""How many components: one nested fit, cut to size; PCA's curve beside it is exact."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from constructed import curved
from isthmus import (
    MLP,
    Autoencoder,
    ConvNet,
    DataError,
    Nested,
    TopK,
    Trainer,
    component_curve,
    load,
    save,
)
from isthmus.demo import mixed_table
from isthmus.wording import percent

FEW = Trainer(max_epochs=4)


@pytest.fixture(scope="module")
def nested() -> Autoencoder:
    """A nested code of six numbers."""
    return Autoencoder(6, code=Nested(), trainer=FEW, random_state=0).fit(curved(300, 0))


@pytest.mark.parametrize("architecture", [MLP(), MLP(()), MLP((16,), tied=True), ConvNet()])
@pytest.mark.parametrize("k", [1, 3, 6])
def test_a_truncated_model_is_the_prefix_of_the_code(architecture, k):
    """Codes are the first k columns; reconstructions those of the code with the rest at zero."""
    X = np.random.default_rng(0).uniform(size=(40, 16, 16)).astype(np.float32)
    model = Autoencoder(6, code=Nested(), architecture=architecture, trainer=Trainer(1), random_state=0).fit(
        X
    )
    cut = model.truncate(k)
    z = model.transform(X)
    assert np.allclose(cut.transform(X), z[:, :k], atol=1e-6)
    z[:, k:] = 0
    assert np.allclose(cut.reconstruct(X), model.inverse_transform(z), atol=1e-5)
    assert model.n_components_ == model.transform(X).shape[1] == 6


def test_a_truncated_model_is_saved_and_loaded_like_any_other(nested, tmp_path):
    """Equal to the bit, and it can be cut again and trained on."""
    X = curved(300, 0)
    cut = nested.truncate(3)
    save(cut, tmp_path / "cut.isthmus")
    same = load(tmp_path / "cut.isthmus")
    assert np.array_equal(same.transform(X), cut.transform(X))
    assert same.truncate(2).transform(X).shape == (300, 2)
    before = same.score(X)
    assert same.set_params(trainer=Trainer(max_epochs=60)).continue_fit(X).score(X) > before
    assert same.history_rows_[-1]["epoch"] > 10


def test_only_a_nested_code_can_be_cut(nested):
    """And only to a part of it."""
    with pytest.raises(DataError, match="must be nested"):
        Autoencoder(3, trainer=FEW).fit(curved(60, 0)).truncate(2)
    for k in (0, 7, 1.5, True):
        with pytest.raises(DataError, match="between 1 and 6"):
            nested.truncate(k)


def test_the_whole_code_is_kept_in_the_share_of_rows_that_was_asked_for():
    """Full = 0.3, and a sixth of the rest by chance."""
    import torch

    a = torch.ones(20_000, 6)
    kept = Nested(0.3)(a, None, torch.Generator().manual_seed(0)).sum(1)
    assert (kept == 6).float().mean().item() == pytest.approx(0.3 + 0.7 / 6, abs=0.01)
    assert (kept == 1).float().mean().item() == pytest.approx(0.7 / 6, abs=0.01)


def test_the_curve_finds_the_dimension_of_a_curved_surface_and_pcas_is_exact():
    """Four dimensions; PCA's errors are scikit-learn's on the same rows, in the model's units."""
    train, test = curved(600, 0), curved(300, 1)
    curve = component_curve(train, test, most=7)
    assert curve.suggested == 4, str(curve)
    assert list(curve.k) == [1, 2, 3, 4, 5, 6, 7]
    assert (np.diff(curve.error) <= 1e-12).all()
    assert curve.trained == tuple(curve.models) == (1, 2, 3, 4, 5, 6, 7)
    x, y = (curve.models[7].schema_.encode(rows).x.astype(float) for rows in (train, test))
    for k in (1, 4, 7):
        pca = PCA(k).fit(x)
        assert curve.pca_error[k - 1] == pytest.approx(
            np.square(y - pca.inverse_transform(pca.transform(y))).sum(1).mean()
        )
    assert curve.error[3] < 0.5 * curve.pca_error[3]
    assert list(curve.frame["k"]) == list(curve.k)


def test_the_curve_of_small_networks_is_that_of_autoencoders_fitted_alone():
    """Each size side by side with the others ends where a fit of the same epochs and rate ends.

    Not of one number: so short a fit is chaotic, and another order of a sum makes hundredths.
    """
    train, test = curved(300, 0), curved(200, 1)
    curve = component_curve(train, test, most=3, model=Autoencoder(trainer=Trainer(max_epochs=30)))
    short = Trainer(max_epochs=7, lr=8.4e-3)
    for k in (2, 3):
        alone = Autoencoder(k, trainer=short, random_state=0).fit(train)
        wrong = alone.schema_.encode(test).x - alone.reconstruct_encoded(test)
        assert curve.error[k - 1] == pytest.approx(float(np.square(wrong).sum(1).mean()), rel=1e-3)
        assert curve.models[k].transform(test).shape == (200, k)


def test_large_networks_are_trained_for_a_few_sizes_and_read_off_between_them():
    """What is left of PCA's error is interpolated, as logarithms."""
    model = Autoencoder(architecture=MLP((600, 500)), trainer=Trainer(max_epochs=4, batch_size=64))
    curve = component_curve(curved(200, 0), curved(100, 1), most=6, model=model)
    assert curve.trained == tuple(curve.models) == (1, 2, 4, 6)
    left = np.log(curve.error / curve.pca_error)[[3, 4, 5]]
    assert left[1] == pytest.approx(np.interp(np.log(5), np.log([4, 6]), left[[0, 2]]))


def test_a_curve_of_a_mixed_table_with_gaps():
    """Categories and gaps; the fifth that is held out is drawn by the seed."""
    model = Autoencoder(trainer=Trainer(max_epochs=6))
    first, second = (component_curve(mixed_table(), most=3, model=model) for _ in range(2))
    assert first.rows == 89
    assert np.array_equal(first.error, second.error)
    assert "n_components=" in str(first)


def test_what_makes_no_curve_is_refused():
    """As many numbers as columns, another code, next to no rows."""
    X = curved(60, 0)
    with pytest.raises(DataError, match="from 1 to 19"):
        component_curve(X, most=20)
    with pytest.raises(DataError, match="linear or a nested code"):
        component_curve(X, model=Autoencoder(code=TopK(2)))
    with pytest.raises(DataError, match="more than 10 rows"):
        component_curve(X[:8])


def test_the_reason_says_what_more_numbers_are_worth():
    """A plane of three directions needs three; of independent columns every number is worth the same."""
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(400, 3)) @ rng.normal(size=(3, 8)) + 0.01 * rng.normal(size=(400, 8))
    short = Autoencoder(trainer=Trainer(max_epochs=40))
    curve = component_curve(plane, most=6, model=short, random_state=0)
    assert curve.suggested == 3
    left = (curve.error[2] - curve.error.min()) / curve.mean_error
    assert f"more numbers explain {percent(left, 1)} more at most" in curve.reason
    straight = component_curve(rng.normal(size=(400, 8)), model=short)
    assert straight.suggested == len(straight.k)
    assert "straight" in straight.reason
