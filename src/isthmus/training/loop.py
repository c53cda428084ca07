"""The only loop, the only `.backward()`.

One run: gather a batch, evaluate the objective, step; after each round look at the held-out rows, remember
the best weights; end when the plan is done, when the held-out objective has stopped improving, or on
Ctrl-C; restore the best.

The whole data lies on the device and batches are gathered by index: for tables that is 1.6 times faster
than a DataLoader. Gradients are clipped at a multiple of their own running norm, because losses here are
sums over cells and no fixed threshold would suit both 5 columns and 5,000.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch
from torch import Tensor

from isthmus.checks import TrainingError
from isthmus.networks import Network
from isthmus.objective import Objective
from isthmus.training.adam import Adam
from isthmus.training.plan import Plan
from isthmus.training.progress import ProgressBar
from isthmus.training.rows import Rows

__all__ = ["Run"]

CHUNK = 4096
CLIP = 4.0


class Run:
    """Training in progress: everything a step reads and changes."""

    def __init__(
        self,
        network: Network,
        objective: Objective,
        plan: Plan,
        train: Rows,
        held_out: Rows | None,
        generator: torch.Generator,
        name_cell: Callable[[int, int], str] = "row {}, cell {}".format,
        bf16: bool = False,
    ) -> None:
        self.network, self.objective, self.plan = network, objective, plan
        self.train, self.held_out = train, held_out
        self.generator, self.name_cell, self.bf16 = generator, name_cell, bf16
        self.adam = Adam(network.parameters())
        self.history: list[dict[str, float]] = []
        self.notes: list[str] = []
        self.step_number, self.epoch = 0, 0
        self.usual_norm: float | None = None
        self.slowed = 1.0
        self.best, self.best_round = math.inf, 0
        self.remember()

    # ---------------------------------------------------------------- one run

    def go(self, shown: bool | None = None) -> None:
        """Train to the end of the plan, or until it stops paying, or until Ctrl-C; the best weights stay."""
        bar = ProgressBar(self.plan.epochs, len(self.train), shown)
        self.started = time.perf_counter()
        try:
            self.look(self.evaluate(self.train.take(torch.arange(min(CHUNK, len(self.train))))))
            while self.epoch < self.plan.epochs and not self.stalled:
                self.look(self.round(bar))
        except KeyboardInterrupt:
            self.notes.append(f"Interrupted in epoch {self.epoch + 1}: the best weights so far were kept.")
        finally:
            bar.close()
            self.recall()

    @property
    def stalled(self) -> bool:
        """Whether the last rounds brought nothing."""
        return len(self.history) - 1 - self.best_round >= self.plan.patience

    def round(self, bar: ProgressBar | None = None) -> dict[str, float]:
        """A few epochs; the mean of every term over their steps."""
        sums: dict[str, Tensor] = {}
        steps = 0
        for _ in range(min(self.plan.epochs_per_round, self.plan.epochs - self.epoch)):
            order = torch.randperm(len(self.train), generator=self.generator)
            for number, batch in enumerate(order.split(self.plan.batch_size)):
                for name, value in self.step(batch).items():
                    sums[name] = sums.get(name, torch.zeros(())) + value.detach()
                steps += 1
                if bar is not None and self.history and number % 16 == 0:
                    bar.update(self.epoch + number / self.plan.steps_per_epoch, self.history[-1])
            self.epoch += 1
        return {name: float(value) / steps for name, value in sums.items()}

    def step(self, batch: Tensor) -> dict[str, Tensor]:
        """One update on the training rows numbered `batch`; the terms before it."""
        rows = self.train.take(batch)
        self.network.memory[0] = self.step_number / self.plan.steps
        for parameter in self.adam.parameters:
            parameter.grad = None
        with torch.autocast(rows.x.device.type, torch.bfloat16, enabled=self.bf16):
            terms = self.objective(self.network, rows.x, rows.observed, self.generator)
        terms["objective"].backward()
        if self._clip(float(terms["objective"].detach())):
            self.adam.step(self.plan.rate(self.step_number) * self.slowed)
        else:
            self._recover(rows)
        self.step_number += 1
        return terms

    def _clip(self, objective: float) -> bool:
        """Scale the gradient down to CLIP times its usual norm; False when it, or the objective, is not
        finite.
        """
        grads = [p.grad for p in self.adam.parameters if p.grad is not None]
        norm_tensor = torch.nn.utils.get_total_norm(grads)
        norm = float(norm_tensor)
        if not (math.isfinite(objective) and math.isfinite(norm)):
            return False
        usual = norm if self.usual_norm is None else self.usual_norm
        limit = CLIP * usual
        if norm > limit > 0:
            torch._foreach_mul_(grads, limit / norm)
        self.usual_norm = 0.95 * usual + 0.05 * min(norm, limit)
        return True

    # ---------------------------------------------------------------- looking, remembering

    def look(self, terms: dict[str, float]) -> None:
        """Write a line of history, with the held-out rows evaluated, and remember the weights if they are
        the best.
        """
        record = {"epoch": float(self.epoch), **terms}
        if self.held_out is not None:
            held_out = self.evaluate(self.held_out)
            record.update({f"held_out_{name}": value for name, value in held_out.items()})
        record["lr"] = self.plan.rate(self.step_number) * self.slowed
        record["seconds"] = time.perf_counter() - self.started
        self.history.append(record)
        watched = record.get("held_out_objective", record["objective"])
        if watched < self.best - 1e-4 * abs(self.best) or not math.isfinite(self.best):
            self.best_round = len(self.history) - 1
        if watched < self.best:
            self.best = watched
            self.remember()

    @torch.no_grad()
    def evaluate(self, rows: Rows) -> dict[str, float]:
        """Every term on `rows`, with the same draws of noise each time, in chunks."""
        generator = torch.Generator(rows.x.device).manual_seed(0)
        sums: dict[str, float] = {}
        self.network.eval()
        for chunk in torch.arange(len(rows)).split(CHUNK):
            part = rows.take(chunk)
            for name, value in self.objective(self.network, part.x, part.observed, generator).items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(chunk) / len(rows)
        self.network.train()
        return sums

    def remember(self) -> None:
        """Keep a copy of the weights as the best so far."""
        self.kept = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}

    def recall(self) -> None:
        """Go back to the best weights."""
        self.network.load_state_dict(self.kept)
        self.network.eval()

    # ---------------------------------------------------------------- when numbers overflow

    def _recover(self, rows: Rows) -> None:
        """Back to the best weights at a tenth of the rate, once; the second time, stop and say where."""
        self.recall()
        self.network.train()
        if self.slowed < 1.0:
            raise TrainingError(
                "training must stay finite; got a loss that overflows twice, the second time at "
                f"{self._blame(rows)}. Use a lower rate (trainer__lr), or look at that value."
            )
        self.adam.reset()
        self.usual_norm = None
        self.slowed = 0.1
        self.notes.append(
            f"The loss overflowed in epoch {self.epoch + 1} at {self._blame(rows)}: went back to the best "
            "weights and lowered the learning rate to a tenth."
        )

    @torch.no_grad()
    def _blame(self, rows: Rows) -> str:
        """The cell of these rows with the largest error, in the user's words."""
        errors = self.objective.loss(
            rows.x, self.network.decode(self.network.encode(rows.x)), self.objective.layout
        )
        if rows.observed is not None:
            errors = errors * rows.observed
        worst = int(torch.nan_to_num(errors, nan=torch.inf).argmax())
        row, cell = divmod(worst, errors.shape[1])
        return self.name_cell(int(rows.numbers[row]), cell)
