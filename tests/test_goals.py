"""Goals: a penalty given a level finds the lambda that reaches it, or says that none does."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_wine

from isthmus import (
    L1,
    MLP,
    Autoencoder,
    Contraction,
    Corruption,
    DataError,
    Dictionary,
    KLSparsity,
    Penalty,
    ReLUCode,
    SigmoidCode,
    Table,
    TopK,
    Trainer,
    Unscaled,
    fit_many,
    load,
    save,
)

PLAIN = Table(scaling=Unscaled())
SHORT = Trainer(max_epochs=80)


@pytest.fixture(scope="module")
def wine(real) -> pd.DataFrame:
    """1,500 white wines, 11 measurements and a grade."""
    return pd.read_csv(real / "tables/uci_imputation/wine_white.csv").iloc[:1500]


@pytest.fixture(scope="module")
def wines():
    """178 wines of three kinds, 13 measurements: scikit-learn's."""
    return load_wine().data


def active(model, X):
    """The share of activations above a tenth of their root mean square, from the codes alone."""
    Z = np.abs(model.transform(X))
    return (0.1 * np.sqrt((Z**2).mean()) < Z).mean()


def on(model, X):
    """The mean activation."""
    return model.transform(X).mean()


def moved(model, X):
    """The mean squared norm of the penalised Jacobian, row by row from automatic differentiation."""
    network = model.network_
    x = torch.from_numpy(model.schema_.encode(X).x)
    of = network.encode if model.penalty.of == "encoder" else network.reconstruct
    jacobian = torch.func.vmap(torch.func.jacrev(lambda row: of(row[None])[0]))(x)
    return jacobian.square().sum((1, 2)).mean().item()


RELU = {"code": ReLUCode(), "architecture": Dictionary()}
TIED = {"code": SigmoidCode(), "architecture": MLP((), tied=True)}
ONE = {"architecture": MLP((16,))}
SIGMOID = {"code": SigmoidCode(), "architecture": MLP(hidden=())}
KINDS = {
    "L1": (active, lambda goal, weight: L1(target_active=goal, weight=weight), RELU, (32, 24)),
    "KL": (on, lambda goal, weight: KLSparsity(goal, target=True, weight=weight), SIGMOID, (32, 24)),
    "reconstruction": (moved, lambda goal, weight: Contraction(target=goal, weight=weight), ONE, (8, 4)),
    "encoder": (
        moved,
        lambda goal, weight: Contraction("encoder", target=goal, weight=weight),
        TIED,
        (16, 8),
    ),
}
# the goals for digits and for wine, and a lambda that is about right for each
GOALS = {
    "L1": ((0.1, 0.7), (0.25, 0.1), (0.1, 4.0), (0.2, 1.5)),
    "KL": ((0.05, 4.0), (0.2, 0.8), (0.1, 20.0), (0.2, 4.0)),
    "reconstruction": ((1.0, 0.8), (3.0, 0.1), (1.0, 2.0), (2.5, 0.4)),
    "encoder": ((0.7, 1.0), (1.5, 0.3), (0.2, 1.0), (0.4, 0.3)),
}
CASES = [(kind, place, factor) for kind, place, factor in itertools.product(KINDS, range(4), (0.01, 100.0))]


@pytest.mark.parametrize(("kind", "place", "factor"), CASES)
def test_level_on_held_out_rows_comes_within_a_tenth_of_the_goal(kind, place, factor, digits, wine):
    """Whether the search starts at a lambda 100 times too small or too large; measured from outside."""
    measure, penalty, options, (of_digits, of_wine) = KINDS[kind]
    goal, about = GOALS[kind][place]
    X, k = (digits[0], of_digits) if place < 2 else (wine, of_wine)
    inputs = {"inputs": PLAIN} if place < 2 else {}
    given = penalty(goal, about * factor)
    model = Autoencoder(k, penalty=given, trainer=SHORT, random_state=0, **options, **inputs).fit(X)
    held_out = X[model.held_out_] if place < 2 else X.iloc[model.held_out_]
    assert measure(model, held_out) == pytest.approx(goal, rel=0.1)
    assert any("was found for the goal" in note for note in model.notes_)
    assert model.penalty is given


