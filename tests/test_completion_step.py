"""The step of `Completing` is the objective's gradient; its passes; models side by side; averaged weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isthmus import Autoencoder, Completing, DataError, Deviance, Trainer, VaryingMask, fit_many
from isthmus.gaussian import Gaussian
from isthmus.imputation import default_model
from isthmus.networks import Network
from isthmus.objective import Objective
from isthmus.parts import Cell, Layout
from isthmus.training import checkpoint, completion, loop
from isthmus.training.average import Average
from isthmus.training.completion import CompletionStep, Passes, completes
from isthmus.training.differentiated import DifferentiatedStep
from isthmus.training.flat import Flat
from isthmus.training.member import Member
from isthmus.training.rows import Rows

MIXED = Layout(
    (
        Cell("a", "numeric", 0, 1),
        Cell("b", "binary", 1, 2),
        Cell("c", "categorical", 2, 5),
        Cell("d", "categorical", 5, 7),
        Cell("e", "numeric", 7, 8),
    )
)


def rows(layout: Layout, n: int = 40, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Encoded rows (n, d) with gaps at 0, and what is observed (n, cells)."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, layout.width))
    for cell in layout.cells:
        if cell.kind == "binary":
            x[:, cell.start] = np.where(x[:, cell.start] > 0, 1, -1)
        elif cell.kind == "categorical":
            x[:, cell.start : cell.stop] = np.eye(cell.width)[rng.integers(cell.width, size=n)]
    observed = rng.random((n, len(layout.cells))) > 0.2
    x *= np.repeat(observed, [cell.width for cell in layout.cells], axis=1)
    return torch.from_numpy(x.astype(np.float32)), torch.from_numpy(observed)


def members(layout: Layout, models: int) -> list[Member]:
    """Members over the same rows with different random weights and different training rows."""
    x, observed = rows(layout)
    made = []
    for number in range(models):
        torch.manual_seed(number)
        part = Completing(hidden=6)
        encoder, decoder = part.build(layout, part.code_width(layout))
        for p in [*encoder.parameters(), *decoder.parameters()]:
            torch.nn.init.normal_(p, std=0.4)
        train, held_out = Rows(x, observed).split(0.25, torch.Generator().manual_seed(number))
        part.start(encoder, decoder, train.gathered().x)
        network = Network(encoder, Autoencoder().code, decoder)
        objective = Objective(layout, Deviance(), None, VaryingMask(0.2, 0.6))
        made.append(Member(network, objective, train, held_out, torch.Generator(), seed=number))
    return made


@pytest.mark.parametrize("models", [1, 3])
@pytest.mark.parametrize("layout", [Layout.numeric(5), MIXED], ids=["numbers", "mixed"])
def test_written_gradients_are_those_of_autograd(layout, models):
    """The same rows with the same gaps, by the written step and by torch."""
    some = members(layout, models)
    assert completes(some)
    flat = Flat([member.network for member in some])
    found = []
    for kind in (CompletionStep, DifferentiatedStep):
        for number, member in enumerate(some):
            member.generator.manual_seed(number)
        batches = [member.train.gathered() for member in some]
        terms = kind(some, flat, bf16=False)(batches)
        found.append((terms, flat.grads.clone()))
    (terms, grads), (terms_, grads_) = found
    assert set(terms) == set(terms_)
    assert torch.allclose(terms["objective"], terms_["objective"], rtol=1e-4)
    assert (grads - grads_).abs().max() <= 1e-4 * grads_.abs().max()


def test_a_pass_shows_the_fill_of_rows_with_cells_hidden_and_differs_from_the_next():
    """`seen` is (fill, gaps): what is shown is as it is, gaps are the Gaussian's answer."""
    (member,) = members(Layout.numeric(5), 1)
    passes = Passes(member)
    first, second = (passes(epoch).gathered() for epoch in (0, 1))
    fill, gaps = first.x_tilde.split(5, 1)
    shown = gaps == 0
    assert torch.equal(fill[shown], first.x[shown])
    missing = first.x == 0
    assert bool(gaps[missing].all())
    assert 0.2 < float(gaps[~missing].mean()) < 0.6
    gaussian = Gaussian.of(first.x.numpy(), first.x.numpy() != 0)
    expected = gaussian.conditional(np.where(shown, first.x, 0.0), shown.numpy())[0]
    np.testing.assert_allclose(fill.numpy(), expected, atol=2e-2)
    assert not torch.equal(first.x_tilde, second.x_tilde)
    assert passes(0) is passes(completion.VERSIONS[1])


