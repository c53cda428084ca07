"""As many threads as the matrix products are worth, for the length of a block.

Small products lose more at the barriers between threads than they gain, and on a busy machine they lose it
many times over. numpy's products have threads of their own, and those of two libraries wait for each other's
work by spinning: where one thread is enough for training, both get one. The user's own settings come back
afterwards.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    import torch
else:
    from isthmus.lazily import torch

__all__ = ["one_thread", "single_thread", "suitable_threads"]

SMALL = 4_000_000  # multiplications in one batch's largest product, of one model where there are several


@contextlib.contextmanager
def suitable_threads(multiplications: int) -> Iterator[None]:
    """One thread inside the block, numpy's included, when its products are small or torch has only one."""
    if multiplications >= SMALL and not single_thread():
        yield
        return
    with one_thread(), NUMPYS:
        yield


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """One thread of torch's inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def single_thread() -> bool:
    """Whether products run on one thread here, so that numpy's may stand beside torch's."""
    return torch.get_num_threads() == 1


class _Numpys:
    """One thread for numpy's products while anybody is inside: the number is that of the whole process."""

    limit: Any = None

    def __init__(self) -> None:
        self.lock, self.inside = threading.Lock(), 0

    def __enter__(self) -> None:
        with self.lock:
            if self.inside == 0:
                self.limit = _pools().limit(limits=1, user_api="blas")
            self.inside += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                self.limit.restore_original_limits()


NUMPYS = _Numpys()


@cache
def _pools() -> Any:
    """The libraries that are loaded; to look for them takes milliseconds."""
    return ThreadpoolController()
