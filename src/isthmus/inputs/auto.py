"""Auto: the reading a person would choose on seeing the data."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from isthmus.inputs.arrays import as_array
from isthmus.inputs.base import Inputs, Schema
from isthmus.inputs.frames import is_frame
from isthmus.inputs.scaling import UnitRange
from isthmus.inputs.table import Table

__all__ = ["Auto"]

PIXELS = 64  # a uint8 array at least this wide is taken for pictures


class Auto(Inputs):
    """A table, unless the data look like pixels.

    DataFrames and 2-D arrays are tables: every column in its own scale. Arrays of more than two dimensions,
    and uint8 arrays of 64 columns or more, are pixels: one range for all of them. `notes_` says which;
    `Table(...)` decides.
    """

    def fit(self, X: Any) -> Schema:
        """Learn the columns of X."""
        if is_frame(X):
            return Table().fit(X)
        array = as_array(X)
        bytes_ = array.dtype == np.uint8
        if array.ndim == 2 and not (bytes_ and array.shape[1] >= PIXELS):
            return Table().fit(X)
        scaling = UnitRange(0, 255) if bytes_ else UnitRange()
        schema = Table(scaling=scaling).fit(array)
        note = (
            "Read as pixels: all values share one range. For a table of separate columns use inputs=Table()."
        )
        return dataclasses.replace(schema, notes=(note, *schema.notes))
