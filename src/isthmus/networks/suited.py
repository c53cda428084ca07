"""Suited: dense layers for tables, filters for pictures and signals.

>>> from isthmus.parts import Layout
>>> Suited().chosen(Layout.numeric(784)), Suited().chosen(Layout.numeric(784, shape=(28, 28)))
(MLP(), ConvNet())
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.networks.activations import KNOWN
from isthmus.networks.architecture import MLP, Architecture
from isthmus.networks.conv import ConvNet
from isthmus.parts import Layout

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Suited", "dense_layers"]

PIXELS = 16  # the shorter side of a picture from which on filters pay
TIMES = 64  # the length of a signal from which on they do


class Suited(Architecture):
    """The architecture that suits the data.

    conv: for pictures of at least 16 pixels a side and signals of at least 64 points.
    dense: for everything else.
    """

    dense: MLP = MLP()
    conv: ConvNet = ConvNet()

    def chosen(self, layout: Layout) -> Architecture:
        """The one for data of this layout."""
        shape = layout.shape
        if layout.signal:
            return self.conv if shape[1] >= TIMES else self.dense
        return self.conv if len(shape) in (2, 3) and min(shape[:2]) >= PIXELS else self.dense

    def build(self, layout: Layout, n_components: int) -> tuple[nn.Module, nn.Module]:
        """What the chosen one builds."""
        return self.chosen(layout).build(layout, n_components)

    def start(self, encoder: nn.Module, decoder: nn.Module, x: Tensor) -> None:
        """As the one that built them does."""
        (self.dense if hasattr(encoder, "plain") else self.conv).start(encoder, decoder, x)

    def code_width(self, layout: Layout) -> int:
        """As the chosen one says."""
        return self.chosen(layout).code_width(layout)


def dense_layers(architecture: Architecture, layout: Layout) -> MLP | None:
    """The dense layers it builds for data of this layout, where nothing but arrays is needed for them."""
    chosen = architecture.chosen(layout) if type(architecture) is Suited else architecture
    if type(chosen) is not MLP or chosen.tied:
        return None
    return chosen if type(chosen.activation) in KNOWN else None
