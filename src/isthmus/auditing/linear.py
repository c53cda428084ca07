"""Against PCA: whether the model explains more of rows it has not seen than as many principal axes do.

The two errors of one row are paired, so the difference is judged by the standard error of its mean over rows:
a clear one is more than two of them. Twice as many axes, and as many on rows whose columns were shuffled
against each other, say whether a larger code would hold more than chance (parallel analysis, Horn 1965).
"""

from __future__ import annotations

import numpy as np

from isthmus.auditing.finding import Finding
from isthmus.auditing.subject import Subject
from isthmus.diagnostics import PCAComparison
from isthmus.wording import counted, percent

__all__ = ["AgainstPCA", "against_pca"]


class AgainstPCA(Finding):
    """Mean squared errors a row on held-out rows, and shares explained, 1 - e / e_mean.

    z: the paired difference PCA - model over its standard error; positive where the model is better.
    explained_by_twice: what PCA explains with twice as many numbers, which are `twice`.
    gain, gain_by_chance: what those further axes add to the share, on these rows and on shuffled ones.
    """

    label = "against PCA"
    n_components: int
    rows: int
    explained: float
    explained_by_pca: float
    z: float
    twice: int
    explained_by_twice: float
    gain: float
    gain_by_chance: float
    comparison: PCAComparison
    wide: bool

    @property
    def better(self) -> bool:
        """Whether the model's error is clearly lower, by more than nothing."""
        return self.z > 2 and self.comparison.ratio < 1 - 1e-3

    @property
    def worse(self) -> bool:
        """Whether PCA's error is clearly lower."""
        return self.z < -2 and self.comparison.ratio > 1 + 1e-3

    def plain(self) -> dict[str, object]:
        """The numbers."""
        errors = {name: getattr(self.comparison, name) for name in ("model_error", "pca_error", "mean_error")}
        found = {**super().plain(), **errors}
        found.pop("comparison")
        return found

    def __str__(self) -> str:
        mine = f"explains {percent(self.explained, 1)} of {counted(self.rows, 'held-out row')}"
        if self.wide:
            return f"{mine}; its code is as wide as the data, so PCA with as many numbers would be a copy"
        pca = f"PCA({self.n_components}) {percent(self.explained_by_pca, 1)}"
        more = (
            f", PCA({self.twice}) {percent(self.explained_by_twice, 1)}"
            if self.twice > self.n_components
            else ""
        )
        return f"{mine}, {pca}{more}; paired difference {self.z:+.1f} standard errors"


def against_pca(subject: Subject) -> AgainstPCA:
    """The model, PCA and the mean on the rows the model did not learn from."""
    test, axes, k = subject.test, subject.axes, subject.numbers
    twice = min(2 * k, subject.width - 1) if k < subject.width - 1 else k
    mean, by_pca, by_twice = (axes.errors(test.x, count, test.seen) for count in (0, k, twice))
    gap = by_pca - test.errors
    error = float(gap.std() / np.sqrt(max(1, len(gap) - 1)))
    mixed = shuffled_base(subject)
    chance = [float(axes.errors(mixed, count).mean()) for count in (0, k, twice)]
    comparison = PCAComparison(
        n_components=k,
        rows=len(gap),
        model_error=float(test.errors.mean()),
        pca_error=float(by_pca.mean()),
        mean_error=float(mean.mean()),
        difference=float(gap.mean()),
        standard_error=error,
    )
    return AgainstPCA(
        n_components=k,
        rows=len(gap),
        explained=comparison.explained,
        explained_by_pca=comparison.pca_explained,
        z=float(gap.mean() / error) if error > 0 else float(np.sign(gap.mean())) * np.inf,
        twice=twice,
        explained_by_twice=_share(by_twice.mean(), mean.mean()),
        gain=_share(by_twice.mean(), mean.mean()) - comparison.pca_explained,
        gain_by_chance=_share(chance[2], chance[0]) - _share(chance[1], chance[0]),
        comparison=comparison,
        wide=subject.wide,
    )


def shuffled_base(subject: Subject) -> np.ndarray:
    """Held-out rows without gaps, the features of every cell shuffled over the rows on their own."""
    rng, x = subject.rng(1), subject.complete(subject.test)
    mixed = x.copy()
    for start, stop in subject.reader.spans:
        mixed[:, start:stop] = x[rng.permutation(len(x)), start:stop]
    return mixed


def _share(error: float, of: float) -> float:
    return float(1 - error / of) if of > 0 else float("nan")
