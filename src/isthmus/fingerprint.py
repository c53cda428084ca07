"""A fingerprint of training data: enough to recognise them, not to recover them."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["fingerprint"]


def fingerprint(x: NDArray[np.float32], names: tuple[str | int, ...]) -> dict[str, Any]:
    """Number of rows, number of columns, and the SHA-256 of the encoded rows x (n, d) in order."""
    digest = hashlib.sha256(repr(x.shape).encode())
    digest.update(np.ascontiguousarray(x).view(np.uint8).data)
    return {"rows": len(x), "columns": len(names), "sha256": digest.hexdigest()}
