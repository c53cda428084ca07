"""Streams: a pass over rows on the disk is a pass over all of them, well mixed, and can begin anywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isthmus.inputs import Encoded, Source
from isthmus.training import stream as module
from isthmus.training.stream import Stream


class Blocks(Source):
    """Arrays of different lengths, counting how often each is read."""

    def __init__(self, sizes, width=3):
        ends = np.cumsum(sizes)
        self.parts = [
            np.arange(width * (e - s), width * e).reshape(-1, width) for s, e in zip(sizes, ends, strict=True)
        ]
        self.reads = []

    @property
    def sizes(self):
        return tuple(map(len, self.parts))

    def read(self, block):
        self.reads.append(block)
        return self.parts[block]


def encode(X):
    """Every seventh row has a gap."""
    x = X.astype(np.float32)
    observed = np.ones(X.shape, dtype=bool)
    observed[:, 0] = X[:, 0] // 3 % 7 != 0
    return Encoded(x, None if observed.all() else observed)


SIZES = [40, 1, 64, 7, 100, 33, 3, 90, 64, 12]


@pytest.fixture
def stream(monkeypatch):
    """A stream whose buffer holds about 120 rows."""
    monkeypatch.setattr(module, "BUFFER", 360)
    return Stream(Blocks(SIZES), encode, 3)


@pytest.mark.parametrize("size", [1, 16, 130, 1000])
def test_a_pass_gives_every_row_once_in_batches_of_one_size(stream, size):
    """Rows, their numbers and their gaps stay together; only the last batch is smaller."""
    batches = list(stream.batches(size, torch.Generator().manual_seed(0)))
    assert [len(b.x) for b in batches[:-1]] == [size] * (len(batches) - 1)
    assert sorted(torch.cat([b.numbers for b in batches]).tolist()) == list(range(sum(SIZES)))
    for b in batches:
        assert (b.x[:, 0] == 3 * b.numbers).all()
        gaps = b.numbers % 7 == 0
        assert (not gaps.any()) if b.observed is None else (b.observed[:, 0] == ~gaps).all()


@pytest.mark.parametrize("skip", [0, 1, 5, 13, 25])
def test_a_pass_taken_up_in_the_middle_goes_on_as_it_would_have(stream, skip):
    """From any batch on, without reading the buffers before it."""
    whole = list(stream.batches(16, torch.Generator().manual_seed(3)))
    stream.source.reads.clear()
    rest = list(stream.batches(16, torch.Generator().manual_seed(3), skip))
    assert [b.numbers.tolist() for b in rest] == [b.numbers.tolist() for b in whole[skip:]]
    assert len(stream.source.reads) <= len(SIZES)
    if skip == 25:
        assert len(stream.source.reads) < len(SIZES) / 2


def test_passes_differ_and_mix_blocks(stream):
    """Two seeds, two orders; a batch holds rows of several blocks."""
    one, two = (next(stream.batches(32, torch.Generator().manual_seed(s))).numbers for s in (0, 1))
    assert one.tolist() != two.tolist()
    assert len(set(np.searchsorted(np.cumsum(SIZES), one.numpy(), side="right"))) >= 2


def test_held_out_rows_are_in_memory_and_never_trained_on(stream, monkeypatch):
    """About the share asked for, in whole blocks, cut where memory ends."""
    training, held_out = stream.split(0.1, torch.Generator().manual_seed(0))
    assert 1 <= len(held_out) <= round(0.1 * sum(SIZES))
    trained = torch.cat([b.numbers for b in training.batches(50, torch.Generator().manual_seed(0))])
    assert (held_out.gathered().x[:, 0] == 3 * held_out.numbers).all()
    assert not set(held_out.numbers.tolist()) & set(trained.tolist())
    monkeypatch.setattr(module, "HELD_OUT", (60, 50_000))
    assert len(stream.split(0.5, torch.Generator().manual_seed(0))[1]) == 20
    assert stream.split(0.0, torch.Generator().manual_seed(0))[1] is None


def test_first_rows_come_from_the_first_blocks(stream):
    """No more than asked for, and no block is read that is not needed."""
    first = stream.first(50)
    assert (first.gathered().x[:, 0] / 3).tolist() == list(range(50)) == first.numbers.tolist()
    assert stream.source.reads == [0, 1, 2]
