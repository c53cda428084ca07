"""Member: one autoencoder in training, what it learns from and how far it has come.

A run trains one member, or many of one shape side by side; each keeps its own history, its own best weights
and its own end.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.lazily import without_gradients
from isthmus.objective import Objective

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from isthmus.networks import Network
    from isthmus.training.rows import Rows
    from isthmus.training.stream import Stream
else:
    from isthmus.lazily import torch

__all__ = ["CHUNK", "Member"]

CHUNK = 4096  # rows evaluated at a time, at most
NUMBERS = 2**20  # in them, at most: filters make many times as many of them


@dataclasses.dataclass
class Member:
    """What one model's training reads and changes.

    `generator` draws the noise of corruptions, codes and probes; `seed` orders the batches, epoch by epoch,
    so that training can be taken up again in the middle of any epoch.
    """

    network: Network
    objective: Objective
    train: Rows | Stream
    held_out: Rows | None
    generator: torch.Generator
    seed: int = 0
    name_cell: Callable[[int, int], str] = "row {}, cell {}".format

    history: list[dict[str, float]] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)
    best: float = math.inf
    missed: float = 0.0
    idle: int = 0
    kept_at: int = 0
    kept: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    steering: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    usual_norm: float | None = None
    slowed: float = 1.0
    interrupted: bool = False
    _walked: tuple[Network, list[tuple[str, dict[str, Any], str]]] | None = None

    def to(self, device: torch.device) -> None:
        """Move network, rows and noise to a device."""
        if device == self.network.memory.device == self.generator.device:
            return
        self.network.to(device)
        self.train = self.train.to(device)
        self.held_out = None if self.held_out is None else self.held_out.to(device)
        seed = int(torch.randint(2**62, (), generator=self.generator))
        self.generator = torch.Generator(device).manual_seed(seed)

    def order(self, epoch: int) -> torch.Generator:
        """The generator that orders the batches of an epoch."""
        return torch.Generator().manual_seed(self.seed_of(epoch))

    def seed_of(self, epoch: int) -> int:
        """Its seed."""
        return (self.seed * 1_000_003 + epoch) % 2**63

    @property
    def rows_at_once(self) -> int:
        """Rows evaluated at a time."""
        return min(CHUNK, max(1, NUMBERS // self.objective.layout.width))

    def stalled(self, patience: int) -> bool:
        """Whether the last looks at the held-out rows brought nothing; never without such rows."""
        return self.held_out is not None and self.idle >= patience

    def record(self, line: dict[str, float], missed: float, watched: float) -> None:
        """Write a line of history, and remember the weights if they are the best so far.

        Less is better: `missed` says how far the penalties' goals are, `watched` decides among equals. A look
        from which lambda still has somewhere to go (2 and more) is never idle. Without held-out rows the
        newest count as the best: a round's mean says less than the falling rate.
        """
        self.history.append(line)
        nearer, equal = missed < self.missed, missed == self.missed
        better = watched < self.best - 1e-4 * abs(self.best) or not math.isfinite(self.best)
        if nearer or (equal and better):
            self.idle = 0
        elif missed < 2:
            self.idle += 1
        if nearer or (equal and (watched < self.best or self.held_out is None)):
            self.best, self.missed, self.kept_at = watched, missed, len(self.history) - 1
            self.remember()

    def remember(self) -> None:
        """Keep a copy of the weights as the best so far."""
        self.kept = {name: store[key].detach().clone() for name, store, key in self._places()}

    @without_gradients
    def recall(self) -> None:
        """Go back to the best weights."""
        for name, store, key in self._places():
            store[key].copy_(self.kept[name])

    def _places(self) -> list[tuple[str, dict[str, Any], str]]:
        """Where the weights are that `network.state_dict()` names: the way takes longer than the copy."""
        if self._walked is None or self._walked[0] is not self.network:
            found = []
            for prefix, module in self.network.named_modules(remove_duplicate=False):
                passing = module._non_persistent_buffers_set
                for store in (module._parameters, module._buffers):
                    some = [key for key, value in store.items() if value is not None and key not in passing]
                    found += [(f"{prefix}.{key}" if prefix else key, store, key) for key in some]
            self._walked = (self.network, found)
        return self._walked[1]

    def blame(self, batch: Any) -> str:
        """The cell of a batch with the largest error, in the user's words."""
        errors = self.errors(batch)
        worst = int(np.nan_to_num(errors, nan=np.inf).argmax())
        row, cell = divmod(worst, errors.shape[1])
        return self.name_cell(int(batch.numbers[row]), cell)

    @without_gradients
    def errors(self, batch: Any) -> Any:
        """Errors (n, cells) of a batch, as an array."""
        network, objective = self.network, self.objective
        errors = objective.loss(batch.x, network.decode(network.encode(batch.x)), objective.layout)
        return (errors if batch.observed is None else errors * batch.observed).cpu().numpy()
