"""Scaling: numbers of any unit as numbers near 1, and back.

    x = (u - centre) / scale,     u = X, or asinh((X - median) / spread) for a heavy-tailed column

Everything is computed in float64 and only the result is float32, so a column around 1e12 keeps its digits.
The squeeze by asinh is for columns whose variance is the work of a handful of values: standardised as they
are, all the others would be indistinguishable. It is applied where the middle half of the values vary, and
yet one value in a thousand carries over half of the variance and one lies beyond ten standard deviations;
normal, uniform, exponential and log-normal (sigma 1) columns, and those that are nearly always one value,
stay as they are.

>>> import numpy as np
>>> scales = Standard().fit(np.array([[1.0], [3.0]]))
>>> scales.encode(np.array([[5.0]])), scales.decode(np.array([[3.0]]))
(array([[3.]]), array([[5.]]))
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.inputs.statistics import CACHED, Statistics, statistics_of
from isthmus.parts import Part, Record
from isthmus.segments import each, segments

__all__ = ["Scales", "Scaling", "Shared", "Standard", "UnitRange", "Unscaled", "whole"]

Array = NDArray[np.float64]
FEW = 1024  # numbers of which the sum of squares is found sooner than the ends
LOOKED_AT = 10_000  # rows, where a look at some of them will do
BESIDE = 1e-5  # scales: more than float32 loses where a centre is many scales from 0
LIMIT = 1e9  # encoded values beyond are cut: their squares must stay finite in float32
GREATEST = float(np.finfo(np.float64).max)


class Scales(Record):
    """Learned centres and scales of m numeric columns.

    `squeezed` columns also have a median, a spread and a cap; `empty` ones never had a value and come back
    as NaN.
    """

    centre: tuple[float, ...]
    scale: tuple[float, ...]
    squeezed: tuple[int, ...] = ()
    median: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()
    cap: tuple[float, ...] = ()
    empty: tuple[int, ...] = ()

    @cached_property
    def _arrays(self) -> tuple[Array, Array, list[int], Array, Array, Array]:
        centre, scale, median, spread, cap = (
            np.array(v, dtype=float) for v in (self.centre, self.scale, self.median, self.spread, self.cap)
        )
        return centre, scale, list(self.squeezed), median, spread, cap

    def spread_out(self, times: int) -> Scales:
        """Each column's scales `times` over: those of a channel for all its samples."""
        places = [j * times + i for j in self.squeezed for i in range(times)]
        empty = [j * times + i for j in self.empty for i in range(times)]
        each = {
            name: tuple(value for value in getattr(self, name) for _ in range(times))
            for name in ("centre", "scale", "median", "spread", "cap")
        }
        return Scales(**each, squeezed=tuple(places), empty=tuple(empty))

    @cached_property
    def _plain(self) -> tuple[Any, ...] | None:
        """Centre and 1 / scale in both precisions where a column's place is small beside its spread, so that
        nothing is lost by subtracting in the data's own precision.
        """
        centre, scale = self._arrays[:2]
        extreme = (scale < 1e-30) | (scale > 1e30)
        if self.squeezed or self.empty or extreme.any() or (np.abs(centre) > 16 * scale).any():
            return None
        pair = centre, 1 / scale
        return (*pair, *(part.astype(np.float32) for part in pair))

    def encode_whole(self, values: NDArray[Any]) -> NDArray[np.float32] | None:
        """The same as float32, in a third of the passes, for values (n, m) of any dtype with nothing missing
        or extreme; None where it is not so simple.
        """
        if self._plain is None or not values.size or values.dtype.kind not in "biuf":
            return None
        low = values.dtype.kind == "b" or values.dtype.itemsize <= (4 if values.dtype.kind == "f" else 2)
        centre, inverse = self._plain[2:] if low else self._plain[:2]
        if values.size <= CACHED:
            return _scaled(values, centre, inverse)
        encoded = np.empty(values.shape, np.float32)

        def good(rows: slice) -> bool:
            segment, out = values[rows], encoded[rows]
            for block in segments(len(segment), segment.shape[1], CACHED):
                found = _scaled(segment[block], centre, inverse)
                if found is None:
                    return False
                out[block] = found
            return True

        return encoded if all(each(good, segments(*values.shape))) else None

    def encode(self, values: Array) -> Array:
        """(n, m) in the data's units -> (n, m) scaled; NaN stays NaN."""
        centre, scale, squeezed, median, spread, _ = self._arrays
        if squeezed:
            values = values.copy()
            values[:, squeezed] = _asinh(values[:, squeezed], median, spread)
        with np.errstate(over="ignore"):  # what overflows is beyond LIMIT
            return np.clip((values - centre) / scale, -LIMIT, LIMIT)

    def decode(self, scaled: NDArray[np.floating[Any]]) -> Array:
        """(n, m) scaled -> (n, m) in the data's units."""
        centre, scale, squeezed, median, spread, cap = self._arrays
        with np.errstate(over="ignore"):
            values = scaled.astype(np.float64) * scale + centre
            if squeezed:
                values[:, squeezed] = np.sinh(np.clip(values[:, squeezed], -cap, cap)) * spread + median
        if squeezed or scale.max(initial=0.0) > 1e200:
            np.clip(values, -GREATEST, GREATEST, out=values)
        values[:, list(self.empty)] = np.nan
        return values


