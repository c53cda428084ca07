"""Units: the KL penalty, which units are on for which rows, the rows a unit answers to most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.figures.style import COLOURS, axes_or_new, finished, ink
from isthmus.figures.told import strongest, titled
from isthmus.wording import counted

__all__ = ["activations", "kl_penalty", "top_rows"]

Array = NDArray[Any]


def kl_penalty(rhos: Sequence[float] = (0.05, 0.2, 0.5), *, ax: Any = None, title: str | None = None) -> Any:
    """KL(rho, rho_hat) over the mean activation rho_hat, for each rho: zero there, steep towards 0 and 1."""
    ax = axes_or_new(ax, 5.0, 3.4)
    seen = np.linspace(0.002, 0.998, 500)
    for rho, colour in zip(rhos, COLOURS, strict=False):
        value = rho * np.log(rho / seen) + (1 - rho) * np.log((1 - rho) / (1 - seen))
        ax.plot(seen, value, color=colour, linewidth=1.8, label=f"rho = {rho:g}")
        ax.plot([rho], [0], "o", color=colour, markersize=5, clip_on=False)
    ax.set_ylim(0, 2.5)
    ax.set_xlim(0, 1)
    ax.set_xlabel("mean activation of a unit over rows, rho_hat")
    ax.set_ylabel("penalty a unit, nats")
    found = "A unit pays nothing at rho, and more and more on either side"
    return finished(ax, found if title is None else title, legend=True)


def activations(
    z: Array, *, names: Sequence[Any] | None = None, ax: Any = None, title: str | None = None
) -> Any:
    """Codes (n, k) of a few rows as a picture, one row a line: which units are on.

    The title, where none is given, says how many different units are the strongest of some row.
    """
    z = np.asarray(z, float)
    ax = axes_or_new(ax, 6.0, 0.5 + 0.22 * len(z))
    one_sided = z.min() >= 0
    limit = float(np.abs(z).max()) or 1.0
    shown = {"cmap": "viridis", "vmin": 0} if one_sided else {"cmap": "RdBu_r", "vmin": -limit}
    image = ax.imshow(z, aspect="auto", interpolation="nearest", vmax=limit, **shown)
    ax.figure.colorbar(image, ax=ax, pad=0.01, fraction=0.03)
    labels = range(len(z)) if names is None else names
    ax.set_yticks(range(len(z)), [str(label) for label in labels], fontsize="small")
    ax.tick_params(length=0)
    ax.set_xlabel("unit")
    ax.set_ylabel("row")
    used = len(np.unique(np.abs(z).argmax(1)))
    found = f"{counted(len(z), 'row')}, {counted(used, 'different unit')} strongest"
    return finished(ax, found if title is None else title)


def top_rows(
    cells: Sequence[Sequence[Any]],
    columns: Sequence[Any],
    *,
    values: Sequence[float] | None = None,
    ax: Any = None,
    title: str | None = None,
) -> Any:
    """The rows of a table a unit answers to most, as a table: cells (n, m) as text or numbers.

    `values` (n,) are the unit's activations; the first column shows them.
    """
    shown = [[_text(cell) for cell in row] for row in cells]
    heads = [_text(str(name), 10) for name in columns]
    if values is not None:
        heads = ["unit", *heads]
        shown = [[f"{value:.2f}", *row] for value, row in zip(values, shown, strict=True)]
    ax = axes_or_new(ax, min(10.0, 0.95 * len(heads) + 0.3), 0.28 * (len(shown) + 1) + 0.5)
    ax.set_axis_off()
    ax.set_xlim(0, len(heads))
    ax.set_ylim(len(shown) + 0.5, -0.5)
    if values is not None:
        top = max(float(np.max(np.abs(values))), 1e-12)
        for i, value in enumerate(values):
            ax.barh(i + 1, 0.9 * abs(value) / top, height=0.8, color=COLOURS[5], alpha=0.5)
    for j, head in enumerate(heads):
        ax.text(j + 0.05, 0, head, weight="bold", va="center", fontsize="small")
        for i, row in enumerate(shown):
            ax.text(j + 0.05, i + 1, row[j], va="center", fontsize="small")
    ax.axhline(0.5, color=ink(), linewidth=0.8)
    titled(ax, strongest(values) if title is None else title)
    return ax


def _text(value: Any, most: int = 12) -> str:
    """A cell as it fits a table."""
    if isinstance(value, (float, np.floating)):
        return "" if np.isnan(value) else f"{value:.4g}"
    text = "" if value is None else str(value)
    return text if len(text) <= most else text[: most - 1] + "…"
