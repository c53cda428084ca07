"""How many components? Held-out error for every size of the code, from one nested fit.

One autoencoder with a nested code of K numbers holds a model of every size k <= K (Rippel, Gelbart & Adams
2014). Such a model has to serve all sizes at once, and is a tenth or a third worse than one trained for k
alone. So at a few sizes, each about 1.6 times the one before, the nested model is cut to k and trained on for
a fifth of the usual time; between them the gain is interpolated over log k. `trained` says which.

PCA's curve on the same rows is exact, from one decomposition. Where the error stops falling the number is
suggested at which one more standard error of it is not worth another number (the one-standard-error rule of
Breiman et al. 1984); where it goes on falling, the bend of the curve.

>>> rng = np.random.default_rng(0)
>>> X = np.tanh(rng.normal(size=(400, 2)) @ rng.normal(size=(2, 10))) + 0.02 * rng.normal(size=(400, 10))
>>> component_curve(X, most=4).suggested
2
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.auditing.axes import Axes
from isthmus.auditing.subject import Look, Subject, drawn, subject_of
from isthmus.autoencoder import Autoencoder
from isthmus.checks import need
from isthmus.codes import LinearCode, Nested
from isthmus.inputs import Source, as_frame_like, rows_of
from isthmus.parts import Record

__all__ = ["ComponentCurve", "component_curve", "parted"]

HELD_OUT = 0.2
STEP = 1.6  # between sizes that are trained on
FULL = 0.3  # share of rows that keep the whole nested code
NESTED, EACH = 0.3, 0.2  # of a usual fit's epochs: for the nested fit, and for each size trained on
RATE = 3.0  # times the usual learning rate, for those
MOST = 32

Array = NDArray[np.float64]


class ComponentCurve(Record):
    """Held-out error by number of components, beside PCA's.

    k (K,): 1, 2, ...; error, pca_error (K,): mean squared error of a row, in the units the model sees;
    mean_error: that of the mean alone; rows: how many were held out. trained: sizes that were trained on.
    nested: the fitted nested model; `nested.truncate(k)` is a start for one of k numbers.
    """

    k: NDArray[np.int64]
    error: Array
    pca_error: Array
    mean_error: float
    rows: int
    suggested: int
    reason: str
    trained: tuple[int, ...]
    nested: Autoencoder

    @property
    def frame(self) -> Any:
        """A DataFrame: k, error, pca_error, and the shares explained."""
        shares = {"explained": 1 - self.error / self.mean_error}
        shares["explained_by_pca"] = 1 - self.pca_error / self.mean_error
        columns = {"k": self.k, "error": self.error, "pca_error": self.pca_error, **shares}
        return as_frame_like(None, {name: values.tolist() for name, values in columns.items()})

    def __str__(self) -> str:
        best = self.suggested - 1
        shares = [1 - errors[best] / self.mean_error for errors in (self.error, self.pca_error)]
        return (
            f"n_components={self.suggested}: {self.reason}. It explains {shares[0]:.1%} of {self.rows:,} "
            f"held-out rows, PCA({self.suggested}) {shares[1]:.1%}."
        )


def component_curve(
    X: Any,
    X_test: Any = None,
    *,
    most: int | None = None,
    model: Autoencoder | None = None,
    random_state: int = 0,
) -> ComponentCurve:
    """Held-out error for every number of components up to `most`, and a suggestion.

    Parameters
    ----------
    X : DataFrame, array, Source or folder
        Rows to learn from.
    X_test : the same, or None
        Rows to judge by; None takes a fifth of X.
    most : int or None
        The largest code; None is twice the square root of the data's width, at least 8 and at most 32, and
        less than the width.
    model : Autoencoder or None
        Whose architecture, loss, inputs and trainer to use; its code must be linear or nested.

    Raises DataError where `most` or the model cannot be used. Reference: Rippel, Gelbart & Adams (2014),
    Learning ordered representations with nested dropout, ICML.
    """
    base = Autoencoder() if model is None else model
    plain = isinstance(base.code, (LinearCode, Nested))
    need(plain, "model", "have a linear or a nested code", base.code, "Leave its code out")
    X = base.inputs.open(X)
    if X_test is None:
        X, X_test, _ = parted(X, random_state)
    nested = _nested(base, X, most, random_state)
    subject = subject_of(nested, X, X_test, random_state)
    K = nested.n_components_
    axes = Axes(subject.base, K, subject.bounds, random_state)
    at_once = np.array([_errors(subject, subject.test, nested, k) for k in range(1, K + 1)])
    sizes = _sizes(K)
    gains = [math.log(_trained_on(nested, X, k, subject) / max(at_once[k - 1].mean(), 1e-300)) for k in sizes]
    k = np.arange(1, K + 1)
    by_row = at_once * np.exp(np.interp(np.log(k), np.log(sizes), gains))[:, None]
    error = np.minimum.accumulate(by_row.mean(1))  # a larger code can do what a smaller one does
    test = subject.test
    mean_error = float(axes.errors(test.x, 0, test.seen).mean())
    suggested, reason = _suggestion(by_row, error, mean_error)
    return ComponentCurve(
        k=k,
        error=error,
        pca_error=np.array([axes.errors(test.x, int(size), test.seen).mean() for size in k]),
        mean_error=mean_error,
        rows=len(test.x),
        suggested=suggested,
        reason=reason,
        trained=tuple(sizes),
        nested=nested,
    )


def parted(X: Any, seed: int) -> tuple[Any, Any, NDArray[np.int64]]:
    """Four fifths of the rows, the other fifth, and which those are."""
    if isinstance(X, Source):
        X = drawn(X, 200_000, seed)[0]
    mixed = np.random.default_rng(seed).permutation(len(X))
    count = math.ceil(HELD_OUT * len(X))
    need(len(X) > 10, "X", "have more than 10 rows", len(X), "Use more rows")
    kept = np.sort(mixed[:count])
    return rows_of(X, np.sort(mixed[count:])), rows_of(X, kept), kept


def _nested(base: Autoencoder, X: Any, most: int | None, seed: int) -> Autoencoder:
    """One nested fit, as wide as asked for."""
    width = base.inputs.fit(X).layout.width
    usual = min(MOST, max(8, 2 * math.ceil(math.sqrt(width))), max(1, width - 1))
    K = usual if most is None else most
    good = isinstance(K, int) and 1 <= K < max(2, width)
    need(
        good,
        "most",
        f"be a whole number from 1 to {width - 1}, less than the data's width",
        K,
        "Leave it out",
    )
    model = Autoencoder(**base.get_params(deep=False))
    trainer = base.trainer.with_params(held_out=0.0, max_epochs=_epochs(base, len(X), NESTED))
    return model.set_params(n_components=K, code=Nested(FULL), trainer=trainer, random_state=seed).fit(X)


def _trained_on(nested: Autoencoder, X: Any, k: int, subject: Subject) -> float:
    """Mean held-out error of the nested model cut to k numbers and trained on."""
    cut = nested.truncate(k)
    plan = nested.trainer.plan(len(X))
    trainer = nested.trainer.with_params(lr=RATE * plan.lr, max_epochs=_epochs(nested, len(X), EACH / NESTED))
    cut.set_params(code=LinearCode(), trainer=trainer)
    cut.network_.code = LinearCode()
    return float(_errors(subject, subject.test, cut.continue_fit(X), k).mean())


def _errors(subject: Subject, look: Look, model: Autoencoder, k: int) -> Array:
    """Squared error of every row from the first k numbers of its code."""
    z = model.examine(look.x.astype(np.float32))[0].copy()
    z[:, k:] = 0
    x_hat = np.clip(model.inverse_encoded(z), *subject.bounds)
    return np.asarray((np.square(look.x - x_hat) * look.seen).sum(1))


def _epochs(model: Autoencoder, rows: int, share: float) -> int:
    return max(1, round(share * model.trainer.plan(rows).epochs))


def _sizes(K: int) -> list[int]:
    """1, 2, 3, 5, 8, ... K."""
    sizes = [1]
    while sizes[-1] < K:
        sizes.append(min(K, max(sizes[-1] + 1, round(sizes[-1] * STEP))))
    return sizes


def _suggestion(by_row: Array, error: Array, mean_error: float) -> tuple[int, str]:
    """The number of components, and why."""
    K, best = len(error), by_row[int(error.argmin())]
    gap = by_row - best
    spread = gap.std(1) / math.sqrt(max(1, gap.shape[1] - 1))
    enough = int(np.flatnonzero(gap.mean(1) <= spread + 0.005 * mean_error)[0]) + 1
    if enough < K:
        return (
            enough,
            f"more than {enough} number{'s' * (enough > 1)} do not lower the held-out error clearly",
        )
    if K < 3:
        return K, f"the error still falls at {K}, the most that was tried"
    share = 1 - error / mean_error
    chord = share[0] + (share[-1] - share[0]) * np.arange(K) / (K - 1)
    bend = int(np.argmax(share - chord)) + 1
    return bend, f"the error still falls at {K}, the most that was tried; the curve bends at {bend}"
