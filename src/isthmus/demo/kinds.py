"""The classical kinds on digits, each beside PCA with as many numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import figures, recipes
from isthmus.autoencoder import Autoencoder
from isthmus.corruptions import GaussianNoise
from isthmus.demo.data import split_digits
from isthmus.diagnostics import PCAComparison, pca_comparison
from isthmus.inputs import Table, UnitRange
from isthmus.saving import save
from isthmus.wording import percent

__all__ = ["shown_kinds"]

PIXELS = Table(scaling=UnitRange(0, 16))


def kinds(quick: bool) -> dict[str, Autoencoder]:
    """One model of every kind; those with a narrow code have 8 numbers."""
    made = {
        "linear": recipes.linear_autoencoder(8),
        "undercomplete": recipes.undercomplete_autoencoder(8),
        "nested": recipes.nested_autoencoder(8),
        "denoising": recipes.denoising_autoencoder(8, GaussianNoise(0.1)),
        "contractive": recipes.contractive_autoencoder(32, weight=0.01),
        "sparse, L1": recipes.sparse_autoencoder(32, weight=0.02),
        "sparse, KL": recipes.kl_sparse_autoencoder(32, weight=0.1),
        "sparse, top 8": recipes.k_sparse_autoencoder(64, k=8),
    }
    for model in made.values():
        model.set_params(inputs=PIXELS, random_state=0)
        if quick:
            model.set_params(trainer__max_epochs=3)
    return made


def shown_kinds(console: Any, folder: Path, quick: bool) -> dict[str, Autoencoder]:
    """Train every kind on the digits, print them beside PCA, draw and save them; the fitted models."""
    train, test = split_digits()
    models = kinds(quick)
    results = {}
    for name, model in models.items():
        with console.status(f"digits: {name}"):
            results[name] = pca_comparison(model.fit(train), train, test, getattr(model.code, "k", None))
        save(model, folder / f"digits-{name.replace(', ', '-').replace(' ', '-')}.isthmus")
    console.print(_table("Digits: 397 pictures never seen, 64 pixels each", models, results))
    _draw(folder, models, results, test)
    return models


def _table(title: str, models: dict[str, Autoencoder], results: dict[str, PCAComparison]) -> Any:
    from rich.table import Table as RichTable

    table = RichTable(title=title, title_justify="left", caption_justify="left")
    table.caption = "Squared error per picture. PCA has as many numbers as the code; beside top-8, 8."
    table.add_column("kind")
    for heading in ("code", "error", "PCA's", "explained", "by PCA"):
        table.add_column(heading, justify="right")
    for name, result in results.items():
        shares = (percent(result.explained, 1), percent(result.pca_explained, 1))
        errors = (f"{result.model_error:.3f}", f"{result.pca_error:.3f}")
        table.add_row(name, str(models[name].n_components_), *errors, *shares)
    return table


def _draw(
    folder: Path, models: dict[str, Autoencoder], results: dict[str, PCAComparison], test: NDArray[np.float64]
) -> None:
    """What comes back, what the atoms look like, how training went."""
    chosen = ["linear", "undercomplete", "denoising", "sparse, top 8"]
    few = test[:12]
    names = {name: f"{name} ({models[name].n_components_})" for name in chosen}
    share = results["undercomplete"].ratio
    ax = figures.reconstructions(
        few,
        {names[name]: models[name].reconstruct(few) for name in chosen},
        (8, 8),
        title=f"Digits never seen, through 8 numbers: {percent(1 - share)} less error than PCA",
    )
    ax.figure.savefig(folder / "reconstructions.png", dpi=150)
    for name in ("sparse, top 8", "linear"):
        atoms = models[name].network_.state_dict()["decoder.layers.0.weight"].numpy().T
        title = f"The {len(atoms)} {'atoms of a sparse code' if 'top' in name else 'principal axes'}"
        ax = figures.filters(atoms, (8, 8), title=title)
        ax.figure.savefig(folder / f"filters-{name.split(',')[0]}.png", dpi=150)
    ax = figures.training_curve(models["undercomplete"].history_rows_, title="Training from PCA onwards")
    ax.figure.savefig(folder / "training.png", dpi=150)
