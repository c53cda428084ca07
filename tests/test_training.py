"""Training: the plan, stopping, overflow, Ctrl-C, the optimiser."""

from __future__ import annotations

import io
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from isthmus import MLP, Autoencoder, Corruption, DataError, Penalty, Table, Trainer, TrainingError, Unscaled
from isthmus.training.adam import Adam
from isthmus.training.plan import make_plan
from isthmus.training.progress import ProgressBar
from isthmus.training.threads import suitable_threads

PLAIN = Table(scaling=Unscaled())


@pytest.mark.parametrize("fused", [True, False])
def test_adam_takes_torchs_steps(fused, monkeypatch):
    """Fifty steps of two models, at rates that change and differ, against torch.optim.Adam; fused and not."""
    kernel, calls = torch._fused_adam_, []
    counted = lambda *args, **options: (kernel(*args, **options), calls.append(1))  # noqa: E731
    monkeypatch.setattr(torch, "_fused_adam_", counted if fused else None)
    torch.manual_seed(0)
    ours = torch.randn(2, 5)
    theirs = [row.clone().requires_grad_() for row in ours]
    adam = Adam(ours, torch.zeros_like(ours))
    references = [torch.optim.Adam([row], lr=1.0) for row in theirs]
    for step in range(50):
        rates = [0.1 / (1 + step), 0.1 / (1 + (step if step % 2 else 2 * step))]
        adam.grads.copy_((ours - 1) ** 3 + 0.1 * step)
        adam.step(rates)
        for lr, row, reference in zip(rates, theirs, references, strict=True):
            row.grad = (row.detach() - 1) ** 3 + 0.1 * step
            reference.param_groups[0]["lr"] = lr
            reference.step()
    assert bool(calls) == fused  # torch's kernel is still called as it wants to be
    assert torch.allclose(ours, torch.stack(theirs), atol=1e-6)


@pytest.mark.parametrize("rows", [1, 7, 200, 2_000, 50_000, 2_000_000])
def test_plan_suits_any_number_of_rows(rows):
    """Batches no larger than the data, thousands of steps but not millions, a rate that rises, falls and
    stays positive.
    """
    plan = make_plan(rows, None, None, None, None)
    assert 1 <= plan.batch_size <= min(rows, 1024)
    assert 300 <= plan.steps <= 10_000
    rates = [plan.rate(step) for step in range(plan.steps)]
    assert min(rates) > 0
    assert max(rates) == pytest.approx(plan.lr)
    assert rates[0] < plan.lr > rates[-1]


def test_settings_given_are_kept():
    """What is not None is taken as it is."""
    plan = make_plan(1000, 100, 7, 0.5, 3)
    assert (plan.batch_size, plan.epochs, plan.lr, plan.patience) == (100, 7, 0.5, 3)


def test_best_weights_on_held_out_rows_are_restored(digits):
    """The model's held-out loss is the least in its history, not the last."""
    model = Autoencoder(16, architecture=MLP((256,)), trainer=Trainer(lr=5e-3), random_state=0).fit(
        digits[0][:150]
    )
    history = model.history_
    held_out = digits[0][:150][model.held_out_]
    loss = -model.score(held_out) * 64
    assert loss == pytest.approx(history["held_out_loss"].min(), rel=1e-5)
    assert history["held_out_loss"].iloc[-1] > history["held_out_loss"].min()


def test_early_stopping_ends_before_the_plan_on_noise():
    """Pure noise: nothing to gain, so it does not run all epochs."""
    X = np.random.default_rng(0).normal(size=(500, 10))
    model = Autoencoder(3, random_state=0).fit(X)
    assert model.history_rows_[-1]["epoch"] < make_plan(450, None, None, None, None).epochs


class InterruptAfter(Corruption):
    """Presses Ctrl-C after so many batches."""

    batches: int = 30

    def __call__(self, x, layout, generator):
        if torch.is_grad_enabled():
            count = COUNTER["batches"] = COUNTER["batches"] + 1
            if count > self.batches:
                raise KeyboardInterrupt
        return x


COUNTER = {"batches": 0}


def test_interrupting_keeps_the_best_so_far(digits):
    """Ctrl-C in the middle: fit returns, the model works and is better than its start, a note says so."""
    COUNTER["batches"] = 0
    model = Autoencoder(8, inputs=PLAIN, corruption=InterruptAfter(200), random_state=0).fit(digits[0])
    assert any("Interrupted" in note for note in model.notes_)
    history = model.history_
    assert history["held_out_loss"].min() < history["held_out_loss"].iloc[0]
    held_out = digits[0][model.held_out_]
    assert -model.score(held_out) * 64 == pytest.approx(history["held_out_loss"].min(), rel=1e-5)


