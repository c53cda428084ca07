"""The demo's data: digits, a table of patients and a photograph, all from scikit-learn.

The table is the diabetes data with its columns in their own units, two of them categories, one yes/no, and a
twentieth of the cells emptied.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["mixed_table", "photograph", "split_digits", "split_kinds"]

Array = NDArray[np.float64]


def split_digits() -> tuple[Array, Array]:
    """1,400 digits (n, 64) to learn from, and 397 to judge by."""
    from sklearn.datasets import load_digits

    return _split(load_digits().data)


def split_kinds() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which digits those of `split_digits` are."""
    from sklearn.datasets import load_digits

    return _split(load_digits().target)


def mixed_table(seed: int = 0) -> Any:
    """The patients: numbers, categories, a yes/no column and gaps."""
    from sklearn.datasets import load_diabetes

    table = load_diabetes(as_frame=True, scaled=False).frame
    table["sex"] = table["sex"].map({1.0: "female", 2.0: "male"})
    table["age"] = table["age"].astype(int)
    table.insert(
        3, "weight class", np.select([table["bmi"] < 25, table["bmi"] < 30], ["normal", "over"], "obese")
    )
    table["progressed"] = table.pop("target") > 140
    gaps = np.random.default_rng(seed).random(table.shape) < 0.05
    gaps[:, [0, -1]] = False  # whole numbers and yes/no without gaps keep their dtypes
    return table.mask(gaps)


def photograph() -> NDArray[np.uint8]:
    """A flower (224, 336, 3), which the denoiser in the package has not seen."""
    from sklearn.datasets import load_sample_image

    picture: NDArray[np.uint8] = load_sample_image("flower.jpg")[96:320, 176:512]
    return picture


def _split(values: Any) -> tuple[Any, Any]:
    mixed = values[np.random.default_rng(0).permutation(len(values))]
    return mixed[:1400], mixed[1400:]
