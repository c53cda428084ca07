"""Where it is strange: heat maps, regions, the figures, and what detect prints of files and of drift."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from command_line import run
from isthmus import AnomalyDetector, DataError, Images, SeriesDetector, figures, load, save
from isthmus.anomaly import default_model
from isthmus.anomaly.regions import hottest


def discs(n, seed=0):
    """(n, 16, 16) bright discs that move a little."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:16, :16]
    centres = 7.5 + rng.uniform(-2, 2, size=(n, 2))
    far = (y - centres[:, :1, None]) ** 2 + (x - centres[:, 1:, None]) ** 2
    return (255 * np.exp(-far / 12)).astype(np.uint8)


@pytest.fixture(scope="module")
def detector():
    return AnomalyDetector(default_model(160).set_params(inputs=Images()), random_state=0).fit(discs(200))


@pytest.fixture
def blots():
    pictures = discs(4, seed=1)
    pictures[:, 1:3, 12:15] = 255
    return pictures


def test_heat_and_regions_lie_where_the_blot_is(detector, blots, tmp_path):
    heat = detector.heat_maps(blots)
    assert heat.shape == blots.shape
    for one in heat:
        row, column = np.unravel_index(one.argmax(), one.shape)
        assert 1 <= row <= 2
        assert 12 <= column <= 14
    for regions in detector.regions(blots):
        assert regions[0].place.startswith("rows 1-2, columns 1")
        assert regions[0].share > 0.3
    save(detector, tmp_path / "d.isthmus")
    assert np.array_equal(load(tmp_path / "d.isthmus").heat_maps(blots), heat)


def test_regions_of_signals_are_spans_of_one_channel():
    heat = np.zeros((2, 30))
    heat[1, 4:7], heat[0, 20] = 5.0, 4.0
    assert [region.place for region in hottest(heat, time=True)] == ["channel 1, 4-6"]
    heat[0, 20] = 50.0
    assert hottest(heat, time=True)[0].place == "channel 0, 20"
    assert hottest(np.zeros((2, 30)), time=True) == []


def test_heat_of_a_table_is_its_cells_and_regions_are_refused():
    X = np.random.default_rng(0).normal(size=(80, 4))
    detector = AnomalyDetector(random_state=0).fit(X)
    assert detector.heat_maps(X[:5]).shape == (5, 4)
    assert np.isclose(detector.heat_maps(X).mean(), 1, atol=0.5)
    with pytest.raises(DataError, match="pictures or signals"):
        detector.regions(X)
    with pytest.raises(DataError, match="at least one row"):
        detector.score_samples(pd.DataFrame(X)[:0])


def test_figures_show_what_they_were_given(detector, blots):
    scores = -detector.score_samples(discs(50, seed=3))
    ax = figures.anomaly_scores(detector.calibration_.scores, scores, -detector.offset_)
    assert (
        ax.get_title(loc="left") == f"{(scores > -detector.offset_).mean():.1%} of the new rows are flagged"
    )
    ax = figures.p_value_histogram(np.r_[np.linspace(0, 1, 100), np.full(50, 0.01), np.nan])
    assert ax.get_title(loc="left").startswith("About 4")
    heights = [patch.get_height() for patch in ax.patches if hasattr(patch, "get_height")]
    assert max(heights) >= 55
    ax = figures.heat_maps(blots, detector.heat_maps(blots), names=["a", "b", "c", "d"])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b", "c", "d"]
    assert len(ax.images) == 2
    ax = figures.anomaly_scores(np.ones(10), np.ones(5), np.inf)
    assert ax.get_title(loc="left").startswith("0.0%")
    ranges = pd.DataFrame({"start": [3], "end": [5], "peak": [4]})
    ax = figures.flagged_ranges(np.arange(20), np.zeros(20), ranges)
    assert ax.get_title(loc="left") == "1 range flagged"


def test_detect_names_files_and_places_and_draws(blots, tmp_path):
    from PIL import Image

    for name, pictures in (("ordinary", discs(120)), ("new", np.vstack([discs(10, seed=5), blots[:1]]))):
        (tmp_path / name).mkdir()
        for i, picture in enumerate(pictures):
            Image.fromarray(picture).save(tmp_path / name / f"{i:03d}.png")
    model = tmp_path / "m.isthmus"
    run("fit", tmp_path / "ordinary", "--task", "detect", "-o", model, "--quiet")
    options = ("--alpha", "0.02", "--explain", "--draw", tmp_path / "found.png", "-o", tmp_path / "found.csv")
    said = json.loads(run("detect", model, tmp_path / "new", *options, "--json").stdout)
    assert said["worst"][0]["name"] == "010.png"
    assert said["worst"][0]["repair"].startswith("rows 1")
    assert (tmp_path / "found.png").read_bytes()[:4] == b"\x89PNG"
    table = pd.read_csv(tmp_path / "found.csv")
    assert table["file"][0] == "010.png"
    by_path = load(model).p_values(str(tmp_path / "new"))
    assert len(by_path) == 11
    assert by_path.min() == pytest.approx(table["p_value"][0])
    assert list(table) == ["file", "row", "p_value", "score", "repair"]


def test_detect_tells_drift_of_the_rows_as_a_whole(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 2)) @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(600, 5))
    model = tmp_path / "m.isthmus"
    np.save(tmp_path / "x.npy", X[:300])
    np.save(tmp_path / "sorted.npy", X[300:][np.argsort(np.abs(X[300:]).max(1))])
    np.save(tmp_path / "moved.npy", X[300:] + 0.5)
    run("fit", tmp_path / "x.npy", "--task", "detect", "-o", model, "--quiet")
    for name, drift in (("x", False), ("sorted", False), ("moved", True)):
        assert json.loads(run("detect", model, tmp_path / f"{name}.npy", "--json").stdout)["drift"] is drift
    assert "Drift:" in run("detect", model, tmp_path / "moved.npy", "--draw", tmp_path / "f.svg").stdout
    assert (tmp_path / "f.svg").read_text().lstrip().startswith("<?xml")


def test_a_series_is_drawn(tmp_path):
    x = np.sin(np.arange(1500)[:, None] / 7 + [0, 1]) + 0.1 * np.random.default_rng(0).normal(size=(1500, 2))
    save(SeriesDetector(random_state=0).fit(x[:1000]), tmp_path / "s.isthmus")
    np.save(tmp_path / "x.npy", x[1000:])
    run("detect", tmp_path / "s.isthmus", tmp_path / "x.npy", "--draw", tmp_path / "s.png", "--quiet")
    assert (tmp_path / "s.png").stat().st_size > 10_000
