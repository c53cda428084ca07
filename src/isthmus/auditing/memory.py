"""Signs of memorising: rows learned by heart rather than what is general about them.

Three signs, none of which needs the labels a classifier would have:

* the gap: error on held-out rows over error on training rows. PCA has one too, so that is told beside it;
* copies: the reconstruction of a held-out row lies on a training row, far nearer to it than held-out rows lie
  to training rows, and far nearer than to the row it should be;
* attractors: r applied again and again, begun a third of the way from a training row towards its nearest
  neighbour, ends on the training row; begun on noise, on any of them (Radhakrishnan, Belkin & Uhler 2019). A
  projection, such as PCA, stays where it was put.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isthmus.auditing.finding import Finding, plainly, times
from isthmus.auditing.linear import shuffled_base
from isthmus.auditing.subject import Subject
from isthmus.wording import counted, percent

__all__ = ["Attractors", "Copies", "Gap", "attractors", "copies", "gap"]

TRIED = 500  # held-out rows whose reconstruction is looked for among the training rows
STARTS, TIMES = 100, 30  # rows r is iterated from, and how often
AWAY, BACK = 1 / 3, 0.1  # of the distance to the nearest neighbour: the start, and what counts as back
NEAR = 0.3  # of the distance to its own row, within which a reconstruction lies on a training row

Array = NDArray[np.float64]


class Gap(Finding):
    """Mean held-out error over mean training error, of the model and of PCA.

    z: by how many standard errors the logarithms of held-out errors are larger: a few rows that cost much do
    not hide a gap, nor make one.
    """

    label = "held out / training"
    ratio: float
    pca_ratio: float
    train_error: float
    test_error: float
    z: float

    def __str__(self) -> str:
        pca = f" (PCA: {plainly(self.pca_ratio, 3)})" if np.isfinite(self.pca_ratio) else ""
        return f"the error on held-out rows is {times(self.ratio, 3)} that on training rows{pca}"


class Copies(Finding):
    """The share of held-out rows whose reconstruction lies on a training row; NaN where rows repeat."""

    label = "copies"
    share: float
    rows: int

    def __str__(self) -> str:
        if not np.isfinite(self.share):
            return "rows repeat, so that copies cannot be told"
        return f"{percent(self.share)} of {counted(self.rows, 'held-out row')} come back as a training row"


class Attractors(Finding):
    """The share of training rows that r falls back to, and of starts on noise that end on one."""

    label = "attractors"
    share: float
    from_noise: float
    starts: int

    def __str__(self) -> str:
        return (
            f"iterated, it falls back to {percent(self.share)} of {counted(self.starts, 'training row')}; "
            f"from noise it ends on a training row {percent(self.from_noise)} of the time"
        )


def gap(subject: Subject) -> Gap:
    """Compare the errors on the two kinds of rows."""
    train, test, k = subject.train, subject.test, subject.numbers
    pca = [float(subject.axes.errors(look.x, k, look.seen).mean()) for look in (test, train)]
    mine = float(test.errors.mean()), float(train.errors.mean())
    tiny = 1e-9 * float(subject.axes.errors(test.x, 0, test.seen).mean()) + 1e-300
    logs = [np.log(look.errors + tiny) for look in (test, train)]
    spread = np.sqrt(sum(values.var() / max(1, len(values) - 1) for values in logs))
    return Gap(
        ratio=(mine[0] + tiny) / (mine[1] + tiny),
        pca_ratio=float("nan") if subject.wide else (pca[0] + tiny) / (pca[1] + tiny),
        train_error=mine[1],
        test_error=mine[0],
        z=float(logs[0].mean() - logs[1].mean()) / float(spread) if spread > 0 else 0.0,
    )


def copies(subject: Subject) -> Copies:
    """Look for held-out reconstructions among the training rows."""
    from sklearn.neighbors import NearestNeighbors

    test = subject.complete(subject.test)[:TRIED]
    x_hat = subject.rebuilt(test)
    known = NearestNeighbors(n_neighbors=1).fit(subject.base.astype(np.float32))  # twice as fast
    usual = float(np.median(known.kneighbors(test.astype(np.float32))[0]))
    if usual == 0 or len(subject.base) < 2:
        return Copies(share=float("nan"), rows=len(test))
    near = known.kneighbors(x_hat.astype(np.float32))[0][:, 0]
    own = np.sqrt(np.square(x_hat - test).sum(1))
    return Copies(share=float(((near < NEAR * own) & (near < BACK * usual)).mean()), rows=len(test))


def attractors(subject: Subject) -> Attractors:
    """Iterate r from beside training rows and from noise."""
    x = subject.complete(subject.train)
    rows = x[: max(STARTS, 1)]
    others, distance = _neighbours(rows, x, subject.rng(2))
    apart = distance > 0
    rows, others, distance = rows[apart], others[apart], distance[apart]
    if not len(rows):
        return Attractors(share=float("nan"), from_noise=float("nan"), starts=0)
    ends = _iterated(subject, rows + AWAY * (others - rows))
    back = np.sqrt(np.square(ends - rows).sum(1)) < BACK * distance
    noise = _iterated(subject, shuffled_base(subject)[:STARTS])
    nearest = np.sqrt(_squares(noise, x).min(1))
    on_one = nearest < BACK * float(np.median(distance))
    return Attractors(share=float(back.mean()), from_noise=float(on_one.mean()), starts=len(rows))


def _neighbours(rows: Array, among: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Of every row the nearest row that is another, and its distance; of a single row a random point."""
    squares = _squares(rows, among)
    squares[squares < 1e-9 * max(float(squares.max()), 1e-300)] = np.inf
    if not np.isfinite(squares).any():
        others = rows + rng.normal(size=rows.shape)
    else:
        others = among[squares.argmin(1)]
    return others, np.sqrt(np.square(others - rows).sum(1))


def _iterated(subject: Subject, x: Array) -> Array:
    for _ in range(TIMES):
        x = subject.rebuilt(x)
    return x


def _squares(a: Array, b: Array) -> Array:
    """Squared distances (n, m)."""
    squares: Array = np.square(a).sum(1)[:, None] - 2 * a @ b.T + np.square(b).sum(1)
    return np.maximum(squares, 0.0)
