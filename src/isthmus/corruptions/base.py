"""The contract of corruptions, and the cells they work on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from isthmus.checks import need
from isthmus.parts import Layout, Part

if TYPE_CHECKING:
    import torch
    from torch import Generator, Tensor
else:
    from isthmus.lazily import torch

__all__ = ["Corruption", "Corruptions", "check_fraction", "chosen", "spread", "uniform"]


class Corruption(Part):
    """A random damage to rows: x (n, d) -> x_tilde (n, d), drawn from `generator`; never changes x itself.

    blind: the loss counts only the cells that were changed, so that rows which are noisy themselves can be
    learned from (Noise2Self): what stands in a cell must be told from its neighbours.
    """

    blind: ClassVar[bool] = False

    def __call__(self, x: Tensor, layout: Layout, generator: Generator) -> Tensor:
        """x_tilde (n, d)."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__")

    def changed(self, x: Tensor, x_tilde: Tensor, layout: Layout) -> Tensor:
        """Cells (n, cells) of x_tilde that are not those of x."""
        features = x != x_tilde[:, : x.shape[1]]
        if layout.all_numeric:
            return features
        return torch.stack([features[:, cell.start : cell.stop].any(1) for cell in layout.cells], 1)

    def __add__(self, other: Corruption) -> Corruption:
        """Apply this one, then `other`."""
        return Corruptions((*_steps(self), *_steps(other)))


class Corruptions(Corruption):
    """Several corruptions, one after another."""

    steps: tuple[Corruption, ...] = ()

    @property
    def blind(self) -> bool:  # type: ignore[override]
        """Whether any of them is."""
        return any(step.blind for step in self.steps)

    def __call__(self, x: Tensor, layout: Layout, generator: Generator) -> Tensor:
        """Each applied to what the one before left."""
        for step in self.steps:
            x = step(x, layout, generator)
        return x


def _steps(corruption: Corruption) -> tuple[Corruption, ...]:
    return corruption.steps if isinstance(corruption, Corruptions) else (corruption,)


def check_fraction(fraction: float) -> None:
    """Raise unless it is a share."""
    need(0 <= fraction <= 1, "fraction", "lie in [0, 1]", fraction, "Use 0.25 for a quarter of the cells")


def chosen(x: Tensor, layout: Layout, fraction: float, generator: Generator) -> Tensor:
    """Features (n, d) of cells picked independently with probability `fraction`."""
    check_fraction(fraction)
    cells = torch.rand(len(x), len(layout.cells), generator=generator, device=x.device) < fraction
    return spread(cells, layout)


def spread(cells: Tensor, layout: Layout) -> Tensor:
    """A value per cell (n, cells) repeated over the cell's features (n, d)."""
    if layout.all_numeric:
        return cells
    widths = torch.tensor([cell.width for cell in layout.cells], device=cells.device)
    return cells.repeat_interleave(widths, dim=1)


def uniform(shape: tuple[int, ...], like: Tensor, generator: Generator) -> Tensor:
    """Draws from -1 to 1."""
    return 2 * torch.rand(shape, generator=generator, dtype=like.dtype, device=like.device) - 1
