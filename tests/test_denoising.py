"""Denoisers of photographs and of rows, their measures, and what picks between them."""

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

from isthmus import (
    MLP,
    Autoencoder,
    BlindSpots,
    DataError,
    Denoiser,
    FileError,
    GaussianNoise,
    Images,
    MaskingNoise,
    NoiseLevels,
    PhotoDenoiser,
    ResidualConvNet,
    SquaredError,
    Table,
    Trainer,
    Unscaled,
    figures,
    load,
    save,
)
from isthmus.denoising import AudioDenoiser, noise_level, psnr, ssim
from isthmus.denoising.denoiser import opened_as
from isthmus.denoising.samples import SampleDenoiser
from isthmus.inputs.photographs import Photograph, write_photograph

RNG = np.random.default_rng(0)


def scene(height, width, seed, coloured=False):
    """Blocks and slopes: a picture with edges and smooth places."""
    rng = np.random.default_rng(seed)
    size = (height // 16 + 2, width // 16 + 2, 3 if coloured else 1)
    blocks = np.kron(rng.integers(40, 216, size=size), np.ones((16, 16, 1)))[:height, :width]
    slope = np.linspace(-30, 30, width)[None, :, None]
    made = np.clip(np.rint(blocks + slope), 0, 255).astype(np.uint8)
    return made if coloured else made[..., 0]


def noisy(picture, sigma, seed=9):
    rng = np.random.default_rng(seed)
    top = np.iinfo(picture.dtype).max
    return np.clip(np.rint(picture + sigma * rng.normal(size=picture.shape)), 0, top).astype(picture.dtype)


def small(corruption=NoiseLevels(0.0, 0.2, tell=True), epochs=40):
    return Autoencoder(
        None,
        architecture=ResidualConvNet(16, 2),
        corruption=corruption,
        loss=SquaredError(),
        inputs=Images(),
        trainer=Trainer(max_epochs=epochs, batch_size=8, lr=5e-3),
    )


@pytest.fixture(scope="module")
def photos():
    """One that has learned from small scenes, grey and coloured."""
    album = [scene(90, 120, seed, coloured=seed % 2 == 0) for seed in range(4)]
    return PhotoDenoiser(small(), patches=64, random_state=0).fit(album)


# ---------------------------------------------------------------- measures


def test_psnr_is_its_formula():
    a, b = np.zeros((4, 4), np.uint8), np.full((4, 4), 5, np.uint8)
    assert psnr(a, b) == pytest.approx(20 * math.log10(255 / 5))
    assert psnr(a / 255, b / 255) == pytest.approx(psnr(a, b))
    assert psnr(a, a) == math.inf
    with pytest.raises(DataError, match="must have the shape"):
        psnr(a, b[:2])


def test_ssim_is_the_formula_of_wang_written_out():
    """Every pixel's window by hand: an 11 x 11 Gaussian of 1.5 pixels, population moments."""
    rng = np.random.default_rng(0)
    x, y = rng.random((14, 13)), rng.random((14, 13))
    y = 0.5 * x + 0.5 * y
    at = np.arange(-5, 6)
    window = np.exp(-(at[:, None] ** 2 + at**2) / (2 * 1.5**2))
    window /= window.sum()
    found = []
    for i in range(5, 14 - 5):
        for j in range(5, 13 - 5):
            u, v = (image[i - 5 : i + 6, j - 5 : j + 6] for image in (x, y))
            mu, mv = (window * u).sum(), (window * v).sum()
            vu, vv = (window * u * u).sum() - mu**2, (window * v * v).sum() - mv**2
            both = (window * u * v).sum() - mu * mv
            c1, c2 = 0.01**2, 0.03**2
            found.append((2 * mu * mv + c1) * (2 * both + c2) / ((mu**2 + mv**2 + c1) * (vu + vv + c2)))
    assert ssim(x, y) == pytest.approx(np.mean(found), abs=1e-9)
    assert ssim(x, x) == pytest.approx(1)
    assert ssim(np.stack([x, x], 2), np.stack([x, y], 2)) == pytest.approx((1 + np.mean(found)) / 2)
    assert 0 < ssim(rng.random((4, 4)), rng.random((4, 4))) < 1


@pytest.mark.parametrize("sigma", [2, 10, 25, 50])
def test_the_level_of_noise_is_found_within_a_tenth(sigma):
    picture = scene(256, 256, 0).astype(float)
    assert noise_level(picture + sigma * RNG.normal(size=picture.shape)) == pytest.approx(sigma, rel=0.1)
    coloured = scene(256, 256, 0, coloured=True).astype(float)
    assert noise_level(coloured + sigma * RNG.normal(size=coloured.shape)) == pytest.approx(sigma, rel=0.1)


def test_a_picture_too_small_for_detail_has_no_level():
    assert noise_level(np.zeros((1, 5))) == 0


# ---------------------------------------------------------------- photographs


@pytest.mark.parametrize("coloured", [False, True])
@pytest.mark.parametrize("level", [None, 20.0])
def test_photographs_of_any_size_come_back_cleaner(photos, coloured, level):
    clean = scene(101, 77, 7, coloured)
    made = photos.denoise(noisy(clean, 20), level)
    assert made.shape == clean.shape
    assert made.dtype == np.uint8
    assert psnr(clean, made) > psnr(clean, noisy(clean, 20)) + 2


def test_kinds_of_numbers_are_kept_and_count_the_same(photos):
    x = noisy(scene(64, 64, 7), 20)
    by_bytes = photos.denoise(x, 20.0)
    deep = photos.denoise(x.astype(np.uint16) * 257, 20.0 * 257)
    floats = photos.denoise((x / 255).astype(np.float32), 20.0 / 255)
    assert (deep.dtype, floats.dtype) == (np.uint16, np.float32)
    assert np.abs(deep / 257 - by_bytes).max() <= 0.51
    assert np.abs(floats * 255 - by_bytes).max() <= 0.51
    assert photos.denoise(x[..., None], 20.0).shape == (64, 64, 1)
    assert np.abs(photos.denoise(x.astype(float), 20.0) - by_bytes).max() <= 0.51
    beyond = photos.denoise(x / 255 + 0.2 * (x > 240) - 0.2 * (x < 30), 20.0 / 255)
    assert beyond.min() >= 0
    assert beyond.max() <= 1


def test_transparency_stays_as_it_is(photos):
    x = noisy(scene(40, 40, 7, coloured=True), 20)
    alpha = RNG.integers(256, size=(40, 40, 1), dtype=np.uint8)
    made = photos.denoise(np.concatenate([x, alpha], 2))
    np.testing.assert_array_equal(made[..., 3:], alpha)
    np.testing.assert_array_equal(made[..., :3], photos.denoise(x))


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_no_more_is_taken_away_than_there_is_noise(photos, level):
    x = noisy(scene(80, 80, 7), 20) / 255
    taken = np.sqrt(np.square(photos.denoise(x, level / 255) - x).mean()) * 255
    assert taken == pytest.approx(level, abs=0.01)


def test_a_grey_model_takes_colours_one_by_one():
    model = PhotoDenoiser(small(), patches=48, random_state=0).fit([scene(80, 90, s) for s in range(3)])
    x = noisy(scene(50, 60, 7, coloured=True), 20)
    made = model.denoise(x, 20.0)
    np.testing.assert_array_equal(made[..., 1], model.denoise(x[..., 1], 20.0))


def test_noisy_photographs_alone_teach_by_blind_spots_and_by_pairs():
    clean = [scene(90, 120, s) for s in range(4)]
    first, second = ([noisy(one, 30, seed + k) for k, one in enumerate(clean)] for seed in (100, 200))
    truth, x = scene(96, 96, 9), noisy(scene(96, 96, 9), 30)
    blind = PhotoDenoiser(small(BlindSpots(0.1)), patches=96, random_state=0).fit(first)
    pairs = PhotoDenoiser(small(), patches=96, random_state=0).fit(first, second)
    assert psnr(truth, blind.denoise(x)) > psnr(truth, x) + 1
    assert psnr(truth, pairs.denoise(x)) > psnr(truth, x) + 2


def test_a_folder_of_pictures_is_learned_from_and_damaged_files_are_named(tmp_path):
    for seed in range(2):
        write_photograph(tmp_path / f"{seed}.png", Photograph(scene(70, 80, seed)))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    model = PhotoDenoiser(small(epochs=2), patches=16, random_state=0).fit(tmp_path)
    assert any("broken.png" in note for note in model.notes_)


def test_the_same_seed_gives_the_same_bits():
    album = [scene(70, 80, 0)]
    fits = [PhotoDenoiser(small(epochs=2), patches=16, random_state=3).fit(album) for _ in range(2)]
    x = noisy(album[0], 20)
    np.testing.assert_array_equal(fits[0].denoise(x), fits[1].denoise(x))


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.zeros(5), r"must be numbers \(h, w\) or \(h, w, 3\)"),
        (np.zeros((2, 2, 2)), r"must be numbers \(h, w\) or \(h, w, 3\)"),
        (np.full((4, 4), np.nan), "must be finite"),
        (np.array([["a"]]), "must be numbers"),
    ],
)
def test_what_is_no_picture_is_refused(photos, picture, message):
    with pytest.raises(DataError, match=message):
        photos.denoise(picture)


