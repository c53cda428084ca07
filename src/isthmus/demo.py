"""The demo: every classical kind on real data, beside PCA with as many numbers.

Digits (1,797 pictures of 8 x 8, from scikit-learn) show the kinds; a table of 442 patients, scikit-learn's
diabetes data with its columns in their own units, two of them categories, and a twentieth of the cells
emptied, shows mixed columns.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import figures, recipes
from isthmus.autoencoder import Autoencoder
from isthmus.corruptions import GaussianNoise
from isthmus.diagnostics import PCAComparison, pca_comparison
from isthmus.inputs import Table, UnitRange
from isthmus.report.console import held_out_comparison
from isthmus.saving import save

__all__ = ["mixed_table", "run", "split_digits"]

PIXELS = Table(scaling=UnitRange(0, 16))


def split_digits() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scikit-learn's digits, 1,400 to learn from and 397 to judge by."""
    from sklearn.datasets import load_digits

    X = load_digits().data
    X = X[np.random.default_rng(0).permutation(len(X))]
    return X[:1400], X[1400:]


def mixed_table(seed: int = 0) -> Any:
    """Scikit-learn's diabetes data as a table with categories, a yes/no column and gaps."""
    from sklearn.datasets import load_diabetes

    table = load_diabetes(as_frame=True, scaled=False).frame
    table["sex"] = table["sex"].map({1.0: "female", 2.0: "male"})
    table["age"] = table["age"].astype(int)
    table.insert(
        3, "weight class", np.select([table["bmi"] < 25, table["bmi"] < 30], ["normal", "over"], "obese")
    )
    table["progressed"] = table.pop("target") > 140
    gaps = np.random.default_rng(seed).random(table.shape) < 0.05
    gaps[:, [0, -1]] = False  # whole numbers and yes/no without gaps keep their dtypes
    return table.mask(gaps)


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


def run(folder: Path, quick: bool = False) -> None:
    """Train, print, draw and save into `folder`."""
    from rich.console import Console

    console = Console(highlight=False)
    folder.mkdir(parents=True, exist_ok=True)
    train, test = split_digits()
    models = kinds(quick)
    results = {}
    for name, model in models.items():
        with console.status(f"digits: {name}"):
            results[name] = pca_comparison(model.fit(train), train, test, getattr(model.code, "k", None))
        save(model, folder / f"digits-{name.replace(', ', '-').replace(' ', '-')}.isthmus")
    console.print(_table("Digits: 397 pictures never seen, 64 pixels each", models, results))
    _show_table(console, folder, quick)
    for path in _draw(folder, models, results, test):
        console.print(f"drawn: {path}")
    console.print("\nNow your own file:  isthmus fit FILE.csv --code 8 -o mine.isthmus", style="bold")


def _table(title: str, models: dict[str, Autoencoder], results: dict[str, PCAComparison]) -> Any:
    from rich.table import Table as RichTable

    table = RichTable(title=title, title_justify="left", caption_justify="left")
    table.caption = "Squared error per picture. PCA has as many numbers as the code; beside top-8, 8."
    table.add_column("kind")
    for heading in ("code", "error", "PCA's", "explained", "by PCA"):
        table.add_column(heading, justify="right")
    for name, result in results.items():
        shares = (f"{result.explained:.1%}", f"{result.pca_explained:.1%}")
        errors = (f"{result.model_error:.3f}", f"{result.pca_error:.3f}")
        table.add_row(name, str(models[name].n_components_), *errors, *shares)
    return table


def _show_table(console: Any, folder: Path, quick: bool) -> None:
    """The mixed table: fit, compare, and three patients before and after."""
    patients = mixed_table()
    model = Autoencoder(5, random_state=0)
    if quick:
        model.set_params(trainer__max_epochs=3)
    model.fit(patients)
    save(model, folder / "patients.isthmus")
    patients.to_csv(folder / "patients.csv", index=False)
    console.print(
        f"\nA table of {len(patients)} patients, 12 mixed columns, {int(patients.isna().sum().sum())} gaps:"
    )
    console.print(f"the autoencoder {held_out_comparison(model, patients)}", markup=False)
    few = patients.head(3)
    console.print("\nthree patients, and the same rebuilt from 5 numbers:")
    console.print(few.round(1).to_string(index=False), markup=False)
    console.print(model.reconstruct(few).round(1).to_string(index=False), markup=False)
    console.print("")


def _draw(
    folder: Path, models: dict[str, Autoencoder], results: dict[str, PCAComparison], test: NDArray[np.float64]
) -> list[Path]:
    chosen = ["linear", "undercomplete", "denoising", "sparse, top 8"]
    few = test[:12]
    names = {name: f"{name} ({models[name].n_components_})" for name in chosen}
    share = results["undercomplete"].ratio
    ax = figures.reconstructions(
        few,
        {names[name]: models[name].reconstruct(few) for name in chosen},
        (8, 8),
        title=f"Digits never seen, through 8 numbers: {1 - share:.0%} less error than PCA",
    )
    paths = [folder / "reconstructions.png"]
    ax.figure.savefig(paths[0], dpi=150)
    for name in ("sparse, top 8", "linear"):
        atoms = models[name].network_.state_dict()["decoder.layers.0.weight"].numpy().T
        title = f"The {len(atoms)} {'atoms of a sparse code' if 'top' in name else 'principal axes'}"
        ax = figures.filters(atoms, (8, 8), title=title)
        paths.append(folder / f"filters-{name.split(',')[0]}.png")
        ax.figure.savefig(paths[-1], dpi=150)
    ax = figures.training_curve(models["undercomplete"].history_rows_, title="Training from PCA onwards")
    paths.append(folder / "training.png")
    ax.figure.savefig(paths[-1], dpi=150)
    return paths
