"""The cache beside a store: vectors as one file that is mapped into memory, and the graph over them.

Everything in it can be made again from the store, and is where it is missing, damaged or of another store. A
cache is written under another name, synchronised, and renamed, so that one that can be seen is whole; readers
that have an older one open keep it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.parts import pack
from isthmus.retrieval.index import Graph, Held, Index, has_usearch
from isthmus.retrieval.store import Store

__all__ = ["CachedHeld"]

LEAST = 50_000  # rows from which on a cache is worth it
UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, ImportError)
GROWTH = 4  # a new one when a share 1 / GROWTH of the rows is not in it
FACTS, NUMBERS, VECTORS, GRAPH = "cache.json", "numbers.npy", "vectors.npy", "graph.usearch"


class CachedHeld(Held):
    """Vectors in memory that are taken from a folder and written there again when much has changed."""

    def __init__(self, index: Index, folder: Path) -> None:
        super().__init__(index)
        self.folder = folder
        self.kept = 0  # rows in the newest cache
        self.looked = False

    def follow(self, store: Store) -> None:
        """Take in the cache at first, then what has changed since."""
        if not self.looked:
            self.looked = True
            with contextlib.suppress(*UNREADABLE):
                self._take(store)
        super().follow(store)
        if len(self) >= LEAST and len(self) - self.kept > self.kept // GROWTH:
            self.kept = len(self)
            with contextlib.suppress(OSError, RuntimeError):  # a folder that cannot be written to is no harm
                self._write(store)

    def _take(self, store: Store) -> None:
        """The newest cache of this store, unless it knows more than the store does."""
        newest = sorted(self.folder.glob("v*"), key=lambda place: int(place.name[1:].partition("-")[0]))[-1:]
        for place in newest:
            facts = json.loads((place / FACTS).read_text())
            numbers = np.load(place / NUMBERS, allow_pickle=False)
            vectors = np.load(place / VECTORS, mmap_mode="r", allow_pickle=False)
            mine = facts["store"] == store.setting("store") and facts["version"] <= store.setting("version")
            fits = vectors.dtype == store.dtype and vectors.shape == (len(numbers), store.width)
            if not (mine and fits and numbers.dtype == np.int64):
                continue
            self._start(numbers, np.asarray(vectors))
            self.version, self.kept = int(facts["version"]), len(numbers)
            graph = facts.get("graph")
            if (
                graph
                and isinstance(self.index, Graph)
                and has_usearch()
                and graph["part"] == pack(self.index)
            ):
                from isthmus.retrieval.graph import restored

                with contextlib.suppress(*UNREADABLE):
                    links = restored(self.index, store.width, place / GRAPH, graph["facts"])
                    self.prepared = links if len(links) == len(numbers) else None
            self._prepare()

    def _write(self, store: Store) -> None:
        """All that is alive, without gaps."""
        if self.dead:
            order = np.flatnonzero(self.alive)
            self._start(self.numbers[order], self.vectors[order])
            self._prepare()
        self.folder.mkdir(exist_ok=True)
        facts: dict[str, Any] = {"store": store.setting("store"), "version": self.version}
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".", suffix=".part") as place:
            made = Path(place) / "made"
            made.mkdir()
            np.save(made / NUMBERS, self.numbers)
            np.save(made / VECTORS, self.vectors)
            if hasattr(self.prepared, "save"):
                if len(self.prepared) < len(self):
                    self.prepared.add(self.vectors[len(self.prepared) :])
                self.prepared.save(made / GRAPH)
                facts["graph"] = {"part": pack(self.index), "facts": self.prepared.facts}
            (made / FACTS).write_text(json.dumps(facts))
            for file in made.iterdir():
                with file.open("rb") as handle:
                    os.fsync(handle.fileno())
            older = list(self.folder.glob("v*"))
            made.rename(self.folder / f"v{self.version}-{os.getpid()}")
        for place_ in older:
            shutil.rmtree(place_, ignore_errors=True)
