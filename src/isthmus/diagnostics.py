"""Diagnostics: the plain baselines every reconstruction is held against.

An autoencoder earns its keep only where it explains more than PCA does with as many numbers. Both are
compared on the same rows, in the encoded space, over the cells that were observed: e = norm(x - x_hat)^2,
and the share explained is 1 - e / e_mean, where e_mean is the error of always answering with the training
mean.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.parts import Record
from isthmus.wording import counted, percent

__all__ = ["PCAComparison", "pca_comparison"]

FEW = 10  # held-out rows below which no verdict is given
ALL = 0.9995  # a share explained that is shown as 100.0%
NOTHING = 1e-12  # squared standard units that are rounding errors


class PCAComparison(Record):
    """Mean squared error per row of the model, of PCA and of the mean; and the paired difference PCA -
    model.
    """

    n_components: int
    rows: int
    model_error: float
    pca_error: float
    mean_error: float
    difference: float
    standard_error: float

    @property
    def explained(self) -> float:
        """Share of the variation of these rows the model explains; NaN where they do not vary."""
        return 1 - self.model_error / self.mean_error if self.varied else math.nan

    @property
    def pca_explained(self) -> float:
        """The same for PCA."""
        return 1 - self.pca_error / self.mean_error if self.varied else math.nan

    @property
    def varied(self) -> bool:
        """Whether the rows differ from the training mean at all."""
        return self.mean_error > NOTHING

    @property
    def ratio(self) -> float:
        """The model's error over PCA's: below 1 the model is better."""
        return self.model_error / self.pca_error if self.pca_error > 0 else 1.0

    def __str__(self) -> str:
        if not self.varied:
            return "has nothing to learn: every row is the same."
        shares = (
            f"explains {percent(self.explained, 1)} of the variation of {counted(self.rows, 'held-out row')} "
            f"with {counted(self.n_components, 'number')}; PCA explains {percent(self.pca_explained, 1)}"
        )
        if self.rows < FEW:
            return f"{shares}. So few rows judge nothing: hold out at least {FEW}."
        if min(self.explained, self.pca_explained) >= ALL:
            return f"{shares}. They are equal: PCA is simpler, use it."
        if abs(self.difference) <= 2 * self.standard_error:
            return f"{shares}. No clear difference: PCA is simpler, use it."
        if self.difference < 0:
            return f"{shares}. PCA is better here: use it, or train longer, or on more rows."
        return f"{shares}. The error is {percent(1 - self.ratio)} lower than PCA's."


def pca_comparison(model: Any, X_train: Any, X_test: Any, n_components: int | None = None) -> PCAComparison:
    """Hold a fitted model against scikit-learn's PCA of the same size.

    Parameters
    ----------
    model : Autoencoder
        Fitted; only its `schema_`, `n_components_` and `reconstruct_encoded` are used.
    X_train : DataFrame or array
        What PCA and the mean are fitted on, gaps filled with the mean.
    X_test : DataFrame or array
        Rows neither has seen.
    n_components : int or None
        Numbers PCA may use; as many as the model's code where None. For a sparse code the fair figure is
        how many are on at once.

    Returns
    -------
    PCAComparison
        Errors per row in encoded units, and a sentence as its text. Where the data lie in [0, 1], as pixels
        do, both reconstructions are cut to that range.
    """
    from sklearn.decomposition import PCA  # here, because importing it takes longer than reading a model

    if hasattr(model, "must_be_fitted"):
        model.must_be_fitted()
    train, test = model.schema_.encode(X_train), model.schema_.encode(X_test)
    seen = model.schema_.layout.spread(test.observed)
    filled = _filled(train, model.schema_.layout)
    k = n_components or int(model.n_components_)
    x, centre = test.x.astype(np.float64), filled.mean(0)
    mean = np.broadcast_to(centre, x.shape)
    by_axes = mean
    if np.square(filled - centre).sum() > NOTHING * len(filled):  # otherwise there are no axes
        pca = PCA(min(k, *filled.shape)).fit(filled)
        by_axes = pca.inverse_transform(pca.transform(np.where(seen, x, centre)))
    bounds = (0.0, 1.0) if model.schema_.layout.positive else (-np.inf, np.inf)
    by_model = _errors(x, model.reconstruct_encoded(X_test).clip(*bounds), seen)
    by_pca = _errors(x, by_axes.clip(*bounds), seen)
    gap = by_pca - by_model
    return PCAComparison(
        n_components=k,
        rows=len(x),
        model_error=float(by_model.mean()),
        pca_error=float(by_pca.mean()),
        mean_error=float(_errors(x, mean, seen).mean()),
        difference=float(gap.mean()),
        standard_error=float(gap.std() / np.sqrt(max(1, len(gap) - 1))),
    )


def _errors(x: NDArray[Any], x_hat: NDArray[Any], seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """norm(x - x_hat)^2 over the observed features of each row: (n,)."""
    return np.asarray((np.square(x - x_hat) * seen).sum(1))


def _filled(encoded: Any, layout: Any) -> NDArray[np.float64]:
    """Encoded rows with gaps at the column's mean over the observed rows."""
    x: NDArray[np.float64] = encoded.x.astype(np.float64)
    if encoded.observed is None:
        return x
    seen = layout.spread(encoded.observed)
    mean = (x * seen).sum(0) / np.maximum(1, seen.sum(0))
    return np.where(seen, x, mean)
