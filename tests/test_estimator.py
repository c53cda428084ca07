"""The autoencoder as a scikit-learn citizen."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from isthmus import (
    L1,
    MLP,
    Architecture,
    Autoencoder,
    Contraction,
    Corruption,
    DataError,
    Deviance,
    GaussianNoise,
    KLSparsity,
    Linear,
    MaskingNoise,
    Penalty,
    SigmoidCode,
    Suited,
    TopK,
    Trainer,
    pca_comparison,
)
from isthmus.diagnostics import PCAComparison

SHORT = Trainer(max_epochs=3)


@pytest.mark.filterwarnings(
    "ignore:n_components=.* is as wide as the data"
)  # the checks fit 2 numbers to 2 columns
@pytest.mark.filterwarnings("ignore:.*array API:UserWarning")
@parametrize_with_checks(
    [
        Autoencoder(),
        Autoencoder(2, architecture=Linear()),
        Autoencoder(
            2, penalty=1e-3 * L1() + 1e-3 * Contraction(), corruption=GaussianNoise(0.1) + MaskingNoise(0.1)
        ),
        Autoencoder(2, architecture=MLP((), tied=True), code=SigmoidCode(), penalty=KLSparsity()),
    ]
)
def test_scikit_learns_estimator_checks(estimator, check):
    """All of them, plain and with penalties and corruption; none expected to fail."""
    check(estimator)


def test_parameters_reach_into_parts():
    """scikit-learn's spelling, on sums and on single terms."""
    model = Autoencoder(8, penalty=1e-3 * L1() + 1e-2 * Contraction())
    model.set_params(penalty__l1__weight=0.5, trainer__lr=1e-2, n_components=3)
    assert model.penalty == 0.5 * L1() + 1e-2 * Contraction()
    assert (model.trainer.lr, model.n_components) == (1e-2, 3)
    assert model.get_params()["penalty__contraction__weight"] == 1e-2
    single = Autoencoder(penalty=L1())
    assert (
        single.set_params(penalty__weight=0.1).penalty == single.set_params(penalty__l1__weight=0.1).penalty
    )


def test_parts_are_shared_safely():
    """Setting a parameter replaces the part: defaults, clones and siblings keep theirs."""
    one, two = Autoencoder(), Autoencoder()
    copy = clone(one)
    one.set_params(trainer__lr=0.5, architecture__dense__hidden=(7,))
    assert two.trainer.lr is None
    assert copy.trainer.lr is None
    assert Autoencoder().architecture == Suited()


@pytest.mark.parametrize(
    "params",
    [{"nonsense": 1}, {"trainer__nonsense": 1}, {"penalty__l1__weight": 1}, {"penalty__l2__weight": 1}],
)
def test_unknown_parameters_are_refused_by_name(params):
    """One sentence, and the estimator keeps what it had."""
    model = Autoencoder()
    before = repr(model)
    with pytest.raises(DataError, match=r"must be"):
        model.set_params(**params)
    assert repr(model) == before


def test_grid_search_over_numbers_weights_and_rates(digits):
    """Through every level of nesting; the better penalty wins."""
    grid = {"n_components": [4, 8], "penalty__l1__weight": [1e-4, 10.0], "trainer__lr": [2e-3]}
    search = GridSearchCV(
        Autoencoder(penalty=L1(), trainer=Trainer(max_epochs=8), random_state=0), grid, cv=2
    )
    search.fit(digits[0][:300])
    assert search.best_params_["penalty__l1__weight"] == 1e-4
    assert search.best_params_["n_components"] == 8


def test_pipeline_and_pandas_output(digits):
    """In a pipeline before a classifier, and with set_output."""
    X, y = load_digits(return_X_y=True)
    pipeline = make_pipeline(Autoencoder(8, random_state=0), LogisticRegression(max_iter=2000))
    assert pipeline.fit(X[:1200], y[:1200]).score(X[1200:], y[1200:]) > 0.75
    X = digits[0][:200]
    df = pd.DataFrame(X, index=range(1000, 1200)).rename(columns=str)
    model = Autoencoder(3, trainer=SHORT, random_state=0).set_output(transform="pandas").fit(df)
    codes = model.transform(df)
    assert (
        list(codes.columns)
        == ["autoencoder0", "autoencoder1", "autoencoder2"]
        == list(model.get_feature_names_out())
    )
    assert codes.index.equals(df.index)
    assert list(model.feature_names_in_) == list(df.columns)
    back = model.inverse_transform(codes)
    assert np.allclose(back.to_numpy(), model.reconstruct(df).to_numpy(), atol=1e-5)


