"""Law 4: every loss and penalty has the right value and the right gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from torch.func import jacrev, vmap

from isthmus import (
    L1,
    MLP,
    BinaryCrossEntropy,
    BoundedSquaredError,
    Contraction,
    DataError,
    Deviance,
    Huber,
    KLSparsity,
    L2Weights,
    LinearCode,
    LogDistortion,
    Multinomial,
    Nested,
    ReLUCode,
    SigmoidCode,
    SquaredError,
    Tanh,
    TopK,
)
from isthmus.networks import Network, ReLU, Sigmoid, SiLU
from isthmus.parts import Cell, Layout

MIXED = Layout((Cell("a", "numeric", 0, 1), Cell("b", "binary", 1, 2), Cell("c", "categorical", 2, 5)))
LOSSES = [
    Deviance(),
    SquaredError(),
    BoundedSquaredError(),
    Huber(0.7),
    BinaryCrossEntropy(),
    LogDistortion(0.1),
    Multinomial(),
]
PENALTIES = [
    L1(),
    L1("encoder.hidden.0"),
    KLSparsity(0.1),
    Contraction(),
    Contraction(exact=True),
    Contraction("encoder"),
    Contraction("encoder", exact=True),
    L2Weights(),
]
ARCHITECTURES = [MLP(()), MLP((), tied=True), MLP((5,)), MLP((6, 5), from_pca=False), MLP((5,), tied=True)]
CODES = [LinearCode(), SigmoidCode(), ReLUCode(), TopK(2), Nested()]


def build(architecture=MLP((6, 5)), code=SigmoidCode(), d=4, k=3, seed=0) -> Network:
    """A float64 network with every weight random, roads included."""
    torch.manual_seed(seed)
    encoder, decoder = architecture.build(Layout.numeric(d), k)
    network = Network(encoder, code, decoder).double()
    for p in network.parameters():
        torch.nn.init.normal_(p, std=0.7)
    return network


def trace_of(network: Network, x: torch.Tensor, penalty, seed: int = 0):
    """One pass over x."""
    generator = torch.Generator().manual_seed(seed)
    return network.trace(x, x, Layout.numeric(x.shape[1]), generator, penalty.layers, noisy=False)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("layout", [Layout.numeric(5, positive=True), MIXED], ids=["numeric", "mixed"])
def test_loss_gradients_match_finite_differences(loss, layout):
    """Autograd of each loss agrees with central differences to 1e-6."""
    if isinstance(loss, (BinaryCrossEntropy, BoundedSquaredError, Multinomial)) and not layout.positive:
        pytest.skip("cross-entropy is for values in [0, 1]")
    torch.manual_seed(0)
    x = torch.rand(3, 5, dtype=torch.float64)
    if layout is MIXED:
        x = torch.tensor(
            [[0.3, 1.0, 0, 1, 0], [-1.2, -1.0, 1, 0, 0], [2.0, 1.0, 0, 0, 1]], dtype=torch.float64
        )
    output = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda o: loss(x, o, layout), (output,), rtol=1e-6)


def test_deviance_is_twice_the_negative_log_likelihood():
    """Each kind of cell against torch's own distributions."""
    x = torch.tensor([[0.3, -1.0, 0.0, 1.0, 0.0]], dtype=torch.float64)
    o = torch.tensor([[1.1, 0.4, 0.2, -0.5, 1.3]], dtype=torch.float64)
    errors = Deviance()(x, o, MIXED)[0]
    normal = torch.distributions.Normal(o[0, 0], 1.0)
    assert errors[0] == pytest.approx(2 * float(normal.log_prob(o[0, 0]) - normal.log_prob(x[0, 0])))
    yes = torch.distributions.Bernoulli(logits=o[0, 1])
    assert errors[1] == pytest.approx(-2 * float(yes.log_prob(torch.tensor(0.0, dtype=torch.float64))))
    level = torch.distributions.Categorical(logits=o[0, 2:])
    assert errors[2] == pytest.approx(-2 * float(level.log_prob(torch.tensor(1))))


def test_deviance_link_gives_means_and_probabilities():
    """tanh(o / 2) is 2 p - 1; a group sums to one."""
    o = torch.randn(6, 5, dtype=torch.float64)
    x_hat = Deviance().link(o, MIXED)
    assert torch.allclose(x_hat[:, 0], o[:, 0])
    assert torch.allclose((x_hat[:, 1] + 1) / 2, torch.sigmoid(o[:, 1]))
    assert torch.allclose(x_hat[:, 2:], torch.softmax(o[:, 2:], 1))


