"""Training throughput as in `training_speed_wide.py`, on two threads.

Rows per second of the clock: both cores must be free, or the figures say nothing.
"""

from __future__ import annotations

from training_speed import compare
from training_speed_wide import JOBS, SMALL


def main() -> None:
    """Two threads."""
    compare(__doc__, JOBS, SMALL, threads=2)


if __name__ == "__main__":
    main()
