"""Rows without their noise: tables, arrays, and pictures or signals that are all of one shape.

A denoiser r trained with Gaussian noise of standard deviation sigma is more than a filter: its residual
points to where the data are,

    r(x) - x  =  sigma^2 grad log p_sigma(x),

p_sigma being the data's density blurred by the noise (Miyasawa 1961; Vincent 2011; Alain & Bengio 2014). Near
the data the arrows are trustworthy; far from them, where no noise ever took a training row, they are not.

>>> t = np.random.default_rng(0).uniform(0, 2 * np.pi, 2_000)
>>> circle = np.column_stack([np.cos(t), np.sin(t)])
>>> denoiser = SampleDenoiser(noise=GaussianNoise(0.2), random_state=0).fit(circle)
>>> arrow = denoiser.vector_field(np.array([[1.3, 0.0]]))[0]
>>> bool(arrow[0] < -0.15), bool(abs(arrow[1]) < 0.1)
(True, True)
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isthmus.autoencoder import Autoencoder
from isthmus.checks import DataError, must, need
from isthmus.citizen import Transformer
from isthmus.committee import united
from isthmus.corruptions import BlindSpots, Corruption, GaussianNoise, NoiseLevels
from isthmus.forward import rebuilt
from isthmus.inputs import Images, ImagesSchema
from isthmus.losses import SquaredError
from isthmus.many import fit_many
from isthmus.networks import MLP, ResidualConvNet
from isthmus.training import Trainer, fast_in_bf16

__all__ = ["SampleDenoiser", "default_sample_model"]

SMALL = 16  # pixels a side below which filters see no more than dense layers do
UPDATES, BATCH = 2_000, 32  # of a training of pictures
FEW_PIXELS = 16_000, 64  # the same of pictures of fewer pixels, whose updates cost nothing
MEMBERS = 4  # networks of those, side by side
AVERAGED = 0.999  # decay of the running mean of their weights: noise that is new every time makes them wander
EPOCHS = (4, 800)  # at least, at most

Array = NDArray[np.float64]


def default_sample_model(
    X: Any, noise: Corruption | None = None, trainer: Trainer | None = None
) -> Autoencoder:
    """The network for X: filters for pictures (n, h, w[, c]) of 16 pixels a side and more, dense layers for
    smaller ones and for rows.

    noise: by default Gaussian: of up to half the range, told to the filters; of 0.3 standard deviations.
    """
    shape = tuple(getattr(X, "shape", ()))
    if len(shape) < 3:
        usual = GaussianNoise(0.3) if noise is None else noise
        return Autoencoder(None, architecture=MLP((256, 256)), corruption=usual, trainer=trainer or Trainer())
    large = not _few_pixels(X)
    updates, batch = (UPDATES, BATCH) if large else FEW_PIXELS
    epochs = min(EPOCHS[1], max(EPOCHS[0], round(updates * batch / max(1, shape[0]))))
    bf16, averaged = large and fast_in_bf16(), 0.0 if large else AVERAGED
    plan = trainer or Trainer(epochs, batch, lr=2e-3, averaged=averaged, bf16=bf16)
    parts: dict[str, Any] = {"loss": SquaredError(), "inputs": Images(), "trainer": plan}
    if not large:
        usual = NoiseLevels(0.0, 0.5) if noise is None else noise
        return Autoencoder(None, architecture=MLP((256, 256)), corruption=usual, **parts)
    told = NoiseLevels(0.0, 0.5, tell=True) if noise is None else noise
    return Autoencoder(None, architecture=ResidualConvNet(), corruption=told, **parts)


def _few_pixels(X: Any) -> bool:
    """Whether X are pictures or signals with a side of fewer than 16."""
    shape = tuple(getattr(X, "shape", ()))
    return len(shape) > 2 and min(shape[1:3]) < SMALL


def _committee(model: Autoencoder, X: Any) -> Autoencoder:
    """The mean of several such models: noise that is new every time makes each another, their mean better.
    Where there is a checkpoint, each has its own beside it.
    """
    from sklearn.base import clone

    trainer, seed = model.trainer, model._drawn_seed()
    models = []
    for i in range(MEMBERS):
        path = None if trainer.checkpoint is None else f"{trainer.checkpoint}.{i + 1}"
        own = {"random_state": seed + i, "trainer": trainer.with_params(checkpoint=path)}
        models.append(clone(model).set_params(**own))
    trained = [one for one in fit_many(models, X) if one.history_rows_[-1]["epoch"] > 0]
    one = united(trained or models[:1])  # Ctrl-C leaves those whose turn had not come at their start
    one.trainer = trainer
    return one


class SampleDenoiser(Transformer):
    """Learns from rows of one shape to take noise out of others like them.

    Parameters
    ----------
    model : Autoencoder, or any transformer with inverse_transform, or None
        What is trained, with a corruption that is the noise to be expected. PCA and a Pipeline of such are
        projections, here for comparison. None takes `default_sample_model`.
    noise : Corruption or None
        For the default model: `GaussianNoise(0.3)`, `SaltAndPepper(0.2)`, `MaskingNoise(0.3)`, ...
    noisy : bool
        Whether the rows to learn from are noisy themselves, which pictures and signals may be: the network is
        then trained on blind spots.
    trainer : Trainer or None
        For the default model: how long to train.
    random_state : int, RandomState, Generator or None
        Seed of the model, where that has none.

    Attributes
    ----------
    model_ : the trained model.
    notes_ : list of str
        What was chosen and noticed, in sentences.
    n_features_in_, feature_names_in_ : as in scikit-learn
    """

    facts_: dict[str, Any]  # what a face wants kept in the file, as plain values
    model_: Any
    n_features_in_: int

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

    # ---------------------------------------------------------------- learning

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from clean rows of X: a table, an array (n, d), pictures (n, h, w[, c]).

        y: clean rows, or second noisy takes, where X are noisy takes of the same things. Raises DataError for
        what cannot be used.
        """
        model = self._model(X, pairs=y is not None)
        if self.model is None and y is None and not self.noisy and _few_pixels(X):
            self.model_ = _committee(model, X)
        else:
            self.model_ = model.fit(X) if y is None else model.fit_pairs(X, y)
        self.facts_, self.notes_ = {}, list(getattr(self.model_, "notes_", []))
        self._note_features(self.model_)
        return self

    def _note_features(self, model: Any) -> None:
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(model, name):
                setattr(self, name, getattr(model, name))

    @property
    def _n_features_out(self) -> int:
        return int(self.n_features_in_)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """The columns that went in."""
        self.must_be_fitted()
        self._check_input_features(input_features)
        numbered = [f"x{j}" for j in range(self._n_features_out)]
        return np.asarray(getattr(self, "feature_names_in_", numbered), dtype=object)

    @staticmethod
    def usual_trainer(X: Any) -> Trainer:
        """The default model's."""
        return default_sample_model(X).trainer

    def _model(self, X: Any, pairs: bool) -> Any:
        from sklearn.base import clone

        noise = BlindSpots() if self.noisy else self.noise
        model = default_sample_model(X, noise, self.trainer) if self.model is None else clone(self.model)
        if not isinstance(model, Autoencoder):
            need(
                not pairs and not self.noisy,
                "model",
                "be an Autoencoder to learn from noise",
                model,
                "Use one",
            )
            return model
        if pairs:
            model.set_params(corruption=None)
        if model.random_state is None:
            model.set_params(random_state=self.random_state)
        return model

    # ---------------------------------------------------------------- using

    def transform(self, X: Any, level: float | None = None) -> Any:
        """r(x) for the rows of X, in their own kind.

        level: the noise's standard deviation in the data's units, for a model that is told levels; estimated
        where None.
        """
        self.must_be_fitted()
        if not isinstance(self.model_, Autoencoder):
            return self.model_.inverse_transform(self.model_.transform(X))
        if level is None:
            return self.model_.reconstruct(X)
        corruption, schema = self.model_.corruption, self.model_.schema_
        told = isinstance(corruption, NoiseLevels) and corruption.tell and isinstance(schema, ImagesSchema)
        need(
            told,
            "level",
            "be left out for a model that is not told levels",
            level,
            "Use NoiseLevels(tell=True)",
        )
        x = schema.encode(schema.source(X)).x
        sigma = np.full((len(x), 1), level / schema.scales.scale[0], np.float32)  # type: ignore[attr-defined]
        made = rebuilt(self.model_.network_, self.model_.loss, schema.layout, np.hstack([x, sigma]))
        return schema.decode(made, like=X)

    def denoise(self, X: Any, level: float | None = None) -> Any:
        """The same as `transform`."""
        return self.transform(X, level)

    def vector_field(self, points: Any) -> Array:
        """r(x) - x at points (n, d) in the data's own units: the way to the data manifold."""
        self.must_be_fitted()
        x = np.asarray(points, dtype=np.float64)
        need(x.ndim == 2, "points", "be an array (n, d)", f"shape {x.shape}", "Use one row for each point")
        return np.asarray(self.transform(points), dtype=np.float64) - x

    def score_estimate(self, points: Any) -> Array:
        """(r(x) - x) / sigma^2 at points (n, d): an estimate of grad log p_sigma, the gradient of the
        logarithm of the data's density blurred by the noise, per unit of the data.

        Raises DataError where the noise of the training was not Gaussian of one known sigma.
        """
        score: Array = self.vector_field(points) / np.square(self._sigma())
        return score

    def _sigma(self) -> Any:
        """The noise's standard deviation in the data's units, of each column."""
        corruption = getattr(self.model_, "corruption", None)
        if not isinstance(corruption, GaussianNoise):
            do = "Use SampleDenoiser(noise=GaussianNoise(0.3))"
            raise must("noise", "be Gaussian of one sigma for a score", corruption, do)
        scales = self.model_.schema_.scales
        if scales.squeezed:
            raise DataError(
                "X must have no columns squeezed by asinh for a score. Use Table(scaling=Unscaled())."
            )
        return corruption.sigma * np.array(scales.scale)
