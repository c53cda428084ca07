"""The space that is searched: from a model's codes to vectors or bits.

    z  --metric-->  v  --smoothing-->  v  --bits-->  packed bits

Smoothing moves a vector to where the training rows are dense: each is replaced by the mean of its nearest
neighbours among them, a few times over (mean shift, Fukunaga & Hostetler 1975). The step it takes is an
estimate of the gradient of the log density, the same quantity that a denoising autoencoder's residual is, and
it draws together what belongs together. It helps to find the same kind of thing and costs detail, so use it
for that, and not to find duplicates. What it needs of the training rows is learned once: rows added later
change nothing of those that are there.

Bits are the signs of the vectors after a rotation (iterative quantisation, Gong & Lazebnik 2011): the one
that brings principal axes as near to the corners of a cube as it can. A model with a `BinaryCode` gives bits
by itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import need
from isthmus.parts import Part
from isthmus.retrieval.exact import nearest
from isthmus.retrieval.metric import Metric, Placed, unit

__all__ = ["ITQ", "MeanShift", "Space"]

Array = NDArray[np.float32]
ROWS = 20_000  # training rows that a rotation is learned from, at most


class MeanShift(Part):
    """Each vector becomes the mean of its `neighbours` nearest among `anchors` training rows, `rounds`
    times.
    """

    neighbours: int = 20
    rounds: int = 3
    anchors: int = 10_000

    def check(self) -> None:
        """Raise unless all three are whole numbers of at least 1."""
        for name in ("neighbours", "rounds", "anchors"):
            value = getattr(self, name)
            good = isinstance(value, int) and not isinstance(value, bool) and value >= 1
            need(good, name, "be a whole number of at least 1", value, f"Use MeanShift({name}=20)")

    def learn(self, v: Array, rng: np.random.Generator, unit_length: bool) -> Array:
        """What the rounds look into: anchors as they are after each round but the last, (rounds, n, k)."""
        rows = rng.permutation(len(v))[: self.anchors]
        layers = [v[np.sort(rows)]]
        for _ in range(self.rounds - 1):
            layers.append(self.step(layers[-1], layers[-1], unit_length))
        return np.stack(layers)

    def step(self, v: Array, anchors: Array, unit_length: bool) -> Array:
        """Every vector as the mean of its neighbours."""
        _, found = nearest(v, anchors, min(self.neighbours, len(anchors)))
        moved = np.empty_like(v)
        for start in range(0, len(v), 4096):
            moved[start : start + 4096] = anchors[found[start : start + 4096]].mean(1)
        return unit(moved) if unit_length else moved

    def __call__(self, v: Array, layers: Array, unit_length: bool) -> Array:
        """All rounds."""
        for anchors in layers:
            v = self.step(v, anchors, unit_length)
        return v


class ITQ(Part):
    """`bits` bits of each vector: signs along rotated principal axes, the rotation found in `rounds` rounds.

    None takes as many bits as the code has numbers.
    """

    bits: int | None = None
    rounds: int = 50

    def learn(self, v: Array, rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
        """The mean (k,) and the turned axes (k, bits) of vectors like v (n, k)."""
        bits = v.shape[1] if self.bits is None else self.bits
        good = isinstance(bits, int) and 1 <= bits <= v.shape[1]
        need(
            good,
            "bits",
            f"be from 1 to the {v.shape[1]} numbers of the code",
            self.bits,
            f"Use ITQ({v.shape[1]})",
        )
        some = v[rng.permutation(len(v))[:ROWS]].astype(np.float64)
        mean = some.mean(0)
        _, _, axes = np.linalg.svd(some - mean, full_matrices=False)
        axes = axes[:bits].T
        projected = (some - mean) @ axes
        turn = np.linalg.qr(rng.normal(size=(axes.shape[1], axes.shape[1])))[0]
        for _ in range(self.rounds):  # the signs nearest to the turned points, then the turn nearest to them
            left, _, right = np.linalg.svd(np.sign(projected @ turn).T @ projected)
            turn = (left @ right).T
        return mean, axes @ turn

    def __call__(self, v: Array, mean: NDArray[Any], axes: NDArray[Any]) -> NDArray[np.uint8]:
        """Packed bits (n, ceil(bits / 8))."""
        return packed((v - mean) @ axes)


def packed(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Whether each value is at least 0, eight to a byte, filled up with zeros to whole words of 64 bits where
    there are more than 32.
    """
    bits = np.packbits(np.asarray(values) >= 0, axis=1)
    return np.pad(bits, ((0, 0), (0, -bits.shape[1] % 8))) if bits.shape[1] > 4 else bits


class Space:
    """Metric, smoothing and bits with what they learned: codes (n, k) in, vectors or packed bits out.

    `width` numbers or bytes each. `unit`: distances between vectors are shown as 1 - cosine.
    """

    def __init__(
        self, metric: Metric, smoothing: MeanShift | None, bits: ITQ | None, binary: bool, state: Any
    ) -> None:
        self.metric, self.smoothing, self.bits, self.binary = metric, smoothing, bits, binary
        self.state: dict[str, NDArray[Any]] = state
        self.placed = Placed(state["mean"], state["scale"], metric.unit)

    @classmethod
    def learn(
        cls,
        z: NDArray[Any],
        metric: Metric,
        smoothing: MeanShift | None,
        bits: ITQ | None,
        binary: bool,
        seed: int,
    ) -> Space:
        """The space for codes like z (n, k); binary codes are packed as they are."""
        rng = np.random.default_rng(seed)
        placed = metric.learn(z)
        state = {"mean": placed.mean, "scale": placed.scale}
        v = placed(z) if smoothing is not None or bits is not None else None
        if smoothing is not None and v is not None:
            state["anchors"] = smoothing.learn(v, rng, metric.unit)
            v = smoothing(v[:ROWS], state["anchors"], metric.unit) if bits is not None else v
        if bits is not None and v is not None:
            state["centre"], state["axes"] = bits.learn(v, rng)
        return cls(metric, smoothing, bits, binary, state)

    @property
    def packed(self) -> bool:
        """Whether vectors are bits."""
        return self.binary or self.bits is not None

    @property
    def width(self) -> int:
        """Numbers or bytes of a vector."""
        return int(self(np.zeros((1, len(self.state["mean"])))).shape[1])

    @property
    def unit(self) -> bool:
        """Whether vectors are numbers of length 1."""
        return self.metric.unit and not self.packed

    @property
    def said(self) -> str:
        """What the distance is, in a few words."""
        if self.packed:
            return "bits that differ"
        return "1 - cosine of the codes" if self.unit else f"{type(self.metric).__name__} distance of codes"

    def __call__(self, z: NDArray[Any]) -> NDArray[Any]:
        """Vectors (n, k) float32, or packed bits (n, bytes) uint8."""
        if self.binary:
            return packed(z)
        v = self.placed(z)
        if self.smoothing is not None:
            v = self.smoothing(v, self.state["anchors"], self.metric.unit)
        return v if self.bits is None else self.bits(v, self.state["centre"], self.state["axes"])

    def shown(self, distances: NDArray[np.float32]) -> NDArray[np.float32]:
        """Distances as users read them: of vectors of length 1, norm^2 / 2 = 1 - cosine, to 7 digits."""
        return np.round(np.square(distances) / 2, 7).astype(np.float32) if self.unit else distances

    def straight(self, distance: float) -> float:
        """The straight-line distance of one that users read."""
        return float(np.sqrt(2 * max(distance, 0.0))) if self.unit else float(distance)
