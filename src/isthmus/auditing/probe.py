"""The noise probe: whether the model rebuilds rows that cannot occur as well as rows that do.

The columns of held-out rows are shuffled against each other: every column keeps its values, no row keeps its
sense. A model that has learned how columns hang together must fail on such rows. One that rebuilds them as
well copies whatever it is given (an identity map), or the columns never had anything to do with each other
(pure noise); what PCA does on both tells these two apart.
"""

from __future__ import annotations

import numpy as np

from isthmus.auditing.finding import Finding, plainly, times
from isthmus.auditing.linear import shuffled_base
from isthmus.auditing.subject import Subject
from isthmus.wording import percent

__all__ = ["NoiseProbe", "noise_probe"]


class NoiseProbe(Finding):
    """Errors on shuffled rows over errors on held-out rows, of the model and of PCA.

    explained: the share of shuffled rows that is explained, near 1 for a copy and at best the share a code of
    this width gets by chance for anything else. z, pca_z: by how many standard errors shuffled rows cost
    more. dependence: by how many standard deviations the squared correlations between columns exceed what
    they are for independent ones, which needs no model.
    """

    label = "noise probe"
    ratio: float
    pca_ratio: float
    explained: float
    z: float
    pca_z: float
    dependence: float

    def __str__(self) -> str:
        pca = f" (PCA: {plainly(self.pca_ratio)})" if np.isfinite(self.pca_ratio) else ""
        return (
            f"rows with their columns shuffled cost {times(self.ratio, 3)} as much{pca}, "
            f"and {percent(max(0.0, self.explained))} of them is explained"
        )


def noise_probe(subject: Subject) -> NoiseProbe:
    """Run the model and PCA on shuffled rows."""
    mixed = shuffled_base(subject)
    wrong = np.square(mixed - subject.rebuilt(mixed)).sum(1)
    of = subject.axes.errors(mixed, 0).mean()
    k = min(subject.numbers, max(1, subject.width // 2))  # as many axes as columns would copy as well
    test = subject.test
    pca, pca_mixed = subject.axes.errors(test.x, k, test.seen), subject.axes.errors(mixed, k)
    return NoiseProbe(
        ratio=_ratio(wrong.mean(), test.errors.mean()),
        pca_ratio=_ratio(pca_mixed.mean(), pca.mean()),
        explained=float(1 - wrong.mean() / of) if of > 0 else float("nan"),
        z=_gap(wrong, test.errors),
        pca_z=_gap(pca_mixed, pca),
        dependence=_dependence(
            np.vstack([subject.complete(look) for look in (subject.train, test)]), subject
        ),
    )


def _dependence(x: np.ndarray, subject: Subject) -> float:
    """(sum r^2 (n - 1) - m) / sqrt(2 m) over m pairs of features of different cells: about a standard normal
    for independent columns.
    """
    centred = x - x.mean(0)
    size = np.sqrt(np.square(centred).sum(0))
    varied = size > 1e-9 * max(float(size.max()), 1e-300)
    unit, home = centred[:, varied] / size[varied], np.repeat(np.arange(len(subject.widths)), subject.widths)
    own = np.unique(home[varied], return_counts=True)[1]
    count = (varied.sum() ** 2 - np.square(own).sum()) // 2
    if count == 0 or len(x) < 3:
        return 0.0
    within = sum(map(_squared_products, np.split(unit, np.cumsum(own)[:-1], axis=1)))
    between = (_squared_products(unit) - within) / 2
    return float((between * (len(x) - 1) - count) / np.sqrt(2.0 * count))


def _squared_products(unit: np.ndarray) -> float:
    """The sum of the squared products of all columns with all, by whichever is smaller of two equals:
    norm(U^T U)_F = norm(U U^T)_F.
    """
    rows, columns = unit.shape
    return float(np.square(unit @ unit.T if rows < columns else unit.T @ unit).sum())


def _ratio(over: float, under: float) -> float:
    tiny = 1e-12
    return float((over + tiny) / (under + tiny))


def _gap(a: np.ndarray, b: np.ndarray) -> float:
    """By how many standard errors the mean of a is above that of b."""
    error = np.sqrt(a.var() / max(1, len(a) - 1) + b.var() / max(1, len(b) - 1))
    gap = float(a.mean() - b.mean())
    return gap / float(error) if error > 0 else 0.0
