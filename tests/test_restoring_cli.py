"""What restoring from the command line says of files it cannot use, compare or fill."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from command_line import run
from isthmus import AudioDenoiser, GaussianNoise, SampleDenoiser, Trainer, save

Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def place(tmp_path):
    """A noisy picture, and what does not go with it."""
    rng = np.random.default_rng(0)
    clean = np.linspace(40, 200, 48 * 64).reshape(48, 64)
    noisy = np.clip(clean + rng.normal(0, 25, clean.shape), 0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(tmp_path / "noisy.png")
    Image.fromarray(noisy).save(tmp_path / "noisy.jpg")
    Image.fromarray(np.stack([noisy] * 3, -1)).save(tmp_path / "colour.png")
    Image.fromarray((clean / 255).astype(np.float32)).save(tmp_path / "floats.tif")
    Image.fromarray(noisy[:1, :1]).save(tmp_path / "one.png")
    return tmp_path


def test_floats_in_a_picture_file_are_refused_not_rounded(place):
    """Numbers between 0 and 1 would become 0 and 1."""
    done = run("denoise", "photographs", place / "floats.tif", "-o", place / "out.png")
    assert done.returncode == 1
    assert "not those of 8 or 16 bits" in done.stderr
    assert not (place / "out.png").exists()


def test_a_single_pixel_comes_back(place):
    """However little there is to do."""
    assert run("denoise", "photographs", place / "one.png", "-o", place / "out.png").returncode == 0
    with Image.open(place / "out.png") as made:
        assert made.size == (1, 1)


def test_a_reference_of_another_kind_is_told(place):
    """Not silently left out."""
    reference = ("--reference", place / "colour.png")
    done = run("denoise", "photographs", place / "noisy.png", "-o", place / "out.png", *reference)
    assert done.returncode == 0
    assert "was not compared" in done.stderr


def test_a_recording_without_a_reference_of_its_length_is_told(tmp_path):
    """Not silently left out, nor is one that is silent."""
    soundfile = pytest.importorskip("soundfile")
    rng = np.random.default_rng(0)
    hum = 0.3 * np.sin(np.arange(8000) / 9).astype(np.float32)
    denoiser = AudioDenoiser(trainer=Trainer(1, progress=False), random_state=0).fit([hum] * 4)
    save(denoiser, tmp_path / "d.isthmus")
    soundfile.write(tmp_path / "noisy.wav", hum + 0.1 * rng.normal(size=8000).astype(np.float32), 8000)
    soundfile.write(tmp_path / "short.wav", hum[:4000], 8000)
    soundfile.write(tmp_path / "silent.wav", 0 * hum, 8000)
    for name, why in (("short.wav", "4,000 samples"), ("silent.wav", "is silent")):
        made = tmp_path / f"{name}.out.wav"
        done = run(
            "denoise",
            tmp_path / "d.isthmus",
            tmp_path / "noisy.wav",
            "-o",
            made,
            "--reference",
            tmp_path / name,
        )
        assert done.returncode == 0
        assert why in " ".join(done.stderr.split())


def test_noise_in_a_jpeg_is_said_to_be_more_than_it_looks(place):
    """Where its level was not told."""
    hint = "give --level"
    asked = ("denoise", "photographs", place / "noisy.jpg", "-o", place / "out.png")
    assert hint in " ".join(run(*asked).stdout.split())
    assert hint not in " ".join(run(*asked, "--level", "25").stdout.split())
    assert "below 255" in run(*asked, "--level", "300").stderr


def test_intervals_of_a_mixed_table_go_to_parquet(tmp_path):
    """Values of several kinds as text."""
    pytest.importorskip("pyarrow")
    rng = np.random.default_rng(0)
    a = rng.normal(size=60)
    table = pd.DataFrame({"a": a, "b": 2 * a, "sign": np.where(a > 0, "plus", "minus")})
    table.loc[:4, "b"], table.loc[5:9, "sign"] = np.nan, None
    table.to_csv(tmp_path / "t.csv", index=False)
    to = ("-o", tmp_path / "f.csv", "--intervals", tmp_path / "cells.parquet", "--epochs", "2")
    assert run("impute", tmp_path / "t.csv", *to).returncode == 0
    cells = pd.read_parquet(tmp_path / "cells.parquet")
    assert set(cells["column"]) == {"b", "sign"}
    assert set(cells["value"][cells["column"] == "sign"]) <= {"plus", "minus"}
    assert "at least 1" in run("impute", tmp_path / "t.csv", *to[:2], "--epochs", "0").stderr


def test_a_photograph_alone_is_restored_by_the_denoiser_that_ships(place):
    """The one argument is the file; nothing else can be meant without a model."""
    pixels = []
    for words in (("photographs", place / "noisy.png"), (place / "noisy.png",)):
        assert run("denoise", *words, "-o", place / "out.png").returncode == 0
        with Image.open(place / "out.png") as made:
            pixels.append(np.asarray(made))
    assert np.array_equal(*pixels)
    done = run("denoise", "photographs", "-o", place / "other.png")
    assert done.returncode == 1
    assert "MODEL and FILE must both be given" in done.stderr
    assert not (place / "other.png").exists()


def test_rows_without_their_noise_are_compared_with_clean_ones(tmp_path):
    """Root mean squares in the network's units: those of numbers of unit spread are their noise."""
    rng = np.random.default_rng(0)
    clean = rng.normal(size=(3000, 2)) @ rng.normal(size=(2, 8))
    clean = (clean - clean.mean(0)) / clean.std(0)
    noisy = clean + rng.normal(0, 0.5, clean.shape)
    for name, values in (("clean", clean), ("noisy", noisy), ("short", clean[:9])):
        np.save(tmp_path / f"{name}.npy", values.astype(np.float32))
    model = SampleDenoiser(noise=GaussianNoise(0.5), trainer=Trainer(10, progress=False), random_state=0)
    save(model.fit(clean), tmp_path / "d.isthmus")
    asked = ("denoise", tmp_path / "d.isthmus", tmp_path / "noisy.npy", "-o", tmp_path / "out.npy")
    found = json.loads(run(*asked, "--reference", tmp_path / "clean.npy", "--json").stdout)
    assert found["rmse_before"] == pytest.approx(0.5, rel=0.05)
    after = np.sqrt(np.square(np.load(tmp_path / "out.npy") - clean).mean())
    assert found["rmse_after"] == pytest.approx(after, rel=0.05)
    assert found["rmse_after"] < 0.8 * found["rmse_before"]
    before = (tmp_path / "out.npy").read_bytes()
    done = run(*asked, "--reference", tmp_path / "short.npy")
    assert "--reference must have as many rows as FILE, 3,000; got 9" in done.stderr
    assert (tmp_path / "out.npy").read_bytes() == before
