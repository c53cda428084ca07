"""The networks an `Inpainter` trains when it is given none.

How long: a fixed number of pixels is looked at, minutes on one core, whether they come from few large
pictures or many small ones.
"""

from __future__ import annotations

import math

from isthmus.autoencoder import Autoencoder
from isthmus.holes import HoleMask
from isthmus.inputs import Images
from isthmus.losses import SquaredError
from isthmus.networks import FilledConvNet
from isthmus.training import Trainer, fast_in_bf16

__all__ = ["default_patch_model", "default_picture_model"]

PIXELS = 2e7  # looked at in training
BATCH = 50_000  # pixels of a batch
DENSE = 2_500  # numbers in a picture up to which dense layers see it whole
KEPT = 4_000  # pictures a model keeps to choose neighbours from
SOME = 2_000  # pictures from which on many axes can be told
HELD_OUT = 0.1


def default_picture_model(
    n: int, shape: tuple[int, ...], holes: HoleMask = HoleMask(), trainer: Trainer | None = None
) -> Autoencoder:
    """For n pictures of one shape (h, w[, c]), none of its sides long: every fill, and dense layers."""
    pixels, training = shape[0] * shape[1], max(1, round(n * (1 - HELD_OUT)))
    net = FilledConvNet(
        axes=min(100 if n >= SOME else 60, max(1, training - 1), math.prod(shape)),
        neighbours=min(10, max(1, training - 1)),
        pictures=min(KEPT, training),
        hidden=1024 if math.prod(shape) <= DENSE else 0,
    )
    epochs = min(200, max(3, round(PIXELS / (n * pixels))))
    batch = min(64, max(4, round(BATCH / pixels)), training)
    usual = Trainer(max_epochs=epochs, batch_size=batch, lr=1.2e-3, held_out=HELD_OUT)
    return _model(net, holes, _completed(trainer, usual))


def default_patch_model(holes: HoleMask = HoleMask(), trainer: Trainer | None = None) -> Autoencoder:
    """For patches of photographs: filters alone, which know no size."""
    usual = Trainer(max_epochs=3, batch_size=16, lr=1.5e-3, held_out=0.03, bf16=fast_in_bf16())
    local = FilledConvNet(depth=6, axes=0, neighbours=0, hidden=0)
    return _model(local, holes, _completed(trainer, usual))


def _completed(trainer: Trainer | None, usual: Trainer) -> Trainer:
    """What a trainer leaves open as is usual here."""
    if trainer is None:
        return usual
    names = [name for name in ("max_epochs", "batch_size", "lr") if getattr(trainer, name) is None]
    completed: Trainer = trainer.with_params(**{name: getattr(usual, name) for name in names})
    return completed


def _model(net: FilledConvNet, holes: HoleMask, trainer: Trainer) -> Autoencoder:
    return Autoencoder(
        None, architecture=net, loss=SquaredError(), corruption=holes, inputs=Images(), trainer=trainer
    )
