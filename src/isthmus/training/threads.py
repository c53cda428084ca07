"""As many threads as the matrix products are worth, for the length of a block.

Small products lose more at the barriers between threads than they gain, and on a busy machine they lose it
many times over. The user's own setting comes back afterwards.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

__all__ = ["suitable_threads"]

SMALL = 4_000_000  # multiplications in one batch's largest product


@contextlib.contextmanager
def suitable_threads(multiplications: int) -> Iterator[None]:
    """One thread inside the block when its products are small."""
    before = torch.get_num_threads()
    if multiplications >= SMALL or before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
