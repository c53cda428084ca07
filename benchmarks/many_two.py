"""Many models as one program as in `many.py`, on two threads.

Seconds of the clock: both cores must be free, or the figures say nothing. Products as small as these are made
on one thread each; what a second thread can do is train half of the models, where these are enough to be
worth it. The bars are those of one thread.
"""

from __future__ import annotations

from many import compare


def main() -> None:
    """Two threads."""
    compare(__doc__, threads=2)


if __name__ == "__main__":
    main()
