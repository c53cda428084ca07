"""Rows: encoded data on the training device, with what was observed; training and held-out rows are index
sets into the same memory, and a batch is gathered from it by index.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    from isthmus.lazily import torch

__all__ = ["Batch", "Rows", "Together"]

LONG = 256  # numbers in a row


class Batch(NamedTuple):
    """x (n, d) float32, observed (n, cells) of booleans or None, numbers (n,) of the rows in X.

    x_tilde (n, d) where it is not to be made of x: the noise has been drawn already, or came with the data.
    """

    x: Tensor
    observed: Tensor | None
    numbers: Tensor
    x_tilde: Tensor | None = None


class Together(Sequence[Batch]):
    """One batch each of several models as one block of memory.

    x (models, n, d), observed (models * n, cells) or None, numbers (models, n), x_tilde (models, n, width)
    or None.
    """

    def __init__(
        self, x: Tensor, observed: Tensor | None, numbers: Tensor, x_tilde: Tensor | None = None
    ) -> None:
        self.x, self.observed, self.numbers, self.x_tilde = x, observed, numbers, x_tilde

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, model: Any) -> Any:
        """The batch of one model."""
        if not 0 <= model < len(self):
            raise IndexError(model)
        n = self.x.shape[1]
        observed = None if self.observed is None else self.observed[model * n : (model + 1) * n]
        x_tilde = None if self.x_tilde is None else self.x_tilde[model]
        return Batch(self.x[model], observed, self.numbers[model], x_tilde)


class Rows:
    """The rows at `places` of x (all, d) and observed (all, cells), in memory.

    `numbers` (all,) are those the rows have in X, where that is more than x. `seen` (all, d) is what the
    encoder is shown in the place of x, where data come in pairs.
    """

    def __init__(
        self,
        x: Tensor,
        observed: Tensor | None = None,
        places: Tensor | None = None,
        numbers: Tensor | None = None,
        seen: Tensor | None = None,
    ) -> None:
        self.x, self.observed, self.seen = x, observed, seen
        self.places = torch.arange(len(x), device=x.device) if places is None else places
        self._numbers, self._all = numbers, places is None

    def showing(self, seen: Tensor | None) -> Rows:
        """The same rows with `seen` (all, width), or x again, as what the encoder is shown."""
        return Rows(self.x, self.observed, self.places, self._numbers, seen)

    @property
    def numbers(self) -> Tensor:
        """The number each row has in X: (n,)."""
        return self.places if self._numbers is None else self._numbers[self.places]

    @classmethod
    def of(cls, x: NDArray[np.float32], observed: NDArray[np.bool_] | None) -> Rows:
        """All rows of encoded arrays, in order; nothing is copied."""
        return cls(torch.from_numpy(x), None if observed is None else torch.from_numpy(observed))

    def __len__(self) -> int:
        return len(self.places)

    def to(self, device: torch.device) -> Rows:
        """The same rows on a device, and their places: an index that waits there needs no trip a batch."""
        others = (self.observed, None if self._all else self.places, self._numbers, self.seen)
        return Rows(self.x.to(device), *(None if t is None else t.to(device) for t in others))

    def split(self, fraction: float, generator: torch.Generator) -> tuple[Rows, Rows | None]:
        """Training rows and held-out rows, at random; no held-out rows where that would be fewer than one
        in ten.
        """
        n = len(self)
        count = round(fraction * n)
        if count < 1 or n < 10:
            return self, None
        order = torch.randperm(n, generator=generator)
        return self._at(order[count:].sort().values), self._at(order[:count].sort().values)

    def first(self, most: int) -> Rows:
        """The first rows, `most` at most."""
        if not self._all:
            return self._at(slice(most))
        observed, numbers, seen = (
            None if t is None else t[:most] for t in (self.observed, self._numbers, self.seen)
        )
        return Rows(self.x[:most], observed, None, numbers, seen)

    def gathered(self) -> Batch:
        """All rows as one batch."""
        if self._all:
            return Batch(self.x, self.observed, self.numbers, self.seen)
        return self._gather(self.places)

    def chunks(self, size: int) -> Iterator[Batch]:
        """All rows in order, `size` at a time."""
        return map(self._gather, self.places.split(size))

    def batches(self, size: int, generator: torch.Generator, skip: int = 0) -> Iterator[Batch]:
        """One pass in random order, from batch number `skip` on."""
        return map(self._gather, self.shuffled(generator)[skip * size :].split(size))

    def batches_beside(
        self, others: Sequence[Rows], size: int, generators: Sequence[torch.Generator], skip: int = 0
    ) -> Iterator[Together]:
        """A pass of these rows beside equally long passes of others of the same memory, gathered at once."""
        pairs = zip((self, *others), generators, strict=True)
        orders = torch.stack([rows.shuffled(generator) for rows, generator in pairs])
        shown, bare = [rows.seen for rows in (self, *others) if rows.seen is not None], self.showing(None)
        for places in orders[:, skip * size :].split(size, dim=1):
            x, observed, numbers, _ = bare._gather(places.flatten())
            seen = [_taken(s, at) for s, at in zip(shown, places, strict=False)]
            x_tilde = torch.stack(seen) if seen else None
            yield Together(x.view(*places.shape, -1), observed, numbers.view(places.shape), x_tilde)

    def shuffled(self, generator: torch.Generator) -> Tensor:
        """The places in random order."""
        return self.places[torch.randperm(len(self), generator=generator).to(self.places.device)]

    def _at(self, which: Tensor | slice) -> Rows:
        return Rows(self.x, self.observed, self.places[which], self._numbers, self.seen)

    def _gather(self, which: Tensor) -> Batch:
        observed, seen = (None if t is None else _taken(t, which) for t in (self.observed, self.seen))
        numbers = which if self._numbers is None else self._numbers[which]
        return Batch(_taken(self.x, which), observed, numbers, seen)


def _taken(tensor: Tensor, which: Tensor) -> Tensor:
    """Rows of a tensor; numpy takes short ones from ordinary memory in a third of the time, torch has several
    threads for long ones.
    """
    if tensor.is_cpu and tensor.shape[-1] < LONG:
        return torch.from_numpy(tensor.numpy().take(which.numpy(), axis=0))
    return tensor.index_select(0, which)
