"""Groups: which features and cells are of which kind, as tensors on a device."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from isthmus.parts import Layout

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    from isthmus.lazily import torch

__all__ = ["Groups", "groups_of"]


class Groups(NamedTuple):
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


def groups_of(layout: Layout, device: torch.device) -> Groups:
    """The layout's groups on a device, built once and kept on the layout."""
    cache: dict[torch.device, Groups] = layout.__dict__.setdefault("_groups", {})
    if device not in cache:
        cache[device] = _built(layout, device)
    return cache[device]


def _built(layout: Layout, device: torch.device) -> Groups:
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
    return Groups(*(part.to(device) for part in parts))
