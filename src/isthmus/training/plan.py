"""How long, in what batches and how fast to train, chosen from the size of the data.

The choices are plain arithmetic on the number of rows, so that they can be said in one sentence and
overridden one by one. A run is counted in steps, not epochs: a network needs some thousands of updates
whether they come from 200 rows or from 2 million. The rate warms up, then falls along half a cosine
(Loshchilov & Hutter 2017).
"""

from __future__ import annotations

import math

from isthmus.parts import Record
from isthmus.wording import counted

__all__ = ["BETA_1", "BETA_2", "EPS", "Plan", "make_plan"]

STEPS = 4_000  # updates a default run aims at; early stopping usually ends it sooner
EPOCHS = (4, 500)  # at least, at most
BETA_1, BETA_2, EPS = 0.9, 0.999, 1e-8  # Adam's
STEPS_A_ROUND = (25, 1_000)  # updates between two looks at the held-out rows: at least, at most


class Plan(Record):
    """Batch size, epochs, learning rate, and how many rounds without progress end the run."""

    rows: int
    batch_size: int
    epochs: int
    lr: float
    patience: int

    @property
    def steps_per_epoch(self) -> int:
        """Updates in one pass over the rows."""
        return math.ceil(self.rows / self.batch_size)

    @property
    def steps(self) -> int:
        """Updates in the whole run."""
        return self.steps_per_epoch * self.epochs

    @property
    def steps_per_round(self) -> int:
        """Updates between two looks at the held-out rows: whole epochs, or parts of a very long one."""
        least, most = STEPS_A_ROUND
        passes = min(self.epochs, max(1, least // self.steps_per_epoch))
        return min(passes * self.steps_per_epoch, most)

    def rate(self, step: int) -> float:
        """The learning rate of update number `step`, from 0."""
        warm = max(1, min(200, self.steps // 20))
        if step < warm:
            return self.lr * (step + 1) / warm
        done = (step - warm) / max(1, self.steps - warm)
        return self.lr * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))

    def __str__(self) -> str:
        most = counted(self.epochs, "epoch")
        return f"batches of {self.batch_size}, at most {most}, learning rate {self.lr:g}"


def make_plan(
    rows: int, batch_size: int | None, epochs: int | None, lr: float | None, patience: int | None
) -> Plan:
    """The plan for `rows` training rows; what is not None is taken as it is."""
    batch = batch_size or min(1024, max(32, 1 << round(math.log2(max(1, rows) / 20) if rows > 20 else 0)))
    batch = min(batch, rows)
    steps_per_epoch = math.ceil(rows / batch)
    chosen = epochs or min(EPOCHS[1], max(EPOCHS[0], round(STEPS / steps_per_epoch)))
    plan = Plan(rows, batch, chosen, lr or 2e-3, 1)
    rounds = math.ceil(plan.steps / plan.steps_per_round)
    return Plan(rows, batch, chosen, plan.lr, patience or max(8, rounds // 5))
