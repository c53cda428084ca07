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


@pytest.fixture(scope="module")
def large():
    """Of more than one segment; a power of two of columns lines up with the sums of bits."""
    return np.random.default_rng(0).normal(size=(70_000, 32)).astype(np.float32)


def prints(*arrays):
    return {fingerprint(array, tuple(range(array.shape[1])))["sha256"] for array in arrays}


def test_the_smallest_change_of_a_cell_of_large_data_is_seen(large):
    places = np.random.default_rng(1).integers(large.size, size=20)
    changed = [large.copy() for _ in places]
    for other, place in zip(changed, [0, large.size - 1, *places[2:]], strict=True):
        other.flat[place] = np.nextafter(other.flat[place], np.float32(9))
    assert len(prints(large, *changed)) == 21


@pytest.mark.parametrize("apart", [1, 31, 32, 64, 1031, 32 * 1031, 65_537])
@pytest.mark.parametrize("columns", [32, 1031])
def test_exchanged_rows_and_numbers_of_large_data_are_seen(large, columns, apart):
    x = large.flat[: large.size // columns * columns].reshape(-1, columns)
    assert x.size > 2**21
    rows, numbers = x.copy(), x.copy()
    first, second = 5, (5 + apart) % len(x)
    rows[[first, second]] = rows[[second, first]]
    numbers.flat[[7, 7 + apart]] = numbers.flat[[7 + apart, 7]]
    assert len(prints(x, rows, numbers, x[::-1], np.roll(x, 1, 1))) == 5
