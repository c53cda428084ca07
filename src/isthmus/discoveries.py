"""Many tests at once: which to report when a share of them may be false.

>>> discoveries(np.array([0.001, 0.04, 0.6]), 0.1).tolist()
[True, True, False]
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import need

__all__ = ["discoveries"]


def discoveries(p: NDArray[np.float64], fdr: float) -> NDArray[np.bool_]:
    """Tests to report so that on average at most a share `fdr` of them are false: (n,) of booleans.

    Benjamini & Hochberg (1995): the k smallest p-values, for the largest k with p_(k) <= fdr * k / n. It
    allows for how conformal p-values of one calibration depend on each other (Bates et al. 2023).
    """
    need(0 < fdr < 1, "fdr", "lie between 0 and 1", fdr, "Use fdr=0.05")
    n = len(p)
    ordered = np.sort(p)
    passing = np.flatnonzero(ordered <= fdr * np.arange(1, n + 1) / n)
    found: NDArray[np.bool_] = p <= (ordered[passing[-1]] if len(passing) else -1.0)
    return found
