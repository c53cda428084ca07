"""Curves: how training went."""

from __future__ import annotations

from typing import Any

from isthmus.figures.mosaics import axes_or_new
from isthmus.figures.told import fall, titled

__all__ = ["training_curve"]

BLUE, ORANGE = "#0072b2", "#d55e00"  # Okabe and Ito's, told apart by colour-blind readers


def training_curve(history: list[dict[str, float]], *, ax: Any = None, title: str | None = None) -> Any:
    """The objective by epoch, on the training rows and on the held-out rows where there are some."""
    ax = axes_or_new(ax)
    epochs = [row["epoch"] for row in history]
    ax.plot(epochs, [row["objective"] for row in history], color=BLUE, label="training rows")
    if "held_out_objective" in history[-1]:
        ax.plot(epochs, [row["held_out_objective"] for row in history], color=ORANGE, label="held-out rows")
    highest, lowest = max(row["objective"] for row in history), min(row["objective"] for row in history)
    ax.set_yscale("log" if highest > 20 * lowest > 0 else "linear")
    ax.set_ylim(bottom=None if ax.get_yscale() == "log" else 0)
    ax.set_xlabel("epoch")
    ax.set_ylabel("objective per row")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False)
    titled(ax, fall(history) if title is None else title)
    return ax
