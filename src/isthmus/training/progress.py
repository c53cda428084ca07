"""The progress bar: epoch, loss, held-out loss, rows a second, time left.

Drawn on a terminal's standard error only, and only for runs that last over a second; silent everywhere else.
"""

from __future__ import annotations

import sys
import time
from typing import Any

__all__ = ["ProgressBar"]


class ProgressBar:
    """`shown`: True, False, or None for "when standard error is a terminal"."""

    def __init__(self, epochs: int, rows: int, shown: bool | None) -> None:
        self.epochs, self.rows = epochs, rows
        self.shown = sys.stderr.isatty() if shown is None else shown
        self.started = time.perf_counter()
        self.bar: Any = None

    def update(self, epoch: float, history: list[dict[str, float]]) -> None:
        """Redraw at `epoch` passes done, with the figures of the newest line of history."""
        if not self.shown:
            return
        seconds = time.perf_counter() - self.started
        if self.bar is None and seconds < 1.0:
            return
        record = history[-1]
        if self.bar is None:
            self._open()
        speed = f"{self.rows * epoch / seconds:,.0f} rows/s"
        held_out = record.get("held_out_objective")
        losses = f"loss {record.get('objective', float('nan')):.4g}"
        losses += "" if held_out is None else f"  held-out {held_out:.4g}"
        self.bar.update(self.task, completed=epoch, losses=losses, speed=speed)

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.bar = Progress(
            TextColumn("epoch {task.completed:.0f}/{task.total}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[losses]}"),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True),
            transient=True,
        )
        self.task = self.bar.add_task("", total=self.epochs, losses="", speed="")
        self.bar.start()

    def close(self) -> None:
        """Clear the line."""
        if self.bar is not None:
            self.bar.stop()
