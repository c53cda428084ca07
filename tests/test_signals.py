"""Signals: arrays and folders of recordings from anywhere, in and out."""

from __future__ import annotations

import json
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile

from command_line import run
from isthmus import (
    MLP,
    AnomalyDetector,
    Autoencoder,
    DataError,
    FileError,
    Signals,
    Table,
    Trainer,
    load,
    save,
)
from isthmus.inputs import Auto, Recordings, SignalsSchema
from isthmus.inputs.files import read
from isthmus.parts import pack, unpack
from isthmus.saving import known_parts

SHORT = Trainer(max_epochs=2)
RATE = 8000


def tone(seconds: float, hertz: float = 440.0, rate: int = RATE, channels: int = 1) -> np.ndarray:
    """A quiet sine: (time, channels)."""
    t = np.arange(round(seconds * rate)) / rate
    return 0.4 * np.sin(2 * np.pi * hertz * t)[:, None].repeat(channels, 1)


@pytest.fixture
def clips(tmp_path) -> Path:
    """Twelve clips of about a tenth of a second in every depth, and five files that are none."""
    folder = tmp_path / "clips"
    (folder / "deeper").mkdir(parents=True)
    for i in range(7):
        soundfile.write(folder / f"{i}.wav", tone(0.1 + 0.002 * i, 300 + 20 * i), RATE, subtype="PCM_16")
    for name, subtype in {"8bit": "PCM_U8", "32bit": "PCM_32", "float": "FLOAT", "double": "DOUBLE"}.items():
        soundfile.write(folder / f"{name}.wav", tone(0.1), RATE, subtype=subtype)
    soundfile.write(
        folder / "deeper" / "studio.wav", tone(0.1, rate=44_100, channels=2), 44_100, subtype="PCM_24"
    )
    (folder / "cut.wav").write_bytes((folder / "0.wav").read_bytes()[:700])
    (folder / "words.wav").write_text("not a recording")
    (folder / "empty.wav").touch()
    soundfile.write(folder / "silent.wav", np.zeros((0, 1)), RATE)
    soundfile.write(folder / "broken.wav", np.array([[0.0], [np.nan]]), RATE, subtype="FLOAT")
    (folder / "notes.txt").write_text("ignored")
    return folder


# ---------------------------------------------------------------- folders


def test_clips_of_every_depth_and_rate_become_rows_of_one_length(clips):
    """One row each, at the commonest rate, mixed to one channel, filled up with NaN."""
    folder = Recordings(clips)
    assert (folder.rate, folder.channels, folder.hop) == (RATE, 1, 0)
    names = [*(f"{i}.wav" for i in range(7)), "8bit.wav", "32bit.wav", "float.wav", "double.wav"]
    assert folder.names == sorted([*names, "deeper/studio.wav"])
    X = folder.load()
    assert (X.shape, X.dtype) == ((12, 1, 896), np.float32)  # the longest, 0.112 s: 95% of 12 files is all
    rows = dict(zip(folder.names, X[:, 0], strict=True))
    for name, close in {"8bit": 0.01, "32bit": 1e-6, "float": 1e-6, "double": 1e-6}.items():
        assert np.abs(rows[f"{name}.wav"][:800] - tone(0.1)[:, 0]).max() < close
        assert np.isnan(rows[f"{name}.wav"][800:]).all()
    inner = slice(50, 750)  # the resampler's filter reaches over the ends
    assert np.abs(rows["deeper/studio.wav"][inner] - tone(0.1)[inner, 0]).max() < 0.01


def test_what_became_of_the_files_is_said(clips):
    """Rate, mixing, length, and each file that was skipped, with its reason."""
    told = " ".join(Signals().fit(clips).notes)
    assert "Read 12 recordings at 8,000 Hz (1 resampled), mixed to 1 channel: one row of 896 samples" in told
    assert "Skipped 5 of 17 files" in told
    for words in (
        "cut.wav (it is truncated",
        "words.wav (not a WAV",
        "empty.wav (it is empty",
        "silent.wav (",
        "finite",
    ):
        assert words in told
    with pytest.warns(UserWarning, match="Skipped 5 of 17"):
        Signals().fit(clips).encode(clips)


