"""Single picture files at their own size and depth, and patches of them."""

import numpy as np
import png
import pytest
from PIL import Image

from isthmus import FileError
from isthmus.denoising.patches import as_planes, grey_of, patches
from isthmus.inputs.photographs import Photograph, photographs_in, read_photograph, write_photograph

RNG = np.random.default_rng(0)
KINDS = {
    "grey": RNG.integers(256, size=(20, 30), dtype=np.uint8),
    "colour": RNG.integers(256, size=(20, 30, 3), dtype=np.uint8),
    "deep grey": RNG.integers(65536, size=(20, 30), dtype=np.uint16),
    "deep colour": RNG.integers(65536, size=(20, 30, 3), dtype=np.uint16),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("clear", [False, True])
def test_a_png_comes_back_as_it_was_written(tmp_path, kind, clear):
    pixels = KINDS[kind]
    alpha = RNG.integers(256, size=pixels.shape[:2]).astype(pixels.dtype) if clear else None
    if kind == "deep grey" and clear:
        pytest.skip("no writer of such files here")
    write_photograph(tmp_path / "a.png", Photograph(pixels, alpha))
    back = read_photograph(tmp_path / "a.png")
    np.testing.assert_array_equal(back.pixels, pixels)
    assert back.pixels.dtype == pixels.dtype
    assert (back.alpha is None) if alpha is None else np.array_equal(back.alpha, alpha)


def test_sixteen_bits_of_colour_are_as_another_reader_has_them(tmp_path):
    pixels = KINDS["deep colour"]
    write_photograph(tmp_path / "a.png", Photograph(pixels))
    _, _, rows, info = png.Reader(bytes=(tmp_path / "a.png").read_bytes()).asDirect()
    assert info["bitdepth"] == 16
    np.testing.assert_array_equal(np.vstack(list(map(np.asarray, rows))).reshape(pixels.shape), pixels)


@pytest.mark.parametrize("end", ["jpg", "webp", "bmp", "tif", "png"])
def test_a_file_of_every_ending_opens_elsewhere(tmp_path, end):
    write_photograph(tmp_path / f"a.{end}", Photograph(KINDS["colour"]))
    with Image.open(tmp_path / f"a.{end}") as picture:
        assert picture.size == (30, 20)


def test_what_a_format_has_no_place_for_is_refused_and_writes_nothing(tmp_path):
    for kind, end in (("deep grey", "jpg"), ("deep colour", "tif"), ("deep colour", "webp")):
        with pytest.raises(FileError, match="must be PNG to hold 16 bits"):
            write_photograph(tmp_path / f"a.{end}", Photograph(KINDS[kind]))
    assert not list(tmp_path.iterdir())


def test_pictures_are_turned_as_they_are_shown(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(KINDS["colour"]).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_photograph(tmp_path / "a.png").pixels, np.rot90(KINDS["colour"], -1))


@pytest.mark.parametrize(
    "content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(16) + b"\x10\x02" + bytes(9)]
)
def test_damaged_files_are_one_sentence(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(FileError, match=r"a.png cannot be read"):
        read_photograph(tmp_path / "a.png")


def test_a_truncated_deep_png_is_one_sentence(tmp_path):
    write_photograph(tmp_path / "a.png", Photograph(KINDS["deep colour"]))
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileError, match=r"a.png cannot be read"):
        read_photograph(tmp_path / "a.png")


def test_a_folder_is_its_pictures_in_order(tmp_path):
    for name in ("b.png", "a.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in photographs_in(tmp_path)] == ["a.png", "b.png"]
    assert photographs_in(tmp_path / "a.png") == [tmp_path / "a.png"]


def test_patches_are_pieces_of_the_pictures():
    picture = np.arange(40 * 50, dtype=np.uint16).reshape(40, 50)
    made = np.rint(patches([picture], 20, 8, np.random.default_rng(0)) * 65535).astype(int)
    for patch in made:
        steps = {abs(int(patch[0, 1] - patch[0, 0])), abs(int(patch[1, 0] - patch[0, 0]))}
        assert steps == {1, 50}  # neighbours stay neighbours, turned or not


def test_patches_are_grey_alone_where_no_picture_is_coloured():
    assert patches([KINDS["grey"]], 3, 8, np.random.default_rng(0)).shape == (3, 8, 8)
    made = patches([KINDS["grey"], KINDS["colour"]], 40, 8, np.random.default_rng(0))
    assert (made[1::2] == made[1::2][..., :1]).all()
    assert made.min() >= 0
    assert made.max() <= 1


def test_pictures_smaller_than_a_patch_are_mirrored():
    made = patches([KINDS["grey"][:5, :5]], 2, 9, np.random.default_rng(0))
    assert set(np.unique(made)) <= set(np.unique(KINDS["grey"][:5, :5] / np.float32(255)))


def test_luminance_is_pillows():
    theirs = np.asarray(Image.fromarray(KINDS["colour"]).convert("L")).astype(float)
    assert np.abs(grey_of(KINDS["colour"]) - theirs).max() <= 1
    assert as_planes(KINDS["grey"], 3).shape == (20, 30, 3)
    assert as_planes(KINDS["colour"], 1).shape == (20, 30, 1)
