"""Cells: what gaps of a table were filled with, between their ends, beside what stood there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.figures.style import COLOURS, axes_or_new, finished, ink

__all__ = ["filled_cells"]


def filled_cells(
    cells: Any, truth: NDArray[Any], *, name: str = "value", ax: Any = None, title: str | None = None
) -> Any:
    """Fills of one column over what was hidden there, (n,), each with its interval; orange ones miss it.

    `cells` are the lines of `Imputer.intervals` of that column, in the order of `truth`.
    """
    true = np.asarray(truth, float)
    value, lower, upper = (np.asarray(cells[part], float) for part in ("value", "lower", "upper"))
    inside = (lower <= true) & (true <= upper)
    ax = axes_or_new(ax, 5.0, 4.2)
    ends = np.array([min(true.min(), value.min()), max(true.max(), value.max())])
    ax.plot(ends, ends, color=ink(), linewidth=0.8, linestyle=":", label="right")
    for here, colour, label in ((inside, COLOURS[0], "inside"), (~inside, COLOURS[1], "outside")):
        ax.vlines(true[here], lower[here], upper[here], color=colour, linewidth=1, alpha=0.5)
        ax.plot(true[here], value[here], "o", color=colour, markersize=3.5, label=f"{label} its interval")
    ax.set_xlabel(f"{name}, hidden")
    ax.set_ylabel(f"{name}, filled in")
    found = f"{inside.sum()} of {len(true)} hidden values lie inside their intervals"
    return finished(ax, found if title is None else title, legend=True)
