"""Pooling: one answer from the analyses of several completed tables.

Each of m completed tables gives an estimate q_i and its variance u_i. With means q and u over the tables
and B the variance of the q_i, Rubin's rules are

    estimate q,     variance T = u + (1 + 1/m) B

and the interval q +- t sqrt(T) takes its t with the degrees of freedom of Barnard & Rubin (1999), which never
exceed those the table itself allows.

>>> pooled = pool([1.0, 2.0, 3.0], [0.5, 0.5, 0.5], complete_df=50)
>>> float(pooled.estimate), round(float(pooled.variance), 4), round(float(pooled.df), 2)
(2.0, 1.8333, 2.94)
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import need

__all__ = ["Pooled", "pool"]

Array = NDArray[np.float64]


class Pooled(NamedTuple):
    """estimate, variance = within + (1 + 1/m) between, degrees of freedom, share of information missing."""

    estimate: Array
    variance: Array
    df: Array
    within: Array
    between: Array
    missing_information: Array

    @property
    def standard_error(self) -> Array:
        """The root of the variance."""
        return np.sqrt(self.variance)

    def interval(self, alpha: float = 0.05) -> tuple[Array, Array]:
        """Lower and upper ends that hold the truth with probability 1 - alpha."""
        from scipy.stats import t

        need(0 < alpha < 1, "alpha", "lie between 0 and 1", alpha, "Use alpha=0.05")
        half = t.ppf(1 - alpha / 2, self.df) * self.standard_error
        return self.estimate - half, self.estimate + half

    def p_value(self, null: float = 0.0) -> Array:
        """Two-sided p-value of the hypothesis that the truth is `null`."""
        from scipy.stats import t

        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(2 * t.sf(np.abs(self.estimate - null) / self.standard_error, self.df))


def pool(estimates: Any, variances: Any, complete_df: float = np.inf) -> Pooled:
    """Rubin's rules.

    Parameters
    ----------
    estimates : array (m,) or (m, p)
        One estimate, or p of them, from each of m completed tables, m at least 2.
    variances : array of the same shape
        Their squared standard errors.
    complete_df : float
        Degrees of freedom the analysis would have on a table without gaps, such as n - p.

    References
    ----------
    Rubin (1987), Multiple imputation for nonresponse in surveys. Barnard & Rubin (1999), Small-sample degrees
    of freedom with multiple imputation, Biometrika 86.
    """
    q, u = np.asarray(estimates, np.float64), np.asarray(variances, np.float64)
    need(
        q.ndim in (1, 2) and len(q) >= 2, "estimates", "be those of two tables at least", q.shape, "Draw more"
    )
    need(q.shape == u.shape, "variances", f"have the shape {q.shape}", u.shape, "Give one for each estimate")
    need(bool((u >= 0).all()), "variances", "be 0 or more", float(u.min()), "Square the standard errors")
    need(complete_df > 0, "complete_df", "be positive", complete_df, "Use the number of rows less estimates")
    m = len(q)
    within, between = u.mean(0), q.var(0, ddof=1)
    extra = (1 + 1 / m) * between
    total = within + extra
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(total > 0, extra / total, 0.0)
        of_draws = np.where(share > 0, (m - 1) / share**2, np.inf)
        of_table = (complete_df + 1) / (complete_df + 3) * complete_df if np.isfinite(complete_df) else np.inf
        df = 1 / (1 / of_draws + 1 / (of_table * (1 - share)))
        ratio = extra / within
        missing = np.where(np.isfinite(ratio), (ratio + 2 / (df + 3)) / (ratio + 1), 1.0)
    return Pooled(q.mean(0), total, df, within, between, np.where(share > 0, missing, 0.0))
