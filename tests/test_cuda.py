"""On a CUDA device, where there is one: every kind of training ends as it does on the processor."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from isthmus import (
    L1,
    AnomalyDetector,
    Autoencoder,
    BlockMask,
    ConvNet,
    Denoiser,
    GaussianNoise,
    Imputer,
    KLSparsity,
    Trainer,
    contractive_autoencoder,
    fit_many,
    k_sparse_autoencoder,
    kl_sparse_autoencoder,
    load,
    nested_autoencoder,
    open_source,
    save,
    sparse_autoencoder,
)
from isthmus.inputs import Images
from isthmus.training import replayed, stream
from isthmus.training.loop import Run
from isthmus.training.replayed import ReplayedStep

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

KINDS = {
    "undercomplete": lambda **o: Autoencoder(8, **o),
    "sparse": lambda **o: sparse_autoencoder(32, **o),
    "KL": lambda **o: kl_sparse_autoencoder(32, **o),
    "k-sparse": lambda **o: k_sparse_autoencoder(32, 4, **{"trainer": o.pop("trainer"), **o}),
    "contractive": lambda **o: contractive_autoencoder(16, **o),
    "nested": lambda **o: nested_autoencoder(8, **o),
    "denoising": lambda **o: Autoencoder(16, corruption=GaussianNoise(0.3), **o),
    "masking": lambda **o: Autoencoder(16, corruption=BlockMask(0.3), **o),
    "goal": lambda **o: sparse_autoencoder(32, penalty=L1(target_active=0.1), **o),
    "rho": lambda **o: kl_sparse_autoencoder(32, penalty=KLSparsity(0.05, weight=1.0), **o),
}


def trainer(device: str = "cuda", **options):
    """A short training."""
    return Trainer(**{"max_epochs": 20, "device": device, "progress": False, **options})


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_end_as_on_the_processor(digits, kind):
    """Their scores on new rows differ by 5% at most: draws of noise and roundings are another device's."""
    train, test = digits
    there, here = (
        KINDS[kind](trainer=trainer(device), random_state=0).fit(train) for device in ("cuda", "cpu")
    )
    assert there.network_.memory.is_cuda
    assert there.score(test) == pytest.approx(here.score(test), rel=0.05)
    assert there.transform(test).shape == here.transform(test).shape


def test_without_noise_the_weights_are_the_processors(digits):
    """One epoch of the plain kind: rebuilt pixels agree to float32's roundings and what they grow to."""
    there, here = (
        Autoencoder(8, trainer=trainer(device, max_epochs=1), random_state=0).fit(digits[0])
        for device in ("cuda", "cpu")
    )
    apart = there.reconstruct(digits[1]) - here.reconstruct(digits[1])
    assert np.sqrt((apart**2).mean()) < 0.01 * digits[1].std()


