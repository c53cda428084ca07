"""The units of the code: which are dead or saturated, and how many are on at once.

A unit is dead when it says the same of every row: it costs a number and carries nothing. A unit of a code in
(0, 1) is saturated when it sits at one end for nearly all rows, where its slope is nearly 0. Sparse codes are
described by their density, the share of activations above a tenth of the root mean square of all, and by the
mean activation, which a KL penalty pulls towards rho.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.auditing.finding import Finding
from isthmus.auditing.subject import Subject
from isthmus.wording import counted, percent

__all__ = ["Units", "units"]

DEAD = 1e-4  # of the root mean square deviation of all units: what varies less is dead
ACTIVE = 0.1  # of the root mean square of all activations, as in the penalty L1
ENDS = 0.02  # distance from 0 or 1 within which a unit is saturated
NEARLY_ALL = 0.95


class Units(Finding):
    """Counts of units; density, the share that is on; mean activation, and rho where a penalty names one."""

    label = "units"
    count: int
    dead: int
    saturated: int
    density: float
    mean: float
    rho: float | None
    one_sided: bool

    def __str__(self) -> str:
        said = [
            f"{self.dead:,} of {counted(self.count, 'unit')} {'is' if self.dead == 1 else 'are'} dead"
            if self.dead
            else "its one unit is alive"
            if self.count == 1
            else f"all {self.count} units are alive"
        ]
        if self.saturated:
            said.append(f"{self.saturated} {'is' if self.saturated == 1 else 'are'} saturated")
        if self.one_sided:
            said.append(f"{percent(self.density)} of activations are on")
        if self.rho is not None:
            said.append(f"mean activation {self.mean:.3f} for a rho of {self.rho:g}")
        return ", ".join(said)


def units(subject: Subject) -> Units:
    """Count over training and held-out rows together."""
    z = np.concatenate([subject.train.z, subject.test.z])
    spread = z.std(0)
    scale = float(np.sqrt(np.square(spread).mean()))
    one_sided = bool(z.min() >= 0) and len(z) > 1
    unit = one_sided and bool(z.max() <= 1) and bool(getattr(_part(subject.model, "code"), "unit", False))
    size = np.abs(z)
    return Units(
        count=z.shape[1],
        dead=int((spread <= DEAD * scale).sum()) if scale > 0 else z.shape[1],
        saturated=int(_saturated(z).sum()) if unit else 0,
        density=float((size > ACTIVE * np.sqrt(np.square(z).mean())).mean()),
        mean=float(z.mean()),
        rho=_rho(subject.model),
        one_sided=one_sided,
    )


def _saturated(z: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Units at one end for nearly all rows."""
    return np.asarray((np.minimum(z, 1 - z) < ENDS).mean(0) >= NEARLY_ALL)


def _rho(model: Any) -> float | None:
    """The rho of a KL penalty, if there is one."""
    penalty = _part(model, "penalty")
    terms = penalty.terms_by_name.values() if hasattr(penalty, "terms_by_name") else ()
    return next((float(term.rho) for term in terms if hasattr(term, "rho")), None)


def _part(model: Any, name: str) -> Any:
    return getattr(model, name, None)
