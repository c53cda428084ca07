"""The contract of inputs: how X becomes numbers and comes back.

`Inputs.fit(X)` looks at the data once and gives a `Schema`: frozen, complete, writable as JSON. The schema
encodes any X of the same columns into float32 features and decodes features into data of the kind that was
fitted.

In encoded data 0 (for a category: all zeros) always means "not observed"; `observed` says which cells are
not.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.parts import Layout, Part, Record

__all__ = ["Encoded", "Inputs", "Schema"]


class Encoded(NamedTuple):
    """x (n, d) float32; observed (n, cells) of booleans, or None where nothing is missing."""

    x: NDArray[np.float32]
    observed: NDArray[np.bool_] | None


class Schema(Record):
    """What was learned about the columns of X."""

    notes: tuple[str, ...] = dataclasses.field(default=(), kw_only=True)

    @property
    def names(self) -> tuple[str | int, ...]:
        """Columns of X in the order of fitting."""
        raise NotImplementedError

    @property
    def named(self) -> bool:
        """Whether X had column names."""
        raise NotImplementedError

    @property
    def layout(self) -> Layout:
        """What the features of x mean."""
        raise NotImplementedError

    def source(self, X: Any) -> Any:
        """X itself; where X is a folder, or a path to one, its rows as this schema reads them."""
        return X

    def encode(self, X: Any) -> Encoded:
        """X as float32 features; raises DataError when its columns are not those that were fitted."""
        raise NotImplementedError

    def decode(self, x_hat: NDArray[np.float32], like: Any = None) -> Any:
        """Features (n, d) as data of the fitted kind; `like` lends its index and the order of its columns."""
        raise NotImplementedError

    def value(self, X: Any, row: int, cell: int) -> Any:
        """The user's own value of one cell, for messages."""
        raise NotImplementedError


class Inputs(Part):
    """Reads one kind of data."""

    def fit(self, X: Any) -> Schema:
        """Learn the columns of X."""
        raise NotImplementedError(f"{type(self).__name__} must define fit")

    def open(self, X: Any) -> Any:
        """X itself, or the source of rows that a path stands for; so that files are looked at once."""
        return X

    def __call__(self, X: Any) -> Schema:
        """The same as `fit`."""
        return self.fit(X)
