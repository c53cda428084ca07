"""Many models as one program: `fit_many` beside fitting the same models one after another.

Nets d-64-16-4-16-64-d, one thread, CPU seconds of everything inside the calls, in turns. Both are isthmus, so
this is against its own fast single step. The models differ in their seed, hence in their weights and in the
rows they keep for judging; the last column is the relative difference between the best held-out loss of a
model fitted in company and of the same model fitted alone, for the median model and for the farthest. Where
numpy trains them there is none: not one bit differs.

"At most" is what a program would reach that did the matrix products of the training steps and nothing else:
no gathering, activations, loss or update, no setting up and no looking at rows held out. Both ways of making
the products are timed, net by net and batched, and the quicker one counts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from datasets import low_rank
from isthmus import MLP, Autoencoder, ReLU, Tanh, Trainer, fit_many
from measuring import arguments, in_turns, ratios, say, spread, table, verdict
from steps import cpu_a_call, products

CASES = (  # columns, batch, models, the bar, the activation
    (8, 64, 16, 3.0, ReLU()),
    (8, 64, 64, 3.0, ReLU()),
    (30, 64, 16, 3.0, ReLU()),
    (30, 64, 64, 3.0, ReLU()),
    (64, 64, 16, 3.0, ReLU()),
    (64, 64, 64, 3.0, ReLU()),
    (30, 256, 16, 1.5, ReLU()),
    (30, 256, 64, 1.5, ReLU()),
    (30, 1024, 16, 1.0, ReLU()),
    (784, 64, 16, 1.0, ReLU()),
    (30, 256, 64, 1.5, Tanh()),
)
TRAINED = 0.9  # of the rows; the others are held out


def models(batch: int, count: int, epochs: int, activation: Any) -> list[Autoencoder]:
    """Alike but for the seed."""
    net = MLP((64, 16), activation=activation)
    trainer = Trainer(max_epochs=epochs, batch_size=batch, patience=10**6, progress=False)
    return [Autoencoder(4, architecture=net, trainer=trainer, random_state=seed) for seed in range(count)]


def best(fitted: list[Autoencoder]) -> list[float]:
    """The best held-out loss of each."""
    return [min(line["held_out_objective"] for line in model.history_rows_) for model in fitted]


def products_alone(columns: int, batch: int, count: int, seconds: float) -> Callable[[], float]:
    """CPU seconds of the products of one step of all models."""
    widths = (columns, 64, 16, 4, 16, 64, columns)
    single, batched = products(widths, batch), products(widths, batch, models=min(count, 16))
    return lambda: count * min(cpu_a_call(single, seconds), cpu_a_call(batched, seconds) / min(count, 16))


def compare(description: str | None, threads: int) -> None:
    """One line a case; CPU seconds on one thread, seconds of the clock on more."""
    small = arguments(description).small
    torch.set_num_threads(threads)
    clock, unit = (time.process_time, "CPU-s") if threads == 1 else (time.perf_counter, "s")
    lines = []
    for columns, batch, count, bar, bend in CASES:
        steps = 10 if small else 200
        rows = max(1000, 4 * batch) if small else max(2000, 8 * batch)
        epochs = max(1, round(steps * batch / rows))
        X = low_rank(rows, columns)
        losses: dict[str, list[float]] = {}

        def together(X: Any = X, asked: Any = (batch, count, epochs, bend)) -> Any:
            return fit_many(models(*asked), X)

        def alone(X: Any = X, asked: Any = (batch, count, epochs, bend)) -> Any:
            return [model.fit(X) for model in models(*asked)]

        def timed(
            name: str, work: Callable[[], list[Autoencoder]], losses: dict[str, list[float]] = losses
        ) -> Callable[[], float]:
            def once() -> float:
                start = clock()
                fitted = work()
                gone = clock() - start
                losses[name] = best(fitted)
                return gone

            return once

        say(f"{columns} columns, batch {batch}, {count} models")
        work: dict[str, Callable[[], float]] = {
            "together": timed("together", together),
            "alone": timed("alone", alone),
        }
        if threads == 1:
            work["products"] = products_alone(columns, batch, count, 0.02 if small else 0.2)
        found = in_turns(work)
        gain = ratios(found["alone"], found["together"])
        apart = [abs(a - b) / b for a, b in zip(losses["together"], losses["alone"], strict=True)]
        middle, most = statistics.median(apart), max(apart)
        cells = [
            f"{columns}, {type(bend).__name__}",
            batch,
            count,
            spread(found["alone"]),
            spread(found["together"]),
        ]
        updates = epochs * TRAINED * rows / batch
        bare = [updates * value for value in found.get("products", ())]
        most_of_all = spread(ratios(found["alone"], bare)) if bare else "-"
        judged = verdict(statistics.median(gain), bar)
        lines.append([*cells, spread(gain), judged, most_of_all, f"{middle:.1e}, {most:.1e}"])
    header = [
        "columns, activation",
        "batch",
        "models",
        f"one by one, {unit}",
        f"together, {unit}",
        "times as fast",
    ]
    table([*header, "bar", "at most", "held-out losses differ by"], lines)


def main() -> None:
    """One thread."""
    compare(__doc__, threads=1)


if __name__ == "__main__":
    main()
