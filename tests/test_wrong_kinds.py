"""Files of the wrong kind: one sentence that says which kind it is, and which command takes it."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from isthmus import Autoencoder, DataError, Imputer, Inpainter, Trainer, export, save
from isthmus.checks import IsthmusError
from isthmus.cli import app
from isthmus.commands.words import in_options
from isthmus.inputs.folders import open_folder
from test_imputation import quick


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A table, pictures and recordings, and a model of each of the first two."""
    place, rng = tmp_path_factory.mktemp("kinds"), np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(40, 3)), columns=["a", "b", "c"])
    table.to_csv(place / "t.csv", index=False)
    for name in ("photos", "sounds", "nothing"):
        (place / name).mkdir()
    for i in range(12):
        Image.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8)).save(place / "photos" / f"{i}.png")
        with wave.open(str(place / "sounds" / f"{i}.wav"), "wb") as sound:
            sound.setparams((1, 2, 8000, 0, "NONE", ""))
            sound.writeframes(rng.integers(-9, 9, 64, dtype=np.int16).tobytes())
    (place / "book.xlsx").write_bytes(b"PK")
    once = Trainer(max_epochs=1, progress=False)
    save(Autoencoder(1, trainer=once).fit(table), place / "t.isthmus")
    save(Autoencoder(2, trainer=once).fit(str(place / "photos")), place / "p.isthmus")
    return place


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            "impute photos -o filled",
            "photos must be a table; got a folder of pictures. For holes",
        ),
        ("impute photos/1.png -o filled.png", "isthmus fit --task inpaint, and isthmus inpaint"),
        ("impute sounds -o filled.csv", "must be a table; got a folder of recordings. Use CSV or Parquet"),
        ("impute nothing -o filled.csv", "nothing must hold pictures or WAV files"),
        (
            "fit photos -o m.isthmus --task impute -q",
            "For holes in pictures there are isthmus fit --task",
        ),
        ("fit sounds -o m.isthmus --task inpaint -q", "must be pictures; got a folder of recordings"),
        ("fit t.csv -o m.isthmus --task inpaint -q", "use isthmus impute for tables"),
        ("fit sounds -o m.isthmus --inputs images -q", "must be pictures; got a folder of recordings"),
        ("fit photos -o m.isthmus --inputs signals -q", "must be recordings; got a folder of pictures"),
        (
            "fit photos/1.png -o m.isthmus",
            "got a single picture. Name the folder it is in; isthmus denoise",
        ),
        (
            "fit sounds/1.wav -o m.isthmus",
            "got a single recording. Name the folder it is in",
        ),
        ("fit t.isthmus -o m.isthmus", "got a model. Name the file with the data"),
        ("fit book.xlsx -o m.isthmus", "got a spreadsheet. Save it as CSV or Parquet"),
        (
            "encode t.isthmus photos -o z.csv",
            "photos must be a table, which the model was fitted on; got",
        ),
        (
            "encode p.isthmus sounds -o z.csv",
            "sounds must be pictures, which the model was fitted on; got",
        ),
        (
            "encode p.isthmus t.csv -o z.csv",
            "t.csv must be pictures, which the model was fitted on; got a table",
        ),
        (
            "encode t.isthmus photos/1.png -o z.csv",
            "1.png must be a table, which the model was fitted on; got",
        ),
        ("audit t.isthmus photos", "photos must be a table, which the model was fitted on; got"),
    ],
)
def test_the_wrong_kind_is_named_with_the_right_command(command, words, place, monkeypatch):
    """And nothing is written."""
    monkeypatch.chdir(place)
    before = sorted(place.iterdir())
    with pytest.raises(IsthmusError) as caught:
        app(command.split(), standalone_mode=False)
    assert words in in_options(str(caught.value))
    assert sorted(place.iterdir()) == before


def test_folders_of_another_kind_are_refused_by_models(place):
    """Pictures are not read as recordings, nor recordings as pictures, nor either as a table."""
    photos, sounds = open_folder(place / "photos"), open_folder(place / "sounds")
    once = Trainer(max_epochs=1, progress=False)
    of_photos = Autoencoder(2, trainer=once).fit(photos)
    of_sounds = Autoencoder(2, trainer=once).fit(sounds)
    table = Autoencoder(1, trainer=once).fit(pd.DataFrame(np.eye(8)[:, :3], columns=["a", "b", "c"]))
    for model, X, words in (
        (of_photos, sounds, "must be pictures; got a folder of recordings"),
        (of_sounds, photos, "must be recordings; got a folder of pictures"),
        (table, photos, "must be a table for this model; got a folder of pictures"),
    ):
        with pytest.raises(DataError, match=words):
            model.transform(X)
    with pytest.raises(DataError, match=r"must be a table; got a folder of pictures\. Use Inpainter"):
        Imputer().fit(photos)
    with pytest.raises(DataError, match="must be pictures; got a folder of recordings"):
        Inpainter().fit(sounds)


def test_what_cannot_be_exported_is_named(tmp_path):
    """It is fitted, and no autoencoder."""
    X = np.random.default_rng(0).normal(size=(30, 3))
    X[0, 0] = np.nan
    with pytest.raises(DataError, match="must be an autoencoder or a detector; got Imputer"):
        export(quick().fit(X), tmp_path / "x.onnx")
