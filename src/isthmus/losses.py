"""Losses: how wrong a reconstruction is, cell by cell, L(x, x_hat).

A cell is one column of one row; a one-hot group is one cell. Errors come as (n, cells), so they can be
masked where a value was never observed, summed into the loss of a row, or read one by one to see which
column is to blame.

The default is the deviance: twice the log-likelihood given up by not predicting the cell exactly, with one
likelihood per kind of column. For a number (Gaussian of unit variance) that *is* the squared error; for a
yes/no column and for a category it is twice the cross-entropy. All columns are thus in one unit.

    numeric      (x - o)^2
    binary       2 log(1 + exp(-x o))              x in {-1, +1}, o a logit
    categorical  2 (log sum_l exp(o_l) - o_x)      o one logit per level

`link` maps the network's output o to x_hat, which lives in the space of x: o, tanh(o / 2), softmax(o).

>>> import torch
>>> from isthmus.parts import Layout
>>> Deviance()(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 0.0]]), Layout.numeric(2))
tensor([[0., 4.]])
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from isthmus.checks import must, need
from isthmus.parts import Layout, Part

__all__ = [
    "BinaryCrossEntropy",
    "BoundedSquaredError",
    "Deviance",
    "Huber",
    "LogDistortion",
    "Loss",
    "Multinomial",
    "SquaredError",
]


class Loss(Part):
    """Per-cell reconstruction error. A loss of your own needs `__call__`, and `link` if its output is not
    x_hat.
    """

    arrays: ClassVar[bool] = False  # whether this very class's `gradient` of numbers takes arrays as well

    def __call__(self, x: Tensor, output: Tensor, layout: Layout) -> Tensor:
        """X (n, d), output (n, d) -> errors (n, cells), each >= 0 and 0 where x is met exactly."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__")

    def takes_arrays(self, layout: Layout) -> bool:
        """Whether `gradient` may be handed numpy arrays: one that is made of the class may want tensors."""
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


class Deviance(Loss):
    """One likelihood per column: Gaussian, Bernoulli or categorical. On numbers alone it is the squared
    error, and on pixels the bounded one, `BoundedSquaredError`, which knows that they lie in [0, 1].
    """

    arrays = True

    def __call__(self, x: Tensor, output: Tensor, layout: Layout) -> Tensor:
        """Twice the negative log-likelihood of each cell, in nats, relative to a perfect prediction: (n,
        cells).
        """
        if layout.all_numeric:
            return _bounded(x, output) if layout.positive else (x - output).square()
        groups = _groups(layout, x.device)
        errors = x.new_empty(x.shape[0], len(layout.cells))  # len(x) would fix the rows of an exported graph
        errors[:, groups.numeric_cells] = (x - output)[:, groups.numeric].square()
        errors[:, groups.binary_cells] = 2 * F.softplus(-(x * output)[:, groups.binary])
        if len(groups.levels):
            logits = output[:, groups.levels].masked_fill(groups.padding, -torch.inf)
            chosen = (x * output)[:, groups.levels].masked_fill(groups.padding, 0.0).sum(2)
            errors[:, groups.categorical_cells] = 2 * (logits.logsumexp(2) - chosen)
        return errors

    def gradient(
        self, x: Tensor, output: Tensor, layout: Layout, observed: Tensor | None, models: int, scale: float
    ) -> tuple[Tensor, Tensor]:
        """In closed form: 2 (o - x) for numbers, -2 x / (1 + exp(x o)) for yes/no, 2 (softmax(o) - x) for
        levels.
        """
        if not layout.all_numeric:
            errors = self(x, output, layout)
            errors = errors if observed is None else errors.mul_(observed)
            return errors.view(models, -1).sum(1), _mixed_gradient(x, output, layout, observed, scale)
        closed = _bounded_gradient if layout.positive else _squared_gradient
        return closed(x, output, observed, models, scale)

    def link(self, output: Tensor, layout: Layout) -> Tensor:
        """Numbers as they are, tanh(o / 2) in (-1, 1) for yes/no, probabilities for categories."""
        if layout.all_numeric:
            return output.clamp(0, 1) if layout.positive else output
        groups = _groups(layout, output.device)
        x_hat = output.clone()
        x_hat[:, groups.binary] = torch.tanh(output[:, groups.binary] / 2)
        if len(groups.levels):
            logits = output[:, groups.levels].masked_fill(groups.padding, -torch.inf)
            x_hat[:, groups.levels[~groups.padding]] = logits.softmax(2)[:, ~groups.padding]
        return x_hat


