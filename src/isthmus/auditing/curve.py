"""How many components? Held-out error for every size of the code, beside PCA's.

The codes of 1, 2, ... K numbers are trained side by side as one program: in networks of one shape, each with
a prefix of the code for its own and the numbers beyond it at zero (`isthmus.nesting`). Each learns from the
rows an autoencoder fitted alone would learn from, starts where that starts and stops as it stops, in less
than a quarter of its epochs at some four times its rate. So the curve says what such a fit would reach, about
as closely as two fits of other seeds agree. One network that serves all prefixes at once (`Nested`, Rippel,
Gelbart & Adams 2014) does not say that: it gives away some of every size for the others, and where fits of
one size overfit it ends below them.

Networks so large that company brings them nothing are trained for sizes up to a factor of two apart only;
between them what is left of PCA's error is interpolated, its logarithm over log k. `trained` says which.

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
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.auditing.axes import Axes
from isthmus.auditing.subject import Subject, drawn, subject_of
from isthmus.autoencoder import Autoencoder
from isthmus.checks import need
from isthmus.codes import LinearCode, Nested
from isthmus.inputs import Source, as_frame_like, rows_of
from isthmus.many import alike, fit_many
from isthmus.parts import Record
from isthmus.training import Trainer
from isthmus.wording import counted, percent

__all__ = ["ComponentCurve", "component_curve", "parted"]

HELD_OUT = 0.2
TOGETHER, ALONE = (0.23, 4.2), (0.24, 3.5)  # of a usual fit's epochs, times its rate
MOST = 32
SLIGHT = 0.005  # of the mean's error, for which no number is added
BENT = 0.05  # of the mean's error that a curve is below a straight line, from which on it has a bend
TINY = 1e-300

Array = NDArray[np.float64]


class ComponentCurve(Record):
    """Held-out error by number of components, beside PCA's.

    k (K,): 1, 2, ...; error, pca_error (K,): mean squared error of a row, in the units the model sees;
    mean_error: that of the mean alone; rows: how many were held out. trained: sizes that were trained;
    models: the fitted autoencoder of each of those, by size.
    """

    k: NDArray[np.int64]
    error: Array
    pca_error: Array
    mean_error: float
    rows: int
    suggested: int
    reason: str
    trained: tuple[int, ...]
    models: dict[int, Autoencoder]

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
            f"n_components={self.suggested}: {self.reason}. It explains {percent(shares[0], 1)} of "
            f"{counted(self.rows, 'held-out row')}, PCA({self.suggested}) {percent(shares[1], 1)}."
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

    Raises DataError where `most` or the model cannot be used.
    """
    base = Autoencoder() if model is None else model
    plain = isinstance(base.code, (LinearCode, Nested))
    need(plain, "model", "have a linear or a nested code", base.code, "Leave its code out")
    X = base.inputs.open(X)
    if X_test is None:
        X, X_test, _ = parted(X, random_state)
    models = _fitted(base, X, most, random_state)
    K = max(models)
    subject = subject_of(models[K], X, X_test, random_state)
    axes, test = Axes(subject.base, K, subject.bounds, random_state), subject.test
    k = np.arange(1, K + 1)
    pca_error = np.array([axes.errors(test.x, int(size), test.seen).mean() for size in k])
    by_row = _filled(models, np.array([_errors(subject, m) for m in models.values()]), pca_error)
    error = np.minimum.accumulate(by_row.mean(1))  # a larger code can do what a smaller one does
    mean_error = float(axes.errors(test.x, 0, test.seen).mean())
    suggested, reason = _suggestion(by_row, error, mean_error)
    return ComponentCurve(
        k=k,
        error=error,
        pca_error=pca_error,
        mean_error=mean_error,
        rows=len(test.x),
        suggested=suggested,
        reason=reason,
        trained=tuple(models),
        models=models,
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


def _fitted(base: Autoencoder, X: Any, most: int | None, seed: int) -> dict[int, Autoencoder]:
    """An autoencoder of every size that is trained, the largest among them."""
    width = base.inputs.fit(X).layout.width
    usual = min(MOST, max(8, 2 * math.ceil(math.sqrt(width))), max(1, width - 1))
    K = usual if most is None else most
    good = isinstance(K, int) and 1 <= K < max(2, width)
    rule = f"be a whole number from 1 to {width - 1}, less than the data's width"
    need(good, "most", rule, K, "Leave it out")
    fixed = {**base.get_params(deep=False), "code": LinearCode(), "random_state": seed}
    ends = [Autoencoder(**{**fixed, "n_components": k}) for k in (1, K)]
    together = alike(ends, X)
    trainer = _shorter(base.trainer, len(X), *(TOGETHER if together else ALONE))
    sizes = list(range(1, K + 1)) if together else _sizes(K)
    models = [Autoencoder(**{**fixed, "n_components": k, "trainer": trainer}) for k in sizes]
    return dict(zip(sizes, fit_many(models, X), strict=True))


def _shorter(trainer: Trainer, rows: int, share: float, times: float) -> Trainer:
    """A share of the epochs at so many times the rate."""
    plan = trainer.plan(max(1, round((1 - trainer.held_out) * rows)))
    shorter: Trainer = trainer.with_params(max_epochs=max(1, round(share * plan.epochs)), lr=times * plan.lr)
    return shorter


def _errors(subject: Subject, model: Autoencoder) -> Array:
    """Squared error of every row that was held out."""
    look = subject.test
    x_hat = np.clip(model.examine(look.x.astype(np.float32))[1], *subject.bounds)
    return np.asarray((np.square(look.x - x_hat) * look.seen).sum(1))


def _sizes(K: int) -> list[int]:
    """1, 2, 4, 8, ... K, or nearer together: evenly over log k, rounded up."""
    steps = max(1, math.ceil(math.log2(K)))
    return sorted({math.ceil(K ** (i / steps) - 1e-9) for i in range(steps + 1)})


def _filled(trained: Iterable[int], by_row: Array, pca_error: Array) -> Array:
    """Errors by row for every k, from those of the sizes trained: a blend of the two neighbours', such that
    their mean over PCA's error is interpolated, its logarithm over log k.
    """
    sizes, mean = np.array(list(trained)), np.maximum(by_row.mean(1), TINY)
    k, pca = np.arange(1, sizes[-1] + 1), np.maximum(pca_error, TINY)
    aim = pca * np.exp(np.interp(np.log(k), np.log(sizes), np.log(mean / pca[sizes - 1])))
    right = np.searchsorted(sizes, k)
    left = np.maximum(right - 1, 0)
    fall = mean[left] - mean[right]
    share = np.where(fall > 0, (mean[left] - aim) / np.where(fall > 0, fall, 1.0), 1.0)
    share = np.where(k == sizes[right], 1.0, np.clip(share, 0.0, 1.0))[:, None]
    return np.asarray((1 - share) * by_row[left] + share * by_row[right])


def _suggestion(by_row: Array, error: Array, mean_error: float) -> tuple[int, str]:
    """The number of components, and why."""
    K, best = len(error), by_row[int(error.argmin())]
    gap = by_row - best
    spread = gap.std(1) / math.sqrt(max(1, gap.shape[1] - 1))
    enough = int(np.flatnonzero(gap.mean(1) <= spread + SLIGHT * mean_error)[0]) + 1
    if enough < K:
        left = max(0.0, float(gap.mean(1)[enough - 1]))
        by_chance = ", which chance could make" if left <= spread[enough - 1] else ""
        return enough, f"more numbers explain {percent(left / mean_error, 1)} more at most{by_chance}"
    falls = f"the error still falls at {K}, the most that was tried"
    if K < 3:
        return K, falls
    share = 1 - error / mean_error
    above = share - (share[0] + (share[-1] - share[0]) * np.arange(K) / (K - 1))
    if above.max() < BENT:
        return K, f"{falls}, and the curve is straight: every number explains about as much as the one before"
    bend = int(np.argmax(above)) + 1
    return bend, f"{falls}; the curve bends at {bend}"
