"""Groups of near-duplicates: every row within a distance of its group's representative.

Joining whatever is near (single linkage) makes chains whose ends have nothing in common. Here the row with
the most neighbours leads the first group and takes them all, then the row with the most neighbours among
the rest, and so on: no row is farther from its representative than was asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.retrieval.exact import nearest, pairs_within

__all__ = ["groups_within", "usual_threshold"]

ROWS = 2_000  # whose nearest neighbour says what is usual
SHARE = 0.1  # of the median distance to it


def groups_within(
    vectors: NDArray[Any], limit: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """Group, place, distance to the representative, and whether it is that, of every vector in a group of two
    or more; the largest groups first, in each the representative first.
    """
    left, right, apart = pairs_within(vectors, limit)
    ends = np.concatenate([left, right]), np.concatenate([right, left])
    order = np.argsort(ends[0], kind="stable")
    others, distances = ends[1][order], np.concatenate([apart, apart])[order]
    counts = np.bincount(ends[0], minlength=len(vectors))
    starts = np.cumsum(counts) - counts
    free = np.ones(len(vectors), np.bool_)
    found: list[tuple[int, NDArray[np.int64], NDArray[Any]]] = []
    for lead in np.argsort(-counts, kind="stable"):
        if counts[lead] == 0:
            break
        if not free[lead]:
            continue
        near = slice(starts[lead], starts[lead] + counts[lead])
        still = free[others[near]]
        free[lead] = False
        if still.any():
            mine = others[near][still]
            free[mine] = False
            found.append((int(lead), mine, distances[near][still]))
    found.sort(key=lambda some: -len(some[1]))
    group = [np.full(1 + len(mine), g) for g, (_, mine, _) in enumerate(found)]
    places = [np.concatenate([[lead], mine]) for lead, mine, _ in found]
    far = [np.concatenate([[0.0], distance]) for _, _, distance in found]
    leads = [np.arange(1 + len(mine)) == 0 for _, mine, _ in found]
    empty = np.empty(0)
    joined = [np.concatenate(some or [empty]) for some in (group, places, far, leads)]
    return joined[0].astype(np.int64), joined[1].astype(np.int64), joined[2], joined[3].astype(np.bool_)


def usual_threshold(vectors: NDArray[Any], space: Any) -> float:
    """A tenth of the median distance between nearest neighbours, as users read distances; of bits 0."""
    if len(vectors) < 3 or vectors.dtype == np.uint8:
        return 0.0
    some = np.random.default_rng(0).permutation(len(vectors))[:ROWS]
    second = nearest(vectors[some], vectors, 2)[0][:, 1]
    return float(space.shown(np.array([SHARE * float(np.median(second))], np.float32))[0])
