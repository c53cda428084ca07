"""The imputer: gaps in a table filled, with what is known about how good the fills are.

A few masked autoencoders, each trained without some of the rows, fill the gaps. On rows they have not seen,
known cells are hidden, filled and compared: that decides column by column how much of the model to believe
(`isthmus.imputation.blend`), how wide an interval must be (`spread`), and how draws vary (`drawing`).

>>> rng = np.random.default_rng(0)
>>> X = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(400, 6))
>>> gaps = rng.random(X.shape) < 0.2
>>> filled = Imputer(random_state=0).fit_transform(np.where(gaps, np.nan, X))
>>> bool(np.sqrt(np.mean((filled - X)[gaps] ** 2)) < 0.3), bool((filled[~gaps] == X[~gaps]).all())
(True, True)
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import must, need
from isthmus.citizen import Transformer
from isthmus.imputation.blend import Blend, blends_of
from isthmus.imputation.cells import Cells
from isthmus.imputation.drawing import Knowledge, drawn
from isthmus.imputation.folds import default_model, disagreement, folds_of, hidden_guesses, rows_judged
from isthmus.imputation.hiding import AsTheyCome, beside_others
from isthmus.imputation.spread import encoded_column, own_column, spread_of
from isthmus.inputs import Folder, Source, as_frame_like, columns_of, completed, gaps_of, rows_of, sample
from isthmus.inputs.arrays import as_array, refuse_infinite
from isthmus.inputs.frames import read_columns
from isthmus.training import seed_from
from isthmus.wording import counted, few, percent

__all__ = ["Imputer", "gap_counts"]

ROWS = 50_000  # rows learned from at most
GREATEST = 1e140  # numbers up to which errors can be squared, with room to spare

Array = NDArray[Any]


class Imputer(Transformer):
    """Fills missing cells of tables with numbers, yes/no, categories and moments.

    Parameters
    ----------
    model : Autoencoder, or any transformer with inverse_transform, or None
        What knows how columns hang together: `denoising_autoencoder(32)`, `PCA(8)`. None takes a masked
        autoencoder that starts at the Gaussian conditional mean, `default_model`.
    folds : int
        Models trained, each without a share 1 / folds of the rows; a fill is the mean of all.
    rounded : bool
        Whether numbers come back with no more decimals than their column has. Without, squared errors are a
        little smaller and a count may be 2.4.
    random_state : int, RandomState, Generator or None
        Seed of the folds, the models, the hidden cells and the draws.

    Attributes
    ----------
    models_ : list
        The fitted models.
    report_ : DataFrame
        For every column how many were missing, the shares of mean, gaussian and model in a fill, the error on
        hidden cells and that of the mean or the most frequent level (root mean squares in the column's units,
        seconds for moments; shares that are wrong), and the share of hidden cells inside intervals at 90%.
        For the errors, cells of the 48 columns with most gaps are hidden as their gaps come, alone or
        together with others; for the coverage, and elsewhere, beside others at random.
    notes_ : list of str
        What was chosen and noticed, in sentences.
    n_features_in_, feature_names_in_ : as in scikit-learn

    References
    ----------
    Gondara & Wang (2018), MIDA; Du et al. (2024), ReMasker; Rubin (1987), Multiple imputation.
    """

    feature_names_in_: NDArray[Any]
    facts_: dict[str, Any]  # what a face wants kept in the file, as plain values

    def __init__(
        self, model: Any = None, *, folds: int = 4, rounded: bool = True, random_state: Any = None
    ) -> None:
        self.model = model
        self.folds = folds
        self.rounded = rounded
        self.random_state = random_state

    # ---------------------------------------------------------------- learning

    def fit(self, X: Any, y: None = None) -> Self:
        """Learn from the rows of X (n, columns), a DataFrame, an array or a Source; 50,000 of them at most,
        drawn at random. Raises DataError for what cannot be used.
        """
        self._check_parameters()
        sequence = np.random.SeedSequence(None if self.random_state is None else seed_from(self.random_state))
        X, notes = _some(_table(X), int(sequence.generate_state(1)[0]))
        _refuse_great(X)
        *seeds, self._seed = (int(s % 2**31) for s in sequence.generate_state(int(self.folds) + 2)[1:])
        share = _share(X)
        folds, schema = folds_of(self.model, X, share, int(self.folds), seeds)
        cells = Cells.of(schema, X)
        x, observed = schema.encode(X)
        observed = np.ones((len(x), len(cells.all)), dtype=bool) if observed is None else observed
        rng = np.random.default_rng(self._seed)
        most = rows_judged(cells, x.shape[1])
        hidden = hidden_guesses(folds, cells, x, observed, rng, beside_others, most)
        spared = (1 - 1 / len(folds)) * disagreement(folds, cells, x, observed, rng)
        mean, constant = _means(cells, x, observed), _constant(cells, x, observed)
        numeric = [kind == "numeric" for kind in cells.kinds]
        named = [cells.fillable(j) for j in range(len(cells.all))]
        blends = blends_of(
            hidden,
            [mean[span] for span in cells.spans],
            named,
            [float(spared[span].sum()) for span in cells.spans],
        )
        coming = AsTheyCome(observed)
        met = hidden_guesses(folds, cells, x, observed, rng, coming, coming.rows_enough)
        blends = [
            Blend() if same else blend.told(some, mean[span], levels)
            for blend, some, span, levels, same in zip(blends, met, cells.spans, named, constant, strict=True)
        ]
        variances = np.mean([np.diagonal(fold.gaussian.covariance) for fold in folds], axis=0)
        spreads, drawn_spreads = (
            [
                spread_of(cells, j, some, blend, mean[span], float(variances[span.start]))
                if numeric[j]
                else None
                for j, (some, blend, span) in enumerate(zip(hidden, chosen, cells.spans, strict=True))
            ]
            for chosen in (blends, [blend.unshrunk for blend in blends])
        )
        self._known = Knowledge(folds, cells, mean, blends, spreads, drawn_spreads)
        self.models_ = [fold.model for fold in folds]
        self._missing = (~observed).sum(0)
        self._rows, self._share = len(x), share
        self.facts_ = {}
        self._note_features()
        self.notes_ = [*notes, *schema.notes, *self._said(constant)]
        return self

    def default_model(self, X: Any) -> Any:
        """The model that None stands for on the table X, to be changed and given instead."""
        rows, _ = _some(_table(X), 0)
        return default_model(len(rows), _share(rows), int(self.folds), columns_of(rows))

    # ---------------------------------------------------------------- using

    def transform(self, X: Any) -> Any:
        """X with its gaps filled: same kind, columns, order, index and dtypes, every observed cell as it was.

        Columns without a single value in training stay empty. Of a Source another Source.
        """
        self.must_be_fitted()
        X = _table(X)
        if isinstance(X, Source):
            return X.map(self._transformed)
        return self._transformed(X)

    def draws(self, X: Any, m: int = 20) -> list[Any]:
        """`m` completed tables that differ as the truth might: multiple imputation.

        Run the analysis on each and put the results together with `pool`. The same call gives the same draws.
        """
        self.must_be_fitted()
        whole = isinstance(m, (int, np.integer)) and not isinstance(m, bool) and m >= 1
        need(whole, "m", "be a whole number of at least 1", m, "Use m=20")
        X, cells = _held(X), self._known.cells
        x, observed, gaps, rows = self._encoded(X)
        rng = np.random.default_rng(self._seed + 1)
        found = drawn(self._known, x[rows], observed[rows], gaps[rows], int(m), rng, self.rounded)
        tables = []
        for own in found:
            whole_table = cells.own(x)
            whole_table[rows] = own
            tables.append(self._completed(X, gaps, whole_table))
        return tables

    def intervals(self, X: Any, alpha: float = 0.1) -> Any:
        """For every gap of X what it is filled with and how sure that is: a DataFrame, one line a cell.

        row, column, value: the cell, rows counted from 0, and its fill. lower, upper: of numbers and moments,
        between which the truth lies with probability 1 - alpha, on average over cells like those hidden in
        training. probability: of yes/no and levels, that the fill is right.
        """
        self.must_be_fitted()
        need(0 < alpha < 1, "alpha", "lie between 0 and 1", alpha, "Use alpha=0.1")
        X, cells = _held(X), self._known.cells
        x, observed, gaps, rows = self._encoded(X)
        own, variance = cells.own(x), np.zeros(x.shape)
        if len(rows):
            own[rows], variance[rows] = self._known.filled(x[rows], observed[rows])
        tables = [self._completed(X, gaps, ends) for ends in self._ends(own, variance, alpha)]
        at = [(int(i), int(j)) for i, j in np.argwhere(gaps)]
        numeric = [kind == "numeric" for kind in cells.kinds]
        value, lower, upper = (_values(table, at, cells.names) for table in tables)
        empty = [None] * len(at)
        lines = {
            "row": np.array([i for i, _ in at], dtype=np.int64),
            "column": [str(cells.names[j]) for _, j in at],
            "value": value,
            "lower": [v if numeric[j] else e for v, (_, j), e in zip(lower, at, empty, strict=True)],
            "upper": [v if numeric[j] else e for v, (_, j), e in zip(upper, at, empty, strict=True)],
            "probability": np.array([np.nan if numeric[j] else self._sure(own[i], j) for i, j in at]),
        }
        return as_frame_like(None, lines)

    @property
    def report_(self) -> Any:
        """The quality of fills by column, a DataFrame."""
        self.must_be_fitted()
        known, cells = self._known, self._known.cells
        units = np.where(cells.moments, 1e-6, np.where(self._empty, np.nan, 1.0)).tolist()
        lines: dict[str, list[Any]] = {
            "column": [str(name) for name in cells.names],
            "kind": ["moment" if moment else k for k, moment in zip(cells.kinds, cells.moments, strict=True)],
            "missing": [int(count) for count in self._missing],
            "mean": [round(1 - blend.weight, 9) for blend in known.blends],
            "gaussian": [blend.gaussian for blend in known.blends],
            "model": [blend.network for blend in known.blends],
            "error": [unit * b.error for unit, b in zip(units, known.blends, strict=True)],
            "error_of_mean": [unit * b.error_of_mean for unit, b in zip(units, known.blends, strict=True)],
            "hidden_cells": [blend.cells for blend in known.blends],
            "coverage": [np.nan if spread is None else spread.coverage for spread in known.spreads],
        }
        return as_frame_like(None, lines)

    @property
    def coverage_(self) -> float:
        """The share of hidden numbers inside intervals at 90% made of other rows; NaN without any."""
        self.must_be_fitted()
        spreads = [s for s in self._known.spreads if s is not None and np.isfinite(s.coverage)]
        counts = [len(s.scores) for s in spreads]
        return float(np.average([s.coverage for s in spreads], weights=counts)) if spreads else float("nan")

    # ---------------------------------------------------------------- the pieces

    def _transformed(self, X: Any) -> Any:
        x, observed, gaps, rows = self._encoded(X)
        own = self._known.cells.own(x)
        if len(rows):
            own[rows] = self._known.filled(x[rows], observed[rows])[0]
        return self._completed(X, gaps, self._known.cells.kept_to_habits(own, self.rounded))

    def _encoded(self, X: Any) -> tuple[Array, Array, Array, Array]:
        """Encoded rows (n, d), observed and gaps (n, cells), and the rows that have gaps."""
        cells = self._known.cells
        gaps = gaps_of(cells.schema, X) & ~self._empty
        x, observed = cells.schema.encode(X)
        observed = np.ones(gaps.shape, dtype=bool) if observed is None else observed
        return x, observed, gaps, np.flatnonzero(gaps.any(1))

    @property
    def _empty(self) -> Array:
        """Which columns never had a value, or no level that repeats: (columns,). They stay as they are."""
        return np.asarray((self._missing == self._rows) | self._known.cells.nameless)

    def _completed(self, X: Any, gaps: Array, own: Array) -> Any:
        cells = self._known.cells
        with np.errstate(over="ignore"):  # of numbers, which are read in float64 alone
            x_hat = own.astype(np.float32)
        return completed(cells.schema, X, gaps, own[:, cells.places], x_hat)

    def _ends(self, own: Array, variance: Array, alpha: float) -> list[Array]:
        """Fills and lower and upper ends, in own units (n, d)."""
        cells, low, high = self._known.cells, own.copy(), own.copy()
        for i, j in enumerate(cells.numeric):
            spread, place = self._known.spreads[j], cells.places[i]
            assert spread is not None
            least, most = spread.ends(alpha)
            middle, width = encoded_column(cells, j, own[:, place]), spread.deviation(variance[:, place])
            for ends, score, outward in ((low, least, np.floor), (high, most, np.ceil)):
                far = cells.low[i] if score < 0 else cells.high[i]
                made = own_column(cells, j, middle + width * score) if np.isfinite(score) else far
                made = np.clip(made, cells.low[i], cells.high[i])
                ends[:, place] = outward(made) if self._whole(j) else cells.finer(made, i)
        return [cells.kept_to_habits(own.copy(), self.rounded), low, high]

    def _whole(self, j: int) -> bool:
        """Whether a column's dtype holds whole numbers only."""
        columns = getattr(self._known.cells.schema, "columns", ())
        return bool(columns) and columns[j].dtype.text.lower().startswith(("int", "uint"))

    def _sure(self, own: Array, j: int) -> float:
        """The probability of the fill of cell j, yes/no or a level."""
        guess = own[self._known.cells.spans[j]]
        if len(guess) == 1:
            return float((1 + np.abs(guess[0])) / 2)
        return float((self._known.cells.nameable(j) * guess / guess.sum()).max())

    def _said(self, constant: Array) -> list[str]:
        """What a user should know about the fills: of columns with gaps, where there are any."""
        known, cells = self._known, self._known.cells
        told = ~self._empty & ~constant & ((self._missing > 0) | (not self._missing.any()))
        pairs = [(str(cells.names[j]), known.blends[j]) for j in np.flatnonzero(told)]
        plain = [name for name, blend in pairs if blend.weight == 0 and blend.cells]
        unjudged = [name for name, blend in pairs if not blend.cells]
        said = [
            f"{len(known.folds)} models, each judged on known cells hidden in rows it was not trained on "
            f"({counted(self._rows, 'row')}, {percent(self._share, 1)} missing)."
        ]
        if plain:
            said.append(
                "Filled with the mean or the most frequent level, as nothing did clearly better on hidden "
                f"cells: {few(plain)}."
            )
        if unjudged:
            said.append(
                f"Too few values to judge fills, so the mean or most frequent level: {few(unjudged)}."
            )
        if np.isfinite(self.coverage_):
            said.append(f"Intervals at 90% held {percent(self.coverage_, 1)} of hidden cells of other rows.")
        return said

    def _note_features(self) -> None:
        schema = self._known.cells.schema
        names = schema.names
        self.n_features_in_ = len(names)
        self.__dict__.pop("feature_names_in_", None)
        if schema.named and all(isinstance(name, str) for name in names):
            self.feature_names_in_ = np.array(names, dtype=object)

    def _check_parameters(self) -> None:
        whole = isinstance(self.folds, (int, np.integer)) and not isinstance(self.folds, bool)
        need(whole and self.folds >= 2, "folds", "be a whole number of at least 2", self.folds, "Use folds=4")
        need(isinstance(self.rounded, bool), "rounded", "be True or False", self.rounded, "Use rounded=True")

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """The names of the columns, those that went in."""
        self.must_be_fitted()
        self._check_input_features(input_features)
        own = [f"x{j}" for j in range(self.n_features_in_)]
        return np.array(getattr(self, "feature_names_in_", own), dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


# ---------------------------------------------------------------- tables in, sentences out


def gap_counts(imputer: Imputer, X: Any) -> list[int]:
    """How many gaps every column of X has."""
    schema, X = imputer._known.cells.schema, _table(X)
    blocks = X.blocks() if isinstance(X, Source) else (X,)
    return np.sum([gaps_of(schema, block).sum(0) for block in blocks], axis=0).tolist()  # type: ignore[no-any-return]


def _table(X: Any) -> Any:
    """Frames and sources as they are, anything else as a 2-D array."""
    if isinstance(X, Folder):
        do = "Use Inpainter" if X.KIND == "pictures" else "Use a DataFrame or an array (n, columns)"
        raise must("X", "be a table", f"a folder of {X.KIND}", do)
    if hasattr(X, "columns") or isinstance(X, Source):
        return X
    array = as_array(X)
    need(array.ndim == 2, "X", "be a table", f"an array of shape {array.shape}", "Use (n, columns)")
    return array


def _refuse_great(X: Any) -> None:
    """Raise for numbers whose squared errors could not be computed, before anything is trained."""
    if not hasattr(X, "columns"):
        refuse_infinite(np.asarray(X, np.float64), tuple(range(X.shape[1])), GREATEST)
        return
    for column in read_columns(X):
        if column.numbers is not None:
            refuse_infinite(column.numbers[:, None], (column.name,), GREATEST)


def _held(X: Any) -> Any:
    """A table in memory; of a Source all rows."""
    X = _table(X)
    return rows_of(X, np.arange(len(X))) if isinstance(X, Source) else X


def _some(X: Any, seed: int) -> tuple[Any, list[str]]:
    """The rows to learn from, and a note where they are not all."""
    total = len(X)
    if isinstance(X, Source):
        X, _ = sample(X, seed, rows=ROWS)
    elif total > ROWS:
        X = rows_of(X, np.sort(np.random.default_rng(seed).permutation(total)[:ROWS]))
    return X, [] if len(X) == total else [f"Learned from {len(X):,} of {total:,} rows, drawn at random."]


def _share(X: Any) -> float:
    """The share of cells of a frame or an array that is missing."""
    if not len(X):
        return 0.0
    if hasattr(X, "isna"):
        return float(X.isna().to_numpy().mean())
    if hasattr(X, "null_count"):
        return float(np.mean(X.null_count().row(0)) / len(X))
    return float(np.isnan(X).mean())


def _means(cells: Cells, x: Array, observed: Array) -> Array:
    """Means and frequencies of what is observed of every feature, in own units: (d,)."""
    seen = cells.spread(observed)
    own = np.where(seen, cells.own(x), 0.0)
    return np.asarray(own.sum(0) / np.maximum(1, seen.sum(0)))


def _constant(cells: Cells, x: Array, observed: Array) -> Array:
    """Which columns have one value in every row that has any: nothing to judge fills by, (cells,)."""
    seen = cells.spread(observed)
    low, high = (np.where(seen, x, end) for end in (np.inf, -np.inf))
    same = low.min(0) == high.max(0)
    return np.array([bool(same[span].all()) for span in cells.spans])


def _values(table: Any, at: list[tuple[int, int]], names: list[Any]) -> list[Any]:
    """The values of cells (row, column)."""
    if not hasattr(table, "columns"):
        return [table[i, j].item() for i, j in at]
    columns = {j: table[names[j]].to_list() for j in {j for _, j in at}}
    return [columns[j][i] for i, j in at]