def test_levels_and_models_that_make_no_sense_are_refused(photos):
    with pytest.raises(DataError, match="level must be at least 0"):
        photos.denoise(scene(20, 20, 0), -1.0)
    with pytest.raises(DataError, match="have an architecture of filters"):
        PhotoDenoiser(Autoencoder(None, architecture=MLP(), corruption=GaussianNoise())).fit(
            [scene(70, 70, 0)]
        )
    with pytest.raises(DataError, match="same scenes and sizes"):
        PhotoDenoiser(small()).fit([scene(70, 70, 0)], [scene(60, 70, 0)])


@pytest.mark.parametrize("views", [2, 8])
def test_views_are_the_mean_of_turned_and_mirrored_ones(photos, views):
    x = noisy(scene(48, 60, 7), 20) / 255
    one = PhotoDenoiser(views=1)
    one.model_ = photos.model_
    turned = (
        [(k, flip) for flip in (False, True) for k in range(4)] if views == 8 else [(0, False), (2, False)]
    )
    each = []
    for k, flip in turned:
        seen = np.rot90(x[:, ::-1] if flip else x, k)
        made = np.rot90(one.denoise(seen, 20 / 255), -k)
        each.append(made[:, ::-1] if flip else made)
    many = PhotoDenoiser(views=views)
    many.model_ = photos.model_
    np.testing.assert_allclose(many.denoise(x, 20 / 255), np.mean(each, 0), atol=2e-3)
    with pytest.raises(DataError, match="views must be a whole number of at least 1 and at most 8"):
        PhotoDenoiser(views=9).fit([scene(70, 70, 0)])


