"""The contract of losses, and what several share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from isthmus.checks import must
from isthmus.losses.groups import groups_of
from isthmus.parts import Layout, Part

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    from isthmus.lazily import torch

__all__ = ["Loss", "inner", "need_unit_range", "summed"]


class Loss(Part):
    """Per-cell reconstruction error. A loss of your own needs `__call__`, and `link` if its output is not
    x_hat.
    """

    # whether this very class, on numbers, takes arrays as well as tensors, and may be called by several
    # threads at once: `fit_many` has models share it
    arrays: ClassVar[bool] = False

    def __call__(self, x: Tensor, output: Tensor, layout: Layout) -> Tensor:
        """X (n, d), output (n, d) -> errors (n, cells), each >= 0 and 0 where x is met exactly."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__")

    def takes_arrays(self, layout: Layout) -> bool:
        """Whether it may be handed numpy arrays: a loss that is made of the class may want tensors."""
        return layout.all_numeric and bool(vars(type(self)).get("arrays", False))

    def gradient(
        self, x: Tensor, output: Tensor, layout: Layout, observed: Tensor | None, models: int, scale: float
    ) -> tuple[Tensor, Tensor]:
        """Summed error of observed cells, (models,), and the gradient of `scale` times it by output, (n, d).

        The n rows are those of several models, one after another and equally many. By differentiation here;
        a closed form where one is known spares small networks most of their time. Arrays come out where
        arrays went in.
        """
        with torch.enable_grad():
            output = output.detach().requires_grad_()
            errors = self(x, output, layout)
            errors = errors if observed is None else errors * observed
            (grad,) = torch.autograd.grad(errors.sum(), output)
        return errors.detach().view(models, -1).sum(1), grad.mul_(scale)

    def link(self, output: Tensor, layout: Layout) -> Tensor:
        """The network's output as a reconstruction x_hat (n, d) in the space of x."""
        return output

    def check(self, layout: Layout) -> None:
        """Raise if the loss does not suit data of this layout."""


def summed(errors: Tensor, layout: Layout) -> Tensor:
    """Per-feature errors (n, d) summed within each cell: (n, cells)."""
    if layout.all_numeric:
        return errors
    cells = errors.new_zeros(errors.shape[0], len(layout.cells))
    return cells.index_add_(1, groups_of(layout, errors.device).cell_of_feature, errors)


def inner(a: Any, b: Any, models: int) -> Any:
    """Inner products of the rows of each model: (models,)."""
    if models == 1:
        return (a.reshape(-1) @ b.reshape(-1))[None]
    if isinstance(a, np.ndarray):
        return (a.reshape(models, 1, -1) @ b.reshape(models, -1, 1)).reshape(models)
    return (a * b).reshape(models, -1).sum(1)  # batched products of tensors add one after another, in float32


def need_unit_range(loss: Loss, layout: Layout) -> None:
    """Raise unless the data lie in [0, 1]."""
    if not layout.positive:
        do = "Use inputs=Table(scaling=UnitRange()), or another loss"
        raise must("x", f"lie in [0, 1] for {type(loss).__name__}", "another scaling", do)
