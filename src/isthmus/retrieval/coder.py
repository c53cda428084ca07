"""Models as a retriever sees them: rows in, codes out, and cells that can be compared.

Of an `Autoencoder` everything is known: how its columns become cells, which of them are observed, what it
makes of a row with gaps. Any other transformer (PCA, a Pipeline) is asked for `transform`, and its cells are
the columns of X in units of their spread. A row that is only half filled is completed before it is encoded:
the missing cells are what the model makes of the others, a few times over.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.autoencoder import Autoencoder
from isthmus.checks import DataError, must, need
from isthmus.inputs import TableSchema
from isthmus.inputs.frames import is_frame
from isthmus.retrieval.rows import is_sparse, is_texts

__all__ = ["Coder", "coder_of", "filled", "is_fitted"]

ROUNDS = 4  # times a missing cell is rebuilt before it counts as at rest

UNKNOWN = object()

Array = NDArray[Any]


class Coder(ABC):
    """A fitted model as what makes codes. `names` and `spans`: the cells' columns and their features."""

    model: Any
    names: list[Any]
    spans: list[tuple[int, int]]
    _words: Any = UNKNOWN

    @abstractmethod
    def cells(self, X: Any) -> tuple[Array, Array | None]:
        """Rows as features x (n, d) in units in which cells count alike, and which are observed (n,
        cells).
        """

    def units(self, X: Any) -> Array:
        """Rows (n, d) in the units in which the model itself weighs errors, to choose a metric by."""
        return self.cells(X)[0]

    @abstractmethod
    def encode(self, X: Any) -> NDArray[np.float32]:
        """Codes (n, k) of rows, gaps filled."""

    def asked(self, X: Any) -> Any:
        """A question as rows: a dict as a row of a frame, a frame with the columns it lacks left empty."""
        columns = self.columns
        if isinstance(X, Mapping):
            X = self._tabled(X)
        lacking = self.lacking(X)
        if not lacking:
            return X
        if len(lacking) == len(columns or ()):
            got = ", ".join(map(str, X.columns)) or "none that it knows"
            raise must("a query", "have a column of the table", got, self._there)
        if hasattr(X, "assign"):
            return (
                X.assign(**{str(name): None for name in lacking})
                if _text(lacking)
                else X.reindex(columns=columns)
            )
        import polars

        return X.with_columns([polars.lit(None).alias(str(name)) for name in lacking])

    def _tabled(self, X: Mapping[Any, Any]) -> Any:
        """A dict as a frame."""
        unknown = [name for name in X if self.columns is not None and name not in self.columns]
        if self.columns is None:
            do = "Use a file or an array like those stored"
            raise must("a query", "be like the rows stored, which have no named columns", dict(X), do)
        need(len(X) > 0, "a query", "have a column of the table", "none", self._there)
        if unknown and len(unknown) < len(X):
            do = f"Use where for metadata. {self._there}"
            raise must("a query", "have columns that the model knows", str(unknown[0]), do)
        return _framed(X, self.moments)

    @property
    def _there(self) -> str:
        names = [str(name) for name in self.columns or ()]
        return f"There are {', '.join(names[:20])}{' and more' if len(names) > 20 else ''}"

    @property
    def moments(self) -> list[Any]:
        """Names of the columns of X that hold moments, where that is known."""
        return []

    @property
    def columns(self) -> list[Any] | None:
        """Names of the columns of X, where it had some."""
        names = getattr(self.model, "feature_names_in_", None)
        return None if names is None else list(names)

    @property
    def binary(self) -> bool:
        """Whether codes are bits."""
        return False

    def shown(self, X: Any) -> NDArray[np.bool_] | None:
        """Which cells (n, cells) of rows hold something that the model knows; None where all do. A sparse
        row, and a text, count as one cell, which is empty without an entry, without a known word.
        """
        words = self.words(X) if is_texts(X) else None
        x = X if words is None else words.transform(X)
        if is_sparse(x):
            return np.asarray(np.diff(x.tocsr().indptr) > 0)[:, None]
        whole = isinstance(x, np.ndarray) and not (x.dtype.kind == "f" and np.isnan(x).any())
        return None if whole or is_texts(x) or not self.spans else self.cells(x)[1]

    def words(self, texts: Any) -> Any:
        """What of the model makes sparse rows of texts, or None."""
        if self._words is UNKNOWN:
            self._words = _sparse_part(self.model, texts[:1])
        return self._words

    def lacking(self, X: Any) -> list[Any]:
        """Columns that a frame does not have and the model wants."""
        there = set(X.columns) if is_frame(X) else None
        return [] if there is None else [name for name in self.columns or () if name not in there]

    def counts(self, X: Any) -> bool:
        """Whether rows like X are counts or weights of words: sparse, and nowhere below 0."""
        return is_sparse(X) and (X.nnz == 0 or float(X.data.min()) >= 0)


