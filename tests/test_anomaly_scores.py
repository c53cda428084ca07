"""The classical scores, and ensembles."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import PCA

from isthmus import (
    AnomalyDetector,
    CellErrors,
    CodeDistance,
    DataError,
    DenoisingErrors,
    NearFar,
    export,
    load,
    save,
)
from isthmus.anomaly import nearfar

SCORES = [CellErrors(), CellErrors(scaled=False), CodeDistance(), DenoisingErrors(), NearFar()]


def sheet(n, seed):
    rng = np.random.default_rng(seed)
    return np.tanh(rng.normal(size=(n, 2)) @ np.random.default_rng(0).normal(size=(2, 6)))


@pytest.fixture(scope="module")
def fitted():
    return {
        repr(score): AnomalyDetector(anomaly_score=score, folds=2, random_state=0).fit(sheet(400, 1))
        for score in SCORES
    }


@pytest.mark.parametrize("score", SCORES, ids=repr)
def test_a_score_depends_on_its_row_alone_and_survives_its_file(fitted, score, tmp_path):
    detector, X = fitted[repr(score)], sheet(60, 2)
    whole = detector.score_samples(X)
    pieces = [detector.score_samples(X[i : i + 1]) for i in range(0, 60, 7)]
    assert np.allclose(whole[::7], np.concatenate(pieces), rtol=1e-4, atol=1e-5)
    save(detector, tmp_path / "d.isthmus")
    assert np.allclose(load(tmp_path / "d.isthmus").score_samples(X), whole)


@pytest.mark.parametrize("score", SCORES, ids=repr)
def test_its_error_rate_holds(fitted, score):
    flagged = (fitted[repr(score)].predict(sheet(2000, 3), alpha=0.1) < 0).mean()
    assert 0.05 < flagged < 0.14


@pytest.mark.parametrize("score", [CellErrors(), DenoisingErrors()], ids=repr)
def test_rows_off_the_sheet_are_strange(fitted, score):
    X = sheet(200, 4)
    off = X * [1, -1, 1, 1, -1, 1]
    detector = fitted[repr(score)]
    assert np.median(detector.score_samples(off)) < np.quantile(detector.score_samples(X), 0.05)


def test_the_code_sees_what_residuals_cannot():
    """Law 12c for the code of a linear model: far out along the first axis."""
    X = np.random.default_rng(0).normal(size=(300, 5)) * [5, 1, 1, 1, 1]
    for score, sees in ((CodeDistance(), True), (CellErrors(), False)):
        detector = AnomalyDetector(PCA(2), anomaly_score=score, folds=1, random_state=0).fit(X)
        model = detector.models_[0]
        far = model.mean_ + 1000 * model.components_[:1]
        assert bool(detector.score_samples(far)[0] < detector.score_samples(X).min()) is sees


def test_denoising_errors_read_mixed_tables_with_gaps():
    frame = pd.DataFrame(sheet(200, 5), columns=list("abcdef"))
    frame["kind"] = np.where(frame["a"] > 0, "up", "down")
    frame.loc[::5, "b"] = np.nan
    detector = AnomalyDetector(anomaly_score=DenoisingErrors((0.3,)), random_state=0).fit(frame)
    wrong = frame[:20].assign(kind=np.where(frame["a"][:20] > 0, "down", "up"))
    assert (detector.score_samples(wrong) < detector.score_samples(frame[:20])).mean() > 0.8
    with pytest.raises(DataError, match="levels"):
        AnomalyDetector(anomaly_score=DenoisingErrors(())).fit(frame)


def test_an_ensemble_depends_less_on_its_seed(tmp_path):
    X, new = sheet(200, 6), sheet(100, 7) * [1, 1, -1, 1, 1, 1]

    def spread(ensemble):
        found = [
            AnomalyDetector(folds=1, ensemble=ensemble, random_state=seed).fit(X).score_samples(new)
            for seed in range(4)
        ]
        return np.std(found, axis=0).mean()

    assert spread(6) < spread(1)
    detector = AnomalyDetector(folds=2, ensemble=3, random_state=0).fit(X)
    assert len(detector.models_) == 6
    assert np.isfinite(detector.training_scores_).all()
    assert 0.85 < (detector.predict(sheet(1000, 8), alpha=0.1) > 0).mean() < 0.95
    save(detector, tmp_path / "d.isthmus")
    again = load(tmp_path / "d.isthmus")
    assert (again.ensemble, len(again.models_)) == (3, 6)
    assert np.array_equal(again.score_samples(new), detector.score_samples(new))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(DataError, match="ensemble"):
            AnomalyDetector(ensemble=0).fit(X)


def test_notes_say_what_was_done_about_anomalies_among_the_training_rows():
    X = sheet(100, 9)
    for clean, words in (
        (None, "weigh on the first alone"),
        (True, "pass for ordinary"),
        (False, "left out"),
    ):
        notes = AnomalyDetector(anomaly_score=NearFar(clean=clean), folds=2, random_state=0).fit(X).notes_
        assert any(words in note for note in notes)


def test_fewer_rows_than_columns_are_whitened_as_by_the_whole_matrix(tmp_path):
    """Ledoit and Wolf's covariance plus its floor, inverted; the saved detector scores alike, and no matrix
    of columns by columns is kept.
    """
    x = np.random.default_rng(0).normal(size=(30, 80)) * np.arange(1, 81)
    found = nearfar._Gaussian.of(x, 1e-9)
    floor = 0.01 * np.square(x - x.mean(0)).mean()
    covariance = ledoit_wolf(x)[0] + floor * np.eye(80)
    white = found.whiten(x + 1)
    expected = np.einsum("ij,jk,ik->i", x + 1 - x.mean(0), np.linalg.inv(covariance), x + 1 - x.mean(0))
    np.testing.assert_allclose(np.square(white).sum(1), expected, rtol=1e-9)
    assert max(part.size for part in found.state("whole").values()) <= 30 * 80
    detector = AnomalyDetector(folds=1, random_state=0).fit(x)
    save(detector, tmp_path / "d.isthmus")
    np.testing.assert_array_equal(load(tmp_path / "d.isthmus").score_samples(x), detector.score_samples(x))
    assert export(detector, tmp_path / "d.onnx") <= 1e-5


def test_a_core_of_equal_rows_is_kept_in_a_file(tmp_path):
    """No axis has any variance then, and fewer rows than columns leave none to write down."""
    x = np.random.default_rng(0).normal(size=(20, 80))
    x[:12] = x[0]
    detector = AnomalyDetector(folds=1, random_state=0).fit(x)
    save(detector, tmp_path / "d.isthmus")
    np.testing.assert_array_equal(load(tmp_path / "d.isthmus").score_samples(x), detector.score_samples(x))
    assert export(detector, tmp_path / "d.onnx") <= 1e-5


def test_wide_covariances_are_those_of_some_rows(monkeypatch):
    """Drawn over all of them, whatever their order."""
    monkeypatch.setattr(nearfar, "WIDE", 50)
    x = np.tile(np.eye(4), (50, 20)) + 0.1 * np.random.default_rng(0).normal(size=(200, 80))
    found = nearfar._Gaussian.of(x, 1e-9)
    assert found.gains.size <= 50
    np.testing.assert_allclose(found.mean, x.mean(0), atol=0.2)
