"""Stores under fire: writers killed at any moment, readers beside writers, damaged caches."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import sys
import time

import numpy as np
import pytest

from isthmus import FileError
from isthmus.inputs import DType
from isthmus.parts import pack
from isthmus.retrieval import cache
from isthmus.retrieval.facts import Fact
from isthmus.retrieval.index import Exact
from isthmus.retrieval.saved import _file_store
from isthmus.retrieval.where import read_where

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
BATCH = 5
FACTS = (Fact("batch", "number", DType("pandas", "int64")),)
KINDS = {"batch": "number"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty store that writes its cache often."""
    monkeypatch.setattr(cache, "LEAST", 40)
    store = opened(tmp_path)
    store.create(FACTS, 3, packed=False)
    store.close()
    return tmp_path


def opened(folder):
    return _file_store(folder, Exact())


def closed_ids(folder):
    """The rows, the cache written, and the store closed."""
    store = opened(folder)
    ids = store.vectors()[0].tolist()
    store.close()
    return ids


def vectors_of(ids):
    """What belongs to the rows of these numbers: drawn from the number, so that any mix-up shows."""
    return np.stack([np.random.default_rng(int(i)).normal(size=3) for i in ids]).astype(np.float32)


def write(folder, tell, seed, most=10**9):
    """Add batches and delete some, saying what before and that it is done after."""
    store, rng = opened(folder), np.random.default_rng(seed)
    for _ in range(most):
        there = store.ids()
        first = int(store.setting("next"))
        if len(there) > 40 and rng.random() < 0.3:
            step = {"delete": rng.choice(there, 3, replace=False).tolist()}
            tell(step)
            store.delete(np.array(step["delete"]))
        else:
            ids = np.arange(first, first + BATCH)
            step = {"add": ids.tolist()}
            tell(step)
            store.add(vectors_of(ids), [str(i).encode() for i in ids], [[first] * BATCH])
        if rng.random() < 0.2:
            store.vectors()  # which writes the cache
        tell("done")
    store.close()


def forked(folder, seed):
    """A writer in a process of its own; what it says comes through a pipe."""
    read, put = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        try:
            write(folder, lambda said: os.write(put, (json.dumps(said) + "\n").encode()), seed)
        finally:
            os._exit(1)
    os.close(put)
    return pid, read


def after(ids, step):
    if "add" in step:
        return ids | set(step["add"])
    return ids - set(step["delete"])


def check(folder, expected):
    """The store holds one of the expected sets of rows, and gives right answers; which it holds."""
    store = opened(folder)
    ids, vectors = store.vectors()
    assert set(ids.tolist()) in expected
    np.testing.assert_array_equal(store.ids(), ids)
    if len(ids):
        np.testing.assert_array_equal(vectors, vectors_of(ids))
        assert store.rows(ids) == [str(i).encode() for i in ids]
        (batches,) = store.columns(ids)
        assert all(first <= i < first + BATCH for first, i in zip(batches, ids.tolist(), strict=True))
        queries = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
        apart = np.linalg.norm(queries[:, None].astype(float) - vectors[None], axis=2)
        k = min(6, len(ids))
        np.testing.assert_array_equal(store.nearest(queries, k, None)[1], ids[np.argsort(apart, 1)[:, :k]])
        half = read_where(f"batch >= {int(np.median(batches))}", KINDS)
        left = np.flatnonzero(np.array(batches) >= int(np.median(batches)))
        found = store.nearest(queries, 2, half)[1]
        np.testing.assert_array_equal(found, ids[left[np.argsort(apart[:, left], 1)[:, :2]]])
    store.close()
    return set(ids.tolist())


def test_a_writer_killed_at_any_moment_loses_nothing_it_acknowledged(folder):
    """Forty kills: what was said to be done is there, what was begun is there whole or not at all, and every
    answer is that of brute force.
    """
    rng, ids, steps = np.random.default_rng(0), set(), 0
    for seed in range(40):
        pid, read = forked(folder, seed)
        select.select([read], [], [], 30)  # it has begun
        time.sleep(rng.uniform(0.0, 0.06))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with os.fdopen(read) as pipe:
            said = [json.loads(line) for line in pipe.read().splitlines() if line.endswith(("}", '"'))]
        begun = None
        for one in said:
            if one == "done":
                ids, begun, steps = after(ids, begun), None, steps + 1
            else:
                begun = one
        ids = check(folder, [ids] + ([after(ids, begun)] if begun else []))
    assert steps > 40
    assert list((folder / "cache").glob("v*"))