def test_resampling_removes_what_the_lower_rate_cannot_carry(tmp_path):
    """A tone above half the new rate is gone; one below stays."""
    for name, hertz in {"high": 6000, "low": 500}.items():
        soundfile.write(tmp_path / f"{name}.wav", tone(0.2, hertz, 16_000), 16_000, subtype="FLOAT")
    X = Recordings(tmp_path, rate=RATE).load()[:, 0, 100:1500]
    assert np.abs(X[0]).max() < 0.01
    assert np.abs(X[1]).max() == pytest.approx(0.4, rel=0.02)


def test_recordings_of_unlike_lengths_are_cut_into_windows(tmp_path):
    """Side by side by default, the last one filled up; overlapping on request; each row named."""
    soundfile.write(tmp_path / "long.wav", tone(1.3), RATE, subtype="FLOAT")  # 10,400 samples
    soundfile.write(tmp_path / "short.wav", tone(0.1), RATE, subtype="FLOAT")
    folder = Recordings(tmp_path)
    assert (folder.window, folder.hop) == (4096, 4096)
    assert folder.names == ["long.wav"] * 3 + ["short.wav"]
    assert folder.labels["second"] == [0.0, 0.512, 1.024, 0.0]
    X = folder.load()[:, 0]
    assert np.allclose(np.concatenate(X[:3])[:10_400], tone(1.3)[:, 0], atol=1e-6)
    assert np.isnan(X[2, 10_400 - 2 * 4096 :]).all()
    half = Recordings(tmp_path, window=1000, hop=500)
    assert half.names.count("long.wav") == 20
    assert np.allclose(half.load()[1, 0], tone(1.3)[500:1500, 0], atol=1e-6)
    first = Recordings(tmp_path, window=1000, hop=0)
    assert first.names == ["long.wav", "short.wav"]


def test_stereo_stays_stereo_where_all_files_are(tmp_path):
    """Left and right are two channels."""
    both = np.hstack([tone(0.1, 300), tone(0.1, 500)])
    soundfile.write(tmp_path / "a.wav", both, RATE, subtype="FLOAT")
    assert np.allclose(Recordings(tmp_path).load()[0], both.T, atol=1e-6)


def test_files_that_claim_too_much_are_skipped(tmp_path):
    """A rate of gigahertz, and one that would blow up when resampled."""
    for i in range(3):
        soundfile.write(tmp_path / f"{i}.wav", tone(0.1), RATE, subtype="PCM_16")
    for name, rate in {"fast": 4_000_000_000, "slow": 1}.items():
        data = bytearray((tmp_path / "0.wav").read_bytes())
        data[24:28] = struct.pack("<I", rate)
        (tmp_path / f"{name}.wav").write_bytes(data)
    folder = Recordings(tmp_path)
    assert folder.names == ["0.wav", "1.wav", "2.wav"]
    assert "fast.wav (" in folder.about_skipped()[0]
    assert "slow.wav (1 Hz is too far from 8,000 Hz)" in folder.about_skipped()[0]


def test_a_recording_written_to_a_pipe_is_read(tmp_path):
    """Its header says that its length is unknown; that is no truncation."""
    soundfile.write(tmp_path / "a.wav", tone(0.1), RATE, subtype="PCM_16")
    data = bytearray((tmp_path / "a.wav").read_bytes())
    data[4:8] = data[40:44] = b"\xff" * 4
    (tmp_path / "a.wav").write_bytes(data)
    assert Recordings(tmp_path).load().shape == (1, 1, 800)


@pytest.mark.parametrize("content", [None, "words"])
def test_a_folder_without_a_readable_recording_is_refused_in_one_sentence(content, tmp_path):
    """Whether it is empty or full of rubbish."""
    if content:
        (tmp_path / "a.wav").write_text(content)
    with pytest.raises(FileError, match=r"must hold recordings \(\.wav\); got"):
        Signals().fit(tmp_path)


