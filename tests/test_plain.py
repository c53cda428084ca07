"""Small dense networks are trained and applied by numpy alone, and end where torch's engine ends."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from isthmus import (
    MLP,
    Autoencoder,
    BoundedSquaredError,
    Deviance,
    GaussianNoise,
    ReLU,
    Sigmoid,
    SiLU,
    SquaredError,
    Table,
    Tanh,
    Trainer,
    TrainingError,
    UnitRange,
    Unscaled,
    fit_many,
    load,
    save,
)
from isthmus.codes import LinearCode
from isthmus.networks import Mersenne, PlainNetwork
from isthmus.objective import Objective
from isthmus.parts import Cell, Layout
from isthmus.training import Member, PlainMember, PlainRows, Rows, isolated
from isthmus.training.differentiated import DifferentiatedStep
from isthmus.training.flat import Flat
from isthmus.training.plain import PlainEngine

SHORT = Trainer(max_epochs=4, batch_size=32, progress=False)


def mixed(n=300, gaps=True):
    """A table with numbers, yes and no, categories, and a tenth missing where `gaps`."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(n, 2))
    X = pd.DataFrame(z @ rng.normal(size=(2, 3)) + 0.3 * rng.normal(size=(n, 3)), columns=list("abc"))
    X["yes"] = z[:, 0] > 0.3
    X["kind"] = np.array(["red", "green", "blue"])[np.digitize(z[:, 1], [-0.5, 0.5])]
    X["size"] = np.array(["s", "m", "l", "xl"])[np.digitize(z.sum(1), [-1, 0, 1])]
    return X.mask(rng.random(X.shape) < 0.1) if gaps else X


def numbers(n=300):
    """Rows of numbers in [0, 1]."""
    rng = np.random.default_rng(1)
    return 1 / (1 + np.exp(-rng.normal(size=(n, 3)) @ rng.normal(size=(3, 7))))


