"""What each loss makes of pixels in [0, 1]: squared error per held-out picture after the same six epochs.

784-1000-500-250-30 on MNIST's training pictures, of which the last 10,000 are held out. A linear output with
plain squared error is also shown cut to [0, 1] afterwards, as anybody would.
"""

from __future__ import annotations

import time

import numpy as np

from datasets import mnist
from isthmus import BinaryCrossEntropy, BoundedSquaredError, SquaredError, Trainer, deep_autoencoder
from measuring import arguments, say, table

HELD_OUT = 10_000


def main() -> None:
    """One line a loss."""
    small, pictures = arguments(__doc__).small, mnist()
    if pictures is None:
        return
    train, kept = pictures[0][:-HELD_OUT], pictures[0][-HELD_OUT:]
    train = train[:2000] if small else train
    plan = Trainer(1 if small else 6, batch_size=256, lr=2e-3, bf16=True, held_out=0, progress=False)
    lines = []
    for loss in (SquaredError(), BoundedSquaredError(), BinaryCrossEntropy()):
        start = time.process_time()
        model = deep_autoencoder(30, loss=loss, trainer=plan, random_state=0).fit(train)
        gone = time.process_time() - start
        x, x_hat = kept / 255, model.reconstruct_encoded(kept)
        errors = [np.square(x - some).sum(1).mean() for some in (x_hat, x_hat.clip(0, 1))]
        say(f"{loss}: {errors}")
        lines.append((f"`{loss}`", *(f"{error:.2f}" for error in errors), f"{gone:.0f}"))
    table(["loss", "squared error per picture", "cut to [0, 1]", "CPU seconds"], lines)


if __name__ == "__main__":
    main()