class SquaredError(Loss):
    """norm(x - x_hat)^2 over the features of each cell, whatever its kind."""

    arrays = True

    def __call__(self, x: Tensor, output: Tensor, layout: Layout) -> Tensor:
        """(n, cells)."""
        return _summed((x - output).square(), layout)

    def gradient(
        self, x: Tensor, output: Tensor, layout: Layout, observed: Tensor | None, models: int, scale: float
    ) -> tuple[Tensor, Tensor]:
        """In closed form on numbers alone."""
        if not layout.all_numeric:
            return super().gradient(x, output, layout, observed, models, scale)
        return _squared_gradient(x, output, observed, models, scale)


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
        return _bounded(x, output)

    def gradient(
        self, x: Tensor, output: Tensor, layout: Layout, observed: Tensor | None, models: int, scale: float
    ) -> tuple[Tensor, Tensor]:
        """In closed form."""
        return _bounded_gradient(x, output, observed, models, scale)

    def link(self, output: Tensor, layout: Layout) -> Tensor:
        """clip(o, 0, 1)."""
        return output.clamp(0, 1)

    def check(self, layout: Layout) -> None:
        """The data must lie in [0, 1]."""
        _need_unit_range(self, layout)


class Huber(Loss):
    """Squared near 0, linear beyond `delta` standard units: outlying cells pull less (Huber 1964).

    r^2 for abs(r) <= delta, else 2 delta abs(r) - delta^2, with r = x - x_hat.
    """

    delta: float = 1.0

    def __call__(self, x: Tensor, output: Tensor, layout: Layout) -> Tensor:
        """(n, cells)."""
        need(self.delta > 0, "delta", "be positive", self.delta, "Use Huber(delta=1.0)")
        return _summed(2 * F.huber_loss(output, x, reduction="none", delta=self.delta), layout)


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
        return _summed(wrong / allowed * share, layout)


class BinaryCrossEntropy(Loss):
    """For values in [0, 1], such as pixels: -x log p - (1 - x) log(1 - p), less its floor at p = x.

    The floor is the entropy of x itself, which no reconstruction can go below; without it the figure would
    not be 0 for a perfect one. What remains is the Kullback-Leibler divergence from p to x.
    """

    def __call__(self, x: Tensor, output: Tensor, layout: Layout) -> Tensor:
        """(n, cells), in nats."""
        crossed = F.binary_cross_entropy_with_logits(output, x, reduction="none")
        inside = x.clamp(0, 1)
        errors: Tensor = crossed - torch.special.entr(inside) - torch.special.entr(1 - inside)
        return errors

    def link(self, output: Tensor, layout: Layout) -> Tensor:
        """sigmoid(o)."""
        return torch.sigmoid(output)

    def check(self, layout: Layout) -> None:
        """The data must lie in [0, 1]."""
        _need_unit_range(self, layout)


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


def _bounded(x: Tensor, output: Tensor) -> Tensor:
    """Squared error of the clipped output, linear in what was clipped: elementwise."""
    inside = output.clamp(0, 1)
    wrong = inside - x
    return wrong * (wrong + 2 * (output - inside))


def _squared_gradient(x: Any, output: Any, observed: Any, models: int, scale: float) -> tuple[Any, Any]:
    """2 (o - x), of tensors or of arrays."""
    wrong = output - x
    if observed is not None:
        wrong *= observed
    total = _inner(wrong, wrong, models)
    wrong *= 2 * scale
    return total, wrong


