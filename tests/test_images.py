"""Pictures: arrays and folders of files from anywhere, in and out."""

from __future__ import annotations

import io
import json
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command_line import run
from isthmus import Autoencoder, DataError, FileError, Images, Table, Trainer, load, save
from isthmus.inputs import Auto, ImagesSchema, Pictures
from isthmus.inputs.files import read
from isthmus.parts import pack, unpack
from isthmus.saving import known_parts

SHORT = Trainer(max_epochs=2)


def painted(h: int, w: int, seed: int = 0) -> np.ndarray:
    """Soft colours (h, w, 3) uint8."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:h, :w] / max(h, w)
    planes = [a * y + b * x + c for a, b, c in rng.uniform(0, 80, (3, 3))]
    return np.stack(planes, -1).astype(np.uint8)


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(path: Path, side: int) -> None:
    """A PNG of a few bytes whose header claims side x side pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + body)


@pytest.fixture
def mixed(tmp_path) -> Path:
    """Eight readable pictures of every mode, most of them 24 x 20, and four that are not pictures."""
    folder = tmp_path / "mixed"
    (folder / "deeper").mkdir(parents=True)
    picture = Image.fromarray(painted(24, 20))
    picture.save(folder / "rgb.png")
    picture.convert("L").save(folder / "grey.png")
    picture.convert("RGBA").save(folder / "alpha.png")
    picture.convert("P").save(folder / "palette.png")
    picture.convert("CMYK").save(folder / "cmyk.jpg")
    Image.fromarray(np.full((24, 20), 40_000, np.uint16)).save(folder / "deep.png")
    Image.fromarray(painted(60, 80)).save(folder / "deeper" / "large.jpeg")
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter
    Image.fromarray(painted(20, 24)).save(folder / "turned.jpg", exif=exif, quality=95)
    Image.fromarray(painted(200, 200)).save(folder / "x.jpg")
    (folder / "cut.jpg").write_bytes((folder / "x.jpg").read_bytes()[:1200])
    (folder / "x.jpg").unlink()
    (folder / "words.png").write_text("not a picture")
    (folder / "empty.png").touch()
    bomb(folder / "bomb.png", 60_000)
    (folder / "notes.txt").write_text("ignored")
    (folder / ".hidden.png").write_text("ignored")
    return folder


# ---------------------------------------------------------------- folders


def test_a_folder_of_every_mode_becomes_colour_pictures_of_the_commonest_size(mixed):
    """Eight of them, 24 x 20, in order of their names."""
    folder = Pictures(mixed)
    assert (folder.size, folder.colour, folder.dtype) == ((24, 20), True, "uint8")
    names = [
        "alpha.png",
        "cmyk.jpg",
        "deep.png",
        "deeper/large.jpeg",
        "grey.png",
        "palette.png",
        "rgb.png",
        "turned.jpg",
    ]
    assert folder.names == names
    X = folder.load()
    assert (X.shape, X.dtype) == ((8, 24, 20, 3), np.uint8)
    by_name = dict(zip(names, X.astype(int), strict=True))
    assert (by_name["rgb.png"] == painted(24, 20)).all()
    assert (by_name["alpha.png"] == painted(24, 20)).all()
    assert (by_name["grey.png"] == np.asarray(Image.open(mixed / "grey.png"))[..., None]).all()
    assert (by_name["deep.png"] == round(40_000 / 257)).all()
    upright = np.rot90(painted(20, 24), -1)
    assert np.abs(by_name["turned.jpg"] - upright).mean() < 8


def test_what_cannot_be_read_is_named(mixed):
    """A truncated file, words, nothing, and a bomb: each with its reason, none of them decoded."""
    told = " ".join(Images().fit(mixed).notes)
    assert "Skipped 4 of 12 files" in told
    for words in (
        "cut.jpg (",
        "truncated",
        "words.png (not a picture)",
        "empty.png",
        "bomb.png (",
        "pixels)",
    ):
        assert words in told
    with pytest.warns(UserWarning, match=r"Skipped 4 of 12.*bomb\.png"):
        Images().fit(mixed).encode(mixed)


def test_every_picture_is_scaled_to_cover_and_cropped_at_the_centre(tmp_path):
    """A wide picture, white in its middle square: at size (10, 10) the black sides are cut off."""
    wide = np.zeros((40, 120), np.uint8)
    wide[:, 40:80] = 255
    Image.fromarray(wide).save(tmp_path / "wide.png")
    cut = Pictures(tmp_path, size=(10, 10)).load()
    assert cut.shape == (1, 10, 10)
    assert (cut[:, :, 1:-1] == 255).all()
    assert cut.min() > 200  # the edge is half a pixel soft
    tall = Pictures(tmp_path, size=(20, 5)).load()  # a narrower part of the middle
    assert (tall == 255).all()


