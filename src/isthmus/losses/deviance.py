"""The deviance: one likelihood per kind of column."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.losses.base import Loss
from isthmus.losses.groups import groups_of
from isthmus.losses.mixed import mixed_of
from isthmus.losses.squares import bounded, bounded_gradient, squared_gradient, squares
from isthmus.parts import Layout

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    from isthmus.lazily import torch

__all__ = ["Deviance"]


class Deviance(Loss):
    """One likelihood per column: Gaussian, Bernoulli or categorical. On numbers alone it is the squared
    error, and on pixels the bounded one, `BoundedSquaredError`, which knows that they lie in [0, 1].
    """

    arrays = True

    def takes_arrays(self, layout: Layout) -> bool:
        """Of every layout."""
        return bool(vars(type(self)).get("arrays", False))

    def __call__(self, x: Any, output: Any, layout: Layout) -> Any:
        """Twice the negative log-likelihood of each cell, in nats, relative to a perfect prediction: (n,
        cells).
        """
        if layout.all_numeric:
            return bounded(x, output) if layout.positive else squares(x, output)
        if isinstance(x, np.ndarray):
            return mixed_of(layout).errors(x, output)
        groups = groups_of(layout, x.device)
        errors = x.new_empty(x.shape[0], len(layout.cells))  # len(x) would fix the rows of an exported graph
        errors[:, groups.numeric_cells] = (x - output)[:, groups.numeric].square()
        errors[:, groups.binary_cells] = 2 * torch.nn.functional.softplus(-(x * output)[:, groups.binary])
        if len(groups.levels):
            logits = output[:, groups.levels].masked_fill(groups.padding, -torch.inf)
            chosen = (x * output)[:, groups.levels].masked_fill(groups.padding, 0.0).sum(2)
            errors[:, groups.categorical_cells] = 2 * (logits.logsumexp(2) - chosen)
        return errors

    def gradient(
        self, x: Any, output: Any, layout: Layout, observed: Any, models: int, scale: float
    ) -> tuple[Any, Any]:
        """In closed form: 2 (o - x) for numbers, -2 x / (1 + exp(x o)) for yes/no, 2 (softmax(o) - x) for
        levels.
        """
        if not layout.all_numeric:
            errors = self(x, output, layout)
            errors = errors if observed is None else errors * observed
            arrays = isinstance(x, np.ndarray)
            pull = mixed_of(layout).gradient if arrays else partial(_mixed_gradient, layout)
            return errors.reshape(models, -1).sum(1), pull(x, output, observed, scale)
        closed = bounded_gradient if layout.positive else squared_gradient
        return closed(x, output, observed, models, scale)

    def link(self, output: Any, layout: Layout) -> Any:
        """Numbers as they are, tanh(o / 2) in (-1, 1) for yes/no, probabilities for categories."""
        if layout.all_numeric:
            return output.clip(0, 1) if layout.positive else output
        if isinstance(output, np.ndarray):
            return mixed_of(layout).link(output)
        groups = groups_of(layout, output.device)
        x_hat = output.clone()
        x_hat[:, groups.binary] = torch.tanh(output[:, groups.binary] / 2)
        if len(groups.levels):
            logits = output[:, groups.levels].masked_fill(groups.padding, -torch.inf)
            x_hat[:, groups.levels[~groups.padding]] = logits.softmax(2)[:, ~groups.padding]
        return x_hat


def _mixed_gradient(
    layout: Layout, x: Tensor, output: Tensor, observed: Tensor | None, scale: float
) -> Tensor:
    groups = groups_of(layout, x.device)
    wrong = output - x
    answers = x[:, groups.binary]
    wrong[:, groups.binary] = -answers * torch.sigmoid(-answers * output[:, groups.binary])
    if len(groups.levels):
        logits = output[:, groups.levels].masked_fill(groups.padding, -torch.inf)
        chances = logits.softmax(2).flatten(1)[:, groups.named]
        wrong[:, groups.level] = chances - x[:, groups.level]
    if observed is not None:
        wrong.mul_(observed[:, groups.cell_of_feature])
    return wrong.mul_(2 * scale)
