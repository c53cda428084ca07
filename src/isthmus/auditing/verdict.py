"""The verdict: one kind, one to three sentences, the last of which says what to do.

The rules are tried in this order, and the first that holds decides. Every number a rule compares with stands
at the top of this file.

    nothing     the rows do not vary, or too few are there to judge by
    copies      rows that cannot occur come back as well as rows that do: an identity map
    noise       neither the model nor PCA tells rows from rows with their columns shuffled
    other       held-out rows cost at least twice what training rows do, and are of another kind
    memorises   held-out rows cost at least twice what training rows do, clearly more than PCA's own gap, and
                the model does no better than PCA there, or returns training rows, or they cost five times
    dead        half of the units, or more, say the same of every row
    collapsed   every row is answered with about the mean, or a code as wide as the data explains less than
                half
    worse       PCA is clearly better on held-out rows
    small       less than half is explained, and as many numbers again would explain much more than by chance
    pca         no clear difference from PCA
    strained    better than PCA, and yet held-out rows cost at least twice what training rows do
    good        clearly better than PCA; or, where a code is too wide for that comparison, no copy. Columns
                of a table that come back worse than their mean are named, and so is what PCA with twice as
                many numbers explains, where this is less than half
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from isthmus.auditing.finding import plainly, times
from isthmus.auditing.linear import AgainstPCA
from isthmus.auditing.memory import Attractors, Copies, Gap
from isthmus.auditing.probe import NoiseProbe
from isthmus.auditing.shift import Shift
from isthmus.auditing.units import Units
from isthmus.auditing.worst import Worst
from isthmus.diagnostics import FEW
from isthmus.wording import counted, listed, percent

__all__ = ["KINDS", "Evidence", "judged"]

COPIED = 0.9  # share of shuffled rows explained from which on a model copies
TWICE = 2.0  # held-out over training error that is a sign of memorising,
OWN = 1.5  # where it is so many times PCA's own
AWAY, CLEAR = 1.0, 6.0  # standard deviations, and standard errors, that make rows another kind
FALLEN = 0.3  # share of rows that come back as training rows, or fall back to them, that is a sign
UNTOLD = 1.05  # cost of shuffled rows, relative to real ones, up to which they are not told apart
SURE = 3.0  # standard errors of that difference
HALF = 0.5  # share of held-out rows that come back as training rows, which alone decides
DEAD = 0.5  # share of dead units that makes a verdict
COLLAPSED = 0.1  # share of what PCA explains, at or below which nothing was learned
BY_HEART = 5.0  # held-out over training error that is memorising whatever PCA does,
LEFT = 0.75  # where not even so much is explained of the held-out rows
LOW = 0.5  # share explained below which a code may be too small, or a wide one has learned little
MORE = 0.05  # what as many numbers again must add to it,
CHANCE = 1.5  # and how many times as much as on shuffled rows
LOST = -0.05  # share explained of a column below which its mean is clearly nearer
FULL = 0.9995  # a share that is as good as 1

KINDS = (
    "nothing",
    "copies",
    "noise",
    "other",
    "memorises",
    "dead",
    "collapsed",
    "worse",
    "small",
    "pca",
    "strained",
    "good",
)


class Evidence(NamedTuple):
    """What the rules read."""

    linear: AgainstPCA
    probe: NoiseProbe
    gap: Gap
    copies: Copies
    attractors: Attractors
    units: Units
    dimension: float
    shift: Shift
    worst: Worst

    @property
    def falls(self) -> float:
        """The largest share of rows that come back as, or fall back to, training rows."""
        found = [self.copies.share, self.attractors.share, self.attractors.from_noise]
        return max((share for share in found if np.isfinite(share)), default=0.0)

    @property
    def strained(self) -> bool:
        """Whether held-out rows cost much more than training rows, beyond what PCA's own gap explains."""
        own = self.gap.pca_ratio if np.isfinite(self.gap.pca_ratio) else 1.0
        return self.gap.ratio >= TWICE and self.gap.ratio >= OWN * own and self.gap.z > 2

    @property
    def full(self) -> bool:
        """Whether model and PCA both explain as good as everything."""
        return min(self.linear.explained, self.linear.explained_by_pca) >= FULL

    @property
    def needed(self) -> int:
        """Numbers to try where the code is too small: twice as many, or the data's dimension if more."""
        more = np.ceil(self.dimension) if np.isfinite(self.dimension) else 0
        return int(max(self.linear.twice, min(more, 4 * self.linear.n_components)))


