"""Detectors as ONNX: the same scores, p-values and flags; what cannot be written gets one sentence."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

from command_line import run
from isthmus import AnomalyDetector, CellErrors, DataError, FileError, NearFar, SeriesDetector, export, save

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, 2)) @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(200, 5))


def served(path, **inputs):
    session = onnxruntime.InferenceSession(str(path))
    names = [one.name for one in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True)), session.get_modelmeta()


@pytest.mark.parametrize("score", [NearFar(), NearFar(clean=True), NearFar(clean=False), CellErrors()])
def test_score_p_value_and_flag_are_the_detectors(data, tmp_path, score):
    detector = AnomalyDetector(anomaly_score=score, folds=2, random_state=0).fit(data)
    assert export(detector, tmp_path / "d.onnx") <= 1e-5
    new = np.vstack([data[:50], data[:20] * [1, -1, 1, 1, 1], data[:5] * 30])
    got, meta = served(tmp_path / "d.onnx", X=new)
    assert np.allclose(got["score"], -detector.score_samples(new), atol=1e-5, rtol=1e-5)
    assert np.allclose(got["p_value"], detector.p_values(new), atol=1.1 / 201)
    assert (np.where(got["flagged"], -1, 1) == detector.predict(new)).mean() > 0.98
    assert float(meta.custom_metadata_map["threshold"]) == -detector.offset_


def test_gaps_and_columns_of_text_travel_too(data, tmp_path):
    frame = pd.DataFrame(data, columns=list("abcde"))
    frame.loc[::9, "b"] = np.nan
    frame["kind"] = np.where(frame["a"] > 0, "up", "down")
    detector = AnomalyDetector(folds=1, random_state=0).fit(frame)
    export(detector, tmp_path / "d.onnx", rows=frame)
    got, _ = served(tmp_path / "d.onnx", X=frame[list("abcde")].to_numpy(), text=frame[["kind"]].to_numpy())
    assert np.allclose(got["score"], -detector.score_samples(frame), atol=1e-5)


def test_a_weighted_calibration(data, tmp_path):
    detector = AnomalyDetector(folds=1, random_state=0).fit(data[:150])
    detector.recalibrate(data[150:], weights=np.linspace(0.1, 2, 50))
    export(detector, tmp_path / "d.onnx")
    got, _ = served(tmp_path / "d.onnx", X=data)
    assert np.allclose(got["p_value"], detector.calibration_.p_values(got["score"]))


def test_windows_of_a_series(tmp_path):
    x = np.sin(np.arange(900) / 5) + 0.1 * np.random.default_rng(0).normal(size=900)
    detector = SeriesDetector(window=8, random_state=0).fit(x)
    export(detector, tmp_path / "s.onnx")
    got, _ = served(tmp_path / "s.onnx", X=np.lib.stride_tricks.sliding_window_view(x, 8).copy())
    assert np.allclose(got["score"], -detector.score_samples(x)[7:], atol=1e-5)


def test_what_cannot_be_written_is_said_and_leaves_nothing(data, tmp_path):
    text = pd.DataFrame(data).assign(kind="a").rename(columns=str)
    cases = [
        (AnomalyDetector(PCA(2), random_state=0).fit(data), "d.onnx", DataError, "be an Autoencoder"),
        (AnomalyDetector(random_state=0).fit(text), "d.onnx", DataError, "folds must be 1"),
        (AnomalyDetector(random_state=0).fit(data), "d.py", DataError, "onnx for a detector"),
        (AnomalyDetector(random_state=0).fit(data), "d.pt", FileError, "must end in"),
    ]
    for detector, name, kind, words in cases:
        with pytest.raises(kind, match=words):
            export(detector, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_info_and_export_on_the_command_line(data, tmp_path):
    path = tmp_path / "d.isthmus"
    save(AnomalyDetector(folds=2, random_state=0).fit(data), path)
    facts = json.loads(run("info", path, "--json").stdout)
    assert (facts["models"], facts["calibration_rows"], facts["alpha"]) == (2, 200, 0.05)
    assert "AnomalyDetector" in run("info", path).stdout
    assert run("export", path, "-o", tmp_path / "d.onnx").returncode == 0
    assert (tmp_path / "d.onnx").is_file()
