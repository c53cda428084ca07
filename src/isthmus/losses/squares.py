"""Squared errors: of numbers, of values in [0, 1], and those that outlying cells pull less."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isthmus.checks import need
from isthmus.losses.base import Loss, inner, need_unit_range, summed
from isthmus.parts import Layout

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    from isthmus.lazily import torch

__all__ = [
    "BoundedSquaredError",
    "Huber",
    "SquaredError",
    "bounded",
    "bounded_gradient",
    "squared_gradient",
    "squares",
]


class SquaredError(Loss):
    """norm(x - x_hat)^2 over the features of each cell, whatever its kind."""

    arrays = True

    def __call__(self, x: Tensor, output: Tensor, layout: Layout) -> Tensor:
        """(n, cells)."""
        return summed(squares(x, output), layout)

    def gradient(
        self, x: Tensor, output: Tensor, layout: Layout, observed: Tensor | None, models: int, scale: float
    ) -> tuple[Tensor, Tensor]:
        """In closed form on numbers alone."""
        if not layout.all_numeric:
            return super().gradient(x, output, layout, observed, models, scale)
        return squared_gradient(x, output, observed, models, scale)


class BoundedSquaredError(Loss):
    """norm(x - x_hat)^2 for values in [0, 1], such as pixels; x_hat = clip(o), the output cut to [0, 1].

    e(x, o) = (x - clip(o))^2 + 2 (clip(o) - x) (o - clip(o))

    The second term is 0 wherever o lies in [0, 1] or x at the bound that o passed, so a white pixel may be
    answered with 1.7 at no cost, and the gradient 2 (clip(o) - x) vanishes exactly where x_hat = x. This is
    the convex loss that matches the clip, as cross-entropy matches the sigmoid (Helmbold, Kivinen & Warmuth
    1999). A network spends nothing on holding background pixels at exactly 0, which leaves more for the rest.
    """

    arrays = True

    def __call__(self, x: Tensor, output: Tensor, layout: Layout) -> Tensor:
        """(n, cells)."""
        errors: Tensor = bounded(x, output)
        return errors

    def gradient(
        self, x: Tensor, output: Tensor, layout: Layout, observed: Tensor | None, models: int, scale: float
    ) -> tuple[Tensor, Tensor]:
        """In closed form."""
        return bounded_gradient(x, output, observed, models, scale)

    def link(self, output: Tensor, layout: Layout) -> Tensor:
        """clip(o, 0, 1)."""
        return output.clip(0, 1)

    def check(self, layout: Layout) -> None:
        """The data must lie in [0, 1]."""
        need_unit_range(self, layout)


class Huber(Loss):
    """Squared near 0, linear beyond `delta` standard units: outlying cells pull less (Huber 1964).

    r^2 for abs(r) <= delta, else 2 delta abs(r) - delta^2, with r = x - x_hat.
    """

    delta: float = 1.0

    def __call__(self, x: Tensor, output: Tensor, layout: Layout) -> Tensor:
        """(n, cells)."""
        need(self.delta > 0, "delta", "be positive", self.delta, "Use Huber(delta=1.0)")
        return summed(
            2 * torch.nn.functional.huber_loss(output, x, reduction="none", delta=self.delta), layout
        )


def squares(x: Any, output: Any) -> Any:
    """Elementwise, of tensors or of arrays."""
    wrong = x - output
    return wrong * wrong


def bounded(x: Any, output: Any) -> Any:
    """Squared error of the clipped output, linear in what was clipped: elementwise, of tensors or arrays."""
    inside = output.clip(0, 1)
    wrong = inside - x
    return wrong * (wrong + 2 * (output - inside))


def squared_gradient(x: Any, output: Any, observed: Any, models: int, scale: float) -> tuple[Any, Any]:
    """2 (o - x), of tensors or of arrays."""
    wrong = output - x
    if observed is not None:
        wrong *= observed
    total = inner(wrong, wrong, models)
    wrong *= 2 * scale
    return total, wrong


def bounded_gradient(x: Any, output: Any, observed: Any, models: int, scale: float) -> tuple[Any, Any]:
    """2 (clip(o) - x), of tensors or of arrays."""
    inside = output.clip(0, 1)
    beyond = output - inside
    wrong = inside
    wrong -= x
    if observed is not None:
        wrong *= observed
    total = inner(wrong, wrong, models) + 2 * inner(wrong, beyond, models)
    wrong *= 2 * scale
    return total, wrong
