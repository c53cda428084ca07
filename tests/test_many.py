"""fit_many: side by side, each model ends where it would have ended alone."""

from __future__ import annotations

import dataclasses
import threading

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits

from isthmus import (
    L1,
    MLP,
    Autoencoder,
    BatchTopK,
    Contraction,
    DataError,
    GaussianNoise,
    KLSparsity,
    Linear,
    MaskingNoise,
    SigmoidCode,
    TopK,
    Trainer,
    fit_many,
    many,
)
from isthmus.training import loop

rng = np.random.default_rng(0)
X = np.tanh(rng.normal(size=(400, 3)) @ rng.normal(size=(3, 8))) + 0.05 * rng.normal(size=(400, 8))
SHORT = Trainer(max_epochs=12, batch_size=32)
SMALL = MLP((16, 8))

FAMILIES = {
    "seeds": [{"random_state": seed} for seed in range(4)],
    "noise levels": [{"corruption": GaussianNoise(s)} for s in (0.1, 0.3, 0.6)],
    "kinds of noise": [{"corruption": noise} for noise in (None, MaskingNoise(0.2), GaussianNoise(0.2))],
    "a path of lambda": [{"penalty": w * L1()} for w in (1e-3, 1e-2, 0.1, 1.0)],
    "sigmoid codes": [
        {"code": SigmoidCode(), "penalty": w * KLSparsity() + 1e-3 * L1()} for w in (0.01, 0.1)
    ],
    "sparse codes": [{"code": TopK(2), "n_components": 6, "random_state": seed} for seed in range(3)],
    "codes with a memory": [
        {"code": BatchTopK(2), "n_components": 6, "random_state": seed} for seed in range(2)
    ],
}


def models(family, **options):
    """Unfitted models of a family."""
    base = {"n_components": 3, "architecture": SMALL, "trainer": SHORT, "random_state": 0}
    return [Autoencoder(**{**base, **options, **member}) for member in family]


@pytest.fixture
def runs(monkeypatch):
    """How many members each run of the trainer had."""
    seen = []
    real = loop.Run.__init__

    def counting(self, members, *arguments, **keywords):
        seen.append(len(members))
        real(self, members, *arguments, **keywords)

    monkeypatch.setattr(loop.Run, "__init__", counting)
    return seen


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_together_as_apart(family, runs):
    """Codes, history and stopping equal those of separate fits to 1e-5; and it was one run an engine."""
    together = fit_many(models(family), X)
    engines = {type(model._network) for model in together}  # numpy trains what has no noise, torch the rest
    assert sum(runs) == len(family)
    assert len(runs) == len(engines)
    for one, alone in zip(together, models(family), strict=True):
        alone.fit(X)
        assert np.allclose(one.reconstruct(X), alone.reconstruct(X), atol=1e-5)
        assert np.allclose(one.transform(X), alone.transform(X), atol=1e-4)
        assert len(one.history_rows_) == len(alone.history_rows_)
        for line, line_ in zip(one.history_rows_, alone.history_rows_, strict=True):
            assert line["held_out_objective"] == pytest.approx(line_["held_out_objective"], rel=1e-5)
        assert one.notes_ == alone.notes_
        assert (one.held_out_ == alone.held_out_).all()


def test_each_stops_on_its_own_rows():
    """Different ends, the early ones leave the program; every one has its own best weights."""
    family = [{"corruption": GaussianNoise(s)} for s in (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)]
    trainer = Trainer(max_epochs=200, batch_size=32, patience=4)
    together = fit_many(models(family, trainer=trainer), X)
    ends = [model.history_rows_[-1]["epoch"] for model in together]
    assert len(set(ends)) > 2
    for one, alone in zip(together, models(family, trainer=trainer), strict=True):
        alone.fit(X)
        assert one.history_rows_[-1]["epoch"] == alone.history_rows_[-1]["epoch"]
        assert np.allclose(one.reconstruct(X), alone.reconstruct(X), atol=1e-4)


def test_folds_of_one_length_train_together(runs):
    """A list of data, one per model: each sees its own rows only."""
    folds = [np.delete(X, slice(100 * i, 100 * (i + 1)), axis=0) for i in range(4)]
    together = fit_many(models([{}] * 4), folds)
    assert runs == [4]
    for one, fold, alone in zip(together, folds, models([{}] * 4), strict=True):
        assert np.allclose(one.reconstruct(X), alone.fit(fold).reconstruct(X), atol=1e-5)
        assert one.fingerprint_ == alone.fingerprint_


