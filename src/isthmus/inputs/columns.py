"""Columns: the kinds of column a table can have, as parts, and what is learned about one, as records.

    kind                   features                    missing    comes back as Numeric, Datetime      1,
    scaled                   0          the number, rounded for whole-number dtypes; the moment Boolean
    1, in {-1, +1}              0          x_hat > 0 Categorical            one per level (one-hot)     all
    0      the likeliest level

A kind may be given by name where the guess from the dtype is not what is meant: `Table(columns={"zip":
Categorical()})`.
"""

from __future__ import annotations

import warnings
from collections import Counter
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import brief, must
from isthmus.inputs.frames import Column, DType
from isthmus.inputs.scaling import whole
from isthmus.parts import Kind, Part, Record

__all__ = [
    "Boolean",
    "Categorical",
    "ColumnKind",
    "Datetime",
    "LevelSpec",
    "NumberSpec",
    "Numeric",
    "TruthSpec",
    "UnseenLevels",
]

MAX_LEVELS = 64
SECOND = 1_000_000  # microseconds, the unit of moments
STEPS = (86_400 * SECOND, 3_600 * SECOND, 60 * SECOND, SECOND)


class UnseenLevels(UserWarning):
    """Cells hold levels that were not in the training data: which column, how many, and one of them."""

    def __init__(self, column: str | int, count: int, example: Any) -> None:
        self.column, self.count, self.example = column, count, example
        cells = "cell holds" if count == 1 else "cells hold"
        super().__init__(
            f"column {column!r}: {count:,} {cells} a level that was not in the training data, such as "
            f"{brief(repr(example))}; what was never seen counts as missing."
        )


class Spec(Record):
    """What was learned about one column, apart from the scales of numbers."""

    name: str | int
    dtype: DType

    @property
    def kind(self) -> Kind:
        """The kind of its cell."""
        raise NotImplementedError

    @property
    def width(self) -> int:
        """Features it takes."""
        return 1

    @property
    def temporal(self) -> str:
        """Either "datetime64" or "timedelta64" for a column of moments or spans of time, otherwise ""."""
        return ""


SPANS = ("timedelta", "duration")  # how dtypes of spans of time begin


class NumberSpec(Spec):
    """A number or a moment; its scale is learned together with all other numbers'.

    step: what moments come back as multiples of, in microseconds; 0 is no such step.
    """

    step: int = 0

    @property
    def kind(self) -> Kind:
        """Numeric."""
        return "numeric"

    @property
    def temporal(self) -> str:
        """By the dtype of the library it came from."""
        text = self.dtype.text.lower()
        return "datetime64" if text.startswith("date") else "timedelta64" if text.startswith(SPANS) else ""

    def numbers(self, column: Column) -> NDArray[np.float64]:
        """The column as float64 (n,) with NaN."""
        if column.numbers is not None:
            return column.numbers
        try:
            return np.array([np.nan if value is None else float(value) for value in column.values or ()])
        except (TypeError, ValueError):
            bad = next(v for v in column.values or () if v is not None and not _is_number(v))
            do = "Replace it, or mark it as missing with NaN"
            raise must(f"column {self.name!r}", "hold numbers", bad, do) from None

    def decode(self, values: NDArray[np.float64]) -> tuple[Any, DType]:
        """Values (n,) in the dtype's range, and the dtype."""
        text = self.dtype.text.lower()
        if text.startswith(("int", "uint")):
            values = whole(values, text)
            return (values if np.isnan(values).any() else values.astype(text)), self.dtype
        if self.step:
            return np.rint(values / self.step) * self.step, self.dtype
        return values, self.dtype


class TruthSpec(Spec):
    """Yes or no."""

    @property
    def kind(self) -> Kind:
        """Binary."""
        return "binary"

    def encode(self, column: Column) -> NDArray[np.float32]:
        """(n, 1): +1, -1, or 0 where missing."""
        values = column.values if column.values is not None else _from_numbers(column)
        signs = [0.0 if value is None else 1.0 if value else -1.0 for value in values]
        return np.array(signs, dtype=np.float32)[:, None]

    def decode(self, x_hat: NDArray[np.float32]) -> tuple[Any, DType]:
        """x_hat (n, 1) -> True where positive."""
        return x_hat[:, 0] > 0, self.dtype


class LevelSpec(Spec):
    """One of several levels. `others` levels that were too rare share the last feature."""

    levels: tuple[Any, ...] = ()
    others: int = 0

    @property
    def kind(self) -> Kind:
        """Categorical."""
        return "categorical"

    @property
    def width(self) -> int:
        """One feature per level, and one for all others."""
        return max(1, len(self.levels) + (self.others > 0))

    @cached_property
    def _code(self) -> dict[Any, int]:
        return {level: i for i, level in enumerate(self.levels)}

    def encode(self, column: Column) -> NDArray[np.float32]:
        """(n, width) one-hot; a level never met goes to the others, or counts as missing, and is reported."""
        values = column.values if column.values is not None else _from_numbers(column)
        elsewhere = len(self.levels) if self.others else -2
        codes = np.fromiter((self._code.get(v, elsewhere) if v is not None else -1 for v in values), np.int64)
        unseen = int((codes == -2).sum())
        if unseen:
            example = next(v for v, code in zip(values, codes, strict=True) if code == -2)
            warnings.warn(UnseenLevels(self.name, unseen, example), stacklevel=2)
        x = np.zeros((len(codes), self.width), np.float32)
        rows = np.flatnonzero(codes >= 0)
        x[rows, codes[rows]] = 1.0
        return x

    def decode(self, x_hat: NDArray[np.float32]) -> tuple[Any, DType]:
        """x_hat (n, width) -> the likeliest level; None for the others."""
        if not self.levels:
            return [None] * len(x_hat), self.dtype
        names = (*self.levels, None)
        return [names[j] for j in x_hat.argmax(1)], self.dtype


