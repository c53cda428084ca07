"""Draw every figure of `isthmus.figures` into a folder: `python examples/picture_book.py FOLDER [--dark]`.

Data are read from the folder ISTHMUS_DATA (MNIST, photographs, a table of taxi rides) where it is set, and
made up or taken from scikit-learn otherwise.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from isthmus import (
    L1,
    MLP,
    Autoencoder,
    Contraction,
    GaussianNoise,
    KLSparsity,
    SigmoidCode,
    Trainer,
    UnitRange,
    audit,
    component_curve,
    figures,
    k_sparse_autoencoder,
    tradeoff,
)
from isthmus.auditing import views
from isthmus.demo import mixed_table
from isthmus.inputs import Table

DATA = Path(os.environ.get("ISTHMUS_DATA", ""))
PIXELS = Table(scaling=UnitRange(0, 16))


def trained(k: int, epochs: int, **parts: Any) -> Autoencoder:
    """An autoencoder to fit."""
    return Autoencoder(k, random_state=0, trainer=Trainer(max_epochs=epochs, progress=False), **parts)


def digits() -> tuple[Any, Any, Any]:
    """Digits to learn from, others, and what all of them are, in this order."""
    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.data))
    return found.data[order[:1400]], found.data[order[1400:]], found.target[order]


def patches() -> Any:
    """Whitened patches of 10 x 10 of photographs, (n, 100); of scikit-learn's two where no others are."""
    from sklearn.datasets import load_sample_images

    pictures = [image.mean(2) for image in load_sample_images().images]
    for path in sorted((DATA / "images" / "kodak").glob("*.png"))[:6]:
        from PIL import Image

        pictures.append(np.asarray(Image.open(path).convert("L"), float))
    rng, found = np.random.default_rng(0), []
    for picture in pictures:
        for _ in range(24_000 // len(pictures)):
            top, left = (rng.integers(size - 10) for size in picture.shape)
            found.append(picture[top : top + 10, left : left + 10].ravel())
    x = np.array(found)
    x = x - x.mean(1, keepdims=True)
    values, axes = (part[..., -50:] for part in np.linalg.eigh(np.cov(x, rowvar=False)))  # the rest is noise
    return x @ (axes / np.sqrt(values)) @ axes.T


def spiral(rows: int = 500) -> Any:
    """A curved line in two dimensions, and noise."""
    rng = np.random.default_rng(0)
    turn = rng.uniform(0.5, 2.6, rows) * np.pi
    return np.stack([turn * np.cos(turn), turn * np.sin(turn)], 1) / 4 + 0.06 * rng.normal(size=(rows, 2))


def roll(rows: int = 900) -> Any:
    """A curved sheet in three dimensions."""
    rng = np.random.default_rng(0)
    u, v = rng.uniform(-1.4, 1.4, rows), rng.uniform(-2.2, 2.2, rows)
    return np.stack([u, v, np.cos(2.0 * u)], 1) + 0.03 * rng.normal(size=(rows, 3))


def drawn() -> Any:
    """Every figure's name and axes, one after the other."""
    train, test, known = digits()
    labels = known[1400:]
    yield "kl_penalty", figures.kl_penalty()

    points = spiral()
    curve = trained(1, 300, architecture=MLP((64, 64))).fit(points)
    line = PCA(1).fit(points)
    by = {"PCA(1)": views.rebuilt(line, points), "autoencoder, 1 number": views.rebuilt(curve, points)}
    share = 1 - np.square(by["autoencoder, 1 number"] - points).sum() / np.square(by["PCA(1)"] - points).sum()
    yield (
        "manifolds_2d",
        figures.manifolds(points, by, title=f"A curve follows the data: {share:.0%} less error"),
    )
    sheet = roll()
    flat, bent = PCA(2).fit(sheet), trained(2, 100, architecture=MLP((64, 64))).fit(sheet)
    by = {"PCA(2)": views.rebuilt(flat, sheet), "autoencoder, 2 numbers": views.rebuilt(bent, sheet)}
    yield "manifolds_3d", figures.manifolds(sheet, by, title="PCA's plane, and the sheet that was learned")

    wide = {"architecture": MLP((64, 64), from_pca=False), "corruption": GaussianNoise(0.3)}
    denoiser = trained(32, 250, **wide).fit(points)
    starts, ends = views.field(denoiser, points, 18)
    title = "What a denoiser does: it points back to the data"
    yield "vector_field", figures.vector_field(starts, ends, points=points, title=title)

    middle = np.array([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    three = middle[np.arange(300) % 3] + 0.05 * np.random.default_rng(0).normal(size=(300, 2))
    plain = trained(8, 150, architecture=MLP((64,), from_pca=False), penalty=1e-6 * L1())
    models = {"plain": plain, "contractive": trained(8, 400, architecture=MLP((64,), from_pca=False),
                                                     penalty=0.02 * Contraction())}  # fmt: skip
    curves = {}
    for name, model in models.items():
        places, curves[name] = views.along_line(model.fit(three), [-1.5, 0.0], [1.5, 0.0])
    title = "Contraction: flat at the data, steep between"
    at = (three[:60, 0] + 1.5) / 3
    yield "contraction", figures.contraction_along_line(places, curves, points=at, title=title)

    eight = trained(8, 40, inputs=PIXELS).fit(train)
    pca = PCA(8).fit(train)
    few = test[:12]
    by = {"8 numbers": eight.reconstruct(few), "PCA(8)": views.rebuilt(pca, few).clip(0, 16)}
    yield (
        "reconstructions",
        figures.reconstructions(few, by, (8, 8), title="Digits never seen, from 8 numbers"),
    )
    found = audit(eight, train, test)
    yield "error_map", figures.error_map(found.worst.error.reshape(8, 8))
    contracted = trained(8, 40, inputs=PIXELS, penalty=3e-2 * Contraction()).fit(train)
    spectra = {"plain": found.slopes.spectrum, "contractive": audit(contracted, train, test).slopes.spectrum}
    yield (
        "jacobian_spectrum",
        figures.jacobian_spectrum(spectra, title="A contractive penalty keeps fewer directions"),
    )
    yield "loss_terms", figures.loss_terms(contracted.history_rows_)

    two = trained(2, 80, inputs=PIXELS).fit(train)
    title = "Two numbers of a digit already part the ten"
    yield "latent_scatter", figures.latent_scatter(two.transform(test), colour=labels, title=title)
    walked = views.traversals(eight, train, units=range(5))
    title = "Each number of the code changes one thing"
    yield (
        "traversals",
        figures.picture_rows(
            walked,
            (8, 8),
            names=[f"unit {j}" for j in range(5)],
            title=title,
            along="from its 2nd to its 98th percentile",
        ),
    )
    walked = views.interpolations(eight, test[:4], test[4:8])
    yield "interpolations", figures.picture_rows(
        walked, (8, 8), names=[f"{a} to {b}" for a, b in zip(labels[:4], labels[4:8], strict=True)],
        title="Between two digits lie other digits", along="from one to the other"
    )  # fmt: skip

    sparse = k_sparse_autoencoder(64, 6, inputs=PIXELS, random_state=0, trainer=Trainer(40, lr=1e-2)).fit(
        train
    )
    order = np.argsort(labels[:200], kind="stable")[::20]
    yield "activations", figures.activations(sparse.transform(test[order]), names=labels[order])
    kinds = trained(32, 40, inputs=PIXELS, architecture=MLP(()), code=SigmoidCode(), penalty=KLSparsity(0.1))
    yield "activations_kl", figures.activations(kinds.fit(train).transform(test[order]), names=labels[order])

    natural = patches()
    atoms = k_sparse_autoencoder(100, 6, random_state=0, trainer=Trainer(30, lr=5e-3, progress=False))
    weights = atoms.fit(natural).network_.state_dict()["decoder.layers.0.weight"].numpy().T
    title = "Atoms of whitened patches of photographs: edges, each at one place"
    yield "filters", figures.filters(weights, (10, 10), title=title)

    table = mixed_table()
    model = trained(5, 60).fit(table[:350])
    rows, values = views.strongest(model, table[350:], 0, 6)
    shown = [[None if cell != cell else cell for cell in row] for row in rows.to_numpy().tolist()]
    yield (
        "top_rows",
        figures.top_rows(shown, rows.columns, values=values, title="What unit 0 answers to most"),
    )
    yield "worst_columns", figures.worst_columns(audit(model, table[:350], table[350:]))

    sizes = component_curve(train, test, most=10, model=trained(1, 60, inputs=PIXELS))
    yield "component_curve", figures.component_curve(sizes)
    start = trained(32, 30, inputs=PIXELS, corruption=GaussianNoise(0.1))
    path = tradeoff(start, train, "corruption__sigma", [0.02, 0.1, 0.2, 0.4, 0.8], y=known[:1400])
    yield "tradeoff", figures.tradeoff(path)


def main() -> None:
    """Draw and say where."""
    folder, dark = Path(sys.argv[1] if len(sys.argv) > 1 else "figures"), "--dark" in sys.argv
    folder.mkdir(parents=True, exist_ok=True)
    with figures.theme(dark=dark):
        for name, ax in drawn():
            ax.figure.savefig(folder / f"{name}.png", dpi=130)
            print(folder / f"{name}.png", flush=True)


if __name__ == "__main__":
    main()
