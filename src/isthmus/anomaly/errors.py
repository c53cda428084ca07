"""Errors and distances: the classical scores, one idea each. Higher is stranger.

    CellErrors        sum_j cost_j / usual_j                    what is not rebuilt
    CodeDistance      Mahalanobis distance of z                 a code that is unusual
    DenoisingErrors   mean over noise levels s of sum_j (x_j - r(x + s n)_j)^2 / usual_j

The last asks how well x is found again from around it: near the data a network trained on noise leads back,
away from them it leads elsewhere (Alain & Bengio 2014). The noise n is the same for every row, so that a
score depends on its row alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isthmus.anomaly.evidence import Evidence
from isthmus.anomaly.score import AnomalyScore, LearnedScore, need_shapes
from isthmus.checks import need

__all__ = ["CellErrors", "CodeDistance", "DenoisingErrors"]

DRAWS = 4  # of noise, a level

Array = NDArray[np.float64]


class CellErrors(AnomalyScore):
    """The reconstruction error of a row, the sum over its cells: the textbook's score. With `scaled`, every
    cell's error is first divided by its mean over the training rows.
    """

    scaled: bool = True

    def learn(self, evidence: Evidence, seed: int) -> LearnedScore:
        """The usual error of every cell."""
        usual = evidence.cells.mean(0).astype(np.float64)
        return _LearnedErrors(np.where(usual > 0, usual, 1.0) if self.scaled else np.ones_like(usual))

    def restored(self, state: dict[str, Array], cells: int, width: int) -> LearnedScore:
        """The learned score with this state."""
        need_shapes(state, {"usual": (cells,)})
        return _LearnedErrors(state["usual"])


class _LearnedErrors(LearnedScore):
    def __init__(self, usual: Array) -> None:
        self.usual = usual

    def __call__(self, evidence: Evidence) -> Array:
        scores: Array = (evidence.cells / self.usual).sum(1)
        return scores

    def state(self) -> dict[str, Array]:
        return {"usual": self.usual}


class DenoisingErrors(AnomalyScore):
    """How badly a row is found again from noise around it, at several levels; needs a model that was trained
    on noise to mean much.

    levels: standard deviations of the noise, in the model's scaled units.
    """

    levels: tuple[float, ...] = (0.1, 0.3, 1.0)

    def learn(self, evidence: Evidence, seed: int) -> LearnedScore:
        """The usual error of every cell at every level."""
        good = len(self.levels) > 0 and all(level >= 0 for level in self.levels)
        need(good, "levels", "be numbers of at least 0", self.levels, "Use levels=(0.1, 0.3, 1.0)")
        learned = _LearnedDenoising(np.array(self.levels, float), np.ones((0, 0)))
        usual = learned.errors(evidence).mean(1)
        learned.usual = np.where(usual > 0, usual, 1.0)
        return learned

    def restored(self, state: dict[str, Array], cells: int, width: int) -> LearnedScore:
        """The learned score with this state."""
        need_shapes(state, {"usual": (len(self.levels), cells), "levels": (len(self.levels),)})
        same = state["levels"].tolist() == [float(level) for level in self.levels]
        need(same, "the score's levels", "be those it was made with", "others", "Save the detector again")
        return _LearnedDenoising(state["levels"], state["usual"])


class _LearnedDenoising(LearnedScore):
    def __init__(self, levels: Array, usual: Array) -> None:
        self.levels, self.usual = levels, usual

    def __call__(self, evidence: Evidence) -> Array:
        scores: Array = (self.errors(evidence) / self.usual[:, None]).sum(2).mean(0)
        return scores

    def errors(self, evidence: Evidence) -> Array:
        """Squared residuals of x from x_hat(x + noise), (levels, n, cells), missing cells aside."""
        spans = evidence.reader.spans
        starts, widths = [start for start, _ in spans], [stop - start for start, stop in spans]
        known = evidence.residual != 0.0  # what is missing leaves none
        draws = np.random.default_rng(0).normal(size=(DRAWS, evidence.x.shape[1]))
        noise = [draw * np.repeat(known, widths, axis=1) for draw in draws]
        found = []
        for level in self.levels:
            looks = [evidence.reader.look(evidence.x + level * n).x_hat for n in noise]
            squares = np.mean([np.square(evidence.x - x_hat) for x_hat in looks], axis=0)
            found.append(np.add.reduceat(squares, starts, axis=1) * known)
        return np.array(found, np.float64)

    def state(self) -> dict[str, Array]:
        return {"usual": self.usual, "levels": self.levels}


class CodeDistance(AnomalyScore):
    """Mahalanobis distance of the code from the mean of the training rows' codes. Blind to what the code does
    not hold.
    """

    def learn(self, evidence: Evidence, seed: int) -> LearnedScore:
        """Mean and whitened axes of the codes."""
        z = np.asarray(evidence.z, np.float64)
        values, axes = np.linalg.eigh(np.atleast_2d(np.cov(z, rowvar=False)))
        floor = 1e-6 * (float(values.max()) or 1.0)
        return _LearnedCode(z.mean(0), axes / np.sqrt(np.maximum(values, floor)))

    def restored(self, state: dict[str, Array], cells: int, width: int) -> LearnedScore:
        """The learned score with this state."""
        need_shapes(state, {"mean": (width,), "whitener": (width, width)})
        return _LearnedCode(state["mean"], state["whitener"])


class _LearnedCode(LearnedScore):
    def __init__(self, mean: Array, whitener: Array) -> None:
        self.mean, self.whitener = mean, whitener

    def __call__(self, evidence: Evidence) -> Array:
        scores: Array = np.sqrt(np.square((evidence.z - self.mean) @ self.whitener).sum(1))
        return scores

    def state(self) -> dict[str, Array]:
        return {"mean": self.mean, "whitener": self.whitener}
