"""Series: no look-ahead, ranges in the user's own time, rates, files and the command line."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from command_line import run
from isthmus import DataError, FileError, SeriesDetector, load, save
from isthmus.anomaly.series import _runs


def wave(n, seed=0, channels=1):
    rng = np.random.default_rng(seed)
    t = np.arange(n)[:, None] / 9 + np.arange(channels)
    return np.sin(t) + 0.1 * rng.normal(size=(n, channels))


@pytest.fixture(scope="module")
def fitted():
    return SeriesDetector(random_state=0).fit(wave(2500))


def test_no_score_looks_ahead(fitted):
    x = wave(600, 1)
    whole = fitted.score_samples(x)
    changed = x.copy()
    changed[400:] += 5
    assert np.array_equal(whole[:400], fitted.score_samples(changed)[:400], equal_nan=True)
    assert np.array_equal(fitted.p_values(x)[:400], fitted.p_values(changed)[:400], equal_nan=True)
    assert np.isnan(whole[:15]).all()
    assert not np.isnan(whole[15:]).any()


def test_where_nothing_is_strange_the_table_is_empty(fitted):
    found = fitted.ranges(wave(2500)[:200], alpha=0.0005)
    assert len(found) == 0
    assert list(found) == ["start", "end", "peak", "p_value", "score", "channels"]


def test_a_step_scores_the_same_in_any_piece_of_its_series(fitted):
    x = wave(300, 2)
    assert np.allclose(fitted.score_samples(x)[100:], fitted.score_samples(x[85:])[15:], atol=1e-6)


def test_the_rate_of_ordinary_steps_is_alpha_over_time(fitted):
    flags = [np.nanmean(fitted.p_values(wave(4000, seed)) <= 0.05) for seed in range(3, 6)]
    assert 0.02 < np.mean(flags) < 0.08


def test_recent_none_compares_with_the_calibration_for_ever():
    x = wave(2500)
    shifted = wave(4000, 1) + np.linspace(0, 2, 4000)[:, None]
    fixed = SeriesDetector(recent=None, random_state=0).fit(x).p_values(shifted)
    adaptive = SeriesDetector(recent=500, random_state=0).fit(x).p_values(shifted)
    assert np.mean(fixed[-500:] <= 0.05) > 0.9
    assert np.mean(adaptive[-500:] <= 0.05) < 0.3


def test_ranges_name_moments_and_the_channel(tmp_path):
    rng = np.random.default_rng(0)
    values = np.column_stack([wave(3000)[:, 0], wave(3000, 1)[:, 0], rng.random(3000) < 0.5])
    frame = pd.DataFrame(values, columns=["pump", "valve", "open"]).astype({"open": bool})
    frame.insert(0, "when", pd.date_range("2024-01-01", periods=3000, freq="h"))
    detector = SeriesDetector(random_state=0).fit(frame[:2000])
    rest = frame[2000:].copy()
    rest.iloc[500:520, rest.columns.get_loc("valve")] += 1.5
    found = detector.ranges(rest, alpha=0.002)
    strongest = found.loc[found["score"].idxmax()]
    assert abs(strongest["start"] - rest["when"].iloc[500]) <= pd.Timedelta(hours=3)
    assert strongest["start"] <= strongest["peak"] <= strongest["end"]
    assert strongest["end"] <= rest["when"].iloc[535]
    assert strongest["channels"].startswith("valve")
    indexed = rest.set_index("when")[["open", "valve", "pump"]]
    again = SeriesDetector(random_state=0).fit(frame[:2000].set_index("when"))
    assert again.ranges(indexed, alpha=0.002)["start"].tolist() == found["start"].tolist()


def test_gaps_are_filled_by_the_model_not_flagged_as_faults(fitted):
    x, fault = wave(600, 7), wave(600, 7)
    x[300:306] = np.nan
    fault[300:306] = -fault[300:306]
    gap, worse = (fitted.score_samples(some)[300:322].min() for some in (x, fault))
    assert worse < gap - 0.5
    assert np.nanmean(fitted.p_values(x)[300:322] <= 0.01) < 0.5
    assert np.isfinite(fitted.score_samples(x)[15:]).all()


def test_a_long_fault_is_not_soon_compared_with_itself(fitted):
    x = wave(900, 7)
    x[300:400] += 3
    assert (fitted.p_values(x)[310:400] <= 0.002).all()


def test_moments_keep_their_zone_and_kind(tmp_path):
    """Dates with a zone in pandas and polars, spans of time, and a picture of each."""
    polars = pytest.importorskip("polars")
    x = wave(900)[:, 0]
    x[800:810] += 3
    zoned = pd.date_range("2024-01-01", periods=900, freq="h", tz="Europe/Berlin")
    spans = pd.to_timedelta(np.arange(900), unit="h")
    for t in (zoned, spans):
        frame = pd.DataFrame({"t": t, "x": x})
        found = SeriesDetector(random_state=0).fit(frame[:600]).ranges(frame[600:], alpha=0.003)
        assert found["start"].iloc[-1] in t[798:812]
        assert found["start"].dtype == pd.Series(t).dt.as_unit("us").dtype or found["start"].dtype == t.dtype
    frame = polars.DataFrame({"t": zoned.to_pydatetime().tolist(), "x": x.tolist()})
    found = SeriesDetector(random_state=0).fit(frame[:600]).ranges(frame[600:], alpha=0.003)
    assert pd.Timestamp(found["start"].to_list()[-1]) in zoned[798:812]
    spanned = pd.DataFrame({"t": spans, "x": x})
    spanned[600:].to_parquet(tmp_path / "new.parquet")
    save(SeriesDetector(random_state=0).fit(spanned[:600]), tmp_path / "s.isthmus")
    run("detect", tmp_path / "s.isthmus", tmp_path / "new.parquet", "--draw", tmp_path / "s.png", "--quiet")
    assert (tmp_path / "s.png").is_file()


def test_an_array_goes_by_position_after_a_frame():
    frame = pd.DataFrame({"a": wave(400)[:, 0]})
    detector = SeriesDetector(window=8, random_state=0).fit(frame)
    by_position = detector.score_samples(frame["a"].to_numpy())
    assert np.array_equal(by_position, detector.score_samples(frame), equal_nan=True)


def test_a_crafted_file_is_one_sentence(fitted, tmp_path):
    from isthmus.sealed import read_sealed, write_sealed

    path = tmp_path / "s.isthmus"
    save(fitted, path)
    header, tensors = read_sealed(path, "SeriesDetector")
    edits = [
        ("reference", [[1.0], [2.0]]),
        ("reference", 3.0),
        ("series", {**header["series"], "in_time": [[1, 2], [3, 4]]}),
        ("series", {**header["series"], "in_time": 5.0}),
        ("series", {**header["series"], "channels": [[1]]}),
        ("series", {**header["series"], "recent": True}),
        ("series", {**header["series"], "window": "x"}),
        ("random_state", "x"),
        ("params", {**header["params"], "ensemble": 2}),
    ]
    for name, value in edits:
        write_sealed(path, tensors, {**header, name: value})
        with pytest.raises(FileError):
            load(path)
    for name, value in (("0.score.weights", 0.0), ("0.score.rows", 1e300), ("0.usual", -1.0)):
        write_sealed(path, {**tensors, name: tensors[name] * 0 + value}, header)
        with pytest.raises(FileError):
            load(path)


def test_a_file_of_one_dimension_is_a_series_of_one_channel(tmp_path):
    x = wave(1200)[:, 0]
    np.save(tmp_path / "x.npy", x)
    (tmp_path / "bad.npy").write_bytes(b"no array")
    model = tmp_path / "m.isthmus"
    assert run("fit", tmp_path / "x.npy", "--task", "detect", "--window", 8, "-o", model).returncode == 0
    assert "1,200 steps" in run("detect", model, tmp_path / "x.npy").stdout
    done = run("fit", tmp_path / "bad.npy", "--task", "detect", "--window", 8, "-o", model)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("numbers", "runs"), [([], []), ([3], [(3, 3)]), ([1, 2, 9, 30], [(1, 9), (30, 30)])]
)
def test_flagged_steps_nearer_than_a_window_are_one_range(numbers, runs):
    assert list(_runs(np.array(numbers, int), 10)) == runs


def test_what_cannot_be_used_gets_one_sentence(fitted):
    times = pd.date_range("2024-01-01", periods=200, freq="h")
    bad = {
        "ascend": pd.DataFrame({"t": times[::-1], "x": 1.0}),
        "text": pd.DataFrame({"t": times, "x": "a"}),
        "one column of moments": pd.DataFrame({"t": times, "u": times, "x": 1.0}),
        "finite": np.full(200, np.inf),
        "at least 128 steps": np.zeros(100),
        "numbers": np.array(["a"] * 200),
        "rise at every step": pd.DataFrame({"epoch": np.arange(200) * 60, "x": wave(200)[:, 0]}),
        "all be known": pd.DataFrame({"t": [pd.NaT, *times[1:].tz_localize("UTC")], "x": 1.0}),
    }
    for part, X in bad.items():
        with pytest.raises(DataError, match=part):
            SeriesDetector().fit(X)
    with pytest.raises(DataError, match="channels"):
        fitted.score_samples(wave(200, channels=2))
    with pytest.raises(DataError, match="alpha"):
        fitted.predict(wave(200), alpha=1e-5)
    assert fitted.predict(wave(10)).tolist() == [1] * 10


def test_saved_and_loaded_it_says_the_same(fitted, tmp_path):
    x = wave(400, 8)
    save(fitted, tmp_path / "series.isthmus")
    again = load(tmp_path / "series.isthmus")
    assert np.array_equal(again.p_values(x), fitted.p_values(x), equal_nan=True)
    assert again.ranges(x, alpha=0.01).equals(fitted.ranges(x, alpha=0.01))
    assert (again.window, again.recent, again.channels_) == (16, 2000, fitted.channels_)


def test_on_the_command_line(tmp_path):
    frame = pd.DataFrame(
        {"t": pd.date_range("2024-01-01", periods=2600, freq="5min"), "load": wave(2600)[:, 0]}
    )
    frame[:2000].to_csv(tmp_path / "ordinary.csv", index=False)
    new = frame[2000:].copy()
    new.iloc[300:330, 1] += 1.5
    new.to_csv(tmp_path / "new.csv", index=False)
    model = tmp_path / "m.isthmus"
    run("fit", tmp_path / "ordinary.csv", "--task", "detect", "--window", 24, "-o", model, "--quiet")
    out = run("detect", model, tmp_path / "new.csv", "--alpha", 0.002, "--json", "-o", tmp_path / "r.csv")
    said = json.loads(out.stdout)
    assert said["steps"] == 600
    worst = max(said["ranges"], key=lambda line: line["score"])
    start = new["t"].iloc[300]
    assert start <= pd.Timestamp(worst["start"]) <= start + pd.Timedelta(minutes=5 * 24)
    assert len(pd.read_csv(tmp_path / "r.csv")) == len(said["ranges"])
    shown = run("detect", model, tmp_path / "new.csv", "--alpha", 0.002).stdout
    assert "600 steps, 1 range flagged" in shown
    assert "load 100%" in shown


@pytest.mark.parametrize("named", [None, "when"])
def test_moments_that_are_row_labels_of_a_parquet_file_say_when(tmp_path, named):
    """Of one file and of a folder of two, as pandas writes them; labels that are no moments say nothing."""
    from isthmus.commands.ranging import opened_series
    from isthmus.inputs.text import Reading

    when = pd.date_range("2024-01-01", periods=200, freq="h", name=named)
    frame = pd.DataFrame({"a": np.arange(200.0), "b": 1.0}, index=when)
    frame.to_parquet(tmp_path / "one.parquet")
    (tmp_path / "two").mkdir()
    for i, part in enumerate((frame[:120], frame[120:])):
        part.to_parquet(tmp_path / "two" / f"{i}.parquet")
    for place in ("one.parquet", "two"):
        X, _, _ = opened_series(str(tmp_path / place), Reading())
        assert list(X.columns) == ["a", "b"]
        assert (X.index == when).all()
    frame.set_axis([f"r{i}" for i in range(200)]).to_parquet(tmp_path / "text.parquet")
    assert opened_series(str(tmp_path / "text.parquet"), Reading())[0].index.equals(pd.RangeIndex(200))
