"""Residual convolutional networks: the noise of a picture is predicted and taken away.

    r(x_tilde) = x_tilde - decode(encode(x_tilde))        z = [x_tilde, features]

No pooling and no narrow code: a picture keeps its resolution but for one exchange of pixels for channels
(`shuffle`), which quarters the work and doubles what a filter sees, and every layer adds to what the one
before it left. The last layer starts at zero, so that training starts at r(x) = x. Filters know nothing of
the size of a picture: a network trained on patches restores photographs.

Beside the picture the filters see how strong its noise is, so that one network serves all levels: the number
or plane that comes with x_tilde (`NoiseLevels` appends it), or an estimate from its finest diagonal detail,
median |d| / 0.6745 (Donoho & Johnstone 1994). Colours go in as their mean and two differences, each with its
own level: in a grey picture with three equal channels the differences are zero and free of noise, and so one
network serves grey and colour too.

References: Zhang et al. (2017), Beyond a Gaussian denoiser, IEEE TIP 26; Zhang, Zuo & Zhang (2018), FFDNet,
IEEE TIP 27.

>>> from isthmus.parts import Layout
>>> down, up = ResidualConvNet(width=8, depth=2).build(Layout.numeric(48, (4, 4, 3)), 0)
>>> x = torch.rand(2, 48)
>>> bool((up(down(x)) == x).all())
True
"""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.checks import must, need
from isthmus.networks.architecture import Architecture
from isthmus.parts import Layout

__all__ = ["ResidualConvNet", "estimated_level"]

GENTLE = 0.3  # of the usual size: eight layers that add would otherwise multiply what passes by 16
OPPONENT = ((1 / 3, 1 / 3, 1 / 3), (1 / 6**0.5, 0.0, -1 / 6**0.5), (1 / 18**0.5, -2 / 18**0.5, 1 / 18**0.5))


class ResidualConvNet(Architecture):
    """Predicts the noise of pictures: `depth` layers of `width` filters of 3 x 3, each added to the last.

    width: filters of a layer. depth: layers between the first and the last. shuffle: pixels a side that
        become channels, 2 for photographs, 1 for pictures of some 30 pixels.

    Use it with `n_components=None` and a corruption. It takes rows (n, d) or (n, d + 1), whose last number is
    the standard deviation of the noise, and pictures of any size as `Features.planes` prepares them.
    """

    width: int = 64
    depth: int = 8
    shuffle: int = 2

    def build(self, layout: Layout, n_components: int) -> tuple[Features, Noise]:
        """Features of a picture, and the noise they show."""
        sides = _sides(layout)
        for name in ("width", "depth", "shuffle"):
            value = getattr(self, name)
            need(isinstance(value, int) and value >= 1, name, "be at least 1", value, f"Leave {name} out")
        return Features(sides, self), Noise(sides, self)

    def code_width(self, layout: Layout) -> int:
        """Numbers in the code: the picture's own, sides rounded up, and the features."""
        height, width, channels = _sides(layout)
        across = math.ceil(height / self.shuffle) * math.ceil(width / self.shuffle)
        return across * (channels * self.shuffle**2 + self.width)

    @property
    def reach(self) -> int:
        """Pixels to either side that may change what a pixel becomes."""
        return (self.depth + 3) * self.shuffle - 1


