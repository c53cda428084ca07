"""Data that several test modules share."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits

REAL = Path(os.environ.get("ISTHMUS_DATA", Path(__file__).resolve().parents[1] / ".." / "shared" / "data"))


@pytest.fixture(scope="session")
def digits() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scikit-learn's digits in [0, 1]: 1,400 training and 397 test rows, shuffled."""
    X = load_digits().data / 16
    X = X[np.random.default_rng(0).permutation(len(X))]
    return X[:1400], X[1400:]


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of real datasets; tests that need it are skipped where it is not."""
    if not REAL.is_dir():
        pytest.skip("set ISTHMUS_DATA to the folder of real datasets")
    return REAL