def judged(found: Evidence) -> tuple[str, str]:
    """The kind, and the verdict in words."""
    for kind, rule in RULES:
        words = rule(found)
        if words:
            return kind, words
    return "good", _good(found)


# ---------------------------------------------------------------- the rules: words where one holds


def _nothing(found: Evidence) -> str:
    if not found.linear.comparison.varied:
        return "It has nothing to learn: every row is the same. Check how the data were read."
    if found.linear.rows < FEW:
        return f"So few rows judge nothing: it was tried on {found.linear.rows}. Hold out at least {FEW}."
    return ""


def _copies(found: Evidence) -> str:
    probe = found.probe
    if probe.explained < COPIED:
        return ""
    return (
        f"It copies: it explains {percent(probe.explained)} of rows whose columns were shuffled against each "
        f"other, and {percent(found.linear.explained)} of real ones. Use a smaller code, or a corruption or "
        "penalty that keeps it from copying."
    )


def _noise(found: Evidence) -> str:
    probe = found.probe
    told = probe.ratio > UNTOLD and probe.z > SURE
    told_by_pca = probe.pca_ratio > UNTOLD and probe.pca_z > SURE
    if told or told_by_pca or probe.dependence > SURE:
        return ""
    return (
        "There is nothing to compress: neither this model nor PCA can tell held-out rows from rows whose "
        "columns were shuffled, so the columns do not depend on each other. Keep the columns as they are."
    )


def _other(found: Evidence) -> str:
    shift = found.shift
    if found.gap.ratio < TWICE or shift.size < AWAY or shift.z < CLEAR:
        return ""
    return (
        f"The held-out rows are of another kind than the training rows, most of all in {shift.place}. That "
        f"they cost {times(found.gap.ratio)} as much says nothing about memorising: look at that column, or "
        "judge by rows of one kind."
    )


def _memorises(found: Evidence) -> str:
    tied = not found.linear.better and not found.linear.wide
    by_heart = found.gap.ratio >= BY_HEART and found.linear.explained < LEFT
    strained = found.strained and (tied or by_heart or found.falls >= FALLEN)
    if not strained and not found.copies.share >= HALF:
        return ""
    sign = f"held-out rows cost {times(found.gap.ratio)} what training rows do"
    if np.isfinite(found.gap.pca_ratio):
        sign += f" (PCA: {plainly(found.gap.pca_ratio)})"
    if found.falls >= FALLEN:
        sign += f", and {percent(found.falls)} of rows fall onto training rows"
    return f"It memorises: {sign}. Add noise, shrink the code, or get more rows."


def _dead(found: Evidence) -> str:
    units = found.units
    alive = units.count - units.dead
    wide = counted(alive, "number")
    if units.dead < DEAD * units.count or alive == 0:
        return ""
    return (
        f"{units.dead} of its {units.count} units are dead: the code is {wide} wide. Lower the penalty's "
        f"weight or the learning rate, or take {wide}."
    )


def _collapsed(found: Evidence) -> str:
    if found.linear.wide and found.linear.explained < LOW:
        share = max(0.0, found.linear.explained)
        return (
            f"It has learned little: a code as wide as the data explains {percent(share)} "
            "of held-out rows. Lower the penalty's weight or the corruption, or train longer."
        )
    if found.linear.explained > max(COLLAPSED**2, COLLAPSED * found.linear.explained_by_pca):
        return ""
    return (
        f"It has learned next to nothing: it explains {percent(max(0.0, found.linear.explained), 1)} of "
        f"held-out rows, PCA {percent(found.linear.explained_by_pca, 1)}; answers are hardly more than the "
        "mean. Lower the penalty's weight, or train longer."
    )


