"""The audit itself: every look at a model, and one verdict."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.auditing.dimension import Dimension, intrinsic_dimension
from isthmus.auditing.finding import Finding
from isthmus.auditing.linear import AgainstPCA, against_pca
from isthmus.auditing.local import Slopes, slopes
from isthmus.auditing.memory import Attractors, Copies, Gap, attractors, copies, gap
from isthmus.auditing.probe import NoiseProbe, noise_probe
from isthmus.auditing.shift import Shift, shift
from isthmus.auditing.stability import Stability, stability
from isthmus.auditing.subject import Subject, subject_of
from isthmus.auditing.units import Units, units
from isthmus.auditing.verdict import Evidence, judged
from isthmus.auditing.worst import Worst, worst
from isthmus.checks import must, need
from isthmus.inputs import Source, as_frame_like, rows_of
from isthmus.parts import Record

__all__ = ["Audit", "audit"]


class Audit(Record):
    """What an audit found. Its text is the verdict, then one line for every look.

    kind is the verdict in one word: nothing, copies, noise, other, memorises, dead, collapsed, worse, small,
    pca, strained or good. `subject` holds the rows that were looked at, as pictures need them, and
    `row_numbers` (n,) are the numbers of the held-out ones: in X_test, or in X_train where the model had kept
    them from training.
    """

    kind: str
    verdict: str
    linear: AgainstPCA
    gap: Gap
    shift: Shift
    probe: NoiseProbe
    copies: Copies
    attractors: Attractors
    dimension: Dimension
    units: Units
    slopes: Slopes
    worst: Worst
    stability: Stability | None
    notes: tuple[str, ...]
    subject: Subject
    row_numbers: NDArray[np.int64]

    @property
    def findings(self) -> dict[str, Finding]:
        """Every look by name, in the order they are told."""
        values = {name: getattr(self, name) for name in self._fields()}
        return {name: value for name, value in values.items() if isinstance(value, Finding)}

    @property
    def columns(self) -> Any:
        """A DataFrame of the columns, worst first: the share explained and the mean squared error."""
        order = self.worst.order
        found = {
            "column": [self.worst.names[j] for j in order],
            "explained": [float(self.worst.explained[j]) for j in order],
            "error": [float(self.worst.error[j]) for j in order],
        }
        return as_frame_like(None, found)

    def plain(self) -> dict[str, Any]:
        """Everything as JSON can hold it."""
        looks = {name: finding.plain() for name, finding in self.findings.items()}
        return {"kind": self.kind, "verdict": self.verdict, **looks, "notes": list(self.notes)}

    def __str__(self) -> str:
        width = max(len(finding.label) for finding in self.findings.values())
        lines = [f"  {finding.label:<{width}}  {finding}" for finding in self.findings.values()]
        return "\n".join([self.verdict, *lines, *(f"  {note}" for note in self.notes)])


def audit(model: Any, X_train: Any, X_test: Any = None, *, seeds: int = 0, random_state: int = 0) -> Audit:
    """Is this representation any good? Everything an audit looks at, and one verdict.

    Parameters
    ----------
    model : Autoencoder, or any fitted transformer with an inverse_transform
        `PCA(8)`, a Pipeline of such.
    X_train : DataFrame, array, Source or folder
        What it was fitted on.
    X_test : the same, or None
        Rows it has never seen. None takes the rows an Autoencoder kept from training; they decided when it
        stopped, so its error is slightly optimistic there.
    seeds : int
        Fit the model anew with so many seeds in all, and compare: 3 is enough to tell. It costs as many fits;
        0 leaves it out.
    random_state : int
        Seed of what is drawn: the rows looked at where there are many, shuffles, and the other seeds.

    Returns
    -------
    Audit
        `print` it. `verdict`, `kind`, the looks by name, `columns`, `plain()` for JSON.

    Raises DataError where the model cannot rebuild what it transforms, or no rows are left to judge by.

    >>> from sklearn.decomposition import PCA
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 10)) + 0.1 * rng.normal(size=(300, 10))
    >>> audit(PCA(3).fit(X[:200]), X[:200], X[200:]).kind
    'pca'
    """
    good = isinstance(seeds, int) and seeds >= 0 and seeds != 1
    need(good, "seeds", "be 0, or at least 2", seeds, "Use seeds=3")
    X_train, X_test, kept = _both(model, X_train, X_test)
    subject = subject_of(model, X_train, X_test, random_state)
    linear, probe, gaps = against_pca(subject), noise_probe(subject), gap(subject)
    copied, fallen = copies(subject), attractors(subject)
    counted, dimension = units(subject), intrinsic_dimension(subject)
    moved, poor = shift(subject), worst(subject)
    found = Evidence(linear, probe, gaps, copied, fallen, counted, dimension.dimension, moved, poor)
    kind, verdict = judged(found)
    return Audit(
        kind=kind,
        verdict=verdict,
        linear=linear,
        gap=gaps,
        shift=moved,
        probe=probe,
        copies=copied,
        attractors=fallen,
        dimension=dimension,
        units=counted,
        slopes=slopes(subject),
        worst=poor,
        stability=stability(subject, X_train, seeds) if seeds else None,
        notes=tuple(subject.notes),
        subject=subject,
        row_numbers=subject.test_numbers if kept is None else kept[subject.test_numbers],
    )


def _both(model: Any, X_train: Any, X_test: Any) -> tuple[Any, Any, Any]:
    """Training rows and others: those the model kept from training where none are given, with their
    numbers.
    """
    if X_test is not None:
        return X_train, X_test, None
    kept = np.sort(np.asarray(getattr(model, "held_out_", ()), dtype=np.int64))
    if hasattr(model, "must_be_fitted"):
        model.must_be_fitted()
        X_train = model.schema_.source(X_train)
    if not len(kept) or kept.max() >= len(X_train):
        do = "Use audit(model, X_train, X_test)"
        raise must("X_test", "be given where the model kept no rows from training", X_test, do)
    others = np.setdiff1d(np.arange(len(X_train)), kept, assume_unique=True)
    if isinstance(X_train, Source):  # only those that will be looked at
        rng = np.random.default_rng(0)
        kept, others = (np.sort(rng.permutation(part)[:SEEN]) for part in (kept, others))
    return rows_of(X_train, others), rows_of(X_train, kept), kept


SEEN = 20_000  # rows of a source that are fetched of each kind
