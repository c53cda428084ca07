"""Segments: large arrays are worked on in runs of rows, several at a time where there are threads for it.

Where the runs begin depends on the array's shape alone, never on the number of threads, so that what is made
of them - a sum, a digest - has the same bits on every machine.

>>> segments(5, 2, size=4)
[slice(0, 2, None), slice(2, 4, None), slice(4, 6, None)]
>>> each(lambda rows: rows.start, segments(5, 2, size=4))
[0, 2, 4]
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["each", "segments", "threads"]

SIZE = 2**21  # numbers in a segment
Made = TypeVar("Made")


def segments(rows: int, width: int, size: int = SIZE) -> list[slice]:
    """Runs of rows with `size` numbers each, one row at least; the last may reach beyond the end."""
    step = max(1, size // max(1, width))
    return [slice(start, start + step) for start in range(0, rows, step)]


def each(function: Callable[[slice], Made], runs: Sequence[slice]) -> list[Made]:
    """What a function makes of every run, in order. It should leave Python to numpy nearly all the time."""
    several = min(len(runs), threads()) if len(runs) > 1 else 1
    if several == 1:
        return [function(run) for run in runs]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(several) as pool:
        return list(pool.map(function, runs))


def threads() -> int:
    """As many as torch takes for its products, or would once it is imported."""
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_num_threads"):
        return int(torch.get_num_threads())
    told = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if told.isdecimal() and int(told):
        return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