def test_cross_entropy_of_a_perfect_reconstruction_is_zero():
    """BCE(x, x) is the entropy of x; without that floor a perfect reconstruction would not score 0."""
    x = torch.tensor([[0.1, 0.5, 0.999, 1.0, 0.0]], dtype=torch.float64)
    logits = torch.logit(x.clamp(1e-12, 1 - 1e-12))
    assert BinaryCrossEntropy()(x, logits, Layout.numeric(5, positive=True)).abs().max() < 1e-9


@pytest.mark.parametrize("x", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("o", [-0.7, 0.1, 0.3, 1.0, 2.5])
def test_bounded_squared_error_matches_the_clip(x, o):
    """It is the integral of 2 (clip(t) - x) from x to o: the convex loss whose link is the clip."""
    expected, _ = quad(lambda t: 2 * (np.clip(t, 0, 1) - x), x, o, epsabs=1e-10, limit=200)
    layout = Layout.numeric(1, positive=True)
    given = (torch.tensor([[x]], dtype=torch.float64), torch.tensor([[o]], dtype=torch.float64))
    for loss in (BoundedSquaredError(), Deviance()):
        assert float(loss(*given, layout)) == pytest.approx(expected, abs=1e-9)
        assert float(loss.link(given[1], layout)) == np.clip(o, 0, 1)


@pytest.mark.parametrize("activation", [ReLU(), SiLU(), Sigmoid(), Tanh()], ids=repr)
def test_slopes_are_derivatives(activation):
    """Phi' in closed form agrees with autograd."""
    a = torch.linspace(-3, 3, 50, dtype=torch.float64, requires_grad=True)
    traced = torch.autograd.grad(activation(a).sum(), a)[0]
    assert torch.allclose(activation.slope(a), traced, atol=1e-12)


def true_jacobian_norms(function, x: torch.Tensor) -> torch.Tensor:
    """norm(J)^2 of each row by torch's own forward-over-rows Jacobian: the independent source."""
    return vmap(jacrev(lambda row: function(row[None])[0]))(x).square().sum((1, 2)).detach()


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=repr)
@pytest.mark.parametrize("code", [LinearCode(), SigmoidCode(), ReLUCode(), TopK(2)], ids=repr)
@pytest.mark.parametrize("of", ["encoder", "reconstruction"])
def test_exact_contraction_is_the_squared_norm_of_the_jacobian(architecture, code, of):
    """The chain product agrees with automatic differentiation of the whole to 1e-10."""
    network = build(architecture, code)
    x = torch.randn(7, 4, dtype=torch.float64)
    penalty = Contraction(of, exact=True)
    measured = penalty.per_row(trace_of(network, x, penalty))
    through = network.encode if of == "encoder" else (lambda row: network.decode(network.encode(row)))
    assert torch.allclose(measured, true_jacobian_norms(through, x), rtol=1e-10, atol=1e-12)


def test_one_sigmoid_layer_has_the_textbook_closed_form():
    """sum_j (h_j (1 - h_j))^2 norm(W_j)^2 (Rifai et al. 2011), also where the training estimate is asked
    for.
    """
    network = build(MLP((), tied=True))
    x = torch.randn(9, 4, dtype=torch.float64)
    h, weight = network.encode(x), network.encoder.layers[0].weight
    by_hand = ((h * (1 - h)).square() * weight.square().sum(1)).sum(1)
    penalty = Contraction("encoder")
    assert torch.allclose(penalty.per_row(trace_of(network, x, penalty)), by_hand, rtol=1e-12)


@pytest.mark.parametrize("of", ["encoder", "reconstruction"])
@pytest.mark.parametrize("custom", [False, True], ids=["chain", "user's modules"])
def test_one_probe_estimate_is_unbiased(of, custom):
    """2,000 probes average to the exact value within 5%."""
    network = build(MLP((6, 5)))
    if custom:
        network.encoder = torch.nn.Sequential(
            torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3)
        ).double()
    x = torch.randn(1, 4, dtype=torch.float64)
    rough, exact = Contraction(of), Contraction(of, exact=True)
    estimates = rough.per_row(trace_of(network, x.expand(2000, -1), rough))
    truth = exact(trace_of(network, x, exact))
    assert estimates.mean().item() == pytest.approx(truth.item(), rel=0.05)


