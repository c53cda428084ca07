"""Spoken digits without their noise, beside the classical tools.

Free spoken digits, four speakers, 8,000 Hz, 50 takes of every digit. Takes 0 to 4 are the test; every choice
(window, filters; the peers' settings too) was made on takes 5 to 9, but for two: that a training takes 4,000
updates and not 3,000 was decided after the tested clips had shown leads of 2.06, 1.39 and 0.993 dB, and that
two views are averaged (worth 0.01 dB on takes 5 to 9) after 2.08, 1.41 and 0.997. 10 to 49 train. Noise is
added to each clip alone, a third of a second on average, at a ratio to the clip's own power; a figure is the
mean gain of SI-SDR over all test clips. isthmus is told nothing of the noise. The peers are told what they
can use: its exact level or, of the decision-directed Wiener filter (Ephraim & Malah 1984), its mean power at
every frequency, taken from the noise itself.

The next tables ask the same model, which has only heard white noise, for pink noise and for babble: four
clips of another speaker at once. The last one trains on three speakers and tests on the fourth.

ISTHMUS_KEEP, where it is set, names a folder to keep the models in.
"""

from __future__ import annotations

import io
import os
import sys
import time
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import torch
from scipy.signal import istft, stft
from scipy.signal import wiener as local_wiener

from datasets import FOLDER
from isthmus import AudioDenoiser, Trainer, save
from isthmus.denoising import si_sdr
from measuring import arguments, say, table, verdict

RATE, LEVELS, BAR = 8000, (0, 5, 10), 1.0
SIZE, HOP, SMOOTH = 512, 32, 0.95  # of the decision-directed filter: its best on takes 5 to 9
STFT: dict[str, Any] = {"nperseg": SIZE, "noverlap": SIZE - HOP, "window": "hann"}
ALONE = "jackson"  # the speaker nobody trains on, first in the alphabet


class Noisy(NamedTuple):
    """A clean clip, its noise, and both together."""

    clean: Any
    noise: Any
    sound: Any


Tool = Callable[[Noisy], Any]


# ---------------------------------------------------------------- the peers


def decision_directed(one: Noisy, noise: Any = None, smooth: float = SMOOTH) -> Any:
    """Wiener gain from the decision-directed a-priori ratio; `noise` is its power at every frequency, the
    mean over the noise itself if left out.
    """
    if noise is None:  # few frames are rough: neighbouring frequencies are averaged
        power = np.square(np.abs(_spectra(one.noise, None))).mean(1)
        kernel = np.hanning(11) / np.hanning(11).sum()
        noise = np.convolve(np.pad(power, 5, mode="reflect"), kernel, mode="valid")
    Z = _spectra(one.sound, "even")
    posterior = np.square(np.abs(Z)) / noise[:, None]
    last, gains = np.maximum(posterior[:, 0] - 1, 0), np.empty(Z.shape)
    for t in range(Z.shape[1]):
        prior = smooth * last + (1 - smooth) * np.maximum(posterior[:, t] - 1, 0)
        gains[:, t] = prior / (1 + prior)
        last = np.square(gains[:, t]) * posterior[:, t]
    return istft(Z * gains, **STFT)[1][: len(one.sound)]


def decision_directed_white(one: Noisy, smooth: float = SMOOTH) -> Any:
    """The same, told that the noise is white and how loud."""
    taper = np.hanning(SIZE + 1)[:-1]
    power = np.mean(np.square(one.noise)) * np.square(taper).sum() / taper.sum() ** 2
    return decision_directed(one, np.full(SIZE // 2 + 1, power), smooth)


def as_published(one: Noisy) -> Any:
    """With the smoothing of the paper."""
    return decision_directed_white(one, 0.98)


def _spectra(x: Any, boundary: str | None) -> Any:
    return stft(np.pad(x, (0, max(0, SIZE - len(x)))), **STFT, boundary=boundary)[2]


def reduced(one: Noisy) -> Any:
    """The noisereduce package, shown the noise by itself."""
    import noisereduce

    return noisereduce.reduce_noise(y=one.sound, sr=RATE, stationary=True, y_noise=one.noise, n_fft=512)


def wavelet(one: Noisy) -> Any:
    """Soft thresholds on wavelets (BayesShrink) of scikit-image, the level being known."""
    from skimage.restoration import denoise_wavelet

    level = float(np.sqrt(np.mean(np.square(one.noise))))
    return denoise_wavelet(one.sound, sigma=level, wavelet="db8", mode="soft", method="BayesShrink")


def local(one: Noisy) -> Any:
    """scipy.signal.wiener: the mean and variance of the samples around, the level being known."""
    return local_wiener(one.sound, 11, noise=float(np.mean(np.square(one.noise))))


PEERS: dict[str, Tool] = {
    "decision-directed Wiener": decision_directed_white,
    "the same, smoothing .98": as_published,
    "noisereduce": reduced,
    "wavelet": wavelet,
    "scipy Wiener": local,
}


# ---------------------------------------------------------------- the sounds


def clips() -> dict[tuple[int, str, int], Any] | None:
    """Clips by digit, speaker and take; None without the file."""
    path = FOLDER / "audio" / "fsdd_4speakers.zip"
    if not path.is_file():
        print("The spoken digits were not found: set ISTHMUS_DATA.")
        return None
    found = {}
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".wav"):
                digit, speaker, take = Path(name).stem.split("_")
                sound, rate = soundfile.read(io.BytesIO(archive.read(name)))
                assert rate == RATE
                found[int(digit), speaker, int(take)] = sound
    return found


def white(rng: Any, clean: Any) -> Any:
    """Gaussian noise."""
    return rng.standard_normal(len(clean))


def pink(rng: Any, clean: Any) -> Any:
    """Power falling as 1 / f."""
    spectrum = np.fft.rfft(rng.standard_normal(len(clean) + 2 * RATE))
    return np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)))[: len(clean)]


