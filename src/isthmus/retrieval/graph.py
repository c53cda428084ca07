"""The approximate index: usearch's graph, and how good it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus.retrieval.curve import Curve
from isthmus.retrieval.exact import Found, nearest

if TYPE_CHECKING:
    from isthmus.retrieval.index import Graph

__all__ = ["Links", "built", "measured", "restored", "set_aside"]

Search = Callable[[Any, int], Any]

TESTED = 512  # vectors that recall is measured on, at most
ADDED = 65_536  # vectors put into the graph together
K = 10
LEAST = 10  # effort of a search that is tried first
HIGHEST = 1000  # effort; pgvector's limit as well
MANY = 64  # questions that are worth putting in order
TOGETHER = 2**21  # numbers of what was found that are compared at a time
HUGE = 6e4  # what 16 bits can hold, in units of the mean size
LOOSE = 20_000  # vectors beside the graph before they are put into it


class Links:
    """A graph over the first rows of what is held; keys are places.

    It keeps numbers of 16 bits, half the memory that a search walks through; what it finds is put in order by
    the vectors themselves.
    """

    loose = LOOSE

    def __init__(self, graph: Any, facts: dict[str, Any]) -> None:
        self.graph, self.facts, self.scale = graph, facts, np.float32(facts["scale"])
        self.curve: Curve | None = None
        self.effort = 0  # what the graph was last told

    def __len__(self) -> int:
        return len(self.graph)

    def search(self, vectors: NDArray[Any], queries: NDArray[Any], k: int) -> Found:
        """Distances and places (q, k) of the nearest it finds among vectors, alive or not."""
        if len(queries) == 1 and k <= len(self.graph):
            return self._alone(vectors, queries[0], k)
        many = max(1, TOGETHER // (2 * k * vectors.shape[1]))
        if len(queries) <= min(many, MANY):
            return self._search(vectors, queries, k)
        self.curve = self.curve or Curve(vectors)
        order = self.curve.order(queries)
        parts = [order[start : start + many] for start in range(0, len(order), many)]
        found = [self._search(vectors, queries[part], k) for part in parts]
        back = np.argsort(order)
        distances, places = (np.concatenate(some)[back] for some in zip(*found, strict=True))
        return distances, places

    def _alone(self, vectors: NDArray[Any], query: NDArray[Any], k: int) -> Found:
        """The same for one question (n,), where every small array counts."""
        wanted, scaled = self._tries(k), query * self.scale
        if not scaled.dot(scaled) <= HUGE**2:
            scaled = _within(scaled)
        places = self.graph.search(scaled, wanted, threads=1).keys.view(np.int64)
        off = vectors.take(places, axis=0)
        off -= query
        squares = np.einsum("ij,ij->i", off, off)
        order = squares.argsort()[:k]
        distances, places = np.sqrt(squares[order])[None], places[order][None]
        return _padded(distances, places, k) if len(order) < k else (distances, places)

    def _tries(self, k: int) -> int:
        """How many to look for, so that the k nearest are among them; the graph's effort is set to it."""
        wanted = min(k + k // 2 + 1, len(self.graph))
        effort = max(int(self.facts["effort"]), wanted)
        if effort != self.effort:
            self.effort = self.graph.expansion_search = effort
        return wanted

    def _search(self, vectors: NDArray[Any], queries: NDArray[Any], k: int) -> Found:
        wanted = self._tries(k)
        found = self.graph.search(_within(queries * self.scale), wanted, threads=1)
        places = found.keys.view(np.int64).reshape(len(queries), -1)
        counts = np.asarray(getattr(found, "counts", places.shape[1])).reshape(-1, 1)  # none for one question
        if len(queries) > 1 and (counts < places.shape[1]).any():
            places = np.where(np.arange(places.shape[1]) < counts, places, -1)
        squares = np.square(vectors[places] - queries[:, None]).sum(2)
        squares[places < 0] = np.inf
        order = squares.argsort(1)[:, :k]
        rows = np.arange(len(queries))[:, None]
        distances, places = np.sqrt(squares[rows, order]), places[rows, order]
        return _padded(distances, places, k) if places.shape[1] < k else (distances, places)

    def add(self, vectors: NDArray[Any]) -> None:
        """Take in more, which come after those that are there."""
        first = len(self.graph)
        self.put(np.arange(first, first + len(vectors)), vectors)

    def put(self, places: NDArray[np.int64], vectors: NDArray[Any]) -> None:
        """Take in vectors, which are those at some places."""
        scaled = np.clip(vectors * self.scale, -HUGE, HUGE)
        self.graph.add(places.astype(np.uint64), scaled, threads=1)

    def save(self, path: Path) -> None:
        """Write it to a file."""
        self.graph.save(str(path))


def _padded(distances: NDArray[Any], places: NDArray[Any], k: int) -> Found:
    """What was found (q, fewer) as (q, k): what is lacking is place -1, infinitely far away."""
    lacking = ((0, 0), (0, k - places.shape[1]))
    return np.pad(distances, lacking, constant_values=np.inf), np.pad(places, lacking, constant_values=-1)


def _within(queries: NDArray[Any]) -> NDArray[Any]:
    """Questions (.., n) that 16 bits can hold: what is farther out is brought in on a straight line."""
    if np.abs(queries).max() <= HUGE:
        return queries
    shrunk: NDArray[Any] = queries * np.minimum(1, HUGE / np.abs(queries).max(-1, keepdims=True))
    return shrunk.astype(np.float32)


def built(part: Graph, vectors: NDArray[Any]) -> Links:
    """The graph of vectors (n, d), its effort raised until it finds enough of the true neighbours.

    Recall is measured on vectors that are not in the graph yet, as a question's is not; they come last.
    """
    scale = 1 / max(float(np.abs(vectors[:: max(1, len(vectors) // 1000)]).mean()), 1e-30)
    links = Links(_empty(part, vectors.shape[1]), {"effort": LEAST, "scale": scale})
    links.curve = Curve(vectors)
    aside, alive = set_aside(len(vectors)), np.ones(len(vectors), np.bool_)
    alive[aside] = False
    rest = links.curve.order(vectors)
    rest = rest[alive[rest]]
    for start in range(0, len(rest), ADDED):
        some = rest[start : start + ADDED]
        links.put(some, vectors[some])

    def approximate(effort: int, queries: Any, k: int) -> Any:
        links.facts["effort"] = effort
        return links.search(vectors, queries, k)[1]

    found = measured(vectors[aside], part, lambda q, k: nearest(q, vectors, k, alive)[1], approximate)
    links.facts |= {"rows": len(vectors), **found}
    links.put(aside, vectors[aside])
    return links


def set_aside(rows: int) -> NDArray[np.int64]:
    """Places of the rows that recall is measured on, ascending."""
    return np.sort(np.random.default_rng(0).choice(rows, min(TESTED, rows // 5), replace=False))


def restored(part: Graph, width: int, path: Path, facts: dict[str, Any]) -> Links:
    """A graph from its file."""
    graph = _empty(part, width)
    graph.load(str(path))
    return Links(graph, facts)


def _empty(part: Graph, width: int) -> Any:
    from usearch.index import Index

    return Index(
        ndim=width,
        metric="l2sq",
        dtype="f16",
        connectivity=part.links,
        expansion_add=part.effort,
        multi=False,
    )


def measured(
    queries: NDArray[Any], part: Graph, exact: Search, approximate: Callable[[int, Any, int], Any]
) -> dict[str, Any]:
    """Recall at 10 against exact search, and the least effort for what was asked for.

    exact(queries, k) and approximate(effort, queries, k) give numbers or places (q, k).
    """
    true = exact(queries, K)

    def recall(effort: int) -> float:
        found = approximate(effort, queries, K)
        shared = sum(len(np.intersect1d(a, b)) for a, b in zip(true, found, strict=True))
        return float(shared / max(1, true.size))

    short, enough = LEAST - 1, LEAST
    reached = recall(enough)
    while reached < part.recall and enough < HIGHEST:
        short, enough = enough, min(HIGHEST, 2 * enough)
        reached = recall(enough)
    while reached >= part.recall and enough - short > max(1, enough // 20):
        between = (short + enough) // 2
        if (found := recall(between)) >= part.recall:
            enough, reached = between, found
        else:
            short = between
    return {"recall": reached, "tested": len(queries), "effort": enough}
