"""What a representation is worth in use, measured without labels on rows the model did not learn from.

* anomalies: a quarter of the cells of a row are exchanged for another row's. The area under the ROC curve of
  the row's error, which is the chance that such a row costs more than an ordinary one.
* noise: Gaussian noise of half a unit is added; norm(r(x + e) - x)^2 over norm(e)^2, on average. Below 1 the
  reconstruction is nearer to the truth than what it was given.
* neighbours: of the 10 nearest rows by x, the share that is among the 10 nearest by z. With labels, the share
  of the 10 nearest by z that carry the row's own label.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.auditing.subject import Subject

__all__ = ["anomaly_auc", "neighbours_kept", "noise_left"]

EXCHANGED = 0.25  # share of cells
NOISE = 0.5  # in the units the model sees
NEIGHBOURS = 10

Array = NDArray[np.float64]


def anomaly_auc(subject: Subject) -> float:
    """Held-out rows against the same rows with a quarter of their cells exchanged."""
    from sklearn.metrics import roc_auc_score

    x, rng = subject.complete(subject.test), subject.rng(3)
    strange, others = x.copy(), x[rng.permutation(len(x))]
    swapped = rng.random((len(x), len(subject.widths))) < EXCHANGED
    strange = np.where(np.repeat(swapped, subject.widths, axis=1), others, strange)
    errors = [np.square(rows - subject.rebuilt(rows)).sum(1) for rows in (x, strange)]
    return float(roc_auc_score(np.repeat([0, 1], len(x)), np.concatenate(errors)))


def noise_left(subject: Subject) -> float:
    """Squared distance from the truth after over before, on held-out rows."""
    x = subject.complete(subject.test)
    noise = NOISE * subject.rng(4).normal(size=x.shape)
    left = np.square(subject.rebuilt(x + noise) - x).sum(1)
    return float((left / np.square(noise).sum(1)).mean())


def neighbours_kept(subject: Subject, labels: Any = None) -> float:
    """Neighbours by z that are neighbours by x, or carry the same label, among the held-out rows."""
    from sklearn.neighbors import NearestNeighbors

    count = min(NEIGHBOURS, len(subject.test.z) - 1)

    def nearest(rows: Array) -> NDArray[np.int64]:
        return np.asarray(NearestNeighbors(n_neighbors=count).fit(rows).kneighbors(return_distance=False))

    by_code = nearest(subject.test.z)
    if labels is not None:
        known = np.asarray(labels)[subject.test_numbers]
        return float((known[by_code] == known[:, None]).mean())
    rows = np.where(subject.test.seen, subject.test.x, subject.axes.mean)
    both = [np.intersect1d(a, b).size for a, b in zip(nearest(rows), by_code, strict=True)]
    return float(np.mean(both) / max(1, count))