def _worse(found: Evidence) -> str:
    if found.linear.wide or not found.linear.worse or found.full:
        return ""
    why = "use it, or train longer"
    if found.strained:
        why = "use it, or get more rows"
    return f"It {_beside(found)}. PCA is better here: {why}."


def _small(found: Evidence) -> str:
    linear = found.linear
    lacks = linear.explained < LOW and linear.twice > linear.n_components
    room = linear.gain >= MORE and linear.gain > CHANCE * max(linear.gain_by_chance, 0.0)
    if not (lacks and room):
        return ""
    few = linear.n_components < found.units.count  # a sparse code, wide enough, too little of which is on
    units, numbers = counted(found.needed, "unit"), counted(found.needed, "number")
    do = f"Let {units} be on: lower the penalty" if few else f"Try {numbers}"
    return (
        f"The code is too small: with {counted(linear.n_components, 'number')} it explains "
        f"{percent(linear.explained)} of held-out rows, PCA {percent(linear.explained_by_pca)}, and PCA with "
        f"{linear.twice} {percent(linear.explained_by_twice)}. {do}."
    )


def _pca(found: Evidence) -> str:
    linear = found.linear
    if linear.wide or (linear.better and not found.full):
        return ""
    if found.full:
        return f"It {_beside(found)}. They are equal: PCA is simpler, use it."
    return f"It {_beside(found)}. No clear difference: PCA is simpler, use it."


def _strained(found: Evidence) -> str:
    if not found.strained:
        return ""
    return (
        f"{_beats(found)} But held-out rows cost {times(found.gap.ratio)} what training rows do: more rows, "
        "or a corruption, would help."
    )


def _good(found: Evidence) -> str:
    lost = found.worst.below(LOST)
    but = f", but not for {listed(lost)}, where the mean is nearer" if lost else ""
    return f"{_beats(found)} No sign of memorising: use it{but}{_yet(found.linear)}."


def _yet(linear: AgainstPCA) -> str:
    """What is to be known of a narrow code that explains less than half."""
    if linear.wide or linear.explained >= LOW:
        return ""
    if linear.twice <= linear.n_components:
        return "; most is left out"
    more = percent(linear.explained_by_twice, 1)
    return f"; most is left out, and PCA with {linear.twice} numbers explains {more}"


def _beats(found: Evidence) -> str:
    linear = found.linear
    if linear.wide:
        said = (
            f"It explains {percent(linear.explained, 1)} of {linear.rows:,} held-out rows and is no copy: "
            f"rows with their columns shuffled cost {times(found.probe.ratio)} as much."
        )
    else:
        said = (
            f"It beats PCA({linear.n_components}) by {percent(1 - linear.comparison.ratio)}: it explains "
            f"{percent(linear.explained, 1)} of the variation of {linear.rows:,} held-out rows, PCA "
            f"{percent(linear.explained_by_pca, 1)}."
        )
    return said


RULES: tuple[tuple[str, Callable[[Evidence], str]], ...] = (
    ("nothing", _nothing),
    ("copies", _copies),
    ("noise", _noise),
    ("other", _other),
    ("memorises", _memorises),
    ("dead", _dead),
    ("collapsed", _collapsed),
    ("worse", _worse),
    ("small", _small),
    ("pca", _pca),
    ("strained", _strained),
)


def _beside(found: Evidence) -> str:
    linear = found.linear
    return (
        f"explains {percent(linear.explained, 1)} of the variation of {linear.rows:,} held-out rows with "
        f"{counted(linear.n_components, 'number')}; PCA explains {percent(linear.explained_by_pca, 1)}"
    )
