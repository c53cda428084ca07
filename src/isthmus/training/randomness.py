"""Randomness is passed in: one integer seeds a local generator, and the global states stay as they were."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
else:
    from isthmus.lazily import torch

__all__ = ["isolated", "seed_from"]


def seed_from(random_state: Any) -> int:
    """An integer seed from None (fresh), an int, a numpy `RandomState` or a numpy `Generator`."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    return int(np.random.default_rng(random_state).integers(2**31 - 1))


@contextlib.contextmanager
def isolated(seed: int) -> Iterator[None]:
    """Seed torch's global generator for a block and put its state back: for modules that draw from it
    themselves.
    """
    with torch.random.fork_rng(devices=[]):
        if torch.cuda.is_available():
            torch.manual_seed(seed)
        else:  # the same, without a look at every kind of device, which costs half a millisecond
            torch.default_generator.manual_seed(seed)
        yield
