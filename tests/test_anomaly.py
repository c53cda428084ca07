"""Anomaly detection: scikit-learn's contract, rates that hold, repairs that name the cell, one file."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.utils.estimator_checks import parametrize_with_checks

from command_line import run
from isthmus import (
    AnomalyDetector,
    Autoencoder,
    CellErrors,
    DataError,
    FileError,
    NearFar,
    Trainer,
    load,
    save,
)
from isthmus.demo import mixed_table

MIXING = np.random.default_rng(99).normal(size=(4, 20)) * 0.75


def sheet(n: int, seed: int) -> np.ndarray:
    """Rows (n, 20) near a curved sheet of four dimensions."""
    rng = np.random.default_rng(seed)
    return np.tanh(rng.normal(size=(n, 4)) @ MIXING) + 0.05 * rng.normal(size=(n, 20))


@pytest.fixture(scope="module")
def detector() -> AnomalyDetector:
    """Fitted on 600 clean rows."""
    return AnomalyDetector(random_state=0).fit(sheet(600, 0))


@pytest.fixture(scope="module")
def mixed() -> tuple[AnomalyDetector, pd.DataFrame]:
    """A detector of the first 350 rows of a mixed table with gaps, and the other rows."""
    table = mixed_table()
    return AnomalyDetector(random_state=0).fit(table[:350]), table[350:]


@parametrize_with_checks([AnomalyDetector(folds=2, random_state=0), AnomalyDetector(PCA(1), random_state=0)])
def test_scikit_learn_accepts_the_detector(estimator, check):
    """Every check it has for outlier detectors, none expected to fail."""
    check(estimator)


@pytest.mark.parametrize("model", [None, PCA(4), Autoencoder(4, trainer=Trainer(max_epochs=20))])
def test_of_clean_rows_no_more_than_alpha_are_flagged(model):
    """Fresh rows of the same kind, by whatever model; three standard errors of 300 calibration rows."""
    detector = AnomalyDetector(model, random_state=0).fit(sheet(300, 1))
    share = np.mean(detector.predict(sheet(4000, 2)) == -1)
    assert 0.01 <= share <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


def test_set_aside_rows_calibrate_one_model_exactly():
    """With folds=1 a fifth of the rows is no part of training."""
    detector = AnomalyDetector(random_state=0, folds=1).fit(sheet(1000, 3))
    assert len(detector.models_) == 1
    assert detector.calibration_.rows == np.isfinite(detector.training_scores_).sum() == 200
    assert np.mean(detector.predict(sheet(4000, 4)) == -1) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)


@pytest.mark.parametrize("clean", [None, True, False])
@pytest.mark.parametrize("model", [None, PCA(4)])
def test_a_point_far_along_the_first_axis_is_the_strangest(model, clean):
    """Law 12c: mean + 1000 v1, where a linear residual is about 0, ranks above every training row."""
    X = sheet(400, 5)
    X = (X - X.mean(0)) / X.std(0)
    axis = PCA(1).fit(X).components_[0]
    detector = AnomalyDetector(model, anomaly_score=NearFar(clean), random_state=0).fit(X)
    far = np.stack([X.mean(0) + 1000 * axis, X.mean(0) - 1000 * axis])
    assert detector.score_samples(far).max() < detector.score_samples(X).min()


def test_residuals_alone_are_blind_along_the_first_axis():
    """What the law is about: the textbook's score of PCA ranks that point among ordinary rows."""
    X = sheet(400, 5)
    detector = AnomalyDetector(PCA(4), anomaly_score=CellErrors(), folds=1, random_state=0).fit(X)
    (pca,) = detector.models_
    far = pca.mean_ + 1000 * pca.components_[:1]
    assert detector.score_samples(far)[0] > np.quantile(detector.score_samples(X), 0.05)


def test_scores_do_not_depend_on_the_batch(detector):
    """One row at a time, seven, all at once."""
    X = sheet(50, 6)
    whole = detector.score_samples(X)
    for size in (1, 7):
        parts = [detector.score_samples(X[i : i + size]) for i in range(0, 50, size)]
        assert np.abs(np.concatenate(parts) - whole).max() <= 1e-5