def test_progress_reaches_the_end(photos):
    seen = []
    photos.denoise(scene(300, 300, 0), 10.0, seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) > 1


# ---------------------------------------------------------------- rows


@pytest.fixture(scope="module")
def curved():
    rng = np.random.default_rng(0)
    X = np.tanh(rng.normal(size=(1500, 2)) @ rng.normal(size=(2, 6)))
    return X, X + 0.2 * rng.normal(size=X.shape)


def rows(**options):
    return SampleDenoiser(trainer=Trainer(max_epochs=20, batch_size=64), random_state=0, **options)


def test_rows_come_back_cleaner_and_as_frames_where_frames_went_in(curved):
    X, damaged = curved
    frame = pd.DataFrame(X, columns=list("abcdef"))
    made = rows(noise=GaussianNoise(0.4)).fit(frame).transform(pd.DataFrame(damaged, columns=list("abcdef")))
    assert list(made.columns) == list("abcdef")
    assert np.square(made - X).to_numpy().mean() < 0.5 * np.square(damaged - X).mean()


def test_pca_in_the_slot_is_a_projection(curved):
    X, damaged = curved
    pca = PCA(2).fit(X)
    made = SampleDenoiser(PCA(2)).fit(X).denoise(damaged)
    np.testing.assert_allclose(made, pca.inverse_transform(pca.transform(damaged)))


def test_the_vector_field_is_the_residual_and_the_score_its_share(curved):
    X, damaged = curved
    model = rows(noise=GaussianNoise(0.4)).fit(X)
    field = model.vector_field(damaged[:20])
    np.testing.assert_allclose(field, model.transform(damaged[:20]) - damaged[:20])
    np.testing.assert_allclose(model.score_estimate(damaged[:20]), field / (0.4 * X.std(0)) ** 2, rtol=1e-6)


def test_the_score_of_a_gaussian_is_its_own():
    """Law 5 in a closed form: grad log p_sigma(x) = -x / (1 + sigma^2) in every direction."""
    rng = np.random.default_rng(0)
    X, sigma = rng.normal(size=(8000, 2)), 0.5
    model = Autoencoder(
        None,
        architecture=MLP((64, 64)),
        corruption=GaussianNoise(sigma),
        inputs=Table(scaling=Unscaled()),
        trainer=Trainer(max_epochs=20, batch_size=256),
    )
    points = rng.normal(size=(500, 2))
    truth = -points / (1 + sigma**2)
    found = Denoiser(model, random_state=0).fit(X).score_estimate(points)
    assert 1 - np.square(found - truth).sum() / np.square(truth).sum() >= 0.97


