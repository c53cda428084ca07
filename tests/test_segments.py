"""Segments: the same bits from one thread and from several."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from isthmus import segments as module
from isthmus.fingerprint import fingerprint
from isthmus.inputs.scaling import Scales, Standard
from isthmus.inputs.statistics import statistics_of
from isthmus.segments import each, segments


@pytest.fixture
def wide():
    """Three segments of float64, and a little."""
    rng = np.random.default_rng(0)
    rows = 3 * (module.SIZE // 500) + 7
    return 5 + rng.normal(size=(rows, 500)) * rng.uniform(0.5, 40, 500)


def test_segments_hold_every_row_once():
    for rows, width, size in ((0, 3, 4), (1, 3, 4), (10, 3, 7), (10, 30, 7), (5, 0, 2)):
        runs = segments(rows, width, size)
        assert np.concatenate([np.arange(rows)[run] for run in runs] or [[]]).tolist() == list(range(rows))
        assert all(run.stop - run.start == max(1, size // max(1, width)) for run in runs)


def test_results_come_in_order_from_several_threads(monkeypatch):
    monkeypatch.setattr(module, "threads", lambda: 4)
    met, wait = set(), threading.Barrier(4)

    def start(run: slice) -> int:
        wait.wait(timeout=20)  # passes only where four are at work at once
        met.add(threading.get_ident())
        return run.start

    assert each(start, segments(8, 1, size=1)) == list(range(8))
    assert len(met) == 4


def test_threads_are_torchs_or_what_the_environment_says(monkeypatch):
    monkeypatch.setitem(module.sys.modules, "torch", None)
    for told, threads in (("3", 3), ("5,2", 5), ("0", None), ("", None), ("many", None)):
        monkeypatch.setenv("OMP_NUM_THREADS", told)
        assert (module.threads() == threads) if threads else (module.threads() >= 1)


def test_what_is_made_of_data_has_the_same_bits_from_any_number_of_threads(monkeypatch, wide):
    """Statistics, encoded rows and the fingerprint, which are also right."""
    made = []
    for threads in (1, 3):
        monkeypatch.setattr(module, "threads", lambda threads=threads: threads)
        known = statistics_of(wide)
        scales = Standard()(wide, known)
        x = scales.encode_whole(wide)
        made.append((known, x, fingerprint(x, tuple(range(500)))))
    (known, x, digest), (other, y, same) = made
    assert all((a == b).all() for a, b in zip(known, other, strict=True))
    assert (x == y).all()
    assert digest == same
    np.testing.assert_allclose(known.mean, wide.mean(0), rtol=1e-13)
    np.testing.assert_allclose(known.std, wide.std(0), rtol=1e-12)
    assert (known.low == wide.min(0)).all()
    assert (known.high == wide.max(0)).all()
    np.testing.assert_allclose(x, (wide - wide.mean(0)) / wide.std(0), atol=2e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_one_cell_of_the_last_segment_is_seen(wide, value):
    """What is missing or extreme is told as it is in a small array, and another cell is another print."""
    x = wide.astype(np.float32)
    before = fingerprint(x, tuple(range(500)))
    x[-1, -1] = np.nextafter(x[-1, -1], np.float32(9e9))
    assert fingerprint(x, tuple(range(500))) != before
    wide[-1, -1] = value
    assert statistics_of(wide) is None
    assert Scales((0.0,) * 500, (1.0,) * 500).encode_whole(wide) is None