CASES = {
    "numbers": (numbers(), {}),
    "relu": (numbers(), {"architecture": MLP((16, 8), activation=ReLU())}),
    "tanh": (numbers(), {"architecture": MLP((16, 8), activation=Tanh())}),
    "sigmoid": (numbers(), {"architecture": MLP((16, 8), activation=Sigmoid(), from_pca=False)}),
    "one layer": (numbers(), {"architecture": MLP(())}),
    "squared error": (numbers(), {"loss": SquaredError()}),
    "pixels": (numbers(), {"inputs": Table(scaling=UnitRange()), "loss": BoundedSquaredError()}),
    "unit range": (numbers(), {"inputs": Table(scaling=UnitRange())}),
    "mixed": (mixed(gaps=False), {}),
    "mixed with gaps": (mixed(), {}),
    "gaps that are not shown": (mixed(), {"architecture": MLP((16, 8), gaps=False)}),
    "no rows held out": (numbers(90), {"trainer": SHORT.with_params(held_out=0.0)}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_ends_where_torchs_engine_ends(case):
    """The same rows held out, history, weights, codes and errors, but for the rounding of products."""
    X, options = case
    options = {"n_components": 2, "trainer": SHORT, "random_state": 3, **options}
    plain, other = Autoencoder(**options).fit(X), Autoencoder(**options)
    other._trained(member := other._prepared(other._open(X)), other._train([member]))
    assert type(plain._network) is PlainNetwork
    assert type(other._network) is not PlainNetwork
    assert (plain.held_out_ == other.held_out_).all()
    assert plain.notes_ == other.notes_
    for line, line_ in zip(plain.history_rows_, other.history_rows_, strict=True):
        assert {**line, "seconds": 0} == pytest.approx({**line_, "seconds": 0}, rel=1e-4)
    assert np.allclose(plain.transform(X), other.transform(X), atol=1e-3)
    errors, errors_ = (np.asarray(model.errors(X), float) for model in (plain, other))
    assert np.allclose(errors, errors_, atol=1e-3, equal_nan=True)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_model_among_others_ends_with_the_bits_it_has_alone(case):
    """Of other seeds, and ends; the same weights and history."""
    X, options = case
    options = {"trainer": SHORT.with_params(max_epochs=60, patience=2), **options}
    family = [{"n_components": 2, "random_state": seed} for seed in range(3)]
    together = fit_many([Autoencoder(**{**options, **one}) for one in family], X)
    for model, one in zip(together, family, strict=True):
        alone = Autoencoder(**{**options, **one}).fit(X)
        assert type(model._network) is PlainNetwork
        assert (model._network.weights == alone._network.weights).all()
        strip = lambda rows: [{**row, "seconds": 0} for row in rows]  # noqa: E731
        assert strip(model.history_rows_) == strip(alone.history_rows_)


def test_torch_is_not_imported(tmp_path):
    """Fit, use, save, load and use again; asked for, the torch network is there."""
    mixed().to_csv(tmp_path / "t.csv", index=False)
    code = """
import sys
import numpy as np, pandas as pd
from isthmus import Autoencoder, Trainer, fit_many, load, save
from isthmus.cli import app
for X in (np.random.default_rng(0).normal(size=(2000, 30)), pd.read_csv("t.csv")):
    model = Autoencoder(4, trainer=Trainer(2), random_state=0)
    Z = model.fit_transform(X)
    save(model, "m.isthmus")
    again = load("m.isthmus")
    assert (again.transform(X) == Z).all()
    model.errors(X), model.reconstruct(X), model.score(X), model.inverse_transform(Z)
    fit_many([Autoencoder(4, trainer=Trainer(2), random_state=seed) for seed in range(3)], X)
for command in ("encode m.isthmus t.csv -o z.csv", "reconstruct m.isthmus t.csv -o r.csv", "info m.isthmus"):
    app(command.split(), standalone_mode=False)
assert "torch" not in sys.modules
assert type(again.network_).__module__ == "isthmus.networks.network"
assert "torch" in sys.modules
assert (again.transform(X) == Z).all()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "options",
    [
        {"corruption": GaussianNoise(0.1)},
        {"architecture": MLP((16, 8), tied=True)},
        {"architecture": MLP((2000, 2000))},
        {"architecture": MLP((200, 100)), "trainer": SHORT.with_params(batch_size=512)},
        {"trainer": SHORT.with_params(averaged=0.9)},
        {"trainer": SHORT.with_params(bf16=True)},
    ],
    ids=["noise", "tied", "large", "batches", "averaged", "bf16"],
)
def test_what_is_not_known_by_heart_is_trained_by_torch(options):
    """And is a torch network at once."""
    model = Autoencoder(**{"n_components": 2, "trainer": SHORT, "random_state": 0, **options})
    assert type(model.fit(numbers(600))._network) is not PlainNetwork


def test_a_loss_of_ones_own_is_handed_tensors():
    """Whatever it is made of."""

    class Absolute(SquaredError):
        def __call__(self, x, output, layout):
            assert isinstance(x, torch.Tensor)
            return (x - output).abs()

    model = Autoencoder(2, loss=Absolute(), trainer=SHORT, random_state=0).fit(numbers(100))
    assert model.errors(numbers(100)).shape == (100, 7)


def test_an_activation_of_ones_own_is_applied_as_it_is():
    """Though it is made of one that numpy knows; so is what was put into the torch network, and its hooks."""

    class Wave(SiLU):
        def __call__(self, a):
            return torch.sin(a)

        def slope(self, a):
            return torch.cos(a)

    X = numbers()
    model = Autoencoder(2, architecture=MLP((16, 8), activation=Wave()), trainer=SHORT, random_state=0).fit(X)
    model_ = Autoencoder(2, architecture=MLP((16, 8)), trainer=SHORT, random_state=0).fit(X)
    network, seen = model_.network_, []
    changes = [
        lambda: network.encoder.hidden.__setitem__(0, torch.nn.Identity()),
        lambda: setattr(network.encoder.road, "weight", torch.nn.Parameter(torch.ones(2, 7))),
        lambda: torch.nn.init.ones_(network.encoder.layers[0].weight),
        lambda: network.encoder.layers[1].register_forward_hook(lambda *_: seen.append(1)),
    ]
    for one, change in [(model, lambda: None), *((model_, change) for change in changes)]:
        change()
        x = torch.from_numpy(one.schema_.encode(X).x)
        for rows in (3, 300):
            with torch.no_grad():
                assert np.allclose(one.transform(X[:rows]), one.network_.encode(x[:rows]), atol=1e-5)
    assert len(seen) == 4


def test_errors_of_ones_own_loss_are_spoiled_by_nobody():
    """Missing cells are written into a copy, in float32."""

    class Together(SquaredError):
        def __call__(self, x, output, layout):
            return (x - output).double().square().mean(1, keepdim=True).expand(-1, len(layout.cells))

    X = numbers()
    X[3, 2] = np.nan
    errors = Autoencoder(2, loss=Together(), trainer=SHORT, random_state=0).fit(X).errors(X[:40])
    assert errors.dtype == np.float32
    assert np.isnan(errors).sum() == 1


def test_threads_and_ctrl_c_meet_a_torch_that_is_whole(tmp_path):
    """Several first fits that need it at once; an interrupt while it is imported for the network."""
    threads = """
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from isthmus import Autoencoder, GaussianNoise, Trainer
X = np.random.default_rng(0).normal(size=(60, 6))
fit = lambda s: Autoencoder(2, corruption=GaussianNoise(0.1), trainer=Trainer(2), random_state=s).fit(X)
with ThreadPoolExecutor(4) as pool:
    print(len(list(pool.map(fit, range(4)))))
"""
    interrupted = """
import os, signal, threading
import numpy as np
from isthmus import Autoencoder, Trainer
model = Autoencoder(2, trainer=Trainer(2), random_state=0).fit(np.random.default_rng(0).normal(size=(60, 6)))
threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    model.network_
except KeyboardInterrupt:
    pass
print(len(model.network_.state_dict()) > 4 and 4)
"""
    for code in (threads, interrupted):
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stdout.strip()) == (0, "4"), done.stderr


# ---------------------------------------------------------------- the same bits


@pytest.mark.parametrize("seed", [0, 7, 2**33 + 5])
def test_draws_are_torchs(seed):
    """Orders, numbers between bounds, and those that are left out."""
    generator, ours = torch.Generator().manual_seed(seed), Mersenne(seed)
    for n in (0, 1, 2, 3, 10, 1001, 70_000):
        assert (torch.randperm(n, generator=generator).numpy() == ours.permutation(n)).all()
    values = torch.empty(30, 7).uniform_(-0.3, 0.3, generator=generator)
    assert (values.numpy() == ours.uniform((30, 7), 0.3)).all()
    torch.empty(100).uniform_(generator=generator)
    ours.skip(100)
    assert (torch.randperm(50, generator=generator).numpy() == ours.permutation(50)).all()


@pytest.mark.parametrize(
    "layers", [MLP(), MLP((8,)), MLP(()), MLP((16, 4), from_pca=False), MLP((8, 4), gaps=True)]
)
def test_networks_start_with_the_same_bits(layers):
    """First weights, and those at the principal axes; and they are saved under the same names."""
    layout, x = Layout.numeric(12), np.random.default_rng(0).normal(size=(99, 12)).astype(np.float32)
    with isolated(5):
        encoder, decoder = layers.build(layout, 3)
    plain = PlainNetwork(*_joined(layers.plain(layout, 3, 5)))
    for started in (False, True):
        if started:
            layers.start(encoder, decoder, torch.from_numpy(x))
            layers.start(plain.encoder, plain.decoder, x)
        elif encoder.road is not None:  # what torch draws for it is written over
            torch.nn.init.zeros_(encoder.road.weight)
            torch.nn.init.zeros_(decoder.road.weight)
        theirs = {f"encoder.{k}": v for k, v in encoder.state_dict().items()}
        theirs |= {f"decoder.{k}": v for k, v in decoder.state_dict().items()}
        ours = plain.module().state_dict()
        assert set(ours) == {*theirs, "memory"} == set(plain.state_dict())
        assert all((ours[name] == value).all() for name, value in theirs.items())
        assert all((plain.state_dict()[name] == value.numpy()).all() for name, value in theirs.items())
    shapes = {name: array.shape for name, array in plain.state_dict().items()}
    assert shapes == PlainNetwork.shapes(*layers.shapes(layout, 3))


def _joined(halves):
    return halves[0], LinearCode(), halves[1]


def test_a_row_comes_out_alike_wherever_it_stands():
    """To the bit, among many others; and of many rows at once, which torch takes, but for rounding."""
    X = numbers(80_000)
    model = Autoencoder(3, trainer=SHORT.with_params(max_epochs=1, batch_size=64), random_state=0).fit(
        X[:500]
    )
    few = model.transform(X[:300])
    order = np.random.default_rng(0).permutation(300)
    assert (model.transform(X[:300][order]) == few[order]).all()
    for n in (1029, 1500, 2049):
        back = model.transform(X[:n][::-1])[::-1]
        assert (back == model.transform(X[:n])).all()
        assert (back[:300] == few).all()
    assert type(model._network) is PlainNetwork
    many = model.transform(X)
    assert type(model._network) is not PlainNetwork
    assert np.allclose(many[:300], few, atol=1e-5)
    assert (model.transform(X[:300]) == few).all()


def test_copies_have_memory_of_their_own(tmp_path):
    """Pickled, deepened, saved: the same numbers, and what is trained on changes nobody else."""
    X = numbers()
    model = Autoencoder(2, trainer=SHORT, random_state=0).fit(X)
    Z = model.transform(X)
    save(model, tmp_path / "m.isthmus")
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), load(tmp_path / "m.isthmus")):
        assert (other.transform(X) == Z).all()
        other.continue_fit(X)
        assert (other.transform(X) != Z).any()
        assert (model.transform(X) == Z).all()
    assert model.n_weights_ == sum(p.numel() for p in model.network_.parameters())


# ---------------------------------------------------------------- the parts


@pytest.mark.parametrize("activation", [ReLU(), SiLU(), Tanh(), Sigmoid()])
@pytest.mark.parametrize("road", [True, False])
def test_gradients_are_autograds(activation, road):
    """Of every weight and bias, gaps and unobserved cells included."""
    X = mixed(64)
    model = Autoencoder(2, architecture=MLP((9, 5), activation=activation, from_pca=road), random_state=0)
    schema = model.fit(X).schema_
    x, observed = schema.encode(X)
    objective = Objective(schema.layout, Deviance())
    plain = PlainMember(model._network, objective, PlainRows(x, observed), None, Mersenne(0))
    rng = np.random.default_rng(0)
    plain.network.weights[:] += 0.1 * rng.normal(size=plain.network.size).astype(np.float32)
    flat, _, step = PlainEngine().gathered([plain])
    terms = step(next(PlainEngine().batches([plain.train], 64, [Mersenne(0)], 0)))
    module = copy.deepcopy(plain.network.module())
    member = Member(module, objective, Rows.of(x, observed), None, torch.Generator())
    theirs = DifferentiatedStep([member], Flat([module]), bf16=False)
    assert float(terms["loss"][0]) == pytest.approx(
        float(theirs([member.train.gathered()])["loss"]), rel=1e-5
    )
    chains = plain.network.over(flat.grads[0])
    ours = dict(zip(plain.network.state_dict(), chains[0].arrays() + chains[1].arrays(), strict=False))
    for name, parameter in module.named_parameters():
        assert np.allclose(ours[name], parameter.grad.numpy(), rtol=1e-3, atol=1e-5), name


def test_the_deviance_of_arrays_is_that_of_tensors():
    """Errors, gradient and link, however large an output is."""
    kinds = [("numeric", 1), ("categorical", 3), ("binary", 1), ("categorical", 5), ("numeric", 1)]
    ends = np.cumsum([width for _, width in kinds])
    layout = Layout(
        tuple(
            Cell(j, kind, int(end - width), int(end))
            for j, ((kind, width), end) in enumerate(zip(kinds, ends, strict=True))
        )
    )
    rng, loss = np.random.default_rng(0), Deviance()
    x = rng.normal(size=(50, 11)).astype(np.float32)
    x[:, 4] = rng.choice([-1, 1, 0], 50)
    x[:, 1:4], x[:, 5:10] = np.eye(3)[rng.integers(3, size=50)], np.eye(5)[rng.integers(5, size=50)]
    output = (rng.normal(size=(50, 11)) * rng.choice([1, 40], (50, 1))).astype(np.float32)
    observed = rng.random((50, 5)) > 0.2
    t = torch.from_numpy
    assert np.allclose(loss(x, output, layout), loss(t(x), t(output), layout), rtol=1e-4, atol=1e-4)
    assert np.allclose(loss.link(output, layout), loss.link(t(output), layout), atol=1e-6)
    for seen in (None, observed):
        total, g = loss.gradient(x, output, layout, seen, 2, 0.1)
        total_, g_ = loss.gradient(t(x), t(output), layout, None if seen is None else t(seen), 2, 0.1)
        assert np.allclose(total, total_, rtol=1e-4)
        assert np.allclose(g, g_, atol=1e-6)


# ---------------------------------------------------------------- when something is in the way


def test_ctrl_c_keeps_what_was_learned(monkeypatch):
    """The best weights so far; before the first look, the start."""
    from isthmus.training import plain as module

    X, calls, step = numbers(), [], module._Adam.step

    def stopped(self, rates):
        calls.append(rates)
        if len(calls) == 60:
            raise KeyboardInterrupt
        step(self, rates)

    monkeypatch.setattr(module._Adam, "step", stopped)
    model = Autoencoder(2, trainer=Trainer(100, 32, progress=False), random_state=0).fit(X)
    assert model.notes_[-1].startswith("Interrupted in epoch")
    assert 0 < model.history_rows_[-1]["epoch"] < 100
    assert np.isfinite(model.transform(X)).all()


def test_numbers_that_overflow_are_told():
    """In the words of torch's engine: the rate is lowered once, and then the worst value is named."""
    X = numbers(100)
    X[3, 2] = 1e30
    said = []
    for plain in (True, False):
        model = Autoencoder(2, inputs=Table(scaling=Unscaled()), trainer=SHORT, random_state=0)
        with pytest.raises(TrainingError, match="overflows twice") as error:
            model._train([model._prepared(X, plain=plain)])
        said.append(str(error.value))
    assert said[0] == said[1]
