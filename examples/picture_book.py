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

import pictures_of_uses
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


def manifolds() -> Any:
    """PCA's line and plane beside what an autoencoder learned; where a denoiser points."""
    points = spiral()
    curve = trained(1, 300, architecture=MLP((64, 64))).fit(points)
    line = PCA(1).fit(points)
    by = {"PCA(1)": views.rebuilt(line, points), "autoencoder, 1 number": views.rebuilt(curve, points)}
    title = f"A curve follows the data: {1 - _ratio(points, *by.values()):.0%} less error"
    yield "manifolds_2d", figures.manifolds(points, by, title=title)
    sheet = roll()
    flat, bent = PCA(2).fit(sheet), trained(2, 100, architecture=MLP((64, 64))).fit(sheet)
    by = {"PCA(2)": views.rebuilt(flat, sheet), "autoencoder, 2 numbers": views.rebuilt(bent, sheet)}
    title = (
        f"A sheet that bends with the data: {1 - _ratio(sheet, *by.values()):.0%} less error than PCA's plane"
    )
    ax = figures.manifolds(sheet, by, title=title)
    ax.view_init(14, -78)
    yield "manifolds_3d", ax
    wide = {"architecture": MLP((64, 64), from_pca=False), "corruption": GaussianNoise(0.3)}
    denoiser = trained(32, 250, **wide).fit(points)
    starts, ends = views.field(denoiser, points, 18)
    title = f"A denoiser points to the data: {_nearer(points, starts, ends):.0f} times nearer in one step"
    yield "vector_field", figures.vector_field(starts, ends, points=points, title=title)


def contraction() -> Any:
    """Along the line through two groups."""
    middle = np.array([[-1.0, 0.0], [1.0, 0.0]])
    groups = middle[np.arange(300) % 2] + 0.05 * np.random.default_rng(0).normal(size=(300, 2))
    wide = MLP((64,), from_pca=False)
    models = {
        "plain": trained(8, 150, architecture=wide, penalty=1e-6 * L1()),
        "contractive": trained(8, 400, architecture=wide, penalty=0.02 * Contraction()),
    }
    curves = {}
    for name, model in models.items():
        places, curves[name] = views.along_line(model.fit(groups), [-1.5, 0.0], [1.5, 0.0])
    at = (groups[:60, 0] + 1.5) / 3
    title = "Contraction: flat at the data, steep between"
    yield "contraction", figures.contraction_along_line(places, curves, points=at, title=title)


def narrow() -> Any:
    """Digits through eight numbers, and what contraction does to them."""
    train, test, known = digits()
    eight, pca = trained(8, 40, inputs=PIXELS).fit(train), PCA(8).fit(train)
    by = {"8 numbers": eight.reconstruct(test), "PCA(8)": views.rebuilt(pca, test).clip(0, 16)}
    share = 1 - _ratio(test, by["PCA(8)"], by["8 numbers"])
    title = f"Digits never seen, from 8 numbers: {share:.0%} less error than PCA"
    few = {name: made[:12] for name, made in by.items()}
    yield "reconstructions", figures.reconstructions(test[:12], few, (8, 8), title=title)
    found = audit(eight, train, test)
    yield "error_map", figures.error_map(found.worst.error.reshape(8, 8))
    contracted = trained(8, 40, inputs=PIXELS, penalty=3e-2 * Contraction()).fit(train)
    slopes = {"plain": found.slopes, "contractive": audit(contracted, train, test).slopes}
    before, after = (one.reconstruction for one in slopes.values())
    title = f"Contraction: norm(J)^2 falls from {before:.0f} to {after:.0f}, in every direction"
    spectra = {name: one.spectrum for name, one in slopes.items()}
    yield "jacobian_spectrum", figures.jacobian_spectrum(spectra, title=title)
    yield "loss_terms", figures.loss_terms(contracted.history_rows_)
    walked = views.traversals(eight, train, units=range(5))
    title = "One number of the code moves several strokes at once"
    names, along = [f"unit {j}" for j in range(5)], "from its 2nd to its 98th percentile"
    yield "traversals", figures.picture_rows(walked, (8, 8), names=names, title=title, along=along)
    walked, labels = views.interpolations(eight, test[:4], test[4:8]), known[1400:]
    names = [f"{a} to {b}" for a, b in zip(labels[:4], labels[4:8], strict=True)]
    title, along = "Between two codes strokes move, and most steps are digits", "from one to the other"
    yield "interpolations", figures.picture_rows(walked, (8, 8), names=names, title=title, along=along)


