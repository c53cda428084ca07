"""Citizens of scikit-learn that do not import it.

scikit-learn asks nothing of an estimator's ancestry, only that it answers: `get_params` and `set_params` for
`clone` and `GridSearchCV`, `__sklearn_tags__` and `__sklearn_is_fitted__` for `Pipeline` and the estimator
checks, `set_output` and `get_feature_names_out` for `ColumnTransformer` and `FeatureUnion`,
`get_metadata_routing` for all that route. The two bases here answer, and import scikit-learn only inside
those answers that are made of its classes: whoever asks has imported it already. Importing
`sklearn.base` costs as much time as importing torch, and a fit does not need it.

`isinstance(model, sklearn.base.BaseEstimator)` is therefore False: it could only be made true by importing
it, or by exchanging a class's bases behind its user's back. scikit-learn itself does not look, but for one
warning of its estimator checks.

>>> class Shrink(Transformer):
...     def __init__(self, by=0.5, *, columns=None):
...         self.by, self.columns = by, columns
...
...     def fit(self, X, y=None):
...         self.n_features_in_ = self._n_features_out = X.shape[1]
...         return self
...
...     def transform(self, X):
...         self.must_be_fitted()
...         return X * self.by
>>> import numpy as np
>>> model = Shrink(0.1)
>>> model, model.fit_transform(np.ones((1, 2))), list(model.get_feature_names_out())
(Shrink(by=0.1), array([[0.1, 0.1]]), ['shrink0', 'shrink1'])
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import DataError, must
from isthmus.parts import changed, deepened, same

__all__ = ["Estimator", "Transformer"]

CONTAINERS = ("default", "pandas", "polars")


class Estimator:
    """Parameters are what `__init__` names and stores; whatever `fit` learns ends in an underscore.

    Parameters that are parts are replaced, never changed in place; those that are estimators are changed in
    place, as scikit-learn does.
    """

    # ---------------------------------------------------------------- parameters

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        """The parameters in the order of `__init__`, with the values they have when left out."""
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
        return {p.name: p.default for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name; with `deep`, those of parts and estimators inside as `name__inner`."""
        shallow = {name: getattr(self, name) for name in self._defaults()}
        return deepened(shallow) if deep else shallow

    def set_params(self, **params: Any) -> Self:
        """Set parameters by scikit-learn's names; `trainer__lr=...` replaces the trainer by one with that
        rate.

        Raises DataError, and changes nothing, where a name is unknown.
        """
        current = self.get_params(deep=False)
        for name, value in changed(type(self).__name__, current, params).items():
            if value is not current[name]:
                setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}={getattr(self, name)!r}"
            for name, default in self._defaults().items()
            if default is inspect.Parameter.empty or not same(getattr(self, name), default)
        )
        return f"{type(self).__name__}({shown})"

    # ---------------------------------------------------------------- fitted or not

    def __sklearn_is_fitted__(self) -> bool:
        return any(map(_learned, reversed(self.__dict__)))  # what was learned was set last: soon found

    def must_be_fitted(self) -> None:
        """Raise an error that is both a DataError and scikit-learn's NotFittedError unless fitted."""
        if not self.__sklearn_is_fitted__():
            from isthmus.unfitted import UnfittedError

            this = f"this {type(self).__name__}"
            raise UnfittedError(f"{this} must be fitted before it is used; got one that is not. Call fit.")

    # ---------------------------------------------------------------- answers made of scikit-learn's classes

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import Tags, TargetTags

        return Tags(estimator_type=None, target_tags=TargetTags(required=False))

    def get_metadata_routing(self) -> Any:
        """A request for nothing: no method takes more than X and y."""
        from sklearn.utils.metadata_routing import MetadataRequest

        return MetadataRequest(owner=type(self).__name__)

    def _repr_html_(self) -> str | None:
        """scikit-learn's diagram, for notebooks; None where `sklearn.set_config(display="text")`."""
        from sklearn import get_config
        from sklearn.utils import estimator_html_repr

        return str(estimator_html_repr(self)) if get_config()["display"] == "diagram" else None

    def _get_params_html(self, *arguments: Any, **keywords: Any) -> Any:
        """The table of parameters in that diagram; only versions of scikit-learn that have one ask."""
        from sklearn.base import BaseEstimator

        return BaseEstimator._get_params_html(self, *arguments, **keywords)

    def _get_fitted_attr_html(self, *arguments: Any, **keywords: Any) -> Any:
        """The table of what was learned, likewise."""
        from sklearn.base import BaseEstimator

        return BaseEstimator._get_fitted_attr_html(self, *arguments, **keywords)


