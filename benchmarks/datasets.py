"""The data of the benchmarks: tables of numbers made up from a few hidden ones, and MNIST if found."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["low_rank", "mnist"]

FOLDER = Path(os.environ.get("ISTHMUS_DATA", Path(__file__).resolve().parents[1] / ".." / "shared" / "data"))


def low_rank(rows: int, columns: int, hidden: int = 8, seed: int = 0) -> Any:
    """(rows, columns) float32 of unit variance: a curved sheet of few dimensions, and noise."""
    rng = np.random.default_rng(seed)
    inner = np.tanh(rng.standard_normal((rows, hidden), dtype=np.float32))
    X = inner @ rng.standard_normal((hidden, columns), dtype=np.float32)
    X += 0.3 * rng.standard_normal((rows, columns), dtype=np.float32)
    return X / X.std(0)


def mnist() -> tuple[Any, Any, Any] | None:
    """Training pictures (60,000, 784) uint8, their digits, test pictures (10,000, 784); None without them.

    Read from `images/mnist.npz` (X_train, y_train, X_test) in the folder ISTHMUS_DATA.
    """
    path = FOLDER / "images" / "mnist.npz"
    if not path.is_file():
        print("MNIST was not found: set ISTHMUS_DATA.\n")
        return None
    with np.load(path) as file:
        return file["X_train"].reshape(-1, 784), file["y_train"], file["X_test"].reshape(-1, 784)
