"""Streams: a pass over rows on the disk is a pass over all of them, well mixed, and can begin anywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from isthmus import Autoencoder, GaussianNoise, Table, Trainer, TrainingError, Unscaled, open_source
from isthmus.inputs import Encoded, NpySource, Source
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


PLAIN = Table(scaling=Unscaled())
SIZES = [40, 1, 64, 7, 100, 33, 3, 90, 64, 12]


@pytest.fixture
def stream(monkeypatch):
    """A stream whose buffer holds about 120 rows."""
    monkeypatch.setattr(module, "BUFFER", 360)
    source = Blocks(SIZES)
    return Stream(source, lambda block: encode(source.read(block)), 3)


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
    """The share asked for, from every block alike, cut where memory ends."""
    training, held_out = stream.split(0.1, torch.Generator().manual_seed(0))
    assert len(held_out) == int(0.1 * sum(SIZES))
    assert len(training) == sum(SIZES) - len(held_out)
    trained = torch.cat([b.numbers for b in training.batches(50, torch.Generator().manual_seed(0))])
    assert (held_out.gathered().x[:, 0] == 3 * held_out.numbers).all()
    assert not set(held_out.numbers.tolist()) & set(trained.tolist())
    monkeypatch.setattr(module, "HELD_OUT", (60, 50_000))
    assert 15 <= len(stream.split(0.5, torch.Generator().manual_seed(0))[1]) <= 20
    assert stream.split(0.0, torch.Generator().manual_seed(0))[1] is None


def test_first_rows_come_from_the_first_blocks(stream):
    """No more than asked for, and no block is read that is not needed."""
    first = stream.first(50)
    assert (first.gathered().x[:, 0] / 3).tolist() == list(range(50)) == first.numbers.tolist()
    assert stream.source.reads == [0, 1, 2]


@pytest.fixture
def on_disk(tmp_path, monkeypatch):
    """Digits in a .npy file too large for the memory that is allowed, sorted by class: the worst order."""
    X, y = load_digits(return_X_y=True)
    X = (X[np.argsort(y, kind="stable")] / 16).astype(np.float32)
    np.save(tmp_path / "digits.npy", X)
    monkeypatch.setattr(module, "MEMORY", 0)
    monkeypatch.setattr(module, "BUFFER", 64 * 400)
    monkeypatch.setattr(NpySource, "sizes", property(lambda self: (16,) * (len(X) // 16) + (len(X) % 16,)))
    monkeypatch.setattr(NpySource, "read", lambda self, block: X[block * 16 : (block + 1) * 16])
    return X, open_source(tmp_path / "digits.npy")


def test_fit_from_the_disk_is_as_good_as_from_memory(on_disk):
    """Error on all rows within 15% of a fit in memory, on a file sorted by class; held-out rows are known."""
    X, source = on_disk
    options = {"trainer": Trainer(max_epochs=30, batch_size=64), "inputs": PLAIN, "random_state": 0}
    streamed, held = Autoencoder(8, **options).fit(source), Autoencoder(8, **options).fit(X)
    assert -streamed.score(X) <= 1.15 * -held.score(X)
    assert 0.05 * len(X) <= len(streamed.held_out_) <= 0.15 * len(X)
    assert (np.diff(streamed.held_out_) > 0).all()
    assert np.allclose(streamed.transform(source), streamed.transform(X), atol=1e-5)


def test_fit_from_the_disk_goes_on_from_its_checkpoint(on_disk, tmp_path, monkeypatch):
    """Stopped in the middle of a pass; ends with the same bits."""
    _, source = on_disk
    monkeypatch.setattr("isthmus.training.checkpoint.SHARE", 0)

    def fit(name, corruption=None):
        trainer = Trainer(max_epochs=6, batch_size=64, checkpoint=str(tmp_path / name))
        return Autoencoder(4, corruption=corruption, trainer=trainer, random_state=0).fit(source)

    expected = fit("whole", StopOnce(0.1))
    STOP["at"] = 75
    fit("parts", StopOnce(0.1))
    resumed = fit("parts", StopOnce(0.1))
    assert STOP["at"] == 0
    assert (resumed.transform(source) == expected.transform(source)).all()


STOP = {"at": 0}


class StopOnce(GaussianNoise):
    """Ctrl-C after so many batches, once."""

    def __call__(self, x, layout, generator):
        if torch.is_grad_enabled() and STOP["at"]:
            STOP["at"] -= 1
            if not STOP["at"]:
                raise KeyboardInterrupt
        return super().__call__(x, layout, generator)


def test_a_value_that_overflows_is_named_by_its_row_in_the_file(on_disk, monkeypatch):
    """Column, row and value, though the row came from a shuffled buffer."""
    X, source = on_disk
    X[777, 5] = 1e8
    trainer = Trainer(held_out=0, lr=1e30, max_epochs=9, batch_size=2000)
    with pytest.raises(TrainingError, match=r"column 5, row 777, value 100000000"):
        Autoencoder(4, inputs=PLAIN, trainer=trainer, random_state=0).fit(source)
