"""NearFar: the score that is used where none is named. Higher is stranger.

The squared residual is the textbook's score and the worst of those measured here: it is blind along the code,
where x_hat follows x anywhere, and it weighs a column by its noise. `NearFar` looks at residual and code
together, as one vector of n numbers for x and one for what the model made of it:

    joint  = [x - x_hat, z]                               in the model's scaled units
    near   = mean distance to the 5 nearest training rows, whitened by the covariance of all of them
    around = mean of what `near` is for those 5
    far    = Mahalanobis distance from the central half,  mean and covariance refitted twice on that half
    s      = log(near + .1) - .7 log(around + .1) + .5 log(far + .1)

each distance over its mean on the training rows. `near` follows any shape the normal rows have, and wins
where the training rows are clean; `around` lets it go further where they are sparse (the local outlier factor
of Breunig et al. 2000 is near / around); `far` cannot be drawn away by anomalies among them, nor by a cluster
of anomalies. Far from all rows `around` no longer changes and the others have no bound, so a row far out
along a principal axis scores high whatever the network does there. A training row is not its own neighbour: a
first neighbour nearer than a thousandth of the usual distance is passed over, for new rows as well, so that a
score depends on its row alone.

>>> rng = np.random.default_rng(0)
>>> x = rng.normal(size=(200, 5))
>>> seen = Evidence(x, 0 * x, x[:, :2], x**2, x)
>>> score = NearFar().learn(seen, 0)
>>> bool(score(seen._replace(residual=x + 10)).min() > score(seen).max())
True
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.neighbors import NearestNeighbors

from isthmus.anomaly.evidence import Evidence
from isthmus.anomaly.score import AnomalyScore, LearnedScore, need_shapes
from isthmus.checks import need

__all__ = ["NearFar"]

NEIGHBOURS, CORE, REFITS = 5, 0.5, 2
SOFT, RIDGE, SAME = 0.1, 0.01, 1e-3
PARTS_OF = {None: (1.0, -0.7, 0.5), True: (1.0, -0.3, 0.0), False: (0.0, 0.0, 1.0)}  # by `clean`
LEAST = 1e-9  # of the mean variance of all rows, below which no axis of some of them may fall
ROWS = 10_000  # training rows kept as neighbours, at most
WIDE = 2_000  # columns beyond which a covariance is that of so many rows: of all it takes hours

Array = NDArray[np.float64]


class NearFar(AnomalyScore):
    """Near neighbours and a trimmed Gaussian, of [residual, code]; see the module's text.

    clean: True where the training rows are known to be free of anomalies (near, and .3 of around), False
        where they are known not to be (far alone), None where neither is known (all three).
    """

    clean: bool | None = None

    @property
    def said(self) -> str:
        """What it does about anomalies among the training rows, in a sentence."""
        core = "distance from the central half of the training rows, twice refitted"
        return {
            True: "Score: nearest training rows alone; anomalies among them would pass for ordinary.",
            False: f"Score: {core}; anomalies among them are left out of it.",
            None: f"Score: nearest training rows, and {core}; anomalies among them weigh on the first alone.",
        }[self.clean]

    def learn(self, evidence: Evidence, seed: int) -> LearnedScore:
        """Covariances of all rows and of their central half, and up to 10,000 rows to be neighbours."""
        good = self.clean in (None, True, False)
        need(good, "clean", "be True, False or None", self.clean, "Use NearFar()")
        joint = _joint(evidence)
        least = LEAST * (float(joint.var(0).mean()) or 1.0)
        whole = core = _Gaussian.of(joint, least)
        half = max(2, math.ceil(CORE * len(joint)))
        for _ in range(REFITS):
            central = np.argsort(core.distances(joint), kind="stable")[:half]
            core = _Gaussian.of(joint[central], least)
        rows = joint
        if len(joint) > ROWS:
            rows = joint[np.sort(np.random.default_rng(seed).choice(len(joint), ROWS, replace=False))]
        unknown = np.zeros(len(rows))
        learned = _LearnedNearFar(PARTS_OF[self.clean], whole, core, whole.whiten(rows), unknown, 1.0, 1.0)
        learned.spacing, far = learned.near(rows)[0], learned.far(rows)
        learned.usual = _positive(learned.spacing.mean()), _positive(far.mean())
        return learned

    def restored(self, state: dict[str, Array], cells: int, width: int) -> LearnedScore:
        """The learned score with this state."""
        d = cells + width
        gaussians = [size for name in PAIR for size in _Gaussian.sizes(name, state, d)]
        rows = state["rows"].shape[:1] if "rows" in state and state["rows"].size else (1,)
        sizes = {"weights": (3,), "usual": (2,), "rows": (*rows, d), "spacing": rows, **dict(gaussians)}
        need_shapes(state, sizes)
        least = float(state["spacing"].min())
        need(least >= 0, "the score's spacing", "be at least 0", least, "Save the detector again")
        whole, core = (_Gaussian.named(name, state) for name in PAIR)
        near, far = state["usual"].tolist()
        weights = tuple(state["weights"].tolist())
        need(weights == PARTS_OF[self.clean], "the score's weights", "be its own", weights, "Save it again")
        sane = max(float(np.abs(values).max(initial=0.0)) for values in state.values()) < 1e100
        need(sane, "the score's arrays", "hold sizes that can be squared", "others", "Save it again")
        return _LearnedNearFar(weights, whole, core, state["rows"], state["spacing"], near, far)


class _Gaussian:
    """A mean (d,) and a matrix (d, d) that makes the shrunken covariance the identity; of fewer rows than
    columns the matrix is rest * identity + axes * gains @ axes^T, with axes (d, r), and is not written out.
    """

    def __init__(self, mean: Array, whitener: Array, gains: Array | None = None, rest: Any = None) -> None:
        self.mean, self.whitener, self.gains, self.rest = mean, whitener, gains, rest

    @classmethod
    def of(cls, x: Array, least: float) -> _Gaussian:
        """Ledoit & Wolf (2004), and a hundredth of the mean variance along every axis: rows may be fewer than
        columns, columns constant, and no axis of next to no variance rules the rest. `least` is a variance no
        axis falls below, should all rows be the same.
        """
        if x.shape[1] > WIDE:
            some = np.random.default_rng(0).permutation(len(x))[:WIDE]
            x = x[np.sort(some)]
        mean = x.mean(0)
        centred = x - mean
        average = float(np.square(centred).mean())
        floor = max(RIDGE * average, least)
        few = len(x) < x.shape[1]
        values, axes, shrinkage = (_few if few else _many)(centred)
        root = np.sqrt((1 - shrinkage) * np.maximum(values, 0) + shrinkage * average + floor)
        if not few:
            return cls(mean, axes / root)
        rest = 1 / np.sqrt(shrinkage * average + floor)  # along all axes no row has a part in
        return cls(mean, axes, 1 / root - rest, np.array([rest]))

    @classmethod
    def named(cls, name: str, state: dict[str, Array]) -> _Gaussian:
        """The one whose arrays bear this name in a state."""
        return cls(*(state.get(f"{name}.{part}") for part in PARTS))  # type: ignore[arg-type]

    @staticmethod
    def sizes(name: str, state: dict[str, Array], d: int) -> list[tuple[str, tuple[int, ...]]]:
        """The shapes its arrays must have there."""
        if f"{name}.gains" not in state:
            return [(f"{name}.mean", (d,)), (f"{name}.whitener", (d, d))]
        r = state[f"{name}.gains"].size
        return list(zip([f"{name}.{part}" for part in PARTS], [(d,), (d, r), (r,), (1,)], strict=True))

    def state(self, name: str) -> dict[str, Array]:
        """Its arrays by name."""
        values = {part: getattr(self, part) for part in PARTS}
        return {f"{name}.{part}": value for part, value in values.items() if value is not None}

    def whiten(self, x: Array) -> Array:
        """(n, d) -> (n, d)."""
        centred = x - self.mean
        white: Array = centred @ self.whitener
        if self.gains is None:
            return white
        return np.asarray(self.rest * centred + (white * self.gains) @ self.whitener.T)

    def distances(self, x: Array) -> Array:
        """Root mean squared whitened coordinate: (n,)."""
        distances: Array = np.sqrt(np.square(self.whiten(x)).mean(1))
        return distances


def _many(centred: Array) -> tuple[Array, Array, float]:
    """Variances (d,), axes (d, d) and Ledoit & Wolf's shrinkage of as many rows as columns or more."""
    values, axes = np.linalg.eigh(centred.T @ centred / len(centred))
    return values, axes, ledoit_wolf_shrinkage(centred, assume_centered=True)