class Energy(Penalty):
    """Six lines: a user's own penalty."""

    def __call__(self, trace):
        return trace.z.square().sum(1).mean()


class Fade(Corruption):
    """A user's own corruption."""

    to: float = 0.5

    def __call__(self, x, layout, generator):
        return x * self.to


class Tower(Architecture):
    """A user's own network, with dropout of its own."""

    width: int = 16

    def build(self, layout, n_components):
        nn = torch.nn
        up = nn.Sequential(
            nn.Linear(layout.width, self.width),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(self.width, n_components),
        )
        return up, nn.Linear(n_components, layout.width)


def test_users_own_parts_are_first_class(digits):
    """They compose, are parameters, appear in history, and repeat with their seed."""
    model = Autoencoder(
        4,
        architecture=Tower(),
        penalty=0.1 * Energy() + 0.01 * Contraction(),
        corruption=Fade(0.9),
        random_state=0,
        trainer=SHORT,
    ).set_params(architecture__width=32, penalty__energy__weight=0.2)
    first = model.fit(digits[0]).transform(digits[1])
    assert {"energy", "held_out_energy"} <= set(model.history_.columns)
    assert (model.fit(digits[0]).transform(digits[1]) == first).all()
    assert model.network_.encoder[0].out_features == 32


def test_wide_codes_need_something_that_keeps_them_from_copying(digits):
    """No narrow code, no penalty: the error says what the textbook says; with a corruption it is fine."""
    X = digits[0][:60]
    for k in (None, 65):
        with pytest.raises(DataError, match="copying"):
            Autoencoder(k).fit(X)
    with pytest.warns(UserWarning, match="as wide as the data"):
        Autoencoder(64, trainer=SHORT).fit(X)
    for guard in ({"corruption": GaussianNoise(0.1)}, {"penalty": L1()}, {"code": TopK(4)}):
        assert Autoencoder(None, trainer=SHORT, **guard).fit(X).n_components_ == 64


class Plain(Penalty):
    """A user's mistake: a float, through which no gradient passes."""

    def __call__(self, trace):
        return 1.5


class PerRow(Penalty):
    """Another: one number a row."""

    def __call__(self, trace):
        return trace.z.square().sum(1)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"n_components": 0}, "n_components must"),
        ({"n_components": "many"}, "n_components must"),
        ({"n_components": 2.5}, "n_components must"),
        ({"trainer": "fast"}, "trainer must be a part"),
        ({"loss": None}, "loss must be a part"),
        ({"penalty": KLSparsity()}, "SigmoidCode"),
        ({"trainer": Trainer(lr=-1.0)}, "lr must"),
        ({"trainer": Trainer(held_out=1.0)}, "held_out must"),
        ({"trainer": Trainer(batch_size=0)}, "batch_size must"),
        ({"corruption": MaskingNoise(1.5)}, "fraction must"),
        ({"code": TopK(0), "n_components": 9}, "k must"),
        ({"penalty": L1("nowhere")}, "layer must"),
        ({"architecture": MLP((0,))}, "hidden must"),
        ({"random_state": -1}, "random_state must"),
        ({"random_state": "a"}, "random_state must"),
        ({"random_state": 1.5}, "random_state must"),
        ({"penalty": L1}, r"Use L1\(\) with parentheses"),
        ({"penalty": -0.1 * L1()}, "weight of the penalty l1 must"),
        ({"penalty": float("nan") * L1() + Contraction()}, "weight of the penalty l1 must"),
        ({"penalty": float("inf") * L1()}, "weight of the penalty l1 must"),
        ({"penalty": Plain() + L1()}, "penalty plain must return one number as a tensor; got 1.5"),
        ({"penalty": PerRow()}, r"penalty perrow must return one number .* shape \(8,\)"),
    ],
)
def test_bad_parameters_get_one_sentence(params, words, digits):
    """What, got, do; raised at fit as scikit-learn asks."""
    with pytest.raises(DataError, match=words) as caught:
        Autoencoder(**{"n_components": 4, **params}).fit(digits[0][:50])
    assert "got" in str(caught.value)


def test_failed_refit_leaves_the_model_as_it_was(digits):
    """Bad input after a good fit: the codes stay the same to the bit."""
    model = Autoencoder(4, trainer=SHORT, random_state=0).fit(digits[0])
    before = model.transform(digits[1])
    for bad in (np.full((5, 64), np.inf), np.empty((0, 64)), np.ones(3)):
        with pytest.raises(ValueError, match=r"X|Found"):
            model.fit(bad)
    assert (model.transform(digits[1]) == before).all()


