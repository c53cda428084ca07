"""Jacobians: which directions around a row the model still sees.

The singular values s_1 >= s_2 >= ... of the Jacobian of the whole reconstruction at a row say how far x_hat
moves when x moves by one unit along a direction. On a surface of D dimensions that is learned perfectly D of
them are 1 and the others 0; a contractive penalty shrinks them all, least those along the data. How many
directions count is the participation ratio (sum s^2)^2 / sum s^4, a number between 1 and the width of the
code. An `Autoencoder` gives them exactly; of other transformers they are central differences.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isthmus.auditing.finding import Finding, plainly
from isthmus.auditing.subject import Subject

__all__ = ["Slopes", "slopes"]

ROWS = 32
WIDEST = 512  # numbers in a code whose Jacobians are taken
NUMBERS = 2**22  # and in all their Gram matrices
STEP = 1e-4  # of a central difference, in scaled units
COLUMNS = 512  # of data whose Jacobians are taken by differences

Array = NDArray[np.float64]


class Slopes(Finding):
    """Mean squared norms of Jacobians, the mean spectrum (k,) of the reconstruction's, and the dimensions it
    implies; NaN and empty where codes are too wide.
    """

    label = "Jacobian"
    reconstruction: float
    encoder: float
    dimension: float
    rows: int
    spectrum: Array
    encoder_spectrum: Array

    def __str__(self) -> str:
        if not len(self.spectrum):
            return "left out: the code, or the data, are too wide"
        encoder = f", of the encoder {plainly(self.encoder, 3)}" if np.isfinite(self.encoder) else ""
        return (
            f"mean squared norm of the reconstruction's {plainly(self.reconstruction, 3)}{encoder}; "
            f"it follows {self.dimension:.1f} directions around a row"
        )


def slopes(subject: Subject) -> Slopes:
    """At up to 32 held-out rows."""
    x, k = subject.complete(subject.test), subject.test.z.shape[1]
    few = min(ROWS, max(1, NUMBERS // k**2))
    none = np.empty(0)
    if hasattr(subject.model, "singular_values") and k <= WIDEST:
        rows = x[:few].astype(np.float32)
        whole, inner = (subject.model.singular_values(rows, of) for of in ("reconstruction", "encoder"))
    elif subject.width <= COLUMNS and k <= WIDEST:
        whole, inner = _by_differences(subject, x[: min(few, 16)])[:, :k], none
    else:
        return Slopes(np.nan, np.nan, np.nan, 0, none, none)
    squares = np.square(whole)
    ratio = squares.sum(1) ** 2 / np.maximum((squares**2).sum(1), 1e-300)
    return Slopes(
        reconstruction=float(squares.sum(1).mean()),
        encoder=float(np.square(inner).sum(1).mean()) if len(inner) else np.nan,
        dimension=float(ratio.mean()),
        rows=len(whole),
        spectrum=whole.mean(0),
        encoder_spectrum=inner.mean(0) if len(inner) else none,
    )


def _by_differences(subject: Subject, x: Array) -> Array:
    """Singular values (n, d) of the Jacobian of r."""
    columns = []
    for j in range(x.shape[1]):
        there, back = x.copy(), x.copy()
        there[:, j] += STEP
        back[:, j] -= STEP
        columns.append((subject.rebuilt(there) - subject.rebuilt(back)) / (2 * STEP))
    found: Array = np.linalg.svd(np.stack(columns, 2), compute_uv=False)
    return found
