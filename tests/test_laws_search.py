"""Laws of the parts that search needs: codes of bits, distortions, counts, sparse rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage, sparse
from scipy.special import rel_entr, softmax

from isthmus import (
    MLP,
    Autoencoder,
    BinaryCode,
    BitBalance,
    DataError,
    Distortion,
    MaskingNoise,
    Multinomial,
    Sparse,
    Table,
    Trainer,
    export,
    load,
    save,
)
from isthmus.parts import Layout

PIXELS = Layout.numeric(20 * 20, (20, 20), positive=True)


def drawn(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# ---------------------------------------------------------------- bits


def test_a_binary_code_is_the_sign_and_learns_through_tanh():
    """Forward -1 or 1; backward the slope of tanh, in autograd and in closed form."""
    a = torch.linspace(-2, 2, 9, dtype=torch.float64, requires_grad=True)
    z = BinaryCode()(a[None])
    assert z.detach()[0].tolist() == np.where(np.linspace(-2, 2, 9) >= 0, 1.0, -1.0).tolist()
    (slope,) = torch.autograd.grad(z.sum(), a)
    np.testing.assert_allclose(slope, 1 - np.tanh(np.linspace(-2, 2, 9)) ** 2, atol=1e-12)
    np.testing.assert_allclose(BinaryCode().slope(a.detach(), z), slope, atol=1e-12)


def test_the_noise_of_a_binary_code_ends_with_training():
    """At the start bits near the border flip as often as a Gaussian says, at the end none does."""
    from scipy.stats import norm

    a = torch.full((40_000, 1), 0.25)
    start, end = torch.tensor([0.0, 0.0]), torch.tensor([1.0, 0.0])
    flipped = (BinaryCode(0.5)(a, start, drawn()) < 0).double().mean().item()
    assert flipped == pytest.approx(norm.cdf(-0.5), abs=0.01)
    assert (BinaryCode(0.5)(a, end, drawn()) == 1).all()
    assert (BinaryCode(0.5)(a, start, None) == 1).all()


def test_bit_balance_is_zero_for_even_independent_bits_and_counts_the_rest():
    """Against a sum by hand, and its gradient against autograd, for one model and for several."""
    full = torch.tensor([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)], dtype=torch.float64)
    assert BitBalance().code_gradient(full)[0].item() == 0
    z = torch.sign(torch.randn(2, 7, 4, dtype=torch.float64, generator=drawn())).requires_grad_()
    value, grad = BitBalance().code_gradient(z)
    for k, some in enumerate(z.detach().numpy()):
        shared = some.T @ some / 7
        by_hand = (some.mean(0) ** 2).sum() / 4 + sum(
            shared[i, j] ** 2 for i in range(4) for j in range(4) if i != j
        ) / 4
        assert value[k].item() == pytest.approx(by_hand)
    (traced,) = torch.autograd.grad(value.sum(), z)
    np.testing.assert_allclose(grad.detach(), traced, atol=1e-12)
    with pytest.raises(DataError, match="made of bits"):
        Autoencoder(2, penalty=BitBalance()).fit(np.random.default_rng(0).normal(size=(50, 5)))


def test_bit_balance_evens_bits(digits):
    """Bits of rows are nearer to half and half with it."""
    train, _ = digits
    uneven = []
    for penalty in (None, 3 * BitBalance()):
        model = Autoencoder(
            12, code=BinaryCode(), penalty=penalty, random_state=0, trainer=Trainer(max_epochs=15)
        )
        z = model.fit(train).transform(train)
        shared = z.T @ z / len(z)
        uneven.append(np.abs(shared - np.diag(np.diag(shared))).mean())
    assert uneven[1] < 0.9 * uneven[0]


def test_a_binary_model_is_saved_and_exported(digits, tmp_path):
    """The same bits from its file, and from a Python file that needs numpy alone."""
    train, test = digits
    model = Autoencoder(6, code=BinaryCode(), random_state=0, trainer=Trainer(max_epochs=3)).fit(train)
    save(model, tmp_path / "b.isthmus")
    np.testing.assert_array_equal(load(tmp_path / "b.isthmus").transform(test), model.transform(test))
    export(model, tmp_path / "b.py")  # compares both before it writes


# ---------------------------------------------------------------- distortions


def test_a_distortion_of_nothing_is_nothing_and_randomness_is_passed_in():
    """All bounds 0 give the picture back; one generator, one distortion; the input is left alone."""
    x = torch.rand(5, 400, generator=drawn())
    still = Distortion(0, 0, 0, 0, 0)(x, PIXELS, drawn())
    np.testing.assert_allclose(still, x, atol=1e-5)
    before = x.clone()
    torch.manual_seed(1)
    a, b = (Distortion()(x, PIXELS, drawn(3)) for _ in range(2))
    assert torch.equal(a, b)
    assert torch.equal(x, before)
    assert not torch.equal(a, x)


def test_a_shift_moves_the_centre_by_no_more_than_its_bound_and_uses_all_of_it():
    """Centres of mass by scipy; in colour all channels move together."""
    x = torch.zeros(300, 20, 20)
    x[:, 8:12, 8:12] = 1.0
    moved = Distortion(0.1, 0, 0, 0, 0)(x.view(300, -1), PIXELS, drawn()).view(300, 20, 20).numpy()
    centres = np.array([ndimage.center_of_mass(picture) for picture in moved]) - 9.5
    assert np.abs(centres).max() <= 2.0 + 1e-3
    assert np.abs(centres).max() > 1.8
    colour = Layout.numeric(1200, (20, 20, 3), positive=True)
    shown = Distortion()(x[..., None].expand(-1, -1, -1, 3).reshape(300, -1), colour, drawn()).view(
        300, 400, 3
    )
    np.testing.assert_allclose(shown[..., 0], shown[..., 2], atol=1e-6)


def test_a_distorted_autoencoder_gives_back_the_picture_as_it_was(digits):
    """Codes of two distortions of one picture are nearer than those of two pictures."""
    pictures = np.rint(digits[0][:600] * 255).astype(np.uint8).reshape(-1, 8, 8)
    codes, far = [], []
    for corruption in (None, Distortion()):
        model = Autoencoder(
            8, architecture=MLP((64,)), corruption=corruption, random_state=0, trainer=Trainer(max_epochs=40)
        ).fit(pictures)
        x = torch.from_numpy(model.schema_.encode(pictures).x)
        a, b = (Distortion()(x, model.schema_.layout, drawn(seed)).numpy() for seed in (1, 2))
        a, b = (model.examine(part)[0] for part in (a, b))
        codes.append(np.square(a - b).sum(1).mean())
        far.append(np.square(a - b[::-1]).sum(1).mean())
    assert codes[1] / far[1] < 0.9 * codes[0] / far[0]


def test_a_distortion_is_for_pictures():
    """A table has no places to move."""
    with pytest.raises(DataError, match="must be pictures for Distortion"):
        Autoencoder(2, corruption=Distortion()).fit(np.random.default_rng(0).normal(size=(50, 5)))


# ---------------------------------------------------------------- counts


def test_multinomial_is_the_divergence_from_the_shares():
    """Total times KL(x / total, softmax(o)) by scipy; 0 where they agree; no cell is negative."""
    rng = np.random.default_rng(0)
    x, o = rng.poisson(1.0, (6, 9)).astype(float), rng.normal(size=(6, 9))
    layout = Layout.numeric(9, positive=True)
    errors = Multinomial()(torch.tensor(x), torch.tensor(o), layout).numpy()
    total = x.sum(1, keepdims=True)
    np.testing.assert_allclose(errors.sum(1), (total * rel_entr(x / total, softmax(o, 1))).sum(1), rtol=1e-9)
    assert errors.min() >= -1e-12
    exact = Multinomial()(torch.tensor(x), torch.tensor(np.log(x + 1e-300)), layout)
    assert exact.abs().max() < 1e-9


def test_multinomial_needs_what_is_not_negative():
    """A standardised table has no shares."""
    with pytest.raises(DataError, match="at least 0 for Multinomial"):
        Autoencoder(2, loss=Multinomial()).fit(np.random.default_rng(0).normal(size=(50, 5)))


# ---------------------------------------------------------------- sparse rows


def documents(rows: int = 400, words: int = 60) -> sparse.csr_array:
    """Counts of words from three topics."""
    rng = np.random.default_rng(0)
    topics = rng.dirichlet(np.full(words, 0.1), 3)
    return sparse.csr_array(np.stack([rng.multinomial(15, topics[i % 3]) for i in range(rows)]).astype(float))


def test_sparse_rows_are_learned_block_by_block(monkeypatch):
    """Nothing larger than a block is made dense, in training and in use."""
    from isthmus.inputs import sparse as ours

    monkeypatch.setattr(ours, "CELLS", 60 * 50)
    X, largest, real = documents(), [0], sparse.csr_array.toarray

    def watched(self, *arguments, **keywords):
        largest[0] = max(largest[0], self.shape[0])
        return real(self, *arguments, **keywords)

    monkeypatch.setattr(sparse.csr_array, "toarray", watched)
    model = Autoencoder(
        3, loss=Multinomial(), corruption=MaskingNoise(0.3), random_state=0, trainer=Trainer(max_epochs=8)
    ).fit(X)
    z = model.transform(X)
    assert 0 < largest[0] <= 50
    monkeypatch.undo()
    np.testing.assert_allclose(z, model.transform(X.toarray()), atol=1e-5)
    topic = np.stack([z[i::3].mean(0) for i in range(3)])
    assert (
        np.argmin(np.linalg.norm(z[:, None] - topic[None], axis=2), 1) == np.arange(400) % 3
    ).mean() > 0.95


def test_a_sparse_model_is_saved_and_its_errors_are_told(tmp_path):
    """And it refuses other widths, gaps and dense tables for `Sparse`."""
    X = documents()
    model = Autoencoder(3, random_state=0, trainer=Trainer(max_epochs=2)).fit(X)
    save(model, tmp_path / "s.isthmus")
    np.testing.assert_array_equal(load(tmp_path / "s.isthmus").transform(X), model.transform(X))
    assert model.reconstruct(X[:3]).shape == (3, 60)
    assert "sparse rows of 60 columns" in model.notes_[0]
    for bad, words in ((X[:, :5], "60 features"), (X * np.nan, "NaN"), (X * 1j, "real numbers")):
        with pytest.raises(DataError, match=words):
            model.transform(bad)
    with pytest.raises(DataError, match=r"must be a scipy\.sparse matrix"):
        Autoencoder(3, inputs=Sparse()).fit(X.toarray())
    with pytest.raises(TypeError, match="must be dense"):
        Autoencoder(3, inputs=Table()).fit(X)
