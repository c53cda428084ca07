"""The denoiser: whatever is noisy in, the clean thing out.

    x_tilde -> r(x_tilde)        r learned from pairs (x, corrupt(x)): it maps the damaged towards the data

What it does depends on the data: photographs of any sizes go through filters in tiles (`PhotoDenoiser`),
recordings of any length through a mask on their spectrum in windows (`AudioDenoiser`), tables, arrays and
pictures of one small size as they are (`SampleDenoiser`). `Denoiser` looks at the data and picks one; each
can also be used by itself.

A narrow code has nothing to do with it: an autoencoder trained on clean data and used as a projection loses
to PCA nearly everywhere. What a denoiser needs is to have seen noise.

Reference: Vincent et al. (2008), Extracting and composing robust features with denoising autoencoders, ICML.

>>> rng = np.random.default_rng(0)
>>> X = np.tanh(rng.normal(size=(500, 2)) @ rng.normal(size=(2, 8)))
>>> denoiser = Denoiser(random_state=0).fit(X)
>>> noisy = X + 0.2 * rng.normal(size=X.shape)
>>> bool(np.square(denoiser.denoise(noisy) - X).mean() < 0.5 * np.square(noisy - X).mean())
True
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np

from isthmus.checks import DataError, need
from isthmus.citizen import Estimator
from isthmus.corruptions import Corruption
from isthmus.denoising.audio import AudioDenoiser
from isthmus.denoising.photos import SIDE, PhotoDenoiser
from isthmus.denoising.samples import SampleDenoiser
from isthmus.inputs import Pictures, Recordings
from isthmus.inputs.folders import is_path, open_folder
from isthmus.training import Trainer

__all__ = ["Denoiser", "denoiser_for"]

LARGE = SIDE  # pixels of a picture's shorter side from which on patches teach what the whole would


class Denoiser(Estimator):
    """Learns from clean data, or from noisy data alone, to take noise out of other data of the kind.

    Parameters
    ----------
    model : Autoencoder or None
        What is trained, with a corruption that is the noise to be expected; None is a default that suits the
        kind of data.
    noise : Corruption or None
        For the default model of rows and small pictures: the noise to be expected.
    noisy : bool
        Whether the pictures to learn from are noisy themselves.
    trainer : Trainer or None
        For the default model: how long to train.
    random_state : int, RandomState, Generator or None
        Seed.

    Attributes
    ----------
    denoiser_ : PhotoDenoiser, AudioDenoiser or SampleDenoiser
        What was picked, and fitted.
    notes_ : list of str
        What was chosen and noticed, in sentences.
    """

    def __init__(
        self,
        model: Any = None,
        *,
        noise: Corruption | None = None,
        noisy: bool = False,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.model = model
        self.noise = noise
        self.noisy = noisy
        self.trainer = trainer
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from X: a folder of pictures or WAV files, a table, an array, a list of pictures (h, w[, 3])
        or of recordings (time,).

        y: clean ones, or second noisy takes, where X are noisy takes of the same. Raises DataError for what
        cannot be used.
        """
        X, kind = opened_as(X)
        options = {
            name: getattr(self, name)
            for name in kind._defaults()
            if name in ("model", "noise", "noisy", "trainer", "random_state")
        }
        for name in ("noise", "noisy"):
            left_out = name in options or not getattr(self, name)
            need(left_out, name, f"be left out for {kind.__name__}", getattr(self, name), "Set it in a model")
        self.denoiser_ = kind(**options)
        if y is None:
            self.denoiser_.fit(X)
        else:
            self.denoiser_.fit(X, opened_as(y)[0])
        self.notes_ = self.denoiser_.notes_
        return self

    def denoise(self, X: Any, level: float | None = None) -> Any:
        """What was noisy, clean: one picture or recording, or rows, in their own kind.

        level: how strong the noise is, its standard deviation in the data's units; estimated where None.
        """
        self.must_be_fitted()
        if isinstance(self.denoiser_, AudioDenoiser):
            return self.denoiser_.denoise(X, level=level)
        return self.denoiser_.denoise(X, level)

    def transform(self, X: Any) -> Any:
        """Several pictures or recordings, or rows, without their noise."""
        self.must_be_fitted()
        return self.denoiser_.transform(X)

    def vector_field(self, points: Any) -> Any:
        """r(x) - x at points (n, d): the way to the data manifold. See `SampleDenoiser.vector_field`."""
        return self._of_rows().vector_field(points)

    def score_estimate(self, points: Any) -> Any:
        """(r(x) - x) / sigma^2 at points (n, d). See `SampleDenoiser.score_estimate`."""
        return self._of_rows().score_estimate(points)

    def report(self, reference: Any, noisy: Any, restored: Any = None) -> dict[str, float]:
        """How near a noisy picture or recording and what is made of it are to the clean reference."""
        self.must_be_fitted()
        if isinstance(self.denoiser_, SampleDenoiser):
            raise DataError("report needs a denoiser of pictures or recordings. Compare rows by themselves.")
        found: dict[str, float] = self.denoiser_.report(reference, noisy, restored)
        return found

    def _of_rows(self) -> SampleDenoiser:
        self.must_be_fitted()
        if not isinstance(self.denoiser_, SampleDenoiser):
            raise DataError(
                "a vector field needs a denoiser of rows (n, d); got one of other data. Fit it on rows."
            )
        return self.denoiser_


def opened_as(X: Any) -> tuple[Any, type[Any]]:
    """X, a path as what it holds, and the kind of denoiser that suits it."""
    if is_path(X) and Path(X).is_dir():
        X = open_folder(X)
    if isinstance(X, Recordings):
        return X, AudioDenoiser
    if isinstance(X, Pictures):
        return X, PhotoDenoiser
    if isinstance(X, (list, tuple)) and X and all(isinstance(one, np.ndarray) for one in X):
        return X, AudioDenoiser if all(one.ndim == 1 for one in X) else PhotoDenoiser
    shape = getattr(X, "shape", ())
    large = len(shape) in (3, 4) and min(shape[1:3]) >= LARGE
    return X, PhotoDenoiser if large else SampleDenoiser


def denoiser_for(fitted: Any) -> Any:
    """The denoiser inside a `Denoiser`, or one that is fitted by itself."""
    return fitted.denoiser_ if isinstance(fitted, Denoiser) else fitted
