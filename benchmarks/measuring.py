"""How everything here is measured: in turns, five times, as a median with its spread.

A shared machine is busy one minute and quiet the next, so contenders take turns and what is compared are the
ratios within a turn. Single-thread figures are CPU seconds, which a neighbour disturbs least. What a process
costs as a whole, imports and peak memory included, the system says when it ends (`wait4`). Results go to
standard output as Markdown, progress to standard error.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = [
    "REPEATS",
    "Outcome",
    "arguments",
    "in_turns",
    "process",
    "python",
    "ratios",
    "say",
    "spread",
    "table",
    "verdict",
]

REPEATS = 5


class Outcome(NamedTuple):
    """A process that has ended: what it printed, CPU and wall seconds, peak resident MB, exit status."""

    out: str
    error: str
    cpu: float
    wall: float
    megabytes: float
    status: int

    @property
    def why(self) -> str:
        """One line on why it failed; empty where it did not."""
        if self.status == 0:
            return ""
        if "ModuleNotFoundError" in self.error or "ImportError" in self.error:
            return "not installed"
        return self.error.strip().splitlines()[-1][:120] if self.error.strip() else f"status {self.status}"


def arguments(description: str | None) -> argparse.Namespace:
    """The options every script has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--small", action="store_true", help="tiny sizes, to see that the script works")
    return parser.parse_args()


def process(command: Sequence[str], threads: int = 1, limit: float = 1800) -> Outcome:
    """Run a command to its end, on so many threads for matrix products; killed after `limit` seconds."""
    count = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as error:
        start = time.perf_counter()
        running = subprocess.Popen(command, stdout=out, stderr=error, env={**os.environ, **count})
        peak, done = 0.0, 0
        while not done:
            peak = max(peak, _high_water(running.pid))
            if time.perf_counter() - start > limit:
                running.kill()
            time.sleep(0.02)
            done, status, usage = os.wait4(running.pid, os.WNOHANG)
        running.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
        out.seek(0)
        error.seek(0)
        cpu, unit = usage.ru_utime + usage.ru_stime, 1e6 if sys.platform == "darwin" else 1e3
        megabytes = peak or usage.ru_maxrss / unit
        return Outcome(out.read(), error.read(), cpu, wall, megabytes, running.returncode)


def _high_water(pid: int) -> float:
    """Most resident MB a process has had so far, 0 where the system does not say.

    What `wait4` reports is at least what the process that started it had: that is no figure of the child's.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(found[0]) / 1024 if found else 0.0


def python(code: str, threads: int = 1) -> Outcome:
    """Run some code in a fresh interpreter."""
    return process([sys.executable, "-c", code], threads)


def in_turns(
    work: Mapping[str, Callable[[], float]], repeats: int = REPEATS, warm: bool = True
) -> dict[str, list[float]]:
    """Call everything `repeats` times, each time in another order; one figure a call.

    warm: call everything once beforehand.
    """
    names = list(work)
    if warm:
        for name in names:
            work[name]()
    found: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(repeats):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            found[name].append(work[name]())
    return found


def ratios(over: Iterable[float], under: Iterable[float]) -> list[float]:
    """Turn by turn."""
    return [a / b for a, b in zip(over, under, strict=True)]


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median (smallest to largest)."""
    if not values:
        return "-"
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def verdict(value: float, bar: float, stretch: float | None = None, at_most: bool = False) -> str:
    """A value beside its bar, in words."""
    met = value <= bar if at_most else value >= bar
    word = "met" if met else "MISSED"
    if met and stretch is not None and value >= stretch:
        word = "stretch met"
    more = "" if stretch is None else f", stretch {stretch:g}"
    return f"{value:.3g} (bar {'at most' if at_most else 'at least'} {bar:g}{more}): {word}"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a Markdown table and an empty line."""
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")
    print(flush=True)


def say(text: str) -> None:
    """A line of progress."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)