def _framed(asked: Mapping[Any, Any], moments: list[Any]) -> Any:
    """A dict of values, or of lists of them, as a DataFrame, moments read from text."""
    import pandas

    listed = {name: v.tolist() if hasattr(v, "tolist") else v for name, v in asked.items()}
    columns = {name: v if isinstance(v, (list, tuple)) else [v] for name, v in listed.items()}
    lengths = sorted({len(column) for column in columns.values()})
    need(
        len(lengths) == 1 and lengths[0] > 0,
        "a query",
        "have columns of one length",
        lengths,
        "Use one value for each",
    )
    for name in set(moments) & set(columns):
        try:
            columns[name] = pandas.to_datetime(pandas.Series(columns[name]), format="ISO8601")
        except (ValueError, TypeError):
            raise must(f"column {name!r}", "hold moments", columns[name][0], "Use '2024-05-31'") from None
    return pandas.DataFrame(columns)


def _text(names: list[Any]) -> bool:
    return all(isinstance(name, str) for name in names)


def coder_of(model: Any, X: Any = None, scales: tuple[Array, Array] | None = None) -> Coder:
    """The coder for a fitted model; X are training rows, for the scales a transformer may not know."""
    if isinstance(model, Autoencoder):
        return _OfAutoencoder(model)
    if not hasattr(model, "transform"):
        raise must("model", "have transform", type(model).__name__, "Use Autoencoder(), PCA(8) or a Pipeline")
    return _OfTransformer(model, X, scales)


def _sparse_part(model: Any, texts: Any) -> Any:
    """What of a model makes sparse rows of texts, up to the step that makes them dense; None if nothing."""
    steps = getattr(model, "steps", [("", model)])
    made = None
    for i, (_, step) in enumerate(steps):
        texts = step.transform(texts) if hasattr(step, "transform") else None
        if not is_sparse(texts):
            break
        made = model[: i + 1] if hasattr(model, "steps") else step
    return made


def filled(x: Array, unseen: Array, rebuilt: Callable[[Array], Array]) -> Array:
    """Rows x (n, d) whose unseen features are as a model makes them of the others."""
    x, rows = x.copy(), unseen.any(1)
    some, gone = x[rows], unseen[rows]
    for _ in range(ROUNDS if len(some) else 0):
        some[gone] = rebuilt(some)[gone]
    x[rows] = some
    return x


class _OfAutoencoder(Coder):
    def __init__(self, model: Autoencoder) -> None:
        self.model = model
        cells = model.schema_.layout.cells
        self.spans, self.names = [(c.start, c.stop) for c in cells], [c.name for c in cells]
        self.home = np.repeat(np.arange(len(cells)), [c.stop - c.start for c in cells])

    @property
    def columns(self) -> list[Any] | None:
        """Those of the schema."""
        return list(self.model.schema_.names) if self.model.schema_.named else None

    @property
    def moments(self) -> list[Any]:
        """Those whose dtype was one of moments."""
        specs = self.model.schema_.columns if isinstance(self.model.schema_, TableSchema) else ()
        return [spec.name for spec in specs if spec.temporal == "datetime64"]

    @property
    def binary(self) -> bool:
        """Whether the code is made of bits."""
        return bool(self.model.code.bits)

    def cells(self, X: Any) -> tuple[Array, Array | None]:
        """As the schema encodes them."""
        found = self.model.schema_.encode(X)
        return found.x, found.observed

    def encode(self, X: Any) -> NDArray[np.float32]:
        """Gaps are shown to a model that has met some, filled for one that has not."""
        layout = self.model.schema_.layout
        if layout.gaps or not _may_have_gaps(X):
            return np.asarray(self.model.transform_plain(X))
        x, observed = self.cells(X)
        if observed is not None:
            x = filled(x, ~observed[:, self.home], lambda rows: self.model.examine(rows)[1])
        return np.asarray(self.model.examine(x)[0])