def test_a_folder_of_both_kinds_is_refused(clips):
    """Auto does not guess; Signals says which."""
    (clips / "cover.png").touch()
    with pytest.raises(FileError, match="holds pictures and recordings"):
        Auto().fit(clips)
    assert Signals().fit(clips).shape == (1, 896)


@pytest.mark.parametrize("seed", range(3))
def test_damaged_files_never_crash_a_folder(seed, tmp_path):
    """Forty recordings with bytes changed or lost: each is read or named, and whole ones are all there."""
    rng = np.random.default_rng(seed)
    for i in range(5):
        soundfile.write(tmp_path / f"whole{i}.wav", tone(0.1), RATE)
    data = np.frombuffer((tmp_path / "whole0.wav").read_bytes(), np.uint8)
    for i in range(40):
        hurt = data.copy()
        hurt[rng.integers(0, 60, 3)] = rng.integers(0, 256, 3)  # in the header, where it hurts
        (tmp_path / f"{i}.wav").write_bytes(
            hurt[: rng.integers(8, len(data) + 1) if i % 2 else None].tobytes()
        )
    folder = Recordings(tmp_path, rate=RATE, window=800, hop=0, channels=1)
    assert folder.load().shape == (len(folder), 1, 800)
    assert {f"whole{i}.wav" for i in range(5)} <= set(folder.names)
    assert len(folder.names) + len(folder.skipped) == 45


# ---------------------------------------------------------------- arrays


@pytest.mark.parametrize("dtype", ["float64", "float32", "int16"])
def test_arrays_come_back_as_they_were(dtype):
    """Each channel standardised by itself; through JSON as well."""
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(70, 3, 50)) * np.array([[1], [100], [9]]) + np.array([[0], [500], [-3]])).astype(
        dtype
    )
    schema = unpack(json.loads(json.dumps(pack(Signals().fit(X)))), known_parts())
    assert isinstance(schema, SignalsSchema)
    encoded = schema.encode(X)
    assert encoded.observed is None
    by_channel = encoded.x.reshape(70, 3, 50)
    assert np.allclose(by_channel.mean((0, 2)), 0, atol=1e-5)
    assert np.allclose(by_channel.std((0, 2)), 1, atol=1e-5)
    back = schema.decode(encoded.x)
    assert (back.shape, back.dtype) == (X.shape, X.dtype)
    assert np.allclose(back, X, rtol=1e-5, atol=1e-4)
    assert (schema.layout.shape, schema.layout.signal, schema.layout.positive) == ((3, 50), True, False)


def test_missing_times_are_not_observed():
    """NaN becomes 0, and says so; means and scales leave it out."""
    X = np.random.default_rng(0).normal(3, 2, size=(9, 2, 30))
    known = X.copy()
    X[4, 1, 20:] = np.nan
    schema = Signals().fit(X)
    encoded = schema.encode(X)
    assert (encoded.observed.size - encoded.observed.sum()) == 10
    assert (encoded.x[4, 50:] == 0).all()
    assert schema.scales.centre[0] == pytest.approx(known[:, 0].mean())
    assert schema.scales.centre[1] == pytest.approx(np.nanmean(X[:, 1]))


def test_long_arrays_can_be_cut_into_windows():
    """100 times in windows of 40, 30 apart: three to a row, all times in them."""
    X = np.random.default_rng(0).normal(size=(5, 2, 100))
    schema = Signals(window=40, hop=30).fit(X)
    x = schema.encode(X).x.reshape(15, 2, 40)
    back = schema.decode(x.reshape(15, -1))
    assert np.allclose(back[1], X[0, :, 30:70], atol=1e-6)
    assert np.allclose(back[3], X[1, :, :40], atol=1e-6)
    assert schema.encode(X[:, :, :40]).x.shape == (5, 80)


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.zeros((5, 30)), r"signals \(n, channels, time\)"),
        (np.zeros((5, 3, 3, 3)), r"signals \(n, channels, time\)"),
        (np.full((5, 1, 8), np.inf), "infinity"),
    ],
)
def test_unusable_arrays_get_one_sentence(X, words):
    """With what to do."""
    with pytest.raises(DataError, match=words):
        Signals().fit(X)