def broken(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows with one cell of the wrong sign each, and which; its size is that of another row."""
    rng = np.random.default_rng(seed)
    X, cells, rows = sheet(n, seed), rng.integers(20, size=n), np.arange(n)
    X[rows, cells] = -np.sign(X[rows, cells]) * np.abs(sheet(n, seed + 1)[rows, cells])
    return X, cells


def test_the_broken_cell_is_named_and_its_replacement_makes_the_row_ordinary(detector):
    """Among rows that are flagged: the largest contribution is the culprit's in 95 of 100 and more."""
    X, cells = broken(100, 7)
    found = detector.explain(X)
    first = found.drop_duplicates("row")
    assert len(first) >= 50
    assert np.mean(first["column"].to_numpy() == cells[first["row"]]) >= 0.95
    assert np.mean(first["p_value_after"] > detector.alpha) >= 0.95


def test_contributions_sum_to_the_score(detector):
    """One line for each of the 20 cells of every flagged row; the sum is minus score_samples."""
    X, _ = broken(30, 8)
    found = detector.explain(X)
    sums = found.groupby("row")["contribution"].agg(["sum", "size"])
    assert (sums["size"] == 20).all()
    assert np.allclose(sums["sum"], -detector.score_samples(X)[sums.index], rtol=1e-4)


def test_repairs_come_in_the_columns_own_units(mixed):
    """A category gets a level, a number a number of its size; gaps stay out of it."""
    detector, rows = mixed
    row = rows[rows.bmi.notna()].head(1).copy()
    row["bmi"] = 90.0
    assert detector.p_values(row)[0] <= 0.05
    ((column, value, new),) = detector.repairs(row)[0]
    assert (column, value) == ("bmi", 90.0)
    assert 15 < new < 45


def test_recalibration_changes_p_values_and_not_scores(detector):
    """New rows with twice the noise are flagged, until they are what is ordinary."""
    rng = np.random.default_rng(9)
    old = AnomalyDetector(random_state=0).fit(sheet(300, 10))
    noisy = [sheet(600, seed) + 0.3 * rng.normal(size=(600, 20)) for seed in (11, 12)]
    before, scores = np.mean(old.predict(noisy[1]) == -1), old.score_samples(noisy[1])
    old.recalibrate(noisy[0])
    assert before > 0.3
    assert np.mean(old.predict(noisy[1]) == -1) <= 0.08
    assert np.array_equal(old.score_samples(noisy[1]), scores)


def test_an_alpha_that_the_calibration_cannot_support_is_refused(detector):
    """600 rows carry 1 / 601."""
    with pytest.raises(DataError, match="Calibrate on 9,999 rows"):
        detector.predict(sheet(3, 0), alpha=1e-4)
    with pytest.raises(DataError, match="not both"):
        detector.predict(sheet(3, 0), alpha=0.05, fdr=0.05)


def test_a_saved_detector_is_the_same_detector(mixed, tmp_path):
    """Scores, p-values, threshold and repairs equal to the bit, mixed columns and gaps included."""
    detector, rows = mixed
    save(detector, tmp_path / "d.isthmus")
    same = load(tmp_path / "d.isthmus")
    assert np.array_equal(same.score_samples(rows), detector.score_samples(rows))
    assert np.array_equal(same.p_values(rows), detector.p_values(rows))
    assert (same.offset_, same.notes_) == (detector.offset_, detector.notes_)
    assert same.explain(rows).equals(detector.explain(rows))


def test_an_altered_file_and_a_model_without_calibration_are_refused(mixed, tmp_path):
    """One sentence, no traceback."""
    path = tmp_path / "d.isthmus"
    save(mixed[0], path)
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(FileError, match="altered or damaged"):
        load(path)
    with pytest.raises(DataError, match="must be an Autoencoder"):
        save(AnomalyDetector(PCA(1), random_state=0).fit(sheet(50, 0)), path)


def test_same_seed_same_bits_and_no_global_state():
    """Two fits, with numpy's global generator watched."""
    state = np.random.get_state()[1].copy()
    a, b = (AnomalyDetector(random_state=3).fit(sheet(200, 0)).score_samples(sheet(50, 1)) for _ in range(2))
    assert np.array_equal(a, b)
    assert np.array_equal(np.random.get_state()[1], state)


def test_the_command_line_fits_detects_and_names_the_cells(tmp_path):
    """A CSV with categories and gaps; three cells broken by hand are flagged and named."""
    table = mixed_table()
    bad = table[350:].reset_index(drop=True)
    bad.loc[0, "bmi"], bad.loc[1, "bp"], bad.loc[2, "s1"] = 95.0, 400.0, 900.0
    table[:350].to_csv(tmp_path / "good.csv", index=False)
    bad.to_csv(tmp_path / "new.csv", index=False)
    done = run("fit", "good.csv", "--task", "detect", "-o", "d.isthmus", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    done = run("detect", "d.isthmus", "new.csv", "--alpha", 0.01, "--explain", "-o", "f.csv", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "flagged" in done.stdout
    assert "bmi" in done.stdout
    found = pd.read_csv(tmp_path / "f.csv").set_index("row")
    for row, column in ((0, "bmi"), (1, "bp"), (2, "s1")):
        assert column in found.loc[row, "repair"]
    told = json.loads(run("detect", "d.isthmus", "new.csv", "--json", folder=tmp_path).stdout)
    assert (told["rows"], told["worst"][0]["repair"]) == (len(bad), None)
    done = run("detect", "d.isthmus", "new.csv", "--alpha", 0.0001, folder=tmp_path)
    assert done.returncode == 1
    assert "Calibrate on 9,999 rows" in done.stderr
    assert "Traceback" not in done.stderr
    done = run("encode", "d.isthmus", "new.csv", "-o", "z.csv", folder=tmp_path)
    assert done.returncode == 1
    assert "must hold an Autoencoder" in done.stderr


def test_as_many_folds_as_asked_for_are_trained():
    """Seven parts, seven models, every row calibrated by one."""
    detector = AnomalyDetector(PCA(3), folds=7, random_state=0).fit(sheet(100, 0))
    assert (len(detector.models_), detector.calibration_.rows) == (7, 100)


@pytest.mark.parametrize("share", [0.5, 0.7, 0.95])
def test_rows_that_are_mostly_the_same_can_be_calibrated(share):
    """The central half has no spread at all; a row off the common one is still the strangest."""
    X = np.random.default_rng(0).normal(size=(300, 6))
    X[: round(share * 300)] = 0.0
    detector = AnomalyDetector(random_state=0).fit(X)
    scores = detector.score_samples(np.array([[0.0] * 6, [9.0] * 6]))
    assert np.isfinite(scores).all()
    assert scores[1] < scores[0]


def test_columns_of_other_transformers_go_by_name():
    """Reordered columns change nothing; unknown ones are refused."""
    frame = pd.DataFrame(sheet(200, 0)[:, :4], columns=list("abcd"))
    detector = AnomalyDetector(PCA(2), random_state=0).fit(frame)
    assert np.array_equal(detector.score_samples(frame[list("dbca")]), detector.score_samples(frame))
    with pytest.raises(DataError, match="columns PCA was fitted on"):
        detector.predict(frame.rename(columns={"a": "z"}))


def test_a_detector_of_arrays_explains_frames():
    """Cells go by number where the names are not those of fit."""
    detector = AnomalyDetector(random_state=0).fit(sheet(300, 0))
    X, _ = broken(20, 1)
    frame = pd.DataFrame(X, columns=[f"c{j}" for j in range(20)])
    assert len(detector.explain(frame)) == len(detector.explain(X)) > 0


def test_weighted_calibrations_flag_by_the_weights_of_the_new_rows():
    """Decision, offset and prediction agree; ten rows of weight 100 support less than 1 / 1,001."""
    X = sheet(300, 0)
    detector = AnomalyDetector(PCA(4), random_state=0).fit(X).recalibrate(sheet(200, 1), np.full(200, 2.0))
    new, _ = broken(50, 2)
    assert np.array_equal(detector.predict(new) == -1, detector.decision_function(new) < 0)
    p = detector.p_values(new, weights=np.full(50, 2.0))
    assert np.allclose(
        p, AnomalyDetector(PCA(4), random_state=0).fit(X).recalibrate(sheet(200, 1)).p_values(new)
    )
    assert np.array_equal(detector.predict(new, weights=np.full(50, 2.0)) == -1, p <= 0.05)
    with pytest.raises(DataError, match="one positive number a row"):
        detector.p_values(new, weights=np.full((50, 1), 2.0))
    with pytest.raises(DataError, match="of these weights"):
        detector.recalibrate(sheet(20, 1), np.full(20, 0.01)).predict(new, alpha=0.05)


def test_arrays_of_a_hostile_file_are_checked(mixed, tmp_path):
    """A valid checksum over numbers that cannot be: one sentence when loading, not a crash when scoring."""
    from isthmus.sealed import read_sealed, write_sealed

    save(mixed[0], tmp_path / "d.isthmus")
    header, tensors = read_sealed(tmp_path / "d.isthmus", "AnomalyDetector")
    usual, mean = tensors["0.score.usual"], tensors["0.score.core.mean"]
    for change in (
        {"0.score.usual": usual * np.nan},
        {"0.score.usual": -usual},
        {"0.score.core.mean": mean[:-1]},
        {"0.score.rows": tensors["0.score.rows"][:, :-1]},
        {"0.score.more": usual.copy()},
    ):
        write_sealed(tmp_path / "h.isthmus", {**tensors, **change}, header)
        with pytest.raises(FileError, match="score's"):
            load(tmp_path / "h.isthmus")
    for models in ([], header["models"][:2]):
        write_sealed(tmp_path / "h.isthmus", tensors, {**header, "models": models})
        with pytest.raises(FileError, match="equally many"):
            load(tmp_path / "h.isthmus")


def test_files_are_scored_block_by_block(detector, tmp_path):
    """A .npy file too large for memory gives the scores of its rows."""
    X = sheet(5000, 3)
    np.save(tmp_path / "x.npy", X)
    lazily = detector.score_samples(np.load(tmp_path / "x.npy", mmap_mode="r"))
    assert np.abs(lazily - detector.score_samples(X)).max() <= 1e-5


def test_options_that_do_not_go_together_are_refused(tmp_path):
    """Before any work, with the option's name."""
    mixed_table().to_csv(tmp_path / "a.csv", index=False)
    done = run("fit", "a.csv", "--task", "detect", "--checkpoint", "c", "-o", "d.isthmus", folder=tmp_path)
    assert (done.returncode, "--checkpoint must be left out" in done.stderr) == (1, True)
    done = run("fit", "a.csv", "--clean", "-o", "d.isthmus", folder=tmp_path)
    assert (done.returncode, "--clean must come with" in done.stderr) == (1, True)
