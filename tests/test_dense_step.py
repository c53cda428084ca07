"""The dense step writes out what torch would differentiate: same terms, same gradients, one model or many."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from isthmus import (
    L1,
    MLP,
    BatchTopK,
    BinaryCode,
    BinaryCrossEntropy,
    BoundedSquaredError,
    Contraction,
    Deviance,
    Dictionary,
    GaussianNoise,
    Huber,
    KLSparsity,
    Linear,
    LinearCode,
    MaskingNoise,
    Multinomial,
    Nested,
    ReLU,
    ReLUCode,
    Sigmoid,
    SigmoidCode,
    SquaredError,
    Tanh,
    TopK,
)
from isthmus.networks import Network
from isthmus.objective import Objective
from isthmus.parts import Cell, Layout
from isthmus.training.dense import DenseStep, suits
from isthmus.training.differentiated import DifferentiatedStep
from isthmus.training.flat import Flat
from isthmus.training.member import Member
from isthmus.training.rows import Batch, Rows

NUMBERS, PIXELS = Layout.numeric(6), Layout.numeric(6, positive=True)
MIXED = Layout(
    (
        Cell("a", "numeric", 0, 1),
        Cell("b", "binary", 1, 2),
        Cell("c", "categorical", 2, 5),
        Cell("d", "numeric", 5, 6),
    )
)
ARCHITECTURES = [
    MLP((5, 4)),
    MLP((5,), from_pca=False, activation=ReLU()),
    MLP(()),
    MLP((5,), tied=True, activation=Tanh()),
    MLP((5,), gaps=True, activation=Sigmoid()),
    Linear(),
    Dictionary(),
]
CODES = [LinearCode(), SigmoidCode(), ReLUCode(), TopK(2), BatchTopK(1), Nested(), BinaryCode()]
LOSSES = [
    (Deviance(), NUMBERS),
    (Deviance(), MIXED),
    (Deviance(), PIXELS),
    (SquaredError(), MIXED),
    (BoundedSquaredError(), PIXELS),
    (Huber(), NUMBERS),
    (BinaryCrossEntropy(), PIXELS),
    (Multinomial(), PIXELS),
]
NOISE = MaskingNoise(0.3) + GaussianNoise(0.1)
EVERY_PAIR = [
    *((architecture, code, *LOSSES[0]) for architecture, code in itertools.product(ARCHITECTURES, CODES)),
    *((ARCHITECTURES[0], SigmoidCode(), *pair) for pair in LOSSES),
]


def members(architecture, code, loss, layout, models, penalty=None, corruption=None) -> list[Member]:
    """Members with random float64 weights; each has its own lambda."""
    made = []
    for number in range(models):
        network = Network(*_between(architecture.build(layout, 3), code)).double()
        for p in network.parameters():
            torch.nn.init.normal_(p, std=0.5)
        weighted = None if penalty is None else (1 + number) * penalty
        objective = Objective(layout, loss, weighted, corruption)
        made.append(Member(network, objective, Rows(torch.zeros(1, 1)), None, torch.Generator()))
    return made


def _between(halves, code):
    return halves[0], code, halves[1]


def batch(layout: Layout, gaps: bool) -> Batch:
    """Seven random rows of a layout."""
    x = torch.rand(7, 6, dtype=torch.float64)
    if layout is MIXED:
        x[:, 1] = torch.where(x[:, 1] > 0.5, 1.0, -1.0)
        x[:, 2:5] = torch.eye(3, dtype=torch.float64)[torch.randint(3, (7,))]
    return Batch(x, torch.rand(7, len(layout.cells)) > 0.3 if gaps else None, torch.arange(7))


def both_ways(some: list[Member], batches: list[Batch]):
    """Terms and gradients by the dense step and by torch, with the same randomness."""
    flat = Flat([member.network for member in some])
    found = []
    for kind in (DenseStep, DifferentiatedStep):
        for number, member in enumerate(some):
            member.generator.manual_seed(number)
            member.network.memory.zero_()
        step = kind(some, flat, bf16=False)
        terms = step(batches)
        looks = step.evaluate([Rows(b.x, b.observed) for b in batches])
        found.append((terms, flat.grads.clone(), looks))
    return found


@pytest.fixture(params=[1, 2])
def threads(request):
    """One thread, where numpy makes the products, and two, where torch does."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("models", [1, 3])
