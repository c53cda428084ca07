"""The inpainter: learns from whole pictures what holes in others hide.

    x_hat = x where it is known;  in the hole  sum_k w_k fill_k(x) + correction(x)

Classical tools carry on what lies at the edge of a hole; they know nothing of digits or faces. Statistics of
other pictures know those, but not this one's details. `FilledConvNet` starts at the mean of both and learns,
from pictures whose holes it was shown filled, whom to trust where, and what all of them miss. Pictures of one
small size are filled from all they show and from those they are like; photographs of any size from what lies
around the hole. What is known comes back bit for bit.

>>> rng = np.random.default_rng(0)
>>> X = np.cumsum(rng.normal(size=(300, 1, 1)) + rng.normal(size=(300, 1, 1)) * np.ones((1, 12, 12)), axis=2)
>>> from isthmus import Trainer
>>> inpainter = Inpainter(trainer=Trainer(max_epochs=2, progress=False), random_state=0).fit(X[:250])
>>> broken = X[250:].copy()
>>> broken[:, 4:8, 4:8] = np.nan
>>> made = inpainter.transform(broken)
>>> bool((made[:, 0] == X[250:, 0]).all()), bool(np.abs(made - X[250:]).mean() < 0.2)
(True, True)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from isthmus.autoencoder import Autoencoder
from isthmus.checks import need
from isthmus.citizen import Estimator
from isthmus.denoising.patches import Album, as_planes, ends, patches
from isthmus.forward import rebuilt
from isthmus.holes import HoleMask
from isthmus.inpainting.defaults import default_patch_model, default_picture_model
from isthmus.inpainting.hidden import hidden_in
from isthmus.inpainting.uncertainty import MOST, Errors, carried, peeled
from isthmus.inputs import Pictures
from isthmus.inputs.folders import is_path, refuse_others
from isthmus.inputs.scaling import whole
from isthmus.networks import FilledConvNet
from isthmus.tiling import filtered
from isthmus.training import Trainer, seed_from
from isthmus.wording import counted

__all__ = ["Draws", "Inpainter"]

SIDE = 64  # pixels a side of a patch
PATCHES = 4_000
LARGEST = 128  # pixels of a picture's longer side up to which it is learned whole
ROWS = 64  # pictures at a time

Progress = Callable[[float], object]


class Draws(NamedTuple):
    """pictures (draws, h, w[, c]): plausible fills. spread (h, w): the standard deviation expected of the
    error, in the picture's units; 0 where it is known.
    """

    pictures: NDArray[Any]
    spread: NDArray[np.float64]


class Inpainter(Estimator):
    """Learns from pictures without holes to fill those of others.

    Parameters
    ----------
    model : Autoencoder or None
        What is trained: `FilledConvNet` as architecture, `HoleMask` as corruption. None is a default that
        suits the pictures.
    holes : HoleMask
        For the default model: the holes to be expected.
    members : int
        Models, each with its own held-out pictures, whose fills are averaged.
    patches : int
        Squares of 64 pixels a side that are cut from photographs.
    trainer : Trainer or None
        For the default model: how long to train; what it leaves open is chosen. None is minutes.
    random_state : int, RandomState, Generator or None
        Seed.

    Attributes
    ----------
    models_ : list of Autoencoder
        The trained members.
    whole_ : bool
        Whether pictures of one size were learned whole, or patches of photographs.
    errors_ : Errors
        What is left on held-out pictures; the draws are made of it.
    notes_ : list of str
        What was chosen and noticed, in sentences.

    References
    ----------
    Pathak et al. (2016), Context encoders: feature learning by inpainting, CVPR.
    """

    facts_: dict[str, Any]  # what a face wants kept in the file, as plain values

    def __init__(
        self,
        model: Any = None,
        *,
        holes: HoleMask = HoleMask(),
        members: int = 1,
        patches: int = PATCHES,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.model = model
        self.holes = holes
        self.members = members
        self.patches = patches
        self.trainer = trainer
        self.random_state = random_state

    # ---------------------------------------------------------------- learning

    def fit(self, X: Any, y: None = None) -> Self:
        """Learn from whole pictures: an array (n, h, w[, c]), a folder, or a list of photographs.

        Pictures of one size, at most 128 pixels a side, are learned whole, others in patches. Raises
        DataError for what cannot be used.
        """
        self._check_parameters()
        rng = np.random.default_rng(seed_from(self.random_state))
        X, self.whole_, notes = _opened(X, self.patches, rng)
        shape, n = tuple(X.shape[1:]), len(X)
        self.models_ = [
            self._model(n, shape, int(rng.integers(2**31 - 1))).fit(X) for _ in range(self.members)
        ]
        self.facts_, self.notes_ = {}, [*notes, *self.models_[0].notes_]
        first = self.models_[0]
        kept = first.held_out_ if len(first.held_out_) else np.arange(n)
        encoded = first.schema_.encode(X[np.sort(kept)[:MOST]]).x
        self.errors_ = Errors.learned(
            encoded, shape, self._holes_of(first), self._filled, int(rng.integers(2**31))
        )
        self.notes_.append(self.errors_.sentence)
        return self

    def _model(self, n: int, shape: tuple[int, ...], seed: int) -> Any:
        from sklearn.base import clone

        if self.model is not None:
            model = clone(self.model)
        elif self.whole_:
            model = default_picture_model(n, shape, self.holes, self.trainer)
        else:
            model = default_patch_model(self.holes, self.trainer)
        if model.random_state is None or self.members > 1:
            model.set_params(random_state=seed)
        return model

    def _holes_of(self, model: Autoencoder) -> HoleMask:
        return model.corruption if isinstance(model.corruption, HoleMask) else self.holes

    def _check_parameters(self) -> None:
        model = self.model
        good = model is None or isinstance(model, Autoencoder)
        need(good, "model", "be an Autoencoder, or None", model, "Use model=None")
        fits = model is None or (
            isinstance(model.architecture, FilledConvNet) and isinstance(model.corruption, HoleMask)
        )
        do = "Use Autoencoder(None, architecture=FilledConvNet(), corruption=HoleMask(), inputs=Images())"
        need(fits, "model", "fill holes", model, do)
        need(isinstance(self.holes, HoleMask), "holes", "be a HoleMask", self.holes, "Use HoleMask()")
        for name in ("members", "patches"):
            value = getattr(self, name)
            counts = isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= 1
            need(bool(counts), name, "be a whole number of at least 1", value, f"Leave {name} out")

    # ---------------------------------------------------------------- using

    def inpaint(
        self,
        picture: Any,
        mask: Any = None,
        *,
        colour: Any = None,
        tolerance: float = 0.0,
        rounds: int = 1,
        progress: Progress | None = None,
    ) -> Any:
        """One picture (h, w), (h, w, 3) or (h, w, 4) with its hole filled, in its own kind.

        mask, colour, tolerance: see `hidden_in`; NaN is a hole too. rounds: fill from the edge inward, each
        round taking the outer part of what is left as known. progress: called with the share that is done.
        Known pixels, and transparency, come back bit for bit. Raises DataError for what is no picture of the
        model's size.
        """
        self.must_be_fitted()
        array = np.asarray(picture)
        return self._finished(array, *self._guessed(array, mask, colour, tolerance, rounds, progress))

    def transform(self, X: Any, mask: Any = None, *, colour: Any = None, tolerance: float = 0.0) -> Any:
        """Pictures with their holes filled: a list of any sizes, or an array (n, h, w[, c]).

        mask: one for all, (h, w), or one each.
        """
        self.must_be_fitted()
        masks = _each(mask, X)
        if self.whole_ and not isinstance(X, (list, tuple)) and colour is None:
            return self._transformed(np.asarray(X), masks)
        made = [self.inpaint(x, m, colour=colour, tolerance=tolerance) for x, m in zip(X, masks, strict=True)]
        return made if isinstance(X, (list, tuple)) else np.stack(made)

    def draws(
        self,
        picture: Any,
        mask: Any = None,
        draws: int = 4,
        *,
        colour: Any = None,
        tolerance: float = 0.0,
        random_state: Any = 0,
    ) -> Draws:
        """Several plausible fills of one picture, and how far off to expect each pixel.

        Of pictures learned whole, a draw is the fill plus the error the model made on a held-out picture with
        the very same hole, one of those most like this picture. Of photographs, it is the fill plus smooth
        noise, as strong as held-out errors are so far from what is known.
        """
        self.must_be_fitted()
        need(bool(draws >= 1), "draws", "be at least 1", draws, "Use draws=4")
        array, rng = np.asarray(picture), np.random.default_rng(seed_from(random_state))
        x, hole, scale = self._guessed(array, mask, colour, tolerance, 1, None)
        changes, spread = self.errors_.around(x, hole, draws, self._filled if self.whole_ else None, rng)
        made = [self._finished(array, np.clip(x + change, 0, 1), hole, scale) for change in changes]
        return Draws(np.stack(made), spread * scale[1] * hole)

    # ---------------------------------------------------------------- the pieces

    def _guessed(
        self,
        array: NDArray[Any],
        mask: Any,
        colour: Any,
        tolerance: float,
        rounds: int,
        progress: Progress | None,
    ) -> tuple[NDArray[Any], NDArray[np.bool_], tuple[float, float]]:
        """The filled picture in [0, 1], (h, w, c), its hole, and its black and span."""
        picture = array[..., :3] if array.ndim == 3 and array.shape[2] == 4 else array
        hole = hidden_in(picture, mask, colour, tolerance) if picture.ndim in (2, 3) else np.zeros(0, bool)
        filled = np.where(np.isnan(picture), 0, picture) if picture.dtype.kind == "f" else picture
        (pixels,) = [np.asarray(one) for one in Album([filled])]
        good = isinstance(rounds, (int, np.integer)) and rounds >= 1
        need(good, "rounds", "be a whole number of at least 1", rounds, "Leave it out")
        scale = self._scale(picture[~hole] if hole.any() else picture)
        x = ((pixels - scale[0]) / scale[1]).astype(np.float32)
        x = x if x.ndim == 3 else x[..., None]
        if not hole.any():
            return x, hole, scale
        for left in peeled(hole, rounds):
            x = np.where(left[..., None], self._one(x, left, progress), x)
        return x, hole, scale

    def _finished(
        self, array: NDArray[Any], x: NDArray[Any], hole: NDArray[np.bool_], scale: tuple[float, float]
    ) -> Any:
        """The picture itself with its hole taken from x in [0, 1]."""
        made = array.copy()
        values = x[hole].astype(np.float64) * scale[1] + scale[0]
        values = whole(values, str(array.dtype)) if array.dtype.kind in "iu" else values
        channels = x.shape[2]
        if made.ndim == 2:
            made[hole] = values[:, 0].astype(array.dtype)
        else:
            made[hole, :channels] = values.astype(array.dtype)
        return made

    def _one(self, x: NDArray[Any], hole: NDArray[np.bool_], progress: Progress | None) -> NDArray[Any]:
        """One picture (h, w, c) in [0, 1] through the model, whatever its channels."""
        channels = self._shape[2]
        if x.shape[2] == 3 and channels == 1:
            return np.concatenate([self._one(x[..., k : k + 1], hole, progress) for k in range(3)], axis=2)
        planes = np.ascontiguousarray(as_planes(x if x.shape[2] > 1 else x[..., 0], channels), np.float32)
        if self.whole_:
            size = self._shape[:2]
            fits, do = x.shape[:2] == size, "Bring it to that size, or fit on photographs"
            need(fits, "the picture", f"be {size[0]} x {size[1]} as those of fit", x.shape[:2], do)
            made = self._filled(planes.reshape(1, -1), hole.reshape(1, -1)).reshape(planes.shape)
        else:
            made = self._tiled(planes, hole, progress)
        return made if channels == x.shape[2] else made.mean(axis=2, keepdims=True)

    def _tiled(
        self, planes: NDArray[Any], hole: NDArray[np.bool_], progress: Progress | None
    ) -> NDArray[Any]:
        """A photograph (h, w, c) in tiles: around the hole alone."""
        reach = 4 * SIDE
        rows, columns = (carried(np.any(hole, axis=1 - axis), reach) for axis in (0, 1))
        part, inner = planes[rows, columns], hole[rows, columns]
        done, pixels = 0, inner.size * len(self.models_)

        def tell(count: int) -> None:
            nonlocal done
            done += count
            if progress is not None:
                progress(min(1.0, done / pixels))

        part = np.where(inner[..., None], np.float32(0), part)
        level = inner.astype(np.float32)
        each = [filtered(m.network_, np.ascontiguousarray(part), level, each=tell) for m in self.models_]
        made = planes.copy()
        made[rows, columns] = np.clip(np.mean(each, axis=0), 0, 1)
        return made

    def _filled(self, x: NDArray[Any], hidden: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Encoded pictures (n, d) with holes (n, h * w) filled, in [0, 1]: the mean over the members."""
        channels = x.shape[1] // hidden.shape[1]
        shown = np.where(np.repeat(hidden, channels, axis=1), 0, x).astype(np.float32)
        rows = np.concatenate([shown, hidden.astype(np.float32)], axis=1)
        total = np.zeros(x.shape, np.float32)
        for model in self.models_:
            for at in range(0, len(rows), ROWS):
                some = rows[at : at + ROWS]
                total[at : at + ROWS] += rebuilt(model.network_, model.loss, model.schema_.layout, some)
        return np.clip(total / len(self.models_), 0, 1)

    def _transformed(self, X: NDArray[Any], masks: list[Any]) -> NDArray[Any]:
        """An array of pictures of the model's size at once."""
        height, width, channels = self._shape
        fits = X.ndim in (3, 4) and (*X.shape[1:], 1)[:3] == (height, width, channels)
        need(
            fits, "X", f"be pictures (n, {height}, {width}[, {channels}])", X.shape, "Use those of fit's size"
        )
        holes = np.stack([hidden_in(x, mask) for x, mask in zip(X, masks, strict=True)])
        scale = self._scale(X)
        pixels = np.where(np.isnan(X), 0, X) if X.dtype.kind == "f" else X
        x = ((pixels - scale[0]) / scale[1]).astype(np.float32).reshape(len(X), -1)
        made = self._filled(x, holes.reshape(len(X), -1)).reshape(len(X), height, width, channels)
        pairs = zip(X, made, holes, strict=True)
        return np.stack([self._finished(one, fill, hole, scale) for one, fill, hole in pairs])

    def _scale(self, known: NDArray[Any]) -> tuple[float, float]:
        """Black and white less black: those of fit for data of its kind, else of the picture's own kind."""
        schema = self.models_[0].schema_
        if self.whole_ and str(known.dtype) == schema.dtype:
            return schema.scales.centre[0], schema.scales.scale[0]
        low, high = ends(known)
        return low, high - low

    @property
    def _shape(self) -> tuple[int, int, int]:
        """Height, width and channels of what the model takes."""
        shape = (*self.models_[0].schema_.layout.shape, 1)
        return int(shape[0]), int(shape[1]), int(shape[2])


