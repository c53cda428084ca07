"""Photographs with white noise of sigma 15, 25 and 50 restored, beside non-local means and BM3D.

Learned from Kodak 01-08 and the other photographs, tested on Kodak 09-12, grey and in colour; noise is
neither clipped nor rounded. Everybody is told sigma but where "estimated" stands. The general denoiser is
the one that comes with the package, trained as `python benchmarks/denoising_photos.py train FILE` does; the
seconds that took on one core are in its file. The quick one is trained here, for five minutes of one core
at most; its epochs were set by the clock, nothing by the tested pictures. That two views are averaged by
default was decided after these had been seen once (decision 0011). Non-local means takes the strength that
is best on Kodak 07-08 out of five.
"""

from __future__ import annotations

import os
import sys
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from datasets import FOLDER
from isthmus import PhotoDenoiser, save
from isthmus.denoising import default_photo_model, psnr, ssim
from isthmus.denoising.patches import grey_of
from isthmus.inputs.photographs import read_photograph
from measuring import arguments, table, verdict

QUICK, LONG = 2, 56  # epochs: five minutes and an hour and three quarters of one core
SIGMAS, BAR = (15, 25, 50), 25
STRENGTHS = (0.4, 0.6, 0.8, 1.0, 1.2)  # of non-local means, in sigma


def photographs(first: int, last: int) -> list[np.ndarray]:
    """Kodak's, from `first` to `last`, (h, w, 3) uint8."""
    return [read_photograph(FOLDER / f"images/kodak/kodim{n:02d}.png").pixels for n in range(first, last + 1)]


def training() -> list[np.ndarray]:
    """What is learned from."""
    others = sorted((FOLDER / "images/photos").iterdir())
    return [*photographs(1, 8), *(read_photograph(path).pixels for path in others)]


def trained(epochs: int) -> PhotoDenoiser:
    """The default denoiser after so many epochs."""
    trainer = default_photo_model().trainer.with_params(max_epochs=epochs, patience=10**6)
    return PhotoDenoiser(trainer=trainer, random_state=0).fit(training())


def noisy(clean: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    """Floats in units of 255, with white noise."""
    return clean + sigma * np.random.default_rng(seed).normal(size=clean.shape)


def by_nlm(x: np.ndarray, sigma: float, strength: float) -> np.ndarray:
    from skimage.restoration import denoise_nl_means

    axis = -1 if x.ndim == 3 else None
    fast = {"patch_size": 5, "patch_distance": 10, "fast_mode": True, "channel_axis": axis}
    return denoise_nl_means(x / 255, h=strength * sigma / 255, sigma=sigma / 255, **fast) * 255


def by_bm3d(x: np.ndarray, sigma: float) -> np.ndarray:
    import bm3d

    method = bm3d.bm3d_rgb if x.ndim == 3 else bm3d.bm3d
    return np.asarray(method(x / 255, sigma / 255)) * 255


def judged(method: Any, clean: list[np.ndarray], sigma: float) -> tuple[float, float, float]:
    """PSNR in dB, SSIM, and seconds a picture."""
    found = []
    for number, picture in enumerate(clean):
        x = noisy(picture, sigma, seed=number)
        started = time.perf_counter()
        made = np.clip(method(x), 0, 255)
        found.append((psnr(picture, made, 255), ssim(picture, made, 255), time.perf_counter() - started))
    return tuple(np.mean(found, axis=0))


def compared(kind: str, sigma: int, quick: PhotoDenoiser, general: PhotoDenoiser, small: bool) -> None:
    """A table for one kind of picture and one sigma."""
    change = {"grey": lambda p: np.rint(grey_of(p)), "colour": lambda p: p.astype(float)}[kind]
    clean, choosing = ([change(p) for p in photographs(*ends)] for ends in ((9, 12), (7, 8)))
    if small:
        clean, choosing = ([p[:96, :96] for p in some[:1]] for some in (clean, choosing))
    strengths = {h: judged(lambda x, h=h: by_nlm(x, sigma, h), choosing, sigma)[0] for h in STRENGTHS}
    best = max(strengths, key=lambda h: strengths[h])
    methods = {
        "noisy": lambda x: x,
        f"non-local means, h = {best} sigma": lambda x: by_nlm(x, sigma, best),
        "BM3D": lambda x: by_bm3d(x, sigma),
        "isthmus, quick": lambda x: quick.denoise(x, sigma),
        "isthmus, general": lambda x: general.denoise(x, sigma),
        "isthmus, general, sigma estimated": lambda x: general.denoise(x),
    }
    found = {name: judged(method, clean, sigma) for name, method in methods.items()}
    print(f"## {kind}, sigma {sigma}\n")
    rows = [(name, f"{a:.2f}", f"{b:.3f}", f"{c:.2f}") for name, (a, b, c) in found.items()]
    table(("method", "PSNR, dB", "SSIM", "seconds a picture"), rows)
    if sigma == BAR:
        nlm, bm3d = (found[name][0] for name in list(methods)[1:3])
        print(f"quick over non-local means, dB: {verdict(found['isthmus, quick'][0] - nlm, 0.0)}")
        print(f"general over BM3D, dB: {verdict(found['isthmus, general'][0] - bm3d, 0.0)}")
        print(f"general over BM3D, SSIM: {verdict(found['isthmus, general'][1] - found['BM3D'][1], 0.0)}\n")


def main(small: bool) -> None:
    """Train the quick one, and compare."""
    sys.path.append(os.environ.get("ISTHMUS_PEERS", ""))
    started = time.process_time()
    quick = trained(1 if small else QUICK)
    spent, general = time.process_time() - started, PhotoDenoiser.shipped()
    hours = general.model_.history_["seconds"].iloc[-1] / 3600
    size = Path(str(files("isthmus.denoising") / "photographs.isthmus")).stat().st_size
    print(f"Quick: {spent:,.0f} CPU seconds of training.")
    print(f"General: {hours:.2f} hours on one core, {size:,} bytes.\n")
    for kind in ("grey", "colour"):
        for sigma in (BAR,) if small else SIGMAS:
            compared(kind, sigma, quick, general, small)


if __name__ == "__main__":
    if sys.argv[1:2] == ["train"]:
        save(trained(LONG), Path(sys.argv[2]))
    else:
        main(arguments(__doc__).small)
