"""Auto: the reading a person would choose on seeing the data."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.inputs.arrays import as_array
from isthmus.inputs.base import Inputs, Schema
from isthmus.inputs.folders import Folder, is_path, open_folder
from isthmus.inputs.frames import is_frame
from isthmus.inputs.images import Images, Pictures
from isthmus.inputs.scaling import UnitRange
from isthmus.inputs.signals import Signals
from isthmus.inputs.sparse import Sparse, SparseSource, is_sparse
from isthmus.inputs.table import Table

__all__ = ["Auto"]

PIXELS = 64  # a uint8 array at least this wide is taken for pictures
CHANNELS = 16  # signals have at most so many channels
LONG = 4  # and at least so many times as many points in time


class Auto(Inputs):
    """A table, unless the data look like pictures or signals.

    DataFrames and 2-D arrays are tables: every column in its own scale; uint8 arrays of 64 columns or more
    are pixels, one range for all of them. 3-D arrays of floats, or of whole numbers of more than 8 bits, are
    signals (n, channels, time) where there are at most 16 channels and at least 4 times as many points in
    time; all other 3-D arrays are pictures (n, h, w), and 4-D arrays pictures (n, h, w, c). A path is a
    folder of pictures or of WAV files. scipy.sparse matrices are sparse rows. `notes_` says which;
    `Table(...)`, `Images(...)` or `Signals(...)` decides.
    """

    def open(self, X: Any) -> Any:
        """A path as the source of the pictures or recordings in it, a sparse matrix as blocks of rows."""
        return SparseSource(X) if is_sparse(X) else open_folder(X) if is_path(X) else X

    def fit(self, X: Any) -> Schema:
        """Learn the columns of X."""
        X = self.open(X)
        if isinstance(X, SparseSource) or is_sparse(X):
            return Sparse().fit(X)
        if isinstance(X, Folder):
            return (Images() if isinstance(X, Pictures) else Signals()).fit(X)
        if is_frame(X):
            return Table().fit(X)
        array = as_array(X)
        if array.ndim == 2:
            return _pixels(array) if array.dtype == np.uint8 and array.shape[1] >= PIXELS else Table().fit(X)
        if array.ndim > 4:
            return _pixels(array)
        signals = array.ndim == 3 and _like_signals(array)
        schema = (Signals() if signals else Images()).fit(array)
        other = (
            "inputs=Images() reads pictures (n, h, w)"
            if signals
            else "inputs=Signals() reads channels by time"
        )
        hint = f"{schema.notes[0]} {other}." if array.ndim == 3 else schema.notes[0]
        return dataclasses.replace(schema, notes=(hint, *schema.notes[1:]))


def _like_signals(array: NDArray[Any]) -> bool:
    channels, time = array.shape[1:]
    return (
        array.dtype.kind != "b"
        and array.dtype.itemsize > 1
        and channels <= CHANNELS
        and time >= LONG * channels
    )


def _pixels(array: NDArray[Any]) -> Schema:
    scaling = UnitRange(0, 255) if array.dtype == np.uint8 else UnitRange()
    schema = Table(scaling=scaling).fit(array)
    note = "Read as pixels: all values share one range. For a table of separate columns use inputs=Table()."
    return dataclasses.replace(schema, notes=(note, *schema.notes))
