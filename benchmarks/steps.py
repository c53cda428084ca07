"""Single steps of training, for the scripts that measure them: the one place that reaches inside isthmus."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from isthmus import L1, MLP, Code, Deviance, LinearCode, Penalty, ReLU, ReLUCode, Trainer
from isthmus.networks import Mersenne, Network, PlainNetwork
from isthmus.objective import Objective
from isthmus.parts import Layout
from isthmus.training import PlainMember, PlainRows, numpy_trains
from isthmus.training.differentiated import DifferentiatedStep
from isthmus.training.engine import Engine
from isthmus.training.loop import Run
from isthmus.training.member import Member
from isthmus.training.plain import PlainEngine
from isthmus.training.plan import make_plan
from isthmus.training.rows import Rows

__all__ = ["NETS", "Net", "batches", "cpu_a_call", "products", "stepper"]


class Net:
    """d columns, hidden widths each way, and a code of k numbers."""

    def __init__(
        self,
        d: int,
        hidden: tuple[int, ...],
        k: int,
        code: Code = LinearCode(),
        penalty: Penalty | None = None,
        **options: Any,
    ) -> None:
        self.d, self.hidden, self.k, self.code, self.penalty = d, hidden, k, code, penalty
        self.architecture = MLP(hidden, **{"activation": ReLU(), "from_pca": False, **options})
        self.widths = (d, *hidden, k, *hidden[::-1], d)

    def __str__(self) -> str:
        return "-".join(map(str, self.widths))


NETS = {
    "a": Net(784, (256, 64), 16),
    "b": Net(30, (64, 16), 4),
    "c": Net(784, (), 4096, ReLUCode(), 0.1 * L1()),
}


def stepper(
    net: Net, batch: int, penalty: Penalty | None = None, general: bool = False, bf16: bool = False
) -> Run:
    """A run ready to take steps with what a fit would have; general: by differentiation in any case."""
    torch.manual_seed(0)
    layout = Layout.numeric(net.d)
    objective = Objective(layout, Deviance(), net.penalty if penalty is None else penalty)
    x = torch.randn(batch * max(4, min(64, 2_000_000 // (batch * net.d))), net.d)
    plan, trainer = make_plan(len(x), batch, 10**7, None, None), Trainer(batch_size=batch, bf16=bf16)
    alone = torch.get_num_threads() == 1 and not general
    if alone and numpy_trains(objective, net.architecture, net.code, net.k, trainer, len(x)):
        encoder, decoder = net.architecture.plain(layout, net.k, 0)
        network = PlainNetwork(encoder, net.code, decoder)
        member: Any = PlainMember(network, objective, PlainRows(x.numpy()), None, Mersenne(0))
        return Run([member], plan, PlainEngine())
    encoder, decoder = net.architecture.build(layout, net.k)
    member = Member(Network(encoder, net.code, decoder), objective, Rows(x), None, torch.Generator())
    run = Run([member], plan, Engine([member], bf16))
    if general:
        run.differentiate = DifferentiatedStep(run.members, run.flat, bf16)
    return run


def batches(run: Run) -> Iterator[Any]:
    """The run's own batches, without end."""
    return itertools.chain.from_iterable(run.batches() for _ in itertools.count())


def products(
    widths: Sequence[int],
    batch: int,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    models: int | None = None,
) -> Callable[[], torch.Tensor]:
    """The matrix products of one step of a net of these widths and nothing else, into memory that is there
    already; the outputs. models: of so many nets side by side.
    """
    options: Any = {"device": device, "dtype": dtype}
    side = () if models is None else (models,)
    mm: Any = torch.mm if models is None else torch.bmm
    X = [torch.randn(*side, batch, width, **options) for width in widths]
    pairs = list(itertools.pairwise(widths))
    W = [torch.randn(*side, after, before, **options) / before**0.5 for before, after in pairs]
    G = [torch.empty_like(w) for w in W]
    into = [torch.empty_like(x) for x in X]

    def once() -> torch.Tensor:
        for i, w in enumerate(W):
            mm(X[i], w.mT, out=into[i + 1])
        for i in range(len(W) - 1, -1, -1):
            mm(X[i + 1].mT, X[i], out=G[i])
            if i:
                mm(X[i + 1], W[i], out=into[i])
        return into[-1]

    return once


def cpu_a_call(work: Callable[[], object], seconds: float) -> float:
    """CPU seconds of one call, over calls that take about `seconds` together."""
    start, calls, chunk = time.process_time(), 0, 1
    while True:
        for _ in range(chunk):
            work()
        calls += chunk
        gone = time.process_time() - start
        if gone >= seconds:
            return gone / calls
        chunk = max(1, min(chunk * 2, int(calls * (seconds - gone) / max(gone, 1e-6))))
