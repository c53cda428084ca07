"""What a second process under torchrun brings on one machine: seconds per epoch of 784-256-64-16-64-256-784.

One process on one thread, one on two, two on one each, for the same batches; every figure from processes of
their own, which take turns. MNIST from the folder ISTHMUS_DATA names, else random pixels. "whole" is the
process from start to end, imports and the start of torchrun included. Small by default:

    python benchmarks/torchrun.py --rows 60000 --epochs 10 --runs 5
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FIT = """
import os, sys
from pathlib import Path
import numpy as np
from isthmus import MLP, Autoencoder, Trainer

rows, batch, epochs = map(int, sys.argv[1:])
mnist = Path(os.environ.get("ISTHMUS_DATA", "")) / "images" / "mnist.npz"
if mnist.exists():
    X = np.load(mnist)["X_train"][:rows].reshape(-1, 784)
else:
    X = np.random.default_rng(0).integers(0, 256, (rows, 784), dtype=np.uint8)
trainer = Trainer(max_epochs=epochs, batch_size=batch, patience=10**6, progress=False)
model = Autoencoder(16, architecture=MLP((256, 64)), trainer=trainer, random_state=0).fit(X)
first, last = model.history_rows_[0], model.history_rows_[-1]
if os.environ.get("RANK", "0") == "0":
    print((last["seconds"] - first["seconds"]) / (last["epoch"] - first["epoch"]), last["held_out_loss"])
"""
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
WAYS = {"1 process x 1 thread": (1, 1), "1 process x 2 threads": (1, 2), "2 processes x 1 thread": (2, 1)}


def run(script: Path, processes: int, threads: int, *numbers: int) -> tuple[float, float, float]:
    """Seconds per epoch, held-out loss, and seconds of the whole."""
    command = [sys.executable, *(TORCHRUN if processes > 1 else []), str(script), *map(str, numbers)]
    started = time.perf_counter()
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    epoch, loss = map(float, done.stdout.split())
    return epoch, loss, time.perf_counter() - started


def main() -> None:
    """Print a table: medians, with the smallest and the largest of the runs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, default in (("rows", 20_000), ("epochs", 3), ("runs", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    print(
        "| batch | processes | s per epoch | of 1 x 1 | whole, s | held-out loss |\n|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "fit.py"
        script.write_text(FIT)
        for batch in (1024, 4096):
            numbers = (given.rows, batch, given.epochs)
            rounds = [{way: run(script, *WAYS[way], *numbers) for way in WAYS} for _ in range(given.runs)]
            for way in WAYS:
                epochs, losses, wholes = zip(*(found[way] for found in rounds), strict=True)
                ratio = statistics.median(found[next(iter(WAYS))][0] / found[way][0] for found in rounds)
                spread = f"{statistics.median(epochs):.2f} ({min(epochs):.2f}-{max(epochs):.2f})"
                rest = f"{ratio:.2f} | {statistics.median(wholes):.1f} | {losses[0]:.4f}"
                print(f"| {batch:,} | {way} | {spread} | {rest} |", flush=True)


if __name__ == "__main__":
    main()
