"""What scikit-learn asks of its citizens, answered without its base classes."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from isthmus import L1, Autoencoder, DataError, Linear, MaskingNoise, Trainer
from isthmus.citizen import Estimator, Transformer

NAMES = ["height", "weight", "age", "pulse"]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Thirty rows of four correlated columns, with an index of its own."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 2)) @ rng.normal(size=(2, 4)) + 0.1 * rng.normal(size=(30, 4))
    return pd.DataFrame(X, columns=NAMES, index=[f"row{i}" for i in range(30)])


def linear(k: int = 2) -> Autoencoder:
    """Closed form: the same numbers in every fit, and at once."""
    return Autoencoder(k, architecture=Linear(), random_state=0)


class Halve(Transformer):
    """A transformer of frames: half of every number."""

    def fit(self, X, y=None):
        self.n_features_in_ = self._n_features_out = X.shape[1]
        return self

    def transform(self, X):
        return X / 2


class Keeper(Estimator):
    """An estimator that holds another, as a detector holds an autoencoder."""

    def __init__(self, model, *, quantile=0.9, bounds=None):
        self.model, self.quantile, self.bounds = model, quantile, bounds


# ---------------------------------------------------------------- parameters


def test_repr_shows_what_was_changed_in_the_order_of_the_signature():
    """Short enough to read, and valid Python."""
    model = Autoencoder(8, penalty=1e-3 * L1(), corruption=MaskingNoise())
    shown = "Autoencoder(n_components=8, corruption=MaskingNoise(), penalty=L1(weight=0.001))"
    assert repr(model) == shown
    assert eval(shown).get_params() == model.get_params()
    assert (
        repr(Keeper(Autoencoder(), bounds=np.ones(2)))
        == "Keeper(model=Autoencoder(), bounds=array([1., 1.]))"
    )


def test_parameters_are_those_scikit_learn_would_find():
    """Its BaseEstimator reads the same names and values from the same signature."""
    model = Keeper(Autoencoder(3, penalty=L1()))
    assert model.get_params() == BaseEstimator.get_params(_as_base_estimator(model))


def _as_base_estimator(model):
    twin = type("Keeper", (BaseEstimator,), {"__init__": Keeper.__init__})
    return twin(**model.get_params(deep=False))


def test_an_estimator_inside_is_set_in_place_and_cloned_apart():
    """As in scikit-learn's own meta-estimators; parts inside it are still replaced."""
    model = Keeper(Autoencoder(3))
    copy = clone(model)
    inner = model.model
    model.set_params(model__n_components=5, model__trainer__lr=0.1, quantile=0.5)
    assert model.model is inner
    assert (inner.n_components, inner.trainer, model.quantile) == (5, Trainer(lr=0.1), 0.5)
    assert (copy.model.n_components, copy.model.trainer) == (3, Trainer())
    with pytest.raises(DataError, match="must be a part to reach into it"):
        model.set_params(quantile__half=1)


# ---------------------------------------------------------------- tags, fittedness, routing


