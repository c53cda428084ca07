"""Arrays: every column a number. The fast road, without a loop over columns.

A 2-D array is a table of numbers; uint8 arrays of 64 columns or more are read as pixels: all their cells
share one unit, so all share one range. For pictures and signals see `isthmus.inputs.images` and `signals`.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import DataError, brief, must
from isthmus.inputs.base import Encoded, Schema
from isthmus.inputs.folders import Folder, is_path
from isthmus.inputs.scaling import Scales, whole
from isthmus.parts import Layout

__all__ = ["ArraySchema", "as_array", "columns_of", "encode_numbers", "no_folder", "refuse_infinite"]


class ArraySchema(Schema):
    """Columns of a numeric array, by position. `shape` is one sample's, () for tables; `dtype` comes back."""

    scales: Scales
    dtype: str = "float64"
    shape: tuple[int, ...] = ()
    positive: bool = False
    gaps: bool = False

    @cached_property
    def names(self) -> tuple[str | int, ...]:
        """0 ... m - 1."""
        return tuple(range(len(self.scales.centre)))

    @property
    def named(self) -> bool:
        """Never."""
        return False

    @cached_property
    def layout(self) -> Layout:
        """One numeric cell per column."""
        return Layout.numeric(len(self.scales.centre), self.shape, self.positive, self.gaps)

    def source(self, X: Any) -> Any:
        """X as it is, unless it is a folder."""
        return no_folder(X)

    def encode(self, X: Any) -> Encoded:
        """Rows of an array, or of a frame of numbers by position."""
        return encode_numbers(self._values(X), self.scales, self.names)

    def decode(self, x_hat: NDArray[np.float32], like: Any = None) -> Any:
        """An array of the fitted dtype and sample shape."""
        values: NDArray[Any] = self.scales.decode(x_hat)
        dtype = np.dtype(self.dtype)
        if dtype.kind == "b":
            values = values > 0.5
        elif np.issubdtype(dtype, np.integer):
            values = whole(values, self.dtype)
        return values.astype(dtype).reshape(len(values), *(self.shape or values.shape[1:]))

    def value(self, X: Any, row: int, cell: int) -> Any:
        """X[row, cell]."""
        return np.asarray(X)[row].reshape(-1)[cell].item()

    def _values(self, X: Any) -> NDArray[Any]:
        array = as_array(X)
        values = array.reshape(len(array), -1)
        expected = len(self.scales.centre)
        if values.shape[1] != expected:
            raise DataError(
                f"X has {values.shape[1]} features, but Autoencoder is expecting {expected} features "
                "as input."
            )
        return values


def encode_numbers(raw: NDArray[Any], scales: Scales, names: tuple[str | int, ...]) -> Encoded:
    """Numbers (n, m) of any dtype, NaN where missing, scaled; one cell a column."""
    quick = scales.encode_whole(raw)
    if quick is not None:
        return Encoded(np.ascontiguousarray(quick), None)
    values = raw.astype(np.float64)
    refuse_infinite(values, names)
    observed = ~np.isnan(values)
    x = np.nan_to_num(scales.encode(values), nan=0.0).astype(np.float32)
    return Encoded(np.ascontiguousarray(x), None if observed.all() else observed)


def no_folder(X: Any) -> Any:
    """X as it is; DataError for a folder of files, which no table is."""
    if isinstance(X, Folder):
        do = "Use a model that was fitted on such a folder"
        raise must("X", "be a table for this model", f"a folder of {X.KIND}", do)
    return X


def as_array(X: Any) -> NDArray[Any]:
    """X as an array of numbers of two or more dimensions, with at least one row and column, or one clear
    sentence.
    """
    if type(X) is np.ndarray and X.ndim >= 2 and X.size and X.dtype.kind in "biuf":
        return X
    if hasattr(X, "tocsr") or type(X).__module__.startswith("scipy.sparse"):
        raise TypeError("X must be dense; got a sparse matrix, which is not supported here. Use X.toarray().")
    if is_path(X) or isinstance(X, Folder):
        do = "Use inputs=Images() or inputs=Signals() for a folder"
        raise must("X", "be an array or a DataFrame for this model", "a place on the disk", do)
    array = np.asarray(X)
    if array.dtype.kind == "c":
        raise DataError(
            "X must be real; got complex numbers. Complex data not supported: use X.real and X.imag."
        )
    if array.ndim < 2:
        raise DataError(
            f"X must be 2-D (rows, columns); got a {array.ndim}-D array. Expected 2D array, got "
            f"{array.ndim}D array instead. Reshape your data: X.reshape(-1, 1) for one column, "
            "X.reshape(1, -1) for one row."
        )
    if len(array) == 0:
        raise DataError(
            f"Found array with 0 sample(s) (shape={array.shape}) while a minimum of 1 is required."
        )
    if array.size == 0:
        raise DataError(
            f"Found array with 0 feature(s) (shape={array.shape}) while a minimum of 1 is required."
        )
    return _numbers(array)


def _numbers(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind in "biuf":
        return array
    try:
        return array.astype(np.float64)
    except TypeError as error:
        raise TypeError(f"X must hold numbers: {error}. Convert or drop those cells.") from None
    except ValueError as error:
        raise DataError(f"X must hold numbers; {error}. Use a DataFrame for columns of text.") from None


def refuse_infinite(
    values: NDArray[Any], names: tuple[str | int, ...], greatest: float | None = None
) -> None:
    """Raise if any value is infinite, or beyond `greatest`, naming the column, the row and the value."""
    beyond = np.isinf(values) if greatest is None else np.abs(values) > greatest
    if not beyond.any():
        return
    row, column = np.argwhere(beyond)[0]
    raise DataError(
        f"Input X contains infinity or a value too large: column {brief(repr(names[column]))}, row {row}, "
        f"value {values[row, column]}. Replace it, or mark it missing with NaN."
    )


def columns_of(X: Any) -> int | None:
    """Columns of a table, numbers in one sample of an array; None of a folder and of a source of rows."""
    names = getattr(X, "columns", None)
    if names is not None:
        return len(names)
    shape = getattr(X, "shape", None)
    return None if shape is None else math.prod(shape[1:])
