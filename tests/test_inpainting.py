"""Holes in pictures: what they are, that only they are filled, and how."""

import itertools
import json

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from command_line import run
from isthmus import Autoencoder, DataError, FileError, Images, SquaredError, Trainer, load, save
from isthmus.denoising import SampleDenoiser
from isthmus.figures import inpainted
from isthmus.holes import Blocks, HoleMask, Painted, Pixels, Strokes
from isthmus.inpainting import Inpainter, hidden_in
from isthmus.inpainting.uncertainty import peeled
from isthmus.inputs.photographs import Photograph, read_photograph, write_photograph
from isthmus.networks import FilledConvNet
from isthmus.networks.fills import Gaussians, Neighbours, bent, smooth
from isthmus.parts import Layout

TRAINER = Trainer(max_epochs=2, batch_size=32, lr=2e-3, progress=False)
SMALL = FilledConvNet(8, 1, axes=6, neighbours=3, pictures=100, hidden=16)
LOCAL = FilledConvNet(8, 1, axes=0, neighbours=0, hidden=0)


def waves(n, side=12, seed=0, channels=None):
    """Smooth pictures of a few hidden numbers, uint8."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    a, b, c = rng.uniform(0.5, 2, size=(3, n, 1, 1))
    made = np.rint(127 + 60 * np.sin(3 * a * x + 2 * b) + 60 * np.cos(3 * c * y)).astype(np.uint8)
    return made if channels is None else np.stack([made, made // 2, 255 - made], axis=3)


def model(net, epochs=2):
    trainer = TRAINER.with_params(max_epochs=epochs)
    return Autoencoder(
        None, architecture=net, loss=SquaredError(), corruption=HoleMask(), inputs=Images(), trainer=trainer
    )


def square(side=12, first=4, last=8):
    hole = np.zeros((side, side), bool)
    hole[first:last, first:last] = True
    return hole


@pytest.fixture(scope="module")
def small():
    """One of pictures of 12 x 12."""
    return Inpainter(model(SMALL, 6), random_state=0).fit(waves(300))


@pytest.fixture(scope="module")
def photos():
    """One of photographs in colour of any size."""
    album = [waves(1, 90, seed, 3)[0] for seed in range(3)]
    return Inpainter(model(LOCAL), patches=40, random_state=0).fit(album)


# ---------------------------------------------------------------- holes


def test_holes_hide_the_share_that_is_asked_and_tell_where():
    layout, x = Layout.numeric(1200, (20, 20, 3)), torch.rand(40, 1200) + 0.1
    generator = torch.Generator().manual_seed(0)
    seen = HoleMask((Blocks(0.25, 0.25),))(x, layout, generator)
    hidden = seen[:, 1200:].view(40, 20, 20)
    assert (hidden.sum((1, 2)) == 100).all()
    assert (hidden.amax(2).sum(1) * hidden.amax(1).sum(1) == 100).all()  # one rectangle each
    pixels = seen[:, :1200].view(40, 400, 3)
    assert torch.equal((pixels == 0).all(2), hidden.flatten(1) == 1)
    assert torch.equal(pixels[hidden.flatten(1) == 0], x.view(40, 400, 3)[hidden.flatten(1) == 0])


def test_every_kind_hides_something_and_leaves_something_and_repeats_with_its_seed():
    for kind in (Blocks(), Strokes(), Pixels(), Pixels(1e-9, 1e-9)):
        mask = HoleMask((kind,))
        drawn = mask.arrays(50, (16, 24), 3)
        share = drawn.mean((1, 2))
        assert drawn.shape == (50, 16, 24)
        assert (share > 0).all()
        assert (share < 1).all()
        assert np.array_equal(drawn, mask.arrays(50, (16, 24), 3))
        assert not np.array_equal(drawn, mask.arrays(50, (16, 24), 4)) or kind == Pixels(1e-9, 1e-9)


def test_paint_is_one_colour_and_covers_what_the_holes_do():
    layout, x = Layout.numeric(1200, (20, 20, 3)), torch.rand(60, 1200)
    made = Painted((Blocks(0.25, 0.25),))(x, layout, torch.Generator().manual_seed(0)).view(60, 400, 3)
    changed = (made != x.view(60, 400, 3)).any(2)
    assert (changed.sum(1) == 100).all()
    painted = made[changed].view(60, 100, 3)
    assert torch.equal(painted, painted[:, :1].expand_as(painted))
    grey = (painted[:, 0] == painted[:, 0, :1]).all(1)
    assert 15 <= int(grey.sum()) <= 45


def test_a_denoiser_finds_and_fills_strokes_that_nobody_points_out():
    """Digits in grey with a stroke across: nearer to the clean ones, and the rest left nearly alone."""
    digits = (load_digits().images / 16).astype(np.float32)
    noise = Painted((Strokes(most=1, width=0.2),))
    trainer = Trainer(max_epochs=60, batch_size=64, lr=2e-3)
    denoiser = SampleDenoiser(noise=noise, trainer=trainer, random_state=0).fit(digits[:1400])
    clean = torch.from_numpy(digits[1400:]).flatten(1)
    layout = Layout.numeric(64, (8, 8))
    torn = noise(clean, layout, torch.Generator().manual_seed(1)).view(-1, 8, 8).numpy()
    made = denoiser.denoise(torn)
    before, after = (np.square(one - digits[1400:]).mean() for one in (torn, made))
    assert after < 0.5 * before


def test_strokes_are_connected_lines():
    from scipy.ndimage import label

    for drawn in HoleMask((Strokes(most=1),)).arrays(20, (40, 40), 0):
        assert label(drawn, np.ones((3, 3)))[1] == 1


def test_holes_are_told_by_mask_by_nan_and_by_colour():
    picture = np.zeros((2, 3, 3))
    picture[0, 0, 1] = np.nan
    picture[1, 2] = 1.0, 0.0, 1.02
    assert hidden_in(picture).nonzero()[0].tolist() == [0]
    assert hidden_in(picture, colour=(1, 0, 1)).sum() == 1
    assert hidden_in(picture, colour=(1, 0, 1), tolerance=0.05).nonzero()[1].tolist() == [0, 2]
    mask = np.array([[0, 0, 255], [0, 0, 0]], np.uint8)
    assert hidden_in(picture, mask).nonzero()[1].tolist() == [0, 2]
    for wrong in ({"mask": mask.T}, {"colour": (1, 2)}, {"mask": np.ones((2, 3))}):
        with pytest.raises(DataError, match="must"):
            hidden_in(picture, **wrong)


# ---------------------------------------------------------------- fills


def test_smooth_and_bent_fills_of_a_constant_and_a_slope_are_exact():
    known = torch.from_numpy(~square())[None, None]
    flat = torch.full((1, 1, 12, 12), 0.7)
    assert torch.allclose(smooth(flat * known, known), flat, atol=1e-6)
    slope = torch.linspace(0, 1, 12).expand(1, 1, 12, 12).contiguous()
    assert torch.allclose(bent(slope * known, known), slope, atol=1e-3)


def test_the_gaussian_fill_is_the_conditional_mean():
    """Beside the textbook's formula with the whole covariance, in float64."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 3)) @ rng.normal(size=(3, 8)) + 0.1 * rng.normal(size=(4000, 8)) + 2
    fill = Gaussians(8, 3)
    fill.start(torch.from_numpy(X).float(), None)
    known = np.array([True, True, False, True, True, False, True, True])
    x = X[:5]
    covariance, mean = np.cov(X.T), X.mean(0)
    gain = covariance[np.ix_(~known, known)] @ np.linalg.inv(covariance[np.ix_(known, known)])
    wanted = mean[~known] + (x - mean)[:, known] @ gain.T
    made = fill(torch.from_numpy(x).float() * torch.from_numpy(known), torch.from_numpy(known).expand(5, 8))
    assert np.abs(made.numpy()[:, ~known] - wanted).max() < 0.05


