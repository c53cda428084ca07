"""Filters: shapes, the start at PCA, Jacobians, saving, and which data get them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from isthmus import (
    MLP,
    Autoencoder,
    BlockMask,
    Contraction,
    ConvNet,
    DataError,
    GaussianNoise,
    Images,
    ReLU,
    Signals,
    Suited,
    Tanh,
    TopK,
    Trainer,
    load,
    save,
)
from isthmus.parts import Layout

SHAPES = [
    ((28, 28), False),
    ((23, 17), False),
    ((16, 16, 3), False),
    ((31, 9, 2), False),
    ((3, 40), False),
    ((1, 1), False),
    ((1, 64), True),
    ((3, 97), True),
    ((2, 3), True),
    ((1, 1003), True),
]


def layout_of(shape: tuple[int, ...], signal: bool) -> Layout:
    return Layout.numeric(int(np.prod(shape)), shape, signal=signal)


def pictures(n: int = 120, size: int = 20, seed: int = 0) -> np.ndarray:
    """Bright discs at random places, (n, size, size) uint8."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    cy, cx = rng.uniform(5, size - 5, (2, n, 1, 1))
    return (255 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 8)).astype(np.uint8)


def waves(n: int = 100, time: int = 128, seed: int = 0) -> np.ndarray:
    """Sines of random frequency and phase in two channels, (n, 2, time)."""
    rng = np.random.default_rng(seed)
    t = np.arange(time)
    w, phase = rng.uniform(0.1, 0.5, (n, 1, 1)), rng.uniform(0, 2 * np.pi, (n, 2, 1))
    return np.sin(w * t + phase)


@pytest.mark.parametrize(("shape", "signal"), SHAPES)
@pytest.mark.parametrize(
    "architecture",
    [
        ConvNet(),
        ConvNet((4, 8, 8, 8)),
        ConvNet((6,), kernel=3, stride=1, activation=ReLU()),
        ConvNet((4,), kernel=9, stride=3, from_pca=False),
    ],
    ids=repr,
)
def test_every_size_comes_back_exactly(architecture, shape, signal):
    """Odd sizes, thin ones, one pixel; with a dense code and without."""
    layout = layout_of(shape, signal)
    x = torch.randn(3, layout.width, generator=torch.Generator().manual_seed(0))
    for k in (5, architecture.code_width(layout)):
        down, up = architecture.build(layout, k)
        z = down(x)
        assert z.shape == (3, k)
        assert up(z).shape == x.shape