@pytest.mark.parametrize("architecture", [SMALL, MLP((16, 8), tied=True), MLP((16, 8), from_pca=False)])
def test_sizes_of_the_code_train_together_as_each_would_alone(architecture, runs):
    """The numbers beyond a code's own are zero on both sides and stay so; the fitted model has none."""
    sizes = [{"n_components": k, "random_state": k} for k in (1, 3, 5)]
    together = fit_many(models(sizes, architecture=architecture), X)
    assert runs == [3]
    for one, alone in zip(together, models(sizes, architecture=architecture), strict=True):
        alone.fit(X)
        assert one.transform(X).shape == (400, one.n_components)
        assert np.allclose(one.reconstruct(X), alone.reconstruct(X), atol=1e-3)
        assert one.continue_fit(X).n_components_ == one.n_components


def test_numbers_at_zero_on_both_sides_are_never_learned():
    """To the bit, after training in a wider network."""
    from isthmus.nesting import widened

    model = models([{}])[0]
    member = model._prepared(X)
    member.network = wide = widened(model, 7)
    before = wide.reconstruct(member.train.x)
    assert np.allclose(before.detach(), model.network_.reconstruct(member.train.x).detach(), atol=1e-6)
    model.trainer([member])
    chains = [(wide.encoder.last.weight, 3), (wide.encoder.road.weight, 3), (wide.encoder.last.bias, 3)]
    chains += [(wide.decoder.first.weight.T, 3), (wide.decoder.road.weight.T, 3)]
    assert all((weight[k:] == 0).all() and (weight[:k] != 0).any() for weight, k in chains)


def test_what_is_not_alike_trains_apart(runs):
    """Other shapes, penalties without a closed form, closed-form models, large networks."""
    mixed = [
        *models([{}, {"architecture": MLP((7,))}, {"penalty": 1e-3 * Contraction()}]),
        *models([{}], random_state=5),
        Autoencoder(3, architecture=Linear()),
        *models([{"n_components": k, "code": SigmoidCode()} for k in (2, 3)]),
    ]
    fitted = fit_many(mixed, X)
    assert sorted(runs) == [1, 1, 1, 1, 2]
    assert [model.transform(X).shape[1] for model in fitted] == [3, 3, 3, 3, 3, 2, 3]
    assert fitted == mixed
    runs.clear()
    wide = load_digits().data[:200]
    fit_many(
        models([{"random_state": s} for s in range(2)], architecture=MLP((512, 256)), n_components=8), wide
    )
    assert runs == [1, 1]


def test_mixed_tables_with_gaps_train_together(runs):
    """DataFrames with categories and missing cells."""
    frame = pd.DataFrame(X[:, :3], columns=["a", "b", "c"])
    frame["kind"] = np.where(X[:, 3] > 0, "yes", "no")
    frame.loc[::7, "b"] = np.nan
    together = fit_many(models([{"random_state": s} for s in range(3)]), frame)
    assert runs == [3]
    alone = models([{"random_state": 1}])[0].fit(frame)
    assert np.allclose(together[1].transform(frame), alone.transform(frame), atol=1e-4)


def test_what_cannot_be_is_refused():
    """Numbers that differ, and things that are no autoencoders."""
    with pytest.raises(DataError, match="a list of 2"):
        fit_many(models([{}, {}]), [X])
    with pytest.raises(DataError, match="be autoencoders"):
        fit_many([X], X)
    with pytest.raises(DataError, match="be a list of autoencoders; got Autoencoder"):
        fit_many(Autoencoder(4), X)
    assert fit_many([], X) == []


def test_settings_are_checked_as_by_fit(digits):
    """A number of epochs that makes no sense is refused, not replaced."""
    model = Autoencoder(4, trainer=Trainer(max_epochs=0))
    with pytest.raises(DataError, match="max_epochs must be a whole number of at least 1"):
        fit_many([model], digits[0])


# ---------------------------------------------------------------- several programs at a time

SEEDS = [{"random_state": seed} for seed in range(6)]


@pytest.fixture
def two_threads(monkeypatch):
    """As on a machine with two cores, for programs of any size."""
    monkeypatch.setattr(many, "threads", lambda: 2)
    monkeypatch.setattr(many, "ROWS_A_THREAD", 1)


