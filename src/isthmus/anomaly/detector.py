"""The detector: a model, a score and a calibration as one scikit-learn outlier detector.

Rows are split into K parts, and K models trained, each without two of them, which it scores. Those scores, of
rows their models have never seen, are what new rows are compared with (`isthmus.anomaly.conformal`), so that
of ordinary rows no more than a share alpha is flagged, however long the models were trained. All K are kept:
a row's score is their mean. Many rows can spare some, and then one model and one part do.

>>> rng = np.random.default_rng(0)
>>> X = np.tanh(rng.normal(size=(300, 2)) @ rng.normal(size=(2, 6)))
>>> detector = AnomalyDetector(random_state=0).fit(X)
>>> strange = X[:2] * [1, -1, 1, 1, 1, 1]
>>> detector.predict(strange).tolist(), bool((detector.p_values(strange) <= 0.05).all())
([-1, -1], True)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from isthmus.anomaly.conformal import Calibration, needed
from isthmus.anomaly.drift import DriftAlarm
from isthmus.anomaly.evidence import reader_of
from isthmus.anomaly.explaining import explained, replacements
from isthmus.anomaly.nearfar import NearFar
from isthmus.anomaly.panel import Judge, Panel
from isthmus.anomaly.regions import Region, hottest
from isthmus.anomaly.score import AnomalyScore
from isthmus.autoencoder import Autoencoder
from isthmus.checks import must, need
from isthmus.citizen import Estimator
from isthmus.corruptions import GaussianNoise
from isthmus.discoveries import discoveries
from isthmus.inputs import Folder, Recordings, SignalsSchema, Source, as_source, loaded, rows_of
from isthmus.inputs.arrays import as_array
from isthmus.inputs.folders import is_path, open_folder, warn_of_skipped
from isthmus.many import fit_many
from isthmus.networks import MLP
from isthmus.training import Trainer, seed_from

__all__ = ["AnomalyDetector", "default_model"]

FOLDS = 5
ENOUGH = 50  # rows of which two fifths can be spared
MANY = 10_000  # rows of which a fifth can be spared for calibration
SPARED = 20_000  # calibration rows that are enough
BATCH = 128
STEPS = 300  # updates the default model is trained for

Array = NDArray[np.float64]


def default_model(rows: int, random_state: Any = None) -> Autoencoder:
    """The model a detector trains when it is given none: wide, narrow, wide, and noise on the input.

    The noise, of the size of the data's own spread, keeps it from copying; 300 updates are enough for the
    score, which is flat from there on.
    """
    epochs = max(1, round(STEPS / math.ceil(max(1, rows) / BATCH)))
    trainer = Trainer(epochs, BATCH, 1e-3, held_out=0.0)
    return Autoencoder(
        architecture=MLP((128,)), corruption=GaussianNoise(1.0), trainer=trainer, random_state=random_state
    )


class AnomalyDetector(Estimator):
    """Finds rows that do not belong, with error rates that hold, and explains them.

    Parameters
    ----------
    model : Autoencoder, or any transformer with inverse_transform, or None
        What the rows are held against: `Autoencoder(8)`, `PCA(8)`, a Pipeline of such. It is cloned and
        trained by `fit`. None takes `default_model`.
    anomaly_score : AnomalyScore
        `NearFar()`, which combines residual and code; `NearFar(clean=True)` where the training rows are known
        to be clean, `NearFar(clean=False)` where they are known not to be; `CellErrors()`.
    alpha : float
        Share of ordinary rows that `predict` may flag.
    folds : int or "auto"
        Parts the rows are split into for calibration; each of as many models is trained without two of them
        (without one, of fewer than five parts or fifty rows). 1 sets a fifth of the rows aside, at most
        20,000, and trains one model. "auto" is 1 from 10,000 rows on and 5 below.
    ensemble : int
        Models for each part, alike but for their seeds, trained as one program; a row's score is the mean
        over all. Scores depend less on the seed.
    random_state : int, RandomState, Generator or None
        Seed of the split and of the models.

    Attributes
    ----------
    models_ : list
        The fitted models.
    calibration_ : Calibration
        Scores of rows their model has not seen.
    offset_ : float
        `decision_function` is `score_samples` minus this; below zero a row is flagged.
    training_scores_ : ndarray (n,)
        Minus the score of each training row by the models that did not see it; NaN for rows no part was made
        of.
    notes_ : list of str
        What was chosen, in sentences.
    n_features_in_, feature_names_in_ : as in scikit-learn

    References
    ----------
    Bates et al. (2023), Testing for outliers with conformal p-values, Annals of Statistics 51.
    """

    def __init__(
        self,
        model: Any = None,
        *,
        anomaly_score: AnomalyScore = NearFar(),
        alpha: float = 0.05,
        folds: int | str = "auto",
        ensemble: int = 1,
        random_state: Any = None,
    ) -> None:
        self.model = model
        self.anomaly_score = anomaly_score
        self.alpha = alpha
        self.folds = folds
        self.ensemble = ensemble
        self.random_state = random_state

    facts_: dict[str, Any]  # what a face wants kept in the file, as plain values

    # ---------------------------------------------------------------- learning

    def fit(self, X: Any, y: None = None) -> Self:
        """Train on the rows of X (n, columns) and calibrate. Raises DataError for what cannot be used."""
        self._check_parameters()
        files = warn_of_skipped(open_folder(X)) if is_path(X) else X
        X = _rows(loaded(files))
        n = len(X)
        need(n >= 4, "X", "have at least 4 rows", f"n_samples = {n}", "Pass more of what is ordinary")
        sequence = np.random.SeedSequence(_entropy(self.random_state))
        parts = self._parts(n, np.random.default_rng(sequence))
        asides = _in_pairs(parts)
        seeds = sequence.generate_state(len(parts) * self.ensemble).tolist()
        data = [rows_of(X, self._others(n, aside)) for aside in asides for _ in range(self.ensemble)]
        self.models_ = self._trained(data, seeds)
        if isinstance(files, Recordings) and self._is_signal:
            for model in self.models_:
                model.schema_ = model.schema_.as_files_of(files)
        self._panel = Panel([self._judge(*some) for some in zip(self.models_, data, seeds, strict=True)])
        unseen = [self._judges_of(k).scores(rows_of(X, aside)) for k, aside in enumerate(asides)]
        places = np.concatenate(asides)
        times = np.bincount(places, minlength=n)
        total = np.bincount(places, np.concatenate(unseen), minlength=n)
        self.training_scores_ = np.where(times > 0, -total / np.maximum(times, 1), np.nan)
        self._note(X, parts)
        self._calibrate(-self.training_scores_[times > 0])
        self._reference = unseen[0]
        return self

    def recalibrate(self, X: Any, weights: Any = None) -> Self:
        """Compare new rows with these from now on; the models stay. X are ordinary rows that had no part in
        training; weights (n,) are their density ratios where new rows come in another mixture.
        """
        self.must_be_fitted()
        self._calibrate(self._raw(X), weights)
        self._reference = self._first_judges(X)
        return self

    def _judge(self, model: Any, X: Any, seed: int) -> Judge:
        reader = reader_of(model, X)
        evidence = reader.read(X)
        usual = evidence.cells.mean(0).astype(np.float64)
        return Judge(reader, self.anomaly_score.learn(evidence, seed), usual)

    def _calibrate(self, scores: Array, weights: Any = None) -> None:
        self.calibration_ = Calibration.of(scores, weights)
        self.offset_ = self._threshold(self.alpha)

    def _parts(self, n: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """Row numbers of the calibration parts."""
        folds = (1 if n >= MANY else FOLDS) if self.folds == "auto" else int(self.folds)
        order = rng.permutation(n)
        if folds == 1:
            return [np.sort(order[: min(SPARED, max(1, n // 5))])]
        return [np.sort(part) for part in np.array_split(order, min(folds, n))]

    def _others(self, n: int, aside: NDArray[np.int64]) -> NDArray[np.int64]:
        """Row numbers of what the model that is to judge the rows `aside` is trained on."""
        return np.setdiff1d(np.arange(n), aside)

    def _trained(self, data: Sequence[Any], seeds: Sequence[int]) -> list[Any]:
        """One model for each set of rows."""
        first = default_model(len(data[0])) if self.model is None else self.model
        models = [clone(first) for _ in data]
        if not isinstance(first, Autoencoder):
            return [model.fit(rows) for model, rows in zip(models, data, strict=True)]
        for model, seed in zip(models, seeds, strict=True):
            if model.random_state is None:
                model.set_params(random_state=seed % 2**31)
        return list(fit_many(models, list(data)))

    # ---------------------------------------------------------------- using

    def score_samples(self, X: Any) -> Array:
        """Minus the score of each row (n,): the lower, the stranger. The same in batches of any size."""
        self.must_be_fitted()
        return -self._raw(X)

    def decision_function(self, X: Any) -> Array:
        """`score_samples` minus `offset_`: below zero where `predict` says -1."""
        return self.score_samples(X) - self.offset_

    def p_values(self, X: Any, weights: Any = None) -> Array:
        """P-values (n,): of ordinary rows a share p at most gets p or less. The smallest is 1 / (rows + 1).

        weights: (n,) density ratios of these rows, for a calibration with weights.
        """
        self.must_be_fitted()
        return self.calibration_.p_values(self._raw(X), weights)

    def predict(
        self, X: Any, alpha: float | None = None, fdr: float | None = None, weights: Any = None
    ) -> NDArray[np.int64]:
        """-1 for rows that do not belong, 1 for others (n,).

        alpha: share of ordinary rows that may be flagged; that of the constructor if left out. fdr: instead,
        the share of false ones among all that are flagged in X, by Benjamini & Hochberg. weights: (n,)
        density ratios of the rows, after `recalibrate` with weights; 1 if left out.

        Raises DataError where the calibration rows are too few for alpha, or both are given.
        """
        self.must_be_fitted()
        need(alpha is None or fdr is None, "alpha and fdr", "not both be given", (alpha, fdr), "Use one")
        if alpha is None and fdr is None and weights is None:
            return np.where(self.score_samples(X) < self.offset_, -1, 1)
        p = self.p_values(X, weights)
        if fdr is not None:
            return np.where(discoveries(p, fdr), -1, 1)
        level = self.alpha if alpha is None else alpha
        self.calibration_.check(level)
        return np.where(p <= level, -1, 1)

    def explain(self, X: Any, alpha: float | None = None, fdr: float | None = None) -> Any:
        """Why rows of X are flagged, and what would make them ordinary: a DataFrame, one line a cell.

        row, column, value: the cell. contribution: its part of the row's score; they sum to minus
        `score_samples`. replacement: what the cell would have to be, in the column's own units, where it is
        among the few whose replacement makes the row ordinary; None elsewhere. p_value, p_value_after: of the
        row as it is, and with all its replacements.
        """
        X = self._read(X)
        flagged = np.flatnonzero(self.predict(X, alpha, fdr) < 0)
        level = self.alpha if alpha is None else alpha
        if fdr is not None and len(flagged):
            level = float(self.p_values(X)[flagged].max())
        return explained(self._panel, self.calibration_, X, flagged, -self._threshold(level))

    def heat_maps(self, X: Any) -> Array:
        """Where in each sample the strangeness lies: (n, *shape), (n, columns) for tables.

        What each cell costs over what it usually costs; 1 is usual. `figures.heat_maps` draws it.
        """
        self.must_be_fitted()
        heat = self._panel.heat(loaded(self._read(X)))
        return heat.reshape(len(heat), *self._shape)

    def regions(self, X: Any) -> list[list[Region]]:
        """For each picture or signal its hottest patches or spans, in words, with their share of the heat."""
        self.must_be_fitted()
        shape, rule = self._shape, "have pictures or signals"
        need(len(shape) in (2, 3), "X", rule, f"rows of shape {shape}", "Use explain or repairs")
        maps = self.heat_maps(X)
        return [hottest(heat, self._is_signal) for heat in maps]

    @property
    def _is_signal(self) -> bool:
        """Whether samples are channels over time."""
        return isinstance(getattr(self.models_[0], "schema_", None), SignalsSchema)

    @property
    def _shape(self) -> tuple[int, ...]:
        """Of one sample."""
        shape = getattr(getattr(self.models_[0], "schema_", None), "shape", ())
        return tuple(shape) or (len(self._panel.names),)

    def repairs(self, X: Any, alpha: float | None = None) -> list[list[tuple[Any, Any, Any]]]:
        """For each row of X the few cells whose replacement makes it ordinary: (column, value, replacement).

        Empty where the row is ordinary already, or no few cells do.
        """
        self.must_be_fitted()
        if alpha is not None:
            self.calibration_.check(alpha)
        X, ordinary = self._read(X), -self._threshold(self.alpha if alpha is None else alpha)
        return [replacements(self._panel, rows_of(X, [i]), ordinary) for i in range(len(X))]

    def drift_alarm(self, rate: float = 0.01, stranger_only: bool = False) -> DriftAlarm:
        """An alarm that goes off when rows stop being like the calibration rows; feed it rows with `update`.

        rate: the probability that it ever does while nothing has changed. It listens to one of the models
        only, beside the calibration rows which that one has not seen: for a mean of several no rate would
        hold. stranger_only: rows that are too ordinary, such as those of training, are no drift.
        """
        self.must_be_fitted()
        plain, rule = not self.calibration_.weights, "have no weights for a drift alarm"
        need(plain, "calibration", rule, "weights", "Recalibrate without")
        return DriftAlarm(self._first_judges, self._reference, rate, stranger_only=stranger_only)

    def fit_predict(self, X: Any, y: None = None) -> NDArray[np.int64]:
        """`fit(X).predict(X)`. Most models have then seen the rows they judge; those that have not left their
        scores in `training_scores_`, to compare with `offset_`.
        """
        return self.fit(X).predict(X)

    def _threshold(self, alpha: float) -> float:
        """The lowest `score_samples` not flagged at this level; none where rows are too few for it."""
        if alpha < self.calibration_.finest:
            return -np.inf
        scores = np.asarray(self.calibration_.scores)
        return -float(scores[self.calibration_.p_values(scores) > alpha].max())

    def _raw(self, X: Any) -> Array:
        """Scores (n,), the mean over the models; higher is stranger."""
        return _by_blocks(self._panel.scores, self._read(X))

    def _first_judges(self, X: Any) -> Array:
        """Scores (n,) by the models of the first part alone."""
        return _by_blocks(self._judges_of(0).scores, self._read(X))

    def _both(self, X: Any) -> tuple[Array, Array]:
        """What `_raw` and `_first_judges` give for rows in memory, every model asked once."""
        each = self._panel.each(self._read(X))
        return np.mean(each, axis=0), np.mean(each[: self.ensemble], axis=0)

    def _read(self, X: Any) -> Any:
        """Rows as the models read them; of a folder, its files in the size or at the rate that was fitted."""
        schema = getattr(self.models_[0], "schema_", None)
        return _rows(X if schema is None else schema.source(X))

    def _judges_of(self, part: int) -> Panel:
        return Panel(self._panel.judges[part * self.ensemble : (part + 1) * self.ensemble])

    # ---------------------------------------------------------------- the pieces

    def _check_parameters(self) -> None:
        if not isinstance(self.anomaly_score, AnomalyScore):
            raise must("anomaly_score", "be an AnomalyScore", self.anomaly_score, "Use NearFar()")
        need(0 < self.alpha < 1, "alpha", "lie between 0 and 1", self.alpha, "Use alpha=0.05")
        whole = isinstance(self.folds, (int, np.integer)) and not isinstance(self.folds, bool)
        good = self.folds == "auto" or (whole and int(self.folds) >= 1)
        need(good, "folds", 'be a whole number of at least 1, or "auto"', self.folds, "Use folds=5")
        many = isinstance(self.ensemble, (int, np.integer)) and not isinstance(self.ensemble, bool)
        good = many and self.ensemble >= 1
        need(good, "ensemble", "be a whole number of at least 1", self.ensemble, "Use ensemble=5")

    def _note(self, X: Any, parts: Sequence[NDArray[np.int64]]) -> None:
        self._note_features(len(self._panel.names))
        rows = sum(map(len, parts))
        how = (
            f"{rows:,} of {len(X):,} rows were set aside to calibrate on"
            if len(parts) == 1
            else f"{len(self.models_)} models were trained, each without the rows it calibrates on"
        )
        self.notes_ = [f"{how}: p-values go down to {1 / (rows + 1):.2g}."]
        if isinstance(self.anomaly_score, NearFar):
            self.notes_.append(self.anomaly_score.said)
        if self.alpha * (rows + 1) < 1:
            self.notes_.append(
                f"Too few rows to flag any at alpha={self.alpha:g}: it takes {needed(self.alpha):,}."
            )

    def _note_features(self, columns: int = 0) -> None:
        first = self.models_[0]
        self.n_features_in_ = int(getattr(first, "n_features_in_", columns))
        if hasattr(first, "feature_names_in_"):
            self.feature_names_in_ = first.feature_names_in_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "outlier_detector"
        tags.input_tags.allow_nan = self.model is None or isinstance(self.model, Autoencoder)
        return tags


def _rows(X: Any) -> Any:
    """Frames and sources as they are, a memory map as a source, anything else as an array of two dimensions
    or more.
    """
    X = as_source(X)
    if hasattr(X, "columns") and not isinstance(X, Source):
        need(len(X) > 0, "X", "have at least one row", "none", "Pass rows")
    return X if hasattr(X, "columns") or isinstance(X, Source) else as_array(X)


def _in_pairs(parts: Sequence[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    """What each model is not trained on: a part and the next, so that every row has two models to judge it;
    one part where there are fewer than five, or few rows.
    """
    if len(parts) < FOLDS or sum(map(len, parts)) < ENOUGH:
        return list(parts)
    return [np.union1d(part, parts[(k + 1) % len(parts)]) for k, part in enumerate(parts)]


def _by_blocks(scores: Callable[[Any], Array], X: Any) -> Array:
    """Scores (n,) of the rows of X, block by block where they are not in memory."""
    if isinstance(X, Source) and not isinstance(X, Folder):
        return np.concatenate([scores(block) for block in X.blocks()])
    return scores(X)


def _entropy(random_state: Any) -> int | None:
    return None if random_state is None else seed_from(random_state)
