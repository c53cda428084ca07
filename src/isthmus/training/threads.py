"""As many threads as the matrix products are worth, for the length of a block.

Small products lose more at the barriers between threads than they gain, and on a busy machine they lose it
many times over. numpy's products have threads of their own, and those of two libraries wait for each other's
work by spinning: where one thread is enough, both get one. The user's own settings come back afterwards.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from threadpoolctl import threadpool_limits

__all__ = ["single_thread", "suitable_threads"]

SMALL = 4_000_000  # multiplications in one batch's largest product


@contextlib.contextmanager
def suitable_threads(multiplications: int) -> Iterator[None]:
    """One thread inside the block when its products are small, or torch has only one."""
    before = torch.get_num_threads()
    if multiplications >= SMALL and before > 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1, "blas"):
            yield
    finally:
        torch.set_num_threads(before)


def single_thread() -> bool:
    """Whether products run on one thread here, so that numpy's may stand beside torch's."""
    return torch.get_num_threads() == 1