def test_two_threads_end_with_the_bits_of_one(runs, two_threads):
    """Half of the models on each; the history as well, with more held-out rows than a look takes at once."""
    rows = np.concatenate([X + shift for shift in range(6)])
    together = fit_many(models(SEEDS), rows)
    assert runs == [3, 3]
    for one, alone in zip(together, models(SEEDS), strict=True):
        assert (one._network.weights == alone.fit(rows)._network.weights).all()
        assert one.notes_ == alone.notes_
        assert without_clock(one) == without_clock(alone)


def without_clock(model):
    """The history without seconds."""
    return [
        {name: value for name, value in line.items() if name != "seconds"} for line in model.history_rows_
    ]


def test_one_bar_is_drawn_for_all_threads(two_threads, monkeypatch):
    """That of the calling thread: two would fight for the line."""
    asked = []
    monkeypatch.setattr(loop.Run, "go", lambda run, shown: asked.append((threading.get_ident(), shown)))
    monkeypatch.setattr(Autoencoder, "_trained", lambda *_: None)
    fit_many(models(SEEDS, trainer=SHORT.with_params(progress=True)), X)
    here = threading.get_ident()
    assert sorted(shown for _, shown in asked) == [False, True]
    assert all(shown == (thread == here) for thread, shown in asked)


def endless():
    """Models that would train for hours."""
    return models(SEEDS, trainer=Trainer(max_epochs=10**6, batch_size=32, patience=10**6, progress=False))


@pytest.fixture
def two_at_work(two_threads, monkeypatch):
    """The calling thread begins once the other one trains."""
    begun, here, real = threading.Event(), threading.get_ident(), loop.Run.round

    def waiting(run, *arguments):
        if threading.get_ident() == here:
            assert begun.wait(timeout=60)
        else:
            begun.set()
        return real(run, *arguments)

    monkeypatch.setattr(loop.Run, "round", waiting)


def test_ctrl_c_ends_the_training_of_every_thread(two_at_work, monkeypatch):
    """The thread that hears it tells the other; what was learned stays, and programs to come stay out."""
    monkeypatch.setattr(many, "_together", lambda *_: 1)
    here, real = threading.get_ident(), loop.Run.round

    def heard(run, *arguments):
        if threading.get_ident() == here and run.step_number > 100:
            raise KeyboardInterrupt
        return real(run, *arguments)

    monkeypatch.setattr(loop.Run, "round", heard)
    fitted = fit_many(endless(), X)
    last = [model.notes_[-1].partition(" in epoch")[0] for model in fitted]
    assert last == ["Interrupted"] * 2 + ["Interrupted before its turn: not trained."] * 4
    assert all(model.transform(X).shape == (400, 3) for model in fitted)


def test_ctrl_c_while_the_other_threads_are_waited_for(two_at_work, monkeypatch):
    """The same."""
    here, real = threading.get_ident(), loop.Run.go

    def short(run, shown):
        if threading.get_ident() == here:
            run.plan = dataclasses.replace(run.plan, epochs=1)
        real(run, shown)

    def interrupted(others, timeout):
        raise KeyboardInterrupt

    monkeypatch.setattr(loop.Run, "go", short)
    monkeypatch.setattr(many, "wait", interrupted)
    fitted = fit_many(endless(), X)
    ended = [model.notes_[-1].startswith("Interrupted in epoch") for model in fitted]
    assert ended == [False] * 3 + [True] * 3


@pytest.mark.parametrize("place", ["calling", "other"])
def test_an_error_in_one_thread_ends_the_other_and_reaches_the_caller(place, two_threads, monkeypatch):
    """Neither would end by itself, and no thread is left behind."""
    here, real, before = threading.get_ident(), loop.Run.go, threading.active_count()

    def breaking(run, shown):
        if (threading.get_ident() == here) == (place == "calling"):
            raise DataError("broken")
        real(run, shown)

    monkeypatch.setattr(loop.Run, "go", breaking)
    with pytest.raises(DataError, match="broken"):
        fit_many(endless(), X)
    assert threading.active_count() == before


def test_the_users_threads_are_as_many_afterwards(two_threads):
    """Whoever comes first takes the limit of numpy's products, and lifts it: the calling thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for _ in range(5):
            fit_many(models(SEEDS), X)
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