def mixed(rows: int = 1000) -> pd.DataFrame:
    """Numbers, levels, yes/no and gaps."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=rows)
    levels = np.array(["x", "y", "z"])[np.digitize(a + rng.normal(size=rows), (-0.5, 0.5))]
    columns = {"a": a, "b": 2 * a + rng.normal(size=rows), "level": levels, "yes": a > 0}
    return pd.DataFrame(columns).mask(rng.random((rows, 4)) < 0.1)


@pytest.mark.parametrize("options", [{}, {"corruption": GaussianNoise(0.3)}, {"penalty": 0.1 * L1()}])
@pytest.mark.parametrize("bf16", [False, True])
def test_a_recorded_step_is_the_step(digits, monkeypatch, options, bf16):
    """Launched as one graph or kernel by kernel: the same weights, of numbers and of mixed tables."""
    recorded, own = [], ReplayedStep._recorded
    monkeypatch.setattr(ReplayedStep, "_recorded", lambda *a: recorded.append(a[1]) or own(*a))
    for X in (digits[0], mixed()):
        before, flat = len(recorded), []
        for after in (20, 10**9):
            monkeypatch.setattr(replayed, "RECORDED_AFTER", after)
            model = Autoencoder(4, trainer=trainer(bf16=bf16, max_epochs=10), random_state=0, **options)
            flat.append(torch.cat([p.flatten() for p in model.fit(X).network_.parameters()]))
        assert len(recorded) > before
        assert torch.equal(*flat)


def test_a_killed_training_on_the_device_goes_on(digits, monkeypatch, tmp_path):
    """Ctrl-C after some epochs, then the same call: the weights of a training that was never stopped."""
    whole = Autoencoder(8, trainer=trainer(max_epochs=10), random_state=0).fit(digits[0])
    path = str(tmp_path / "state")
    looks, look = [], Run.look

    def stop(self, terms):
        looks.append(look(self, terms))
        if len(looks) == 4:
            raise RuntimeError("stopped")

    stopped = Autoencoder(8, trainer=trainer(max_epochs=10, checkpoint=path), random_state=0)
    with monkeypatch.context() as patch:
        patch.setattr(Run, "look", stop)
        with pytest.raises(RuntimeError):
            stopped.fit(digits[0])
    again = Autoencoder(8, trainer=trainer(max_epochs=10, checkpoint=path), random_state=0).fit(digits[0])
    assert (whole.transform(digits[1]) == again.transform(digits[1])).all()


def test_bf16_on_the_device(digits):
    """Costs at most 5%."""
    full, half = (
        Autoencoder(8, trainer=trainer(bf16=bf16, max_epochs=40), random_state=0).fit(digits[0])
        for bf16 in (False, True)
    )
    assert -half.score(digits[1]) <= 1.05 * -full.score(digits[1])


def test_pictures_on_the_device(digits):
    """Convolutions in float32 and bf16."""
    X = digits[0].reshape(-1, 8, 8)
    for bf16 in (False, True):
        model = Autoencoder(
            8,
            inputs=Images(),
            architecture=ConvNet(),
            trainer=trainer(bf16=bf16, max_epochs=2),
            random_state=0,
        ).fit(X)
        assert np.isfinite(model.reconstruct(X[:5])).all()


def test_saved_from_the_device_and_loaded_on_the_processor(digits, tmp_path):
    """The same codes."""
    model = Autoencoder(8, trainer=trainer(), random_state=0).fit(digits[0])
    save(model, tmp_path / "m.isthmus")
    again = load(tmp_path / "m.isthmus")
    assert np.abs(again.transform(digits[1]) - model.transform(digits[1])).max() < 1e-4


def test_a_checkpoint_of_the_device_goes_on(digits, tmp_path):
    """A second fit from the finished state returns what the first did."""
    options = {"trainer": trainer(checkpoint=str(tmp_path / "state")), "random_state": 0}
    first = Autoencoder(8, corruption=GaussianNoise(0.1), **options).fit(digits[0])
    second = Autoencoder(8, corruption=GaussianNoise(0.1), **options).fit(digits[0])
    assert (first.transform(digits[1]) == second.transform(digits[1])).all()


def test_many_on_the_device(digits):
    """Trained side by side as one by one."""
    fresh = [Autoencoder(8, trainer=trainer(max_epochs=2), random_state=s) for s in range(3)]
    many = fit_many(fresh, digits[0])
    alone = Autoencoder(8, trainer=trainer(max_epochs=2), random_state=1).fit(digits[0])
    assert np.abs(many[1].transform(digits[1]) - alone.transform(digits[1])).max() < 1e-2


def test_a_file_streams_to_the_device(digits, monkeypatch, tmp_path):
    """Larger than memory."""
    monkeypatch.setattr(stream, "MEMORY", 1000)
    np.save(tmp_path / "X.npy", digits[0].astype("float32"))
    model = Autoencoder(8, trainer=trainer(max_epochs=3), random_state=0)
    model.fit(open_source(str(tmp_path / "X.npy")))
    assert model.network_.memory.is_cuda
    assert np.isfinite(model.score(digits[1]))


def test_the_uses_on_the_device(digits):
    """Gaps are filled, noise is lowered, outliers are found, with trainers that ask for the device."""
    train, test = digits[0][:, 8:24], digits[1][:, 8:24]
    table = pd.DataFrame(train).mask(np.random.default_rng(0).random(train.shape) < 0.2)
    imputer = Imputer(Autoencoder(8, trainer=trainer(max_epochs=30)), random_state=0).fit(table)
    assert not imputer.transform(table).isna().any().any()
    denoiser = Denoiser(trainer=trainer(), random_state=0).fit(train)
    assert np.isfinite(denoiser.denoise(test)).all()
    model = Autoencoder(4, trainer=trainer(), random_state=0)
    detector = AnomalyDetector(model, random_state=0).fit(train)
    assert detector.p_values(np.vstack([test, 5 + test[:1]]))[-1] < 0.05
