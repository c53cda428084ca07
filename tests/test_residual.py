"""Residual convolutional networks, noise of many levels, and pictures in tiles."""

import numpy as np
import pytest
import torch

from isthmus import (
    Autoencoder,
    DataError,
    Images,
    NoiseLevels,
    ResidualConvNet,
    SquaredError,
    Trainer,
    load,
    save,
)
from isthmus.codes import LinearCode
from isthmus.networks import Network
from isthmus.networks.residual import estimated_level
from isthmus.parts import Layout
from isthmus.tiling import filtered, tiles

SHAPES = [(33, 47), (33, 47, 3), (8, 8), (28, 28, 2)]


def network(shape, plan=ResidualConvNet(8, 3)):
    """One with noise to take away."""
    torch.manual_seed(0)
    layout = Layout.numeric(int(np.prod(shape)), shape)
    down, up = plan.build(layout, 0)
    torch.nn.init.normal_(up.last.weight, std=0.1)
    return Network(down, LinearCode(), up), layout


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("shuffle", [1, 2, 3])
def test_an_untrained_one_gives_back_what_it_got(shape, shuffle):
    plan = ResidualConvNet(4, 2, shuffle)
    layout = Layout.numeric(int(np.prod(shape)), shape)
    down, up = plan.build(layout, 0)
    x = torch.rand(3, layout.width)
    z = down(x)
    assert z.shape == (3, plan.code_width(layout))
    assert torch.equal(up(z), x)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("shuffle", [1, 2, 3])
def test_tiles_give_what_the_whole_picture_gives(shape, shuffle):
    net, layout = network(shape, ResidualConvNet(8, 3, shuffle))
    x = torch.rand(1, layout.width)
    whole = net.reconstruct(torch.cat([x, torch.full((1, 1), 0.1)], 1)).detach().numpy().reshape(shape)
    planes = x.numpy().reshape(*shape[:2], -1)
    made = filtered(net, planes, 0.1, side=16)
    assert np.abs(whole - planes.reshape(shape)).max() > 0.01
    np.testing.assert_allclose(made.reshape(shape), whole, atol=2e-6)


def test_tiles_cover_every_pixel_once():
    seen = np.zeros((70, 50), int)
    for place in tiles(70, 50, 6, 32):
        seen[place.kept] += 1
        assert seen[place.read][place.inner].shape == seen[place.kept].shape
    assert (seen == 1).all()


def test_a_pixel_is_changed_by_pixels_within_reach_alone():
    net, _ = network((64, 64))
    picture = np.random.default_rng(0).random((64, 64, 1)).astype(np.float32)
    other = picture.copy()
    other[32, 32] += 1
    changed = np.abs(filtered(net, picture, 0.1) - filtered(net, other, 0.1))[..., 0] > 0
    rows, columns = np.nonzero(changed)
    reach = net.encoder.reach
    assert 2 < np.abs(rows - 32).max() <= reach
    assert np.abs(columns - 32).max() <= reach


def test_the_level_that_comes_with_a_row_is_used_and_estimated_where_it_is_missing():
    net, _ = network((16, 16))
    clean = np.full((16, 16), 0.5)
    noisy = clean + 0.1 * np.random.default_rng(0).normal(size=clean.shape)
    x = torch.from_numpy(noisy.astype(np.float32).reshape(1, -1))
    told = lambda level: net.reconstruct(torch.cat([x, torch.full((1, 1), level)], 1))  # noqa: E731
    assert not torch.equal(told(0.1), told(0.2))
    level = float(estimated_level(x.view(1, 16, 16, 1)))
    torch.testing.assert_close(net.reconstruct(x), told(level))


def test_the_noise_of_flat_and_of_smooth_pictures_is_estimated_well():
    rng = np.random.default_rng(0)
    across = np.linspace(0, 1, 128)
    for sigma in (0.02, 0.1, 0.3):
        noisy = across[None, :, None] * across[:, None, None] + sigma * rng.normal(size=(128, 128, 1))
        found = float(estimated_level(torch.from_numpy(noisy)[None]))
        assert found == pytest.approx(sigma, rel=0.05)


