"""Repair: a small set of cells whose replacement makes a strange row ordinary.

A large residual is often not where the fault is: one wrong cell bends the whole reconstruction. So each cell
is tried: it is taken out and replaced by what the model makes of it given the others, x_j <- x_hat_j, a few
times over until it rests, and the row is scored again. The cell whose replacement helps most is taken, and so
on until the row is ordinary; then every replacement is taken back that turns out not to be needed. Greedy, so
not always the smallest set there is, but none of its cells can be spared.

What a cell contributes to a score is its share of what the cells can take away by being replaced alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.anomaly.evidence import ROUNDS
from isthmus.anomaly.panel import Panel, Seen

__all__ = ["Repair", "repair"]

TRIED = 64  # cells that are tried, those with the largest costs, where a row has more
MOST = 8  # cells a repair may replace

Array = NDArray[Any]


class Repair(NamedTuple):
    """Of one row: each cell's contribution (m,) to its score, the cells to replace, the row with them
    replaced (in the user's units, one row), and its score before and after.
    """

    contributions: Array
    cells: list[int]
    row: Any
    before: float
    after: float


class _State(NamedTuple):
    """A row on its way: which cells have been replaced, how every judge sees it, its score."""

    cells: list[int]
    seen: list[Seen]
    score: float


def repair(panel: Panel, row: Any, ordinary: float) -> Repair:
    """Replace cells of a row (X with one row) until its score is at most `ordinary`, or nothing helps."""
    seen = panel.seen(row)
    costs = panel.judges[0].reader.look(*seen[0]).cells[0]
    start = now = _State([], seen, float(panel.scores_of(seen)[0]))
    gains = np.zeros(len(costs))
    tried = [int(cell) for cell in np.argsort(-costs, kind="stable")[:TRIED]]
    while len(now.cells) < min(MOST, len(tried)):
        left = [cell for cell in tried if cell not in now.cells]
        rows = _replaced(panel, now.seen, left)
        scores = panel.scores_of(rows)
        if now is start:
            gains[left] = np.maximum(start.score - scores, 0.0)
        best = int(scores.argmin())
        if now.score <= ordinary or scores[best] >= now.score:
            break
        now = _State([*now.cells, left[best]], _rows(rows, best), float(scores[best]))
    now = _spared(panel, start, now, ordinary)
    changed = panel.judges[0].reader.decode(now.seen[0].x)
    return Repair(_shares(gains, costs, start.score), now.cells, changed, start.score, now.score)


def _replaced(panel: Panel, seen: Sequence[Seen], cells: list[int]) -> list[Seen]:
    """One row a cell, for every judge: that cell as the first model makes it of the others."""
    reader = panel.judges[0].reader
    x = np.repeat(seen[0].x, len(cells), axis=0)
    places = [(i, slice(*reader.spans[cell])) for i, cell in enumerate(cells)]
    for place in places:
        x[place] = 0.0  # as if it were missing
    for _ in range(ROUNDS):
        x_hat = reader.look(x).x_hat
        for place in places:
            x[place] = x_hat[place]
    values = reader.decode(x)
    return [_with(judge.reader, some, values, cells) for judge, some in zip(panel.judges, seen, strict=True)]


def _with(reader: Any, seen: Seen, values: Any, cells: list[int]) -> Seen:
    """A row as a judge encodes it, one copy a cell, with that cell from the same row of `values`."""
    new, known = reader.encode(values)
    x = np.repeat(seen.x, len(cells), axis=0)
    observed = np.repeat(seen.observed, len(cells), axis=0)
    for i, cell in enumerate(cells):
        span = slice(*reader.spans[cell])
        x[i, span], observed[i, cell] = new[i, span], known is None or known[i, cell]
    return Seen(x, observed)


def _spared(panel: Panel, start: _State, now: _State, ordinary: float) -> _State:
    """The same without replacements that are not needed."""
    for cell in now.cells[:-1]:
        seen = [
            _undone(judge.reader, before, after, cell)
            for judge, before, after in zip(panel.judges, start.seen, now.seen, strict=True)
        ]
        score = float(panel.scores_of(seen)[0])
        if score <= max(ordinary, now.score):
            now = _State([c for c in now.cells if c != cell], seen, score)
    return now


def _undone(reader: Any, start: Seen, now: Seen, cell: int) -> Seen:
    x, observed, span = now.x.copy(), now.observed.copy(), slice(*reader.spans[cell])
    x[:, span], observed[:, cell] = start.x[:, span], start.observed[:, cell]
    return Seen(x, observed)


def _rows(seen: Sequence[Seen], i: int) -> list[Seen]:
    return [Seen(some.x[i : i + 1], some.observed[i : i + 1]) for some in seen]


def _shares(gains: Array, costs: Array, total: float) -> Array:
    """A score shared out by gains, by costs where nothing gains, evenly where nothing costs."""
    weights = gains if gains.sum() > 0 else costs
    if weights.sum() <= 0:
        weights = np.ones(len(weights))
    shares: Array = total * weights / weights.sum()
    return shares
