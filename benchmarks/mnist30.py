"""MNIST in 30 numbers: squared error per test picture, beside PCA and the figure of 2006.

784-1000-500-250-30 and its mirror image, trained on the 60,000 training pictures less 1,200 held out; the
10,000 test pictures are looked at once, at the end. Pixels lie in [0, 1] and the figure is the sum over the
784 pixels, averaged over pictures. Hinton & Salakhutdinov (2006) report 3.00.

From the pictures alone the network learns them by heart: its error on them falls to half of that on others.
Each picture again, moved by one pixel up, down, left and right, is what keeps it from that. Both are here;
how long to train was chosen on held-out training pictures.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from sklearn.decomposition import PCA

from datasets import mnist
from isthmus import Trainer, deep_autoencoder
from measuring import arguments, say, table, verdict

FIGURE = 3.00
HELD_OUT = 1_200
MOVES = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))


def wrong(X: Any, X_hat: Any) -> float:
    """Sum of squared pixels per picture."""
    return float(np.square(X.astype(np.float64) - X_hat).sum(1).mean())


def moved(pictures: Any) -> Any:
    """Every picture as it is, and by one pixel in each direction; MNIST has a black border."""
    square = pictures.reshape(-1, 28, 28)
    return np.concatenate([np.roll(square, move, axis=(1, 2)) for move in MOVES]).reshape(-1, 784)


def main() -> None:
    """The table, and what it took."""
    small, pictures = arguments(__doc__).small, mnist()
    if pictures is None:
        return
    everything, _, test = pictures
    order = np.random.default_rng(0).permutation(len(everything))
    kept, train = everything[order[:HELD_OUT]], everything[order[HELD_OUT:]]
    train = train[:2000] if small else train
    x = test / 255
    pca = PCA(30, random_state=0).fit(train / 255)
    linear = pca.inverse_transform(pca.transform(x))
    lines = [
        ("PCA(30)", f"{wrong(x, linear):.3f}", "", "", ""),
        ("PCA(30), clipped to [0, 1]", f"{wrong(x, linear.clip(0, 1)):.3f}", "", "", ""),
        ("Hinton & Salakhutdinov (2006)", f"{FIGURE:.2f}", "", "", ""),
    ]
    for name, rows, epochs in (("the pictures alone", train, 50), ("and moved", moved(train), 12)):
        plan = Trainer(1 if small else epochs, batch_size=512, lr=2e-3, bf16=True, held_out=0)
        start, cpu = time.perf_counter(), time.process_time()
        model = deep_autoencoder(30, trainer=plan, random_state=0).fit(rows)
        minutes, cpu = (time.perf_counter() - start) / 60, (time.process_time() - cpu) / 60
        # the network's own output, before it is rounded to whole grey values
        errors = [wrong(X / 255, model.reconstruct_encoded(X)) for X in (test, kept, train[:10_000])]
        say(f"{name}: {errors}")
        shown = (
            f"deep_autoencoder(30), {name}, {epochs} epochs, {minutes:.1f} minutes ({cpu:.1f} of CPU time)"
        )
        rounded = wrong(x, model.reconstruct(test) / 255)
        lines.append((shown, *(f"{error:.3f}" for error in errors), f"{rounded:.3f}"))
    header = ["30 numbers, squared error per picture", "test", "held out", "seen in training"]
    table([*header, "test, as uint8 pictures"], lines)
    print(f"- threads at most: {torch.get_num_threads()}")
    print("- deep_autoencoder(30), and moved:", verdict(errors[0], FIGURE, at_most=True))


if __name__ == "__main__":
    main()
