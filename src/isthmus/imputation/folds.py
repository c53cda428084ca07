"""Folds: models each of which has some rows it never saw, and what they make of gaps.

A fold is a model, the Gaussian of the rows it was trained on, and the numbers of the rows it was not. On
those, cells that are known are hidden one after the other, never two of a kind of what is scored at once, so
that everything said about the quality of a fill is said about cells and rows its makers had no part of.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from isthmus.autoencoder import Autoencoder
from isthmus.checks import must
from isthmus.corruptions import VaryingMask
from isthmus.gaussian import Gaussian
from isthmus.imputation.cells import Cells
from isthmus.imputation.hiding import GROUPS, Hiding
from isthmus.inputs import Standard, Table, columns_of
from isthmus.many import fit_many
from isthmus.networks import Completing
from isthmus.training import Trainer

__all__ = [
    "Filler",
    "Fold",
    "Guesses",
    "Hidden",
    "default_model",
    "disagreement",
    "filler_of",
    "folds_of",
    "hidden_guesses",
    "rows_judged",
]

BATCH = 128
FEW = 9  # columns up to which a table has little to learn, and a short training of narrow layers does
REPEATED = 3  # rows in which a level must be met: fewer are seen in no part of them and tested in another
SURE = 1e-3  # share of a feature's variance that is left: less is beyond a network's precision
AVERAGED = 0.99  # decay of the mean of weights that is kept
ROUNDS = 4  # times a gap is filled again by a model that knows of none
ROWS = (250, 1_000)  # rows of a fold on which cells are hidden: at least where it is dear, at most
WORK = 4_000_000_000  # multiplications in the systems of a fold's hidden cells, about, from which on it is
COMPARED = 400  # rows on which models are compared
FEWER = 4  # parts their known cells are hidden in

Array = NDArray[Any]


class Effort(NamedTuple):
    """Width of the layers, updates at most, highest rate, looks without progress."""

    hidden: int
    steps: int
    lr: float
    patience: int


SMALL, LARGE = Effort(96, 2_000, 6e-3, 12), Effort(128, 3_000, 4e-3, 25)


def default_model(rows: int, missing: float, folds: int, columns: int | None = None) -> Autoencoder:
    """The model an imputer trains when it is given none: `Completing`, cells hidden in training.

    In every row the hidden share lies between half and one and a half times the share that is missing, which
    counts as 0.3 at least.
    """
    share = min(0.6, max(0.3, missing))
    effort = LARGE if columns is None or columns > FEW else SMALL
    epochs = max(1, round(effort.steps / max(1, -(-int(rows * (1 - 1 / folds)) // BATCH))))
    trainer = Trainer(
        epochs, BATCH, effort.lr, held_out=1 / folds, patience=effort.patience, averaged=AVERAGED
    )
    return Autoencoder(
        None,
        architecture=Completing(effort.hidden),
        corruption=VaryingMask(round(0.5 * share, 3), round(1.5 * share, 3)),
        inputs=_inputs(),
        trainer=trainer,
    )


def _inputs() -> Table:
    """No number is encoded as a gap, and a level of two rows, such as a name, explains nothing."""
    return Table(scaling=Standard(off_zero=True), min_count=REPEATED)


# ---------------------------------------------------------------- models that fill


class Filler(ABC):
    """A fitted model as what rebuilds encoded rows with gaps."""

    @abstractmethod
    def __call__(self, x: Array, seen: Array, filled: Array) -> Array:
        """x_hat (n, d) of x (n, d), 0 where not `seen` (n, d); `filled` (n, d) has the Gaussian's fill."""


def filler_of(model: Any) -> Filler:
    """The filler for a fitted model."""
    return _ByAutoencoder(model) if isinstance(model, Autoencoder) else _ByTransformer(model)


class _ByAutoencoder(Filler):
    def __init__(self, model: Autoencoder) -> None:
        self.model = model
        self.blind = model.corruption is None and not model.schema_.layout.gaps

    def __call__(self, x: Array, seen: Array, filled: Array) -> Array:
        x = np.ascontiguousarray(np.where(seen, x, filled if self.blind else 0.0), np.float32)
        x_hat = self.model.examine(x)[1]
        for _ in range(ROUNDS - 1 if self.blind else 0):
            x_hat = self.model.examine(np.where(seen, x, x_hat))[1]
        return x_hat


class _ByTransformer(Filler):
    def __init__(self, model: Any) -> None:
        self.model = model

    def __call__(self, x: Array, seen: Array, filled: Array) -> Array:
        for _ in range(ROUNDS):
            x_hat = np.asarray(self.model.inverse_transform(self.model.transform(filled)), np.float64)
            filled = np.where(seen, x, x_hat)
        return x_hat


# ---------------------------------------------------------------- folds


class Guesses(NamedTuple):
    """Of n rows in own units: the Gaussian's and the model's guesses (n, d), and the Gaussian's variance in
    encoded units (n, d).
    """

    gaussian: Array
    model: Array
    variance: Array


class Fold(NamedTuple):
    """A fitted model, the Gaussian of its training rows, and the numbers of the rows it has not seen."""

    model: Any
    gaussian: Gaussian
    held_out: NDArray[np.int64]

    def guesses(self, cells: Cells, x: Array, observed: Array) -> Guesses:
        """What both make of encoded rows x (n, d), `observed` (n, cells).

        Where the rest of a row leaves a number next to nothing to vary - the end of a trip whose start is
        known - a network of many columns cannot be as fine as the Gaussian is, and leaves it to it.
        """
        seen = cells.spread(observed)
        filled, variance = self.gaussian.conditional(x, seen)
        x_hat = filler_of(self.model)(x, seen, filled)
        sure = np.zeros(x.shape, np.bool_)
        sure[:, cells.places] = (variance < SURE * np.diagonal(self.gaussian.covariance))[:, cells.places]
        x_hat = np.where(sure, filled, x_hat)
        gaussian, network = (cells.probable(cells.own(guess)) for guess in (filled, x_hat))
        return Guesses(gaussian, network, variance)


