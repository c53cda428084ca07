"""The subject of an audit: a fitted model and what it makes of rows it learned from and rows it did not.

Everything an audit measures is read from here, once: the encoded rows x, the codes z, the reconstructions
x_hat, and the squared error of every row, e = norm(x - x_hat)^2 over the cells that were observed, in the
units in which the model sees its columns. An `Autoencoder` and any transformer with an `inverse_transform`
answer alike.

So that an audit stays cheap, at most 2,000 training rows and 2,000 others are looked at, and PCA gets at most
20,000 training rows; which rows, a seed decides, and the notes say so.
"""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.anomaly.evidence import Evidence, Reader, reader_of
from isthmus.auditing.axes import Axes
from isthmus.inputs import Source, loaded, rows_of, sample

__all__ = ["Look", "Subject", "drawn", "subject_of"]

LOOKED = 2_000  # rows of each kind a model is run on, at most
LEARNED = 20_000  # training rows PCA is fitted on, at most
NUMBERS = 2**24  # and no more rows than hold so many numbers
ACTIVE = 1e-6  # of a code's root mean square: below it a unit is off

Array = NDArray[np.float64]


class Look(NamedTuple):
    """What a model makes of n rows.

    x, x_hat (n, d); z (n, k); cells (n, m), their cost in the model's own loss; seen (n, d) or (1, d),
    whether a feature was observed; observed (n, m) or None, the same by cell; errors (n,), e of every row.
    """

    x: Array
    x_hat: Array
    z: Array
    cells: Array
    seen: NDArray[np.bool_]
    observed: NDArray[np.bool_] | None
    errors: Array


