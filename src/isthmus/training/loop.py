"""The only loop.

One run: gather a batch, let the step fill the gradients of the objective, update; after each round look at
the held-out rows, remember the best weights; end when the plan is done, when the held-out objective has
stopped improving, or on Ctrl-C; go back to the best. It trains one member, or several of one shape side by
side, each ending on its own.

The whole data lies on the device and batches are gathered by index: for tables that is 1.6 times faster
than a DataLoader. Gradients are clipped at a multiple of their own running norm, because losses here are
sums over cells and no fixed threshold would suit both 5 columns and 5,000.

Adam's first update moves every weight equally far, whatever its gradient. A network that starts at the
principal axes has an encoder whose gradient is zero but for rounding, and rounding would say where it goes:
entries that are `FAINT` beside the largest wait for the second update.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.checks import TrainingError
from isthmus.training.goals import Goals
from isthmus.training.member import Member
from isthmus.training.plan import Plan
from isthmus.training.progress import ProgressBar
from isthmus.training.rows import Batch

if TYPE_CHECKING:
    import torch

    from isthmus.training.checkpoint import Checkpoint
    from isthmus.training.engine import Engine
    from isthmus.training.plain import PlainEngine
    from isthmus.training.written import Terms
else:
    from isthmus.lazily import torch

__all__ = ["Run"]

CLIP = 4.0
FAINT = 1e-4  # of the largest entry of a gradient


class Run:
    """Training in progress: the members, their weights as one matrix, and where in the plan they are."""

    def __init__(
        self,
        members: Sequence[Member],
        plan: Plan,
        engine: Engine | PlainEngine,
        checkpoint: Checkpoint | None = None,
        averaged: float = 0.0,
    ) -> None:
        self.everyone, self.plan, self.engine, self.checkpoint = list(members), plan, engine, checkpoint
        self.step_number, self.summed = 0, 0
        self.sums: Terms = {}
        self.all_goals = {id(member): Goals(member, plan) for member in members}
        self.steps_per_round = min(goals.steps_per_round for goals in self.all_goals.values())
        # where looks are closer together than the plan has them, as long without progress is more of them
        self.patience = math.ceil(plan.patience * plan.steps_per_round / self.steps_per_round)
        for member in members:
            member.remember()
        self._gather(self.everyone)
        self.average = engine.average(self.flat, averaged)
        self.ranks = engine.ranks(self.flat)

    def _gather(self, members: Sequence[Member]) -> None:
        """Put the weights of these members into one matrix, and prepare steps for them."""
        self.members = list(members)
        self.goals = [self.all_goals[id(member)] for member in members]
        machinery: Any = self.engine.gathered(self.members)
        self.flat, self.adam, self.differentiate = machinery
        blind = members[0].network.code.transparent
        self.clocks = [] if blind else [m.network.memory[:1] for m in members]  # what a code knows of time

    # ---------------------------------------------------------------- one run

    def go(self, shown: bool | None = None) -> None:
        """Train to the end of the plan, or until it stops paying, or until Ctrl-C; the best weights stay."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # `step` looks for what overflows
            self._go(shown)

    def _go(self, shown: bool | None) -> None:
        shown = shown if self.ranks.rank == 0 else False
        bar = ProgressBar(self.plan.epochs, sum(len(m.train) for m in self.members), shown)
        try:
            self._begin()
            batches = self.batches()
            while self.step_number < self.plan.steps and not self.finished:
                self.look(self.round(batches, bar))
                self._write()
                batches = self._narrowed(batches)
            self._write(at_end=True)
        except KeyboardInterrupt:
            self._look_once_more()
            for member in self.everyone:
                note = f"Interrupted in epoch {int(self.epoch) + 1}: the best weights so far were kept."
                member.notes.append(note)
                member.interrupted = True
                member.history = member.history or [{"epoch": 0.0}]
        finally:
            bar.close()
            self.flat.release()
            for member in self.everyone:
                member.recall()
                member.network.eval()
        for goals in self.all_goals.values():
            goals.tell()

    def _begin(self) -> None:
        """Take up the training a checkpoint holds, or look at the untrained members."""
        resumed = False
        if self.checkpoint is not None:
            self.ranks.wait()  # the file is whole: process 0 has ended the fit before, and its last write
            resumed = self.checkpoint.read(self)
            self.ranks.wait()  # nobody reads or sweeps any more when process 0 next writes
        before = max(member.history[-1]["seconds"] for member in self.members) if resumed else 0.0
        self.started = time.perf_counter() - before
        self._steered()
        if not resumed:
            self.look(self.differentiate.evaluate([m.train.first(m.rows_at_once) for m in self.members]))

    def _write(self, at_end: bool = False) -> None:
        if self.checkpoint is not None and self.ranks.rank == 0:
            self.checkpoint.write(self, at_end)

    def _narrowed(self, batches: Iterator[Sequence[Batch]]) -> Iterator[Sequence[Batch]]:
        """Go on with the members that are not done once they are half of them or fewer; their batches."""
        going = [row for row, m in enumerate(self.members) if not m.stalled(self.patience)]
        if not 0 < 2 * len(going) <= len(self.members) or self.checkpoint is not None:
            return batches
        adam = self.adam
        self.flat.release()
        self._gather([self.members[row] for row in going])
        self.adam.follow(adam, going)
        if self.average is not None:
            self.average.follow(self.flat.weights, going)
        return self.batches()

    @property
    def epoch(self) -> float:
        """Passes done."""
        return self.step_number / self.plan.steps_per_epoch

    @property
    def finished(self) -> bool:
        """Whether no member's last looks brought anything."""
        return all(member.stalled(self.patience) for member in self.members)

    def batches(self) -> Iterator[Sequence[Batch]]:
        """One batch a member, from where the run stands to the end of the plan."""
        first, skip = divmod(self.step_number, self.plan.steps_per_epoch)
        size = self.plan.batch_size
        for epoch in range(first, self.plan.epochs):
            rows = [self.engine.rows(member, epoch) for member in self.members]
            orders = [member.order(epoch) for member in self.members]
            yield from self.engine.batches(rows, size, orders, skip)
            skip = 0

    def round(self, batches: Iterator[Sequence[Batch]], bar: ProgressBar) -> list[dict[str, float]]:
        """Updates until the next look; the mean of every term over them."""
        self.sums, self.summed = {}, 0
        for number in range(min(self.steps_per_round, self.plan.steps - self.step_number)):
            for name, value in self.step(next(batches)).items():
                self.sums[name] = self.sums.get(name, 0) + value
            self.summed += 1
            if number % 16 == 0:
                bar.update(self.epoch, self.members[0].history)
        return self._means()

    def _means(self) -> list[dict[str, float]]:
        """The mean of every term since the last look, for each member."""
        means = {name: (value / self.summed).tolist() for name, value in self.sums.items()}
        return [{name: value[m] for name, value in means.items()} for m in range(len(self.members))]

    def step(self, batches: Sequence[Batch]) -> Terms:
        """One update of every member on its batch; the terms before it, each (members,)."""
        if self.clocks:
            torch._foreach_zero_(self.clocks)
            torch._foreach_add_(self.clocks, self.step_number / self.plan.steps)
        terms = self.differentiate(batches) if self.ranks.count == 1 else self._shared(batches)
        for row, (norm, objective) in enumerate(zip(*self._told(terms["objective"]), strict=True)):
            if math.isfinite(norm) and math.isfinite(objective):
                self._clip(row, norm)
            else:
                self._recover(row, batches[row])
        if self.step_number == 0:
            self.flat.hush(FAINT)
        rate = self.plan.rate(self.step_number)
        self.adam.step([rate * member.slowed for member in self.members])
        self.step_number += 1
        if self.average is not None:
            self.average.update(self.step_number)
        return terms

    def _told(self, objective: Any) -> Any:
        """Norms of the gradients and objectives of the members, as numbers."""
        if isinstance(objective, np.ndarray):
            return self.flat.norms(), objective.tolist()
        norms = torch.linalg.vector_norm(self.flat.grads, dim=1)
        return torch.stack((norms, objective)).tolist()  # at once: a device is waited for here

    def _shared(self, batches: Sequence[Batch]) -> Terms:
        """Terms and gradients of whole batches, each process having taken its share of the rows."""
        whole = [
            batch
            if batch.x_tilde is not None
            else batch._replace(x_tilde=member.objective.corrupted(batch.x, member.generator))
            for member, batch in zip(self.members, batches, strict=True)
        ]
        mine, parts = zip(*map(self.ranks.share, whole), strict=True)
        terms = self.differentiate(mine)
        part = self.flat.grads.new_tensor(parts)
        self.ranks.add_up(self.flat.grads.mul_(part[:, None]))
        together = self.ranks.add_up(torch.stack([torch.as_tensor(term) for term in terms.values()]) * part)
        return dict(zip(terms, together, strict=True))

    def _clip(self, row: int, norm: float) -> None:
        """Scale a member's gradient down to CLIP times its usual norm."""
        member = self.members[row]
        usual = norm if member.usual_norm is None else member.usual_norm
        limit = CLIP * usual
        if norm > limit > 0:
            grad = self.flat.grads[row]
            grad *= limit / norm
        member.usual_norm = 0.95 * usual + 0.05 * min(norm, limit)

    # ---------------------------------------------------------------- looking

    def look(self, terms: Sequence[dict[str, float]]) -> None:
        """A line of history for every member that is still going, its held-out rows evaluated."""
        with contextlib.nullcontext() if self.average is None else self.average.shown():
            self._record(terms)
        self._steered()

    def _look_once_more(self) -> None:
        """What was learned since the last look, on Ctrl-C: a minute or more of a long epoch."""
        if self.summed and self.ranks.count == 1:  # processes are not interrupted at one step
            with contextlib.suppress(KeyboardInterrupt):
                self.look(self._means())

    def _record(self, terms: Sequence[dict[str, float]]) -> None:
        seconds = time.perf_counter() - self.started
        held_out = [self.engine.watched(member) for member in self.members]
        seen = [] if None in held_out else self.differentiate.evaluate(held_out)
        for row, (member, goals) in enumerate(zip(self.members, self.goals, strict=True)):
            seen_now = bool(member.history) and member.history[-1]["epoch"] == self.epoch  # before Ctrl-C
            if seen_now or member.stalled(self.patience):
                continue
            line = {"epoch": self.epoch, **terms[row]}
            line.update({f"held_out_{name}": value for name, value in (seen[row] if seen else {}).items()})
            line.update(goals.columns())
            line.update(lr=self.plan.rate(self.step_number) * member.slowed, seconds=seconds)
            goals.steer(line, self.step_number)
            member.record(line, *goals.judged(line, self.step_number))

    def _steered(self) -> None:
        """Train on with the lambdas that the goals ask for, from where the codes are alive."""
        if any(self.goals):
            for row, goals in enumerate(self.goals):
                goals.apply()
                if goals.died:
                    self._return(row)
            self.differentiate.refresh()

    # ---------------------------------------------------------------- when numbers overflow

    def _recover(self, row: int, batch: Batch) -> None:
        """A member back to its best weights at a tenth of the rate, once; the second time, stop and say
        where.
        """
        member = self.members[row]
        if member.slowed < 1.0:
            member.recall()
            raise TrainingError(
                "training must stay finite; got a loss that overflows twice, the second time at "
                f"{member.blame(batch)}. Use a lower rate (trainer__lr), or look at that value."
            )
        self._return(row)
        self.flat.grads[row] = 0.0
        member.slowed = 0.1
        member.notes.append(
            f"The loss overflowed in epoch {int(self.epoch) + 1} at {member.blame(batch)}: went back to the "
            "best weights and lowered the learning rate to a tenth."
        )

    def _return(self, row: int) -> None:
        """A member back to its best weights, the optimiser's memory of the others forgotten."""
        member = self.members[row]
        member.recall()
        member.network.train()
        self.adam.reset(row)
        if self.average is not None:
            self.average.restart(row)
        member.usual_norm = None
