"""What holds for every autoencoder on every day: determinism, order, sizes, randomness."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pandas as pd
import pytest
import torch

from isthmus import (
    L1,
    MLP,
    Autoencoder,
    BatchTopK,
    BlockMask,
    Contraction,
    GaussianNoise,
    KLSparsity,
    Linear,
    MaskingNoise,
    Nested,
    SaltAndPepper,
    SigmoidCode,
    SwapNoise,
    Table,
    TopK,
    Trainer,
    Unscaled,
    recipes,
)

PLAIN = Table(scaling=Unscaled())
SHORT = Trainer(max_epochs=4)
VARIANTS = {
    "undercomplete": Autoencoder(4),
    "linear": Autoencoder(4, architecture=Linear()),
    "deep": Autoencoder(4, architecture=MLP((32, 16, 8))),
    "tied": Autoencoder(4, architecture=MLP((16,), tied=True)),
    "l1": Autoencoder(32, penalty=1e-2 * L1()),
    "l1 on a hidden layer": Autoencoder(4, penalty=1e-2 * L1("encoder.hidden.0")),
    "kl": Autoencoder(32, code=SigmoidCode(), penalty=KLSparsity()),
    "topk": Autoencoder(32, code=TopK(4)),
    "batch topk": Autoencoder(32, code=BatchTopK(4)),
    "nested": Autoencoder(5, code=Nested()),
    "gaussian": Autoencoder(8, corruption=GaussianNoise(0.3)),
    "masking": Autoencoder(8, corruption=MaskingNoise(0.3)),
    "salt and pepper": Autoencoder(8, corruption=SaltAndPepper(0.2)),
    "block": Autoencoder(8, corruption=BlockMask(0.25)),
    "swap": Autoencoder(8, corruption=SwapNoise(0.2)),
    "contractive": Autoencoder(8, penalty=1e-2 * Contraction()),
    "everything": Autoencoder(
        32,
        code=TopK(8),
        corruption=GaussianNoise(0.1) + MaskingNoise(0.1),
        penalty=1e-3 * L1() + 1e-3 * Contraction(),
    ),
}


@pytest.fixture(params=list(VARIANTS))
def variant(request):
    """Each classical kind, and one of everything."""
    return VARIANTS[request.param].set_params(random_state=0, trainer=SHORT)


@pytest.fixture(scope="module")
def mixed() -> pd.DataFrame:
    """120 rows of numbers, levels, yes/no, moments and gaps."""
    rng = np.random.default_rng(0)
    n = 120
    df = pd.DataFrame(
        {
            "height": rng.normal(170, 10, n),
            "count": rng.integers(0, 50, n),
            "kind": rng.choice(["a", "b", "c"], n),
            "flag": rng.random(n) < 0.3,
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**6, n), "s"),
        }
    )
    df.loc[::7, "height"] = np.nan
    df.loc[::11, "kind"] = None
    return df


def test_same_seed_gives_the_same_bits(variant, digits):
    """Two fits with one seed agree in every weight and every line of history, seconds aside."""
    X = digits[0][:150]
    first = variant.fit(X).network_.state_dict()
    lines = [{k: v for k, v in row.items() if k != "seconds"} for row in variant.history_rows_]
    second = variant.fit(X).network_.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert lines == [{k: v for k, v in row.items() if k != "seconds"} for row in variant.history_rows_]


def test_global_random_states_stay_untouched(variant, mixed):
    """Python's, numpy's and torch's generators are where they were after a fit, a transform and a partial
    fit.
    """
    before = random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state()
    variant.fit(mixed).transform(mixed)
    variant.partial_fit(mixed)
    assert random.getstate() == before[0]
    assert np.random.get_state()[1].tobytes() == before[1]
    assert torch.equal(torch.get_rng_state(), before[2])


def test_another_seed_gives_other_weights(digits):
    """Otherwise the test above would prove nothing."""
    X = digits[0][:100]
    one, two = (Autoencoder(4, trainer=SHORT, random_state=seed).fit(X).transform(X) for seed in (0, 1))
    assert np.abs(one - two).max() > 1e-3


def test_every_variant_reconstructs_a_mixed_table(variant, mixed):
    """Same columns, order and dtypes, finite numbers, known levels."""
    back = variant.fit(mixed).reconstruct(mixed)
    pd.testing.assert_series_equal(back.dtypes, mixed.dtypes)
    assert back.index.equals(mixed.index)
    assert np.isfinite(back["height"]).all()
    assert set(back["kind"]) <= {"a", "b", "c"}
    errors = variant.errors(mixed)
    assert (errors.isna() == mixed.isna()).all().all()
    assert (errors.fillna(0) >= 0).all().all()


def test_batch_size_changes_transform_by_less_than_1e_5(digits):
    """One row at a time, seven at a time, all at once."""
    model = Autoencoder(8, trainer=SHORT, random_state=0).fit(digits[0])
    whole = model.transform(digits[1])
    for size in (1, 7):
        pieces = [model.transform(digits[1][i : i + size]) for i in range(0, len(digits[1]), size)]
        assert np.abs(np.concatenate(pieces) - whole).max() < 1e-5


def test_duplicate_rows_get_identical_codes(digits):
    """To the bit."""
    model = Autoencoder(8, trainer=SHORT, random_state=0).fit(digits[0])
    twice = model.transform(np.repeat(digits[1][:20], 2, axis=0))
    assert (twice[::2] == twice[1::2]).all()


def test_error_does_not_rise_with_components(digits):
    """Converged training error at 2, 4, 8, 16 numbers, 5% slack."""
    trainer = Trainer(held_out=0)
    errors = [
        -Autoencoder(k, inputs=PLAIN, trainer=trainer, random_state=0).fit(digits[0]).score(digits[0])
        for k in (2, 4, 8, 16)
    ]
    assert all(b <= 1.05 * a for a, b in itertools.pairwise(errors))


def test_fewer_rows_than_a_batch(digits):
    """7 rows, batches of 64: it trains."""
    X = digits[0][:7]
    trainer = Trainer(batch_size=64, max_epochs=50)
    model = Autoencoder(2, inputs=PLAIN, trainer=trainer, random_state=0).fit(X)
    assert model.score(X) > -np.square(X - X.mean(0)).mean()


def test_reordering_columns_changes_nothing(mixed):
    """Columns are matched by name; the order given comes back."""
    model = Autoencoder(3, trainer=SHORT, random_state=0).fit(mixed)
    turned = mixed[mixed.columns[::-1]]
    assert (model.transform(turned) == model.transform(mixed)).all()
    assert list(model.reconstruct(turned).columns) == list(turned.columns)
    pd.testing.assert_frame_equal(model.reconstruct(turned)[mixed.columns], model.reconstruct(mixed))
    pd.testing.assert_frame_equal(model.errors(turned)[mixed.columns], model.errors(mixed))


def test_default_fit_beats_pca_on_held_out_digits(digits):
    """It starts at PCA and stops on held-out rows: never far above PCA, here far below."""
    from isthmus import pca_comparison

    model = Autoencoder(8, random_state=0).fit(digits[0])
    comparison = pca_comparison(model, digits[0], digits[1])
    assert comparison.ratio < 0.7
    assert "lower than PCA's" in str(comparison)


def test_default_fit_on_pure_noise_is_pca(digits):
    """Nothing to learn: the held-out error stays within 3% of PCA's instead of memorising."""
    from isthmus import pca_comparison

    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(400, 20)), rng.normal(size=(2000, 20))
    comparison = pca_comparison(Autoencoder(5, random_state=0).fit(train), train, test)
    assert comparison.ratio < 1.03


@pytest.mark.parametrize("name", recipes.__all__)
def test_recipes_fit_digits(name, digits):
    """Every textbook name gives a model that reconstructs better than the mean."""
    model = getattr(recipes, name)(inputs=PLAIN, random_state=0).fit(digits[0])
    assert -model.score(digits[1]) < 0.8 * np.square(digits[1] - digits[0].mean(0)).mean()
