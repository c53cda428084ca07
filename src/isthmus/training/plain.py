"""Plain training: small dense networks of numbers by numpy alone.

The same loop, the same plan and, from the same seed, the same first weights and the same batches as with
torch; what differs is the rounding of a product. numpy's calls cost less than torch's, and torch, which takes
longer to import than such a network to train, is not imported.

`plainly` says what is known by heart here: no corruption, no penalty, z = a, and a loss that takes arrays.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.codes import LinearCode
from isthmus.networks import Architecture, Mersenne, PlainNetwork, dense_layers
from isthmus.objective import Objective
from isthmus.training.member import Member
from isthmus.training.plan import BETA_1, BETA_2, EPS
from isthmus.training.ranks import Ranks
from isthmus.training.rows import Batch

if TYPE_CHECKING:
    from isthmus.codes import Code
    from isthmus.training.trainer import Trainer

__all__ = ["PlainEngine", "PlainMember", "PlainRows", "plainly"]

WEIGHTS, BATCH = 60_000, 256  # at most: torch's kernels pass fewer times over what is larger
CHUNK = 1024  # rows evaluated at a time

Array = NDArray[np.float32]


def plainly(
    objective: Objective, architecture: Architecture, code: Code, k: int, trainer: Trainer, rows: int
) -> bool:
    """Whether so many rows train a network with a code of k numbers here."""
    layers = dense_layers(architecture, objective.layout)
    bare = objective.penalty is None and objective.corruption is None and type(code) is LinearCode
    usual = trainer.device in ("auto", "cpu") and not (trainer.checkpoint or trainer.bf16 or trainer.averaged)
    alone = int(os.environ.get("WORLD_SIZE", "1")) <= 1
    if layers is None or not (bare and usual and alone and objective.loss.takes_arrays(objective.layout)):
        return False
    shapes = PlainNetwork.shapes(*layers.shapes(objective.layout, k))
    small = sum(map(math.prod, shapes.values())) <= WEIGHTS
    return small and trainer.plan(rows).batch_size <= BATCH


class PlainRows:
    """The rows at `numbers` of x (all, d) and observed (all, cells), as `Rows` has them."""

    seen = None

    def __init__(self, x: Array, observed: Any = None, numbers: NDArray[np.int64] | None = None) -> None:
        self.x, self.observed = x, observed
        self.numbers = np.arange(len(x)) if numbers is None else numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def split(self, fraction: float, generator: Mersenne) -> tuple[PlainRows, PlainRows | None]:
        """Training rows and held-out rows, as `Rows.split` would."""
        n, count = len(self), round(fraction * len(self))
        if count < 1 or n < 10:
            return self, None
        order = generator.permutation(n)
        return self._at(np.sort(order[count:])), self._at(np.sort(order[:count]))

    def first(self, most: int) -> PlainRows:
        """The first rows, `most` at most."""
        return self._at(slice(most))

    def gathered(self) -> Any:
        """All rows as one batch."""
        return self._gather(self.numbers)

    def chunks(self, size: int) -> Iterator[Any]:
        """All rows in order, `size` at a time."""
        return self._cut(self.numbers, size)

    def batches(self, size: int, generator: Mersenne, skip: int = 0) -> Iterator[Any]:
        """One pass in random order, from batch number `skip` on."""
        return self._cut(self.numbers[generator.permutation(len(self))][skip * size :], size)

    def _at(self, which: Any) -> PlainRows:
        return PlainRows(self.x, self.observed, self.numbers[which])

    def _cut(self, numbers: NDArray[np.int64], size: int) -> Iterator[Any]:
        return (self._gather(numbers[start : start + size]) for start in range(0, len(numbers), size))

    def _gather(self, numbers: Any) -> Any:
        observed = None if self.observed is None else self.observed.take(numbers, axis=0)
        return Batch(self.x.take(numbers, axis=0), observed, numbers)


class PlainMember(Member):
    """A member whose network and rows are arrays."""

    network: Any

    def order(self, epoch: int) -> Any:
        """The generator that orders the batches of an epoch."""
        return self.generator.manual_seed(self.seed_of(epoch))

    def remember(self) -> None:
        """Keep a copy of the weights as the best so far."""
        self.best_weights = self.network.weights.copy()

    def recall(self) -> None:
        """Go back to the best weights."""
        self.network.weights[:] = self.best_weights

    def errors(self, batch: Any) -> Any:
        """Errors (n, cells) of a batch."""
        output = self.network.decoder.of_array(self.network.encoder.of_array(batch.x))
        errors: Any = self.objective.loss(batch.x, output, self.objective.layout)
        return errors if batch.observed is None else errors * batch.observed


class PlainEngine:
    """What a run trains one plain member with."""

    passes: dict[int, Any] = {}

    def gathered(self, members: Sequence[Any]) -> tuple[_Flat, _Adam, _Step]:
        """Weights and gradients, their optimiser, and the step that fills the gradients."""
        (member,) = members
        flat = _Flat(member.network)
        return flat, _Adam(flat), _Step(member, flat)

    def average(self, flat: _Flat, decay: float) -> None:
        """Never: `plainly` leaves those to torch."""

    def ranks(self, flat: _Flat) -> Ranks:
        """The only process."""
        return Ranks()


class _Flat:
    """`weights` and `grads`, both (1, parameters); `chains` are those of the gradients."""

    def __init__(self, network: PlainNetwork) -> None:
        self.weights = network.weights[None]
        self.grads = np.zeros_like(self.weights)
        self.chains = network.over(self.grads[0])

    def hush(self, share: float) -> None:
        """Set to 0 what is less than a share of the gradient's largest entry."""
        size = np.abs(self.grads)
        self.grads *= size >= share * size.max()

    def norms(self) -> list[float]:
        """Norm of the gradient."""
        return [float(np.sqrt(self.grads[0] @ self.grads[0]))]

    def release(self) -> None:
        """The network's memory has been its own all the time."""


