"""A fingerprint is that of the data: a change is seen, where they lie in memory is not."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.fingerprint import fingerprint

NAMES = tuple(range(6))


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)


def test_the_smallest_change_of_any_cell_is_another_fingerprint(x):
    found = {fingerprint(x, NAMES)["sha256"]}
    for row, column in np.ndindex(*x.shape):
        other = x.copy()
        other[row, column] = np.nextafter(other[row, column], np.float32(9))
        found.add(fingerprint(other, NAMES)["sha256"])
    assert len(found) == x.size + 1


@pytest.mark.parametrize("axis", [0, 1])
def test_rows_and_columns_in_another_order_are_other_data(x, axis):
    assert fingerprint(np.roll(x, 1, axis), NAMES) != fingerprint(x, NAMES)


def test_levels_dealt_to_other_rows_are_other_data():
    """Of one-hot and yes/no columns, whose rows and columns all keep their sums."""
    rng = np.random.default_rng(0)
    levels = np.eye(3, dtype=np.float32)[rng.integers(3, size=90)]
    yes = np.where(rng.random((90, 3)) < 0.5, -1, 1).astype(np.float32)
    x, names = np.hstack([levels, yes]), tuple("abcdef")
    dealt = np.hstack([levels[rng.permutation(90)], yes])
    swapped = x.copy()
    swapped[[0, 1]] = x[[1, 0]]
    found = {fingerprint(some, names)["sha256"] for some in (x, dealt, swapped, x[::-1])}
    assert len(found) == 4


def test_the_order_in_memory_does_not_count(x):
    assert fingerprint(np.asfortranarray(x), NAMES) == fingerprint(x, NAMES)
    assert fingerprint(np.repeat(x, 2, axis=0)[::2], NAMES) == fingerprint(x, NAMES)


def test_shapes_of_the_same_numbers_differ(x):
    zero = np.zeros((6, 4), np.float32)
    assert fingerprint(zero, NAMES)["sha256"] != fingerprint(zero.reshape(4, 6), NAMES)["sha256"]
    assert fingerprint(x, NAMES)["rows"] == 40
    assert fingerprint(x, NAMES)["columns"] == 6
