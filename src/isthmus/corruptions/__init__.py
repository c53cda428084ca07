"""Corruptions: x -> x_tilde, while the target stays clean.

A denoising autoencoder must give back x from x_tilde, so it cannot copy; it learns where the data live, and
its residual r(x) - x points there (Vincent et al. 2008; Alain & Bengio 2014). Every corruption draws from
the generator it is handed and works on cells, so a one-hot group is masked or swapped as one. They add up:
`GaussianNoise(0.1) + MaskingNoise(0.2)` applies the first, then the second. One of your own is one method:

>>> import torch
>>> class Fade(Corruption):
...     to: float = 0.5
...
...     def __call__(self, x, layout, generator):
...         return x * self.to
>>> Fade()(torch.ones(1, 2), None, None)
tensor([[0.5000, 0.5000]])
"""

from isthmus.corruptions.base import Corruption, Corruptions
from isthmus.corruptions.distortion import Distortion
from isthmus.corruptions.masks import BlindSpots, BlockMask, MaskingNoise, VaryingMask
from isthmus.corruptions.noise import GaussianNoise, NoiseAtSNR, NoiseLevels, SaltAndPepper, SwapNoise

__all__ = [
    "BlindSpots",
    "BlockMask",
    "Corruption",
    "Corruptions",
    "Distortion",
    "GaussianNoise",
    "MaskingNoise",
    "NoiseAtSNR",
    "NoiseLevels",
    "SaltAndPepper",
    "SwapNoise",
    "VaryingMask",
]
