"""Training throughput as in `training_speed.py`, on two threads.

Rows per second of the clock: both cores must be free, or the figures say nothing.
"""

from __future__ import annotations

from training_speed import JOBS, SMALL, compare


def main() -> None:
    """Two threads."""
    compare(__doc__, JOBS, SMALL, threads=2)


if __name__ == "__main__":
    main()