def test_partial_fit_learns_more_with_every_pass(digits):
    """The first call fixes the columns; the loss falls over five passes."""
    model = Autoencoder(8, random_state=0)
    scores = [model.partial_fit(digits[0]).score(digits[1]) for _ in range(6)]
    assert scores[-1] > scores[0]
    assert model.history_rows_[-1]["epoch"] == 6


def test_history_has_every_term(digits):
    """Training and held-out values of the objective, the loss and each penalty, which add up."""
    model = Autoencoder(8, penalty=1e-2 * L1() + 1e-3 * Contraction(), trainer=SHORT, random_state=0).fit(
        digits[0]
    )
    history = model.history_
    for prefix in ("", "held_out_"):
        total = history[f"{prefix}loss"] + history[f"{prefix}l1"] + history[f"{prefix}contraction"]
        assert np.allclose(history[f"{prefix}objective"], total, rtol=1e-4)
    assert {"epoch", "lr", "seconds"} <= set(history.columns)
    assert len(model.held_out_) == 140


def test_pickle_and_clone_keep_what_they_should(digits):
    """Joblib's workers pickle estimators: a fitted one answers the same, a clone is unfitted."""
    model = Autoencoder(4, architecture=MLP((16,), tied=True), trainer=SHORT, random_state=0).fit(digits[0])
    same = pickle.loads(pickle.dumps(model))
    assert (same.transform(digits[1]) == model.transform(digits[1])).all()
    assert not hasattr(clone(model), "network_")
    decoder, encoder = same.network_.decoder.layers[0], same.network_.encoder.layers[-1]
    assert decoder.weight.data_ptr() == encoder.weight.data_ptr()


def test_errors_sum_to_the_loss_of_a_row(digits):
    """Against the deviance of numbers, which is the squared error in standard units."""
    model = Autoencoder(8, trainer=SHORT, loss=Deviance(), random_state=0).fit(digits[0])
    x = model.schema_.encode(digits[1]).x
    by_hand = np.square(x - model.reconstruct_encoded(digits[1]))
    assert np.allclose(model.errors(digits[1]), by_hand, atol=1e-5)
    assert model.score(digits[1]) == pytest.approx(-by_hand.mean(), rel=1e-5)


def test_linear_one_is_pca_on_standardised_columns(digits):
    """The default inputs standardise; scikit-learn's scaler and PCA give the same errors."""
    X = digits[0][:, digits[0].std(0) > 0]
    model = Autoencoder(6, architecture=Linear()).fit(X)
    Z = (X - X.mean(0)) / X.std(0)
    pca = PCA(6).fit(Z)
    expected = np.square(pca.inverse_transform(pca.transform(Z)) - Z)
    assert np.allclose(model.errors(X), expected, atol=1e-4)


def test_a_comparison_needs_a_fitted_model(digits):
    """And says so as every other use does."""
    with pytest.raises(DataError, match="must be fitted"):
        pca_comparison(Autoencoder(4), digits[0], digits[1])


@pytest.mark.parametrize(
    ("rows", "errors", "words"),
    [
        (9, (1.0, 2.0, 4.0, 1.0, 0.1), "So few rows judge nothing"),
        (90, (1e-5, 1e-6, 4.0, -9e-6, 1e-9), "equal: PCA is simpler"),
        (90, (1.0, 2.0, 4.0, 1.0, 0.1), "50% lower"),
        (90, (2.0, 1.0, 4.0, -1.0, 0.1), "PCA is better here"),
        (90, (1.0, 1.1, 4.0, 0.1, 0.1), "No clear difference"),
        (90, (0.0, 0.0, 0.0, 0.0, 0.0), "every row is the same"),
    ],
)
def test_verdicts_claim_no_more_than_the_rows_show(rows, errors, words):
    """Too few rows, equal shares and constant data get no winner."""
    text = str(PCAComparison(2, rows, *errors))
    assert words in text
    assert text.count("PCA is") <= 1


def test_constant_rows_are_compared_without_a_warning():
    """There are no principal axes; shares of nothing are no numbers."""
    X = np.ones((40, 3))
    result = pca_comparison(Autoencoder(1, trainer=SHORT, random_state=0).fit(X), X, X)
    assert np.isnan([result.explained, result.pca_explained]).all()