def test_the_longer_side_is_at_most_128_unless_a_size_is_given(tmp_path):
    """So that a folder of photographs is no matter of hours."""
    Image.fromarray(painted(300, 600)).save(tmp_path / "a.png")
    assert Pictures(tmp_path).size == (64, 128)
    assert Images(size=(300, 600)).fit(tmp_path).shape == (300, 600, 3)


def test_a_folder_of_16_bits_keeps_them(tmp_path):
    """12 bits of grey: the range ends at 4,095 and values come back to the unit."""
    values = np.random.default_rng(0).integers(0, 4000, (3, 20, 16)).astype(np.uint16)
    for i, value in enumerate(values):
        Image.fromarray(value).save(tmp_path / f"{i}.png")
    schema = Images().fit(tmp_path)
    assert (schema.dtype, schema.scales.scale) == ("uint16", (4095.0,))
    encoded = schema.encode(tmp_path)
    assert encoded.x.max() == pytest.approx(values.max() / 4095)
    assert (schema.decode(encoded.x) == values).all()


def test_transparency_shows_white(tmp_path):
    """As on a page."""
    Image.fromarray(np.zeros((8, 8, 4), np.uint8)).save(tmp_path / "a.png")
    assert (Pictures(tmp_path).load() == 255).all()


def test_grey_folders_have_one_channel_and_colour_can_be_asked_for(tmp_path):
    """A palette of greys is grey too."""
    grey = Image.fromarray(painted(20, 20)).convert("L")
    grey.save(tmp_path / "a.png")
    grey.convert("P").save(tmp_path / "b.png")
    assert Images().fit(tmp_path).shape == (20, 20)
    assert Images(colour=True).fit(tmp_path).shape == (20, 20, 3)


@pytest.mark.parametrize("content", [None, "words"])
def test_a_folder_without_a_readable_picture_is_refused_in_one_sentence(content, tmp_path):
    """Whether it is empty or full of rubbish."""
    if content:
        (tmp_path / "a.png").write_text(content)
    for inputs in (Images(), Auto()):
        with pytest.raises(
            FileError, match=r"must hold pictures.*got (none|1 that cannot be read, such as a\.png)"
        ):
            inputs.fit(tmp_path)


def test_blocks_are_the_same_each_time_and_together_the_folder(tmp_path, monkeypatch):
    """Whether decoded pictures are kept in memory or read again."""
    for i in range(70):
        Image.fromarray(painted(16, 16, i)).save(tmp_path / f"{i:02}.png")
    kept = Pictures(tmp_path)
    assert list(kept.sizes) == [64, 6]
    monkeypatch.setattr("isthmus.inputs.folders.KEPT", 10_000)
    again = Pictures(tmp_path)
    assert len(kept) == len(again) == 70
    assert (again.load() == kept.load()).all()
    assert (again.read(1) == again.read(1)).all()
    assert len(again._kept) < 70


def test_a_file_that_changes_while_in_use_is_named(tmp_path, monkeypatch):
    """Rows were promised, so this is an error."""
    monkeypatch.setattr("isthmus.inputs.folders.KEPT", 0)
    Image.fromarray(painted(16, 16)).save(tmp_path / "a.png")
    folder = Pictures(tmp_path)
    assert len(folder) == 1
    (tmp_path / "a.png").write_text("words")
    with pytest.raises(FileError, match=r"a\.png changed while it was in use"):
        folder.read(0)


@pytest.mark.parametrize("seed", range(3))
def test_damaged_files_never_crash_a_folder(seed, tmp_path):
    """Forty pictures with some bytes changed or lost: each is read or named, and whole ones are all there."""
    rng = np.random.default_rng(seed)
    for i in range(5):
        Image.fromarray(painted(24, 24, i)).save(tmp_path / f"whole{i}.png")
    for i in range(40):
        kind = ("png", "jpg", "bmp", "tif", "webp")[i % 5]
        buffer = io.BytesIO()
        Image.fromarray(painted(24, 24, i)).save(buffer, {"jpg": "jpeg", "tif": "tiff"}.get(kind, kind))
        data = np.frombuffer(buffer.getvalue(), np.uint8).copy()
        data[rng.integers(0, len(data), 8)] = rng.integers(0, 256, 8)
        (tmp_path / f"{i}.{kind}").write_bytes(data[: rng.integers(8, len(data) + 1)].tobytes())
    folder = Pictures(tmp_path, size=(24, 24))
    assert folder.load().shape == (len(folder), 24, 24, 3)
    assert {f"whole{i}.png" for i in range(5)} <= set(folder.names)
    assert len(folder.names) + len(folder.skipped) == 45


