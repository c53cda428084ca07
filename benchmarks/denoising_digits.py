"""Small pictures with noise restored: scikit-learn's digits, MNIST, KMNIST, beside eight classical tools.

Gaussian noise of 0.3 and 0.5 of the range, salt and pepper on 20% of the pixels, 30% of the pixels blanked.
isthmus is `SampleDenoiser` with its defaults, trained on 1,297 digits, 20,000 of MNIST and 8,000 of
KMNIST's test pictures (its training pictures are not here); tested on 500 others. Defaults were chosen on
digits and on MNIST's training pictures; KMNIST confirms. That small pictures are restored by four networks,
with running means of their weights, was chosen on digits and on MNIST's pictures of 14 and 8 pixels a side
among those trained on here, after the SSIM of digits under the strongest noise had come out a tie.

Peers: median and wavelet filters, total variation, non-local means, BM3D, each with the best of a few
settings on 100 training pictures; PCA (the best number of components likewise), the linear map fitted by
ridge regression from noisy to clean training pictures, and the mean of the 10 training pictures nearest to
the noisy one.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from datasets import FOLDER
from isthmus import GaussianNoise, MaskingNoise, SaltAndPepper
from isthmus.denoising import SampleDenoiser, psnr, ssim
from measuring import arguments, say, table, verdict

TESTED, CHOOSING = 500, 100
NOISES: dict[str, Any] = {
    "gaussian 0.3": GaussianNoise(0.3),
    "gaussian 0.5": GaussianNoise(0.5),
    "salt and pepper 20%": SaltAndPepper(0.2),
    "masking 30%": MaskingNoise(0.3),
}

Filter = Callable[[Any], Any]


def collections(small: bool) -> Iterator[tuple[str, Any, Any]]:
    """Training and test pictures (n, h, w) in [0, 1]."""
    images = load_digits().images[np.random.default_rng(0).permutation(1797)] / 16
    yield "digits", images[:1297], images[1297:]
    for name, file, key, count in (
        ("MNIST", "mnist.npz", "X_test", 20_000),
        ("KMNIST", "kmnist_test.npz", None, 8_000),
    ):
        with np.load(FOLDER / "images" / file) as found:
            if key is None:
                pictures = next(found[k] for k in found.files if found[k].ndim >= 3)
                train, test = pictures[:count], pictures[count : count + TESTED]
            else:
                train, test = found["X_train"][:count], found[key][:TESTED]
        cut = 400 if small else count
        yield name, train[:cut].reshape(-1, 28, 28) / 255, test.reshape(-1, 28, 28) / 255


def damaged(x: Any, noise: str, seed: int) -> Any:
    """Pictures with one of the noises, by numpy alone."""
    rng = np.random.default_rng(seed)
    if noise.startswith("gaussian"):
        return x + float(noise.split()[1]) * rng.normal(size=x.shape)
    if noise.startswith("salt"):
        return np.where(rng.random(x.shape) < 0.2, (rng.random(x.shape) < 0.5).astype(float), x)
    return np.where(rng.random(x.shape) < 0.3, 0.0, x)


def judged(clean: Any, made: Any) -> tuple[float, float]:
    """Mean PSNR in dB and mean SSIM."""
    made = np.clip(made, 0, 1)
    each = [(min(60.0, psnr(a, b)), ssim(a, b)) for a, b in zip(clean, made, strict=True)]
    return tuple(np.mean(each, axis=0))  # type: ignore[return-value]


# ---------------------------------------------------------------- the peers


def one_by_one(function: Callable[[Any], Any]) -> Filter:
    return lambda x: np.stack([function(picture) for picture in x])


def filters() -> dict[str, list[Filter]]:
    """Every tool that looks at one picture, with a few settings."""
    from scipy.ndimage import median_filter
    from skimage.restoration import denoise_nl_means, denoise_tv_chambolle, denoise_wavelet

    tools = {
        "median": [one_by_one(lambda p, s=s: median_filter(p, s)) for s in (2, 3, 5)],
        "total variation": [
            one_by_one(lambda p, w=w: denoise_tv_chambolle(p, weight=w)) for w in (0.1, 0.2, 0.4, 0.8)
        ],
        "wavelet": [
            one_by_one(lambda p, s=s: denoise_wavelet(p, sigma=s, rescale_sigma=False))
            for s in (0.1, 0.3, 0.5)
        ],
        "non-local means": [
            one_by_one(lambda p, h=h: denoise_nl_means(p, patch_size=3, patch_distance=6, h=h))
            for h in (0.1, 0.2, 0.4, 0.6)
        ],
    }
    try:
        import bm3d

        tools["BM3D"] = [lambda x, s=s: by_bm3d(bm3d, x, s) for s in (0.2, 0.3, 0.5)]
    except ImportError:
        say("BM3D was not found")
    return tools


def by_bm3d(library: Any, pictures: Any, sigma: float) -> Any:
    """BM3D of all pictures in one mosaic, mirrored at their edges: quicker than one by one, and to its
    advantage, as it finds like blocks in the neighbours.
    """
    n, h, w = pictures.shape
    edge, across = 4, math.ceil(math.sqrt(n))
    tiles = np.pad(pictures, ((0, 0), (edge, edge), (edge, edge)), mode="symmetric")
    tiles = np.concatenate([tiles, tiles[: -n % across]])
    shape = (-1, across, h + 2 * edge, w + 2 * edge)
    wide = tiles.reshape(shape).transpose(0, 2, 1, 3)
    made = np.asarray(library.bm3d(wide.reshape(wide.shape[0] * wide.shape[1], -1), sigma))
    apart = made.reshape(wide.shape).transpose(0, 2, 1, 3).reshape(tiles.shape)
    return apart[:n, edge:-edge, edge:-edge]


def learned(train: Any, noisy: Any) -> dict[str, list[Filter]]:
    """Every tool that learns from clean training pictures (n, h, w), and from them with noise."""
    flat, shown = train.reshape(len(train), -1), noisy.reshape(len(train), -1)
    ridge = Ridge(1.0).fit(shown[:20_000], flat[:20_000])

    def nearest(x: Any, k: int = 10) -> Any:
        rows = x.reshape(len(x), -1)
        apart = np.square(rows).sum(1)[:, None] - 2 * rows @ flat.T + np.square(flat).sum(1)
        return train[np.argpartition(apart, k, axis=1)[:, :k]].mean(1)

    def projected(k: int) -> Filter:
        pca = PCA(k, random_state=0).fit(flat)
        return lambda x: pca.inverse_transform(pca.transform(x.reshape(len(x), -1))).reshape(x.shape)

    return {
        "PCA": [projected(k) for k in (8, 16, 32) if k < flat.shape[1]],
        "linear map": [lambda x: ridge.predict(x.reshape(len(x), -1)).reshape(x.shape)],
        "mean of the 10 nearest": [nearest],
    }


def best(settings: list[Filter], clean: Any, noisy: Any) -> Filter:
    """The setting with the highest PSNR on training pictures."""
    if len(settings) == 1:
        return settings[0]
    return max(settings, key=lambda setting: judged(clean, setting(noisy))[0])


# ---------------------------------------------------------------- one table


def compared(name: str, train: Any, test: Any, noise: str) -> None:
    """Everybody on one collection and one noise."""
    say(f"{name}, {noise}")
    x, shown = damaged(test, noise, 1), damaged(train, noise, 2)
    found = {"noisy": judged(test, x)}
    for tool, settings in {**filters(), **learned(train, shown)}.items():
        made = best(settings, train[:CHOOSING], shown[:CHOOSING])(x)
        found[tool] = judged(test, made)
    started = time.process_time()
    denoiser = SampleDenoiser(noise=NOISES[noise], random_state=0).fit(train.astype(np.float32))
    seconds = time.process_time() - started
    found["isthmus"] = judged(test, denoiser.denoise(x.astype(np.float32)))
    print(f"## {name}, {noise}\n")
    table(("method", "PSNR, dB", "SSIM"), [(k, f"{a:.2f}", f"{b:.3f}") for k, (a, b) in found.items()])
    ours = found.pop("isthmus")
    tops = [max(value[i] for value in found.values()) for i in (0, 1)]
    print(f"{seconds:,.0f} CPU seconds of training. Over the best of all others,")
    print(f"in dB: {verdict(ours[0] - tops[0], 0.0)};")
    print(f"SSIM: {verdict(ours[1] - tops[1], 0.0)}.\n")


def main(small: bool) -> None:
    sys.path.append(os.environ.get("ISTHMUS_PEERS", ""))
    for name, train, test in collections(small):
        for noise in list(NOISES)[:1] if small else NOISES:
            compared(name, train, test[:20] if small else test, noise)


if __name__ == "__main__":
    main(arguments(__doc__).small)
