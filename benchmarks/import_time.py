"""What `import isthmus` costs beside `import torch`: CPU seconds of whole processes, Python's own start
taken off.

Each figure is the median of 5 runs after one that warms the disk.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys


def cpu_seconds(code: str) -> float:
    """User and system time of one fresh interpreter that runs `code`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def median(code: str, runs: int = 5) -> float:
    """Median over `runs`."""
    cpu_seconds(code)
    return statistics.median(cpu_seconds(code) for _ in range(runs))


def main() -> None:
    """Print the ratio."""
    start = median("pass")
    ours, torch = median("import isthmus") - start, median("import torch") - start
    print(
        f"import isthmus {ours:.3f} CPU-s, import torch {torch:.3f} CPU-s, ratio {ours / torch:.3f} (bar .15)"
    )


if __name__ == "__main__":
    main()