def test_tags_are_those_of_scikit_learns_mixins():
    """Field by field, but for three: gaps and sparse data are welcome, dtypes change."""

    class Twin(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
        pass

    expected = get_tags(Twin())
    expected.input_tags.allow_nan = expected.input_tags.sparse = True
    expected.transformer_tags.preserves_dtype = []
    assert get_tags(Autoencoder()) == expected
    assert get_tags(Keeper(None)) == get_tags(BaseEstimator())


@pytest.mark.parametrize(
    "use",
    [
        lambda model, X: model.transform(X),
        lambda model, X: model.inverse_transform(X),
        lambda model, X: model.score(X),
        lambda model, X: model.get_feature_names_out(),
        lambda model, X: model.history_,
    ],
)
def test_an_unfitted_model_says_so_to_everyone(use, table):
    """As scikit-learn's NotFittedError and as an error of isthmus; a worker can send it home."""
    with pytest.raises(NotFittedError, match="must be fitted before it is used") as caught:
        use(Autoencoder(2), table)
    assert isinstance(caught.value, DataError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_metadata_passes_by_to_the_step_that_asked(table):
    """With routing enabled, weights reach the classifier behind the autoencoder."""
    y, weights = (table["age"] > 0).to_numpy(), np.linspace(0.1, 3, len(table))
    with sklearn.config_context(enable_metadata_routing=True):
        asking = LogisticRegression().set_fit_request(sample_weight=True)
        pipeline = make_pipeline(linear(), asking).fit(table, y, sample_weight=weights)
    by_hand = LogisticRegression().fit(linear().fit_transform(table), y, sample_weight=weights)
    assert np.allclose(pipeline[-1].coef_, by_hand.coef_)
    assert not np.allclose(by_hand.coef_, LogisticRegression().fit(linear().fit_transform(table), y).coef_)


# ---------------------------------------------------------------- names and containers


def test_names_out_are_those_of_scikit_learns_own_pca(table):
    """Class name and number; names that did not go in are refused."""
    model, pca = linear().fit(table), PCA(2).fit(table)
    ours = [name.replace("autoencoder", "pca") for name in model.get_feature_names_out(NAMES)]
    assert ours == list(pca.get_feature_names_out(NAMES))
    with pytest.raises(ValueError, match="is not equal to feature_names_in_"):
        model.get_feature_names_out(NAMES[::-1])
    with pytest.raises(ValueError, match="should have length equal"):
        linear().fit(table.to_numpy()).get_feature_names_out(NAMES[:2])


def test_column_transformer_and_feature_union_speak_pandas(table):
    """Names with prefixes, the index of the rows, and the numbers of each step alone."""
    columns = ColumnTransformer([("code", linear(1), NAMES[:2]), ("rest", StandardScaler(), NAMES[2:])])
    Z = columns.set_output(transform="pandas").fit_transform(table)
    assert list(Z.columns) == ["code__autoencoder0", "rest__age", "rest__pulse"]
    assert Z.index.equals(table.index)
    alone = linear(1).fit_transform(table[NAMES[:2]])
    assert np.allclose(Z["code__autoencoder0"], alone[:, 0])

    union = FeatureUnion([("code", linear()), ("pca", PCA(1))]).set_output(transform="pandas")
    Z = union.fit(table).transform(table)
    assert list(Z.columns) == ["code__autoencoder0", "code__autoencoder1", "pca__pca0"]
    assert np.allclose(Z.iloc[:, :2], linear().fit_transform(table))
    assert list(union.get_feature_names_out()) == list(Z.columns)


@pytest.mark.parametrize(("container", "kind"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)])
def test_the_container_asked_for_globally_is_given(container, kind, table):
    """By `set_config`; the model's own `set_output` wins; the numbers are the same."""
    model = linear().fit(table)
    plain = model.transform(table)
    with sklearn.config_context(transform_output=container):
        framed = model.transform(table)
        assert isinstance(model.fit_transform(table), kind)
        assert isinstance(clone(model).set_output(transform="default").fit_transform(table), np.ndarray)
    assert isinstance(framed, kind)
    assert list(framed.columns) == ["autoencoder0", "autoencoder1"]
    assert (framed.to_numpy() == plain).all()
    assert isinstance(clone(model.set_output(transform=container)).fit_transform(table), kind)
    assert type(model.set_output().transform(table)) is kind


def test_a_frame_that_transform_made_is_only_renamed(table):
    """Its index and numbers stay."""
    model = Halve().fit(table).set_output(transform="pandas")
    Z = model.transform(table)
    assert list(Z.columns) == ["halve0", "halve1", "halve2", "halve3"]
    assert (Z.to_numpy() == table.to_numpy() / 2).all()
    assert Z.index.equals(table.index)
    assert list(table.columns) == NAMES


def test_an_unknown_container_is_refused():
    """When it is asked for, not when rows arrive."""
    with pytest.raises(DataError, match="must be one of default, pandas, polars; got arrow"):
        Autoencoder().set_output(transform="arrow")


# ---------------------------------------------------------------- notebooks


def test_notebooks_draw_it_as_they_draw_scikit_learns_own(table):
    """Alone, fitted, and as a step; not where text was asked for."""
    assert "Not fitted" in Autoencoder(7)._repr_html_()
    fitted = linear().fit(table)._repr_html_()
    for words in ("Autoencoder", "Fitted", "n_components", "Linear()"):
        assert words in fitted
    assert "Autoencoder" in make_pipeline(StandardScaler(), linear())._repr_html_()
    with sklearn.config_context(display="text"):
        assert Autoencoder()._repr_html_() is None
