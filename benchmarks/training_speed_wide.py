"""Training throughput as in `training_speed.py`, on MNIST's 784 columns (made up where it is not found)."""

from __future__ import annotations

from contenders import Job
from datasets import mnist
from training_speed import compare

JOBS = (Job(60_000, 784, 128, 2), Job(60_000, 784, 1024, 3))
SMALL = (Job(512, 784, 128, 1),)


def compare_wide(description: str | None, threads: int) -> None:
    """A table for every job, and whether the rows are MNIST's."""
    if mnist() is None:
        print("The 784 columns are made up.\n")
    compare(description, JOBS, SMALL, threads)


def main() -> None:
    """One thread."""
    compare_wide(__doc__, threads=1)


if __name__ == "__main__":
    main()
