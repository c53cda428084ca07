"""Where it fails: which columns, or which region of a picture or signal, come back worst.

Every column is held against its own mean: 1 - e / e_mean over the held-out rows, 1 for a column that is
rebuilt and 0, or less, for one the code knows nothing of.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.auditing.finding import Finding
from isthmus.auditing.subject import Subject
from isthmus.wording import percent

__all__ = ["Square", "Worst", "worst"]

SHOWN = 5
NOTICED = 0.1  # of what a column's mean usually costs
SHARE = 6  # a region's side is so small a part of a picture's shorter side

Array = NDArray[np.float64]


class Square(NamedTuple):
    """A square of a picture, by its first row and column, and its share of all squared error."""

    top: int
    left: int
    side: int
    share: float

    def __str__(self) -> str:
        return f"rows {self._span(self.top)}, columns {self._span(self.left)}"

    def _span(self, start: int) -> str:
        return f"{start} to {start + self.side - 1}"


class Worst(Finding):
    """By cell (m,): the share explained, NaN for what never varies, and the mean squared error; their names.

    shape: of a picture or signal, so that `error.reshape(shape)` is a map; () for tables.
    """

    label = "worst"
    explained: Array
    error: Array
    names: tuple[Any, ...]
    shape: tuple[int, ...]
    is_signal: bool
    lost: int

    def __str__(self) -> str:
        if self.shape:
            return f"rebuilt worst around {self.place}"
        said = [f"{self.names[j]} ({_share(self.explained[j])})" for j in self.order[:SHOWN]]
        return f"explained worst: {', '.join(said)}" if said else "no column varies"

    @property
    def order(self) -> list[int]:
        """Cells that vary, worst first."""
        known = np.flatnonzero(np.isfinite(self.explained))
        return [int(j) for j in known[np.argsort(self.explained[known], kind="stable")]]

    def below(self, share: float) -> list[str]:
        """Columns of a table of which less than `share` is explained, worst first; not those that hardly vary
        among these rows and cost next to nothing.
        """
        if self.shape or not self.order:
            return []
        of = self.error / np.maximum(1e-12, 1 - self.explained)
        noticed = self.error >= NOTICED * np.nanmedian(np.where(np.isfinite(self.explained), of, np.nan))
        return [str(self.names[j]) for j in self.order if self.explained[j] < share and noticed[j]]

    @property
    def is_picture(self) -> bool:
        """Whether a row is a picture (h, w) or (h, w, channels) that is large enough to have regions."""
        if self.is_signal:
            return False
        flat = len(self.shape) == 2 or (len(self.shape) == 3 and self.shape[2] in (1, 3))
        return flat and min(self.shape[:2]) > 3

    @property
    def map(self) -> Array:
        """Of a picture the mean squared error by place, (h, w), summed over channels."""
        error: Array = self.error.reshape(*self.shape[:2], -1).sum(2)
        return error

    def regions(self, count: int = 3) -> list[Square]:
        """The squares of a picture with the largest errors, one after the other, none over another."""
        left = self.map.copy()
        side = max(2, round(min(left.shape) / SHARE))
        found: list[Square] = []
        for _ in range(count):
            sums = np.lib.stride_tricks.sliding_window_view(left, (side, side)).sum((2, 3))
            top, start = (int(i) for i in np.unravel_index(int(sums.argmax()), sums.shape))
            if not np.isfinite(sums.max()) or sums.max() <= 0:
                break
            found.append(Square(top, start, side, float(sums.max() / self.map.sum())))
            left[top : top + side, start : start + side] = -np.inf
        return found

    @property
    def place(self) -> str:
        """The place of a picture or signal with the largest error, in words."""
        return str(self.names[int(self.error.argmax())])

    def plain(self) -> dict[str, Any]:
        """The share of the worst columns by name."""
        found = super().plain()
        del found["names"], found["is_signal"]
        named = {str(self.names[j]): round(float(self.explained[j]), 4) for j in self.order[:SHOWN]}
        return found | ({} if self.shape else {"columns": named})


def _share(explained: float) -> str:
    return percent(explained) if explained >= 0 else "worse than its mean"


def worst(subject: Subject) -> Worst:
    """Over the held-out rows."""
    test, starts = subject.test, [start for start, _ in subject.reader.spans]
    wrong = np.add.reduceat((np.square(test.x - test.x_hat) * test.seen).sum(0), starts)
    of = np.add.reduceat((np.square(test.x - subject.axes.mean) * test.seen).sum(0), starts)
    rows = len(test.x) if test.observed is None else np.maximum(1, test.observed.sum(0))
    varied = of > 1e-12 * max(float(of.max()), 1e-300)
    explained = np.where(varied, 1 - wrong / np.where(varied, of, 1.0), np.nan)
    return Worst(
        explained=explained,
        error=wrong / rows,
        names=subject.names,
        shape=subject.shape,
        is_signal=subject.is_signal,
        lost=int((explained < 0.05).sum()),
    )
