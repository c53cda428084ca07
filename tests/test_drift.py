"""The drift alarm: rarely without cause, soon with one, and the same after saving."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus import AnomalyDetector, DataError, DriftAlarm, load, save


def alarm(seed, n=100, rate=0.01):
    return DriftAlarm(np.ravel, np.random.default_rng(seed).normal(size=n), rate, seed)


def test_while_nothing_changes_it_is_quiet():
    """At most a share `rate` ever goes off; 200 streams of 2,000 rows, binomial bound at 1 in 10,000."""
    raised = sum(alarm(s).update(np.random.default_rng(1000 + s).normal(size=2000)) for s in range(200))
    assert raised <= 8


@pytest.mark.parametrize("change", [lambda x: x + 0.7, lambda x: x - 0.7, lambda x: 2 * x, lambda x: x / 2])
def test_a_change_is_seen_within_a_few_hundred_rows_however_late(change):
    for start in (0, 3000):
        one = alarm(5, n=500)
        rng = np.random.default_rng(6)
        assert not one.update(rng.normal(size=start))
        assert one.update(change(rng.normal(size=400)))
        assert start < one.raised_at <= start + 400


def test_batches_of_any_size_give_the_same():
    x = np.random.default_rng(3).normal(size=300)
    whole, pieces = alarm(1), alarm(1)
    whole.update(x)
    for start in range(0, 300, 7):
        pieces.update(x[start : start + 7])
    assert (whole.evidence, whole.rows) == (pieces.evidence, pieces.rows)


def test_ties_are_no_drift():
    one = DriftAlarm(np.ravel, np.zeros(100))
    assert not one.update(np.zeros(3000))


def test_a_detector_gives_one_that_survives_its_file(tmp_path):
    rng = np.random.default_rng(0)
    W = rng.normal(size=(2, 6))
    X, new = (rng.normal(size=(n, 2)) @ W + 0.1 * rng.normal(size=(n, 6)) for n in (400, 400))
    detector = AnomalyDetector(random_state=0).fit(X)
    save(detector, tmp_path / "d.isthmus")
    again = load(tmp_path / "d.isthmus")
    for one in (detector, again):
        assert not one.drift_alarm().update(new)
        assert one.drift_alarm().update(new + 0.5)
    with pytest.raises(DataError, match="rate"):
        detector.drift_alarm(rate=2)


def test_weights_are_refused(tmp_path):
    X = np.random.default_rng(0).normal(size=(120, 3))
    detector = AnomalyDetector(folds=1, random_state=0).fit(X)
    detector.recalibrate(X, weights=np.ones(120))
    with pytest.raises(DataError, match="no weights"):
        detector.drift_alarm()
