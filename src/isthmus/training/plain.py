"""Plain training: small dense networks by numpy alone, several of one shape side by side.

The same loop, the same plan and, from the same seed, the same first weights and the same batches as with
torch; what differs is the rounding of a product. numpy's calls cost less than torch's, and torch, which takes
longer to import than such a network to train, is not imported.

Where there are several models every array has a leading axis of models. numpy makes a stack of products one
by one, so a model among others ends with the bits it would have alone.

`numpy_trains` says what is known by heart here: no corruption, no penalty, z = a, a loss that takes arrays.
"""

from __future__ import annotations

import math
import os
import threading
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
from isthmus.training.rows import Batch, Together

if TYPE_CHECKING:
    from isthmus.codes import Code
    from isthmus.training.trainer import Trainer

__all__ = ["PlainEngine", "PlainMember", "PlainRows", "numpy_trains"]

WEIGHTS = 60_000  # at most: torch's kernels pass fewer times over what is larger
WORK = 2**23  # weights times rows of a batch at most: beyond, torch's products take several threads
ROWS = 50_000  # at most: an order of more takes longer to draw than without torch's own generator
TILE, TILED = 8, 256  # rows a bias is added to at a time, from so many rows of all models on
CHUNK = 128  # rows of a model evaluated at a time, however many models: sums have the same bits

Array = NDArray[np.float32]


