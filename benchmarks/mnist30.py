"""MNIST in 30 numbers: squared error per test picture, beside PCA and the figure of 2006.

784-1000-500-250-30 and its mirror image, trained on the 60,000 training pictures alone: a tenth of them is
held out to stop on, the 10,000 test pictures are looked at once, at the end. Pixels lie in [0, 1] and the
figure is the sum over the 784 pixels, averaged over pictures. Hinton & Salakhutdinov (2006) report 3.00.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from datasets import mnist
from isthmus import Trainer, deep_autoencoder
from measuring import arguments, say, table, verdict

FIGURE = 3.00


def wrong(X: Any, X_hat: Any) -> float:
    """Sum of squared pixels per picture."""
    return float(np.square(X.astype(np.float64) - X_hat).sum(1).mean())


def main() -> None:
    """The table, and when 3.00 was passed."""
    small, pictures = arguments(__doc__).small, mnist()
    if pictures is None:
        print("MNIST was not found: set ISTHMUS_DATA.")
        return
    train, _, test = pictures
    train = train[:4000] if small else train
    x = test / 255
    pca = PCA(30, random_state=0).fit(train / 255)
    linear = pca.inverse_transform(pca.transform(x))
    say("PCA done")
    trainer = Trainer(max_epochs=2 if small else 60, batch_size=512, lr=2e-3, bf16=True, patience=10**6)
    start, cpu = time.perf_counter(), time.process_time()
    model = deep_autoencoder(30, trainer=trainer, random_state=0).fit(train)
    minutes, cpu = (time.perf_counter() - start) / 60, (time.process_time() - cpu) / 60
    say(f"fitted in {minutes:.1f} minutes")
    # the network's own output, before it is rounded to whole grey values
    error, rounded = wrong(x, model.reconstruct_encoded(test)), wrong(x, model.reconstruct(test) / 255)
    lines = [
        ("PCA(30)", f"{wrong(x, linear):.3f}"),
        ("PCA(30), clipped to [0, 1]", f"{wrong(x, linear.clip(0, 1)):.3f}"),
        ("Hinton & Salakhutdinov (2006)", f"{FIGURE:.2f}"),
        ("deep_autoencoder(30)", f"{error:.3f}"),
        ("the same as uint8 pictures", f"{rounded:.3f}"),
    ]
    table(["30 numbers", "squared error per test picture"], lines)
    print("- deep_autoencoder(30):", verdict(error, FIGURE, at_most=True))
    print(f"- fitted in {minutes:.1f} minutes of the clock, {cpu:.1f} of CPU time")
    passed = next((row for row in model.history_rows_ if row["held_out_loss"] <= FIGURE), None)
    if passed is None:
        lowest = min(row["held_out_loss"] for row in model.history_rows_)
        print(f"- held-out training pictures never passed {FIGURE:.2f}; the lowest was {lowest:.3f}")
    else:
        when = f"{passed['seconds'] / 60:.1f} minutes, epoch {passed['epoch']:.0f}"
        print(f"- held-out training pictures passed {FIGURE:.2f} after {when}")


if __name__ == "__main__":
    main()