# ---------------------------------------------------------------- arrays


@pytest.mark.parametrize("shape", [(6, 20, 18), (6, 20, 18, 3), (6, 20, 18, 1)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64", "bool"])
def test_arrays_come_back_as_they_were(shape, dtype):
    """Encoded in [0, 1], decoded to the same values, shape and dtype; through JSON as well."""
    rng = np.random.default_rng(0)
    X = rng.random(shape) if dtype.startswith("f") else rng.integers(0, 2 if dtype == "bool" else 250, shape)
    X = X.astype(dtype)
    schema = Images().fit(X)
    schema = unpack(json.loads(json.dumps(pack(schema))), known_parts())
    assert isinstance(schema, ImagesSchema)
    encoded = schema.encode(X)
    assert (encoded.x.shape, encoded.x.dtype, encoded.observed) == (
        (6, int(np.prod(shape[1:]))),
        np.float32,
        None,
    )
    assert encoded.x.min() >= 0
    assert encoded.x.max() <= 1
    back = schema.decode(encoded.x)
    assert (back.shape, back.dtype) == (X.shape, X.dtype)
    assert np.allclose(back, X, atol=1e-6)
    assert (schema.layout.shape, schema.layout.positive) == (shape[1:], True)


@pytest.mark.parametrize(
    ("values", "dtype", "ends"),
    [
        ([3, 200], "uint8", (0, 255)),
        ([0, 40], "uint8", (0, 255)),
        ([0, 1], "uint8", (0, 1)),
        ([0, 16], "uint8", (0, 31)),
        ([0, 3000], "uint16", (0, 4095)),
        ([-5, 10], "int16", (-5, 10)),
        ([0.1, 0.7], "float32", (0, 1)),
        ([-0.9, 0.7], "float32", (-1, 1)),
        ([0, 250], "float32", (0, 255)),
        ([0, 250.5], "float32", (0, 250.5)),
        ([0, 16], "float64", (0, 16)),
        ([7, 7], "float64", (7, 8)),
    ],
)
def test_the_range_is_the_one_such_pictures_are_in(values, dtype, ends):
    """By dtype and values; the ends become 0 and 1."""
    X = np.array(values, dtype=dtype).reshape(2, 1, 1).repeat(4, 1).repeat(4, 2)
    schema = Images().fit(X)
    low, high = schema.scales.centre[0], schema.scales.centre[0] + schema.scales.scale[0]
    assert (low, high) == ends


def test_missing_pixels_are_not_observed():
    """NaN becomes 0, and says so."""
    X = np.random.default_rng(0).random((70, 8, 8))
    X[66, 0, 1] = np.nan
    schema = Images().fit(X)
    encoded = schema.encode(X)
    assert encoded.observed.sum() == 70 * 64 - 1
    assert (encoded.observed[66, 1], encoded.x[66, 1]) == (False, 0)
    assert schema.layout.gaps


def test_arrays_can_be_scaled_and_made_grey():
    """A constant stays what it is; grey is the usual weighting."""
    X = np.zeros((2, 40, 20, 3), np.uint8)
    X[..., 1] = 200
    schema = Images(size=(10, 10), colour=False).fit(X)
    assert schema.shape == (10, 10)
    assert (schema.decode(schema.encode(X).x) == round(0.587 * 200)).all()
    assert (schema.decode(schema.encode(X[:, ::2]).x) == round(0.587 * 200)).all()


def test_large_arrays_of_bytes_are_read_in_pieces():
    """The same numbers as all at once."""
    X = np.random.default_rng(0).integers(0, 256, (150, 20, 20)).astype(np.uint8)
    x = Images().fit(X).encode(X).x
    assert np.array_equal(x, (X.reshape(150, -1) / 255.0).astype(np.float32))


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.zeros((5, 30)), r"pictures \(n, h, w\)"),
        (np.zeros((5, 3, 32, 32)), "colours last"),
        (np.full((5, 8, 8), np.inf), "infinity"),
        (np.zeros((0, 8, 8)), "0 sample"),
    ],
)
def test_unusable_arrays_get_one_sentence(X, words):
    """With what to do."""
    with pytest.raises(DataError, match=words):
        Images().fit(X)