def two_numbers() -> Any:
    """The map of the digits."""
    train, test, known = digits()
    z, labels = trained(2, 80, inputs=PIXELS).fit(train).transform(test), known[1400:]
    apart = np.square(z[:, None] - z[None]).sum(2) + np.diag(np.full(len(z), np.inf))
    share = (labels[apart.argmin(1)] == labels).mean()
    title = f"Two numbers: {share:.0%} of digits lie next to one of their kind"
    yield "latent_scatter", figures.latent_scatter(z, colour=labels, title=title)


def sparse() -> Any:
    """Units that are on for few rows, and the atoms of photographs."""
    yield "kl_penalty", figures.kl_penalty()
    train, test, known = digits()
    few = k_sparse_autoencoder(64, 6, inputs=PIXELS, random_state=0, trainer=Trainer(40, lr=1e-2)).fit(train)
    names = range(10)
    order = [int(np.flatnonzero(known[1400:] == kind)[0]) for kind in names]
    yield "activations", figures.activations(few.transform(test[order]), names=names)
    kinds = trained(32, 40, inputs=PIXELS, architecture=MLP(()), code=SigmoidCode(), penalty=KLSparsity(0.1))
    yield "activations_kl", figures.activations(kinds.fit(train).transform(test[order]), names=names)
    atoms = k_sparse_autoencoder(100, 6, random_state=0, trainer=Trainer(30, lr=5e-3, progress=False))
    weights = atoms.fit(patches()).network_.state_dict()["decoder.layers.0.weight"].numpy().T
    title = "Atoms of whitened patches of photographs: most are edges, each at one place"
    yield "filters", figures.filters(weights, (10, 10), title=title)


def judged() -> Any:
    """A table's worst columns, the rows a unit answers to, how many numbers, and what noise is worth."""
    table = mixed_table()
    model = trained(5, 60).fit(table[:350])
    rows, values = views.strongest(model, table[350:], 0, 6)
    shown = [[None if cell != cell else cell for cell in row] for row in rows.to_numpy().tolist()]
    title = "The six patients that unit 0 answers to most"
    yield "top_rows", figures.top_rows(shown, rows.columns, values=values, title=title)
    yield "worst_columns", figures.worst_columns(audit(model, table[:350], table[350:]))
    train, test, known = digits()
    sizes = component_curve(train, test, most=10, model=trained(1, 60, inputs=PIXELS))
    yield "component_curve", figures.component_curve(sizes)
    start = trained(32, 30, inputs=PIXELS, corruption=GaussianNoise(0.1))
    path = tradeoff(start, train, "corruption__sigma", [0.02, 0.1, 0.2, 0.4, 0.8], y=known[:1400])
    yield "tradeoff", figures.tradeoff(path)


def _ratio(x: Any, simple: Any, better: Any) -> float:
    """The squared error of one reconstruction over that of another."""
    return float(np.square(better - x).sum() / np.square(simple - x).sum())


def _nearer(points: Any, starts: Any, ends: Any) -> float:
    """How many times nearer to the data the ends lie than the starts, in the median."""
    before, after = (
        np.sqrt(np.square(places[:, None] - points[None]).sum(2)).min(1) for places in (starts, ends)
    )
    return float(np.median(before) / np.median(after))


def drawn() -> Any:
    """Every figure's name and axes, one after the other."""
    for some in (manifolds, contraction, narrow, two_numbers, sparse, judged, pictures_of_uses.drawn):
        yield from some()


def main(drawn: Any = drawn) -> None:
    """Draw and say where."""
    folder, dark = Path(sys.argv[1] if len(sys.argv) > 1 else "figures"), "--dark" in sys.argv
    folder.mkdir(parents=True, exist_ok=True)
    with figures.theme(dark=dark):
        for name, ax in drawn():
            ax.figure.savefig(folder / f"{name}.png", dpi=130)
            print(folder / f"{name}.png", flush=True)


if __name__ == "__main__":
    main()