def test_passes_that_would_take_too_much_memory_are_made_anew_each_time(monkeypatch):
    """None is kept then, and each epoch has noise of its own; asked for again, a pass is the same."""
    monkeypatch.setattr(completion, "NUMBERS", 10)
    (member,) = members(Layout.numeric(5), 1)
    passes = Passes(member)
    first, later = passes(0).gathered(), passes(completion.VERSIONS[1]).gathered()
    assert not torch.equal(first.x_tilde, later.x_tilde)
    assert len(passes.kept) == 1
    assert torch.equal(passes(0).gathered().x_tilde, first.x_tilde)


def test_imputing_models_train_together_and_end_where_they_would_alone(monkeypatch):
    """Folds of one table: one run, and fills as close as rounding leaves them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3)) @ rng.normal(size=(3, 5)) + 0.1 * rng.normal(size=(120, 5))
    X[rng.random(X.shape) < 0.2] = np.nan
    runs = []
    real = loop.Run.__init__
    monkeypatch.setattr(
        loop.Run,
        "__init__",
        lambda self, members, *a, **k: (runs.append(len(members)), real(self, members, *a, **k))[1],
    )

    def models():
        base = default_model(len(X), 0.2, 4, 5).set_params(trainer__max_epochs=40)
        return [base.__class__(**{**base.get_params(deep=False), "random_state": seed}) for seed in range(4)]

    together = fit_many(models(), X)
    assert runs == [4]
    alone = [model.fit(X) for model in models()]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.reconstruct(X), other.reconstruct(X), atol=2e-2)
        assert one.held_out_.tolist() == other.held_out_.tolist()


def test_the_average_is_the_running_mean_it_says_and_gives_the_weights_back():
    """By hand: d = min(decay, t / (t + 10))."""
    weights = torch.zeros(2, 3)
    average, expected = Average(weights, 0.5), torch.zeros(2, 3)
    for step in range(1, 30):
        weights += torch.ones(2, 3) * step
        average.update(step)
        d = min(0.5, step / (step + 10))
        expected = d * expected + (1 - d) * weights
    moving = weights.clone()
    with average.shown():
        torch.testing.assert_close(weights, expected)
    assert torch.equal(weights, moving)
    average.restart(0)
    assert torch.equal(average.mean[0], weights[0])
    assert not torch.equal(average.mean[1], weights[1])


def test_averaged_weights_are_those_that_are_kept_and_calmer():
    """At a high rate the held-out error of the mean of weights goes up from look to look less."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 4)) @ rng.normal(size=(4, 12)) + 0.3 * rng.normal(size=(400, 12))

    def ups(averaged: float) -> float:
        trainer = Trainer(60, 32, 3e-2, held_out=0.25, patience=99, averaged=averaged)
        line = (
            Autoencoder(4, corruption=VaryingMask(0.1, 0.3), trainer=trainer, random_state=0).fit(X).history_
        )
        steps = np.diff(np.log(line["held_out_objective"].to_numpy()[10:]))
        return float(np.maximum(steps, 0).sum())

    assert ups(0.99) < 0.5 * ups(0.0)


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_a_decay_outside_its_range_is_refused(decay):
    """In [0, 1)."""
    with pytest.raises(DataError, match="averaged"):
        Autoencoder(2, trainer=Trainer(averaged=decay)).fit(np.random.default_rng(0).normal(size=(20, 4)))


def test_a_gaussian_asked_for_again_is_the_same_and_not_shared():
    """What is remembered is not changed by who changes the answer."""
    x, _ = rows(Layout.numeric(4))
    first = Gaussian.of(x.numpy(), x.numpy() != 0)
    first.covariance[:] = 0.0
    again = Gaussian.of(x.numpy(), x.numpy() != 0)
    assert again.covariance.any()
    assert not np.array_equal(again.covariance, Gaussian.of(x.numpy() * 2, x.numpy() != 0).covariance)


def test_a_stopped_training_goes_on_with_the_same_gaps_and_the_same_average(tmp_path, monkeypatch):
    """Broken off in its eighth round and called again, it ends with the bits of one that was not."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2)) @ rng.normal(size=(2, 4)) + 0.1 * rng.normal(size=(60, 4))

    def fit(name: str) -> Autoencoder:
        model = default_model(60, 0.3, 4, 4).set_params(
            trainer__checkpoint=str(tmp_path / name), random_state=0
        )
        return model.set_params(trainer__max_epochs=300).fit(X)

    monkeypatch.setattr(checkpoint, "SHARE", 0)
    whole = fit("whole")
    step = loop.Run.step

    def stopping(self: loop.Run, batches: object) -> object:
        if self.step_number == 190:
            raise RuntimeError("the power went")
        return step(self, batches)

    with monkeypatch.context() as broken:
        broken.setattr(loop.Run, "step", stopping)
        with pytest.raises(RuntimeError, match="power"):
            fit("broken")
    again = fit("broken")
    assert (whole.reconstruct(X) == again.reconstruct(X)).all()
    assert [line["epoch"] for line in whole.history_rows_] == [line["epoch"] for line in again.history_rows_]
