"""Devices: where a training runs.

"auto" takes a CUDA device where there is one and the products are large enough to keep it busy; small tables
are faster on the processor. A fitted network stays where it was trained; saving and loading bring it back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.checks import must

if TYPE_CHECKING:
    import torch
else:
    from isthmus.lazily import torch

__all__ = ["chosen_device", "fast_in_bf16"]

BUSY = 16_000_000  # multiplications in one batch's largest product


def fast_in_bf16() -> bool:
    """Whether products in bfloat16 are faster here than in float32: by instructions of their own."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    known = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(known is not None and known())


def chosen_device(name: str, multiplications: int) -> torch.device:
    """The device called `name`; for "auto" by the size of a batch's largest product.

    Raises DataError for a device that is unknown, or not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() and multiplications >= BUSY else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError, TypeError):
        there = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        there += ["mps"] if torch.backends.mps.is_available() else []
        rule = f"be 'auto' or one of {', '.join(there)}"
        raise must("device", rule, name, "Use device='auto'") from None
    return device
