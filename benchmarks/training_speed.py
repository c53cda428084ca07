"""Training throughput beside the peers: rows per second of the net d-256-64-16-64-256-d, on 30 columns.

Warm: a second fit in the process, everything inside `fit` counted. On one thread rows per CPU-second, on two
rows per second of the clock. Every figure is of a fresh process, contenders in turns; `contenders.py` says
what each does. "PyOD" has the same net as everyone; as it comes it adds batch normalisation and dropout.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from contenders import CONTENDERS, Job, run
from measuring import REPEATS, arguments, ratios, say, spread, table, verdict

JOBS = (
    Job(2_000, 30, 128, 20),
    Job(100_000, 30, 128, 1),
    Job(100_000, 30, 1024, 3),
)
SMALL = (Job(512, 30, 128, 2),)
OURS = [name for name in CONTENDERS if name.startswith("isthmus")]


def measured(job: Job, threads: int, repeats: int) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Rows per second by contender and turn; what else there is to say of each, peak memory or why not."""
    names = [name for name in CONTENDERS if "bf16" not in name or job.columns > 64]
    speeds: dict[str, list[float]] = {name: [] for name in names}
    remarks: dict[str, str] = {}
    failed: set[str] = set()
    for turn in range(repeats):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            if name in failed:
                continue
            found, ended = run(name, job, threads=threads)
            remarks[name] = ended.why or f"{ended.megabytes:,.0f} MB"
            if ended.status:
                failed.add(name)
                say(f"{name}: {ended.why}")
                continue
            if found["loop"]:
                remarks[name] += f"; {1 - found['loop'] / found['wall']:.0%} of its fit before the first step"
            speeds[name].append(found["rows"] / found["cpu" if threads == 1 else "wall"])
            say(f"{job.rows:,} x {job.columns}, B={job.batch}, {name}: {speeds[name][-1]:,.0f} rows/s")
    return {name: values for name, values in speeds.items() if name not in failed}, remarks


def report(job: Job, threads: int, speeds: dict[str, list[float]], remarks: dict[str, str]) -> None:
    """One table, and the bars below it."""
    unit = "CPU-second" if threads == 1 else "second"
    print(f"### {job.rows:,} x {job.columns}, batch {job.batch}, {threads} thread{'s' * (threads > 1)}\n")
    first = speeds.get("isthmus")
    lines: list[tuple[str, ...]] = []
    for name, remark in remarks.items():
        if name not in speeds:
            lines.append((name, remark, "", ""))
            continue
        times = spread(ratios(first, speeds[name])) if first else ""
        lines.append((name, spread(speeds[name], 0), times, remark))
    table(["", f"rows per {unit}", "isthmus is so many times as fast", "peak memory"], lines)
    if first:
        bars(job, speeds)


def bars(job: Job, speeds: dict[str, list[float]]) -> None:
    """What was aimed at, and whether it was reached."""

    def ahead(mine: str, theirs: str) -> float:
        return statistics.median(ratios(speeds[mine], speeds[theirs]))

    peers = {name: ahead("isthmus", name) for name in speeds if name not in OURS}
    if peers:
        best = min(peers, key=lambda name: peers[name])  # turn by turn: the machine's pace changes
        print(f"- beside the best peer, {best}:", verdict(peers[best], 1.0, 1.5))
    if "PyOD" in speeds:
        goals: tuple[Any, ...] = (2.5, 5.0) if job.columns <= 64 else (1.25,)
        print("- beside PyOD:", verdict(ahead("isthmus", "PyOD"), *goals))
        if "isthmus, bf16" in speeds:
            print("- in bf16 beside PyOD:", verdict(ahead("isthmus, bf16", "PyOD"), 2.5))
    print(flush=True)


def compare(description: str | None, jobs: Sequence[Job], small_jobs: Sequence[Job], threads: int) -> None:
    """A table for every job."""
    small = arguments(description).small
    for job in small_jobs if small else jobs:
        report(job, threads, *measured(job, threads, 2 if small else REPEATS))


def main() -> None:
    """One thread."""
    compare(__doc__, JOBS, SMALL, threads=1)


if __name__ == "__main__":
    main()