def _mixed_gradient(
    x: Tensor, output: Tensor, layout: Layout, observed: Tensor | None, scale: float
) -> Tensor:
    groups = _groups(layout, x.device)
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


def _bounded_gradient(x: Any, output: Any, observed: Any, models: int, scale: float) -> tuple[Any, Any]:
    """2 (clip(o) - x), of tensors or of arrays."""
    inside = output.clip(0, 1)
    beyond = output - inside
    wrong = inside
    wrong -= x
    if observed is not None:
        wrong *= observed
    total = _inner(wrong, wrong, models) + 2 * _inner(wrong, beyond, models)
    wrong *= 2 * scale
    return total, wrong


def _inner(a: Any, b: Any, models: int) -> Any:
    """Inner products of the rows of each model: (models,)."""
    if models == 1:
        return (a.reshape(-1) @ b.reshape(-1))[None]
    if isinstance(a, Tensor):  # whose batched products add one after another, in float32
        return (a * b).reshape(models, -1).sum(1)
    return (a.reshape(models, 1, -1) @ b.reshape(models, -1, 1)).reshape(models)


def _need_unit_range(loss: Loss, layout: Layout) -> None:
    if not layout.positive:
        do = "Use inputs=Table(scaling=UnitRange()), or another loss"
        raise must("x", f"lie in [0, 1] for {type(loss).__name__}", "another scaling", do)


class _Groups(NamedTuple):
    """Feature and cell numbers by kind, as tensors; `levels` (groups, longest) is padded where `padding` is
    True. `named` are the places in it that are not, and `level` what stands there: indices, as a device
    would have to be waited for to count the True ones of a mask.
    """

    numeric: Tensor
    numeric_cells: Tensor
    binary: Tensor
    binary_cells: Tensor
    levels: Tensor
    padding: Tensor
    named: Tensor
    level: Tensor
    categorical_cells: Tensor
    cell_of_feature: Tensor


def _groups(layout: Layout, device: torch.device) -> _Groups:
    """The layout's groups on a device, built once and kept on the layout."""
    cache: dict[torch.device, _Groups] = layout.__dict__.setdefault("_groups", {})
    if device not in cache:
        cache[device] = _build_groups(layout, device)
    return cache[device]


def _build_groups(layout: Layout, device: torch.device) -> _Groups:
    numbered = list(enumerate(layout.cells))
    numeric = [(i, c) for i, c in numbered if c.kind == "numeric"]
    binary = [(i, c) for i, c in numbered if c.kind == "binary"]
    groups = [(i, c) for i, c in numbered if c.kind == "categorical"]
    longest = max((c.width for _, c in groups), default=0)
    starts = torch.tensor([c.start for _, c in groups], dtype=torch.long)[:, None]
    widths = torch.tensor([c.width for _, c in groups], dtype=torch.long)[:, None]
    offsets = torch.arange(longest)[None, :]
    padding = offsets >= widths
    levels = (starts + offsets).where(~padding, starts)
    parts = (
        torch.tensor([c.start for _, c in numeric], dtype=torch.long),
        torch.tensor([i for i, _ in numeric], dtype=torch.long),
        torch.tensor([c.start for _, c in binary], dtype=torch.long),
        torch.tensor([i for i, _ in binary], dtype=torch.long),
        levels,
        padding,
        (~padding).flatten().nonzero()[:, 0],
        levels[~padding],
        torch.tensor([i for i, _ in groups], dtype=torch.long),
        torch.tensor([i for i, c in numbered for _ in range(c.width)], dtype=torch.long),
    )
    return _Groups(*(part.to(device) for part in parts))


def _summed(errors: Tensor, layout: Layout) -> Tensor:
    """Per-feature errors (n, d) summed within each cell: (n, cells)."""
    if layout.all_numeric:
        return errors
    cells = errors.new_zeros(errors.shape[0], len(layout.cells))
    return cells.index_add_(1, _groups(layout, errors.device).cell_of_feature, errors)