def _opened(X: Any, count: int, rng: np.random.Generator) -> tuple[Any, bool, list[str]]:
    """Pictures of one size as an array and True, or patches of others and False; and notes."""
    notes: list[str] = []
    refuse_others(X, Pictures.KIND)
    if hasattr(X, "load") and not isinstance(X, Pictures):
        X = X.load()
    if is_path(X) or isinstance(X, Pictures):
        X = X if isinstance(X, Pictures) else Pictures(X)
        sizes, most = {head.size for head in X.headers.values()}, max(X.size)
        if len(sizes) == 1 and most <= LARGEST:
            return np.concatenate(list(X.blocks())), True, list(X.about_skipped())
    elif hasattr(X, "shape"):
        array = np.asarray(X)
        fits = array.ndim in (3, 4) and len(array) > 0 and array.dtype.kind in "uif"
        need(
            fits,
            "X",
            "be pictures (n, h, w[, c])",
            array.shape,
            "Pass such, a list or a folder, or use Imputer for tables",
        )
        clean = array.dtype.kind != "f" or bool(np.isfinite(array).all())
        need(clean, "X", "be pictures without holes to learn from", "NaN or infinity", "Leave those out")
        if max(array.shape[1:3]) <= LARGEST:
            return array, True, notes
    else:
        X = list(X)
    album = Album(X)
    colours = "in colour and grey" if album.coloured else "in grey"
    notes = [
        f"Learned from {count:,} patches of {counted(len(album), 'photograph')}, {colours}.",
        *album.skipped,
    ]
    return patches(album, count, SIDE, rng), False, notes


def _each(mask: Any, X: Any) -> list[Any]:
    """A mask for every picture."""
    if mask is None or isinstance(mask, (list, tuple)):
        masks = [None] * len(X) if mask is None else list(mask)
    else:
        mask = np.asarray(mask)
        masks = [mask] * len(X) if mask.ndim == 2 else list(mask)
    need(len(masks) == len(X), "mask", f"be one, or {len(X)}", len(masks), "Give one for each picture")
    return masks