class Features(nn.Module):
    """Pictures -> their pixels and features, as rows (n, k), or as planes where they came as planes."""

    def __init__(self, sides: tuple[int, int, int], plan: ResidualConvNet) -> None:
        super().__init__()
        self.shape, self.shuffle, self.reach = sides, plan.shuffle, plan.reach
        channels = self.shape[2]
        self.levels = 2 if channels == 3 else 1
        self.first = _filters(channels * plan.shuffle**2 + self.levels, plan.width)
        self.layers = nn.ModuleList(_filters(plan.width, plan.width, GENTLE) for _ in range(plan.depth))
        opponent = torch.tensor(OPPONENT) if channels == 3 else torch.eye(channels)
        self.register_buffer("opponent", opponent, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """X (n, d[+1]) -> z (n, k); `planes` (n, h, w, c + levels) -> z (n, k', h', w')."""
        planes = self._planes_of_rows(x) if x.dim() == 2 else x
        planes = planes.permute(0, 3, 1, 2)
        pixels, levels = planes[:, : self.shape[2]], planes[:, self.shape[2] :]
        seen = F.pixel_unshuffle(torch.einsum("oc,nchw->nohw", self.opponent, pixels), self.shuffle)
        levels = levels[:, :, :: self.shuffle, :: self.shuffle]
        h = self.first(torch.cat([seen, levels], 1).contiguous(memory_format=torch.channels_last))
        for layer in self.layers:
            h = h + F.relu(layer(h))
        z = torch.cat([F.pixel_unshuffle(pixels, self.shuffle), h.to(pixels.dtype)], 1)
        return z.flatten(1) if x.dim() == 2 else z

    def planes(self, pixels: Tensor, level: Tensor | None = None) -> Tensor:
        """Pictures (n, h, w, c) and their level, (n, 1, 1) or (n, h, w) or None, as what the filters look at:
        (n, h', w', c + levels), the sides made multiples of `shuffle` by repeating the last pixels.
        """
        level = estimated_level(pixels) if level is None else level
        levels = level.expand(pixels.shape[:3])[..., None]
        if self.levels == 2:
            grey = (pixels == pixels[..., :1]).flatten(1).all(1).view(-1, 1, 1, 1)
            differences = torch.where(grey, 0.0, levels / 3**0.5)
            levels = torch.cat([torch.where(grey, levels, levels / 3**0.5), differences], 3)
        planes = torch.cat([pixels, levels], 3)
        below, right = -planes.shape[1] % self.shuffle, -planes.shape[2] % self.shuffle
        if not (below or right):
            return planes
        return F.pad(planes.permute(0, 3, 1, 2), (0, right, 0, below), mode="replicate").permute(0, 2, 3, 1)

    def _planes_of_rows(self, x: Tensor) -> Tensor:
        width = math.prod(self.shape)
        level = x[:, width:].view(-1, 1, 1) if x.shape[1] > width else None
        return self.planes(x[:, :width].view(-1, *self.shape), level)


class Noise(nn.Module):
    """Pixels and features -> the pixels less their noise."""

    def __init__(self, sides: tuple[int, int, int], plan: ResidualConvNet) -> None:
        super().__init__()
        self.shape, self.shuffle = sides, plan.shuffle
        self.inputs = self.shape[2] * plan.shuffle**2
        self.last = _filters(plan.width, self.inputs)
        nn.init.zeros_(self.last.weight)

    def forward(self, z: Tensor) -> Tensor:
        """Z (n, k) -> output (n, d); (n, k', h', w') -> (n, h, w, c)."""
        height, width, _ = self.shape
        size = (math.ceil(height / self.shuffle), math.ceil(width / self.shuffle))
        planes = z if z.dim() == 4 else z.unflatten(1, (-1, *size))
        noise = self.last(planes[:, self.inputs :].contiguous(memory_format=torch.channels_last))
        clean = F.pixel_shuffle(planes[:, : self.inputs] - noise.to(z.dtype), self.shuffle)
        if z.dim() == 4:
            return clean.permute(0, 2, 3, 1)
        return clean[:, :, :height, :width].permute(0, 2, 3, 1).flatten(1)


def estimated_level(pixels: Tensor) -> Tensor:
    """Standard deviation of white noise on pictures (n, h, w, c), by their diagonal detail: (n, 1, 1)."""
    even = pixels[:, : pixels.shape[1] // 2 * 2, : pixels.shape[2] // 2 * 2]
    if not even.numel():
        return pixels.new_zeros(len(pixels), 1, 1)
    detail = even[:, ::2, ::2] - even[:, 1::2, ::2] - even[:, ::2, 1::2] + even[:, 1::2, 1::2]
    return (detail / 2).flatten(1).abs().median(1).values.view(-1, 1, 1) / 0.6745


def _sides(layout: Layout) -> tuple[int, int, int]:
    """Height, width and channels of the pictures; DataError for data that are none."""
    shape = layout.shape
    if layout.signal or len(shape) not in (2, 3):
        do = "Use MLP() for tables, or inputs=Images() for arrays of more dimensions"
        raise must("X", "be pictures for ResidualConvNet", shape or "rows of a table", do)
    return (shape[0], shape[1], shape[2] if len(shape) == 3 else 1)


def _filters(inputs: int, outputs: int, share: float = 1.0) -> nn.Conv2d:
    """3 x 3 filters that keep the size of what passes a ReLU (He et al. 2015), or a share of it."""
    layer = nn.Conv2d(inputs, outputs, 3, padding=1)
    nn.init.normal_(layer.weight, std=share * math.sqrt(2 / (9 * inputs)))
    nn.init.zeros_(cast("Tensor", layer.bias))
    return layer
