"""The index: a store's vectors in memory, brought up to date before every question.

Exact search needs nothing else, and is quick for longer than one thinks. `Graph` adds an approximate index (a
navigable small-world graph, Malkov & Yashunin 2018, by usearch) for large sets. It is a cache: the store can
do without, and it is built again where it is missing or damaged. How many of the true neighbours it finds is
measured when it is built, and its effort raised until it finds as many as were asked for.

A filter never costs results. The rows that satisfy it are known before the search; where they are few all of
them are compared, and where they are many the graph is asked for more than k until k of them satisfy it, and
failing that all are compared.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import DataError, need
from isthmus.parts import Part
from isthmus.retrieval.exact import Found, merged, nearest
from isthmus.retrieval.store import Ids, Store
from isthmus.retrieval.where import Condition

__all__ = ["Exact", "Graph", "Held", "Index", "Prefix", "has_usearch"]

SURVIVORS = 20_000  # that satisfy a filter, up to which all are compared
REMEMBERED = 8  # filters


def has_usearch() -> bool:
    """Whether the package of the approximate index is there."""
    from importlib.util import find_spec

    return find_spec("usearch") is not None


class Index(Part):
    """A way to find the nearest among vectors in memory."""

    def __call__(self, vectors: NDArray[Any]) -> Any:
        """What is prepared for these vectors, or None: all are compared."""
        return None

    def wants(self, rows: int) -> bool:
        """Whether so many vectors are worth preparing anything."""
        return False


class Exact(Index):
    """Compare with every vector."""


class Prefix(Index):
    """Compare with the first `width` numbers of every vector, and with all numbers of the `candidates` * k
    nearest by those: for nested codes, whose prefixes are codes.
    """

    width: int = 8
    candidates: int = 10

    def wants(self, rows: int) -> bool:
        """Always."""
        return True

    def __call__(self, vectors: NDArray[Any]) -> Any:
        """The prefixes."""
        good = isinstance(self.width, int) and 1 <= self.width <= vectors.shape[1]
        need(good, "width", f"be from 1 to the {vectors.shape[1]} of a vector", self.width, "Use Prefix(8)")
        return _Prefixes(self, np.ascontiguousarray(vectors[:, : self.width]))


class _Prefixes:
    """Short vectors beside the long ones."""

    loose = 0

    def __init__(self, part: Prefix, short: NDArray[Any]) -> None:
        self.part, self.short, self.facts = part, short, {"rows": len(short), "prefix": part.width}

    def __len__(self) -> int:
        return len(self.short)

    def search(self, vectors: NDArray[Any], queries: NDArray[Any], k: int) -> Found:
        """Places of the k nearest among vectors, whether or not they are alive."""
        many = min(len(self.short), k * self.part.candidates)
        _, places = nearest(queries[:, : self.part.width], self.short, many)
        found = np.empty((len(queries), k), np.float32), np.empty((len(queries), k), np.int64)
        for i, some in enumerate(places):
            some = np.sort(some)
            apart, order = nearest(queries[i : i + 1], vectors[some], k)
            found[0][i], found[1][i] = apart[0], np.where(order[0] < 0, -1, some[order[0]])
        return found

    def add(self, vectors: NDArray[Any]) -> None:
        """Take in more."""
        self.short = np.concatenate([self.short, vectors[:, : self.part.width]])


class Graph(Index):
    """An approximate index from `least` rows on; it needs usearch, the extra `isthmus[search]`.

    recall: share of the true 10 nearest that must be found; the effort of a search is raised until it is,
        when the graph is built. links: neighbours of each vector in the graph. effort: vectors looked at for
        each that is built in. least: rows below which all are compared.
    """

    recall: float = 0.96
    links: int = 24
    effort: int = 64
    least: int = 200_000

    def wants(self, rows: int) -> bool:
        """Whether there are so many."""
        return rows >= self.least

    def __call__(self, vectors: NDArray[Any]) -> Any:
        """The graph of float vectors; packed bits are compared one by one."""
        from isthmus.retrieval.graph import built

        if not has_usearch():
            raise DataError(
                "Graph() needs usearch; got none. Install it with: pip install 'isthmus[search]'."
            )
        return None if vectors.dtype == np.uint8 else built(self, vectors)


class Held:
    """The vectors of a store in memory, in the order they came, and what an index prepared for the first of
    them.
    """

    def __init__(self, index: Index) -> None:
        self.index = index
        self.version = -1
        self.mark: Any = None
        self.numbers = np.empty(0, np.int64)
        self._vectors: NDArray[Any] = np.empty((0, 0), np.float32)
        self.alive = np.empty(0, np.bool_)
        self.dead = 0
        self.prepared: Any = None
        self.filters: dict[Any, NDArray[np.int64]] = {}

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def vectors(self) -> NDArray[Any]:
        """(n, width), those that are dead among them."""
        return self._vectors[: len(self.numbers)]

    # ---------------------------------------------------------------- following the store

    def follow(self, store: Store) -> None:
        """Take in what has changed."""
        mark = store.mark()  # type: ignore[attr-defined]
        if mark == self.mark:
            return
        changes = store.changes(self.version)  # type: ignore[attr-defined]
        if changes.version != self.version:
            self._take_in(store, changes)
        self.mark = mark

    def _take_in(self, store: Store, changes: Any) -> None:
        self.filters.clear()
        if changes.whole or not len(self) or self.dead + len(changes.gone) > max(1000, len(self) // 3):
            changes = store.changes(-1) if self.version >= 0 else changes  # type: ignore[attr-defined]
            self._start(changes.ids, changes.vectors)
        else:
            self._bury(np.concatenate([changes.gone, changes.ids]))
            self._append(changes.ids, changes.vectors)
        self.version = changes.version
        self._prepare()

    def _start(self, ids: Ids, vectors: NDArray[Any]) -> None:
        self.numbers, self._vectors = ids, vectors
        self.alive, self.dead = np.ones(len(ids), np.bool_), 0
        self.prepared = None

    def _bury(self, ids: Ids) -> None:
        places = np.flatnonzero(np.isin(self.numbers, ids) & self.alive)
        self.alive[places] = False
        self.dead += len(places)

    def _append(self, ids: Ids, vectors: NDArray[Any]) -> None:
        n, more = len(self.numbers), len(ids)
        if not more:
            return
        if n + more > len(self._vectors):
            grown = np.empty((n + max(more, n // 4, 1024), vectors.shape[1]), vectors.dtype)
            grown[:n] = self.vectors
            self._vectors = grown
        self._vectors[n : n + more] = vectors
        self.numbers = np.concatenate([self.numbers, ids])
        self.alive = np.concatenate([self.alive, np.ones(more, np.bool_)])

    def _prepare(self) -> None:
        n = len(self)
        if not self.index.wants(n):
            self.prepared = None
        elif self.prepared is None:
            self.prepared = self.index(self.vectors)
        elif n - len(self.prepared) > self.prepared.loose:
            self.prepared.add(self.vectors[len(self.prepared) :])

    def everything(self, store: Store) -> tuple[Ids, NDArray[Any]]:
        """All numbers, ascending, and all vectors."""
        self.follow(store)
        order = np.flatnonzero(self.alive)
        order = order[np.argsort(self.numbers[order], kind="stable")]
        return self.numbers[order], self.vectors[order]

    # ---------------------------------------------------------------- searching

    def nearest(self, store: Store, queries: NDArray[Any], k: int, condition: Condition | None) -> Found:
        """Distances and numbers (q, k) of the nearest that satisfy a condition."""
        self.follow(store)
        if condition is None and not self.dead and self.prepared is not None:
            done = len(self.prepared)
            if k <= done == len(self.numbers):
                distances, places = self.prepared.search(self.vectors, queries, k)
                last = places[:, -1]
                if (last[0] if len(last) == 1 else last.min()) >= 0:
                    return distances, self.numbers.take(places)
        places = None if condition is None else self._survivors(store, condition)
        if self.prepared is None or (places is not None and len(places) <= SURVIVORS):
            return self._numbered(self._compared(queries, k, places))
        return self._numbered(self._by_index(queries, k, places))

    def _numbered(self, found: Found) -> Found:
        distances, places = found
        if not len(self.numbers):
            return found
        return distances, np.where(places < 0, -1, self.numbers[places])

    def _survivors(self, store: Store, condition: Condition) -> NDArray[np.int64]:
        """Places of the rows that satisfy a condition."""
        if condition not in self.filters:
            while len(self.filters) >= REMEMBERED:
                del self.filters[next(iter(self.filters))]
            wanted = np.isin(self.numbers, store.ids(condition)) & self.alive
            self.filters[condition] = np.flatnonzero(wanted)
        return self.filters[condition]

    def _compared(self, queries: NDArray[Any], k: int, places: NDArray[np.int64] | None) -> Found:
        """By comparing with every vector that is alive, or with those at some places."""
        if places is None:
            return nearest(queries, self.vectors, k, self.alive if self.dead else None)
        distances, found = nearest(queries, self.vectors[places], k)
        return distances, np.where(found < 0, -1, places[found]) if len(places) else found

    def _by_index(self, queries: NDArray[Any], k: int, places: NDArray[np.int64] | None) -> Found:
        """By what was prepared, with as many more as the filter may cost, and by comparing where that
        fails.
        """
        done = len(self.prepared)
        good, left = self.alive, len(self) - self.dead
        if places is not None:
            good, left = np.zeros(len(self), np.bool_), len(places)
            good[places] = True
        share = max(left / len(self), 1e-9)
        many = min(
            done, int(k / share * (1 if left == len(self) else 1.5)) + (0 if left == len(self) else 10)
        )
        distances, near = self.prepared.search(self.vectors, queries, many)
        bad = (near < 0) | ~good[near]
        distances = np.where(bad, np.inf, distances).astype(np.float32)
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]
        best = tuple(np.take_along_axis(part, order, 1) for part in (distances, np.where(bad, -1, near)))
        loose = np.flatnonzero(good[done:]) + done
        if len(loose) or best[0].shape[1] < k:
            best = merged([best, self._compared(queries, k, loose)], k)  # type: ignore[list-item]
        lacking = np.isinf(best[0][:, min(k, left) - 1]) if left else np.zeros(len(queries), np.bool_)
        short = np.flatnonzero(lacking)
        if len(short):
            again = self._compared(queries[short], k, np.flatnonzero(good))
            best[0][short], best[1][short] = again
        return best  # type: ignore[return-value]
