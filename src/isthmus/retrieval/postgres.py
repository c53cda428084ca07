"""PostgreSQL with pgvector as a store, for those who outgrow one machine.

`postgresql://user@host/database#name` is the store `name` (a schema; "isthmus" if left out) of a database
whose server has the extension `vector`. Search happens in the server. Without an index it compares with every
vector, under a filter with every one that satisfies it; a graph is made from as many rows on as `Graph` says,
and is then used where there is no filter: an approximate index that is filtered afterwards gives back fewer
rows than there are. Needs psycopg, the extra `isthmus[postgres]`.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import DataError, FileError, brief
from isthmus.inputs.frames import DType
from isthmus.parts import pack, unpack
from isthmus.retrieval.exact import Found
from isthmus.retrieval.facts import Fact
from isthmus.retrieval.graph import measured, set_aside
from isthmus.retrieval.index import Exact, Graph, Prefix
from isthmus.retrieval.store import Ids, Store
from isthmus.retrieval.where import Condition

__all__ = ["PostgresStore"]

INDEXED = 2_000  # numbers of a vector up to which pgvector makes an index


class PostgresStore(Store):
    """One schema of a PostgreSQL database."""

    def __init__(self, url: str, index: Any) -> None:
        try:
            import psycopg
        except ImportError:
            raise FileError(
                "PostgreSQL needs psycopg. Install it with: pip install 'isthmus[postgres]'."
            ) from None
        self.index, self.error = index, psycopg.Error
        address, _, name = url.partition("#")
        self.schema = name or "isthmus"
        self.place = '"' + self.schema.replace('"', '""') + '"'
        self.inside = 0
        try:
            self.db = psycopg.connect(address, autocommit=True)
            self.db.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except psycopg.Error as error:
            raise FileError(
                f"the database cannot be used: {brief(str(error), 200)}. Check the URL."
            ) from None
        found = "SELECT 1 FROM information_schema.schemata WHERE schema_name = %s"
        self.there = self.db.execute(found, (self.schema,)).fetchone() is not None
        if self.there:
            self.width, self.packed = int(self.setting("width")), bool(self.setting("packed"))
            self.facts = unpack(self.setting("facts"), {"Fact": Fact, "DType": DType})

    # ---------------------------------------------------------------- making

    @contextlib.contextmanager
    def making(self) -> Iterator[None]:
        """Everything inside is one transaction."""
        if self.there:
            raise FileError(
                f"the store {self.schema} must be new; got one that is there. Open it, or name another."
            )
        with self._writing():
            yield

    def create(self, facts: Sequence[Fact], width: int, packed: bool) -> None:
        """Make the tables."""
        self.facts, self.width, self.packed = tuple(facts), width, packed
        kind = f"bit({8 * width})" if packed else f"vector({width})"
        collated = [f.sql + (' COLLATE "C"' if f.sql == "TEXT" else "") for f in facts]
        typed = "".join(f", f{j} {sql}" for j, sql in enumerate(collated))
        with self._writing():
            self.db.execute(f"CREATE SCHEMA {self.place}")
            self._do("CREATE TABLE {}.settings (name TEXT PRIMARY KEY, value TEXT)")
            self._do("CREATE TABLE {}.model (file BYTEA)")
            self._do(f"CREATE TABLE {{}}.items (id BIGINT PRIMARY KEY, vector {kind})")
            self._do("CREATE TABLE {}.rows (id BIGINT PRIMARY KEY, row BYTEA)")
            self._do(f"CREATE TABLE {{}}.facts (id BIGINT PRIMARY KEY{typed})")
            known = {"next": 0, "width": width, "packed": packed, "facts": pack(tuple(facts)), "graph": None}
            for name, value in {**known, "index": pack(self.index)}.items():
                self.keep(name, value)
        self.there = True

    def prepare(self) -> None:
        """A graph where there are rows enough for one; its recall is measured."""
        part = unpack(self.setting("index"), {kind.__name__: kind for kind in (Exact, Graph, Prefix)})
        part = Graph() if part is None else part
        if not isinstance(part, Graph) or self.packed or not part.wants(len(self)) or self.width > INDEXED:
            return
        ids = self.ids()
        aside = ids[set_aside(len(ids))]
        with self._writing():  # recall is measured on rows that are not in the graph yet
            gone = "DELETE FROM {}.items WHERE id = ANY(%s) RETURNING id, vector::text"
            held = self._do(gone, (aside.tolist(),)).fetchall()
            self._do(
                f"CREATE INDEX ON {{}}.items USING hnsw (vector vector_l2_ops) "
                f"WITH (m = {int(part.links)}, ef_construction = {max(2 * part.links, int(part.effort))})"
            )
            queries = np.array([json.loads(text) for _, text in held], np.float32).reshape(
                len(held), self.width
            )
            found = measured(
                queries,
                part,
                lambda some, k: self._nearest(some, k, None, None)[1],
                lambda effort, some, k: self._nearest(some, k, None, effort)[1],
            )
            self._copy("items (id, vector)", held)
            self.keep("graph", {"rows": len(ids), **found})

    def keep_model(self, file: bytes) -> None:
        """Keep the model's file."""
        self._do("INSERT INTO {}.model VALUES (%s)", (file,))

    def model(self) -> bytes:
        """The model's file."""
        found = self._do("SELECT file FROM {}.model").fetchone() if self.there else None
        if found is None:
            raise FileError(f"the database must hold the store {self.schema}; got none. Make one with fit.")
        return bytes(found[0])

    # ---------------------------------------------------------------- transactions

    def _do(self, sql: str, values: Sequence[Any] = ()) -> Any:
        try:
            return self.db.execute(sql.replace("{}", self.place), values or None)
        except self.error as error:
            raise FileError(f"the database refused: {brief(str(error), 200)}. Check the data.") from None

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """All of what is done inside, or nothing of it."""
        try:
            with self.db.transaction():
                yield
        except self.error as error:
            raise FileError(f"the database refused: {brief(str(error), 200)}. Check the data.") from None

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        """Inside, everything read is of one moment."""
        self.inside += 1
        try:
            with self.db.transaction():
                if self.inside == 1 and self.db.info.transaction_status.name == "INTRANS":
                    self.db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                yield
        finally:
            self.inside -= 1

    def setting(self, name: str) -> Any:
        """A plain value that was kept, or None."""
        found = self._do("SELECT value FROM {}.settings WHERE name = %s", (name,)).fetchone()
        return None if found is None else json.loads(found[0])

    def keep(self, name: str, value: Any) -> None:
        """Keep a plain value."""
        put = (
            "INSERT INTO {}.settings VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        )
        self._do(put, (name, json.dumps(value)))

    # ---------------------------------------------------------------- changing

    def add(
        self, vectors: NDArray[Any], rows: Sequence[bytes | None], columns: Sequence[Sequence[Any]]
    ) -> Ids:
        """Append; the numbers of the rows."""
        with self._writing():
            more = "UPDATE {}.settings SET value = (value::bigint + %s)::text WHERE name = 'next'"
            last = int(self._do(f"{more} RETURNING value", (len(vectors),)).fetchone()[0])
            ids = range(last - len(vectors), last)
            self._copy("items (id, vector)", zip(ids, self._texts(vectors), strict=True))
            self._copy("rows (id, row)", ((i, r) for i, r in zip(ids, rows, strict=True) if r is not None))
            if self.facts:
                names = ", ".join(["id", *(f"f{j}" for j in range(len(self.facts)))])
                self._copy(f"facts ({names})", zip(ids, *columns, strict=True))
        return np.arange(ids.start, ids.stop)

    def _copy(self, table: str, lines: Any) -> None:
        with self.db.cursor() as cursor, cursor.copy(f"COPY {self.place}.{table} FROM STDIN") as copy:
            for line in lines:
                copy.write_row(line)

    def _texts(self, vectors: NDArray[Any]) -> list[str]:
        """Vectors as pgvector reads them."""
        if self.packed:
            return ["".join(map(str, np.unpackbits(v).tolist())) for v in vectors]
        return ["[" + ",".join(map(repr, v.tolist())) + "]" for v in np.asarray(vectors, np.float32)]

    def update(
        self,
        ids: Ids,
        vectors: NDArray[Any] | None,
        rows: Sequence[bytes | None] | None,
        columns: Mapping[int, Sequence[Any]],
    ) -> None:
        """Replace what is given; columns by the place of their fact."""
        plain = ids.tolist()
        with self._writing():
            self.refuse_unknown(ids, self._locked(ids))
            changed: list[tuple[str, Sequence[Any]]] = []
            if vectors is not None:
                kind = f"bit({8 * self.width})" if self.packed else "vector"
                changed.append(
                    (f"UPDATE {{}}.items SET vector = %s::{kind} WHERE id = %s", self._texts(vectors))
                )
            if rows is not None:
                changed.append(("UPDATE {}.rows SET row = %s WHERE id = %s", rows))
            changed += [
                (f"UPDATE {{}}.facts SET f{int(j)} = %s WHERE id = %s", v) for j, v in columns.items()
            ]
            with self.db.cursor() as cursor:
                for sql, values in changed:
                    cursor.executemany(sql.replace("{}", self.place), list(zip(values, plain, strict=True)))

    def delete(self, ids: Ids) -> None:
        """Remove."""
        with self._writing():
            self.refuse_unknown(ids, self._locked(ids))
            for table in ("items", "rows", "facts"):
                self._do(f"DELETE FROM {{}}.{table} WHERE id = ANY(%s)", (ids.tolist(),))

    def _locked(self, ids: Ids) -> Ids:
        """Which of these numbers are there; nobody else changes them until the end of the transaction."""
        found = self._do("SELECT id FROM {}.items WHERE id = ANY(%s) FOR UPDATE", (ids.tolist(),))
        return np.array([i for (i,) in found.fetchall()], np.int64)

    # ---------------------------------------------------------------- reading

    def _where(self, condition: Condition) -> str:
        places = {str(fact.name): f"f{j}" for j, fact in enumerate(self.facts)}
        return condition.spelled(places.__getitem__, "%s", "strpos")

    def known(self, ids: Ids) -> Ids:
        """Those of these numbers that are there."""
        found = self._do("SELECT id FROM {}.items WHERE id = ANY(%s)", (np.unique(ids).tolist(),))
        return np.array([i for (i,) in found.fetchall()], np.int64)

    def ids(self, condition: Condition | None = None, most: int = -1) -> Ids:
        """Numbers of the rows that satisfy a condition, or of all, ascending; `most` of them, if not
        below 0.
        """
        limit = "" if most < 0 else f"LIMIT {int(most)}"
        if condition is None:
            found = self._do(f"SELECT id FROM {{}}.items ORDER BY id {limit}")
        else:
            select = f"SELECT id FROM {{}}.facts WHERE {self._where(condition)} ORDER BY id {limit}"
            found = self._do(select, condition.values)
        return np.array([i for (i,) in found.fetchall()], np.int64)

    def columns(self, ids: Ids) -> list[list[Any]]:
        """Facts of rows, one list for each, in the order of `ids`."""
        names = "".join(f", f{j}" for j in range(len(self.facts)))
        found = self._do(f"SELECT id{names} FROM {{}}.facts WHERE id = ANY(%s)", (np.unique(ids).tolist(),))
        lines = {line[0]: line for line in found.fetchall()}
        return [[lines[i][j + 1] for i in ids.tolist()] for j in range(len(self.facts))]

    def rows(self, ids: Ids) -> list[bytes | None]:
        """Rows as bytes, in the order of `ids`."""
        found = self._do(
            "SELECT id, row FROM {}.rows WHERE id = ANY(%s)", (np.unique(ids).tolist(),)
        ).fetchall()
        there = {number: bytes(row) for number, row in found if row is not None}
        return [there.get(i) for i in ids.tolist()]

    def vectors(self) -> tuple[Ids, NDArray[Any]]:
        """All numbers, ascending, and all vectors."""
        found = self._do("SELECT id, vector::text FROM {}.items ORDER BY id").fetchall()
        ids = np.array([i for i, _ in found], np.int64)
        if self.packed:
            bits = np.array([[c == "1" for c in text] for _, text in found], np.bool_)
            return ids, np.packbits(bits.reshape(len(ids), 8 * self.width), axis=1)
        values = np.array([json.loads(text) for _, text in found], np.float32)
        return ids, values.reshape(len(ids), self.width)

    def nearest(self, queries: NDArray[Any], k: int, condition: Condition | None) -> Found:
        """The nearest that satisfy a condition, by the server."""
        graph = self.setting("graph") if condition is None else None
        with self.looking():
            found = self._nearest(queries, k, condition, None if graph is None else int(graph["effort"]))
            short = np.flatnonzero((found[1][:, -1] < 0) & (graph is not None))
            if len(short):  # deleted rows leave holes in a graph
                again = self._nearest(queries[short], k, None, None)
                found[0][short], found[1][short] = again
        return found

    def _nearest(
        self, queries: NDArray[Any], k: int, condition: Condition | None, effort: int | None
    ) -> Found:
        """By the graph with so much effort, or by comparing with all where it is None."""
        distances = np.full((len(queries), k), np.inf, np.float32)
        numbers = np.full((len(queries), k), -1, np.int64)
        sign, kind = ("<~>", f"bit({8 * self.width})") if self.packed else ("<->", "vector")
        where, values = "", ()
        if condition is not None:
            where, values = (
                f"WHERE id IN (SELECT id FROM {{}}.facts WHERE {self._where(condition)})",
                condition.values,
            )
        apart = f"vector {sign} %s::{kind}"
        sql = (
            f"SELECT id, {apart} FROM {{}}.items {where} ORDER BY {apart}{'' if effort else ', id'} LIMIT %s"
        )
        with self.db.transaction():
            if not effort:  # else a filter or an order by number could be put on top of the graph
                self.db.execute("SET LOCAL enable_indexscan = off")
            else:
                self.db.execute(f"SET LOCAL hnsw.ef_search = {min(1000, max(effort, k))}")
            for i, text in enumerate(self._texts(queries)):
                found = self._do(sql, (text, *values, text, k)).fetchall()
                for j, (number, distance) in enumerate(found):
                    distances[i, j], numbers[i, j] = distance, number
        return distances, numbers

    @property
    def index_facts(self) -> dict[str, Any]:
        """What was measured of the graph; nothing where there is none."""
        return dict(self.setting("graph") or {})

    def __len__(self) -> int:
        return int(self._do("SELECT count(*) FROM {}.items").fetchone()[0])

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(self.error, DataError):
            self.db.close()
