"""Losses of shares and counts: binary cross-entropy and the multinomial."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.checks import must
from isthmus.losses.base import Loss, need_unit_range
from isthmus.parts import Layout

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    from isthmus.lazily import torch

__all__ = ["BinaryCrossEntropy", "Multinomial"]


class BinaryCrossEntropy(Loss):
    """For values in [0, 1], such as pixels: -x log p - (1 - x) log(1 - p), less its floor at p = x.

    The floor is the entropy of x itself, which no reconstruction can go below; without it the figure would
    not be 0 for a perfect one. What remains is the Kullback-Leibler divergence from p to x.
    """

    def __call__(self, x: Tensor, output: Tensor, layout: Layout) -> Tensor:
        """(n, cells), in nats."""
        crossed = torch.nn.functional.binary_cross_entropy_with_logits(output, x, reduction="none")
        inside = x.clamp(0, 1)
        errors: Tensor = crossed - torch.special.entr(inside) - torch.special.entr(1 - inside)
        return errors

    def link(self, output: Tensor, layout: Layout) -> Tensor:
        """sigmoid(o)."""
        return torch.sigmoid(output)

    def check(self, layout: Layout) -> None:
        """The data must lie in [0, 1]."""
        need_unit_range(self, layout)


class Multinomial(Loss):
    """For counts and their like, such as the words of a document: -sum_j x_j log p_j, with p = softmax(o).

    Which words a document has, given how many: x need not be whole numbers, tf-idf weights will do, but none
    may be negative. The entropy of x itself is taken off, so that x_hat = p sum_j x_j = x costs nothing, and
    sum_j (x_hat_j - x_j), which is 0, is added so that no cell's error is negative (Salakhutdinov & Hinton
    2009, on semantic hashing). `link` does not know the row's total, so reconstructions are p.
    """

    def __call__(self, x: Tensor, output: Tensor, layout: Layout) -> Tensor:
        """(n, cells), in nats."""
        total = x.sum(1, keepdim=True).clamp_min(1e-12)
        expected = torch.log_softmax(output, 1) + total.log()
        return torch.xlogy(x, x) - x * expected - x + expected.exp()

    def gradient(
        self, x: Tensor, output: Tensor, layout: Layout, observed: Tensor | None, models: int, scale: float
    ) -> tuple[Tensor, Tensor]:
        """Scale (p sum_j x_j - x), where every cell is observed."""
        if observed is not None:
            return super().gradient(x, output, layout, observed, models, scale)
        errors = self(x, output, layout)
        wrong = torch.softmax(output, 1) * x.sum(1, keepdim=True) - x
        return errors.view(models, -1).sum(1), wrong.mul_(scale)

    def link(self, output: Tensor, layout: Layout) -> Tensor:
        """softmax(o)."""
        return torch.softmax(output, 1)

    def check(self, layout: Layout) -> None:
        """The data must be counts or shares, unscaled."""
        if not layout.positive:
            do = "Use inputs=Sparse() on a sparse matrix, or another loss"
            raise must("x", "be at least 0 for Multinomial", "another scaling", do)