def _few(centred: Array) -> tuple[Array, Array, float]:
    """Variances (r,), axes (d, r) and the shrinkage of fewer rows than columns, from the products of rows:
    norm(X^T X)_F = norm(X X^T)_F, and sum_jk sum_i x_ij^2 x_ik^2 = sum_i norm(x_i)^4.
    """
    n, d = centred.shape
    gram = centred @ centred.T
    values, sides = np.linalg.eigh(gram / n)
    kept = values > 1e-12 * max(float(values[-1]), 1e-300)
    values, sides = values[kept], sides[:, kept]
    squares, norms = float(np.square(gram / n).sum()), np.diag(gram)
    spread = squares - (norms.sum() / n) ** 2 / d
    noise = (float(np.square(norms).sum()) / n - squares) / n
    shrinkage = min(noise, spread) / spread if spread > 0 else 0.0
    return values, centred.T @ sides / np.sqrt(n * values), shrinkage


class _LearnedNearFar(LearnedScore):
    neighbours, same, soft = NEIGHBOURS, SAME, SOFT

    def __init__(
        self,
        weights: Any,
        whole: _Gaussian,
        core: _Gaussian,
        rows: Array,
        spacing: Array,
        near: float,
        far: float,
    ) -> None:
        self.weights, self.whole, self.core = tuple(weights), whole, core
        self.rows, self.spacing, self.usual = rows, spacing, (near, far)
        algorithm = "brute" if rows.shape[1] > 15 else "kd_tree"
        self.index = NearestNeighbors(n_neighbors=min(NEIGHBOURS + 1, len(rows)), algorithm=algorithm).fit(
            rows
        )

    def __call__(self, evidence: Evidence) -> Array:
        joint, total = _joint(evidence), np.zeros(len(evidence.x))
        near, around, far = self.weights
        if near:
            for weight, distances in zip((near, around), self.near(joint), strict=True):
                total += weight * np.log(distances / self.usual[0] + self.soft)
        if far:
            total += far * np.log(self.far(joint) / self.usual[1] + self.soft)
        return total

    def near(self, joint: Array) -> tuple[Array, Array]:
        """Mean distances to the nearest training rows, and of those to theirs, a row itself not counted."""
        d, places = self.index.kneighbors(self.whole.whiten(joint))
        spacing = self.spacing[places]
        if d.shape[1] == 1:
            return d[:, 0], spacing[:, 0]
        own = d[:, 0] < self.same * self.usual[0]
        near, around = (np.where(own, of[:, 1:].mean(1), of[:, :-1].mean(1)) for of in (d, spacing))
        return near, around

    def far(self, joint: Array) -> Array:
        """Distances from the central half: (n,)."""
        return self.core.distances(joint)

    def state(self) -> dict[str, Array]:
        return {
            "weights": np.array(self.weights),
            "usual": np.array(self.usual),
            "rows": self.rows,
            "spacing": self.spacing,
            **self.whole.state("whole"),
            **self.core.state("core"),
        }


PAIR, PARTS = ("whole", "core"), ("mean", "whitener", "gains", "rest")


def _joint(evidence: Evidence) -> Array:
    return np.hstack([evidence.residual, evidence.z]).astype(np.float64)


def _positive(value: Any) -> float:
    return float(value) if value > 0 else 1.0