def test_neighbours_never_fill_a_training_picture_with_itself_in_training():
    x = torch.rand(60, 30)
    near = Neighbours(30, 60, 1)
    folds = near.start(x)
    known = torch.ones(60, 30, dtype=torch.bool)
    known[:, :5] = False
    near.train()
    made, found = near(x * known, known)
    assert torch.equal(found, folds)
    distance = torch.cdist(made, x)
    assert (folds[distance.argmin(1)] != folds).all()
    near.eval()
    assert torch.allclose(near(x * known, known)[0], x, atol=1e-3)


# ---------------------------------------------------------------- filling


def test_it_fills_better_than_the_mean_picture_and_a_thin_plate(small):
    clean, hole = waves(60, seed=9), square(12, 3, 10)
    made = small.transform(clean, hole).astype(float)
    k = torch.from_numpy(~hole)[None, None].expand(60, 1, 12, 12)
    plate = bent(torch.from_numpy(clean).float()[:, None] * k, k).numpy()[:, 0]

    def off(guess):
        return np.square(guess - clean)[:, hole].mean()

    assert off(made) < 0.5 * off(plate)
    assert off(made) < 0.1 * off(waves(300).mean(0))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_known_pixels_come_back_bit_for_bit_in_the_same_dtype(photos, dtype):
    picture = waves(1, 50, 5, 3)[0]
    if dtype == "uint16":
        picture = picture.astype(np.uint16) * 257
    elif dtype != "uint8":
        picture = (picture / 255).astype(dtype)
    hole = square(50, 20, 26)
    for given in (picture, picture[..., 0]):
        made = photos.inpaint(given, hole)
        assert made.dtype == given.dtype
        assert made.shape == given.shape
        assert np.array_equal(made[~hole], given[~hole])
        ruined = given.copy()
        ruined[hole] = 0
        assert np.array_equal(photos.inpaint(ruined, hole), made)  # what stood in the hole is not looked at
        assert np.abs(made[hole].astype(float) - given[hole]).mean() < 0.1 * float(given.max())


