"""Stores: where codes, rows and facts lie.

`Store` says what a database must do for a `Retriever`; `SqliteStore` is the embedded one, a file or memory,
and `isthmus.retrieval.postgres` the one for those who outgrow one machine.

Nothing acknowledged is lost: every change is one transaction, written ahead and synchronised to the disk
before the call returns, so that a process killed at any moment leaves all of a change or none of it. A
reader sees the store as it was when it looked, while another process writes. Numbers of rows are never used
twice.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import FileError, brief, must
from isthmus.retrieval.beacon import Beacon
from isthmus.retrieval.exact import Found
from isthmus.retrieval.facts import Fact
from isthmus.retrieval.where import Condition

__all__ = ["Changes", "SqliteStore", "Store"]

Ids = NDArray[np.int64]
KINDS = ("number", "truth", "text", "time")
WIDE = 1 << 20  # numbers of a vector, fewer than
MANY = 500  # numbers asked for at a time
CHANGES = "changes"  # the name of the beacon beside the rows
ASK_AGAIN = 0.1  # seconds after which SQLite is asked even if the beacon is as it was
FORGET = 100_000  # deleted rows remembered, so that others' caches can follow


class Changes(NamedTuple):
    """What has changed since some version: vectors new or replaced, rows gone; `whole` if that is all."""

    version: int
    ids: Ids
    vectors: NDArray[Any]
    gone: Ids
    whole: bool


class Store(ABC):
    """Vectors of one width, rows as bytes, and facts, by the number of the row."""

    facts: tuple[Fact, ...] = ()
    width: int
    packed: bool

    @property
    def dtype(self) -> Any:
        """Of vectors: packed bits or numbers."""
        return np.dtype(np.uint8 if self.packed else np.float32)

    @abstractmethod
    def create(self, facts: Sequence[Fact], width: int, packed: bool) -> None:
        """Make the tables."""

    @abstractmethod
    def setting(self, name: str) -> Any:
        """A plain value that was kept, or None."""

    @abstractmethod
    def keep(self, name: str, value: Any) -> None:
        """Keep a plain value."""

    @abstractmethod
    def add(
        self, vectors: NDArray[Any], rows: Sequence[bytes | None], columns: Sequence[Sequence[Any]]
    ) -> Ids:
        """Append; the numbers of the rows."""

    @abstractmethod
    def update(
        self,
        ids: Ids,
        vectors: NDArray[Any] | None,
        rows: Sequence[bytes | None] | None,
        columns: Mapping[int, Sequence[Any]],
    ) -> None:
        """Replace what is given; columns by the place of their fact. DataError for a number that is not
        there.
        """

    @abstractmethod
    def delete(self, ids: Ids) -> None:
        """Remove; DataError, and nothing removed, for a number that is not there."""

    @abstractmethod
    def looking(self) -> contextlib.AbstractContextManager[None]:
        """Inside, everything read is of one moment."""

    @abstractmethod
    def ids(self, condition: Condition | None = None, most: int = -1) -> Ids:
        """Numbers of the rows that satisfy a condition, or of all, ascending; `most` of them, if not
        below 0.
        """

    @abstractmethod
    def known(self, ids: Ids) -> Ids:
        """Those of these numbers that are there."""

    @abstractmethod
    def columns(self, ids: Ids) -> list[list[Any]]:
        """Facts of rows, one list for each, in the order of `ids`."""

    @abstractmethod
    def rows(self, ids: Ids) -> list[bytes | None]:
        """Rows as bytes, in the order of `ids`."""

    @abstractmethod
    def vectors(self) -> tuple[Ids, NDArray[Any]]:
        """All numbers, ascending, and all vectors."""

    @abstractmethod
    def nearest(self, queries: NDArray[Any], k: int, condition: Condition | None) -> Found:
        """Distances and numbers (q, k) of the nearest vectors that satisfy a condition; inf and -1 where
        there are fewer.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of it."""

    @property
    def index_facts(self) -> dict[str, Any]:
        """What was measured of an approximate index; nothing where there is none."""
        return {}

    def __len__(self) -> int:
        return len(self.ids())

    def refuse_unknown(self, ids: Ids, known: Ids) -> None:
        """Raise unless all numbers are there, each once."""
        lost = np.setdiff1d(ids, known)
        if len(lost):
            raise must("a row number", "be one of those in the store", int(lost[0]), "Use those of query")
        if len(np.unique(ids)) < len(ids):
            raise must("row numbers", "be given once each", "one of them twice", "Leave out the second")


class SqliteStore(Store):
    """One SQLite file, or memory. Vectors are searched in memory by `index`, which follows the file."""

    def __init__(self, path: Path | None, index: Any) -> None:
        self.path, self.index = path, index
        self.lock = threading.RLock()
        self.inside = 0
        self.beacon = Beacon(None)
        self.seen: bytes | None = None
        self.others, self.asked = 0, 0.0
        try:
            self.db = sqlite3.connect(
                ":memory:" if path is None else path,
                timeout=60,
                isolation_level=None,
                check_same_thread=False,
            )
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "trusted_schema=OFF", "cache_size=-65536"):
                self.db.execute(f"PRAGMA {pragma}")
            self.beacon = Beacon(None if path is None else path.with_name(CHANGES))
            if self._tables():
                self._read()
        except (sqlite3.Error, KeyError, TypeError, ValueError, AttributeError) as error:
            raise FileError(
                f"{path} cannot be opened as a store: {brief(str(error))}. Check the path."
            ) from None

    def _tables(self) -> bool:
        return bool(self.db.execute("SELECT 1 FROM sqlite_master WHERE name = 'settings'").fetchone())

    def _read(self) -> None:
        from isthmus.inputs.frames import DType
        from isthmus.parts import unpack

        self.width, self.packed = int(self.setting("width")), bool(self.setting("packed"))
        facts = unpack(self.setting("facts"), {"Fact": Fact, "DType": DType})
        if (
            not all(isinstance(fact, Fact) and fact.kind in KINDS for fact in facts)
            or not 0 < self.width < WIDE
        ):
            raise ValueError("its description is not one of a store")
        self.facts = tuple(facts)

    def create(self, facts: Sequence[Fact], width: int, packed: bool) -> None:
        """Make the tables."""
        import uuid

        from isthmus.parts import pack

        self.facts, self.width, self.packed = tuple(facts), width, packed
        typed = "".join(f", f{j} {fact.sql}" for j, fact in enumerate(facts))
        with self._writing():
            self.db.execute("CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT)")
            self.db.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, changed INTEGER, vector BLOB)")
            self.db.execute("CREATE INDEX items_changed ON items (changed)")
            self.db.execute("CREATE TABLE gone (id INTEGER PRIMARY KEY, changed INTEGER)")
            self.db.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, row BLOB)")
            self.db.execute(f"CREATE TABLE facts (id INTEGER PRIMARY KEY{typed})")
            first = {"version": 0, "next": 0, "oldest": 0, "store": uuid.uuid4().hex}
            known = {"width": width, "packed": packed, "facts": pack(tuple(facts))}
            for name, value in {**first, **known}.items():
                self._keep(name, value)

    # ---------------------------------------------------------------- transactions

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """All of what is done inside, or nothing of it."""
        with self.lock:
            try:
                self.db.execute("BEGIN IMMEDIATE")
                yield
                self.db.execute("COMMIT")
                self.beacon.change()
            except BaseException as error:
                with contextlib.suppress(sqlite3.ProgrammingError):  # closed
                    if self.db.in_transaction:
                        self.db.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise FileError(f"the store cannot be written: {brief(str(error))}. Try again.") from None
                raise

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """Alone, and what SQLite finds wrong is said in one sentence."""
        with self.lock:
            try:
                yield
            except sqlite3.Error as error:
                raise _unreadable(error) from None

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        """Inside, everything read is of one moment."""
        with self._reading():
            self.inside += 1
            try:
                if self.inside == 1:
                    self.db.execute("BEGIN")
                yield
            finally:
                self.inside -= 1
                if self.inside == 0 and self.db.in_transaction:
                    self.db.execute("COMMIT")

    def mark(self) -> tuple[Any, ...]:
        """What is another after every change, by others or by this connection.

        Others' are told by the beacon; SQLite is asked where it has changed, or is not there, or was last
        asked a while ago, and where all that is read must be of one moment.
        """
        try:  # without `_reading`, as every question comes through here
            with self.lock:
                seen, now = self.beacon(), time.monotonic()
                if self.inside or seen is None or seen != self.seen or now - self.asked > ASK_AGAIN:
                    self.others = self.db.execute("PRAGMA data_version").fetchone()[0]
                    self.seen, self.asked = seen, now
                return seen, self.others, self.db.total_changes
        except sqlite3.Error as error:
            raise _unreadable(error) from None

    def setting(self, name: str) -> Any:
        """A plain value that was kept, or None."""
        with self._reading():
            found = self.db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return None if found is None else json.loads(found[0])

    def keep(self, name: str, value: Any) -> None:
        """Keep a plain value."""
        with self._writing():
            self._keep(name, value)

    def _keep(self, name: str, value: Any) -> None:
        self.db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, json.dumps(value)))

    def _next_version(self) -> int:
        version = int(self.setting("version")) + 1
        self._keep("version", version)
        return version

    # ---------------------------------------------------------------- changing

    def add(
        self, vectors: NDArray[Any], rows: Sequence[bytes | None], columns: Sequence[Sequence[Any]]
    ) -> Ids:
        """Append; the numbers of the rows."""
        with self._writing():
            version, first = self._next_version(), int(self.setting("next"))
            ids = range(first, first + len(vectors))
            self._keep("next", ids.stop)
            items = ((i, version, v.tobytes()) for i, v in zip(ids, vectors, strict=True))
            self.db.executemany("INSERT INTO items VALUES (?, ?, ?)", items)
            kept = ((i, row) for i, row in zip(ids, rows, strict=True) if row is not None)
            self.db.executemany("INSERT INTO rows VALUES (?, ?)", kept)
            if self.facts:
                marks = ", ".join("?" * (len(self.facts) + 1))
                self.db.executemany(f"INSERT INTO facts VALUES ({marks})", zip(ids, *columns, strict=True))
        return np.arange(ids.start, ids.stop)

    def update(
        self,
        ids: Ids,
        vectors: NDArray[Any] | None,
        rows: Sequence[bytes | None] | None,
        columns: Mapping[int, Sequence[Any]],
    ) -> None:
        """Replace what is given; columns by the place of their fact."""
        with self._writing():
            self.refuse_unknown(ids, self.known(ids))
            plain, version = ids.tolist(), self._next_version()
            if vectors is not None:
                new = zip((v.tobytes() for v in vectors), [version] * len(ids), plain, strict=True)
                self.db.executemany("UPDATE items SET vector = ?, changed = ? WHERE id = ?", new)
            if rows is not None:
                self.db.executemany(
                    "INSERT OR REPLACE INTO rows VALUES (?, ?)", zip(plain, rows, strict=True)
                )
            for place, values in columns.items():
                set_ = f"UPDATE facts SET f{int(place)} = ? WHERE id = ?"
                self.db.executemany(set_, zip(values, plain, strict=True))

    def delete(self, ids: Ids) -> None:
        """Remove."""
        with self._writing():
            self.refuse_unknown(ids, self.known(ids))
            version, one = self._next_version(), [(i,) for i in ids.tolist()]
            for table in ("items", "rows", "facts"):
                self.db.executemany(f"DELETE FROM {table} WHERE id = ?", one)
            self.db.executemany("INSERT INTO gone VALUES (?, ?)", [(i, version) for (i,) in one])
            if self.db.execute("SELECT count(*) FROM gone").fetchone()[0] > FORGET:
                self.db.execute("DELETE FROM gone")
                self._keep("oldest", version)

    # ---------------------------------------------------------------- reading

    def changes(self, since: int) -> Changes:
        """What has changed since a version; everything, where the store no longer remembers."""
        with self.looking():
            version = int(self.setting("version"))
            none = np.empty(0, np.int64)
            if version == since:
                return Changes(version, none, np.empty((0, self.width), self.dtype), none, False)
            whole = since < int(self.setting("oldest")) or since > version
            after = (-1 if whole else since,)
            found = self.db.execute("SELECT id, vector FROM items WHERE changed > ? ORDER BY id", after)
            ids, blobs = [], bytearray()
            for number, vector in found:
                ids.append(number)
                blobs += vector
            gone = self.db.execute("SELECT id FROM gone WHERE changed > ?", after).fetchall()
        vectors = np.frombuffer(bytes(blobs), self.dtype)
        if len(vectors) != len(ids) * self.width:
            raise FileError("the store's vectors must be of one width; got others. Index the data again.")
        deleted = np.array([i for (i,) in gone], np.int64)
        return Changes(version, np.array(ids, np.int64), vectors.reshape(-1, self.width), deleted, whole)

    def ids(self, condition: Condition | None = None, most: int = -1) -> Ids:
        """Numbers of the rows that satisfy a condition, or of all, ascending; `most` of them, if not
        below 0.
        """
        with self._reading():
            if condition is None:
                found = self.db.execute("SELECT id FROM items ORDER BY id LIMIT ?", (most,))
            else:
                places = {str(fact.name): f"f{j}" for j, fact in enumerate(self.facts)}
                sql = condition.spelled(places.__getitem__, "?", "instr")
                select = f"SELECT id FROM facts WHERE {sql} ORDER BY id LIMIT ?"
                found = self.db.execute(select, (*condition.values, most))
            return np.fromiter((i for (i,) in found), np.int64)

    def known(self, ids: Ids) -> Ids:
        """Those of these numbers that are there."""
        return np.array(sorted(self._by_number("SELECT id FROM items", ids)), np.int64)

    def columns(self, ids: Ids) -> list[list[Any]]:
        """Facts of rows, one list for each, in the order of `ids`."""
        names = "".join(f", f{j}" for j in range(len(self.facts)))
        found = self._by_number(f"SELECT id{names} FROM facts", ids)
        lines = [found[i] for i in ids.tolist()]
        return [[line[j + 1] for line in lines] for j in range(len(self.facts))]

    def rows(self, ids: Ids) -> list[bytes | None]:
        """Rows as bytes, in the order of `ids`."""
        found = self._by_number("SELECT id, row FROM rows", ids)
        return [found[i][1] if i in found else None for i in ids.tolist()]

    def _by_number(self, select: str, ids: Ids) -> dict[int, tuple[Any, ...]]:
        found: dict[int, tuple[Any, ...]] = {}
        plain = np.unique(ids).tolist()
        with self._reading():
            for start in range(0, len(plain), MANY):
                some = plain[start : start + MANY]
                marks = ", ".join("?" * len(some))
                found.update(
                    (line[0], line) for line in self.db.execute(f"{select} WHERE id IN ({marks})", some)
                )
        return found

    def vectors(self) -> tuple[Ids, NDArray[Any]]:
        """All numbers, ascending, and all vectors."""
        found: tuple[Ids, NDArray[Any]] = self.index.everything(self)
        return found

    def nearest(self, queries: NDArray[Any], k: int, condition: Condition | None) -> Found:
        """The nearest that satisfy a condition, by the index."""
        with self.lock if condition is None else self.looking():
            found: Found = self.index.nearest(self, queries, k, condition)
            return found

    @property
    def index_facts(self) -> dict[str, Any]:
        """What was measured of an approximate index; nothing where there is none."""
        return dict(getattr(self.index.prepared, "facts", {}))

    def __len__(self) -> int:
        with self._reading():
            return int(self.db.execute("SELECT count(*) FROM items").fetchone()[0])

    def close(self) -> None:
        """Close the file; what was written ahead is moved into it."""
        with self.lock:
            self.db.close()
            self.beacon.close()


def _unreadable(error: sqlite3.Error) -> FileError:
    """What SQLite found wrong, in one sentence."""
    do = "Open it again" if isinstance(error, sqlite3.ProgrammingError) else "Index the data again"
    return FileError(f"the store cannot be read: {brief(str(error))}. {do}.")
