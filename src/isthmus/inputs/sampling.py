"""Sampling: what a schema can learn from a source, and how a source is encoded.

Scales, levels and ranges are learned from rows drawn at random from blocks drawn at random: at most 200,000
rows and 8 million numbers' worth of memory, from at least 64 blocks where there are so many. The standard
error of a mean on 200,000 rows is a four-hundredth of a standard deviation; what is rarer than one row in
some thousands may be missed, so a schema learned on a part says so in its notes. A source that fits is read
whole, and then the schema is the one its rows give in memory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import DataError
from isthmus.inputs.base import Encoded, Inputs, Schema
from isthmus.inputs.disk import as_source
from isthmus.inputs.folders import Folder
from isthmus.inputs.frames import stacked
from isthmus.inputs.source import Source, rows_of
from isthmus.inputs.sparse import SparseSource

__all__ = ["RunningMean", "encoded", "learned", "sample"]

ROWS = 200_000
MEMORY = 64 << 20
SPREAD = 64  # blocks a sample comes from, at least


def learned(inputs: Inputs, X: Any, seed: int) -> Schema:
    """The schema of X; of a Source, that of a sample of its rows; a folder's files and a sparse matrix are
    looked at whole.
    """
    if not isinstance(X, Source) or isinstance(X, (Folder, SparseSource)):
        return inputs.fit(X)
    rows, numbers = sample(X, seed)
    schema = inputs.fit(rows)
    if len(numbers) == len(X):
        return schema
    note = f"Columns were learned on {len(numbers):,} of {len(X):,} rows, drawn at random."
    return dataclasses.replace(schema, notes=(*schema.notes, note))


def sample(
    source: Source, seed: int, rows: int = ROWS, memory: int = MEMORY
) -> tuple[Any, NDArray[np.int64]]:
    """Rows of a source in order, and their numbers (n,); all rows where they are few enough."""
    rng = np.random.default_rng(seed)
    limit = min(rows, max(1, memory // _bytes_of_a_row(source.read(0))))
    quota = len(source) if limit >= len(source) else -(-limit // min(SPREAD, len(source.sizes)))
    starts = np.cumsum(source.sizes) - source.sizes
    found, numbers, left = [], [], limit
    for block in _some(source, rng, limit, quota):
        X = source.read(block)
        which = np.sort(rng.permutation(len(X))[: min(quota, left)])
        found.append(rows_of(X, which))
        numbers.append(starts[block] + which)
        left -= len(which)
    return stacked(found), np.concatenate(numbers)


def _some(source: Source, rng: np.random.Generator, limit: int, quota: int) -> list[int]:
    """Random blocks, in order, that give `limit` rows when each gives at most `quota`."""
    chosen = rng.permutation(len(source.sizes))
    given = np.cumsum(np.minimum(np.asarray(source.sizes)[chosen], quota))
    enough = int(np.searchsorted(given, limit)) + 1
    return sorted(int(block) for block in chosen[:enough])


def _bytes_of_a_row(X: Any) -> int:
    """Memory of one row, its numbers counted as float64."""
    if hasattr(X, "memory_usage"):
        whole = int(X.memory_usage(index=False, deep=True).sum())
    elif hasattr(X, "estimated_size"):
        whole = int(X.estimated_size())
    else:
        whole = 0
    columns = int(np.prod(X.shape[1:]))
    return max(1, whole // max(1, len(X)), 8 * columns)


def encoded(schema: Schema, X: Any) -> Iterator[Encoded]:
    """X as float32 features: block by block for a Source or a memory map, at once otherwise."""
    if type(X) is np.ndarray:
        yield schema.encode(X)
        return
    source = as_source(schema.source(X))
    if not isinstance(source, Source):
        yield schema.encode(X)
        return
    start = 0
    for size, block in zip(source.sizes, source.blocks(), strict=True):
        try:
            yield schema.encode(block)
        except DataError as error:
            raise DataError(f"{error} (Rows are counted from row {start:,} of X on.)") from None
        start += size


class RunningMean:
    """The mean of all values that are not missing, block by block."""

    def __init__(self) -> None:
        self.total, self.count = 0.0, 0

    def add(self, values: Any) -> None:
        """Take in an array or a frame of numbers with NaN."""
        array = np.asarray(values)
        self.total += float(np.nansum(array, dtype=np.float64))
        self.count += int((~np.isnan(array)).sum())

    @property
    def value(self) -> float:
        """The mean so far; NaN before the first value."""
        return self.total / self.count if self.count else float("nan")