@pytest.mark.parametrize("rho", [0.05, 0.9])
def test_lambda_is_no_larger_than_the_goal_asks_for(rho, digits):
    """All large lambdas bring the mean activation to rho, from either side, and leave nothing else of the
    model: of those that do one is found of which a third does not.
    """
    made = Autoencoder(64, inputs=PLAIN, random_state=0, **SIGMOID)
    found = made.set_params(penalty=KLSparsity(rho, target=True)).fit(digits[0])
    assert any("was found for the goal" in note for note in found.notes_)
    third = found.lambdas_["klsparsity"] / 3 * KLSparsity(rho)
    fixed = clone(made).set_params(penalty=third).fit(digits[0])
    held_out = digits[0][found.held_out_]
    assert abs(on(found, held_out) / rho - 1) <= 0.1 < abs(on(fixed, held_out) / rho - 1)


class Stopped(L1):
    """Ctrl-C while the level is looked at."""

    def level(self, trace):
        raise KeyboardInterrupt


def test_ctrl_c_in_the_first_look_leaves_the_start(digits):
    model = Autoencoder(8, inputs=PLAIN, penalty=Stopped(target_active=0.1), code=ReLUCode(), random_state=0)
    assert model.fit(digits[0]).notes_[-1].startswith("Interrupted in epoch 1")
    assert model.transform(digits[1]).shape == (len(digits[1]), 8)


# ---------------------------------------------------------------- what cannot be reached


@pytest.mark.parametrize(
    ("penalty", "options", "words"),
    [
        (L1(target_active=0.5), {"code": TopK(4), "architecture": Dictionary()}, "Use a lower goal"),
        (Contraction(target=50.0), ONE, "a smaller one changes nothing"),
    ],
    ids=["four of 32 units", "more than the code holds"],
)
def test_goal_out_of_reach_is_said_plainly(penalty, options, words, wine):
    """Which goal, how near it came and at which lambda; the model is a trained one all the same."""
    k = 4 if options is ONE else 32
    model = Autoencoder(k, penalty=penalty, trainer=SHORT, random_state=0, **options).fit(wine)
    (note,) = (note for note in model.notes_ if " at lambda " in note)
    reached = abs(model.history_rows_[-1][f"{next(iter(model.lambdas_))}_level"] / penalty.goal - 1) <= 0.1
    assert not reached
    assert words in note
    assert "cannot be reached" in note or "was not reached" in note
    losses = model.history_["held_out_loss"]
    assert -model.score(wine.iloc[model.held_out_]) * 12 < 1.05 * losses.min() < 0.8 * losses.iloc[0]


@pytest.mark.parametrize(
    ("penalty", "options", "match"),
    [
        (L1(target_active=1.5), {}, "target_active must lie in"),
        (Contraction(target=-1.0), {}, "target must be positive"),
        (Contraction(target=1.0, weight=0.0), {}, "weight must be above 0"),
        (
            KLSparsity(target=True, weight=-1.0),
            SIGMOID,
            "klsparsity must be finite and at least 0",
        ),
    ],
)
def test_goal_that_makes_no_sense_is_refused(penalty, options, match, digits):
    """Before training, in one sentence."""
    with pytest.raises(DataError, match=match):
        Autoencoder(4, penalty=penalty, **options).fit(digits[0])


# ---------------------------------------------------------------- where it is found again

SPARSE = Autoencoder(
    24, penalty=L1(target_active=0.2), trainer=Trainer(max_epochs=80), random_state=0, inputs=PLAIN, **RELU
)


