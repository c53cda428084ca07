"""Exact search: every vector is compared, block by block, by one matrix product.

    norm(q - v)^2 = norm(q)^2 - 2 q.v + norm(v)^2

The product of a block of queries and a block of vectors stays in the processor's cache; of each, only the
few that beat what was found before are looked at again, so that comparing costs what the product costs. The
k nearest are then measured once more by plain subtraction, because the formula above cancels where two
vectors are nearly equal.

Vectors of bits, packed eight to a byte, differ in popcount(q xor v) bits.

>>> nearest(np.float32([[0.0]]), np.float32([[2.0], [1.0], [5.0]]), 2)
(array([[1., 2.]], dtype=float32), array([[1, 0]]))
>>> nearest(np.uint8([[0b101]]), np.uint8([[0b111], [0b101]]), 1)
(array([[0.]], dtype=float32), array([[1]]))
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["merged", "nearest", "pairs_within"]

QUERIES = 256  # at a time
VECTORS = 8192  # at a time
MEASURED = 2**21  # numbers that are subtracted at a time

Found = tuple[NDArray[np.float32], NDArray[np.int64]]


def nearest(
    queries: NDArray[Any], vectors: NDArray[Any], k: int, alive: NDArray[np.bool_] | None = None
) -> Found:
    """Distances (q, k) and places (q, k) of the k nearest of vectors (n, d) to queries (q, d), nearest first.

    uint8 arrays are packed bits, and the distance is the number of bits that differ; of others it is
    norm(q - v). Ties go by place. alive (n,): vectors that may be found. Where there are fewer than k, the
    rest is inf and -1.
    """
    k_there = min(k, len(vectors) if alive is None else int(alive.sum()))
    distances = np.full((len(queries), k), np.inf, np.float32)
    places = np.full((len(queries), k), -1, np.int64)
    for start in range(0, len(queries) if k_there else 0, QUERIES):
        some = slice(start, start + QUERIES)
        best = _nearest(queries[some], vectors, k_there, alive)
        distances[some, :k_there], places[some, :k_there] = best
    return distances, places


def _nearest(q: NDArray[Any], vectors: NDArray[Any], k: int, alive: NDArray[np.bool_] | None) -> Found:
    """The same for one block of queries, with at least k vectors alive."""
    bits = vectors.dtype == np.uint8
    rows = np.arange(len(q))[:, None]
    kept = np.empty((len(q), 0), np.float32)
    where = np.empty((len(q), 0), np.int64)
    step = max(VECTORS, 2 * k)
    squares = None if bits else np.square(q, dtype=np.float32).sum(1)[:, None]
    for start in range(0, len(vectors), step):
        block = vectors[start : start + step]
        apart = _differing(q, block) if bits else _apart(q, squares, block)
        if alive is not None:
            apart[:, ~alive[start : start + step]] = np.inf
        near, there = _candidates(apart, k, kept)
        kept = np.concatenate([kept, near], 1)
        where = np.concatenate([where, np.where(there >= 0, there + start, -1)], 1)
        if kept.shape[1] > k:
            first = np.lexsort((where, kept), axis=1)[:, :k]
            kept, where = kept[rows, first], where[rows, first]
    if not bits:
        kept = _measured(q, vectors, where)
    order = np.lexsort((where, kept), axis=1)
    return kept[rows, order], where[rows, order]


def _measured(q: NDArray[Any], vectors: NDArray[Any], where: NDArray[np.int64]) -> NDArray[np.float32]:
    """norm(q - v) (q, k) by subtraction, of the vectors at `where` (q, k)."""
    apart = np.empty(where.shape, np.float32)
    some = max(1, MEASURED // max(1, where.shape[1] * q.shape[1]))
    for start in range(0, len(q), some):
        part = slice(start, start + some)
        difference = vectors[where[part]] - q[part, None]
        apart[part] = np.sqrt(np.einsum("ijk,ijk->ij", difference, difference))
    return apart


def _candidates(
    apart: NDArray[np.float32], k: int, kept: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Of a block of distances (q, n) those that may be among the k least: (q, m), padded by inf and -1.

    What is as far as the k-th is among them in the first block, and not in later ones: ties go by place.
    """
    if kept.shape[1] >= k:
        return _picked(apart, apart < kept.max(1, keepdims=True))
    if apart.shape[1] <= k:
        return apart, np.broadcast_to(np.arange(apart.shape[1]), apart.shape)
    return _picked(apart, apart <= np.partition(apart, k - 1, axis=1)[:, k - 1 : k])


