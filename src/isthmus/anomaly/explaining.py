"""Explanations: repairs as a tidy table, one line a cell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from isthmus.anomaly.conformal import Calibration
from isthmus.anomaly.panel import Panel
from isthmus.anomaly.repair import repair
from isthmus.inputs import as_frame_like, rows_of

__all__ = ["explained", "replacements"]

COLUMNS = ("row", "column", "value", "contribution", "replacement", "p_value", "p_value_after")


def explained(panel: Panel, calibration: Calibration, X: Any, which: Iterable[int], ordinary: float) -> Any:
    """A DataFrame with a line for every cell of the rows `which` of X, largest contribution first.

    row is the label of the row in X's index, or its number; p_value_after that of the row with every
    replacement in its place.
    """
    lines: list[tuple[Any, ...]] = []
    for number in which:
        row = rows_of(X, [number])
        found = repair(panel, row, ordinary)
        label = X.index[number] if hasattr(X, "index") and hasattr(X, "iloc") else number
        before, after = map(float, calibration.p_values([found.before, found.after]))
        for cell in np.argsort(-np.abs(found.contributions), kind="stable").tolist():
            name, contribution = panel.names[cell], float(found.contributions[cell])
            new = _value(found.row, name, cell) if cell in found.cells else None
            lines.append((label, name, _value(row, name, cell), contribution, new, before, after))
    columns = zip(*lines, strict=True) if lines else ([] for _ in COLUMNS)
    return as_frame_like(None, dict(zip(COLUMNS, map(list, columns), strict=True)))


def replacements(panel: Panel, row: Any, ordinary: float) -> list[tuple[Any, Any, Any]]:
    """Column, value and replacement of cells that make a row (X with one row) ordinary; or none."""
    found = repair(panel, row, ordinary)
    if found.after > ordinary:
        return []
    names = panel.names
    return [(names[c], _value(row, names[c], c), _value(found.row, names[c], c)) for c in found.cells]


def _value(row: Any, name: Any, cell: int) -> Any:
    """The value of one cell of X with one row."""
    if hasattr(row, "columns"):
        return row[name if name in row.columns else row.columns[cell]].to_list()[0]
    return np.asarray(row).reshape(-1)[cell].item()
