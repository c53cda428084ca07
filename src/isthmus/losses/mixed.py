"""The deviance of mixed columns, of arrays; `Deviance` says what is computed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.parts import Cell, Layout

__all__ = ["Mixed", "mixed_of"]

Array = NDArray[Any]


class Mixed:
    """The cells of a layout by kind: numbers of features and of cells.

    levels: (groups, longest), padded where `padding` is True.
    """

    def __init__(self, layout: Layout) -> None:
        self.width = len(layout.cells)
        self.widths = [cell.width for cell in layout.cells]
        self.numeric, self.numeric_cells = _firsts(layout, "numeric")
        self.binary, self.binary_cells = _firsts(layout, "binary")
        starts, self.categorical_cells = _firsts(layout, "categorical")
        widths = np.array([layout.cells[i].width for i in self.categorical_cells], np.int64)
        offsets = np.arange(widths.max(initial=0))
        self.padding = offsets >= widths[:, None]
        self.levels = np.where(self.padding, starts[:, None], starts[:, None] + offsets)
        self.level = self.levels[~self.padding]

    def errors(self, x: Array, output: Array) -> Array:
        """Twice the negative log-likelihood of each cell: (n, cells)."""
        found = np.empty((len(x), self.width), x.dtype)
        if len(self.numeric):
            found[:, self.numeric_cells] = np.square(x[:, self.numeric] - output[:, self.numeric])
        if len(self.binary):
            product = x[:, self.binary] * output[:, self.binary]
            found[:, self.binary_cells] = 2 * np.logaddexp(0, -product, dtype=x.dtype)
        if len(self.level):
            logits, chosen = self._logits(output), (x * output)[:, self.levels]
            most = logits.max(2)
            total = np.log(np.exp(logits - most[:, :, None]).sum(2)) + most
            found[:, self.categorical_cells] = 2 * (total - np.where(self.padding, 0, chosen).sum(2))
        return found

    def gradient(self, x: Array, output: Array, observed: Array | None, scale: float) -> Array:
        """Of `scale` times their sum, by the output: (n, d)."""
        wrong = output - x
        if len(self.binary):
            answers = x[:, self.binary]
            wrong[:, self.binary] = 0.5 * answers * (np.tanh(0.5 * answers * output[:, self.binary]) - 1)
        if len(self.level):
            wrong[:, self.level] = self._chances(output) - x[:, self.level]
        if observed is not None:
            wrong *= np.repeat(observed, self.widths, axis=1)
        wrong *= 2 * scale
        return wrong

    def link(self, output: Array) -> Array:
        """x_hat (n, d)."""
        x_hat = output.copy()
        x_hat[:, self.binary] = np.tanh(output[:, self.binary] / 2)
        if len(self.level):
            x_hat[:, self.level] = self._chances(output)
        return x_hat

    def _logits(self, output: Array) -> Array:
        """(n, groups, longest)."""
        return np.where(self.padding, output.dtype.type(-np.inf), output[:, self.levels])

    def _chances(self, output: Array) -> Array:
        """Probabilities of all levels, (n, levels)."""
        logits = self._logits(output)
        parts = np.exp(logits - logits.max(2, keepdims=True))
        parts /= parts.sum(2, keepdims=True)
        found: Array = parts[:, ~self.padding]
        return found


def _firsts(layout: Layout, kind: str) -> tuple[Array, Array]:
    """First features and numbers of the cells of a kind."""
    cells: list[tuple[int, Cell]] = [(i, c) for i, c in enumerate(layout.cells) if c.kind == kind]
    return tuple(np.array(some, np.int64) for some in ([c.start for _, c in cells], [i for i, _ in cells]))  # type: ignore[return-value]


def mixed_of(layout: Layout) -> Mixed:
    """The layout's cells by kind; built once and kept on the layout."""
    if "_mixed" not in layout.__dict__:
        layout.__dict__["_mixed"] = Mixed(layout)
    found: Mixed = layout.__dict__["_mixed"]
    return found
