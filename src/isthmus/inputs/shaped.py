"""Schemas of data whose samples have a shape, pictures and signals: arrays, folders and sources alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import DataError
from isthmus.inputs.arrays import as_array
from isthmus.inputs.base import Schema
from isthmus.inputs.folders import Folder, blocks_of
from isthmus.inputs.scaling import Scales
from isthmus.inputs.source import Source

__all__ = ["ShapedSchema", "spoken"]


class ShapedSchema(Schema):
    """Samples of one shape and one dtype; cells go by number."""

    shape: tuple[int, ...]
    dtype: str
    scales: Scales

    KIND: ClassVar[str] = "samples"  # what the message about another shape calls them

    @property
    def names(self) -> tuple[str | int, ...]:
        """Cells by number, the last dimension innermost."""
        return tuple(range(self.layout.width))

    @property
    def named(self) -> bool:
        """Never."""
        return False

    def value(self, X: Any, row: int, cell: int) -> Any:
        """One value of one sample."""
        return np.concatenate(list(self._blocks(X)))[row].reshape(-1)[cell].item()

    def _blocks(self, X: Any) -> Iterator[NDArray[Any]]:
        """X in blocks (n, *shape)."""
        X = self.source(X)
        if isinstance(X, Folder):
            return X.blocks()
        if isinstance(X, Source):
            return (self._arranged(block) for block in X.blocks())
        return blocks_of(self._arranged(as_array(X)))

    def _arranged(self, array: NDArray[Any]) -> NDArray[Any]:
        """An array as (n, *shape)."""
        if array.ndim == 2 and array.shape[1] == self.layout.width:
            return array.reshape(len(array), *self.shape)
        if array.shape[1:] == self.shape:
            return array
        made = self._made_to_fit(array)
        if made is not None:
            return made
        features = int(np.prod(array.shape[1:]))
        raise DataError(
            f"X has {features} features, but Autoencoder is expecting {self.layout.width} features as input: "
            f"{self.KIND} of {spoken(self.shape)}; got {spoken(array.shape[1:])}."
        )

    def _made_to_fit(self, array: NDArray[Any]) -> NDArray[Any] | None:
        """Samples of another shape cut or scaled to this one, where that is allowed."""
        raise NotImplementedError


def spoken(shape: tuple[int, ...]) -> str:
    """(28, 28) as "28 x 28"."""
    return " x ".join(str(size) for size in shape)
