"""The four uses, a line and a picture each: what does not belong, noise, holes and gaps, search."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from isthmus import figures
from isthmus.anomaly import AnomalyDetector
from isthmus.autoencoder import Autoencoder
from isthmus.demo.data import mixed_table, photograph, split_digits, split_kinds
from isthmus.denoising import PhotoDenoiser
from isthmus.imputation import Imputer
from isthmus.inpainting import Inpainter
from isthmus.retrieval import Retriever
from isthmus.training import Trainer
from isthmus.wording import percent

__all__ = ["shown_uses"]

NOISE = 25  # of the photograph, in 255


def shown_uses(console: Any, folder: Path, model: Autoencoder, quick: bool) -> None:
    """A table of what each found, beside something simpler; `model` is of the digits, for the search."""
    from rich.table import Table

    table = Table(title="\nWhat it is for", title_justify="left", show_header=False)
    work: dict[str, Callable[[], str]] = {
        "what does not belong": lambda: anomalies(folder),
        "without the noise": lambda: noise(folder),
        "what stood in the hole": lambda: holes(folder, quick),
        "what stood in the gap": lambda: gaps(folder, quick),
        "what is like this": lambda: search(folder, model),
    }
    for name, use in work.items():
        with console.status(name):
            table.add_row(name, use())
    console.print(table)


def anomalies(folder: Path) -> str:
    """Three patients spoiled by hand among 92 that the detector has not seen."""
    patients = mixed_table()
    train, new = patients[:350], patients[350:].reset_index(drop=True)
    new.loc[0, "bmi"], new.loc[1, "bp"], new.loc[2, "s1"] = 95.0, 400.0, 900.0
    detector = AnomalyDetector(alpha=0.01, random_state=0).fit(train)
    flagged = detector.predict(new) < 0
    column, value, better = detector.repairs(new[1:2])[0][0]
    usual, scores = np.asarray(detector.calibration_.scores), -detector.score_samples(new)
    ax = figures.anomaly_scores(usual, scores, -detector.offset_)
    ax.figure.savefig(folder / "anomalies.png", dpi=150)
    return (
        f"of 3 patients spoiled by hand {flagged[:3].sum()} are flagged, of {len(new) - 3} others "
        f"{flagged[3:].sum()}; one because {column} is {value:g}, where {better:.3g} would be ordinary"
    )


def noise(folder: Path) -> str:
    """A photograph, by the denoiser in the package and by a blur of the best width."""
    from scipy.ndimage import gaussian_filter

    clean = photograph()
    added = NOISE * np.random.default_rng(0).normal(size=clean.shape)
    noisy = (clean + added).clip(0, 255).round().astype(np.uint8)
    denoiser = PhotoDenoiser.shipped()
    restored = denoiser.denoise(noisy)
    blurred = [gaussian_filter(noisy, (width, width, 0)) for width in (0.6, 0.8, 1.0, 1.2)]
    reports = [denoiser.report(clean, noisy, made) for made in (restored, *blurred)]
    after, *others = [report["psnr_after"] for report in reports]
    before = reports[0]["psnr_before"]
    title = f"{before:.1f} dB with noise, {after:.1f} dB restored"
    shown = {"with noise": noisy, "restored": restored, "as it was": clean}
    axes = figures.restored(shown, title=title)
    axes[0].figure.savefig(folder / "noise.jpg", dpi=120)
    return f"a photograph of {before:.1f} dB: {after:.1f} dB restored, {max(others):.1f} dB by the best blur"


def holes(folder: Path, quick: bool) -> str:
    """Digits with a square of 4 x 4 pixels cut out."""
    train, test = (part.reshape(-1, 8, 8) for part in split_digits())
    hidden = np.zeros(test.shape, bool)
    corners = np.random.default_rng(1).integers(0, 5, (len(test), 2))
    for hole, (top, left) in zip(hidden, corners, strict=True):
        hole[top : top + 4, left : left + 4] = True
    torn = np.where(hidden, np.nan, test)
    trainer = Trainer(max_epochs=1 if quick else 6, progress=False)
    filled = Inpainter(trainer=trainer, random_state=0).fit(train).transform(torn)
    mean = np.broadcast_to(train.mean(0), test.shape)
    off, simple = (np.sqrt(np.square(made - test)[hidden].mean()) for made in (filled, mean))
    title = f"Holes in digits never seen: {percent(1 - off / simple)} less error than the mean of each pixel"
    few = slice(0, 4)
    ax = figures.inpainted(torn[few], hidden[few], filled[few], clean=test[few], title=title)
    ax.figure.savefig(folder / "holes.png", dpi=150)
    return f"digits with holes: {off:.1f} of 16 grey levels off, the mean of each pixel {simple:.1f}"


def gaps(folder: Path, quick: bool) -> str:
    """The patients' own gaps, into patients-filled.csv; judged by cells that were hidden."""
    patients = mixed_table()
    imputer = Imputer(folds=2, random_state=0)
    if quick:
        imputer.set_params(model=imputer.default_model(patients).set_params(trainer__max_epochs=2))
    imputer.fit(patients).transform(patients).to_csv(folder / "patients-filled.csv", index=False)
    told = imputer.report_
    gain = 1 - told["error"] / told["error_of_mean"]
    return (
        f"{int(told['missing'].sum())} gaps of the table filled: on cells hidden to judge it, "
        f"{percent(gain.median())} less error than by mean or most frequent level, in the median over columns"
    )


def search(folder: Path, model: Autoencoder) -> str:
    """Digits by example: how many of those found are of the kind of what was asked."""
    from sklearn.decomposition import PCA

    (train, test), (kinds, right) = split_digits(), split_kinds()
    shares, answers = [], []
    for one in (model, PCA(model.n_components_)):
        retriever = Retriever(one, random_state=0).fit(train, metadata={"kind": kinds})
        found = np.asarray(retriever.query(test, k=8)["row"]).reshape(-1, 8)
        shares.append(float((kinds[found] == right[:, None]).mean()))
        answers.append(found[:3])
    ax = figures.neighbours(
        test[:3].reshape(-1, 8, 8),
        [train[rows].reshape(-1, 8, 8) for rows in answers[0]],
        [[str(kind) for kind in kinds[rows]] for rows in answers[0]],
        names=[str(kind) for kind in right[:3]],
        title=f"Asked, and found: {percent(shares[0])} of the 8 nearest are of the same kind",
    )
    ax.figure.savefig(folder / "search.png", dpi=150)
    return (
        f"of the 8 digits nearest to one never seen {percent(shares[0])} are of its kind, "
        f"{percent(shares[1])} by PCA's codes"
    )