def test_a_picture_of_another_size_is_refused_unless_a_size_was_chosen():
    """Arrays are not quietly resized."""
    X = np.zeros((5, 20, 20), np.uint8)
    with pytest.raises(DataError, match="expecting 400 features"):
        Images().fit(X).encode(np.zeros((5, 21, 20), np.uint8))
    assert Images(size=(20, 20)).fit(X).encode(np.zeros((5, 21, 20), np.uint8)).x.shape == (5, 400)


@pytest.mark.parametrize("size", [(0, 3), 32, (3,), (3.5, 3)])
def test_a_size_must_be_height_and_width(size):
    """In one sentence."""
    with pytest.raises(DataError, match="size must"):
        Images(size=size).fit(np.zeros((5, 20, 20)))


@pytest.mark.parametrize(
    ("shape", "dtype", "signal"),
    [
        ((5, 28, 28), "float64", False),
        ((5, 28, 28), "uint8", False),
        ((5, 2, 100), "uint8", False),
        ((5, 2, 100), "int16", True),
        ((5, 2, 100), "float32", True),
        ((5, 16, 64), "float32", True),
        ((5, 16, 63), "float32", False),
        ((5, 17, 400), "float32", False),
        ((5, 4, 4, 3), "float32", False),
    ],
)
def test_auto_tells_pictures_from_signals(shape, dtype, signal):
    """At most 16 channels, at least 4 times as many times, and more than 8 bits: a signal."""
    schema = Auto().fit(np.random.default_rng(0).integers(0, 99, shape).astype(dtype))
    assert schema.layout.signal == signal
    assert schema.layout.shape == shape[1:]
    assert schema.notes[0].startswith("Read as signals" if signal else "Read as pictures")


def test_auto_keeps_reading_tables_and_flat_pixels_as_before():
    """2-D arrays, and arrays of more dimensions than pictures have."""
    assert Auto().fit(np.random.default_rng(0).normal(size=(9, 70))).layout.shape == ()
    assert "pixels" in Auto().fit(np.zeros((9, 64), np.uint8)).notes[0]
    assert Auto().fit(np.zeros((9, 2, 3, 4, 5))).layout.shape == (2, 3, 4, 5)


# ---------------------------------------------------------------- the estimator and the command line


def test_fit_transform_and_reconstruct_a_folder(mixed, tmp_path):
    """From a path as text; saved and loaded; the same as from the array of its pictures."""
    model = Autoencoder(3, trainer=SHORT, random_state=0).fit(str(mixed))
    X = Pictures(mixed).load()
    with pytest.warns(UserWarning, match="Skipped"):
        codes = model.transform(mixed)
    assert codes.shape == (8, 3)
    assert (model.transform(X) == codes).all()
    assert (model.transform(Pictures(mixed)) == codes).all()
    back = model.reconstruct(X)
    assert (back.shape, back.dtype) == (X.shape, np.uint8)
    assert model.errors(X).shape == (8, 24 * 20 * 3)
    save(model, tmp_path / "m.isthmus")
    assert (load(tmp_path / "m.isthmus").reconstruct(X) == back).all()


def test_a_model_of_arrays_reads_folders_at_its_size(mixed):
    """Grey 20 x 20 arrays; then the folder's pictures, made so."""
    model = Autoencoder(3, trainer=SHORT, random_state=0).fit(np.zeros((20, 20, 20), np.uint8))
    assert model.reconstruct(Pictures(mixed)).shape == (8, 20, 20)


def test_a_model_of_tables_refuses_a_folder(mixed):
    """In one sentence."""
    model = Autoencoder(2, inputs=Table(), trainer=SHORT).fit(np.random.default_rng(0).normal(size=(20, 5)))
    for X, sentence in ((str(mixed), "place on the disk"), (Pictures(mixed), "be a table")):
        with pytest.raises(DataError, match=sentence):
            model.transform(X)