def _picked(
    apart: NDArray[np.float32], wanted: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The distances that are wanted, few in a row."""
    flat = np.flatnonzero(wanted)
    row, column = np.divmod(flat, apart.shape[1])
    counts = np.bincount(row, minlength=len(apart))
    rank = np.arange(len(flat)) - np.repeat(np.cumsum(counts) - counts, counts)
    shape = (len(apart), int(counts.max()))
    near, there = np.full(shape, np.inf, np.float32), np.full(shape, -1, np.int64)
    near[row, rank], there[row, rank] = apart.ravel()[flat], column
    return near, there


def _apart(q: NDArray[np.float32], squares: Any, block: NDArray[np.float32]) -> NDArray[np.float32]:
    """norm(q - v)^2 (q, n) by one product."""
    apart: NDArray[np.float32] = q @ block.T
    apart *= -2
    apart += squares
    apart += np.einsum("ij,ij->i", block, block)
    return apart


def _differing(q: NDArray[np.uint8], block: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Bits that differ, (q, n)."""
    wide = 8 if q.shape[1] % 8 == 0 else 1
    words: Any = np.uint64 if wide == 8 else np.uint8
    a, b = (np.ascontiguousarray(part).view(words) for part in (q, block))
    total = np.zeros((len(q), len(block)), np.float32)
    for j in range(a.shape[1]):
        total += _counted(a[:, j, None] ^ b[None, :, j])
    return total


def _table_counted(words: NDArray[Any]) -> NDArray[np.int64]:
    """Bits that are set in each word, for a numpy before 2.0."""
    inside = words[..., None].view(np.uint8)
    counted: NDArray[np.int64] = np.unpackbits(inside, axis=-1).sum(-1, dtype=np.int64)
    return counted


_counted = getattr(np, "bitwise_count", _table_counted)


def merged(parts: list[Found], k: int) -> Found:
    """The k nearest of what was found in several sets, with places as they are."""
    distances, places = (np.concatenate(some, 1) for some in zip(*parts, strict=True))
    order = np.lexsort((places, distances), axis=1)[:, :k]
    rows = np.arange(len(order))[:, None]
    return distances[rows, order], places[rows, order]


def pairs_within(vectors: NDArray[Any], limit: float) -> Any:
    """All pairs (i, j), i < j, of vectors (n, d) at most `limit` apart, as two arrays, and their
    distances.
    """
    left, right, apart = [], [], []
    bits = vectors.dtype == np.uint8
    for i in range(0, len(vectors), 1024):
        q = vectors[i : i + 1024]
        squares = None if bits else np.square(q).sum(1)[:, None]
        for j in range(i, len(vectors), VECTORS):
            block = vectors[j : j + VECTORS]
            far = _differing(q, block) if bits else _apart(q, squares, block)
            bound = limit if bits else limit**2 + 1e-5 * (1 + float(np.square(q).sum(1).max()))
            a, b = np.nonzero(far <= bound)
            a, b = a + i, b + j
            a, b = a[a < b], b[a < b]
            exact = far[a - i, b - j] if bits else np.linalg.norm(vectors[a] - vectors[b], axis=1)
            near = exact <= limit
            left.append(a[near])
            right.append(b[near])
            apart.append(exact[near])
    empty = np.empty(0, np.int64)
    return tuple(np.concatenate(some or [empty]) for some in (left, right, apart))