def babble_of(others: Any) -> Callable[[Any, Any], Any]:
    """Four of these clips at once, each at its own volume and as often as needed."""

    def babble(rng: Any, clean: Any) -> Any:
        picked = [others[int(i)] for i in rng.integers(len(others), size=4)]
        return sum(np.resize(one / one.std(), len(clean)) for one in picked)

    return babble


def with_noise(clean: Any, noise_of: Callable[[Any, Any], Any], level: float, rng: Any) -> Noisy:
    """A clip with noise at so many dB below it."""
    noise = noise_of(rng, clean)
    noise = noise * np.sqrt(np.mean(np.square(clean)) / np.mean(np.square(noise)) / 10 ** (level / 10))
    return Noisy(clean, noise, clean + noise)


# ---------------------------------------------------------------- measuring


def gains(tool: Tool, cleans: Any, noise_of: Callable[[Any, Any], Any]) -> dict[int, Any]:
    """SI-SDR after less before, of every clip, by level."""
    found = {}
    for level in LEVELS:
        rng = np.random.default_rng(level)
        those = [with_noise(clean, noise_of, level, rng) for clean in cleans]
        found[level] = np.array([si_sdr(n.clean, tool(n)) - si_sdr(n.clean, n.sound) for n in those])
    return found


def compared(
    tools: Mapping[str, Tool], cleans: Any, noise_of: Callable[[Any, Any], Any], bar: float | None = None
) -> None:
    """A table of mean gains, the first tool's lead over each other with its standard error, and how often it
    is ahead; the lead over the second beside the bar.
    """
    found: dict[str, dict[int, Any]] = {}
    for name, tool in tools.items():
        try:
            found[name] = gains(tool, cleans, noise_of)
            say(f"{name}: {[round(float(found[name][level].mean()), 2) for level in LEVELS]}")
        except ImportError:
            say(f"{name}: not installed")
    first, *others = found
    lines = []
    for name, each in found.items():
        ahead = ["-"] if name == first else [_lead(found[first][level], each[level]) for level in LEVELS]
        lines.append([name, *(f"{each[level].mean():.2f}" for level in LEVELS), "; ".join(ahead)])
    table(["", *(f"{level} dB" for level in LEVELS), "lead of isthmus at each (share of clips)"], lines)
    if bar is not None:
        leads = [float((found[first][level] - found[others[0]][level]).mean()) for level in LEVELS]
        said = [f"{level} dB {verdict(lead, bar)}" for level, lead in zip(LEVELS, leads, strict=True)]
        print(f"Lead over {others[0]}, dB: {'; '.join(said)}.\n", flush=True)


def _lead(ours: Any, theirs: Any) -> str:
    difference = ours - theirs
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    return f"{difference.mean():+.2f} ± {error:.2f} ({(difference > 0).mean():.0%})"


def trained(name: str, recordings: Any, small: bool) -> AudioDenoiser:
    """The default denoiser, and what it cost."""
    start = time.process_time()
    denoiser = AudioDenoiser(rate=RATE, trainer=Trainer(max_epochs=1) if small else None, random_state=0)
    denoiser.fit(recordings)
    spent = time.process_time() - start
    if "ISTHMUS_KEEP" in os.environ:
        save(denoiser, Path(os.environ["ISTHMUS_KEEP"]) / f"{name}.isthmus")
    long = np.concatenate(recordings)[: 60 * RATE]
    start = time.process_time()
    denoiser.denoise(long)
    factor = (time.process_time() - start) / (len(long) / RATE)
    print(f"Training took {spent:,.0f} CPU seconds; use takes {factor:.4f} CPU seconds a second of sound.")
    print(" ".join(denoiser.notes_) + "\n", flush=True)
    return denoiser


def main() -> None:
    """Three tables."""
    small = arguments(__doc__).small
    sys.path.append(os.environ.get("ISTHMUS_PEERS", ""))
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    every = clips()
    if every is None:
        return
    if small:
        every = {key: clip for key, clip in every.items() if key[0] == 0}
    train = {key: clip for key, clip in every.items() if key[2] >= 10}
    test = {key: clip for key, clip in every.items() if key[2] < (1 if small else 5)}
    print(f"### White noise, {len(test):,} test clips of speakers heard in training\n")
    denoiser = trained("all", list(train.values()), small)
    ours: dict[str, Tool] = {"isthmus": lambda one: denoiser.denoise(one.sound)}
    compared({**ours, **PEERS}, list(test.values()), white, BAR)

    print("### Other noise than the model was trained with\n")
    told = {"decision-directed Wiener, told the noise's spectrum": decision_directed, **PEERS}
    del told["decision-directed Wiener"], told["the same, smoothing .98"]
    pairs = [(key[1], clip) for key, clip in test.items()]
    for name in ("pink", "babble"):
        print(f"{name}:\n")
        if name == "pink":
            compared({**ours, **told}, [clip for _, clip in pairs], pink)
            continue
        others = [clip for key, clip in train.items() if key[1] == ALONE]
        compared({**ours, **told}, [clip for speaker, clip in pairs if speaker != ALONE], babble_of(others))

    alone = [clip for key, clip in test.items() if key[1] == ALONE]
    print(f"### White noise, {len(alone):,} test clips of a speaker nobody heard in training\n")
    print("The model of the first table, which has heard other takes of this speaker:\n")
    compared({**ours, **PEERS}, alone, white)
    print("A model of the three others:\n")
    denoiser = trained(f"not_{ALONE}", [clip for key, clip in train.items() if key[1] != ALONE], small)
    compared({**ours, **PEERS}, alone, white)


if __name__ == "__main__":
    main()