def test_history_shows_lambda_and_level_and_the_model_knows_what_was_found(digits, tmp_path):
    """Two columns a goal; `lambdas_` is that of the weights that were kept, also after saving; the
    parameter stays what the user gave.
    """
    model = clone(SPARSE).fit(digits[0])
    history, lam = model.history_, model.lambdas_["l1"]
    row = history[history["l1_lambda"] == lam].iloc[0]
    assert row["l1_level"] == pytest.approx(active(model, digits[0][model.held_out_]), rel=1e-4)
    assert row["held_out_l1"] == pytest.approx(
        lam * np.abs(model.transform(digits[0][model.held_out_])).sum(1).mean(), rel=1e-4
    )
    assert model.penalty == L1(target_active=0.2)
    assert clone(model).penalty == model.penalty
    save(model, tmp_path / "m.isthmus")
    assert load(tmp_path / "m.isthmus").lambdas_ == model.lambdas_ == {"l1": lam}


def test_penalties_without_a_goal_keep_their_weight(digits):
    """Beside one with a goal, and alone; nothing is written about them."""
    both = L1(target_active=0.2) + 1e-3 * Contraction()
    model = clone(SPARSE).set_params(penalty=both, trainer=Trainer(max_epochs=3)).fit(digits[0])
    assert model.lambdas_["contraction"] == 1e-3
    assert "contraction_level" not in model.history_
    plain = clone(SPARSE).set_params(penalty=0.5 * L1(), trainer=Trainer(max_epochs=3)).fit(digits[0])
    assert plain.lambdas_ == {"l1": 0.5}
    assert not any("lambda" in note for note in plain.notes_)


def test_without_held_out_rows_the_training_rows_are_judged(digits):
    """The level on them is within a tenth of the goal, and the note says which rows it was."""
    model = clone(SPARSE).set_params(trainer__held_out=0).fit(digits[0])
    assert active(model, digits[0]) == pytest.approx(0.2, rel=0.1)
    assert any("on the first training rows" in note for note in model.notes_)


def test_models_of_one_call_reach_goals_of_their_own(digits):
    """Four goals in one call: every model within a tenth of its own, with a lambda of its own."""
    goals = (0.1, 0.15, 0.2, 0.25)
    models = [clone(SPARSE).set_params(penalty=L1(target_active=goal)) for goal in goals]
    fit_many(models, digits[0])
    for model, goal in zip(models, goals, strict=True):
        assert active(model, digits[0][model.held_out_]) == pytest.approx(goal, rel=0.1)
    lambdas = [model.lambdas_["l1"] for model in models]
    assert lambdas == sorted(lambdas, reverse=True)


def test_models_with_goals_end_where_they_would_alone(digits):
    """To the bit, whatever the company: a lambda that follows a level would make much of a rounding."""
    model = clone(SPARSE).set_params(penalty=L1(target_active=0.1))
    beside = fit_many([copy.deepcopy(model) for _ in range(3)], digits[0])
    alone = model.fit(digits[0])
    assert [other.lambdas_ for other in beside] == [alone.lambdas_] * 3
    assert all((other.transform(digits[0]) == alone.transform(digits[0])).all() for other in beside)


def test_a_code_that_a_lambda_has_switched_off_is_brought_back(wines):
    """A look that finds no active unit is answered by going back, and the goal is reached all the same."""
    model = Autoencoder(8, code=ReLUCode(), penalty=L1(target_active=0.02), random_state=0).fit(wines)
    levels = [line["l1_level"] for line in model.history_rows_]
    assert 0 in levels
    assert levels[-1] > 0
    assert active(model, wines[model.held_out_]) == pytest.approx(0.02, rel=0.1)
    assert "was found" in model.notes_[-1]


def test_a_model_with_a_goal_is_looked_at_more_often_and_one_beside_it_is_not(digits):
    """The other stops where it would have stopped."""
    plain = clone(SPARSE).set_params(penalty=0.1 * L1(), trainer=Trainer(max_epochs=6, batch_size=8))
    goal = clone(plain).set_params(penalty=L1(target_active=0.2))
    beside, _ = fit_many([clone(plain), goal], digits[0])
    alone = plain.fit(digits[0])
    assert [line["epoch"] for line in beside.history_rows_] == [line["epoch"] for line in alone.history_rows_]
    assert len(goal.history_rows_) > len(alone.history_rows_)