def test_signals_of_another_length_are_refused():
    """Unless windows were asked for."""
    X = np.random.default_rng(0).normal(size=(5, 2, 30))
    with pytest.raises(DataError, match=r"expecting 60 features.*got 2 x 31"):
        Signals().fit(X).encode(np.zeros((5, 2, 31)))


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"window": 2.5}, {"hop": -1}, {"window": True}])
def test_settings_must_be_whole_numbers(wrong):
    """In one sentence."""
    with pytest.raises(DataError, match=f"{next(iter(wrong))} must be a whole number"):
        Signals(**wrong).fit(np.zeros((5, 2, 30)))


# ---------------------------------------------------------------- the estimator and the command line


def test_fit_transform_and_reconstruct_a_folder(clips, tmp_path):
    """What was filled up is no error; saved and loaded the same."""
    model = Autoencoder(3, trainer=SHORT, random_state=0).fit(clips)
    with pytest.warns(UserWarning, match="Skipped"):
        folder = model.schema_.source(clips)
    assert model.transform(folder).shape == (12, 3)
    errors = model.errors(folder)
    assert (np.isnan(errors) == np.isnan(folder.load()[:, 0])).all()
    back = model.reconstruct(folder)
    assert (back.shape, back.dtype) == ((12, 1, 896), np.float32)
    assert np.isfinite(back).all()
    save(model, tmp_path / "m.isthmus")
    same = load(tmp_path / "m.isthmus")
    assert (same.reconstruct(folder) == back).all()
    assert same.schema_.rate == RATE


def test_other_folders_are_read_at_the_fitted_rate_and_length(clips, tmp_path):
    """A folder at 16 kHz, for a model of 8 kHz clips."""
    model = Autoencoder(3, trainer=SHORT, random_state=0).fit(clips)
    (tmp_path / "other").mkdir()
    soundfile.write(tmp_path / "other" / "a.wav", tone(0.5, rate=16_000, channels=2), 16_000)
    folder = model.schema_.source(Recordings(tmp_path / "other"))
    assert (folder.rate, folder.window, folder.channels, len(folder)) == (RATE, 896, 1, 1)
    assert model.transform(tmp_path / "other").shape == (1, 3)


@pytest.mark.parametrize("hop", [None, 100])
def test_rows_are_put_together_again_as_files(hop, tmp_path):
    """Windows, overlapping or not, given back unchanged: each file at its own rate, length and depth."""
    (tmp_path / "in").mkdir()
    soundfile.write(tmp_path / "in" / "a.wav", tone(1.0, 200), RATE, subtype="PCM_16")
    soundfile.write(tmp_path / "in" / "b.wav", tone(0.3, 200), RATE, subtype="PCM_24")
    soundfile.write(tmp_path / "in" / "c.wav", tone(0.7, 200, 16_000), 16_000, subtype="FLOAT")
    folder = Recordings(tmp_path / "in", window=256, hop=hop)
    assert folder.write(np.nan_to_num(folder.load()), tmp_path / "out") == 3
    for name in ("a.wav", "b.wav", "c.wav"):
        was, is_ = (soundfile.info(tmp_path / place / name) for place in ("in", "out"))
        assert (is_.samplerate, is_.frames, is_.subtype) == (was.samplerate, was.frames, was.subtype)
        before, after = (soundfile.read(tmp_path / place / name)[0] for place in ("in", "out"))
        assert np.abs(before - after)[300:-300].max() < 2e-3


