"""The trade-off: what a penalty's weight, or any other number, does to reconstruction, regularity and use.

Held-out reconstruction cannot choose lambda: it nearly always prefers none. What a penalty is for shows in
what the representation is used for, so every value on a path is held against three uses as well
(`isthmus.auditing.uses`), and what is best for each is said. The whole path is trained as one program by
`fit_many`.

>>> from isthmus import L1, Autoencoder, Trainer
>>> rng = np.random.default_rng(0)
>>> X = np.tanh(rng.normal(size=(200, 3)) @ rng.normal(size=(3, 8)))
>>> model = Autoencoder(4, penalty=L1(), trainer=Trainer(max_epochs=3), random_state=0)
>>> path = tradeoff(model, X, "penalty__weight", [0.0, 0.1, 1.0])
>>> len(path.frame), path.best["error"] in (0.0, 0.1, 1.0)
(3, True)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from isthmus.auditing.curve import parted
from isthmus.auditing.local import slopes
from isthmus.auditing.subject import Subject, subject_of
from isthmus.auditing.units import units
from isthmus.auditing.uses import anomaly_auc, neighbours_kept, noise_left
from isthmus.autoencoder import Autoencoder
from isthmus.checks import must, need
from isthmus.inputs import as_frame_like, rows_of
from isthmus.many import fit_many
from isthmus.parts import Record

__all__ = ["Tradeoff", "tradeoff"]

HIGHER = {"anomaly_auc": True, "neighbours": True, "error": False, "noise_left": False}
WORDS = {
    "error": "reconstruction",
    "anomaly_auc": "anomalies",
    "noise_left": "denoising",
    "neighbours": "neighbours",
}


class Tradeoff(Record):
    """A line for every value: `rows` holds them as plain dicts, `frame` as a DataFrame.

    error: mean squared error of a held-out row; explained: as a share. density: the share of activations
    that is on; jacobian: mean squared norm of the reconstruction's Jacobian. anomaly_auc, noise_left,
    neighbours: see `isthmus.auditing.uses`. models: the fitted autoencoders, in the same order.
    """

    parameter: str
    rows: tuple[dict[str, float], ...]
    models: tuple[Autoencoder, ...]
    labelled: bool

    @property
    def frame(self) -> Any:
        """The rows as a DataFrame."""
        return as_frame_like(None, {name: [row[name] for row in self.rows] for name in self.rows[0]})

    @property
    def best(self) -> dict[str, float]:
        """The value that is best for reconstruction and for each use."""
        found = {}
        for name, higher in HIGHER.items():
            scores = [row[name] if higher else -row[name] for row in self.rows]
            found[name] = self.rows[int(np.argmax(scores))]["value"]
        return found

    def __str__(self) -> str:
        said = [f"{WORDS[name]} {value:g}" for name, value in self.best.items()]
        return f"Best {self.parameter} by what it is for: {', '.join(said)}."


def tradeoff(
    model: Autoencoder,
    X: Any,
    parameter: str = "penalty__weight",
    values: Sequence[float] = (0.0, 1e-3, 1e-2, 1e-1, 1.0),
    *,
    y: Any = None,
    random_state: int = 0,
) -> Tradeoff:
    """Train a path of models that differ in one number, and measure what it does.

    Parameters
    ----------
    model : Autoencoder
        Fitted or not; it is copied.
    X : DataFrame, array or Source
        Four fifths to learn from, a fifth to judge by.
    parameter : str
        By scikit-learn's name: "penalty__weight", "penalty__l1__weight", "corruption__sigma", ...
    values : sequence of numbers
        The path.
    y : array of labels or None
        What neighbours should share; never used in training.

    Raises DataError where the model has no such parameter, or y not as many labels as X has rows.
    """
    if not isinstance(model, Autoencoder):
        raise must("model", "be an Autoencoder", type(model).__name__, "Use Autoencoder(penalty=L1())")
    need(len(values) > 0, "values", "hold at least one number", values, "Use values=[0.0, 0.1]")
    labelled = np.shape(y)[:1] == (len(X),) if y is not None else True
    need(labelled, "y", f"hold a label for each of {len(X):,} rows", _length(y), "Use the labels of X")
    train, test, kept = parted(X, random_state)
    path = []
    for value in values:
        copy = Autoencoder(**model.get_params(deep=False))
        seed = random_state if model.random_state is None else model.random_state
        path.append(copy.set_params(random_state=seed).set_params(**{parameter: value}))
    fit_many(path, train)
    first = subject_of(path[0], train, test, random_state)
    labels = None if y is None else rows_of(np.asarray(y), kept)
    rows = [_measured(first.with_model(each), float(v), labels) for each, v in zip(path, values, strict=True)]
    return Tradeoff(parameter=parameter, rows=tuple(rows), models=tuple(path), labelled=y is not None)


def _length(y: Any) -> str:
    """How many labels arrived, in words."""
    return f"{np.shape(y)[0]:,}" if np.ndim(y) else "one value"


def _measured(subject: Subject, value: float, labels: Any) -> dict[str, float]:
    """One line."""
    error = float(subject.test.errors.mean())
    of = float(subject.axes.errors(subject.test.x, 0, subject.test.seen).mean())
    return {
        "value": value,
        "error": error,
        "explained": 1 - error / of,
        "density": units(subject).density,
        "jacobian": slopes(subject).reconstruction,
        "anomaly_auc": anomaly_auc(subject),
        "noise_left": noise_left(subject),
        "neighbours": neighbours_kept(subject, labels),
    }
