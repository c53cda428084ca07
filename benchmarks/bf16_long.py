"""Whether bf16 costs accuracy in a LONG training: loss on test pictures, bf16 over float32, three seeds.

MNIST, 784-256-64-16-64-256-784 in batches of 1,024 for 100 epochs, and the convolutional network for 15. The
10,000 test pictures are not looked at in training; nothing stops early. The loss is the model's own.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import isthmus
from datasets import mnist
from isthmus import MLP, Autoencoder, Trainer
from measuring import arguments, ratios, say, spread, table, verdict

SEEDS = (0, 1, 2)


def compared(name: str, architecture: Any, train: Any, test: Any, epochs: int) -> list[str]:
    """One line of the table."""
    loss: dict[bool, list[float]] = {False: [], True: []}
    cpu: dict[bool, list[float]] = {False: [], True: []}
    for seed in SEEDS:
        for bf16 in (False, True):
            trainer = Trainer(epochs, 1024, held_out=0, bf16=bf16, progress=False)
            start = time.process_time()
            model = Autoencoder(16, architecture=architecture, trainer=trainer, random_state=seed).fit(train)
            cpu[bf16].append(time.process_time() - start)
            loss[bf16].append(-model.score(test) * test[0].size)
            say(f"{name}, seed {seed}, {'bf16' if bf16 else 'float32'}: {loss[bf16][-1]:.4f}")
    ratio, faster = ratios(loss[True], loss[False]), ratios(cpu[False], cpu[True])
    word = verdict(statistics.median(ratio), 1.01, at_most=True)
    cells = [name, str(epochs), spread(loss[False], 3), spread(loss[True], 3), spread(ratio, 4)]
    return [*cells, word, spread(faster)]


def main() -> None:
    """A line for the dense network, and one for convolutions where they exist."""
    small, pictures = arguments(__doc__).small, mnist()
    if pictures is None:
        return
    train, _, test = pictures
    train, test = (train[:2048], test[:1000]) if small else (train, test)
    lines = [compared("dense", MLP((256, 64)), train, test, 2 if small else 100)]
    if hasattr(isthmus, "ConvNet"):
        square = [X.reshape(-1, 28, 28) for X in (train, test)]
        lines.append(compared("convolutions", isthmus.ConvNet(), *square, 1 if small else 15))
    header = ["net", "epochs", "float32: loss per picture", "bf16", "bf16 over float32", "", "times as fast"]
    table(header, lines)


if __name__ == "__main__":
    main()