def test_nothing_hidden_is_nothing_changed_and_transparency_stays(photos, small):
    picture = np.dstack([waves(1, 40, 5, 3)[0], np.arange(1600).reshape(40, 40).astype(np.uint8)])
    assert np.array_equal(photos.inpaint(picture), picture)
    made = photos.inpaint(picture, square(40, 10, 14))
    assert np.array_equal(made[..., 3], picture[..., 3])
    assert not np.array_equal(made, picture)
    assert np.array_equal(small.transform(waves(3)), waves(3))


def test_nan_mask_and_colour_are_one(small, photos):
    clean = waves(4, seed=3) / 255
    holed = clean.copy()
    holed[:, square()] = np.nan
    assert np.allclose(small.transform(holed), small.transform(clean, square()), atol=1e-6)
    picture = waves(1, 40, 5, 3)[0]
    painted = picture.copy()
    painted[square(40, 9, 12)] = 255, 0, 255
    assert np.array_equal(
        photos.inpaint(painted, colour=(255, 0, 255)), photos.inpaint(picture, square(40, 9, 12))
    )


def test_rounds_close_the_hole_from_its_edge_inward(small):
    hole = square(12, 2, 10)
    holes = list(peeled(hole, 3))
    assert np.array_equal(holes[0], hole)
    assert all((b <= a).all() and b.sum() < a.sum() for a, b in itertools.pairwise(holes))
    made = small.inpaint(waves(1)[0], hole, rounds=3)
    assert np.array_equal(made[~hole], waves(1)[0][~hole])


def test_draws_differ_in_the_hole_alone_and_their_spread_is_the_error_to_expect(small):
    clean, hole = waves(40, seed=11), square(12, 3, 10)
    found = [small.draws(picture, hole, 3) for picture in clean]
    assert all(
        np.array_equal(d[~hole], x[~hole]) for f, x in zip(found, clean, strict=True) for d in f.pictures
    )
    assert not np.array_equal(found[0].pictures[0], found[0].pictures[1])
    assert (found[0].spread[~hole] == 0).all()
    assert (found[0].spread[hole] > 0).all()
    expected = np.sqrt(np.mean([np.square(f.spread[hole]).mean() for f in found]))
    made = small.transform(clean, hole).astype(float)
    seen = np.sqrt(np.square(made - clean)[:, hole].mean())
    assert 0.5 < expected / seen < 2


def test_draws_of_photographs(photos):
    picture, hole = waves(1, 40, 5, 3)[0], square(40, 10, 20)
    found = photos.draws(picture, hole, 2)
    assert found.pictures.shape == (2, 40, 40, 3)
    assert found.pictures.dtype == np.uint8
    assert np.array_equal(found.pictures[:, ~hole], np.stack([picture[~hole]] * 2))


# ---------------------------------------------------------------- keeping and refusing


