"""Training on a CUDA device beside plain torch there, and beside the processor.

Rows per second of the clock, warm: with everything inside `fit` counted ("whole fit"), and in the loop alone.
Isthmus moves the rows to the device once, and so does the plain loop: slices of a shuffled order, Adam's
fused kernel, no look at any value until its end. "torch, bf16" is the same loop under autocast. "Products
alone" are the matrix products of one step into memory that is there, in the same precision. The sparse net
has 4,096 ReLU units and 0.1 L1 on them. Nets, rows and losses as in `training_speed.py`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import nn

from contenders import CODE, HIDDEN, RATE, Job
from datasets import low_rank, mnist
from isthmus import L1, MLP, Autoencoder, LinearCode, ReLU, ReLUCode, SquaredError, Trainer
from measuring import arguments, in_turns, ratios, say, spread, table, verdict
from steps import products

REPEATS = 3


class Net(NamedTuple):
    """Hidden widths each way, a code of so many units, and how much L1 is on them."""

    hidden: tuple[int, ...]
    code: int
    l1: float = 0.0

    def widths(self, columns: int) -> tuple[int, ...]:
        """Of every layer, in order."""
        return (columns, *self.hidden, self.code, *self.hidden[::-1], columns)


DENSE, SPARSE = Net(HIDDEN, CODE), Net((), 4096, 0.1)
JOBS = (
    (DENSE, Job(2_000, 30, 128, 50)),
    (DENSE, Job(100_000, 30, 1024, 6)),
    (DENSE, Job(100_000, 30, 8192, 40)),
    (DENSE, Job(60_000, 784, 128, 1)),
    (DENSE, Job(60_000, 784, 1024, 8)),
    (DENSE, Job(60_000, 784, 8192, 50)),
    (SPARSE, Job(60_000, 784, 1024, 8)),
    (SPARSE, Job(60_000, 784, 8192, 30)),
)
SMALL = ((DENSE, Job(512, 30, 128, 2)), (SPARSE, Job(512, 784, 128, 1)))


def data(job: Job) -> Any:
    """(rows, columns) float32."""
    pictures = mnist() if job.columns == 784 else None
    X = low_rank(job.rows, job.columns) if pictures is None else pictures[0][: job.rows] / 255
    return X.astype("float32")


def ours(X: Any, net: Net, job: Job, device: str, bf16: bool = False) -> tuple[float, float]:
    """Rows per second of a fit, and of its loop."""
    code, penalty = (ReLUCode(), net.l1 * L1()) if net.l1 else (LinearCode(), None)
    shape = MLP(net.hidden, activation=ReLU(), from_pca=False)
    trainer = Trainer(job.epochs, job.batch, RATE, held_out=0, bf16=bf16, progress=False, device=device)
    model = Autoencoder(
        net.code,
        architecture=shape,
        code=code,
        penalty=penalty,
        loss=SquaredError(),
        trainer=trainer,
        random_state=0,
    )
    start = time.perf_counter()
    model.fit(X)
    gone, rows = time.perf_counter() - start, job.rows * job.epochs
    return rows / gone, rows / model.history_rows_[-1]["seconds"]


def plain(X: Any, net: Net, job: Job, device: str, bf16: bool = False) -> tuple[float, float]:
    """The same in torch by hand."""
    start = time.perf_counter()
    widths, last = net.widths(job.columns), 2 * len(net.hidden) + 1
    middle = len(net.hidden)
    layers = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(widths)).to(device)
    optimiser = torch.optim.Adam(layers.parameters(), lr=RATE, fused=True)
    rows = torch.from_numpy(X).to(device)
    begun = time.perf_counter()
    for _ in range(job.epochs):
        for places in torch.randperm(len(X), device=device).split(job.batch):
            x = z = h = rows[places]
            optimiser.zero_grad(set_to_none=True)
            with torch.autocast(device, torch.bfloat16, enabled=bf16):
                for i, layer in enumerate(layers):
                    h = layer(h)
                    if i < last and (i != middle or net.l1):
                        h = h.relu()
                    z = h if i == middle else z
            loss = (h.float() - x).square().sum(1).mean()
            if net.l1:
                loss = loss + net.l1 * z.float().abs().sum(1).mean()
            loss.backward()
            optimiser.step()
    loss.item()  # waits for the device
    ended, count = time.perf_counter(), job.rows * job.epochs
    return count / (ended - start), count / (ended - begun)


def ceiling(net: Net, job: Job, device: str, dtype: torch.dtype) -> float:
    """Rows per second of the matrix products of a step alone."""
    once, steps = products(net.widths(job.columns), job.batch, device, dtype), 200
    for _ in range(20):
        once()
    once()[0, 0].item()  # waits for the device
    start = time.perf_counter()
    for _ in range(steps):
        made = once()
    made[0, 0].item()
    return job.batch * steps / (time.perf_counter() - start)


def compare(net: Net, job: Job, device: str) -> None:
    """A table, and one line for each bar."""
    X = data(job)
    shape = "-".join(map(str, net.widths(job.columns)))
    print(f"### {shape}, {job.rows:,} rows, batch {job.batch:,}\n")
    contenders: dict[str, Callable[[], tuple[float, float]]] = {
        "isthmus": lambda: ours(X, net, job, device),
        "isthmus, bf16": lambda: ours(X, net, job, device, bf16=True),
        "torch": lambda: plain(X, net, job, device),
        "torch, bf16": lambda: plain(X, net, job, device, bf16=True),
    }
    few = job._replace(rows=min(job.rows, 16_384), epochs=max(1, job.epochs // 10))
    contenders["isthmus on the processor"] = lambda: ours(X[: few.rows], net, few, "cpu")
    loops: dict[str, list[float]] = {name: [] for name in contenders}

    def whole(name: str) -> float:
        fit, loop = contenders[name]()
        loops[name].append(loop)
        say(f"{shape}, B={job.batch}, {name}: {fit:,.0f} and {loop:,.0f} rows/s")
        return fit

    fits = in_turns({name: (lambda name=name: whole(name)) for name in contenders}, REPEATS)
    loops = {name: values[1:] for name, values in loops.items()}  # the first warmed up
    lines = [[name, spread(fits[name], 0), spread(loops[name], 0)] for name in contenders]
    for word, dtype in (("float32", torch.float32), ("bf16", torch.bfloat16)):
        alone = ceiling(net, job, device, dtype)
        lines.append([f"products alone, {word}", "", f"{alone:,.0f}"])
    table(["", "rows per second, whole fit", "in the loop"], lines)
    judged = []
    for word in ("", ", bf16"):
        for what, found in (("whole fit", fits), ("loop", loops)):
            ahead = statistics.median(ratios(found[f"isthmus{word}"], found[f"torch{word}"]))
            judged.append(f"- {what}{word or ', float32'}, over plain torch: {verdict(ahead, 1.0)}")
    print("\n".join(judged), "\n", flush=True)


def main() -> None:
    """A table for every job; the processor stands in where there is no device, in small."""
    small, there = arguments(__doc__).small, torch.cuda.is_available()
    if not there and not small:
        print("No CUDA device was found: nothing was measured.\n")
        return
    if there:
        print(f"Device: {torch.cuda.get_device_name()}, CUDA {torch.version.cuda}.\n")
    for net, job in SMALL if small else JOBS:
        compare(net, job, "cuda" if there else "cpu")


if __name__ == "__main__":
    main()
