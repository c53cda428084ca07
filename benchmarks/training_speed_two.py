"""Training throughput as in `training_speed.py` and `training_speed_wide.py`, on two threads.

Rows per second of the clock: both cores must be free, or the figures say nothing.
"""

from __future__ import annotations

import training_speed
import training_speed_wide


def main() -> None:
    """Two threads."""
    jobs = (*training_speed.JOBS, *training_speed_wide.JOBS)
    small = (*training_speed.SMALL, *training_speed_wide.SMALL)
    training_speed.compare(__doc__, jobs, small, threads=2)


if __name__ == "__main__":
    main()
