"""Conformal p-values and false discoveries: rates that hold, against sums done by hand and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from isthmus import DataError
from isthmus.anomaly import Calibration, discoveries


def test_p_values_are_one_plus_the_rows_as_strange_over_one_plus_all():
    """The formula, counted out; a tie counts as as strange."""
    calibration = Calibration.of([3.0, 1.0, 2.0, 2.0])
    assert calibration.p_values([0.0, 2.0, 2.5, 9.0]).tolist() == [1.0, 4 / 5, 2 / 5, 1 / 5]


def test_p_values_of_clean_rows_are_uniform():
    """P(p <= k / (n + 1)) = k / (n + 1) whatever the distribution of the scores."""
    rng = np.random.default_rng(0)
    p = np.concatenate(
        [Calibration.of(rng.standard_cauchy(19)).p_values(rng.standard_cauchy(5)) for _ in range(4000)]
    )
    for k in (1, 2, 5, 10):
        assert np.mean(p <= k / 20 + 1e-12) == pytest.approx(k / 20, abs=4 * np.sqrt(k / 20 / len(p)) + 0.002)


def test_weights_count_rows_as_often_as_they_say():
    """A weight of 2 is a row that is there twice; the new row has weight 1."""
    weighted = Calibration.of([1.0, 2.0, 3.0], [2.0, 0.0, 3.0])
    repeated = Calibration.of([1.0, 1.0, 3.0, 3.0, 3.0])
    new = [0.5, 1.5, 3.0, 4.0]
    assert np.allclose(weighted.p_values(new), repeated.p_values(new))


def test_weights_restore_the_rate_under_a_known_shift():
    """Calibrated on N(0, 1), asked about N(1, 1): unweighted flags too much, the density ratio mends it."""
    rng = np.random.default_rng(1)
    ratio = lambda x: np.exp(x - 0.5)  # noqa: E731 (density of N(1, 1) over that of N(0, 1))
    plain, mended = [], []
    for _ in range(400):
        old, new = rng.normal(size=500), rng.normal(1, 1, size=50)
        plain.append(np.mean(Calibration.of(old).p_values(new) <= 0.05))
        p = Calibration.of(old, ratio(old)).p_values(new, ratio(new))
        mended.append(np.mean(p <= 0.05))
    assert np.mean(plain) > 0.2
    assert np.mean(mended) == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize("fdr", [0.05, 0.2, 0.5])
def test_discoveries_are_those_of_benjamini_and_hochberg(fdr):
    """Against scipy's adjusted p-values."""
    rng = np.random.default_rng(2)
    p = np.concatenate([rng.uniform(size=80), rng.uniform(0, 0.01, size=20)])
    expected = false_discovery_control(p) <= fdr
    assert np.array_equal(discoveries(p, fdr), expected)
    assert expected.any()


def test_no_row_is_discovered_among_large_p_values():
    """Nothing to report is an answer."""
    assert not discoveries(np.array([0.5, 0.9]), 0.05).any()


def test_an_alpha_finer_than_the_rows_support_is_refused_with_the_number_needed():
    """99 rows carry 0.01, 98 do not."""
    Calibration.of(np.arange(99.0)).check(0.01)
    with pytest.raises(DataError, match=r"98 calibration rows; got 0.01. Calibrate on 99 rows"):
        Calibration.of(np.arange(98.0)).check(0.01)


@pytest.mark.parametrize(
    ("scores", "weights", "message"),
    [
        ([], None, "at least one row"),
        ([1.0, np.nan], None, "be finite"),
        ([1.0, 2.0], [1.0], "be 2, one a row"),
        ([1.0], [-1.0], "none negative"),
        ([1.0], [0.0], "not all 0"),
    ],
)
def test_what_cannot_calibrate_is_refused(scores, weights, message):
    """One sentence each."""
    with pytest.raises(DataError, match=message):
        Calibration.of(scores, weights)
