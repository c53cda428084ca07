"""Spool: rows decoded once; the fit is the same with it and without."""

from __future__ import annotations

import errno

import numpy as np
import pytest

import isthmus.training.spool as module
import isthmus.training.stream as stream
from isthmus import Autoencoder, Source, Trainer
from isthmus.inputs import Encoded
from isthmus.training.spool import Spool


class Decoded(Source):
    """Rows with gaps in blocks, counting how often each is decoded."""

    def __init__(self, X, blocks):
        self.parts, self.reads = np.array_split(X, blocks), [0] * blocks

    @property
    def sizes(self):
        return [len(part) for part in self.parts]

    def read(self, block):
        self.reads[block] += 1
        return self.parts[block]


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 3)) @ rng.normal(size=(3, 6))
    X[rng.random(X.shape) < 0.1] = np.nan
    return X


def fitted(X, monkeypatch, room):
    monkeypatch.setattr(stream, "MEMORY", 0)
    monkeypatch.setattr(stream, "BUFFER", 6 * 128)
    monkeypatch.setattr(stream, "has_room", lambda nbytes: room)
    source = Decoded(X, 9)
    model = Autoencoder(2, trainer=Trainer(6, 32, progress=False), random_state=0).fit(source)
    return model, source.reads


def test_a_fit_is_bit_equal_with_and_without_and_decodes_once(data, monkeypatch):
    with_, once = fitted(data, monkeypatch, room=True)
    without, often = fitted(data, monkeypatch, room=False)
    assert np.array_equal(with_.transform(data), without.transform(data))
    assert max(once) < min(often)
    assert min(often) >= 6


def test_blocks_come_back_in_any_order_with_their_gaps():
    rng = np.random.default_rng(1)
    blocks = [Encoded(rng.random((n, 4)).astype(np.float32), None) for n in (3, 1, 5)]
    blocks[1] = Encoded(blocks[1].x, np.array([[True, False, True]]))
    spool = Spool(blocks.__getitem__)
    for block in (2, 0, 1, 1, 0, 2):
        found = spool(block)
        assert np.array_equal(found.x, blocks[block].x)
        assert (found.observed is None) == (blocks[block].observed is None)
    assert spool(1).observed.tolist() == [[True, False, True]]


def test_a_full_disk_costs_time_not_the_fit():
    calls = []

    def encoded(block):
        calls.append(block)
        return Encoded(np.full((2, 2), block, np.float32), None)

    spool = Spool(encoded)

    class Full:
        def seek(self, place):
            pass

        def write(self, some):
            raise OSError(errno.ENOSPC, "No space left on device")

    spool.file = Full()
    assert [spool(b).x[0, 0] for b in (1, 1)] == [1.0, 1.0]
    assert calls == [1, 1]


def test_scratch_is_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(module.tempfile, "tempdir", None)
    assert module.scratch() == str(tmp_path)
    assert module.has_room(1)
    assert not module.has_room(10**18)
    Spool(lambda block: Encoded(np.zeros((1, 1), np.float32), None))(0)
    assert list(tmp_path.iterdir()) == []