def test_rows_do_not_see_each_other():
    """A row's code and reconstruction are the same alone as in company."""
    layout = layout_of((20, 20, 3), False)
    down, up = ConvNet((8, 8)).build(layout, 6)
    x = torch.rand(5, layout.width, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(up(down(x))[2], up(down(x[2:3]))[0], atol=1e-5)


def test_filters_read_a_picture_the_right_way_round():
    """A layer of one filter with one weight picks that very pixel and colour out of a flat row."""
    down, _ = ConvNet((1,), kernel=3, stride=1).build(layout_of((4, 5, 3), False), 20)
    layer = down.layers[0]
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.zero_()
        layer.weight[0, 2, 1, 1] = 1.0  # the third colour, the kernel's middle
    picture = np.arange(60, dtype=np.float32).reshape(1, 4, 5, 3)
    assert (
        down(torch.from_numpy(picture.reshape(1, -1))).detach().numpy() == picture[..., 2].reshape(1, -1)
    ).all()


def test_no_checkerboard():
    """Every inner pixel of an upsampled constant is touched by equally many weights."""
    _, up = ConvNet((1, 1), from_pca=False).build(layout_of((32, 32), False), 64)
    with torch.no_grad():
        for layer in up.layers:
            layer.weight.fill_(1.0)
            layer.bias.zero_()
        out = up(torch.full((1, 64), 10.0)).reshape(32, 32)[6:-6, 6:-6]
    assert float(out.std()) < 1e-4 * float(out.mean())


@pytest.mark.parametrize("data", [pictures(), waves()], ids=["pictures", "signals"])
def test_a_narrow_code_starts_at_pca(data):
    """Before the first step the reconstruction is scikit-learn's PCA of the rows."""
    inputs = Images() if data.dtype == np.uint8 else Signals()
    model = Autoencoder(6, architecture=ConvNet(), inputs=inputs, random_state=0)
    rows, _ = model._begin(model._open(data))
    model._start(rows)
    x = rows.x.numpy()
    pca = PCA(6).fit(x)
    with torch.no_grad():
        ours = model.network_.reconstruct(rows.x).numpy()
    assert np.abs(ours - pca.inverse_transform(pca.transform(x))).max() < 1e-3


def test_wide_pictures_go_without_the_road():
    """4 million weights each way are the limit."""
    layout = layout_of((150, 150, 3), False)
    assert ConvNet((4, 4)).build(layout, 8)[0].road is not None
    assert ConvNet((4, 4)).build(layout, 80)[0].road is None
    assert ConvNet((4, 4), from_pca=False).build(layout, 8)[0].road is None


def test_filters_beat_pca_where_things_move():
    """Two numbers place a disc; PCA needs many more."""
    model = Autoencoder(4, trainer=Trainer(max_epochs=60), random_state=0).fit(pictures(300))
    test = pictures(60, seed=1).reshape(60, -1) / 255
    pca = PCA(4).fit(pictures(300).reshape(300, -1) / 255)
    by_pca = np.square(pca.inverse_transform(pca.transform(test)) - test).sum(1).mean()
    by_model = np.square(model.reconstruct(pictures(60, seed=1)).reshape(60, -1) / 255 - test).sum(1).mean()
    assert by_model < 0.5 * by_pca


def test_filters_leave_pca_behind_on_signals():
    """Bursts at random times: training does not stay on the plateau around the start."""
    rng, t = np.random.default_rng(0), np.arange(128)
    X = np.exp(-(((t - rng.uniform(20, 108, (400, 1, 1))) / 6) ** 2)).repeat(2, 1)
    model = Autoencoder(4, trainer=Trainer(max_epochs=25), random_state=0).fit(X)
    assert model.schema_.layout.signal
    losses = [row["held_out_loss"] for row in model.history_rows_]
    assert min(losses) < 0.5 * losses[0]


@pytest.mark.parametrize(
    ("shape", "signal", "filters"),
    [
        ((), False, False),
        ((28, 28), False, True),
        ((16, 40, 3), False, True),
        ((8, 8), False, False),
        ((15, 400), False, False),
        ((2, 64), True, True),
        ((2, 63), True, False),
        ((4, 4, 4, 4), False, False),
    ],
)
def test_suited_takes_filters_for_data_with_a_shape_and_extent(shape, signal, filters):
    """Dense layers for everything else."""
    layout = Layout.numeric(int(np.prod(shape)), shape, signal=signal)
    assert Suited().chosen(layout) == (ConvNet() if filters else MLP())


def test_suited_answers_to_the_names_of_both():
    """set_params reaches the dense layers and the filters; the repr shows only what was changed."""
    model = Autoencoder(8).set_params(architecture__conv__channels=(4, 4), architecture__dense__hidden=(9,))
    assert model.architecture == Suited(MLP((9,)), ConvNet((4, 4)))
    assert repr(Autoencoder(8)) == "Autoencoder(n_components=8)"


def test_without_a_narrow_code_there_is_no_dense_layer():
    """n_components=None: 64 numbers for every 4 x 4 pixels; refused without a corruption."""
    X = pictures(60)
    model = Autoencoder(
        None, corruption=GaussianNoise(0.2), trainer=Trainer(max_epochs=3), random_state=0
    ).fit(X)
    assert model.n_components_ == 64 * 5 * 5
    assert not any(isinstance(module, torch.nn.Linear) for module in model.network_.modules())
    assert model.reconstruct(X).shape == X.shape
    assert model.history_rows_[-1]["held_out_loss"] < 0.7 * model.history_rows_[0]["held_out_loss"]
    with pytest.raises(DataError, match="copying"):
        Autoencoder(None).fit(X)


@pytest.mark.parametrize("k", [5, None])
@pytest.mark.parametrize("data", [pictures(40), waves(40)], ids=["pictures", "signals"])
def test_saved_filters_answer_the_same(k, data, tmp_path):
    """Codes and reconstructions, to the bit."""
    model = Autoencoder(k, corruption=GaussianNoise(0.1), trainer=Trainer(max_epochs=2), random_state=0).fit(
        data
    )
    save(model, tmp_path / "m.isthmus")
    same = load(tmp_path / "m.isthmus")
    assert (same.transform(data) == model.transform(data)).all()
    assert (same.reconstruct(data) == model.reconstruct(data)).all()
    assert repr(same.schema_) == repr(model.schema_)


def test_exact_contraction_of_filters_is_the_squared_norm_of_their_jacobian():
    """The fallback of automatic differentiation, against torch's own Jacobian."""
    X = pictures(12, 16)
    model = Autoencoder(
        3, architecture=ConvNet((4, 4), activation=Tanh()), trainer=Trainer(max_epochs=2), random_state=0
    )
    network = model.fit(X).network_
    x = torch.from_numpy(model.schema_.encode(X).x)
    trace = network.trace(x, x, model.schema_.layout, torch.Generator().manual_seed(0))
    ours = network.squared_jacobian(trace, "encoder", exact=True).detach()
    for row in range(3):
        jacobian = torch.autograd.functional.jacobian(network.encode, x[row : row + 1])
        assert float(ours[row]) == pytest.approx(float(jacobian.square().sum()), rel=1e-4)


def test_a_jacobian_penalty_trains_filters():
    """A heavy one makes the reconstruction move less."""
    X = pictures(80)
    trainer = Trainer(max_epochs=15)
    norms = []
    for penalty in (None, 0.3 * Contraction()):
        model = Autoencoder(4, penalty=penalty, trainer=trainer, random_state=0).fit(X)
        x = torch.from_numpy(model.schema_.encode(X).x)
        jacobian = torch.autograd.functional.jacobian(model.network_.reconstruct, x[:1])
        norms.append(float(jacobian.square().sum()))
    assert norms[1] < 0.7 * norms[0]


def test_sparse_codes_go_with_filters():
    """At most k numbers on."""
    model = Autoencoder(32, code=TopK(4), trainer=Trainer(max_epochs=4), random_state=0).fit(pictures())
    assert (model.transform(pictures()) != 0).sum(1).max() <= 4


def test_a_block_of_a_signal_is_a_span_of_time_in_every_channel():
    """A quarter of the times, the same ones in both channels."""
    layout = layout_of((2, 40), True)
    out = BlockMask(0.25)(torch.ones(9, 80), layout, torch.Generator().manual_seed(0)).reshape(9, 2, 40)
    assert (out[:, 0] == out[:, 1]).all()
    assert (out[:, 0] == 0).sum(1).tolist() == [10] * 9


@pytest.mark.parametrize(
    ("architecture", "words"),
    [
        (ConvNet(()), "channels must"),
        (ConvNet((0,)), "channels must"),
        (ConvNet(kernel=3, stride=2), "kernel must"),
        (ConvNet(kernel=6, stride=3), "kernel must"),
    ],
)
def test_filters_that_do_not_fit_are_refused(architecture, words):
    """In one sentence."""
    with pytest.raises(DataError, match=words):
        Autoencoder(3, architecture=architecture).fit(pictures(20))


def test_filters_need_a_shape():
    """A table has none."""
    with pytest.raises(DataError, match="pictures or signals"):
        Autoencoder(2, architecture=ConvNet()).fit(np.random.default_rng(0).normal(size=(20, 5)))
