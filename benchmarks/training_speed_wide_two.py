"""Training throughput as in `training_speed_wide.py`, on two threads.

Rows per second of the clock: both cores must be free, or the figures say nothing.
"""

from __future__ import annotations

from training_speed_wide import compare_wide


def main() -> None:
    """Two threads."""
    compare_wide(__doc__, threads=2)


if __name__ == "__main__":
    main()
