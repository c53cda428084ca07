"""Convolutions: the same small filters at every place of a picture or a signal.

    down    h_l = phi(W_l * h_(l-1) + b_l), one place in `stride` kept      code   a = V h_L + c
    up      the mirror image, W^T-shaped, each place spread over `stride`

A picture shifted by a few pixels is the same picture; dense layers must learn that from examples, filters
know it. They pay on data with a shape and enough extent, and cost more per row than dense layers.

Every transposed convolution's kernel is a multiple of its stride, so that all pixels of the output are
touched by equally many weights: otherwise they come out in a checkerboard (Odena, Dumoulin & Olah 2016). Any
size works, odd ones too: what striding left over is given back on the way up.

Beside the filters runs the same linear road as in `MLP`, set to the principal axes of the training rows
before the first step while the last filters are zero: the network starts as PCA and training adds to it.

>>> from isthmus.parts import Layout
>>> import torch
>>> down, up = ConvNet((8, 16)).build(Layout.numeric(23 * 17, shape=(23, 17)), 5)
>>> x = torch.zeros(2, 23 * 17)
>>> down(x).shape, up(down(x)).shape
(torch.Size([2, 5]), torch.Size([2, 391]))
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, cast

from isthmus.checks import must, need
from isthmus.lazily import without_gradients
from isthmus.networks.activations import Activation, SiLU
from isthmus.networks.architecture import Architecture
from isthmus.networks.pca import set_roads
from isthmus.parts import Layout

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from isthmus.networks.filters import Down, Up
else:
    from isthmus.lazily import torch

__all__ = ["ConvNet", "Grid", "Step"]

ROAD = 2**22  # weights a linear road may have in each direction; wider data go without
PCA_NUMBERS = 2**25  # numbers in the rows the principal axes of wide data are taken from
WIDE = 1024  # features from which on not all rows are needed for the axes


class ConvNet(Architecture):
    """Strided convolutions down to a dense layer, and their mirror image back, for pictures and signals.

    channels: filters of each layer; None takes 16, 32, 64, 128, 128, ... until a picture is at most 4 pixels
        wide and high, a signal at most 16 long.
    kernel: their extent; None is twice the stride. A multiple of the stride, by an even number larger.
    stride: one place in so many is kept by each layer; None is 2 for pictures and 4 for signals. An axis too
        short to be divided again is left as it is.
    activation: between layers (`SiLU()`, `ReLU()`, `Tanh()`, `Sigmoid()`).
    from_pca: a linear road runs beside the layers, started at the principal axes, so that training begins
        where PCA ends; left out where it would need more than 4 million weights. Data wider than 1,024 take
        the axes from about 2,000 rows.

    With `n_components=None` there is no dense layer and no road: the code is what the last filters say, place
    by place, which is wider than a grey picture or a signal. `channels` is then (32, 64).
    """

    channels: tuple[int, ...] | None = None
    kernel: int | None = None
    stride: int | None = None
    activation: Activation = SiLU()
    from_pca: bool = True

    def build(self, layout: Layout, n_components: int) -> tuple[Down, Up]:
        """Filters down and up; no dense layer where the code is as wide as what the filters say."""
        from isthmus.networks.filters import Down, Up

        grid = grid_of(layout)
        steps = self._steps(grid, layout.signal, dense=False)
        dense = n_components != steps[-1].features
        if dense:
            steps = self._steps(grid, layout.signal, dense=True)
        road = dense and self.from_pca and layout.width * n_components <= ROAD
        width = n_components if dense else None
        return Down(grid, steps, width, self.activation, road), Up(grid, steps, width, self.activation, road)

    def code_width(self, layout: Layout) -> int:
        """Numbers in the fully convolutional code: places times filters of the last layer."""
        return self._steps(grid_of(layout), layout.signal, dense=False)[-1].features

    @without_gradients
    def start(self, encoder: nn.Module, decoder: nn.Module, x: Tensor) -> None:
        """Put the output at the mean of x, and the roads at its principal axes."""
        down, up = cast("Down", encoder), cast("Up", decoder)
        up.mean.copy_(x.mean(0, dtype=torch.float64))
        if down.road is None or up.road is None or down.last is None:
            return
        few = len(x) if x.shape[1] <= WIDE else max(1, min(2048, PCA_NUMBERS // x.shape[1]))
        some = x[:: math.ceil(len(x) / few)]
        mean = torch.from_numpy(set_roads(down.road.weight.numpy(), up.road.weight.numpy(), some.numpy()))
        down.last.bias.copy_(-(down.road.weight.double() @ mean))
        up.mean.copy_(mean)

    def _steps(self, grid: Grid, signal: bool, dense: bool) -> list[Step]:
        """The layers on the way down."""
        stride = self.stride or (4 if signal else 2)
        kernel = self.kernel or 2 * stride
        fits = stride >= 1 and kernel >= stride and kernel % stride == 0 and (kernel - stride) % 2 == 0
        do = "Use ConvNet(stride=2, kernel=4)"
        need(fits, "kernel", "be a multiple of stride, and larger by an even number", (kernel, stride), do)
        steps: list[Step] = []
        channels, sizes = grid.channels, grid.sizes
        for width in self._channels(sizes, stride, 16 if signal else 4, dense):
            steps.append(Step.of(channels, width, sizes, kernel, stride))
            channels, sizes = width, steps[-1].left_sizes
        return steps

    def _channels(self, sizes: tuple[int, ...], stride: int, small: int, dense: bool) -> tuple[int, ...]:
        if self.channels is not None:
            chosen = tuple(self.channels)
            good = bool(chosen) and all(isinstance(width, int) and width >= 1 for width in chosen)
            need(good, "channels", "be positive numbers of filters", chosen, "Use ConvNet((32, 64))")
            return chosen
        if not dense:
            return (32, 64)
        depth = 2
        while stride > 1 and max(sizes) // stride**depth > small:
            depth += 1
        return tuple(min(16 * 2**level, 128) for level in range(depth))


# ---------------------------------------------------------------- geometry


class Grid(NamedTuple):
    """Channels and sizes of a sample: (h, w) of a picture, (time,) of a signal."""

    channels: int
    sizes: tuple[int, ...]

    @property
    def width(self) -> int:
        return self.channels * math.prod(self.sizes)

    def unflatten(self, x: Tensor) -> Tensor:
        """Rows (n, d) as (n, channels, *sizes). A picture's channels stay innermost in memory, as in the row:
        nothing is copied, and convolutions are faster that way.
        """
        if len(self.sizes) == 1:
            signals: Tensor = x.unflatten(1, (self.channels, *self.sizes))
            return signals
        pictures: Tensor = x.unflatten(1, (*self.sizes, self.channels))
        return pictures.permute(0, 3, 1, 2)

    def flatten(self, h: Tensor) -> Tensor:
        """The inverse."""
        return (h if len(self.sizes) == 1 else h.permute(0, 2, 3, 1)).flatten(1)


def grid_of(layout: Layout) -> Grid:
    shape = layout.shape
    if len(shape) not in (2, 3) or (layout.signal and len(shape) != 2):
        do = "Use MLP() for tables, or inputs=Images() or Signals() for arrays of more dimensions"
        raise must("X", "be pictures or signals for ConvNet", shape or "rows of a table", do)
    if layout.signal:
        return Grid(shape[0], (shape[1],))
    return Grid(shape[2] if len(shape) == 3 else 1, (shape[0], shape[1]))


class Step(NamedTuple):
    """One layer on the way down; per axis the kernel, the stride, the padding and what the stride leaves."""

    inputs: int
    outputs: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    remainder: tuple[int, ...]
    left_sizes: tuple[int, ...]

    @classmethod
    def of(cls, inputs: int, outputs: int, sizes: tuple[int, ...], kernel: int, stride: int) -> Step:
        """Padded so that size // stride places are left; short axes keep theirs, under a kernel of 3."""
        axes = [(kernel, stride) if size >= 2 * stride else (3, 1) for size in sizes]
        kernels, strides = tuple(k for k, _ in axes), tuple(s for _, s in axes)
        return cls(
            inputs,
            outputs,
            kernels,
            strides,
            tuple((k - s) // 2 for k, s in axes),
            tuple(size % s for size, s in zip(sizes, strides, strict=True)),
            tuple(size // s for size, s in zip(sizes, strides, strict=True)),
        )

    @property
    def features(self) -> int:
        """Numbers that are left after this layer."""
        return self.outputs * math.prod(self.left_sizes)