def test_grey_in_three_channels_stays_grey_and_its_noise_is_told_as_such():
    net, _ = network((16, 16, 3))
    grey = torch.rand(1, 16, 16, 1).expand(1, 16, 16, 3)
    planes = net.encoder.planes(grey, torch.full((1, 1, 1), 0.2))
    assert planes.shape == (1, 16, 16, 5)
    assert torch.equal(planes[..., 3:], torch.tensor([0.2, 0.0]).expand(1, 16, 16, 2))
    colour = net.encoder.planes(torch.rand(1, 16, 16, 3), torch.full((1, 1, 1), 0.2))
    torch.testing.assert_close(colour[..., 3:], torch.full((1, 16, 16, 2), 0.2 / 3**0.5))


def test_colours_as_mean_and_differences_have_equal_uncorrelated_noise():
    turn = network((8, 8, 3))[0].encoder.opponent.double()
    torch.testing.assert_close(turn @ turn.T, torch.eye(3).double() / 3)


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.5), (0.2, 0.2)])
def test_noise_levels_draws_a_level_for_every_row_and_tells_it(low, high):
    x = torch.zeros(4000, 64)
    layout = Layout.numeric(64, (8, 8))
    seen = NoiseLevels(low, high, tell=True)(x, layout, torch.Generator().manual_seed(0))
    told = seen[:, -1]
    assert seen.shape == (4000, 65)
    assert low - 1e-6 <= float(told.min()) <= float(told.max()) <= high + 1e-6
    assert float(told.mean()) == pytest.approx((low + high) / 2, abs=0.01)
    spread = seen[:, :-1].std(1) / told.clamp_min(1e-6)
    assert float(spread[told > 0.01].mean()) == pytest.approx(1, abs=0.01)
    assert NoiseLevels(low, high)(x, layout, torch.Generator()).shape == x.shape


def test_a_grey_picture_in_three_channels_gets_one_noise_a_colour_one_three():
    x = torch.rand(2, 8, 8, 3)
    x[0] = x[0, :, :, :1]
    layout = Layout.numeric(192, (8, 8, 3))
    seen = NoiseLevels(0.1, 0.1)(x.flatten(1), layout, torch.Generator().manual_seed(0)).view(2, 8, 8, 3)
    assert (seen[0] == seen[0, :, :, :1]).all()
    assert not (seen[1] == seen[1, :, :, :1]).any(0).all()


def test_levels_that_make_no_sense_are_refused():
    with pytest.raises(DataError, match="low and high must be 0 <= low <= high"):
        NoiseLevels(0.3, 0.1)(torch.zeros(1, 4), Layout.numeric(4), torch.Generator())


def test_tables_are_refused():
    with pytest.raises(DataError, match="be pictures for ResidualConvNet"):
        Autoencoder(None, architecture=ResidualConvNet(), corruption=NoiseLevels()).fit(np.eye(8))


def test_it_trains_and_comes_back_from_its_file(tmp_path):
    X = np.kron(np.random.default_rng(0).random((40, 4, 4)), np.ones((4, 4))).astype(np.float32)
    model = Autoencoder(
        None,
        architecture=ResidualConvNet(8, 2),
        corruption=NoiseLevels(0.0, 0.3, tell=True),
        loss=SquaredError(),
        inputs=Images(),
        trainer=Trainer(max_epochs=60, batch_size=8, lr=1e-2),
        random_state=0,
    ).fit(X)
    noisy = X + 0.15 * np.random.default_rng(1).normal(size=X.shape).astype(np.float32)
    error = lambda made: float(np.square(made - X).mean())  # noqa: E731
    assert error(model.reconstruct(noisy)) < 0.5 * error(noisy)
    save(model, tmp_path / "m.isthmus")
    np.testing.assert_array_equal(load(tmp_path / "m.isthmus").reconstruct(noisy), model.reconstruct(noisy))
