"""A fingerprint of training data: enough to recognise them, not to recover them.

Of large data a digest would take longer than learning their columns does. So the bits of many numbers are
added up first, which a processor does as fast as it reads. What lies `width` numbers apart shares a sum: with
two widths that have no common divisor no two numbers share both, and an exchange of any two is seen.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.segments import each, segments

__all__ = ["fingerprint"]

WIDTHS = 1024, 1031  # sums of a block
DEEP = 32  # numbers in a sum; DEEP times either width is less than their product


def fingerprint(x: NDArray[np.float32], names: tuple[str | int, ...]) -> dict[str, Any]:
    """Number of rows, number of columns, and the SHA-256 of the encoded rows x (n, d) in order; of more than
    one segment that of the segments' own, each of sums of its bits.
    """
    digest, runs = hashlib.sha256(repr(x.shape).encode()), segments(*x.shape)
    if len(runs) > 1:
        for part in each(lambda rows: _of_sums(_bits(x[rows])), runs):
            digest.update(part)
    else:
        digest.update(_bits(x).data)
    return {"rows": len(x), "columns": len(names), "sha256": digest.hexdigest()}


def _bits(x: NDArray[np.float32]) -> NDArray[np.uint32]:
    return np.ascontiguousarray(x).reshape(-1).view(np.uint32)


def _of_sums(bits: NDArray[np.uint32]) -> bytes:
    """The digest of the sums of all blocks, modulo 2^32, and of what is left of the last."""
    digest = hashlib.sha256()
    for width in WIDTHS:
        whole = len(bits) - len(bits) % (DEEP * width)
        digest.update(bits[:whole].reshape(-1, DEEP, width).sum(1, dtype=np.uint32).data)
        digest.update(bits[whole:].data)
    return digest.digest()