def test_the_command_line_takes_a_folder(mixed, tmp_path):
    """fit, encode with a column of names, reconstruct into a folder of pictures."""
    done = run("fit", "mixed", "-o", "m.isthmus", "--code", 3, "--epochs", 2, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "8 pictures" in done.stdout
    assert "bomb.png" in done.stdout
    done = run("encode", "m.isthmus", "mixed", "-o", "codes.csv", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Skipped 4 of 12" in done.stderr
    lines = (tmp_path / "codes.csv").read_text().splitlines()
    assert lines[0] == "file,autoencoder0,autoencoder1,autoencoder2"
    assert [line.split(",")[0] for line in lines[1:]] == Pictures(mixed).names
    done = run("reconstruct", "m.isthmus", "mixed", "-o", "back", "--errors", "e.csv", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    errors = read(tmp_path / "e.csv")
    assert list(errors["file"]) == Pictures(mixed).names
    made = sorted(
        path.relative_to(tmp_path / "back").as_posix() for path in (tmp_path / "back").rglob("*.png")
    )
    assert made == sorted(str(Path(name).with_suffix(".png")) for name in Pictures(mixed).names)
    back = load(tmp_path / "m.isthmus").reconstruct(Pictures(mixed))
    names = Pictures(mixed).names
    assert (np.asarray(Image.open(tmp_path / "back" / "rgb.png")) == back[names.index("rgb.png")]).all()
    again = run("reconstruct", "m.isthmus", "mixed", "-o", "back", folder=tmp_path)
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    assert "new or empty folder" in again.stderr


def test_a_single_picture_is_read_as_one_of_a_folder(mixed, tmp_path):
    """By encode and reconstruct as by transform: the same code, a picture under its own name."""
    model = Autoencoder(3, trainer=SHORT).fit(str(mixed))
    save(model, tmp_path / "m.isthmus")
    done = run("encode", "m.isthmus", "mixed/rgb.png", "-o", "code.csv", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    code = read(tmp_path / "code.csv")
    assert list(code["file"]) == ["rgb.png"]
    expected = model.transform(Pictures(mixed))[Pictures(mixed).names.index("rgb.png")]
    np.testing.assert_allclose(code.iloc[0, 1:].astype(float), expected, atol=1e-5)
    np.testing.assert_allclose(model.transform(mixed / "rgb.png")[0], expected, atol=1e-5)
    done = run("reconstruct", "m.isthmus", "mixed/rgb.png", "-o", "one", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["rgb.png"]
    done = run("reconstruct", "m.isthmus", "mixed/rgb.png", "-o", "one.png", folder=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "one.png must name a folder" in done.stderr
    with pytest.raises(FileError, match=r"bomb.png must be one of the pictures .* cannot be read"):
        model.transform(mixed / "bomb.png")


def test_the_command_line_takes_arrays_of_pictures(tmp_path):
    """(n, h, w) from an NPY file, and back into one."""
    X = np.random.default_rng(0).integers(0, 256, (30, 20, 20)).astype(np.uint8)
    np.save(tmp_path / "x.npy", X)
    assert (
        run("fit", "x.npy", "-o", "m.isthmus", "--code", 2, "--epochs", 1, "-q", folder=tmp_path).returncode
        == 0
    )
    done = run("reconstruct", "m.isthmus", "x.npy", "-o", "back.npy", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    back = np.load(tmp_path / "back.npy")
    assert (back.shape, back.dtype) == (X.shape, X.dtype)


@pytest.mark.parametrize("place", ["nowhere", "empty"])
def test_folders_that_cannot_be_read_are_one_line_and_exit_code_one(place, tmp_path):
    """No traceback."""
    (tmp_path / "empty").mkdir()
    done = run("fit", place, "-o", "m.isthmus", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("isthmus: ")
    assert done.stderr.count("\n") == 1


def test_hidden_widths_on_the_command_line_mean_dense_layers(tmp_path):
    """--hidden chooses an MLP for pictures too."""
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((30, 20, 20)))
    done = run("fit", "x.npy", "-o", "m.isthmus", "--hidden", "9", "--epochs", 1, "-q", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "MLP(hidden=(9,))" in repr(load(tmp_path / "m.isthmus").architecture)


def test_names_that_would_collide_keep_their_endings(tmp_path):
    """a.jpg and a.png become two files."""
    (tmp_path / "in").mkdir()
    for name in ("a.png", "a.jpg", "b.jpg"):
        Image.fromarray(painted(16, 16)).save(tmp_path / "in" / name)
    folder = Pictures(tmp_path / "in")
    assert folder.write(folder.load(), tmp_path / "out") == 3
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.jpg.png", "a.png.png", "b.png"]


def test_without_pillow_the_sentence_says_what_to_install(tmp_path, monkeypatch):
    """The pip command."""
    Image.fromarray(painted(16, 16)).save(tmp_path / "a.png")
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(FileError, match=r"pip install 'isthmus\[images\]'"):
        Pictures(tmp_path)


@pytest.mark.real
def test_photographs_of_many_sizes(real):
    """Twelve of them, grey and coloured, PNG and JPEG: fitted, encoded, given back."""
    folder = real / "images" / "photos"
    model = Autoencoder(4, inputs=Images(size=(48, 48)), trainer=SHORT, random_state=0).fit(folder)
    assert "12 pictures in colour" in model.notes_[0]
    assert model.reconstruct(folder).shape == (12, 48, 48, 3)