@pytest.mark.parametrize(("architecture", "code", "loss", "layout"), EVERY_PAIR, ids=repr)
def test_dense_gradients_are_those_of_autograd(architecture, code, loss, layout, models):
    """Every architecture with every code, every loss with every kind of cell, gaps, noise and penalties."""
    torch.manual_seed(0)
    sparse = 0.1 * L1() + 0.2 * KLSparsity(0.1) if code == SigmoidCode() else 0.1 * L1()
    for penalty, corruption in ((None, None), (sparse, NOISE)):
        some = members(architecture, code, loss, layout, models, penalty, corruption)
        assert all(map(suits, some))
        batches = [batch(layout, gaps=corruption is not None) for _ in some]
        (terms, grads, looks), (terms_, grads_, looks_) = both_ways(some, batches)
        assert (grads - grads_).abs().max() <= 1e-9 * grads_.abs().max()
        assert set(terms) == set(terms_)
        for name in terms:
            assert np.allclose(terms[name], terms_[name], rtol=1e-9, atol=1e-12)
        for look, look_ in zip(looks, looks_, strict=True):
            assert look == pytest.approx(look_, rel=1e-9)


class Leaky(ReLU):
    """A class of a user's, made of one of ours, that changes phi and its slope alone."""

    def __call__(self, a):
        return torch.where(a > 0, a, 0.1 * a)

    def slope(self, a):
        return torch.where(a > 0, 1.0, 0.1)


class Anew(Tanh):
    """Hands in its pull as a tensor of its own."""

    def pull(self, grad, a, h):
        return grad * (1 - h * h)


class Halved(Deviance):
    """A loss made of one of ours: what it says of arrays does not hold for it."""

    def gradient(self, x, output, layout, observed, models, scale):
        assert isinstance(x, torch.Tensor)
        total, gradient = super().gradient(x, output, layout, observed, models, scale)
        return total / 2, gradient / 2

    def __call__(self, x, output, layout):
        return super().__call__(x, output, layout) / 2


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("models", [1, 3])
@pytest.mark.parametrize(
    ("activation", "loss"), [(Leaky(), Deviance()), (Anew(), Deviance()), (Tanh(), Halved())]
)
def test_parts_of_a_users_own_made_of_ours(activation, loss, models):
    """Nothing that is written down for ours is taken to hold for them."""
    torch.manual_seed(0)
    some = members(MLP((5, 4), activation=activation), LinearCode(), loss, NUMBERS, models)
    batches = [batch(NUMBERS, gaps=False) for _ in some]
    (terms, grads, _), (terms_, grads_, _) = both_ways(some, batches)
    assert (grads - grads_).abs().max() <= 1e-9 * grads_.abs().max()
    assert np.allclose(terms["loss"], terms_["loss"], rtol=1e-9)


@pytest.mark.usefixtures("threads")
def test_losses_of_many_cells_are_added_up_exactly_enough():
    """Of several models, in float32."""
    x = torch.rand(2 * 1000, 784)
    total, _ = Deviance().gradient(x, x + 0.5, Layout.numeric(784), None, 2, 1.0)
    assert total.tolist() == pytest.approx([1000 * 784 / 4] * 2, rel=1e-5)


def test_buffers_a_module_makes_anew_are_kept_and_come_back():
    """What is remembered is what `state_dict` names at that time."""
    (one,) = members(MLP((5,)), LinearCode(), Deviance(), NUMBERS, 1)
    one.network.register_buffer("mean", torch.zeros(2))
    one.remember()
    one.network.mean = one.network.mean + 1
    one.remember()
    one.network.mean = one.network.mean + 1
    one.recall()
    assert one.network.mean.tolist() == [1, 1]
    assert set(one.kept) == set(one.network.state_dict())


def test_what_is_not_known_by_heart_is_differentiated():
    """Jacobians, hidden layers, frozen weights and a user's own modules go the general way."""
    penalties = [Contraction(), L1("encoder.hidden.0")]
    for penalty in penalties:
        assert not suits(members(MLP((5,)), LinearCode(), Deviance(), NUMBERS, 1, penalty)[0])
    (own,) = members(MLP((5,)), LinearCode(), Deviance(), NUMBERS, 1)
    assert suits(own)
    own.network.encoder.first.weight.requires_grad_(False)
    assert not suits(own)
    own.network.encoder = torch.nn.Sequential(torch.nn.Linear(6, 3))
    assert not suits(own)


def test_parameters_are_their_own_again_after_training():
    """Flat memory is for the run: afterwards weights share nothing and carry no gradient."""
    some = members(MLP((5,)), LinearCode(), Deviance(), NUMBERS, 2)
    before = [p.detach().clone() for member in some for p in member.network.parameters()]
    flat = Flat([member.network for member in some])
    flat.release()
    after = [p for member in some for p in member.network.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert len({p.untyped_storage().data_ptr() for p in after}) == len(after)
    assert all(p.grad is None for p in after)