class Told:
    """What a writer has said so far: every set of rows it has begun to make, and how many are done."""

    def __init__(self, read):
        os.set_blocking(read, False)
        self.read, self.text, self.states, self.done = read, b"", [set()], 0

    def hear(self):
        try:
            while more := os.read(self.read, 1 << 20):
                self.text += more
        except BlockingIOError:
            pass
        *lines, self.text = self.text.split(b"\n")
        for line in map(json.loads, lines):
            if line == "done":
                self.done += 1
            else:
                self.states.append(after(self.states[-1], line))


def test_a_reader_beside_a_writer_sees_whole_changes(folder):
    """What is seen is the rows after a whole change: none older than what was said to be done before it,
    none newer than what was begun by its end.
    """
    store = opened(folder)
    pid, read = forked(folder, 1)
    told, looks = Told(read), 0
    try:
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            told.hear()
            oldest = told.done
            with store.looking():
                ids, vectors = store.vectors()
                np.testing.assert_array_equal(vectors, vectors_of(ids)) if len(ids) else None
                assert len(store.columns(ids)[0]) == len(ids)
                np.testing.assert_array_equal(store.ids(), ids)
            told.hear()
            assert set(ids.tolist()) in told.states[oldest:]
            looks += 1
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(read)
    assert looks > 5
    assert told.done > 5


def test_a_damaged_or_foreign_cache_is_not_believed(folder):
    """Every file of it cut short, garbled or taken from another store; answers stay right."""
    write(folder, lambda said: None, 3, 30)
    expected = [set(closed_ids(folder))]
    (place,) = (folder / "cache").glob("v*")
    files = {file.name: file.read_bytes() for file in place.iterdir()}
    assert set(files) == {"cache.json", "numbers.npy", "vectors.npy"}
    for name, whole in files.items():
        other = json.dumps({**json.loads(files["cache.json"]), "store": "another"}).encode()
        for damaged in (whole[: len(whole) // 2], b"", b"?" * len(whole), whole[:100] + b"?" * 50, other):
            shutil.rmtree(folder / "cache")
            place.mkdir(parents=True)
            for file, text in files.items():
                (place / file).write_bytes(damaged if file == name else text)
            check(folder, expected)


def test_a_cache_that_knows_more_than_its_store_is_left_aside(folder):
    """As after a backup of the database was put back."""
    write(folder, lambda said: None, 4, 25)
    ids = set(closed_ids(folder))
    backup = (folder / "rows.sqlite").read_bytes()
    write(folder, lambda said: None, 5, 25)
    assert set(closed_ids(folder)) != ids
    (folder / "rows.sqlite").write_bytes(backup)
    check(folder, [ids])


def test_a_file_that_is_no_store_is_told_in_one_sentence(tmp_path):
    """Garbage, and a database of somebody else."""
    (tmp_path / "rows.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(FileError, match="cannot be opened as a store"):
        opened(tmp_path)


def test_facts_survive_as_plain_values():
    """They are packed as JSON in the store."""
    assert json.loads(json.dumps(pack(FACTS)))[0]["name"] == "batch"


def rows(store, numbers):
    """Add rows (n, 3) of one number each."""
    vectors = np.repeat(np.array(numbers, np.float32)[:, None], 3, axis=1)
    return store.add(vectors, [b""] * len(numbers), [[0.0] * len(numbers)])


def nearest(store, number):
    """The number of the row nearest to (number, number, number)."""
    return int(store.nearest(np.full((1, 3), number, np.float32), 1, None)[1][0, 0])


def test_a_change_by_another_is_seen_by_the_very_next_question(folder):
    """By the beacon, though SQLite was asked a moment ago; without a beacon by asking each time."""
    for beacon in (True, False):
        one, other = opened(folder), opened(folder)
        if not beacon:
            for store in (one, other):
                store.beacon.close()
        for number in range(1, 30):
            made = rows(other, [100.0 * number])
            assert nearest(one, 100.0 * number) == made[0]
            other.delete(made)
            assert nearest(one, 100.0 * number) != made[0]
            rows(other, [-1.0 * number])
        one.close()
        other.close()


def test_a_change_whose_writer_died_before_it_told_is_seen_soon(folder):
    """It was not acknowledged; SQLite is asked now and then."""
    one, other = opened(folder), opened(folder)
    first = rows(other, [1.0])
    assert nearest(one, 1.0) == first[0]
    other.beacon.close()
    made = rows(other, [500.0])
    time.sleep(0.15)
    assert nearest(one, 500.0) == made[0]
    one.close()
    other.close()