def folds_of(model: Any, X: Any, missing: float, count: int, seeds: list[int]) -> tuple[list[Fold], Any]:
    """Clones of `model`, each trained without a share 1 / count of the rows of X, and their schema."""
    first = default_model(len(X), missing, count, columns_of(X)) if model is None else model
    if not isinstance(first, Autoencoder):
        return _of_transformer(first, X, count, seeds)
    models = [clone(first) for _ in range(count)]
    for one, seed in zip(models, seeds, strict=True):
        one.set_params(random_state=seed, trainer__held_out=1 / count)
    fit_many(models, X)
    schema = models[0].schema_
    x, observed = schema.encode(X)
    parts = [np.asarray(one.held_out_, np.int64) for one in models]
    gaussians = _gaussians(x, _spread(schema, x, observed), parts)
    return [Fold(*some) for some in zip(models, gaussians, parts, strict=True)], schema


def _of_transformer(model: Any, X: Any, count: int, seeds: list[int]) -> tuple[list[Fold], Any]:
    """The same over any other transformer, fitted to encoded rows with the Gaussian's fill in their gaps."""
    for name in ("fit", "transform", "inverse_transform"):
        if not hasattr(model, name):
            rule = "have fit, transform and inverse_transform"
            raise must("model", rule, type(model).__name__, "Use Autoencoder(), PCA(8) or None")
    schema = _inputs().fit(X)
    x, observed = schema.encode(X)
    seen = _spread(schema, x, observed)
    order = np.random.default_rng(seeds[0]).permutation(len(x))
    parts = [np.sort(part) for part in np.array_split(order, count)] if len(x) >= 10 else [order[:0]] * count
    folds = []
    for part, gaussian in zip(parts, _gaussians(x, seen, parts), strict=True):
        rest = np.setdiff1d(order, part)
        filled = gaussian.conditional(x[rest], seen[rest])[0]
        folds.append(Fold(clone(model).fit(filled), gaussian, part))
    return folds, schema


def _gaussians(x: Array, seen: Array, parts: list[NDArray[np.int64]]) -> list[Gaussian]:
    """The Gaussian of the rows outside each part."""
    kept = [np.setdiff1d(np.arange(len(x)), part) for part in parts]
    return [Gaussian.of(x[rows], seen[rows]) for rows in kept]


def _spread(schema: Any, x: Array, observed: Array | None) -> Array:
    """Which features of every row were observed, (n, d)."""
    return np.broadcast_to(schema.layout.spread(observed), x.shape)


# ---------------------------------------------------------------- cells hidden to see how well they are found


class Hidden(NamedTuple):
    """Hidden cells of one column: their rows (c,), truth and guesses in own units (c, width), and the
    Gaussian's variance (c, width).
    """

    rows: NDArray[np.int64]
    truth: Array
    gaussian: Array
    model: Array
    variance: Array


def hidden_guesses(
    folds: list[Fold],
    cells: Cells,
    x: Array,
    observed: Array,
    rng: np.random.Generator,
    hiding: Hiding,
    most: int,
) -> list[Hidden]:
    """For every column, known cells in rows that the fold has not seen, `most` rows of each, hidden once."""
    found: list[list[Hidden]] = [[] for _ in cells.all]
    for fold in folds:
        rows = np.sort(rng.permutation(fold.held_out)[:most])
        if not len(rows):
            continue
        known, truth = observed[rows], cells.own(x[rows])
        for asked, shown in hiding(known, rng):
            there = asked.any(1)
            blank = np.where(cells.spread(shown[there]), x[rows[there]], 0.0)
            guesses = fold.guesses(cells, blank, shown[there])
            for j, span in enumerate(cells.spans):
                here = asked[there, j]
                part = (rows[there][here], truth[there][here, span], *(g[here, span] for g in guesses))
                found[j].append(Hidden(*part))
    return [_joined(parts, span.stop - span.start) for parts, span in zip(found, cells.spans, strict=True)]


def rows_judged(cells: Cells, width: int) -> int:
    """Rows of a fold on which cells are hidden, so that it stays affordable."""
    system = 0.3 * width + max(span.stop - span.start for span in cells.spans)  # features missing at once
    return int(np.clip(WORK / (min(GROUPS, len(cells.all)) * system**3), *ROWS))


def disagreement(
    folds: list[Fold], cells: Cells, x: Array, observed: Array, rng: np.random.Generator
) -> Array:
    """By how much the folds' models differ in filling one and the same cell: variances in own units (d,).

    A fill is the mean of all, and this much nearer to the truth than one model's.
    """
    rows = rng.permutation(len(x))[:COMPARED]
    group = rng.permuted(np.tile(np.arange(observed.shape[1]) % FEWER, (len(rows), 1)), axis=1)
    total, count = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for number in range(FEWER):
        shown = observed[rows] & (group != number)
        blank = np.where(cells.spread(shown), x[rows], 0.0)
        each = [fold.guesses(cells, blank, shown).model for fold in folds]
        asked = cells.spread(observed[rows] & ~shown)
        total += np.where(asked, np.var(each, axis=0, ddof=1), 0.0).sum(0)
        count += asked.sum(0)
    return total / np.maximum(1, count)


def _joined(parts: list[Hidden], width: int) -> Hidden:
    if not parts:
        nothing = np.empty((0, width))
        return Hidden(np.empty(0, np.int64), nothing, nothing, nothing, nothing)
    return Hidden(*(np.concatenate(some) for some in zip(*parts, strict=True)))