def numpy_trains(
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
    weights = sum(map(math.prod, shapes.values()))
    return weights <= WEIGHTS and rows <= ROWS and weights * trainer.plan(rows).batch_size <= WORK


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
        return self.at(self.numbers)

    def shuffled(self, generator: Mersenne) -> NDArray[np.int64]:
        """The numbers in random order."""
        return self.numbers[generator.permutation(len(self))]

    def at(self, numbers: Any) -> Any:
        """The rows of these numbers as a batch."""
        observed = None if self.observed is None else self.observed.take(numbers, axis=0)
        return Batch(self.x.take(numbers, axis=0), observed, numbers)

    def _at(self, which: Any) -> PlainRows:
        return PlainRows(self.x, self.observed, self.numbers[which])


def _cut(numbers: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """Runs of `size` along the last axis."""
    return (numbers[..., start : start + size] for start in range(0, numbers.shape[-1], size))


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
    """What a run trains plain members with; `stop` ends it as Ctrl-C would, from another thread."""

    def __init__(self, stop: threading.Event | None = None) -> None:
        self.stop = stop

    def gathered(self, members: Sequence[Any]) -> tuple[_Flat, _Adam, _Step]:
        """Weights and gradients, their optimiser, and the step that fills the gradients."""
        flat = _Flat([member.network for member in members])
        return flat, _Adam(flat), _Step(members, flat)

    def average(self, flat: _Flat, decay: float) -> None:
        """Never: `numpy_trains` leaves those to torch."""

    def ranks(self, flat: _Flat) -> Ranks:
        """The only process."""
        return Ranks()

    def rows(self, member: Any, epoch: int) -> Any:
        """What a member learns from in one pass."""
        return member.train

    def watched(self, member: Any) -> Any:
        """What it is judged by."""
        return member.held_out

    def batches(self, rows: Sequence[Any], size: int, orders: Sequence[Any], skip: int) -> Iterator[Any]:
        """One pass, from batch number `skip` on, one batch a member."""
        numbers = [one.shuffled(order) for one, order in zip(rows, orders, strict=True)]
        for places in _cut(_joined(numbers)[..., skip * size :], size):
            if self.stop is not None and self.stop.is_set():
                raise KeyboardInterrupt
            batch = _gathered(rows, places)
            yield [batch] if len(rows) == 1 else batch


def _joined(arrays: Any) -> Any:
    """Arrays of several models as one with an axis for them; that of one as it is."""
    if len(arrays) == 1:
        return arrays[0]
    return arrays if isinstance(arrays, np.ndarray) else np.stack(arrays)


def _gathered(rows: Sequence[Any], numbers: Any) -> Any:
    """The rows of these numbers (.., n) as a batch of one model, or of several `Together`; at once where they
    are all of one memory.
    """
    if len(rows) == 1:
        return rows[0].at(numbers)
    if all(one.x is rows[0].x for one in rows):
        x, observed, _ = rows[0].at(numbers.ravel())[:3]
        return Together(x.reshape(*numbers.shape, -1), observed, numbers)
    found = [one.at(places) for one, places in zip(rows, numbers, strict=True)]
    seen: Any = None if found[0].observed is None else np.concatenate([batch.observed for batch in found])
    stacked: Any = np.stack([batch.x for batch in found])
    return Together(stacked, seen, numbers)


class _Flat:
    """`weights` and `grads`, both (models, parameters); the networks live in the rows of `weights`."""

    def __init__(self, networks: Sequence[Any]) -> None:
        self.networks = list(networks)
        self.weights = np.stack([network.weights for network in networks])
        self.grads = np.zeros_like(self.weights)
        for network, row in zip(networks, self.weights, strict=True):
            network.lie(row)

    def hush(self, share: float) -> None:
        """Set to 0 what is less than a share of the largest entry of its network's gradient."""
        size = np.abs(self.grads)
        self.grads *= size >= share * size.max(1, keepdims=True)

    def norms(self) -> list[float]:
        """Norm of every network's gradient."""
        squares: list[float] = np.matmul(self.grads[:, None, :], self.grads[:, :, None]).ravel().tolist()
        return [square**0.5 for square in squares]

    def release(self) -> None:
        """Give every network memory of its own again."""
        for network in self.networks:
            network.lie(network.weights.copy())


class _Adam:
    """`isthmus.training.adam` says what is computed; here m / (1 - b1) and v / (1 - b2) are kept, which takes
    fewer passes over the weights.
    """

    def __init__(self, flat: _Flat) -> None:
        self.flat, self.counts = flat, [0] * len(flat.weights)
        self.first, self.second, self.change = (np.zeros_like(flat.weights) for _ in range(3))

    def follow(self, other: _Adam, rows: Sequence[int]) -> None:
        """Go on where these rows of another stand."""
        self.first[:], self.second[:] = other.first[rows], other.second[rows]
        self.counts = [other.counts[row] for row in rows]

    def reset(self, row: int) -> None:
        """Forget the moments of one model."""
        self.first[row], self.second[row], self.counts[row] = 0, 0, 0

    def step(self, rates: Sequence[float]) -> None:
        """One update of every row with its learning rate."""
        self.counts = [count + 1 for count in self.counts]
        m, v, g, change = self.first, self.second, self.flat.grads, self.change
        m *= BETA_1
        m += g
        v *= BETA_2
        v += np.multiply(g, g, out=change)
        eps, size = zip(*map(_corrected, rates, self.counts), strict=True)
        np.sqrt(v, out=change)
        change += _column(eps)
        np.divide(m, change, out=change)
        change *= _column(size)
        self.flat.weights -= change


def _corrected(rate: float, count: int) -> tuple[float, float]:
    """Eps and the rate of update number `count`, for the moments that are kept."""
    root = ((1 - BETA_2) / (1 - BETA_2**count)) ** 0.5
    return EPS / root, rate * (1 - BETA_1) / (1 - BETA_1**count) / root


def _column(values: Sequence[float]) -> Any:
    """A number a model, to be multiplied with its row; alone a number."""
    return values[0] if len(values) == 1 else np.array(values, np.float32)[:, None]


class _Space(NamedTuple):
    """What one chain writes for batches of one size: a_l, h_l, and the gradients by h_l and by its input."""

    a: list[Array]
    h: list[Array]
    g: list[Array]
    g_in: Array
    ones: Array
    beside: list[Array]  # what the road adds to g_in and to the last a_l
    wide: list[tuple[Array, Array]]  # a_l and its bias, several rows as one: long ones are added faster


class _Half:
    """One chain of all models: what a forward pass leaves behind is what the backward pass reads."""

    def __init__(self, chain: Any, grads: Any) -> None:
        self.activation = chain.activation
        self.weights, self.grads = ([weight for weight, _ in some.layers] for some in (chain, grads))
        self.biases, self.bias_grads = ([b[..., None, :] for _, b in some.layers] for some in (chain, grads))
        self.road, self.road_grad = chain.road, grads.road
        self.gaps, self.gaps_grad = chain.gaps, grads.gaps
        self.turned, self.tiles = [_lying(weight) for weight in self.weights], list[Array]()
        self.copies = [(to, _turned(what)) for to, what in zip(self.turned, self.weights, strict=True)]
        if self.road is not None:
            self.road_turned = _lying(self.road)
            self.copies.append((self.road_turned, _turned(self.road)))
        self.spaces: dict[int, _Space] = {}

    def _space(self, shape: tuple[int, ...]) -> _Space:
        """Memory for n rows, shape (.., n), the same at every step."""
        n = shape[-1]
        if n not in self.spaces:
            inputs, widths = self.weights[0].shape[-1], [bias.shape[-1] for bias in self.biases]
            kinds = (widths, widths[:-1], widths[:-1], [inputs], [inputs, widths[-1]])
            a, h, g, (g_in,), beside = ([np.empty((*shape, w), np.float32) for w in some] for some in kinds)
            self.spaces[n] = _Space(a, h, g, g_in, np.ones((1, n), np.float32), beside, self._wide(a))
        return self.spaces[n]

    def _wide(self, a: list[Array]) -> list[tuple[Array, Array]]:
        """What comes out of the layers (.., n, w), several rows as one, and the biases repeated as often, by
        every turn from here on.
        """
        *lead, n, _ = a[0].shape
        tile = math.gcd(n, TILE) if math.prod((*lead, n)) >= TILED else 1
        if tile > 1 and not self.tiles:
            self.tiles = [np.repeat(bias, TILE, -2) for bias in self.biases]
            self.copies += zip(self.tiles, self.biases, strict=True)
        pairs = zip(a, self.tiles if tile > 1 else self.biases, strict=True)
        return [(_widened(one, tile), _widened(bias[..., :tile, :], tile)) for one, bias in pairs]

    def turn(self) -> None:
        """Take over the weights for the forward pass, whose products read them turned: laid out that way they
        take two thirds of the time.
        """
        for copy, what in self.copies:
            np.copyto(copy, what)

    def forward(self, x: Array) -> Array:
        """(.., n, in) -> (.., n, out), with the weights of the last turn."""
        self.x, self.space = x, self._space(x.shape[:-1])
        a, h, wide = self.space.a, self.space.h, self.space.wide
        for i, turned in enumerate(self.turned):
            np.matmul(h[i - 1] if i else x, turned, out=a[i])
            np.add(*wide[i], out=wide[i][0])
            if i == 0 and self.gaps is not None:
                self.blank = (x == 0).astype(x.dtype)
                a[0] += self.blank @ _turned(self.gaps)
            if i < len(h):
                self.activation.array_into(a[i], h[i])
        if self.road is not None:
            a[-1] += np.matmul(x, self.road_turned, out=self.space.beside[1])
        return a[-1]

    def backward(self, g: Array, needed: bool) -> Array:
        """Gradients from g = dL/d out (.., n, out); dL/d in where `needed`."""
        a, h, below, g_in, ones, beside, _ = self.space
        last = g
        for i in range(len(self.weights) - 1, -1, -1):
            np.matmul(_turned(g), h[i - 1] if i else self.x, out=self.grads[i])
            np.matmul(ones, g, out=self.bias_grads[i])
            if i:
                g = np.matmul(g, self.weights[i], out=below[i - 1])
                self.activation.array_pull(g, a[i - 1], h[i - 1])
        if self.gaps is not None:
            np.matmul(_turned(g), self.blank, out=self.gaps_grad)
        if needed:
            np.matmul(g, self.weights[0], out=g_in)
        if self.road is not None:
            np.matmul(_turned(last), self.x, out=self.road_grad)
            if needed:
                g_in += np.matmul(last, self.road, out=beside[0])
        return g_in


def _widened(rows: Array, tile: int) -> Array:
    """Every `tile` rows (.., n, w) as one, (.., n / tile, tile w)."""
    *_, n, width = rows.shape
    return rows.reshape(*rows.shape[:-2], n // tile, tile * width)


def _lying(matrices: Array) -> Array:
    """Memory for them transposed."""
    return np.empty_like(_turned(matrices), order="C")


def _turned(matrices: Array) -> Array:
    """Transposed, each."""
    return matrices.swapaxes(-1, -2)


class _Step:
    """Fills `flat.grads` for one batch a member."""

    def __init__(self, members: Sequence[Any], flat: _Flat) -> None:
        self.objective, self.models = members[0].objective, len(members)
        over = members[0].network.over
        pairs = zip(over(_joined(flat.weights)), over(_joined(flat.grads)), strict=True)
        self.encoder, self.decoder = (_Half(chain, grads) for chain, grads in pairs)

    def __call__(self, batches: Any) -> dict[str, Any]:
        """The terms of the objective before the update, each (models,)."""
        self._turn()
        terms, g = self._through(batches[0] if self.models == 1 else batches)
        self.encoder.backward(self.decoder.backward(g, needed=True), needed=False)
        return terms

    def evaluate(self, rows: Sequence[Any]) -> list[dict[str, float]]:
        """Every term on other rows, as many of each member; one dict a member."""
        self._turn()
        total: Any = np.zeros(self.models)
        for places in _cut(_joined([one.numbers for one in rows]), CHUNK):
            total += self._through(_gathered(rows, places))[0]["loss"] * places.shape[-1]
        return [{"objective": loss, "loss": loss} for loss in (total / len(rows[0])).tolist()]

    def refresh(self) -> None:
        """No weight of a penalty changes."""

    def _turn(self) -> None:
        self.encoder.turn()
        self.decoder.turn()

    def _through(self, batch: Any) -> tuple[dict[str, Any], Any]:
        """The terms, and the gradient of the loss by the output (.., n, d)."""
        x, (*_, n, d) = batch.x, batch.x.shape
        output = self.decoder.forward(self.encoder.forward(x))
        loss, layout = self.objective.loss, self.objective.layout
        rows = x.reshape(-1, d), output.reshape(-1, d)
        total, g = loss.gradient(*rows, layout, batch.observed, self.models, 1 / n)
        mean = total / n
        return {"objective": mean, "loss": mean}, g.reshape(x.shape)
