"""Groups: which features and cells are of which kind, as tensors on a device."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from isthmus.losses.mixed import mixed_of
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
    kinds = mixed_of(layout)
    parts = (
        kinds.numeric,
        kinds.numeric_cells,
        kinds.binary,
        kinds.binary_cells,
        kinds.levels,
        kinds.padding,
        np.flatnonzero(~kinds.padding),
        kinds.level,
        kinds.categorical_cells,
        np.repeat(np.arange(kinds.width), kinds.widths),
    )
    return Groups(*(torch.from_numpy(part).to(device) for part in parts))