def _scaled(values: NDArray[Any], centre: NDArray[Any], inverse: NDArray[Any]) -> NDArray[np.float32] | None:
    """(values - centre) * inverse as float32; None where something is missing or beyond LIMIT."""
    with np.errstate(over="ignore"):  # what overflows is beyond LIMIT
        x = np.subtract(values, centre, dtype=centre.dtype)
        x *= inverse
    return x.astype(np.float32, copy=False) if _all_within(x) else None


def _all_within(x: NDArray[Any]) -> bool:
    """Whether every |x| is below LIMIT; no where one is NaN. A few numbers' squares tell it sooner."""
    if x.size <= FEW and np.vdot(x, x) < LIMIT**2:
        return True
    return bool(x.min() > -LIMIT and x.max() < LIMIT)


class Scaling(Part):
    """A way to choose centres and scales."""

    def fit(self, values: Array) -> Scales:
        """Scales for the columns of values (n, m) float64 with NaN for what is missing."""
        raise NotImplementedError(f"{type(self).__name__} must define fit")

    def __call__(self, values: NDArray[Any], known: Statistics | None = None) -> Scales:
        """Those scales, with the columns marked that have no value at all.

        values (n, m) of any real dtype; known: their statistics, where they have some.
        """
        values = values.astype(np.float64, copy=False)
        empty = np.flatnonzero(np.isnan(values).all(0)) if known is None and len(values) else ()
        return dataclasses.replace(self.fit(values), empty=tuple(int(j) for j in empty))

    @property
    def positive(self) -> bool:
        """Whether everything ends up in [0, 1]."""
        return False


class Standard(Scaling):
    """Each column by its own mean and standard deviation.

    squeeze: pass heavy-tailed columns through asinh first (see the module's text).
    off_zero: put the centre a hundred-thousandth of the scale beside the mean, so that no value is encoded
        as exactly 0, which says "not observed"; for models that have to tell the two apart.
    """

    squeeze: bool = True
    off_zero: bool = False

    def __call__(self, values: NDArray[Any], known: Statistics | None = None) -> Scales:
        """As `fit`, without a copy in float64 where the statistics are all that is needed."""
        if known is None or type(self).fit is not Standard.fit:
            return super().__call__(values, known)
        return self._scales(values, known)

    def fit(self, values: Array) -> Scales:
        """Scales for the columns of values (n, m)."""
        return self._scales(values, _statistics(values))

    def _scales(self, values: NDArray[Any], known: Statistics) -> Scales:
        heavy = _heavy(values, known) if self.squeeze else []
        scales = _squeezed(values.astype(np.float64), heavy) if heavy else _plain(known)
        if not self.off_zero:
            return scales
        beside = tuple(c + BESIDE * s for c, s in zip(scales.centre, scales.scale, strict=True))
        return dataclasses.replace(scales, centre=beside)


class Shared(Scaling):
    """Each column by its own mean, all by one scale, so that a squared error is proportional to the raw
    one.
    """

    def fit(self, values: Array) -> Scales:
        """Scales for the columns of values (n, m)."""
        known = _statistics(values)
        centre, own = known.mean, known.std
        common = _positive(
            np.sqrt(np.mean(np.square(own / max(own.max(initial=0), 1e-300)))) * own.max(initial=0)
        )
        return Scales(tuple(centre), tuple(np.full_like(own, common)))


class UnitRange(Scaling):
    """All columns by one range, its ends given or taken from the data, so that everything lies in [0, 1]."""

    low: float | None = None
    high: float | None = None

    def fit(self, values: Array) -> Scales:
        """Scales for the columns of values (n, m)."""
        low = _quietly(np.nanmin, values, axis=None) if self.low is None else self.low
        high = _quietly(np.nanmax, values, axis=None) if self.high is None else self.high
        m = values.shape[1]
        return Scales((float(low),) * m, (float(_positive(np.asarray(high - low))),) * m)

    @property
    def positive(self) -> bool:
        """Always."""
        return True


