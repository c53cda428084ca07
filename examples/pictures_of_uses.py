"""The pictures of the four uses, for `picture_book.py`; alone: `python pictures_of_uses.py FOLDER`."""

from __future__ import annotations

from typing import Any

import numpy as np

from isthmus import (
    AnomalyDetector,
    AudioDenoiser,
    Autoencoder,
    Imputer,
    Inpainter,
    PhotoDenoiser,
    Retriever,
    SeriesDetector,
    Trainer,
    UnitRange,
    figures,
)
from isthmus.demo.data import mixed_table, photograph, split_digits, split_kinds
from isthmus.denoising import si_sdr
from isthmus.inputs import Table

RATE = 8000


def few(epochs: int, **more: Any) -> Trainer:
    """A short training run."""
    return Trainer(max_epochs=epochs, progress=False, **more)


def images() -> tuple[Any, Any]:
    """Digits (n, 8, 8) to learn from, and others."""
    train, test = (part.reshape(-1, 8, 8) for part in split_digits())
    return train, test


def anomalies() -> Any:
    """Scores and p-values of patients of whom a tenth was spoiled."""
    table = mixed_table()
    detector = AnomalyDetector(alpha=0.01, random_state=0).fit(table[:250])
    new = table[250:].reset_index(drop=True)
    for row in range(0, len(new), 10):
        new.loc[row, "s1"], new.loc[row, "bp"] = 300.0 + row, 60.0
    usual, scores = detector.calibration_.scores, -detector.score_samples(new)
    yield "anomaly_scores", figures.anomaly_scores(usual, scores, -detector.offset_)
    yield "p_value_histogram", figures.p_value_histogram(detector.p_values(new))


def strange_places() -> Any:
    """Digits with a square in which pixels are turned round, and where the detector sees it."""
    train, test = images()
    strange = test[:8].copy()
    for i, picture in enumerate(strange):
        top, left = divmod(i, 4)
        picture[3 * top + 1 : 3 * top + 4, left + 1 : left + 4] = (
            16 - picture[3 * top + 1 : 3 * top + 4, left + 1 : left + 4]
        )
    detector = AnomalyDetector(random_state=0).fit(train[:700])
    heat, p = detector.heat_maps(strange), detector.p_values(strange)
    title = f"{(p <= 0.05).sum()} of 8 spoiled digits are flagged at 5%, and where"
    yield "heat_maps", figures.heat_maps(strange, heat, names=[f"p = {one:.2g}" for one in p], title=title)


def series() -> Any:
    """A rhythm with a jump in it."""
    rng = np.random.default_rng(0)
    x = np.sin(np.arange(3000) / 10) + 0.1 * rng.normal(size=3000)
    detector = SeriesDetector(random_state=0).fit(x[:2000])
    x[2500:2510] += 2
    ranges = detector.ranges(x[2000:], alpha=0.002)
    yield "flagged_ranges", figures.flagged_ranges(np.arange(1000), x[2000:], ranges)


def noise() -> Any:
    """A photograph by the denoiser in the package, and notes by one that was trained on notes."""
    clean = photograph()
    noisy = clean + 25 * np.random.default_rng(0).normal(size=clean.shape)
    noisy = noisy.clip(0, 255).round().astype(np.uint8)
    denoiser = PhotoDenoiser.shipped()
    restored = denoiser.denoise(noisy)
    found = denoiser.report(clean, noisy, restored)
    title = f"From {found['psnr_before']:.1f} to {found['psnr_after']:.1f} dB"
    shown = {"with noise": noisy, "restored": restored, "as it was": clean}
    yield "restored", figures.restored(shown, title=title)[0]

    rng = np.random.default_rng(0)
    sounds = AudioDenoiser(rate=RATE, trainer=few(6, batch_size=8), random_state=0)
    sounds.fit([notes(rng) for _ in range(24)])
    whole = notes(rng)
    heard = whole + whole.std() * rng.normal(size=len(whole))
    made = sounds.denoise(heard)
    title = f"As loud as its noise before, {si_sdr(whole, made):.0f} dB above it afterwards"
    shown = {"heard": heard, "restored": made, "as it was": whole}
    yield "spectrograms", figures.spectrograms(shown, RATE, title=title)[0]


def notes(rng: np.random.Generator, count: int = 8) -> Any:
    """Half-second notes with overtones that die away."""
    time = np.arange(RATE // 2) / RATE
    pitches = 220 * 2 ** (rng.integers(0, 25, count) / 12)
    sound = [
        sum(np.exp(-4 * time * k**0.5) / k * np.sin(2 * np.pi * k * pitch * time) for k in range(1, 5))
        for pitch in pitches
    ]
    return 0.2 * np.concatenate(sound)


def holes_and_gaps() -> Any:
    """Digits with a hole, and a column of which every fifth value was hidden."""
    train, test = images()
    hidden = np.zeros(test.shape, bool)
    for i, hole in enumerate(hidden):
        hole[i % 5 : i % 5 + 4, (2 * i) % 5 : (2 * i) % 5 + 4] = True
    torn = np.where(hidden, np.nan, test)
    inpainter = Inpainter(trainer=few(6), random_state=0).fit(train)
    filled = inpainter.transform(torn)
    draws = [inpainter.draws(picture, draws=2) for picture in torn[:4]]
    mean = np.broadcast_to(train.mean(0), test.shape)
    share = 1 - np.square(filled - test)[hidden].sum() / np.square(mean - test)[hidden].sum()
    yield (
        "inpainted",
        figures.inpainted(
            torn[:4],
            hidden[:4],
            filled[:4],
            clean=test[:4],
            draws=np.stack([one.pictures for one in draws]),
            spread=np.stack([one.spread for one in draws]),
            title=f"{share:.0%} of what the holes hid is explained",
        ),
    )
    table = mixed_table()
    known = np.flatnonzero(table["s2"].notna())[::5]
    truth = table["s2"].to_numpy()[known]
    table.loc[known, "s2"] = np.nan
    cells = Imputer(folds=2, random_state=0).fit(table).intervals(table)
    cells = cells[(cells["column"] == "s2") & cells["row"].isin(known)]
    yield "filled_cells", figures.filled_cells(cells, truth, name="s2")


def search() -> Any:
    """Digits asked with, and found; and how the model that finds them was trained."""
    train, test = images()
    model = Autoencoder(8, inputs=Table(scaling=UnitRange(0, 16)), trainer=few(50), random_state=0)
    model.fit(train.reshape(len(train), -1))
    history = model.history_rows_
    best = min(history, key=lambda row: row["held_out_objective"])
    title = f"Held-out rows are rebuilt best after {best['epoch']:.0f} epochs"
    yield "training_curve", figures.training_curve(history, title=title)
    retriever = Retriever(model, random_state=0).fit(train.reshape(len(train), -1))
    rows = np.asarray(retriever.query(test.reshape(len(test), -1), k=7)["row"]).reshape(-1, 7)
    kinds, right = split_kinds()
    same = (kinds[rows] == right[:, None]).mean()
    title = f"Asked, and found: {same:.0%} of the 7 nearest are of the same kind"
    captions = [[str(kind) for kind in kinds[one]] for one in rows[:3]]
    found = [train[one] for one in rows[:3]]
    yield "neighbours", figures.neighbours(test[:3], found, captions, title=title)


def drawn() -> Any:
    """Every figure's name and axes, one after the other."""
    for some in (anomalies, strange_places, series, noise, holes_and_gaps, search):
        yield from some()


if __name__ == "__main__":
    from picture_book import main

    main(drawn)
