"""Data larger than memory: throughput, the quality of the shuffle, and the memory it takes.

Throughput: rows a second of the training loop over ten passes, and over the first of them alone, in which
Parquet is decoded (later ones read a scratch file); one thread, from an array, a .npy memory map and Parquet,
in turns, the files in the system's cache. Shuffle: MNIST sorted by its digit, the worst order there is, as an
8 GB file would be read (64 buffers a pass, each filled from 42 blocks) against full shuffling in memory: loss
on the test pictures, three seeds. Memory: the peak resident size of `isthmus fit` and `isthmus encode` on a
.npy of 8 GB, which is written first and removed afterwards.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import isthmus.training.stream as stream
from datasets import low_rank, mnist
from isthmus import MLP, Autoencoder, ReLU, Source, Trainer, open_source
from measuring import arguments, in_turns, process, ratios, say, spread, table, verdict

BUFFERS, BLOCKS = 64, 42  # of a pass over 8 GB; blocks a buffer
PASSES = 10
LIMIT = 1800  # seconds a command may take


class Blocks(Source):
    """An array in blocks of so many rows."""

    def __init__(self, X: Any, rows: int) -> None:
        self.parts = np.array_split(X, max(1, len(X) // rows))

    @property
    def sizes(self) -> Sequence[int]:
        """Rows of every block."""
        return [len(part) for part in self.parts]

    def read(self, block: int) -> Any:
        """One block."""
        return self.parts[block]


def throughput(folder: Path, small: bool) -> None:
    """The first table: the loop's own clock, and the whole fit's."""
    print("### Throughput\n")
    cases = ((3_000_000, 30, (64, 16), 4), (100_000, 784, (256, 64), 16))
    lines, judged = [], []
    for rows, columns, hidden, code in cases:
        rows = rows // 100 if small else rows
        say(f"writing {rows:,} x {columns}")
        X = low_rank(rows, columns)
        ways = written(X, folder)
        clock: dict[str, list[float]] = {way: [] for way in ways}
        first: dict[str, list[float]] = {way: [] for way in ways}

        def fitted(
            way: str,
            ways: Any = ways,
            hidden: Any = hidden,
            code: int = code,
            clock: Any = clock,
            first: Any = first,
        ) -> float:
            trainer = Trainer(PASSES, 1024, held_out=0, progress=False)
            net = MLP(hidden, activation=ReLU(), from_pca=False)
            model = Autoencoder(code, architecture=net, trainer=trainer, random_state=0)
            start = time.process_time()
            model.fit(ways[way])
            gone = time.process_time() - start
            history = model.history_rows_
            clock[way].append(history[-1]["seconds"])
            first[way].append(next(line["seconds"] for line in history if line["epoch"] >= 1))
            say(f"{way}: {clock[way][-1]:.2f} s in the loop, {gone:.2f} CPU-s in all")
            return gone

        cpu = in_turns({way: (lambda way=way, fitted=fitted: fitted(way)) for way in ways})
        for way in ways:
            speed = [PASSES * rows / seconds for seconds in clock[way][1:]]  # the first run warmed up
            share = ratios(clock["in memory"][1:], clock[way][1:])
            once = spread(ratios(first["in memory"][1:], first[way][1:]))
            whole = spread(ratios(cpu["in memory"], cpu[way]))
            lines.append([f"{rows:,} x {columns}, {way}", spread(speed, 0), spread(share), once, whole])
            if way != "in memory":
                judged.append(f"- {columns} columns, {way}: {verdict(statistics.median(share), 0.8)}")
    header = [
        "",
        "rows a second in the loop",
        "of in-memory",
        "first pass, of in-memory",
        "whole fit in CPU-s, of in-memory",
    ]
    table(header, lines)
    print("\n".join(judged), "\n", flush=True)


def written(X: Any, folder: Path) -> dict[str, Any]:
    """The same rows in memory, as a memory map, and as Parquet where pyarrow is there."""
    np.save(folder / "x.npy", X)
    ways = {"in memory": X, ".npy memory map": np.load(folder / "x.npy", mmap_mode="r")}
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        say("pyarrow: not installed")
        return ways
    named = {f"c{j}": X[:, j] for j in range(X.shape[1])}
    parquet.write_table(pyarrow.table(named), folder / "x.parquet")
    return {**ways, "Parquet": open_source(folder / "x.parquet")}


def shuffling(small: bool) -> None:
    """The second table."""
    print("### Shuffling, on rows sorted by class\n")
    pictures = mnist()
    if pictures is None:
        return
    train, digits, test = pictures
    train = train[np.argsort(digits, kind="stable")]
    train = train[::20] if small else train
    loss: dict[str, list[float]] = {"full": [], "blocks": []}
    memory, buffer = stream.MEMORY, stream.BUFFER
    for seed in (0, 1, 2):
        for way in loss:
            by_blocks = way == "blocks"
            stream.MEMORY, stream.BUFFER = (0, train.size // BUFFERS) if by_blocks else (memory, buffer)
            trainer = Trainer(1 if small else 20, 256, held_out=0, progress=False)
            model = Autoencoder(16, architecture=MLP((256, 64)), trainer=trainer, random_state=seed)
            model.fit(Blocks(train, len(train) // (BUFFERS * BLOCKS)) if by_blocks else train)
            loss[way].append(-model.score(test) * 784)
            say(f"seed {seed}, {way}: {loss[way][-1]:.3f}")
    stream.MEMORY, stream.BUFFER = memory, buffer
    ratio = ratios(loss["blocks"], loss["full"])
    header = ["full shuffle: loss per test picture", "blocks and buffer", "ratio"]
    table(header, [[spread(loss["full"], 3), spread(loss["blocks"], 3), spread(ratio, 4)]])
    print("- blocks over full:", verdict(statistics.median(ratio), 1.02, at_most=True), "\n", flush=True)


def memory(folder: Path, small: bool) -> None:
    """The third table."""
    rows = 409_600 if small else 2_560_000
    size = rows * 784 * 4 / 1e9
    print(f"### Memory, a .npy of {size:.1f} GB\n")
    if shutil.disk_usage(folder).free < 2.5e9 + 1.2e9 * size:
        print(f"Not enough room in {folder}: set TMPDIR.\n")
        return
    big, model = folder / "big.npy", folder / "big.isthmus"
    say("writing it")
    block = low_rank(20_480, 784)
    with big.open("wb") as file:
        head = {"descr": "<f4", "fortran_order": False, "shape": (rows, 784)}
        np.lib.format.write_array_header_1_0(file, head)
        for _ in range(rows // len(block)):
            file.write(block.data)
    program = [sys.executable, "-m", "isthmus.cli"]
    net = ["--hidden", "64,16", "--code", "8", "--epochs", "1", "--quiet"]
    commands = {
        "isthmus fit": [*program, "fit", str(big), *net, "-o", str(model)],
        "isthmus encode": [*program, "encode", str(model), str(big), "-o", str(folder / "codes.npy")],
    }
    lines = []
    for name, command in commands.items():
        say(name)
        ended = process(command, limit=LIMIT)
        word = ended.why or verdict(ended.megabytes / 1000, 1.5, at_most=True)
        lines.append([name, f"{ended.wall:,.0f}", f"{ended.cpu:,.0f}", f"{ended.megabytes:,.0f}", word])
    big.unlink()
    table(["command", "seconds", "CPU seconds", "peak resident MB", "in GB"], lines)


def main() -> None:
    """Three tables."""
    small = arguments(__doc__).small
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        throughput(Path(folder), small)
        shuffling(small)
        memory(Path(folder), small)


if __name__ == "__main__":
    main()