class _OfTransformer(Coder):
    def __init__(self, model: Any, X: Any, scales: tuple[Array, Array] | None) -> None:
        self.model = model
        self.plain = not (is_texts(X) or is_sparse(X) or (is_frame(X) and not _numeric(X)))
        if scales is None and X is not None and self.plain:
            values = _numbers(X)
            spread = np.nanstd(values, 0)
            scales = np.nanmean(values, 0), np.where(spread > 0, spread, 1.0)
        self.scales = scales
        count = 0 if scales is None else len(scales[0])
        self.spans = [(j, j + 1) for j in range(count)]
        self.names = self.columns or list(range(count))

    def cells(self, X: Any) -> tuple[Array, Array | None]:
        """Numbers in units of their spread; texts, categories and sparse rows as their codes."""
        if self.scales is None or not self.plain:
            return self.encode(X), None
        centre, spread = self.scales
        values = (_numbers(self._ordered(X)) - centre) / spread
        observed = ~np.isnan(values)
        return np.nan_to_num(values, nan=0.0), None if observed.all() else observed

    def encode(self, X: Any) -> NDArray[np.float32]:
        """Gaps are filled where the model can rebuild what it transforms."""
        if self.scales is not None and self.plain and hasattr(self.model, "inverse_transform"):
            x, observed = self.cells(X)
            if observed is not None:
                x = filled(x, ~observed, self._rebuilt)
                X = self._original(x)
        z = self.model.transform(self._ordered(X))
        z = np.asarray(z.toarray() if hasattr(z, "toarray") else z, np.float32)
        return z.reshape(len(z), -1)

    def units(self, X: Any) -> Array:
        """As the last step of a Pipeline gets them; as they are for any other model."""
        steps = getattr(self.model, "steps", ())
        x = self.model[:-1].transform(self._ordered(X)) if len(steps) > 1 else self._ordered(X)
        x = x.toarray() if hasattr(x, "toarray") else x
        if is_texts(x) or not _numeric(x) or np.isnan(np.asarray(x, np.float64)).any():
            return self.encode(X)
        return _numbers(x)

    def _ordered(self, X: Any) -> Any:
        columns = self.columns
        return X[columns] if columns and is_frame(X) and list(X.columns) != columns else X

    def _original(self, x: Array) -> Any:
        values = x * self.scales[1] + self.scales[0]  # type: ignore[index]
        if not self.columns:
            return values
        import pandas

        return pandas.DataFrame(values, columns=self.columns)

    def _rebuilt(self, x: Array) -> Array:
        made = self.model.inverse_transform(self.model.transform(self._original(x)))
        rebuilt: Array = (_numbers(made) - self.scales[0]) / self.scales[1]  # type: ignore[index]
        return rebuilt


def _may_have_gaps(X: Any) -> bool:
    """Whether rows could lack a cell: whole numbers and sparse rows never do."""
    return not (is_sparse(X) or (isinstance(X, np.ndarray) and X.dtype.kind in "biu"))


def _numeric(X: Any) -> bool:
    try:
        np.asarray(X, np.float64)
    except (TypeError, ValueError):
        return False
    return True


def _numbers(X: Any) -> Array:
    try:
        values = np.asarray(X, np.float64)
    except (TypeError, ValueError) as error:
        raise must("X", "hold numbers", str(error), "Use Autoencoder(8), which reads every kind") from None
    need(values.ndim >= 2, "X", "be 2-D, one row a line", f"{values.ndim}-D", "Use X.reshape(1, -1)")
    return values.reshape(len(values), -1)


def is_fitted(model: Any) -> bool:
    """Whether a model has been fitted; DataError for what is no estimator."""
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    steps = [step for _, step in getattr(model, "steps", ()) if hasattr(step, "fit")]
    if steps:
        return all(map(is_fitted, steps))
    try:
        check_is_fitted(model)
    except NotFittedError:
        return False
    except TypeError:
        raise DataError(
            f"model must be an estimator; got {type(model).__name__}. Use Autoencoder(8)."
        ) from None
    return True
