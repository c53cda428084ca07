"""Log distortion: errors in decibels, for signals that are loud and quiet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.checks import need
from isthmus.losses.base import Loss, summed
from isthmus.parts import Layout

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    from isthmus.lazily import torch

__all__ = ["LogDistortion"]


class LogDistortion(Loss):
    """How far a row is from its target in decibels, not in units: for signals that are loud and quiet.

    log(1 + norm(x - x_hat)^2 / (floor * norm(x)^2)), shared among the cells as their squared errors are.
    A row that is twice as loud counts the same, and one decibel less error is worth the same in rows that are
    hard and in rows that are easy, down to the `floor`: 1e-3 is 30 dB below the signal. Up to sign and scale
    this is the signal-to-distortion ratio by which restored sounds are judged (Vincent, Gribonval & Fevotte
    2006). A row of zeros counts by what is made of it alone.
    """

    floor: float = 1e-3

    def __call__(self, x: Tensor, output: Tensor, layout: Layout) -> Tensor:
        """(n, cells), in nats."""
        need(self.floor > 0, "floor", "be positive", self.floor, "Use LogDistortion(1e-3)")
        wrong = (x - output).square()
        allowed = self.floor * x.square().sum(1, keepdim=True) + torch.finfo(x.dtype).tiny ** 0.5
        ratio = wrong.sum(1, keepdim=True) / allowed
        small = ratio < 1e-6  # log(1 + r) / r is 1 there
        share = torch.where(small, 1.0, torch.log1p(ratio) / ratio.masked_fill(small, 1.0))
        return summed(wrong / allowed * share, layout)