class Transformer(Estimator):
    """An estimator with `transform`, whose output comes as the container the user asked for.

    A subclass gives `fit`, `transform`, and `_n_features_out` once it is fitted.
    """

    _sklearn_auto_wrap_output_keys: ClassVar[set[str]] = {"transform"}  # scikit-learn asks for this name

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        for name in {"transform", "fit_transform"} & set(vars(cls)):
            setattr(cls, name, _contained(vars(cls)[name]))

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """`fit(X)` and then `transform(X)`."""
        supervised = () if y is None else (y,)
        return self.fit(X, *supervised, **fit_params).transform(X)  # type: ignore[attr-defined]

    def set_output(self, *, transform: str | None = None) -> Self:
        """Choose what `transform` returns: "default", "pandas" or "polars"; None leaves it as it is."""
        if transform is not None:
            _check_container(transform)
            self._sklearn_output_config = {"transform": transform}
        return self

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Names of the columns of `transform`: the class's name in lower case and a number.

        input_features: names of the columns that went in, to be checked against those of fit.
        """
        self.must_be_fitted()
        self._check_input_features(input_features)
        name = type(self).__name__.lower()
        count: int = self._n_features_out  # type: ignore[attr-defined]
        return np.array([f"{name}{j}" for j in range(count)], dtype=object)

    def _check_input_features(self, input_features: Any) -> None:
        if input_features is None:
            return
        given = np.asarray(input_features, dtype=object)
        known, count = getattr(self, "feature_names_in_", None), getattr(self, "n_features_in_", len(given))
        # scikit-learn's checks look for "is not equal to" and "should have length equal"
        if known is not None and not np.array_equal(known, given):
            raise DataError("input_features is not equal to feature_names_in_. Leave it out.")
        if len(given) != count:
            raise DataError(
                f"input_features should have length equal to the number of columns of fit, {count}; got "
                f"{len(given)}. Leave it out."
            )

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import TransformerTags

        tags = super().__sklearn_tags__()
        tags.transformer_tags = TransformerTags()
        return tags


# ---------------------------------------------------------------- output in the container asked for


def _contained(method: Callable[..., Any]) -> Callable[..., Any]:
    """`method(self, X, ...)` with its output in the container the user asked for."""

    @functools.wraps(method)
    def contained(self: Transformer, X: Any, *arguments: Any, **keywords: Any) -> Any:
        Z = method(self, X, *arguments, **keywords)
        kind = _container(self)
        return Z if kind == "default" else _as_frame(Z, kind, self.get_feature_names_out(), X)

    return contained


def _learned(name: str) -> bool:
    """Whether an attribute of this name was learned from data, by scikit-learn's convention."""
    return name[-1] == "_" and name[0] != "_"


def _container(model: Transformer) -> str:
    """What `set_output` said, else `sklearn.set_config`, which nobody can have called without importing
    it.
    """
    own: dict[str, str] = getattr(model, "_sklearn_output_config", {})
    if "transform" in own:
        return own["transform"]
    sklearn = sys.modules.get("sklearn")
    kind = "default" if sklearn is None else str(sklearn.get_config()["transform_output"])
    _check_container(kind)
    return kind


def _check_container(kind: str) -> None:
    if kind not in CONTAINERS:
        rule = f"be one of {', '.join(CONTAINERS)}"
        raise must("the output of transform", rule, kind, 'Use set_output(transform="pandas")')


def _as_frame(Z: Any, kind: str, names: NDArray[Any], like: Any) -> Any:
    """Z (n, columns) as a DataFrame with `names`; pandas keeps the index of `like`."""
    if kind == "polars":
        import polars

        return polars.DataFrame(np.asarray(Z), schema=names.tolist(), orient="row")
    import pandas

    index = like.index if isinstance(like, (pandas.DataFrame, pandas.Series)) else None
    if isinstance(Z, pandas.DataFrame):
        return Z.set_axis(names, axis=1)
    return pandas.DataFrame(Z, index=index, columns=names)
