"""A committee: one network is the mean of several, to float32's rounding."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus import (
    MLP,
    Autoencoder,
    DataError,
    GaussianNoise,
    Trainer,
    export,
    fit_many,
    load,
    save,
    sparse_autoencoder,
    united,
)
from isthmus.denoising import SampleDenoiser

SHORT = Trainer(max_epochs=4, progress=False)
KINDS = {
    "as they come": {},
    "trained by torch": {"corruption": GaussianNoise(0.3), "architecture": MLP((20, 10))},
    "one layer": {"architecture": MLP(())},
    "without a road": {"architecture": MLP((12,), from_pca=False)},
}


@pytest.fixture(scope="module")
def gappy():
    rng = np.random.default_rng(0)
    X = np.tanh(rng.normal(size=(300, 3)) @ rng.normal(size=(3, 8)))
    X[::7, 2] = np.nan
    return X


def members(X, count: int = 3, **options):
    """Alike but for the seed."""
    settings = {"trainer": SHORT, **options}
    return fit_many([Autoencoder(3, random_state=seed, **settings) for seed in range(count)], X)


@pytest.mark.parametrize("kind", KINDS)
def test_its_reconstructions_are_the_mean_of_theirs(gappy, kind):
    some = members(gappy, **KINDS[kind])
    mean = np.mean([model.reconstruct(gappy) for model in some], axis=0)
    one = united(some)
    np.testing.assert_allclose(one.reconstruct(gappy), mean, atol=2e-6)
    codes = np.hstack([model.transform(gappy) for model in some])
    np.testing.assert_allclose(one.transform(gappy), codes, atol=2e-6)
    assert np.abs(some[0].reconstruct(gappy) - mean).max() > 1e-3  # the members differ
    assert some[0].n_components_ == 3


def test_it_is_kept_exported_and_trained_on_like_any_other(gappy, tmp_path):
    one = united(members(gappy))
    save(one, tmp_path / "one.isthmus")
    again = load(tmp_path / "one.isthmus")
    assert (again.reconstruct(gappy) == one.reconstruct(gappy)).all()
    assert again.n_components == 9
    export(one, tmp_path / "one.py")
    assert (tmp_path / "one.py").is_file()
    before = one.score(gappy)
    assert one.continue_fit(gappy).score(gappy) > before
    assert "mean of 3 networks" in " ".join(again.notes_)


def test_others_are_refused(gappy):
    some = members(gappy, 2)
    other = [
        Autoencoder(2, trainer=SHORT, random_state=0).fit(gappy),
        Autoencoder(3, trainer=SHORT, random_state=0).fit(2 * gappy),
        Autoencoder(3, architecture=MLP((5,)), trainer=SHORT, random_state=0).fit(gappy),
    ]
    for model in other:
        with pytest.raises(DataError, match="one shape"):
            united([*some, model])
    sparse = sparse_autoencoder(12, trainer=SHORT).fit(gappy)
    tied = Autoencoder(3, architecture=MLP((6,), tied=True, from_pca=False), trainer=SHORT).fit(gappy)
    for model in (sparse, tied):
        with pytest.raises(DataError, match="linear codes"):
            united([model, model])
    with pytest.raises(DataError, match="one or more"):
        united([])
    with pytest.raises(DataError, match="fitted"):
        united([Autoencoder(3)])


def test_a_denoiser_of_small_pictures_is_one(digits):
    """Four networks, whose mean is nearer to the clean pictures than the first alone."""
    images = digits[0][:500].reshape(-1, 8, 8) / 16
    noisy = images + 0.3 * np.random.default_rng(0).normal(size=images.shape)
    trainer = Trainer(max_epochs=20, batch_size=64, lr=2e-3, progress=False)
    denoiser = SampleDenoiser(noise=GaussianNoise(0.3), trainer=trainer, random_state=0)
    error = np.square(denoiser.fit(images).denoise(noisy) - images).mean()
    assert "mean of 4 networks" in " ".join(denoiser.notes_)
    assert denoiser.model_.architecture.hidden == (1024, 1024)
    seed = int(np.random.default_rng(0).integers(2**31 - 1))
    alone = Autoencoder(**{**denoiser.model_.get_params(deep=False), "random_state": seed})
    alone.set_params(architecture=MLP((256, 256)), n_components=None)
    assert error < np.square(alone.fit(images).reconstruct(noisy) - images).mean()


def test_a_denoiser_of_small_pictures_goes_on_from_checkpoints(digits, tmp_path):
    """One for each network; the end is that of a fit without them, and fitted again it is the same."""
    images = digits[0][:200].reshape(-1, 8, 8) / 16
    made = []
    for path in (None, str(tmp_path / "fit"), str(tmp_path / "fit")):
        trainer = Trainer(max_epochs=3, batch_size=64, progress=False, checkpoint=path)
        denoiser = SampleDenoiser(noise=GaussianNoise(0.3), trainer=trainer, random_state=0).fit(images)
        assert denoiser.model_.trainer.checkpoint == path
        made.append(denoiser.denoise(images))
    np.testing.assert_allclose(made[1], made[0], atol=1e-4)
    assert (made[2] == made[1]).all()


def test_networks_whose_turn_had_not_come_are_left_out(digits, monkeypatch):
    """Ctrl-C in the first program leaves the others as they began."""
    images = digits[0][:200].reshape(-1, 8, 8) / 16

    def interrupted(models, X):
        for model in fit_many(models, X)[2:]:
            model.history_rows_ = [{"epoch": 0.0}]
        return models

    monkeypatch.setattr("isthmus.denoising.samples.fit_many", interrupted)
    denoiser = SampleDenoiser(noise=GaussianNoise(0.3), trainer=SHORT, random_state=0).fit(images)
    assert denoiser.model_.architecture.hidden == (512, 512)