class Unscaled(Scaling):
    """Numbers as they are."""

    def fit(self, values: Array) -> Scales:
        """Centre 0, scale 1."""
        m = values.shape[1]
        return Scales((0.0,) * m, (1.0,) * m)


def whole(values: Array, dtype: str) -> Array:
    """Values rounded and cut to what a whole-number dtype can hold, still as float64."""
    bounds = np.iinfo(dtype)
    top = float(bounds.max)
    return np.clip(
        np.rint(values), float(bounds.min), top if int(top) <= bounds.max else np.nextafter(top, 0)
    )


def _plain(known: Statistics) -> Scales:
    """Each column by its own mean and standard deviation."""
    return Scales(tuple(known.mean.tolist()), tuple(_positive(known.std).tolist()))


def _squeezed(values: Array, heavy: list[int]) -> Scales:
    """The same once the heavy columns have been passed through asinh, which is done in place."""
    middle, spread = _robust(values[:, heavy])
    values[:, heavy] = _asinh(values[:, heavy], middle, spread)
    cap = 1.1 * _quietly(np.nanmax, np.abs(values[:, heavy]))
    squeeze = {"median": tuple(middle), "spread": tuple(spread), "cap": tuple(cap)}
    return dataclasses.replace(_plain(_statistics(values)), squeezed=tuple(heavy), **squeeze)


def _asinh(values: Array, middle: Array, spread: Array) -> Array:
    """asinh((values - middle) / spread), finite where that quotient overflows."""
    with np.errstate(over="ignore"):
        return np.arcsinh(np.clip((values - middle) / spread, -GREATEST, GREATEST))


def _statistics(values: Array) -> Statistics:
    """Without overflow, loss of digits, or what is missing; 0 for an empty column."""
    known = statistics_of(values)
    if known is not None:
        return known
    low, high = _quietly(np.nanmin, values), _quietly(np.nanmax, values)
    size = _positive(np.maximum(np.abs(low), np.abs(high)))
    mean = _quietly(np.nanmean, values / size) * size
    std = _quietly(np.nanstd, (values / 2 - mean / 2) / size) * size * 2
    constant = low == high  # what is left of it is rounding
    mean[constant], std[constant] = low[constant], 0.0
    return Statistics(low, high, mean, std)


def _positive(scale: Array) -> Array:
    return np.where(scale > 0, scale, 1.0)


def _quietly(function: Callable[..., Any], values: Array, axis: int | None = 0) -> Array:
    """A NaN-aware reduction that gives 0 for columns with no value at all."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        if not values.size:
            return np.zeros(values.shape[1] if axis == 0 else ())
        return np.asarray(np.nan_to_num(function(values, axis=axis), nan=0.0))


def _heavy(values: NDArray[Any], known: Statistics) -> list[int]:
    """Columns whose variance is mostly the work of one value in a thousand, though the others vary too."""
    if not len(values):
        return []
    middle, spread = known.mean / 20, _positive(known.std) / 2  # twentieths do not overflow
    farthest = np.maximum(known.high / 20 - middle, middle - known.low / 20)
    suspects = np.flatnonzero(farthest > spread)
    if len(suspects):
        suspects = suspects[~_mostly_one(_some(values)[:, suspects])]
    return [int(j) for j in suspects if _drowns(values[:, j].astype(float), known.mean[j], known.std[j])]


def _some(values: NDArray[Any]) -> NDArray[Any]:
    """Rows for a cheap look: all, or so many at random."""
    if len(values) <= LOOKED_AT:
        return values
    return values[np.sort(np.random.default_rng(0).choice(len(values), LOOKED_AT, replace=False))]


def _mostly_one(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Columns that are one value so often that their middle half cannot vary; a cheap look, which may miss
    some: hence four in five, not three in four.
    """
    guess = _quietly(np.nanmedian, values[:: max(1, len(values) // 101)])
    mostly: NDArray[np.bool_] = (values == guess).sum(0) > 0.8 * (~np.isnan(values)).sum(0)
    return mostly


def _drowns(column: Array, mean: float, std: float) -> bool:
    """Whether a thousandth of a column carries over half of its variance, and its middle half varies."""
    top = max(1, len(column) // 1000)
    z = np.nan_to_num(np.square((column / 2 - mean / 2) / (std / 2 if std > 0 else 0.5)), nan=0.0)
    few = np.partition(z, -top)[-top:].sum()
    return bool(few > 0.5 * z.sum()) and bool(_robust(column[:, None])[1][0] > 0)


def _robust(values: Array) -> tuple[Array, Array]:
    """Medians and half the interquartile ranges."""
    low, middle, high = np.nanpercentile(values, [25, 50, 75], axis=0)
    return middle, high / 2 - low / 2