def test_the_default_model_fits_the_pictures_and_members_are_averaged():
    X = waves(60)
    inpainter = Inpainter(members=2, trainer=Trainer(max_epochs=1, progress=False), random_state=0).fit(X)
    assert len(inpainter.models_) == 2
    assert inpainter.models_[0].architecture.pictures == 54
    assert not np.array_equal(inpainter.models_[0].held_out_, inpainter.models_[1].held_out_)
    assert inpainter.transform(X[:2], square()).shape == (2, 12, 12)


@pytest.mark.parametrize("kind", ["small", "photos"])
def test_it_comes_back_from_its_file_the_same_to_the_bit(kind, request, tmp_path):
    inpainter, path = request.getfixturevalue(kind), tmp_path / "m.isthmus"
    save(inpainter, path)
    back = load(path)
    picture = waves(1)[0] if kind == "small" else waves(1, 50, 5, 3)[0]
    hole = square(len(picture), 3, 8)
    assert np.array_equal(back.inpaint(picture, hole), inpainter.inpaint(picture, hole))
    assert np.array_equal(back.draws(picture, hole).pictures, inpainter.draws(picture, hole).pictures)
    assert back.notes_ == inpainter.notes_
    assert back.whole_ == inpainter.whole_
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(FileError):
        load(path)


def test_what_cannot_be_used_is_said_in_a_sentence(small):
    with pytest.raises(DataError, match="must be 12 x 12 as those of fit"):
        small.inpaint(waves(1, 20)[0], square(20))
    with pytest.raises(DataError, match="without holes"):
        Inpainter().fit(np.full((20, 8, 8), np.nan))
    with pytest.raises(DataError, match="must leave some pixels known"):
        small.inpaint(waves(1)[0], np.ones((12, 12)))
    with pytest.raises(DataError, match="model must fill holes"):
        Inpainter(Autoencoder(2)).fit(waves(20))
    with pytest.raises(DataError, match="be pictures for HoleMask"):
        Autoencoder(2, corruption=HoleMask(), trainer=TRAINER).fit(
            np.random.default_rng(0).normal(size=(40, 5))
        )
    with pytest.raises(DataError, match="fitted"):
        Inpainter().inpaint(waves(1)[0])


def test_the_figure_shows_every_picture_once(small):
    clean, hole = waves(2), np.stack([square()] * 2)
    found = small.draws(clean[0], square(), 2)
    ax = inpainted(clean, hole, small.transform(clean, hole), clean=clean)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["given", "filled", "clean"]
    ax = inpainted(clean[0], square(), clean[0], draws=found.pictures, spread=found.spread)
    opaque = ax.images[0].get_array()[..., 3]
    assert opaque.shape == (12, 5 * 13 - 1)
    assert opaque.sum() == 5 * 12 * 12  # between pictures the paper is seen, light or dark


def test_the_command_line_fits_fills_and_reports(tmp_path):
    album = tmp_path / "album"
    album.mkdir()
    for number, picture in enumerate(waves(30)):
        write_photograph(album / f"{number}.png", Photograph(picture))
    model_file = tmp_path / "m.isthmus"
    done = run("fit", album, "--task", "inpaint", "--epochs", 1, "-o", model_file, "-q")
    assert done.returncode == 0, done.stderr
    clean = waves(1, seed=5)[0]
    ruined = clean.copy()
    ruined[square()] = 255
    write_photograph(tmp_path / "ruined.png", Photograph(ruined))
    write_photograph(tmp_path / "clean.png", Photograph(clean))
    write_photograph(tmp_path / "mask.png", Photograph(square().astype(np.uint8) * 255))
    done = run(
        *("inpaint", model_file, tmp_path / "ruined.png", "-o", tmp_path / "made.png"),
        *("--mask", tmp_path / "mask.png", "--draws", 2, "--draw", tmp_path / "drawn.png"),
        *("--reference", tmp_path / "clean.png", "--json"),
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    made = read_photograph(tmp_path / "made.png").pixels
    off = np.square(made.astype(float) - clean)[square()].mean()
    assert facts["filled"] == 16
    assert facts["psnr"] == pytest.approx(10 * np.log10(255**2 / off))
    assert np.array_equal(made[~square()], clean[~square()])
    assert (tmp_path / "made-2.png").is_file()
    assert (tmp_path / "drawn.png").is_file()
    wrong = run("inpaint", model_file, tmp_path / "ruined.png", "-o", tmp_path / "x.png")
    assert wrong.returncode == 1
    assert "--mask" in wrong.stderr
    assert not (tmp_path / "x.png").exists()
