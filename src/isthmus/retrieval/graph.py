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
    from isthmus.retrieval.index import Graph, Held

__all__ = ["Links", "built", "measured", "restored", "set_aside"]

Search = Callable[[Any, int], Any]

TESTED = 512  # vectors that recall is measured on, at most
ADDED = 65_536  # vectors put into the graph together
K = 10
LEAST = 10  # effort of a search that is tried first
HIGHEST = 1000  # effort; pgvector's limit as well
MANY = 64  # questions that are worth putting in order
LOOSE = 20_000  # vectors beside the graph before they are put into it


class Links:
    """A graph over the first rows of what is held; keys are places."""

    loose = LOOSE

    def __init__(self, graph: Any, facts: dict[str, Any]) -> None:
        self.graph, self.facts = graph, facts
        self.curve: Curve | None = None

    def __len__(self) -> int:
        return len(self.graph)

    def search(self, held: Held | None, queries: NDArray[Any], k: int) -> Found:
        """Distances and places (q, k) of the nearest it finds, whether or not they are alive."""
        if held is not None and len(queries) >= MANY:
            self.curve = self.curve or Curve(held.vectors)
            order = self.curve.order(queries)
            back = np.argsort(order)
            distances, places = self._search(queries[order], k)
            return distances[back], places[back]
        return self._search(queries, k)

    def _search(self, queries: NDArray[Any], k: int) -> Found:
        self.graph.expansion_search = max(int(self.facts["effort"]), k)
        found = self.graph.search(queries, k, threads=1)
        places = found.keys.view(np.int64).reshape(len(queries), -1)
        squares = found.distances.reshape(places.shape)
        distances: NDArray[np.float32] = np.sqrt(np.maximum(squares, 0, dtype=np.float32))
        counts = np.asarray(getattr(found, "counts", places.shape[1])).reshape(-1, 1)  # none for one question
        if places.shape[1] == k and (len(queries) == 1 or (counts == k).all()):
            return distances, places
        more = ((0, 0), (0, k - places.shape[1]))
        lost = np.arange(k) >= counts
        distances = np.where(lost, np.inf, np.pad(distances, more)).astype(np.float32)
        return distances, np.where(lost, -1, np.pad(places, more))

    def add(self, vectors: NDArray[Any]) -> None:
        """Take in more, which come after those that are there."""
        first = len(self.graph)
        self.graph.add(np.arange(first, first + len(vectors), dtype=np.uint64), vectors, threads=1)

    def put(self, places: NDArray[np.int64], vectors: NDArray[Any]) -> None:
        """Take in the vectors at some places."""
        self.graph.add(places.astype(np.uint64), np.ascontiguousarray(vectors[places]), threads=1)

    def save(self, path: Path) -> None:
        """Write it to a file."""
        self.graph.save(str(path))


def built(part: Graph, vectors: NDArray[Any]) -> Links:
    """The graph of vectors (n, d), its effort raised until it finds enough of the true neighbours.

    Recall is measured on vectors that are not in the graph yet, as a question's is not; they come last.
    """
    links = Links(_empty(part, vectors.shape[1]), {"effort": LEAST})
    links.curve = Curve(vectors)
    aside, alive = set_aside(len(vectors)), np.ones(len(vectors), np.bool_)
    alive[aside] = False
    rest = links.curve.order(vectors)
    rest = rest[alive[rest]]
    for start in range(0, len(rest), ADDED):
        links.put(rest[start : start + ADDED], vectors)

    def approximate(effort: int, queries: Any, k: int) -> Any:
        links.facts["effort"] = effort
        return links.search(None, queries, k)[1]

    found = measured(vectors[aside], part, lambda q, k: nearest(q, vectors, k, alive)[1], approximate)
    links.facts |= {"rows": len(vectors), **found}
    links.put(aside, vectors)
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
        dtype="f32",
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