def test_users_own_modules_get_the_same_exact_contraction():
    """Without a tape of slopes the Jacobian comes from autograd, and is right."""
    network = build()
    network.encoder = torch.nn.Sequential(
        torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3)
    ).double()
    x = torch.randn(5, 4, dtype=torch.float64)
    penalty = Contraction("encoder", exact=True)
    assert torch.allclose(
        penalty.per_row(trace_of(network, x, penalty)), true_jacobian_norms(network.encode, x), rtol=1e-10
    )


@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
def test_penalty_gradients_match_finite_differences(penalty):
    """The gradient by autograd of every penalty agrees with central differences along random directions."""
    network = build(MLP((5,), SiLU()))
    x = torch.randn(6, 4, dtype=torch.float64)
    parameters = list(network.parameters())
    value = penalty(trace_of(network, x, penalty))
    grads = torch.autograd.grad(value, parameters, allow_unused=True)
    torch.manual_seed(3)
    directions = [torch.randn_like(p) for p in parameters]
    slope = sum((g * v).sum() for g, v in zip(grads, directions, strict=True) if g is not None)
    step, values = 1e-5, []
    for sign in (1, -1):
        with torch.no_grad():
            for p, v in zip(parameters, directions, strict=True):
                p.add_(sign * step * v)
        values.append(penalty(trace_of(network, x, penalty)).item())
        with torch.no_grad():
            for p, v in zip(parameters, directions, strict=True):
                p.sub_(sign * step * v)
    assert slope.item() == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-6, abs=1e-8)


def test_contraction_is_not_fooled_by_opposite_units():
    """Units paired +w / -w: the norm of the summed gradients would be 0, the sum of the norms is not."""
    network = build(MLP((), tied=True), d=4, k=2)
    with torch.no_grad():
        layer = network.encoder.layers[0]
        layer.weight[1] = -layer.weight[0]
        layer.bias.zero_()
    x = torch.zeros(1, 4, dtype=torch.float64)
    penalty = Contraction("encoder")
    expected = 2 * (0.25**2) * layer.weight[0].square().sum().item()
    assert penalty(trace_of(network, x, penalty)).item() == pytest.approx(expected)


def test_contraction_has_a_gradient():
    """A penalty that is constant in the weights would train nothing: here every weight feels it."""
    for of in ("encoder", "reconstruction"):
        network = build(MLP((5,)))
        penalty = Contraction(of)
        penalty(trace_of(network, torch.randn(8, 4, dtype=torch.float64), penalty)).backward()
        assert float(network.encoder.layers[0].weight.grad.abs().max()) > 1e-3


def test_contraction_refuses_batch_normalisation():
    """Under BatchNorm a row has no Jacobian of its own."""
    network = build()
    network.encoder = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3)).double()
    with pytest.raises(DataError, match="BatchNorm"):
        Contraction().check(network)


def test_encoder_contraction_with_an_untied_decoder_warns():
    """Law 8 says why: it can be evaded by rescaling."""
    with pytest.warns(UserWarning, match="evaded"):
        Contraction("encoder").check(build())
    Contraction("encoder").check(build(MLP((), tied=True)))  # filterwarnings = error: silence is asserted


def test_kl_sparsity_is_the_divergence_of_two_coins():
    """Against torch.distributions, at the units' mean activations."""
    network = build()
    x = torch.randn(50, 4, dtype=torch.float64)
    rho_hat = network.encode(x).mean(0)
    coin = torch.distributions.Bernoulli
    rho = coin(torch.tensor(0.1, dtype=torch.float64))
    expected = sum(torch.distributions.kl_divergence(rho, coin(r)) for r in rho_hat)
    assert KLSparsity(0.1)(trace_of(network, x, L1())).item() == pytest.approx(expected.item(), rel=1e-9)


def test_l1_is_the_mean_absolute_sum_of_activations():
    """Of the code, or of a hidden layer by name."""
    network = build()
    x = torch.randn(5, 4, dtype=torch.float64)
    first = torch.nn.functional.silu(network.encoder.layers[0](x)).detach().numpy()
    penalty = L1("encoder.hidden.0")
    measured = penalty(trace_of(network, x, penalty)).item()
    assert measured == pytest.approx(np.abs(first).sum(1).mean())
    assert L1()(trace_of(network, x, L1())).item() == pytest.approx(network.encode(x).sum(1).mean().item())
