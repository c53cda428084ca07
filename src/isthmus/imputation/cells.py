"""Cells: encoded rows, and the values people expect back.

Everything is learned in encoded space, where every column counts alike, and judged in the column's own units:
numbers as they are in the data, yes/no as -1 and 1, a level by its probabilities. What comes back keeps to
what the column holds: within its range, with as many decimals, and where it has a few values only, a draw is
one of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.inputs import numbers_of, scales_of
from isthmus.parts import Record

__all__ = ["Cells", "Habits", "habits_of"]

FEW = 32  # different values up to which a column of numbers holds nothing else
BEYOND = 0.1  # of the range of what was seen, that draws may go beyond it
DECIMALS = 6  # looked for at most
MOST = 0.95  # share of its values a column's decimals are those of: ages are whole, but for some infants'

Array = NDArray[Any]


class Habits(Record):
    """Of a column of numbers: its least and greatest value, its decimals (None for as many as there are), and
    all its values where they are few.

    Where values have more than six decimals, they count as having those of a hundred-thousandth of
    their spread.
    """

    low: float = 0.0
    high: float = 0.0
    decimals: int | None = None
    values: tuple[float, ...] = ()


def habits_of(numbers: NDArray[np.float64]) -> Habits:
    """The habits of a column (n,) with NaN for gaps."""
    known = numbers[~np.isnan(numbers)]
    if not len(known):
        return Habits()
    distinct = np.unique(known)
    few = tuple(distinct.tolist()) if len(distinct) <= min(FEW, max(1, len(known) // 4)) else ()
    return Habits(float(distinct[0]), float(distinct[-1]), _decimals(known, float(known.std())), few)


def _decimals(values: NDArray[np.float64], spread: float) -> int | None:
    for count in range(DECIMALS + 1):
        scaled = values * 10.0**count
        if (np.abs(scaled - np.rint(scaled)) <= 1e-9 * np.maximum(1.0, np.abs(scaled))).mean() >= MOST:
            return count
    return int(np.clip(np.ceil(5 - np.log10(spread)), 0, 300)) if spread > 0 else None


class Cells:
    """The cells of a schema: where their features are, and their numbers in encoded and own units."""

    def __init__(self, schema: Any, habits: tuple[Habits, ...]) -> None:
        self.schema, self.habits, self.scales = schema, habits, scales_of(schema)
        self.all = schema.layout.cells
        self.names = [cell.name for cell in self.all]
        self.kinds = [cell.kind for cell in self.all]
        self.spans = [slice(cell.start, cell.stop) for cell in self.all]
        self.home = np.repeat(np.arange(len(self.all)), [cell.width for cell in self.all])
        self.numeric = [j for j, kind in enumerate(self.kinds) if kind == "numeric"]
        self.places = [self.all[j].start for j in self.numeric]
        self.place_of = {j: i for i, j in enumerate(self.numeric)}
        self.low = np.array([habit.low for habit in habits])
        self.high = np.array([habit.high for habit in habits])

    @property
    def moments(self) -> list[bool]:
        """Which columns hold moments or spans of time, in microseconds: (cells,)."""
        columns = getattr(self.schema, "columns", None) or [None] * len(self.all)
        return [bool(getattr(spec, "temporal", "")) for spec in columns]

    @property
    def nameless(self) -> Array:
        """Which columns have levels, none of which was met often enough to be filled in: (cells,)."""
        columns = getattr(self.schema, "columns", None) or [None] * len(self.all)
        return np.array([getattr(spec, "levels", None) == () for spec in columns])

    @classmethod
    def of(cls, schema: Any, X: Any) -> Cells:
        """With the habits of the columns of X."""
        return cls(schema, tuple(map(habits_of, numbers_of(schema, X).T)))

    def spread(self, cells: Array) -> Array:
        """A value per cell (n, cells) repeated over its features (n, d)."""
        return np.asarray(cells[:, self.home])

    def own(self, x: Array) -> Array:
        """Encoded features (n, d) with their numbers in the data's units, float64."""
        values = x.astype(np.float64)
        if self.places:
            values[:, self.places] = self.scales.decode(x[:, self.places])
        return values

    def encoded(self, own: Array) -> Array:
        """The inverse."""
        x = own.copy()
        if self.places:
            x[:, self.places] = self.scales.encode(own[:, self.places])
        return x

    def probable(self, x_hat: Array) -> Array:
        """Guesses (n, d) with yes/no within -1 and 1 and the levels of a category as probabilities."""
        for span, kind in zip(self.spans, self.kinds, strict=True):
            if kind == "binary":
                x_hat[:, span] = np.clip(x_hat[:, span], -1, 1)
            elif kind == "categorical":
                p = np.clip(x_hat[:, span], 1e-6, None)
                x_hat[:, span] = p / p.sum(1, keepdims=True)
        return x_hat

    def nameable(self, j: int) -> Array:
        """1 for the levels of a category that have a name, 0 for the place that rare ones share."""
        spec = self.schema.columns[j]
        return (np.arange(spec.width) < max(1, len(spec.levels))).astype(float)

    def fillable(self, j: int) -> Array | None:
        """`nameable` for levels, 1 for yes/no, None for numbers."""
        return (
            self.nameable(j) if self.kinds[j] == "categorical" else None if j in self.place_of else np.ones(1)
        )

    def kept_to_habits(self, own: Array, rounded: bool) -> Array:
        """Numbers (n, d) in own units within the range of their column and, where `rounded`, with as many
        decimals.
        """
        for i, place in enumerate(self.places):
            own[:, place] = self.habitual(own[:, place], i, rounded)
        return own

    def finer(self, values: Array, i: int) -> Array:
        """Values (n,) of the i-th column of numbers with two decimals more than it has."""
        decimals = self.habits[i].decimals
        return values if decimals is None else np.round(values, decimals + 2)

    def habitual(self, values: Array, i: int, rounded: bool, drawn: bool = False) -> Array:
        """The same for values (n,) of the i-th column of numbers.

        What is `drawn` is one of its values where they are few, and else may go a tenth of the range beyond
        its ends, but not over 0: cut at the ends, the spread of draws would be too small.
        """
        habit = self.habits[i]
        low, high = habit.low, habit.high
        if drawn and not habit.values:
            beyond = BEYOND * (high - low)
            low, high = (
                low - min(beyond, low if low >= 0 else beyond),
                high + min(beyond, -high if high <= 0 else beyond),
            )
        values = np.clip(values, low, high)
        if drawn and habit.values:
            known = np.asarray(habit.values)
            return known[np.searchsorted((known[1:] + known[:-1]) / 2, values)]
        if rounded and habit.decimals is not None:
            return np.clip(np.round(values, habit.decimals), low, high)
        return values
