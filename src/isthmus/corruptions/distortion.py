"""Distortion: pictures moved, turned and bent a little."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from isthmus.checks import must
from isthmus.corruptions.base import Corruption, uniform
from isthmus.parts import Layout

if TYPE_CHECKING:
    import torch
    from torch import Generator, Tensor
else:
    from isthmus.lazily import torch

__all__ = ["Distortion"]


class Distortion(Corruption):
    """A picture moved, turned, stretched and bent: what changes how a thing lies and not what it is.

    The target is the picture as it was, so that a code is pulled towards what all its distortions share, and
    two pictures of one thing get codes that are near (the elastic deformations are those of Simard et al.
    2003). Each is drawn uniformly up to the bound given, for every picture anew; what comes in from outside
    is 0.

    shift: share of the side. turn: degrees. zoom: log of the factor, in each direction. shear: slope.
    elastic: how far the knots of a 5 x 5 net are moved, as a share of the side; between knots the picture is
    bent smoothly.
    """

    shift: float = 0.07
    turn: float = 15.0
    zoom: float = 0.1
    shear: float = 0.1
    elastic: float = 0.1

    def __call__(self, x: Tensor, layout: Layout, generator: Generator) -> Tensor:
        """x_tilde (n, d)."""
        if layout.signal or len(layout.shape) not in (2, 3):
            do = "Use it for pictures (n, h, w[, c])"
            raise must("x", "be pictures for Distortion", f"rows of shape {layout.shape}", do)
        height, width, *colours = layout.shape
        n, channels = len(x), math.prod(colours)
        planes = x.view(n, height, width, channels).permute(0, 3, 1, 2)
        grid = torch.nn.functional.affine_grid(
            self._turned(n, x, generator), list(planes.shape), align_corners=False
        )
        if self.elastic:
            knots = 2 * self.elastic * uniform((n, 2, 5, 5), x, generator)
            bent = torch.nn.functional.interpolate(
                knots, size=(height, width), mode="bicubic", align_corners=True
            )
            grid = grid + bent.permute(0, 2, 3, 1)
        moved = torch.nn.functional.grid_sample(planes, grid, align_corners=False)
        return moved.permute(0, 2, 3, 1).reshape(n, -1)

    def _turned(self, n: int, x: Tensor, generator: Generator) -> Tensor:
        """One affine map each, (n, 2, 3)."""
        angle = math.radians(self.turn) * uniform((n,), x, generator)
        factors = torch.exp(self.zoom * uniform((n, 2), x, generator))
        stretched = torch.diag_embed(factors)
        stretched[:, 0, 1] = self.shear * uniform((n,), x, generator)
        cos, sin = angle.cos(), angle.sin()
        turned = torch.stack([cos, -sin, sin, cos], 1).view(n, 2, 2) @ stretched
        return torch.cat([turned, 2 * self.shift * uniform((n, 2, 1), x, generator)], 2)