class Subject:
    """A model, and its look at training rows (`train`) and at rows it did not learn from (`test`)."""

    def __init__(self, model: Any, X_train: Any, X_test: Any, seed: int) -> None:
        self.model, self.seed, self.notes = model, seed, list[str]()
        pool, numbers = drawn(X_train, LEARNED, seed)
        self._pool = pool
        self.reader = self._reader(pool)
        self.widths = [stop - start for start, stop in self.reader.spans]
        layout = getattr(getattr(model, "schema_", None), "layout", None)
        self.shape: tuple[int, ...] = getattr(layout, "shape", ())
        self.is_signal: bool = getattr(layout, "signal", False)
        self.names = _names(self.shape, self.is_signal) if self.shape else tuple(self.reader.names)
        self.bounds = (0.0, 1.0) if getattr(layout, "positive", False) else (-np.inf, np.inf)
        x, observed = self.reader.encode(pool)
        self.width = x.shape[1]
        limit = max(200, NUMBERS // self.width)
        self._note(len(numbers), len(X_train), "training rows")
        mixed = self.rng(0).permutation(len(x))
        few = np.sort(mixed[: min(LOOKED, limit)])
        self.train_numbers = few
        self.base = filled(x, self.spread(observed, len(x)))[np.sort(mixed[:limit])]
        self.train = self.look(x[few], None if observed is None else observed[few])
        held_out, taken = drawn(X_test, min(LOOKED, limit), seed + 1)
        self._note(len(taken), len(X_test), "rows it was not trained on")
        self.test_rows, self.test_numbers = held_out, taken
        self.test = self.look(*self.reader.encode(held_out))
        self.numbers = self._numbers_at_once()
        self.axes = Axes(self.base, 2 * self.numbers, self.bounds, seed)

    def rng(self, stream: int) -> np.random.Generator:
        """A generator of its own for every purpose."""
        return np.random.default_rng([self.seed, stream])

    def _reader(self, pool: Any) -> Reader:
        """How the model reads rows. Of one that is no Autoencoder the units are not known: X's own, or each
        column over its standard deviation, whichever it does better in beside PCA.
        """
        reader: Any = reader_of(self.model, pool)
        if not hasattr(reader, "scale"):
            return reader  # type: ignore[no-any-return]
        own = copy.copy(reader)
        own.scale = np.full_like(reader.scale, np.sqrt(np.square(reader.scale).mean()))
        raw = self._beside_pca(own, pool) <= self._beside_pca(reader, pool)
        units = "in X's own units" if raw else "with each column over its standard deviation"
        self.notes.append(f"Errors are counted {units}, which suits it better.")
        return own if raw else reader  # type: ignore[no-any-return]

    def _beside_pca(self, reader: Reader, pool: Any) -> float:
        """Its error over that of PCA with as many numbers, on training rows in a reader's units."""
        few = min(len(pool), LOOKED, NUMBERS // len(reader.spans))
        found = reader.read(rows_of(pool, np.arange(few)))
        x = np.asarray(found.x, np.float64)
        axes = Axes(x, found.z.shape[1], seed=self.seed)
        tiny = 1e-9 * float(np.square(x).sum(1).mean()) + 1e-300
        mine = float(np.square(x - found.x_hat).sum(1).mean())
        return (mine + tiny) / (float(axes.errors(x, found.z.shape[1]).mean()) + tiny)

    def spread(self, observed: NDArray[np.bool_] | None, rows: int) -> NDArray[np.bool_]:
        """Observed (n, m) spread over the features of each cell, (n, d); (1, d) of True where nothing is
        missing.
        """
        if observed is None:
            return np.ones((1, self.width), dtype=bool)
        return np.asarray(np.repeat(observed, self.widths, axis=1))

    def look(self, x: Any, observed: Any = None) -> Look:
        """What the model makes of encoded rows."""
        seen = self.spread(observed, len(x))
        found: Evidence = self.reader.look(x, observed)
        x, x_hat = np.asarray(x, np.float64), np.clip(found.x_hat, *self.bounds).astype(np.float64)
        errors = (np.square(x - x_hat) * seen).sum(1)
        return Look(x, x_hat, np.asarray(found.z, np.float64), found.cells, seen, observed, errors)

    def rebuilt(self, x: Array) -> Array:
        """r(x) of complete encoded rows (n, d)."""
        return np.clip(self.reader.look(x).x_hat, *self.bounds).astype(np.float64)

    def atoms(self) -> Array:
        """What each unit adds to the output when it alone is on, from an empty code: (k, d)."""
        size = np.sqrt(np.square(self.train.z).mean(0))
        codes = np.vstack([np.zeros(len(size)), np.diag(np.where(size > 0, size, 1.0))])
        back = getattr(self.model, "inverse_encoded", None) or self.model.inverse_transform
        values: Array = np.asarray(back(codes), np.float64)
        added: Array = values[1:] - values[0]
        return added

    def with_model(self, model: Any) -> Subject:
        """The same rows, seen by another fitted model of the same kind."""
        other = copy.copy(self)
        other.model = model
        other.reader = reader_of(model, self._pool)
        if hasattr(self.reader, "scale"):
            other.reader.scale = self.reader.scale  # type: ignore[attr-defined]
        other.train = other.look(*other.reader.encode(rows_of(self._pool, self.train_numbers)))
        other.test = other.look(*other.reader.encode(self.test_rows))
        return other

    def complete(self, look: Look) -> Array:
        """The rows of a look with gaps at the mean, those without gaps first."""
        x: Array = np.where(look.seen, look.x, self.axes.mean)
        order = np.argsort(~look.seen.all(1), kind="stable") if len(look.seen) > 1 else slice(None)
        ordered: Array = x[order]
        return ordered

    @property
    def wide(self) -> bool:
        """Whether PCA with as many numbers would be a copy, so that it is no baseline."""
        return bool(self.numbers >= min(self.width, len(self.base)))

    def _numbers_at_once(self) -> int:
        """How many numbers of the code are on in a row: fewer than its width where units are exactly zero."""
        z = self.train.z
        size = np.sqrt(np.square(z).mean()) or 1.0
        return max(1, round(float((np.abs(z) > ACTIVE * size).sum(1).mean())))

    def _note(self, taken: int, of: int, what: str) -> None:
        if taken < of:
            self.notes.append(f"Looked at {taken:,} of {of:,} {what}, drawn with seed {self.seed}.")


def _names(shape: tuple[int, ...], is_signal: bool) -> tuple[str, ...]:
    """The places of a picture (h, w[, c]) or signal (channels, time), in words."""
    axes = ("channel", "step") if is_signal else ("row", "column", "channel")
    places = zip(*np.unravel_index(np.arange(int(np.prod(shape))), shape), strict=True)
    return tuple(", ".join(f"{axis} {i}" for axis, i in zip(axes, at, strict=False)) for at in places)


def subject_of(model: Any, X_train: Any, X_test: Any, seed: int) -> Subject:
    """The subject; raises an error in one sentence where the model is not fitted, or cannot rebuild rows."""
    if hasattr(model, "must_be_fitted"):
        model.must_be_fitted()
    return Subject(model, _opened(model, X_train), _opened(model, X_test), seed)


def drawn(X: Any, rows: int, seed: int) -> tuple[Any, NDArray[np.int64]]:
    """At most so many rows of X, in order, and their numbers."""
    if isinstance(X, Source):
        return sample(X, seed, rows)
    numbers = np.sort(np.random.default_rng(seed).permutation(len(X))[:rows])
    return (X if len(numbers) == len(X) else rows_of(X, numbers)), numbers


def filled(x: Any, seen: NDArray[np.bool_]) -> Array:
    """Encoded rows with gaps at the column's mean over the observed rows."""
    values = np.asarray(x, np.float64)
    if seen.all():
        return values
    mean = (values * seen).sum(0) / np.maximum(1, seen.sum(0))
    return np.where(seen, values, mean)


def _opened(model: Any, X: Any) -> Any:
    """The rows a path or a folder stands for."""
    schema = getattr(model, "schema_", None)
    X = X if schema is None else schema.source(X)
    return loaded(X)
