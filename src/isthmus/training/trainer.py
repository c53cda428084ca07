"""The trainer: how long and how fast, as a part.

>>> Trainer(max_epochs=60, lr=3e-3)
Trainer(max_epochs=60, lr=0.003)
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from isthmus.checks import need
from isthmus.lazily import fetched
from isthmus.parts import Part
from isthmus.training.devices import chosen_device
from isthmus.training.loop import Run
from isthmus.training.member import Member
from isthmus.training.plain import PlainEngine, PlainMember
from isthmus.training.plan import Plan, make_plan
from isthmus.training.threads import NUMPYS, suitable_threads

__all__ = ["Trainer"]


class Trainer(Part):
    """Trains a network in place. Whatever is None is chosen from the size of the data and said in `notes_`.

    max_epochs: passes over the training rows at most.
    batch_size: rows per update.
    lr: the highest learning rate of Adam, reached after a short warm-up and then lowered along a cosine.
    held_out: share of the rows kept from training, to stop on and to report; 0 for none.
    patience: looks at the held-out rows without progress that end the run.
    averaged: decay of a running mean of the weights, which is what is looked at and kept: 0.99 for a mean of
        the last hundred updates or so, 0 for the weights themselves.
    bf16: matrix products in bfloat16: about twice as fast where layers are wide (64 and more) and batches
        large (256 and more), slower elsewhere.
    progress: draw a bar; None draws one where standard error is a terminal.
    checkpoint: a file to write training to as it goes; the same fit called again takes it up from there and
        ends with the same bits as one that was never stopped.
    device: "cpu", "cuda", "cuda:1", "mps"; "auto" takes a CUDA device where there is one and the products are
        large.
    """

    max_epochs: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    held_out: float = 0.1
    patience: int | None = None
    averaged: float = 0.0
    bf16: bool = False
    progress: bool | None = None
    checkpoint: str | None = None
    device: str = "auto"

    def check(self) -> None:
        """Raise unless every setting makes sense."""
        for name in ("max_epochs", "batch_size", "patience"):
            value = getattr(self, name)
            good = value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 1)
            need(good, name, "be a whole number of at least 1, or None", value, f"Use Trainer({name}=32)")
        need(
            self.lr is None or 0 < self.lr < float("inf"),
            "lr",
            "be positive, or None",
            self.lr,
            "Use lr=1e-3",
        )
        if self.device not in ("auto", "cpu"):
            chosen_device(self.device, 0)
        path = self.checkpoint
        need(path is None or isinstance(path, str), "checkpoint", "be a path as text", path, "Use str(path)")
        need(0 <= self.averaged < 1, "averaged", "lie in [0, 1)", self.averaged, "Use averaged=0.99")
        need(0 <= self.held_out < 1, "held_out", "lie in [0, 1)", self.held_out, "Use held_out=0.1")

    def plan(self, rows: int) -> Plan:
        """The plan for so many training rows."""
        return make_plan(rows, self.batch_size, self.max_epochs, self.lr, self.patience)

    def __call__(self, members: Sequence[Member], identity: Sequence[Any] = ()) -> Plan:
        """Train one network, or several of one shape on equally many rows, in place; the plan that was used.

        `identity` says what a checkpoint is of, model by model. Each network keeps the weights that did best
        on its held-out rows; each member its history and notes.
        """
        fetched("torch")
        from isthmus.training.checkpoint import Checkpoint
        from isthmus.training.engine import Engine

        plan = self.plan(len(members[0].train))
        product = plan.batch_size * members[0].network.largest
        device = chosen_device(self.device, product * len(members))
        for member in members:
            member.to(device)
        checkpoint = None if self.checkpoint is None else Checkpoint(self.checkpoint, identity)
        with suitable_threads(product):
            Run(members, plan, Engine(members, self.bf16), checkpoint, self.averaged).go(self.progress)
        return plan

    def plainly(
        self, members: Sequence[PlainMember], stop: threading.Event | None = None, beside: bool = False
    ) -> Plan:
        """The same for networks that numpy trains alone; ends as by Ctrl-C when `stop` is set, draws no bar
        `beside` another training.
        """
        plan = self.plan(len(members[0].train))
        with NUMPYS:
            Run(members, plan, PlainEngine(stop)).go(False if beside else self.progress)
        return plan