def test_a_score_needs_gaussian_noise(curved):
    model = rows(noise=MaskingNoise(0.2)).fit(curved[0])
    with pytest.raises(DataError, match="be Gaussian of one sigma"):
        model.score_estimate(curved[0][:3])


def test_pairs_of_rows_teach(curved):
    X, damaged = curved
    made = rows().fit(damaged, X).denoise(damaged)
    assert np.square(made - X).mean() < 0.5 * np.square(damaged - X).mean()


def test_small_pictures_are_told_their_level():
    X = np.stack([scene(16, 16, s) for s in range(60)]) / 255
    model = SampleDenoiser(small(NoiseLevels(0.0, 0.3, tell=True), 10), random_state=0).fit(X)
    damaged = X + 0.2 * RNG.normal(size=X.shape)
    told = model.transform(damaged, 0.2)
    assert not np.array_equal(told, model.transform(damaged, 0.05))
    assert np.square(told - X).mean() < np.square(damaged - X).mean()
    with pytest.raises(DataError, match="level must be left out"):
        rows().fit(X.reshape(60, -1)).transform(X.reshape(60, -1), 0.2)


# ---------------------------------------------------------------- which of them


def test_the_denoiser_is_picked_by_the_data(tmp_path, curved):
    album = [scene(70, 80, 0), scene(90, 66, 1)]
    tones = [np.sin(np.arange(9000) * f) for f in (0.1, 0.2)]
    write_photograph(tmp_path / "a.png", Photograph(album[0]))
    for data, kind in (
        (curved[0], SampleDenoiser),
        (np.zeros((5, 28, 28)), SampleDenoiser),
        (np.zeros((5, 100, 80, 3)), PhotoDenoiser),
        (album, PhotoDenoiser),
        (tmp_path, PhotoDenoiser),
        (tones, AudioDenoiser),
    ):
        assert opened_as(data)[1] is kind
    with pytest.raises(DataError, match="noise must be left out for AudioDenoiser"):
        Denoiser(noise=GaussianNoise(0.1)).fit(tones)
    with pytest.raises(DataError, match="y must have the length of X in channel 1"):
        Denoiser().fit(tones, [tones[0], tones[1][:-1]])


def test_a_vector_field_is_one_of_rows(photos):
    picked = Denoiser()
    picked.denoiser_ = photos
    with pytest.raises(DataError, match="a vector field needs a denoiser of rows"):
        picked.vector_field(np.zeros((2, 2)))


@pytest.mark.parametrize("kind", ["photos", "rows", "facade"])
def test_denoisers_come_back_from_their_files(tmp_path, photos, curved, kind):
    model = {"photos": photos, "rows": None, "facade": None}[kind]
    model = model or (rows() if kind == "rows" else Denoiser(trainer=Trainer(max_epochs=2))).fit(curved[0])
    save(model, tmp_path / "m.isthmus")
    same = load(tmp_path / "m.isthmus")
    x = noisy(scene(70, 50, 7), 20) if kind == "photos" else curved[1]
    np.testing.assert_array_equal(same.denoise(x), model.denoise(x))
    assert same.notes_ == model.notes_


def test_what_cannot_be_saved_says_so(tmp_path, curved):
    with pytest.raises(DataError, match="must be fitted before it is saved"):
        save(Denoiser(), tmp_path / "m.isthmus")
    with pytest.raises(DataError, match="be an Autoencoder, or the denoiser cannot be saved"):
        save(SampleDenoiser(PCA(2)).fit(curved[0]), tmp_path / "m.isthmus")


def test_a_file_with_a_model_of_tables_inside_is_refused(tmp_path, photos, curved):
    from isthmus.denoising.saved import packed
    from isthmus.sealed import write_sealed

    header = packed(rows().fit(curved[0]))
    write_sealed(tmp_path / "m.isthmus", header[0], {**header[1], "kind": "PhotoDenoiser"})
    with pytest.raises(FileError, match="architecture of filters"):
        load(tmp_path / "m.isthmus")


# ---------------------------------------------------------------- figures


def test_restored_pictures_are_drawn_side_by_side_with_a_detail_of_large_ones():
    large = {
        "noisy": noisy(scene(220, 240, 0, coloured=True), 20),
        "clean": scene(220, 240, 0, coloured=True),
    }
    axes = figures.restored(large)
    assert [ax.get_title(loc="left") for ax in axes[:2]] == ["noisy", "clean"]
    assert len(axes) == 4
    assert axes[2].images[0].get_array().shape == (96, 96, 3)
    assert len(figures.restored({"a": scene(40, 30, 0), "b": scene(40, 30, 0)})) == 2