def test_interrupting_before_the_first_look_keeps_what_was_learned(digits):
    """A round may take minutes: what its steps brought is looked at once more, as a line of history."""
    COUNTER["batches"] = 0
    made = Autoencoder(8, inputs=PLAIN, corruption=InterruptAfter(20), random_state=0)
    model = made.set_params(trainer__batch_size=32).fit(digits[0])
    history, trained = model.history_, len(digits[0]) - len(model.held_out_)
    assert len(history) == 2
    assert 0 < model.kept_epoch_ == history["epoch"].iloc[1] == 20 / -(-trained // 32) < 1
    assert history["held_out_loss"].iloc[1] < history["held_out_loss"].iloc[0]
    held_out = digits[0][model.held_out_]
    assert -model.score(held_out) * 64 == pytest.approx(history["held_out_loss"].iloc[1], rel=1e-5)


class Overflow(Penalty):
    """Infinite while COUNTER says so."""

    times: int = 1

    def __call__(self, trace):
        COUNTER["batches"] += torch.is_grad_enabled()
        bad = torch.is_grad_enabled() and 60 < COUNTER["batches"] <= 60 + self.times
        return trace.z.square().mean() * (torch.inf if bad else 1.0)


def test_overflow_once_rolls_back_and_slows_down(digits):
    """One infinite step: the rate falls to a tenth, training goes on, a note names the place."""
    COUNTER["batches"] = 0
    model = Autoencoder(8, penalty=Overflow(1), random_state=0, trainer=Trainer(max_epochs=20)).fit(digits[0])
    note = next(note for note in model.notes_ if "overflowed" in note)
    assert "column" in note
    assert "row" in note
    assert np.isfinite(model.transform(digits[1])).all()
    rates = model.history_["lr"]
    assert rates.iloc[-1] < 0.1 * rates.max()


def test_overflow_twice_names_column_row_and_value():
    """A cell of 1e8 among ordinary ones, at a rate that cannot work: the sentence points at it."""
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(300, 4)), columns=["a", "b", "c", "d"])
    X.loc[17, "c"] = 1e8
    COUNTER["batches"] = 0
    trainer = Trainer(held_out=0, batch_size=300)
    model = Autoencoder(2, inputs=PLAIN, penalty=Overflow(10**9), trainer=trainer, random_state=0)
    with pytest.raises(TrainingError, match=r"column 'c', row 17, value 100000000\.0"):
        model.fit(X)


def test_progress_is_silent_unless_standard_error_is_a_terminal(digits, capfd):
    """Nothing is printed in tests, scripts and pipes."""
    Autoencoder(4, trainer=Trainer(max_epochs=5), random_state=0).fit(digits[0])
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_progress_bar_shows_epoch_losses_speed_and_time_left(monkeypatch):
    """On a terminal, after the first second."""
    screen = io.StringIO()
    screen.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    bar = ProgressBar(epochs=10, rows=1000, shown=None)
    bar.started -= 2.0
    bar.update(5, [{"objective": 1.25, "held_out_objective": 1.5}])
    bar.bar.refresh()
    bar.close()
    text = screen.getvalue()
    for words in ("epoch 5/10", "loss 1.25", "held-out 1.5", "rows/s"):
        assert words in text


def test_bf16_trains_to_nearly_the_same_loss(digits):
    """Matrix products in bfloat16 cost at most 5% here."""
    full, half = (
        -Autoencoder(8, inputs=PLAIN, trainer=Trainer(max_epochs=40, bf16=bf16), random_state=0)
        .fit(digits[0])
        .score(digits[1])
        for bf16 in (False, True)
    )
    assert half <= 1.05 * full


def test_devices_that_are_not_there_are_refused(digits):
    """By name, with what there is; "cpu" and "auto" always work."""
    for name in ("cuda:7", "nonsense", "meta"):
        with pytest.raises(DataError, match="device must be 'auto' or one of cpu"):
            Autoencoder(4, trainer=Trainer(device=name)).fit(digits[0])
    auto, cpu = (
        Autoencoder(4, trainer=Trainer(max_epochs=2, device=name), random_state=0).fit(digits[0])
        for name in ("auto", "cpu")
    )
    assert torch.cuda.is_available() or (auto.transform(digits[1]) == cpu.transform(digits[1])).all()


def test_users_thread_setting_comes_back(digits):
    """Whatever the fit used."""
    before = torch.get_num_threads()
    Autoencoder(4, trainer=Trainer(max_epochs=2), random_state=0).fit(digits[0])
    assert torch.get_num_threads() == before


def test_numpys_threads_come_back_when_the_last_training_ends():
    """Trainings that overlap in several threads of Python share one setting."""

    def threads():
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    with threadpool_limits(2, "blas"):
        before = threads()
        first, second = suitable_threads(0), suitable_threads(0)
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert threads() == {1}
        second.__exit__(None, None, None)
        assert threads() == before != {1}
