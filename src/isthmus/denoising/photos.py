"""Photographs without their noise.

A network of filters (`ResidualConvNet`) is shown patches of clean photographs with noise of many strengths
added, is told how strong, and learns to give back the clean ones. Filters know nothing of sizes: a picture of
any size goes through in tiles, without seams. Where there is no clean photograph to learn from, two noisy
takes of every scene do (Noise2Noise), or the noisy ones alone by blind spots (Noise2Void).

A general network, trained on the photographs named in `docs/denoising.md`, comes with the package:

>>> rng = np.random.default_rng(0)
>>> clean = np.add.outer(np.arange(0, 128, 2.0), np.arange(0, 64, 1.0))
>>> noisy = np.clip(np.rint(clean + rng.normal(scale=20, size=clean.shape)), 0, 255).astype(np.uint8)
>>> restored = PhotoDenoiser.shipped().denoise(noisy)
>>> restored.dtype, bool(np.square(restored - clean).mean() < 0.1 * np.square(noisy - clean).mean())
(dtype('uint8'), True)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib.resources import files
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isthmus.autoencoder import Autoencoder
from isthmus.checks import need
from isthmus.citizen import Estimator
from isthmus.corruptions import BlindSpots, NoiseLevels
from isthmus.denoising.levels import check_level, noise_level
from isthmus.denoising.metrics import psnr, ssim
from isthmus.denoising.patches import Album, as_planes, ends, patches, unit
from isthmus.inputs import Images
from isthmus.inputs.scaling import whole
from isthmus.losses import SquaredError
from isthmus.networks import ResidualConvNet
from isthmus.tiling import filtered
from isthmus.training import Trainer, fast_in_bf16, seed_from
from isthmus.wording import counted

__all__ = ["PhotoDenoiser", "default_photo_model"]

SIDE = 64  # pixels a side of a patch
PATCHES = 8_000
HIGHEST = 50 / 255  # the strongest noise learned, in units of the whole range
SHIPPED = "photographs.isthmus"
VIEWS = [(turns, mirrored) for odd in (0, 1) for mirrored in (False, True) for turns in (odd, odd + 2)]

Progress = Callable[[float], object]


def default_photo_model(trainer: Trainer | None = None, noisy: bool = False) -> Autoencoder:
    """The network for patches of photographs, clean ones or `noisy` ones."""
    usual = Trainer(max_epochs=6, batch_size=16, lr=2e-3, held_out=0.02, bf16=fast_in_bf16())
    return Autoencoder(
        None,
        architecture=ResidualConvNet(),
        loss=SquaredError(),
        corruption=BlindSpots() if noisy else NoiseLevels(0.0, HIGHEST, tell=True),
        inputs=Images(),
        trainer=usual if trainer is None else trainer,
    )


class PhotoDenoiser(Estimator):
    """Learns from photographs of any sizes to take noise out of others.

    Parameters
    ----------
    model : Autoencoder or None
        What is trained, on patches: an architecture of filters (`ResidualConvNet`), with a corruption that is
        the noise to be expected. None is eight layers of 64 filters, and white noise of up to 50 in 255.
    noisy : bool
        Whether the photographs to learn from are noisy themselves; the network is then trained on blind
        spots.
    views : int
        How many of a picture's eight turned and mirrored views are restored, turned back and averaged
        (Timofte, Rothe & Van Gool 2016): 1 is fastest; a second is worth 0.1 dB, eight 0.2.
    patches : int
        Squares of 64 pixels a side that are cut from the photographs.
    trainer : Trainer or None
        For the default model: how long to train. None is minutes.
    random_state : int, RandomState, Generator or None
        Seed of the patches and of the model.

    Attributes
    ----------
    model_ : Autoencoder
        The trained model of patches.
    notes_ : list of str
        What was chosen and noticed, in sentences.

    References
    ----------
    Zhang et al. (2017), Beyond a Gaussian denoiser, IEEE Transactions on Image Processing 26.
    """

    facts_: dict[str, Any]  # what a face wants kept in the file, as plain values

    def __init__(
        self,
        model: Any = None,
        *,
        noisy: bool = False,
        views: int = 2,
        patches: int = PATCHES,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.model = model
        self.noisy = noisy
        self.views = views
        self.patches = patches
        self.trainer = trainer
        self.random_state = random_state

    # ---------------------------------------------------------------- learning

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from photographs: a folder, a list of arrays (h, w) or (h, w, 3), or an array of such.

        y: the clean ones, or second noisy takes, where X are noisy takes of the same scenes; the network then
        learns to make the one from the other. Raises DataError for what cannot be used.
        """
        self._check_parameters()
        album, rng = Album(X), np.random.default_rng(seed_from(self.random_state))
        model = self._model(int(rng.integers(2**31 - 1)), pairs=y is not None)
        if y is None:
            self.model_ = model.fit(patches(album, self.patches, SIDE, rng))
        else:
            self.model_ = model.fit_pairs(*patches(album, self.patches, SIDE, rng, Album(y)))
        self.facts_ = {}
        colours = "in colour and grey" if album.coloured else "in grey"
        cut = f"Learned from {self.patches:,} patches of {counted(len(album), 'photograph')}, {colours}."
        self.notes_ = [cut, *album.skipped, *self.model_.notes_[1:]]
        return self

    @staticmethod
    def usual_trainer(_: Any = None) -> Trainer:
        """The default model's."""
        return default_photo_model().trainer

    @classmethod
    def shipped(cls) -> PhotoDenoiser:
        """The general one that comes with the package, for white noise of up to 50 in 255."""
        from isthmus.saving import load

        return load(str(files("isthmus.denoising") / SHIPPED))  # type: ignore[no-any-return]

    def _model(self, seed: int, pairs: bool) -> Any:
        from sklearn.base import clone

        model = default_photo_model(self.trainer, self.noisy) if self.model is None else clone(self.model)
        if pairs:
            model.set_params(corruption=None)
        if model.random_state is None:
            model.set_params(random_state=seed)
        return model

    def _check_parameters(self) -> None:
        good = self.model is None or isinstance(self.model, Autoencoder)
        need(good, "model", "be an Autoencoder, or None", self.model, "Use model=None")
        fits = self.model is None or isinstance(self.model.architecture, ResidualConvNet)
        do = "Use Autoencoder(None, architecture=ResidualConvNet(), ...)"
        need(fits, "model", "have an architecture of filters", self.model, do)
        for name, most, usual in (("patches", math.inf, PATCHES), ("views", 8, 2)):
            count = getattr(self, name)
            counted = isinstance(count, (int, np.integer)) and not isinstance(count, bool)
            rule = "be a whole number of at least 1" + (f" and at most {most}" if name == "views" else "")
            need(bool(counted and 1 <= count <= most), name, rule, count, f"Use {name}={usual}")

    # ---------------------------------------------------------------- using

    def denoise(self, picture: Any, level: float | None = None, progress: Progress | None = None) -> Any:
        """A picture (h, w), (h, w, 3) or (h, w, 4) of any size without its noise, in its own kind.

        level: the noise's standard deviation in the picture's units (25 of 255, say); estimated where None,
        and of no use where the model was not told levels. Transparency, a fourth channel, stays as it is.
        progress: called with the share that is done. Raises DataError for what is no picture.
        """
        self.must_be_fitted()
        array = np.asarray(picture)
        if array.ndim == 3 and array.shape[2] == 4:
            return np.concatenate([self.denoise(array[..., :3], level, progress), array[..., 3:]], axis=2)
        (pixels,) = [np.asarray(one) for one in Album([array])]
        low, high = ends(pixels)
        check_level(level, high - low)
        x, told = unit(pixels), None if level is None else level / (high - low)
        if x.ndim == 3 and self._channels == 1:
            made = np.stack([self._restored(x[..., k : k + 1], told, progress)[..., 0] for k in range(3)], 2)
        else:
            made = self._restored(as_planes(x, self._channels), told, progress)
            made = made if x.ndim == 3 else made[..., 0]
        made = made.astype(np.float64).reshape(array.shape) * (high - low) + low
        return (whole(made, str(array.dtype)) if array.dtype.kind in "iu" else made).astype(array.dtype)

    def transform(self, X: Any, level: float | None = None) -> Any:
        """Pictures without their noise: a list of any sizes, or an array (n, h, w[, c])."""
        self.must_be_fitted()
        made = [self.denoise(picture, level) for picture in X]
        return made if isinstance(X, (list, tuple)) else np.stack(made)

    def report(self, reference: Any, noisy: Any, restored: Any = None) -> dict[str, float]:
        """How near a noisy picture and what is made of it are to the clean reference: PSNR in dB, SSIM."""
        restored = self.denoise(noisy) if restored is None else restored
        return {
            "psnr_before": psnr(reference, noisy),
            "psnr_after": psnr(reference, restored),
            "ssim_before": ssim(reference, noisy),
            "ssim_after": ssim(reference, restored),
        }

    @property
    def _channels(self) -> int:
        """Of the model's patches: 3, or 1 where all it learned from was grey."""
        return int((*self.model_.schema_.layout.shape, 1)[2])

    def _restored(self, x: NDArray[Any], level: float | None, progress: Progress | None) -> NDArray[Any]:
        """One picture (h, w, c) in [0, 1], of the model's channels."""
        scales = self.model_.schema_.scales  # of noisy patches, which may leave [0, 1]
        low, span = scales.centre[0], scales.scale[0]
        scaled = np.ascontiguousarray((x - low) / span, dtype=np.float32)
        told = (noise_level(x) if level is None else level) / span
        done, pixels = 0, x.shape[0] * x.shape[1] * self.views

        def tell(count: int) -> None:
            nonlocal done
            done += count
            if progress is not None:
                progress(min(1.0, done / pixels))

        made = np.zeros_like(scaled)
        for view in VIEWS[: self.views]:
            seen = _turned(scaled, *view).copy()
            made += _turned_back(filtered(self.model_.network_, seen, told, each=tell), *view)
        removed = scaled - made / self.views
        much = math.sqrt(float(np.square(removed).mean()))
        if self._is_told and much > told:  # no more is taken away than there is noise
            removed *= told / much
        restored: NDArray[Any] = np.clip((scaled - removed) * span + low, 0, 1)
        return restored

    @property
    def _is_told(self) -> bool:
        """Whether the network learned from pictures whose level it was told."""
        return isinstance(self.model_.corruption, NoiseLevels) and self.model_.corruption.tell


def _turned(picture: NDArray[Any], turns: int, mirrored: bool) -> NDArray[Any]:
    turned = np.rot90(picture, turns)
    return turned[:, ::-1] if mirrored else turned


def _turned_back(picture: NDArray[Any], turns: int, mirrored: bool) -> NDArray[Any]:
    return np.rot90(picture[:, ::-1] if mirrored else picture, -turns)
