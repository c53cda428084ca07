"""What a fit costs as rows, columns and the code grow: CPU seconds of `fit` at fixed epochs, and slopes.

A slope of 1 on a log-log plot is cost in proportion, 0 none; "overall" is the least-squares slope,
"steepest" the largest between neighbours. Nothing may be worse than linear in rows. One thread, batches of
256, in turns.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from datasets import low_rank
from isthmus import MLP, Autoencoder, Trainer
from measuring import REPEATS, arguments, in_turns, say, spread, table, verdict

ROWS = (2_000, 8_000, 32_000, 128_000, 512_000)
COLUMNS = (8, 32, 128, 512, 2048)
CODES = (2, 8, 32, 128)


def cost(rows: int, columns: int, code: int, epochs: int) -> Callable[[], float]:
    """CPU seconds of a fit."""
    X = low_rank(rows, columns)
    trainer = Trainer(max_epochs=epochs, batch_size=256, patience=10**6, progress=False)
    model = Autoencoder(code, architecture=MLP((64, 64)), trainer=trainer, random_state=0)

    def once() -> float:
        start = time.process_time()
        model.fit(X)
        return time.process_time() - start

    return once


def line(name: str, sizes: tuple[int, ...], make: Callable[[int], Callable[[], float]], repeats: int) -> None:
    """One table: seconds by size, and the slopes."""
    say(name)
    found = in_turns({str(size): make(size) for size in sizes}, repeats)
    middle = [statistics.median(found[str(size)]) for size in sizes]
    x, y = np.log(sizes), np.log(middle)
    steepest = max((b - a) / (v - u) for (u, a), (v, b) in itertools.pairwise(zip(x, y, strict=True)))
    table([name, *(f"{size:,}" for size in sizes)], [["CPU-s", *(spread(found[str(s)]) for s in sizes)]])
    overall = float(np.polyfit(x, y, 1)[0])
    print(f"- slope over {name}, overall:", verdict(overall, 1.05, at_most=True))
    print(f"- slope over {name}, steepest: {steepest:.2f}\n", flush=True)


def main() -> None:
    """Rows, columns, code."""
    small = arguments(__doc__).small
    torch.set_num_threads(1)
    repeats = 2 if small else REPEATS
    many, wide = (ROWS[:3], COLUMNS[:3]) if small else (ROWS, COLUMNS)
    line("rows (30 columns, code 8)", many, lambda n: cost(n, 30, 8, 2), repeats)
    n = 1_000 if small else 8_000
    line(f"columns ({n:,} rows, code 4)", wide, lambda d: cost(n, d, 4, 2), repeats)
    line(f"code ({n:,} rows, 256 columns)", CODES, lambda k: cost(n, 256, k, 2), repeats)


if __name__ == "__main__":
    main()
