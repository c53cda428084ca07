"""A bar for work block by block, on a terminal's standard error and only for what lasts over a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from isthmus.inputs import Source

__all__ = ["shown_blocks", "shown_source"]


def shown_blocks(X: Any) -> Iterator[Any]:
    """The blocks of a Source, or X itself as the only one, with a bar that counts rows."""
    if not isinstance(X, Source):
        yield X
        return
    bar, started, done = None, time.perf_counter(), 0
    try:
        for size, block in zip(X.sizes, X.blocks(), strict=True):
            yield block
            done += size
            if bar is None and sys.stderr.isatty() and time.perf_counter() - started > 1.0:
                bar = _open(len(X))
            if bar is not None:
                bar.update(bar.task_ids[0], completed=done)
    finally:
        if bar is not None:
            bar.stop()


def shown_source(X: Any) -> Any:
    """A Source whose reading is shown by a bar that counts rows; anything else as it is."""
    return _Shown(X) if isinstance(X, Source) and sys.stderr.isatty() else X


class _Shown(Source):
    """A source that tells how far its reader is, from its first block to its last."""

    def __init__(self, inner: Source) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @property
    def sizes(self) -> Sequence[int]:
        return self.inner.sizes

    def read(self, block: int) -> Any:
        return self.inner.read(block)

    def blocks(self) -> Iterator[Any]:
        return shown_blocks(self.inner)


def _open(rows: int) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.completed:,.0f} of {task.total:,} rows"),
        BarColumn(bar_width=24),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
    )
    bar.add_task("", total=rows)
    bar.start()
    return bar
