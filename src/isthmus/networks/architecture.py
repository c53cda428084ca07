"""Architectures: from the shape of the data to an encoder and a decoder.

An architecture is a part: it knows widths and activations, never weights. A user's own is a subclass with
one method:

>>> from torch import nn
>>> class Tower(Architecture):
...     width: int = 64
...
...     def build(self, layout, n_components):
...         down = nn.Sequential(nn.Linear(layout.width, self.width), nn.ReLU())
...         down.append(nn.Linear(self.width, n_components))
...         return down, nn.Linear(n_components, layout.width)
>>> from isthmus import Autoencoder
>>> Autoencoder(2, architecture=Tower(32))
Autoencoder(n_components=2, architecture=Tower(width=32))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from isthmus.checks import need
from isthmus.lazily import without_gradients
from isthmus.networks.activations import Activation, SiLU
from isthmus.networks.mersenne import Mersenne
from isthmus.networks.pca import principal_axes, set_roads
from isthmus.networks.plain import PlainChain
from isthmus.parts import Layout, Part

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from isthmus.networks.chain import Chain
else:
    from isthmus.lazily import torch

__all__ = ["MLP", "Architecture", "Dictionary", "Linear"]

START = 20_000  # rows whose principal axes a deep net starts at, at most


class Architecture(Part):
    """Builds the two halves of an autoencoder."""

    def build(self, layout: Layout, n_components: int) -> tuple[nn.Module, nn.Module]:
        """Fresh encoder (n, layout.width) -> (n, n_components) and decoder back, randomly initialised.

        Called with torch's random state seeded and put back afterwards, so ordinary initialisers are
        reproducible.
        """
        raise NotImplementedError(f"{type(self).__name__} must define build")

    def start(self, encoder: nn.Module, decoder: nn.Module, x: Tensor) -> None:
        """Set weights from the training rows x (n, d) before the first step; by default nothing."""

    def code_width(self, layout: Layout) -> int:
        """Numbers in the code where `n_components` is None: by default as many as in a row."""
        return layout.width

    def __call__(self, layout: Layout, n_components: int) -> tuple[nn.Module, nn.Module]:
        """The same as `build`."""
        return self.build(layout, n_components)


class Linear(Architecture):
    """z = W x + b, output = V z + c. Started at the principal axes, where squared error has its minimum.

    W's rows are orthonormal and V = W^T, so `transform` gives scikit-learn's PCA scores, signs included.
    """

    def build(self, layout: Layout, n_components: int) -> tuple[Chain, Chain]:
        """One dense layer each way."""
        from isthmus.networks.chain import Chain

        d = layout.width
        return Chain.dense((d, n_components), SiLU()), Chain.dense((n_components, d), SiLU())

    def start(self, encoder: nn.Module, decoder: nn.Module, x: Tensor) -> None:
        """Put both halves at the principal axes of x."""
        (down, b), (up, c) = (cast("Chain", half).plain().layers[0] for half in (encoder, decoder))
        mean, axes, _ = principal_axes(x.numpy(), len(down))
        down[:], up[:] = 0, 0
        down[: len(axes)], up[:, : len(axes)] = axes, axes.T
        b[:], c[:] = -(down.astype(np.float64) @ mean), mean


class Dictionary(Architecture):
    """z = code(W x + b), output = V z + c: every code unit is one atom, a column of V, added z_j times.

    The atoms start as training rows chosen at random, at unit length and seen by W as by V, so that every
    unit answers to some of the data from the first step and few die.
    """

    def build(self, layout: Layout, n_components: int) -> tuple[Chain, Chain]:
        """One dense layer each way."""
        return Linear().build(layout, n_components)

    @without_gradients
    def start(self, encoder: nn.Module, decoder: nn.Module, x: Tensor) -> None:
        """Atoms at rows of x, less the mean."""
        down, up = cast("Chain", encoder).first, cast("Chain", decoder).first
        mean = x.mean(0)
        rows = x[torch.randint(len(x), (down.out_features,))] - mean
        rows = rows + 1e-3 * x.std(0, correction=0).mean() * torch.randn_like(rows)  # no two atoms alike
        atoms = torch.nn.functional.normalize(rows, dim=1)
        down.weight.copy_(atoms)
        up.weight.copy_(atoms.t())
        down.bias.copy_(-(atoms @ mean))
        up.bias.copy_(mean)


class MLP(Architecture):
    """Dense layers: width -> hidden... -> n_components, and its mirror image back.

    hidden: widths of the encoder's hidden layers; () is the classical one-layer autoencoder; None chooses
        two layers by the width of the data.
    activation: between layers (`SiLU()`, `ReLU()`, `Tanh()`, `Sigmoid()`).
    tied: the decoder uses the encoder's weights transposed, W' = W^T.
    from_pca: a linear road runs beside the layers, started at the principal axes, so that training begins
        where PCA ends. Not with tied weights, nor without hidden layers, where it would add nothing.
    gaps: also show the first layer which features are blank (0), so that a gap is not mistaken for an
        average value; None does so for data that had gaps when they were fitted. Worth it with
        `MaskingNoise` on complete data.
    """

    hidden: tuple[int, ...] | None = None
    activation: Activation = SiLU()
    tied: bool = False
    from_pca: bool = True
    gaps: bool | None = None

    def widths(self, d: int) -> tuple[int, ...]:
        """The hidden widths used for data of d features."""
        if self.hidden is None:
            wide = min(max(64, 1 << (4 * d - 1).bit_length()), 512)
            return (wide, wide // 2)
        sizes = tuple(self.hidden)
        need(
            all(isinstance(h, int) and h >= 1 for h in sizes),
            "hidden",
            "be positive widths",
            sizes,
            "Use (256, 64)",
        )
        return sizes

    def build(self, layout: Layout, n_components: int) -> tuple[Chain, Chain]:
        """Two chains, mirror images of each other."""
        from isthmus.networks.chain import Chain

        widths, road = self._shape(layout, n_components)
        encoder = Chain.dense(widths, self.activation, road)
        if self._sees_gaps(layout):
            encoder.show_gaps()
        if self.tied:
            return encoder, Chain.tied_to(encoder)
        return encoder, Chain.dense(widths[::-1], self.activation, road)

    def plain(self, layout: Layout, n_components: int, seed: int) -> tuple[PlainChain, PlainChain]:
        """The same untied and as arrays, with the weights that `build` draws after this seed."""
        (widths, road), generator = self._shape(layout, n_components), Mersenne(seed)
        encoder = PlainChain.dense(widths, self.activation, road, generator)
        if self._sees_gaps(layout):
            encoder = encoder.show_gaps(generator)
        return encoder, PlainChain.dense(widths[::-1], self.activation, road, generator)

    def shapes(self, layout: Layout, n_components: int) -> tuple[tuple[int, ...], bool, bool]:
        """Widths on the way down, whether there are roads, and whether gaps are shown."""
        return *self._shape(layout, n_components), self._sees_gaps(layout)

    def start(self, encoder: Any, decoder: Any, x: Any) -> None:
        """Put the linear roads at the principal axes of x, of 20,000 of its rows at most, in a common scale
        that gives the code unit variance. Of chains and a tensor, or of plain ones and an array.
        """
        down, up = encoder.plain(), decoder.plain()
        if down.road is None or up.road is None:
            return
        mean = set_roads(down.road, up.road, np.asarray(x)[:: -(-len(x) // START)])
        down.layers[-1][1][:] = -(down.road.astype(np.float64) @ mean)
        up.layers[-1][1][:] = mean

    def _sees_gaps(self, layout: Layout) -> bool:
        return layout.gaps if self.gaps is None else self.gaps

    def _shape(self, layout: Layout, n_components: int) -> tuple[tuple[int, ...], bool]:
        """Widths on the way down, and whether a road runs beside them."""
        widths = (layout.width, *self.widths(layout.width), n_components)
        return widths, self.from_pca and not self.tied and len(widths) > 2
