"""Stability: whether another seed would have learned the same.

The same model is fitted again with other seeds, and each pair is compared in three ways that do not ask for
the units to come in the same order:

* codes up to a linear map: the mean canonical correlation of z and z' on held-out rows (Hotelling 1936), and
  up to a rotation: 1 - the Procrustes distance of the centred codes at unit size;
* decoder atoms, for sparse codes: each matched to its best partner, one to one (Kuhn 1955), by cosine;
* ranks: Spearman's correlation of the rows' errors, which is what an anomaly score would be ordered by.

>>> rng = np.random.default_rng(0)
>>> z = rng.normal(size=(200, 3))
>>> turned = z @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
>>> float(round(canonical(z, turned), 6)), float(round(procrustes(z, turned), 6))
(1.0, 1.0)
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.auditing.finding import Finding
from isthmus.auditing.subject import Look, Subject

__all__ = ["Stability", "canonical", "matched_atoms", "procrustes", "stability"]

Array = NDArray[np.float64]


class Stability(Finding):
    """Means over the pairs of seeds; `atoms` is None where the code is not one-sided. 1 is the same."""

    label = "stability"
    seeds: int
    canonical: float
    procrustes: float
    ranks: float
    atoms: float | None

    def __str__(self) -> str:
        atoms = "" if self.atoms is None else f", atoms {self.atoms:.2f}"
        return (
            f"over {self.seeds} seeds: codes agree to {self.canonical:.2f} up to a linear map and "
            f"{self.procrustes:.2f} up to a rotation, ranks of row errors to {self.ranks:.2f}{atoms} "
            "(1 is the same)"
        )


def stability(subject: Subject, X_train: Any, seeds: int) -> Stability:
    """Fit `seeds - 1` more models and compare all pairs on the held-out rows."""
    others = refitted(subject.model, X_train, [subject.seed + 1 + i for i in range(seeds - 1)])
    subjects = [subject, *(subject.with_model(model) for model in others)]
    looks = [each.test for each in subjects]
    decoders = [each.atoms() for each in subjects]
    pairs = list(combinations(range(len(looks)), 2))
    sparse = bool((subject.test.z >= 0).all())
    atoms = [matched_atoms(decoders[i], decoders[j]) for i, j in pairs] if sparse else None
    return Stability(
        seeds=len(looks),
        canonical=_mean(canonical(looks[i].z, looks[j].z) for i, j in pairs),
        procrustes=_mean(procrustes(looks[i].z, looks[j].z) for i, j in pairs),
        ranks=_mean(_ranks(looks[i], looks[j]) for i, j in pairs),
        atoms=None if atoms is None else _mean(atoms),
    )


def refitted(model: Any, X: Any, seeds: list[int]) -> list[Any]:
    """Copies of the model with other seeds; autoencoders are trained together."""
    from sklearn.base import clone

    copies = []
    for seed in seeds:
        copy = clone(model)
        if "random_state" in copy.get_params():
            copy.set_params(random_state=seed)
        copies.append(copy)
    if hasattr(model, "schema_"):
        from isthmus.many import fit_many

        return list(fit_many(copies, X))
    return [copy.fit(X) for copy in copies]


def canonical(a: Array, b: Array) -> float:
    """Mean canonical correlation of two codes (n, k) and (n, k'), over the smaller of their ranks."""
    bases = [_basis(z) for z in (a, b)]
    if min(base.shape[1] for base in bases) == 0:
        return float("nan")
    return float(np.linalg.svd(bases[0].T @ bases[1], compute_uv=False).clip(0, 1).mean())


def procrustes(a: Array, b: Array) -> float:
    """Sum of the singular values of A^T B, both centred and of unit Frobenius norm: 1 for a rotation."""
    centred = [z - z.mean(0) for z in (a, b)]
    norms = [float(np.linalg.norm(z)) for z in centred]
    if min(norms) == 0:
        return float("nan")
    return float(np.linalg.svd(centred[0].T @ centred[1] / (norms[0] * norms[1]), compute_uv=False).sum())


def matched_atoms(a: Array, b: Array) -> float:
    """Mean absolute cosine of atoms (k, d) and their partners (k', d) in the best one-to-one matching."""
    from scipy.optimize import linear_sum_assignment

    units = [x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (a, b)]
    cosines = np.abs(units[0] @ units[1].T)
    return float(cosines[linear_sum_assignment(-cosines)].mean())


def _basis(z: Array) -> Array:
    """Orthonormal columns that span the centred code."""
    u, s, _ = np.linalg.svd(z - z.mean(0), full_matrices=False)
    return np.asarray(u[:, s > 1e-6 * max(float(s.max()), 1e-300)])


def _ranks(a: Look, b: Look) -> float:
    from scipy.stats import spearmanr

    if a.errors.std() == 0 or b.errors.std() == 0:
        return float("nan")
    return float(spearmanr(a.errors, b.errors).statistic)


def _mean(values: Any) -> float:
    return float(np.mean(list(values)))