class _Adam:
    """`isthmus.training.adam` says what is computed; here m / (1 - b1) and v / (1 - b2) are kept, which takes
    fewer passes over the weights.
    """

    def __init__(self, flat: _Flat) -> None:
        self.flat, self.count = flat, 0
        self.first, self.second, self.change = (np.zeros_like(flat.weights) for _ in range(3))

    def reset(self, row: int) -> None:
        """Forget the moments."""
        self.first[:], self.second[:], self.count = 0, 0, 0

    def step(self, rates: Sequence[float]) -> None:
        """One update with its learning rate."""
        self.count += 1
        m, v, g, change = self.first, self.second, self.flat.grads, self.change
        m *= BETA_1
        m += g
        v *= BETA_2
        v += np.multiply(g, g, out=change)
        share, root = (
            (1 - BETA_1) / (1 - BETA_1**self.count),
            ((1 - BETA_2) / (1 - BETA_2**self.count)) ** 0.5,
        )
        np.sqrt(v, out=change)
        change += EPS / root
        np.divide(m, change, out=change)
        change *= rates[0] * share / root
        self.flat.weights -= change


class _Space(NamedTuple):
    """What one chain writes for batches of one size: a_l, h_l, and the gradients by h_l and by its input."""

    a: list[Array]
    h: list[Array]
    g: list[Array]
    g_in: Array
    ones: Array


class _Half:
    """One chain: what a forward pass leaves behind is what the backward pass reads."""

    def __init__(self, chain: Any, grads: Any) -> None:
        self.layers, self.grads, self.activation = chain.layers, grads.layers, chain.activation
        self.road, self.road_grad = chain.road, grads.road
        self.gaps, self.gaps_grad = chain.gaps, grads.gaps
        self.spaces: dict[int, _Space] = {}

    def _space(self, n: int) -> _Space:
        """Memory for n rows, the same at every step."""
        if n not in self.spaces:
            widths = [len(bias) for _, bias in self.layers]
            a, h, g = ([np.empty((n, w), np.float32) for w in some] for some in (widths, *[widths[:-1]] * 2))
            g_in = np.empty((n, self.layers[0][0].shape[1]), np.float32)
            self.spaces[n] = _Space(a, h, g, g_in, np.ones(n, np.float32))
        return self.spaces[n]

    def forward(self, x: Array) -> Array:
        """(n, in) -> (n, out)."""
        self.x, self.space = x, self._space(len(x))
        a, h = self.space.a, self.space.h
        for i, (weight, bias) in enumerate(self.layers):
            np.matmul(h[i - 1] if i else x, weight.T, out=a[i])
            a[i] += bias
            if i == 0 and self.gaps is not None:
                self.blank = (x == 0).astype(x.dtype)
                a[0] += self.blank @ self.gaps.T
            if i < len(h):
                self.activation.array_into(a[i], h[i])
        if self.road is not None:
            a[-1] += x @ self.road.T
        return a[-1]

    def backward(self, g: Array, needed: bool) -> Array:
        """Gradients from g = dL/d out (n, out); dL/d in where `needed`."""
        a, h, below, g_in, ones = self.space
        last = g
        for i in range(len(self.layers) - 1, -1, -1):
            grad, bias_grad = self.grads[i]
            np.matmul(g.T, h[i - 1] if i else self.x, out=grad)
            np.matmul(ones, g, out=bias_grad)
            if i:
                g = np.matmul(g, self.layers[i][0], out=below[i - 1])
                self.activation.array_pull(g, a[i - 1], h[i - 1])
        if self.gaps is not None:
            np.matmul(g.T, self.blank, out=self.gaps_grad)
        if needed:
            np.matmul(g, self.layers[0][0], out=g_in)
        if self.road is not None:
            np.matmul(last.T, self.x, out=self.road_grad)
            if needed:
                g_in += last @ self.road
        return g_in


class _Step:
    """Fills `flat.grads` for one batch."""

    def __init__(self, member: PlainMember, flat: _Flat) -> None:
        network, self.objective = member.network, member.objective
        pairs = zip((network.encoder, network.decoder), flat.chains, strict=True)
        self.encoder, self.decoder = (_Half(chain, grads) for chain, grads in pairs)

    def __call__(self, batches: Sequence[Any]) -> dict[str, Any]:
        """The terms of the objective before the update, each (1,)."""
        terms, g = self._through(batches[0])
        self.encoder.backward(self.decoder.backward(g, needed=True), needed=False)
        return terms

    def evaluate(self, rows: Sequence[Any]) -> list[dict[str, float]]:
        """Every term on other rows."""
        total = 0.0
        for batch in rows[0].chunks(CHUNK):
            total += float(self._through(batch)[0]["loss"][0]) * len(batch.x)
        return [{"objective": total / len(rows[0]), "loss": total / len(rows[0])}]

    def refresh(self) -> None:
        """No weight of a penalty changes."""

    def _through(self, batch: Any) -> tuple[dict[str, Any], Any]:
        """The terms, and the gradient of the loss by the output (n, d)."""
        x, observed, *_ = batch
        output: Any = self.decoder.forward(self.encoder.forward(x))
        loss, layout = self.objective.loss, self.objective.layout
        total, g = loss.gradient(x, output, layout, observed, 1, 1 / len(x))
        mean = total / len(x)
        return {"objective": mean, "loss": mean}, g
