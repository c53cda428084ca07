"""The Gaussian of incomplete rows: mean and covariance by EM, and what is missing given what is seen.

With x ~ N(mu, Sigma) and Q = Sigma^-1, the missing features m of a row given the seen ones o are

    x_m | x_o ~ N(mu_m - Q_mm^-1 Q_mo (x_o - mu_o), Q_mm^-1)

so one small system for each row gives mean and covariance alike, as large as what is missing of it. EM puts
these means in the gaps, adds the covariances, takes mu and Sigma anew, and so on (Dempster, Laird & Rubin
1977). Of Gaussian rows no other answer has a smaller squared error; of others it is the best linear one.

Sigma is shrunk towards its diagonal, which for a column that is nearly another one - the end of a trip
beside its start - would be to forget all that the two differ by. Such a column is measured by what its
partner leaves of it, (x_j - r x_i) / sqrt(1 - r^2), and the shrinking happens there.

>>> rng = np.random.default_rng(0)
>>> x = rng.normal(size=(500, 1)) * [1.0, 2.0] + 0.1 * rng.normal(size=(500, 2))
>>> seen = rng.random(x.shape) < 0.8
>>> gaussian = Gaussian.of(x, seen)
>>> mean, variance = gaussian.conditional(np.array([[1.0, 0.0]]), np.array([[True, False]]))
>>> bool(abs(mean[0, 1] - 2.0) < 0.1), bool(variance[0, 1] < 0.1)
(True, True)
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Gaussian"]

ROUNDS = 60  # of EM at most
CLOSE = 1e-3  # a change of every correlation below this ends it
RIDGE = 1e-3  # share of the diagonal in Sigma at least, so that no direction is without spread
SHRINK = 0.1  # more of it, times columns over rows
BLOCK = 2_000_000  # numbers in the small systems solved at once, at most
TOGETHER = 64  # rows whose systems are solved at once, at most: all are as large as the largest of them
NEAR = 0.01  # share of a column's variance that its partner leaves, below which they are measured as a pair
LEAST = 1e-9  # of it: less counts as so much, and of that a tenth is always left
NOTHING = 1e-12  # of it: less is rounding, and the column the same as its partner
SHARED = 10  # rows with both, at least
WORK = 4_000_000_000  # multiplications in a round of EM at most: where it would be more, fewer rows are used
WIDE = 1_024  # features from which on no covariance is learned
KNOWN = 16  # Gaussians remembered, if together they have
NUMBERS = 4_000_000  # numbers at most

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


_known: dict[bytes, Gaussian] = {}
_changing = threading.Lock()


class Gaussian(NamedTuple):
    """mean (d,) and covariance (d, d)."""

    mean: Array
    covariance: Array

    @classmethod
    def of(cls, x: NDArray[np.floating], seen: Mask, rows: int = 8_000) -> Gaussian:
        """Fitted to the rows of x (n, d) where `seen` (n, d); features never seen get mean 0, variance 1.

        The last few are remembered: a network that starts at a Gaussian and whoever blends with it ask for
        the same one, and EM is dear.
        """
        step = max(1, -(-len(x) // rows), _too_much(seen))
        table, seen = x[::step].astype(np.float64), seen[::step]
        key = _digest(table, seen)
        found = _known.get(key) or cls._fitted(table, seen)
        with _changing:
            _known[key] = found
            while len(_known) > KNOWN or sum(g.covariance.size for g in _known.values()) > NUMBERS:
                del _known[next(iter(_known))]
        return cls(*(part.copy() for part in found))

    @classmethod
    def _fitted(cls, table: Array, seen: Mask) -> Gaussian:
        """By EM."""
        centre, scale = _marginals(table, seen)
        z = np.where(seen, (table - centre) / scale, 0.0)
        d = table.shape[1]
        if d > WIDE or len(z) < 3:
            return cls(centre, np.diag(scale**2))
        pairs = _Pairs.of(z, seen)
        found, measured = cls(np.zeros(d), pairs.back(np.eye(d))), np.eye(d)
        shrink = min(1.0, RIDGE + SHRINK * d / len(z))
        for _ in range(ROUNDS):
            before = measured
            found = found._updated(z, seen)
            measured = pairs.shrunk(found.covariance, shrink)
            found = cls(found.mean, pairs.back(measured))
            if np.abs(measured - before).max() < CLOSE:
                break
        return cls(centre + scale * found.mean, found.covariance * np.outer(scale, scale))

    def conditional(self, x: NDArray[np.floating], seen: Mask) -> tuple[Array, Array]:
        """Mean and variance of every feature of x (n, d) given those `seen` (n, d): (n, d) each; those seen
        are what they are, with variance 0.
        """
        filled = np.where(seen, x, self.mean)
        variance = np.zeros(filled.shape)
        for rows, places, there, inverse, shift in self._solved(filled, seen):
            at = (rows[:, None], places)
            filled[at] += shift
            variance[at] = np.where(there, np.diagonal(inverse, axis1=1, axis2=2), 0.0)
        return filled, variance

    def _updated(self, z: Array, seen: Mask) -> Gaussian:
        """One round of EM, nothing shrunk."""
        d, filled = z.shape[1], np.where(seen, z, self.mean)
        unsure = np.zeros(d * d)
        for rows, places, there, inverse, shift in self._solved(filled, seen):
            filled[rows[:, None], places] += shift
            pairs = (places[:, :, None] * d + places[:, None, :]).ravel()
            both = there[:, :, None] & there[:, None, :]
            unsure += np.bincount(pairs, (inverse * both).ravel(), minlength=d * d)
        mean = filled.mean(0)
        centred = filled - mean
        return Gaussian(mean, (centred.T @ centred + unsure.reshape(d, d)) / len(z))

    def _solved(self, filled: Array, seen: Mask) -> Iterator[tuple[Any, Any, Mask, Array, Array]]:
        """For blocks of rows with about as many gaps: their numbers (n,), the missing places (n, k) padded
        where not `there` (n, k), Q_mm^-1 (n, k, k), and what to add to the mean at those places (n, k).
        """
        precision = np.linalg.inv(self.covariance)
        missing = (~seen).sum(1)
        order = np.argsort(missing, kind="stable")[::-1]
        order = order[: np.count_nonzero(missing)]
        while len(order):
            k = int(missing[order[0]])
            rows, order = np.split(order, [max(1, min(TOGETHER, BLOCK // (k * k)))])
            places = np.argsort(seen[rows], axis=1, kind="stable")[:, :k]
            there = ~np.take_along_axis(seen[rows], places, 1)
            system = precision[places[:, :, None], places[:, None, :]]
            system *= there[:, :, None] & there[:, None, :]
            system[:, np.arange(k), np.arange(k)] += ~there
            inverse = np.linalg.inv(system)
            pull = np.take_along_axis((filled[rows] - self.mean) @ precision, places, 1) * there
            yield rows, places, there, inverse, -(inverse @ pull[:, :, None])[:, :, 0] * there


class _Pairs(NamedTuple):
    """Columns measured by what a partner before them leaves: there = T x, back = T^-1; None without any."""

    near: NDArray[np.intp] | None = None
    turn: Array | None = None
    inverse: Array | None = None

    @classmethod
    def of(cls, z: Array, seen: Mask) -> _Pairs:
        """The partner of every column of z (n, d), 0 where not seen: of those before, the most correlated."""
        known = seen.astype(np.float64)
        count = np.maximum(known.T @ known, 1.0)
        mean = (z.T @ known) / count  # of a column, over the rows that have the other
        variance = np.maximum((z**2).T @ known / count - mean**2, 0.0)
        r = ((z.T @ z) / count - mean * mean.T) / np.sqrt(np.maximum(variance * variance.T, 1e-300))
        varied = np.minimum(variance, variance.T) > NOTHING  # both, over the rows they share
        r = np.tril(np.where((count >= SHARED) & varied, np.clip(r, -1, 1), 0.0), -1)
        partner = np.abs(r).argmax(1)
        r = r[np.arange(len(r)), partner]
        left = 1 - r**2
        near = np.flatnonzero((left > NOTHING) & (left < NEAR))
        if not len(near):
            return cls()
        turn = np.eye(len(r))
        turn[near, partner[near]] = -r[near]
        turn[near] /= np.sqrt(np.maximum(left[near], LEAST))[:, None]
        return cls(near, turn, np.asarray(np.linalg.inv(turn), np.float64))

    def shrunk(self, covariance: Array, shrink: float) -> Array:
        """The covariance of T x with a share less of what is off the diagonal, and some spread everywhere."""
        if self.turn is not None:
            covariance = self.turn @ covariance @ self.turn.T
        ordinary = np.diagonal(covariance).copy()
        if self.near is not None:
            ordinary[self.near] = np.maximum(ordinary[self.near], 0.1)
        covariance = covariance * (1 - shrink)
        covariance[np.diag_indices(len(covariance))] = ordinary + 1e-6
        return covariance

    def back(self, covariance: Array) -> Array:
        """The covariance of x from that of T x."""
        return covariance if self.inverse is None else self.inverse @ covariance @ self.inverse.T


def _marginals(x: NDArray[Any], seen: Mask) -> tuple[Array, Array]:
    """Mean and standard deviation of what is seen of every feature; 0 and 1 where there is none."""
    count = np.maximum(1, seen.sum(0))
    mean = np.where(seen, x, 0.0).sum(0) / count
    spread = np.sqrt((np.where(seen, x - mean, 0.0) ** 2).sum(0) / count)
    return mean, np.where(spread > 1e-6, spread, 1.0)


def _digest(table: Array, seen: Mask) -> bytes:
    """Of rows where they are seen."""
    digest = hashlib.blake2b(np.where(seen, table, 0.0).tobytes(), digest_size=16)
    digest.update(np.packbits(seen).tobytes() + repr(table.shape).encode())
    return digest.digest()


def _too_much(seen: Mask) -> int:
    """Every how many rows to take, so that a round of EM stays within `WORK`."""
    cost = float(((~seen).sum(1).astype(np.float64) ** 3).sum()) + len(seen) * seen.shape[1] ** 2
    return int(np.ceil(cost / WORK))
