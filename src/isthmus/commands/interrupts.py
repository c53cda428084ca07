"""Ctrl-C: noticed even where training catches it to keep the best model so far. What schedulers send before
they kill a process, SIGTERM, is taken for it.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = ["StoppedError", "heed_termination", "is_untrained", "nothing_learned", "noticing_interrupts"]


class StoppedError(Exception):
    """Ctrl-C before there was anything to keep."""


def nothing_learned(output: Path) -> StoppedError:
    """The end of a fit that came too early."""
    left = "unchanged" if output.exists() else "not written"
    return StoppedError(f"interrupted before anything was learned; {output} is {left}")


def is_untrained(model: Any) -> bool:
    """Whether no look of its training has found anything better than the start."""
    return not model.history_rows_ or 0 in (model.kept_epoch_, model.history_rows_[-1]["epoch"])


@contextmanager
def noticing_interrupts() -> Iterator[list[bool]]:
    """A list that is empty until Ctrl-C, whoever catches the KeyboardInterrupt."""
    seen: list[bool] = []

    def notice(*_: object) -> None:
        seen.append(True)
        raise KeyboardInterrupt

    usual = signal.getsignal(signal.SIGINT)
    if usual is not signal.default_int_handler:  # ignored, or another program's
        yield seen
        return
    signal.signal(signal.SIGINT, notice)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, usual)


def heed_termination() -> None:
    """From now on SIGTERM is another Ctrl-C, where that is heard and SIGTERM is nobody else's."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        handler = signal.getsignal(signal.SIGINT)
        if callable(handler):
            handler(number, frame)

    heard = callable(signal.getsignal(signal.SIGINT))
    if heard and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, interrupt)
