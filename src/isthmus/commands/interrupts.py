"""Ctrl-C: noticed even where training catches it to keep the best model so far. What schedulers send before
they kill a process, SIGTERM, is taken for it.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
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
    """A list that is empty until Ctrl-C or SIGTERM, whoever catches the KeyboardInterrupt."""
    seen: list[bool] = []

    def notice(*_: object) -> None:
        seen.append(True)
        raise KeyboardInterrupt

    usual = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    ours = [n for n, handler in usual.items() if handler in (signal.default_int_handler, _terminated)]
    for number in ours:  # others are ignored, or another program's
        signal.signal(number, notice)
    try:
        yield seen
    finally:
        for number in ours:
            signal.signal(number, usual[number])


def heed_termination() -> None:
    """From now on SIGTERM is another Ctrl-C, where it is not somebody else's."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminated)


def _terminated(*_: object) -> None:
    raise KeyboardInterrupt