class ColumnKind(Part):
    """How to read one column."""

    def learn(self, column: Column) -> tuple[Spec, tuple[str, ...]]:
        """What the column holds, and notes on it."""
        raise NotImplementedError(f"{type(self).__name__} must define learn")

    def __call__(self, column: Column) -> tuple[Spec, tuple[str, ...]]:
        """The same as `learn`."""
        return self.learn(column)


class Numeric(ColumnKind):
    """A number, with squared error (a Gaussian likelihood of unit variance in its own scale)."""

    def learn(self, column: Column) -> tuple[Spec, tuple[str, ...]]:
        """A note when the column is empty or constant."""
        spec = NumberSpec(column.name, column.dtype)
        known = spec.numbers(column)
        known = known[~np.isnan(known)]
        if not len(known):
            return spec, (f"Column {column.name!r} has no value at all: it stays empty.",)
        return spec, _about_constant(column.name, 1 if known.min() == known.max() else 2, len(known))


class Datetime(Numeric):
    """A moment or a span of time: a number of microseconds, scaled like one.

    Where all are whole days, hours, minutes or seconds, they come back as such.
    """

    def learn(self, column: Column) -> tuple[Spec, tuple[str, ...]]:
        """The longest step all moments are multiples of, and a note when they are empty or constant."""
        spec, notes = super().learn(column)
        moments = NumberSpec(column.name, column.dtype).numbers(column)
        moments = moments[~np.isnan(moments)]
        step = next((step for step in STEPS if len(moments) and not (moments % step).any()), 0)
        return NumberSpec(spec.name, spec.dtype, step), notes


class Boolean(ColumnKind):
    """Yes or no, with a Bernoulli likelihood."""

    def learn(self, column: Column) -> tuple[Spec, tuple[str, ...]]:
        """Nothing to learn but whether it is constant, which is noted."""
        spec = TruthSpec(column.name, column.dtype)
        known = spec.encode(column)
        known = known[known != 0]
        return spec, _about_constant(column.name, len(set(known.tolist())), len(known))


class Categorical(ColumnKind):
    """One of several levels, with a categorical likelihood.

    max_levels: the most frequent are kept; all others share one feature and come back as missing.
    min_count: so do those met in fewer rows.
    """

    max_levels: int = MAX_LEVELS
    min_count: int = 1

    def learn(self, column: Column) -> tuple[Spec, tuple[str, ...]]:
        """Levels by frequency, then by name; notes when some were too many, or all are one."""
        values = column.values if column.values is not None else _from_numbers(column)
        counts = Counter(value for value in values if value is not None)
        if not counts:
            return LevelSpec(column.name, column.dtype), (
                f"Column {column.name!r} has no value: it stays empty.",
            )
        ranked = sorted(counts, key=lambda level: (-counts[level], str(level)))
        keep = min(self.max_levels, sum(count >= self.min_count for count in counts.values()))
        spec = LevelSpec(column.name, column.dtype, tuple(ranked[:keep]), len(ranked) - keep)
        rows = sum(counts.values())
        constant = _about_constant(column.name, len(ranked), rows)
        return spec, (*constant, *_about_levels(column.name, len(ranked), keep, rows))


def _about_constant(name: str | int, distinct: int, rows: int) -> tuple[str, ...]:
    return (f"Column {name!r} is constant.",) if distinct == 1 and rows > 1 else ()


def _about_levels(name: str | int, total: int, kept: int, rows: int) -> tuple[str, ...]:
    if total == kept:
        return ()
    if not kept:
        return (
            f"Column {name!r} repeats none of its {total:,} levels often enough to learn from: nothing is "
            "told by it, and its gaps stay.",
        )
    most = "the most frequent is kept" if kept == 1 else f"the {kept} most frequent are kept"
    others = "the other" if total - kept == 1 else f"the other {total - kept:,} share one, which"
    text = f"Column {name!r} has {total:,} levels: {most}, {others} comes back as missing."
    if total > 0.9 * rows:
        text += (
            " Nearly every row has its own: leave it out if it is an identifier, convert it if it is numbers "
            "or dates written as text."
        )
    return (text,)


def _from_numbers(column: Column) -> list[Any]:
    """Numbers read as levels: whole ones as ints, NaN as None."""
    numbers = column.numbers if column.numbers is not None else np.empty(0)
    return [None if v != v else int(v) if float(v).is_integer() else v for v in numbers.tolist()]


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True