def test_partial_fit_goes_on_from_the_lambda_it_found(digits):
    """Pass after pass the level comes near the goal; a new pass starts where the last one ended."""
    model = clone(SPARSE).set_params(trainer=Trainer(lr=1e-2))
    for _ in range(40):
        model.partial_fit(digits[0])
    assert active(model, digits[0]) == pytest.approx(0.2, rel=0.15)
    before = model.lambdas_["l1"]
    looks = len(model.history_rows_)
    model.partial_fit(digits[0])
    assert model.history_rows_[looks]["l1_lambda"] == before


class Stop(Corruption):
    """Ctrl-C after so many batches of training."""

    def __call__(self, x, layout, generator):
        COUNT["batches"] += torch.is_grad_enabled()
        if COUNT["batches"] == 350:
            raise KeyboardInterrupt
        return x


COUNT = {"batches": 0}


def test_interrupted_search_goes_on_where_it_was(digits, tmp_path, monkeypatch):
    """With a checkpoint, weights, lambdas and history end with the same bits as if nobody had stopped it."""
    monkeypatch.setattr("isthmus.training.checkpoint.SHARE", 0)

    def fit(name):
        model = clone(SPARSE).set_params(corruption=Stop(), trainer__max_epochs=40)
        return model.set_params(trainer__checkpoint=str(tmp_path / name)).fit(digits[0])

    COUNT["batches"] = 10**6
    expected = fit("never stopped")
    COUNT["batches"] = 0
    stopped = fit("stopped")
    assert any("Interrupted" in note for note in stopped.notes_)
    resumed = fit("stopped")
    assert (resumed.transform(digits[1]) == expected.transform(digits[1])).all()
    assert resumed.lambdas_ == expected.lambdas_
    looks = [{k: v for k, v in line.items() if k != "seconds"} for line in resumed.history_rows_]
    assert looks == [{k: v for k, v in line.items() if k != "seconds"} for line in expected.history_rows_]
    assert sum("lambda" in note for note in resumed.notes_) == 1


def test_a_code_brought_back_before_a_stop_ends_with_the_same_bits(wines, tmp_path, monkeypatch):
    """What going back leaves behind - weights, moments, calm - is in the checkpoint."""
    monkeypatch.setattr("isthmus.training.checkpoint.SHARE", 0)
    penalty = L1(target_active=0.02)

    def fit(name):
        trainer = Trainer(checkpoint=str(tmp_path / name))
        model = Autoencoder(8, code=ReLUCode(), penalty=penalty, corruption=Stop(), trainer=trainer)
        return model.set_params(random_state=1).fit(wines)

    COUNT["batches"] = 10**6
    expected = fit("never stopped")
    COUNT["batches"] = 0
    stopped = fit("stopped")
    assert 0 in [line["l1_level"] for line in stopped.history_rows_[:-1]]
    assert len(stopped.history_rows_) < len(expected.history_rows_)
    resumed = fit("stopped")
    assert (resumed.transform(wines) == expected.transform(wines)).all()
    assert resumed.lambdas_ == expected.lambdas_


class Energy(Penalty):
    """A penalty of a user's own with a goal: the mean square of the code."""

    target: float = 1.0

    def __call__(self, trace):
        return trace.z.square().sum(1).mean()

    @property
    def goal(self):
        return self.target

    def level(self, trace):
        return trace.z.square().mean()


def test_penalty_of_ones_own_may_have_a_goal(digits):
    """`goal` and `level` are all it takes."""
    options = {"architecture": MLP((), tied=True), "inputs": PLAIN, "trainer": Trainer(max_epochs=40)}
    model = Autoencoder(8, penalty=Energy(0.05), random_state=0, **options).fit(digits[0])
    Z = model.transform(digits[0][model.held_out_])
    assert (Z**2).mean() == pytest.approx(0.05, rel=0.1)
