"""Stream: training rows that stay on the disk.

One pass takes the blocks of a source in random order, fills a buffer with as many as fit, shuffles the rows
inside it and cuts them into batches; what is left over begins the next buffer. Rows thus meet rows from
dozens of places, memory holds one buffer, and the disk is read in long runs. Every buffer's order follows
from the pass's seed alone, so a pass can be taken up again at any batch without reading what came before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.inputs import Encoded, Source
from isthmus.training.rows import Batch, Rows
from isthmus.training.spool import Spool, has_room

__all__ = ["Stream", "reading"]

MEMORY = 2**26  # numbers up to which a source is taken into memory: 256 MB
BUFFER = 2**25  # numbers held and shuffled at a time: 128 MB
SPREAD = 64  # blocks that held-out rows are drawn from
HELD_OUT = 2**24, 50_000  # numbers and rows kept in memory to judge by, at most


def reading(X: Source, encode: Callable[[Any], Encoded], width: int) -> Rows | Stream:
    """The rows of X for training: in memory, unless it is too large for that.

    encode gives the `width` features of a row for data of the kind X holds.
    """

    def encoded(block: int) -> Encoded:
        return encode(X.read(block))

    stream = Stream(X, encoded, width)
    if len(stream) * width <= MEMORY:
        return stream.first(len(stream))
    costly = not X.cheap and has_room(5 * len(stream) * width)
    return Stream(X, Spool(encoded), width) if costly else stream


class Stream:
    """The rows of a source, block by block as `encoded(block)` gives them. Stands where `Rows` stands.

    `apart` holds, by block, the places of rows that are not among them.
    """

    def __init__(
        self,
        source: Source,
        encoded: Callable[[int], Encoded],
        width: int,
        apart: Mapping[int, NDArray[np.int64]] | None = None,
    ) -> None:
        self.source, self.encoded, self.width = source, encoded, width
        self.apart = dict(apart or {})
        self.starts = np.concatenate([[0], np.cumsum(source.sizes)])
        self.sizes = [size - len(self.apart.get(block, ())) for block, size in enumerate(source.sizes)]
        self.device = torch.device("cpu")

    def __len__(self) -> int:
        return sum(self.sizes)

    def to(self, device: torch.device) -> Stream:
        """The same rows, each buffer moved to a device as it is filled."""
        moved = Stream(self.source, self.encoded, self.width, self.apart)
        moved.device = device
        return moved

    def split(self, fraction: float, generator: torch.Generator) -> tuple[Stream, Rows | None]:
        """Training rows, and held-out rows in memory: random rows of random blocks, as memory allows."""
        memory, most = HELD_OUT
        wanted = int(min(fraction * len(self), most, memory // self.width))
        if wanted < 1:
            return self, None
        blocks = torch.randperm(len(self.sizes), generator=generator)[:SPREAD].tolist()
        quota = -(-wanted // len(blocks))
        apart: dict[int, NDArray[np.int64]] = {}
        for block in sorted(blocks):
            some = torch.randperm(self.sizes[block], generator=generator)[: min(quota, wanted)]
            apart[block] = some.sort().values.numpy()
            wanted -= len(some)
        held_out = [_cut(self._read([block]), torch.from_numpy(places)) for block, places in apart.items()]
        x, observed, numbers, _ = _joined(held_out)
        return Stream(self.source, self.encoded, self.width, apart), Rows(x, observed, None, numbers)

    def first(self, most: int) -> Rows:
        """Rows of the first blocks, `most` at most, in memory."""
        blocks = range(int(np.searchsorted(np.cumsum(self.sizes), most)) + 1)
        x, observed, numbers, _ = self._read(blocks[: len(self.sizes)])
        return Rows(x, observed, None, numbers).first(most)

    def batches(self, size: int, generator: torch.Generator, skip: int = 0) -> Iterator[Batch]:
        """One pass in random order, from batch number `skip` on."""
        seed = int(torch.randint(2**62, (), generator=generator))
        order = self.source.order(np.random.default_rng(seed))
        gone, left = skip * size, None
        for number, buffer in enumerate(self._buffers(order)):
            rows = sum(self.sizes[block] for block in buffer)
            if gone >= rows:
                gone -= rows
                continue
            shuffled = self._shuffled(buffer, seed + number, gone)
            joined = shuffled if left is None else _joined([left, shuffled])
            gone, whole = 0, len(joined.x) // size * size
            yield from (_cut(joined, slice(i, i + size)) for i in range(0, whole, size))
            left = _cut(joined, slice(whole, None)) if whole < len(joined.x) else None
        if left is not None:
            yield left

    def _buffers(self, order: Sequence[int]) -> Iterator[list[int]]:
        """Blocks in runs that fill a buffer."""
        run: list[int] = []
        rows = 0
        for block in order:
            run.append(block)
            rows += self.sizes[block]
            if rows * self.width >= BUFFER:
                yield run
                run, rows = [], 0
        if run:
            yield run

    def _shuffled(self, blocks: Sequence[int], seed: int, skip: int) -> Batch:
        """The rows of some blocks in random order, from number `skip` on."""
        rows = sum(self.sizes[block] for block in blocks)
        order = torch.randperm(rows, generator=torch.Generator().manual_seed(seed))[skip:]
        place = np.full(rows, -1)
        place[order.numpy()] = np.arange(len(order))
        return self._placed(blocks, place, len(order))

    def _read(self, blocks: Sequence[int]) -> Batch:
        """Some blocks, encoded and joined."""
        rows = sum(self.sizes[block] for block in blocks)
        return self._placed(blocks, np.arange(rows), rows)

    def _placed(self, blocks: Sequence[int], place: NDArray[np.int64], rows: int) -> Batch:
        """The rows of some blocks, each where `place` says, -1 for nowhere: copied once, whatever order."""
        x, numbers = np.empty((rows, self.width), np.float32), np.empty(rows, np.int64)
        observed: NDArray[np.bool_] | None = None
        start = 0
        for block in blocks:
            encoded, kept = self.encoded(block), self._kept(block)
            where = place[start : start + self.sizes[block]]
            start += self.sizes[block]
            if len(where) and where.min() < 0:
                kept, where = np.arange(len(encoded.x))[kept][where >= 0], where[where >= 0]
            x[where] = encoded.x[kept]
            numbers[where] = np.arange(self.starts[block], self.starts[block + 1])[kept]
            if encoded.observed is not None:
                if observed is None:
                    observed = np.ones((rows, encoded.observed.shape[1]), bool)
                observed[where] = encoded.observed[kept]
        known = None if observed is None else torch.from_numpy(observed).to(self.device)
        return Batch(torch.from_numpy(x).to(self.device), known, torch.from_numpy(numbers).to(self.device))

    def _kept(self, block: int) -> Any:
        """Which rows of a block are among these."""
        if block not in self.apart:
            return slice(None)
        return np.delete(np.arange(self.source.sizes[block]), self.apart[block])


def _cut(batch: Batch, which: slice | Tensor) -> Batch:
    x, observed, numbers, _ = batch
    return Batch(x[which], None if observed is None else observed[which], numbers[which])


def _joined(parts: Sequence[Batch]) -> Batch:
    """Batches one after another; those without gaps beside those with."""
    if len(parts) == 1:
        return parts[0]
    known = next((part.observed for part in parts if part.observed is not None), None)
    masks = []
    if known is not None:
        masks = [
            known.new_ones(len(p.x), known.shape[1]) if p.observed is None else p.observed for p in parts
        ]
    x, numbers = torch.cat([p.x for p in parts]), torch.cat([p.numbers for p in parts])
    return Batch(x, torch.cat(masks) if masks else None, numbers)
