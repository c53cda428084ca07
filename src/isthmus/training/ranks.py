"""Ranks: one training shared by the processes that `torchrun` started.

Every process holds the data and the same weights, and goes through the same batches. Of each batch it takes
its share; the gradients of the shares are added up, and all processes take the same step. Noise is drawn
for the whole batch before it is shared out, so the result is that of one process, but for rounding.
Penalties and codes that look at a batch as a whole (`KLSparsity`, `BatchTopK`) see their process's share.

Nothing here starts or watches processes: that is torchrun's work, on one machine or many.
"""

from __future__ import annotations

import atexit
import os
from typing import TYPE_CHECKING

from isthmus.parts import Record
from isthmus.training.rows import Batch

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    from isthmus.lazily import torch

__all__ = ["Ranks"]


class Ranks(Record):
    """The number of this process, and how many there are."""

    rank: int = 0
    count: int = 1

    @classmethod
    def here(cls, device: torch.device) -> Ranks:
        """As torchrun's environment says; joins its process group if nobody has. Alone: (0, 1)."""
        if int(os.environ.get("WORLD_SIZE", "1")) <= 1:
            return cls()
        from torch import distributed

        if not distributed.is_initialized():
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
            atexit.register(distributed.destroy_process_group)
        return cls(distributed.get_rank(), distributed.get_world_size())

    def wait(self) -> None:
        """Until all processes are here."""
        if self.count > 1:
            from torch import distributed

            distributed.barrier()

    def share(self, batch: Batch) -> tuple[Batch, float]:
        """The rows of a batch this process takes, and their part of all.

        A batch with fewer rows than there are processes is taken whole by each.
        """
        n = len(batch.x)
        if n < self.count:
            return batch, 1 / self.count
        mine = slice(n * self.rank // self.count, n * (self.rank + 1) // self.count)
        x, observed, numbers, x_tilde = batch
        observed, x_tilde = (None if part is None else part[mine] for part in (observed, x_tilde))
        return Batch(x[mine], observed, numbers[mine], x_tilde), (mine.stop - mine.start) / n

    def add_up(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, in place."""
        from torch import distributed

        distributed.all_reduce(tensor)
        return tensor
