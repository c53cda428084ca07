"""Holes in digits, characters and faces, filled beside the classical tools and the statistical ones.

MNIST: 6,000 of the training pictures train, 300 of the test pictures are reported. KMNIST: the shared test
file, its first 8,000 pictures to train, 300 of its last 2,000 reported. ORL faces, 112 x 92: people 1 to 30
train, five pictures each of people 31 to 40, whom nobody has seen, are reported. One model a data set, by
default settings, trained on blocks, strokes and single pixels of many sizes and told nothing of the holes of
the test. Defaults were chosen on training pictures of MNIST that are not among those 6,000 and on people 27
to 30; KMNIST and people 31 to 40 had no part in any choice.

Holes: the centre (5/14 of each side, 10 x 10 of 28 x 28), a random block of 8% (8 x 8), half of the pixels,
strokes. PSNR from the mean squared error over all hidden pixels of all test pictures, in dB. The Gaussian
conditional mean and the mean of the 10 pictures nearest on what is visible use the same training pictures;
the Gaussian's ridge was chosen for every kind of hole by itself on a tenth of them. Biharmonic
(scikit-image), Telea and Navier-Stokes (OpenCV) need none. Seconds are CPU: of the fit, and of a picture.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from datasets import FOLDER
from isthmus import Trainer
from isthmus.holes import Blocks, HoleMask, Pixels, Strokes
from isthmus.inpainting import Inpainter
from measuring import arguments, say, table, verdict

sys.path.append(os.environ.get("ISTHMUS_PEERS", ""))
RIDGES = (1e-3, 1e-2, 3e-2, 1e-1, 1.0)  # shares of the mean variance
NEAREST = 10


class Task(NamedTuple):
    """Training pictures (n, h, w) and test pictures, uint8."""

    train: Any
    test: Any


def tasks(small: bool) -> dict[str, Task]:
    """The data sets that are found."""
    found = {}
    path = FOLDER / "images"
    if (path / "orl_faces.npz").is_file():
        with np.load(path / "orl_faces.npz") as file:
            X, y = file["X"], file["y"] - file["y"].min()
            found["ORL faces"] = Task(X[y < 30], np.concatenate([X[y == k][:5] for k in range(30, 40)]))
    if (path / "mnist.npz").is_file():
        with np.load(path / "mnist.npz") as file:
            found["MNIST"] = Task(file["X_train"][:6_000], file["X_test"][:300])
    if (path / "kmnist_test.npz").is_file():
        with np.load(path / "kmnist_test.npz") as file:
            found["KMNIST"] = Task(file["X"][:8_000], file["X"][8_000:10_000:7][:300])
    if small:
        return {name: Task(task.train[:80], task.test[:6]) for name, task in found.items()}
    return found


def holes(n: int, size: tuple[int, int]) -> dict[str, Any]:
    """Each kind of hole (n, h, w) of the test."""
    centre = np.zeros((n, *size), bool)
    sides = [round(5 / 14 * side) for side in size]
    starts = [(side - hole) // 2 for side, hole in zip(size, sides, strict=True)]
    centre[:, starts[0] : starts[0] + sides[0], starts[1] : starts[1] + sides[1]] = True
    kinds = {
        "random block": Blocks(64 / 784, 64 / 784),
        "half the pixels": Pixels(0.5, 0.5),
        "strokes": Strokes(),
    }
    drawn = {name: HoleMask((kind,)).arrays(n, size, 7 + k) for k, (name, kind) in enumerate(kinds.items())}
    return {"centre": centre, **drawn}


# ---------------------------------------------------------------- the peers


class Gaussian:
    """E[hidden | visible] of a Gaussian with covariance S + ridge I, by the smaller of two systems."""

    def __init__(self, train: Any) -> None:
        self.mean = train.mean(0)
        _, spread, self.axes = np.linalg.svd(train - self.mean, full_matrices=False)
        self.variance = spread**2 / len(train)
        self.level = self.variance.sum() / train.shape[1]

    def __call__(self, x: Any, hidden: Any, ridge: float) -> Any:
        """Rows (n, d) filled."""
        sigma = ridge * self.level
        W = self.axes.T * np.sqrt(self.variance)
        keep = self.variance > 1e-9 * self.variance[0]
        W, made = W[:, keep], x.copy()
        if W.shape[1] * 2 > x.shape[1]:
            precision = np.linalg.inv(W @ W.T + sigma * np.eye(len(W)))
            for row, hole in zip(made, hidden, strict=True):
                left = precision[np.ix_(hole, ~hole)] @ (row - self.mean)[~hole]
                row[hole] = self.mean[hole] - np.linalg.solve(precision[np.ix_(hole, hole)], left)
            return np.clip(made, 0, 1)
        for row, hole in zip(made, hidden, strict=True):
            seen = W[~hole]
            z = np.linalg.solve(seen.T @ seen + sigma * np.eye(W.shape[1]), seen.T @ (row - self.mean)[~hole])
            row[hole] = self.mean[hole] + W[hole] @ z
        return np.clip(made, 0, 1)


def nearest(train: Any, x: Any, hidden: Any) -> Any:
    """The mean of the 10 pictures nearest on what is visible."""
    made = x.copy()
    for row, hole in zip(made, hidden, strict=True):
        distance = np.square(train[:, ~hole] - row[~hole]).sum(1)
        row[hole] = train[np.argpartition(distance, NEAREST)[:NEAREST]][:, hole].mean(0)
    return made


def each(fill: Callable[[Any, Any], Any], x: Any, hidden: Any, size: tuple[int, int]) -> Any:
    """A tool for one picture of bytes and its hole, on rows."""
    made = x.copy()
    for row, hole in zip(made, hidden, strict=True):
        picture = np.where(hole, 0, np.rint(255 * row)).astype(np.uint8).reshape(size)
        row[hole] = np.clip(fill(picture, hole.reshape(size)), 0, 1).reshape(-1)[hole]
    return made


def single_picture_tools() -> dict[str, Callable[[Any, Any], Any]]:
    """Those that are installed."""
    tools: dict[str, Callable[[Any, Any], Any]] = {}
    try:
        from skimage.restoration import inpaint_biharmonic

        tools["biharmonic"] = lambda picture, hole: inpaint_biharmonic(picture / 255, hole)
    except ImportError:
        say("scikit-image is not installed")
    try:
        import cv2

        for name, flag in (("Telea", cv2.INPAINT_TELEA), ("Navier-Stokes", cv2.INPAINT_NS)):
            tools[name] = lambda picture, hole, flag=flag: (
                cv2.inpaint(picture, hole.astype(np.uint8), 3, flag) / 255
            )
    except ImportError:
        say("OpenCV is not installed")
    return tools


# ---------------------------------------------------------------- measuring


def psnr(clean: Any, made: Any, hidden: Any) -> float:
    """In the holes of all pictures together."""
    return float(-10 * np.log10(np.square(clean - made)[hidden].mean()))


def chosen_ridges(train: Any, size: tuple[int, int]) -> dict[str, float]:
    """For every kind of hole the ridge that does best on the last tenth of the training pictures."""
    few = max(4, min(60, len(train) // 10))
    fitted, clean = Gaussian(train[:-few]), train[-few:]
    best = {}
    for name, hidden in holes(few, size).items():
        flat = hidden.reshape(few, -1)
        found = {ridge: psnr(clean, fitted(clean, flat, ridge), flat) for ridge in RIDGES}
        best[name] = max(found, key=found.__getitem__)
    return best


def run(name: str, task: Task, small: bool) -> dict[str, tuple[float, float]]:
    """The table of one data set; by hole, isthmus and the best peer."""
    size = task.train.shape[1:]
    train, clean = (part.reshape(len(part), -1) / 255.0 for part in task)
    ridges = chosen_ridges(train, size)
    gaussian, bars = Gaussian(train), {}
    trainer = Trainer(max_epochs=1, batch_size=16, progress=False) if small else None
    say(f"{name}: training")
    start = time.process_time()
    inpainter = Inpainter(trainer=trainer, random_state=0).fit(task.train)
    fitted = time.process_time() - start
    peers: dict[str, Callable[[str, Any], Any]] = {"mean": lambda _, h: np.where(h, gaussian.mean, clean)}
    for tool, fill in single_picture_tools().items():
        peers[tool] = lambda _, h, fill=fill: each(fill, clean, h, size)
    peers["Gaussian"] = lambda kind, h: gaussian(clean, h, ridges[kind])
    peers["kNN(10)"] = lambda _, h: nearest(train, clean, h)
    peers["isthmus"] = lambda _, h: (
        inpainter.transform(task.test, h.reshape(-1, *size)).reshape(len(clean), -1) / 255
    )
    masks = holes(len(clean), size)
    rows, gained = {tool: [tool] for tool in peers}, {}
    for kind, hidden in masks.items():
        flat, found = hidden.reshape(len(clean), -1), {}
        for tool, fill in peers.items():
            start = time.process_time()
            found[tool] = psnr(clean, fill(kind, flat), flat)
            rows[tool].append(f"{found[tool]:.2f}")
            if kind == "strokes":
                rows[tool].append(f"{(time.process_time() - start) / len(clean):.4f}")
        best = max(value for tool, value in found.items() if tool != "isthmus")
        bars[kind] = (found["isthmus"], best)
        gained[kind] = found
        say(f"{name}, {kind}: {found}")
    print(f"## {name}: {len(train):,} to train, {len(clean)} to test; fit {fitted:.0f} CPU s\n")
    table(["", *masks, "s a picture"], rows.values())
    print(f"Gaussian ridges: {ridges}. {inpainter.notes_[-1]}\n", flush=True)
    return bars


def main() -> None:
    """Every data set, then the bar."""
    options = arguments(__doc__)
    torch.set_num_threads(1)
    print(__doc__.split("\n\n", 1)[1])
    lines = []
    for name, task in tasks(options.small).items():
        for kind, (ours, best) in run(name, task, options.small).items():
            lines.append([name, kind, f"{ours:.2f}", f"{best:.2f}", verdict(ours - best, 0.0)])
    print("## isthmus beside the best of all the others\n")
    table(["data", "hole", "isthmus", "best peer", "gain, dB"], lines)


if __name__ == "__main__":
    main()