def test_the_command_line_takes_a_folder(clips, tmp_path):
    """fit, encode with a column of names, reconstruct into a folder of recordings."""
    done = run("fit", "clips", "-o", "m.isthmus", "--code", 3, "--epochs", 2, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "12 recordings" in done.stdout
    done = run("encode", "m.isthmus", "clips", "-o", "codes.csv", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Skipped 5 of 17" in done.stderr
    codes = read(tmp_path / "codes.csv")
    assert list(codes["file"]) == Recordings(clips).names
    assert list(codes.columns) == ["file", "autoencoder0", "autoencoder1", "autoencoder2"]
    assert run("export", "m.isthmus", "-o", "m.onnx", "-q", folder=tmp_path).returncode == 0
    facts = {one.key: one.value for one in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert facts["rate"] == str(Recordings(clips).rate)
    done = run("reconstruct", "m.isthmus", "clips", "-o", "back/", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    made = sorted(
        path.relative_to(tmp_path / "back").as_posix() for path in (tmp_path / "back").rglob("*.wav")
    )
    assert made == Recordings(clips).names
    assert soundfile.info(tmp_path / "back" / "deeper" / "studio.wav").samplerate == 44_100


def test_a_detector_of_long_recordings_judges_every_window_at_its_own_rate(tmp_path):
    """A fault in the fifth of six windows, in a file of twice the rate, after saving and loading."""
    rng = np.random.default_rng(0)
    for name, rate, faulty in (
        *((f"ordinary/{i}", RATE, False) for i in range(8)),
        ("new/0", 2 * RATE, True),
    ):
        clip = tone(6 * 4096 / RATE, rate=rate)[:, 0] + 0.01 * rng.normal(size=6 * 4096 * rate // RATE)
        if faulty:
            width = 4096 * rate // RATE
            clip[4 * width : 5 * width] += 0.2 * tone(4096 / RATE, 1_100, rate)[:, 0]
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / f"{name}.wav", clip, rate)
    model = Autoencoder(2, architecture=MLP((8,)), trainer=Trainer(max_epochs=2))
    detector = AnomalyDetector(model, random_state=0).fit(str(tmp_path / "ordinary"))
    save(detector, tmp_path / "m.isthmus")
    p = load(tmp_path / "m.isthmus").p_values(str(tmp_path / "new"))
    assert (len(p), p.argmin()) == (6, 4)
    assert (p == detector.p_values(tmp_path / "new")).all()
    done = run("detect", "m.isthmus", "new", "--alpha", "0.05", "-o", "found.csv", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert read(tmp_path / "found.csv")["file"][0] == f"0.wav {4 * 4096 / RATE}"


def test_a_detector_of_a_table_of_samples_takes_recordings_too(clips):
    """Whose model knows of no rate."""
    own = Autoencoder(2, inputs=Table(), trainer=Trainer(max_epochs=2))
    with pytest.warns(UserWarning, match="Skipped 5 of 17"):
        detector = AnomalyDetector(own, random_state=0).fit(clips)
    assert detector.p_values(Recordings(clips).load()).shape == (12,)


def test_without_soundfile_the_sentence_says_what_to_install(clips, monkeypatch):
    """The pip command."""
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(FileError, match=r"pip install 'isthmus\[audio\]'"):
        Recordings(clips)


@pytest.mark.real
def test_spoken_digits(real, tmp_path):
    """Forty of them: clips of about half a second at 8 kHz, one row each."""
    with zipfile.ZipFile(real / "audio" / "fsdd_4speakers.zip") as archive:
        for name in archive.namelist()[::50]:
            (tmp_path / Path(name).name).write_bytes(archive.read(name))
    model = Autoencoder(4, trainer=Trainer(max_epochs=1), random_state=0).fit(tmp_path)
    assert "Read 40 recordings at 8,000 Hz: one row of" in model.notes_[0]
    assert len(model.transform(tmp_path)) == 40


@pytest.mark.parametrize("fitted", [False, True])
def test_an_infinity_is_found_where_it_is(fitted):
    """By sample and place, in fit as afterwards."""
    X = np.random.default_rng(0).normal(size=(20, 2, 30))
    model = Autoencoder(2, inputs=Signals(), trainer=Trainer(max_epochs=1), random_state=0)
    do = model.fit(X).transform if fitted else model.fit
    X[3, 1, 7] = np.inf
    with pytest.raises(DataError, match="column 37, row 3, value inf"):
        do(X)
