"""Sounds without their noise.

A network is shown clean recordings with noise added at many levels, and learns to give back the clean ones
(Vincent et al. 2008); what it does to a noisy recording is then applied in overlapping windows, so that any
length comes out without seams. The default is a mask on the short-time spectrum (`SpectralMask`), which
learns what clean sounds of this kind look like, where a Wiener filter knows only how loud the noise is.

>>> import numpy as np
>>> from isthmus.denoising import AudioDenoiser, si_sdr
>>> t = np.arange(20_000) / 8_000
>>> clean = [np.sin(2 * np.pi * hertz * t) for hertz in (300, 440, 510)]
>>> from isthmus import Trainer
>>> denoiser = AudioDenoiser(trainer=Trainer(max_epochs=30), rate=8_000, random_state=0).fit(clean)
>>> noisy = clean[1] + np.random.default_rng(0).normal(size=t.size)
>>> si_sdr(clean[1], denoiser.denoise(noisy)) > si_sdr(clean[1], noisy) + 5
True
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isthmus.autoencoder import Autoencoder
from isthmus.checks import FileError, brief, must, need
from isthmus.citizen import Estimator
from isthmus.corruptions import NoiseAtSNR
from isthmus.denoising.levels import check_level
from isthmus.denoising.metrics import si_sdr, snr
from isthmus.denoising.sounds import checked, left_out, paired, sounds_of, within
from isthmus.denoising.windows import in_windows, training_windows
from isthmus.inputs import Recordings, Signals
from isthmus.inputs.folders import is_path
from isthmus.inputs.scaling import whole
from isthmus.inputs.wav import read_wav, resampled, wav_header, write_wav
from isthmus.losses import LogDistortion
from isthmus.networks import SpectralMask
from isthmus.training import Trainer
from isthmus.wording import counted

__all__ = ["AudioDenoiser", "default_sound_model"]

SPECTRUM = 0.055  # seconds of which a spectrum is taken, to the nearest power of two in samples
WINDOW = 32  # spectra side by side in a window
LATER = 8 * WINDOW  # half a step from spectrum to spectrum is this part of a window
UPDATES, BATCH = 4_000, 8  # a training run: seven minutes on one core
EPOCHS = (4, 400)  # at least, at most
MOST = 2**27  # samples learned from, at most: 4.6 hours at 8,000 Hz

Progress = Callable[[float], object]


def default_sound_model(rate: int | None, rows: int, trainer: Trainer | None = None) -> Autoencoder:
    """The network for sounds at `rate` samples a second, to be trained on so many windows."""
    size = 512 if rate is None else 2 ** max(5, round(math.log2(SPECTRUM * rate)))
    epochs = min(EPOCHS[1], max(EPOCHS[0], round(UPDATES * BATCH / max(1, rows))))
    return Autoencoder(
        None,
        architecture=SpectralMask(window=size),
        loss=LogDistortion(),
        corruption=NoiseAtSNR(),
        inputs=Signals(),
        trainer=_timed(trainer or Trainer(batch_size=BATCH), epochs),
    )


def _timed(trainer: Trainer, epochs: int) -> Trainer:
    return trainer if trainer.max_epochs is not None else trainer.with_params(max_epochs=epochs)


class AudioDenoiser(Estimator):
    """Learns from clean recordings to take noise out of others like them.

    Parameters
    ----------
    model : Autoencoder or None
        What is trained, with a corruption that is the noise to be expected: of windows (1, `window`). None is
        a mask on the short-time spectrum, trained with white noise from -5 to 20 dB.
    rate : int or None
        Samples a second that the model works at. None is that of most files; arrays have none.
    window : int or None
        Samples in a window, a multiple of 8. None is 32 spectra of the default model, about two seconds.
    trainer : Trainer or None
        For the default model: how long to train.
    random_state : int, RandomState, Generator or None
        Seed of the model, where that has none.

    Attributes
    ----------
    model_ : Autoencoder
        The trained model of windows.
    rate_ : int or None
        Samples a second it works at.
    window_ : int
        Samples in a window.
    notes_ : list of str
        What was chosen and noticed, in sentences.

    References
    ----------
    Vincent et al. (2008), Extracting and composing robust features with denoising autoencoders, ICML.
    """

    facts_: dict[str, Any]  # what a face wants kept in the file, as plain values

    def __init__(
        self,
        model: Any = None,
        *,
        rate: int | None = None,
        window: int | None = None,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.model = model
        self.rate = rate
        self.window = window
        self.trainer = trainer
        self.random_state = random_state

    # ---------------------------------------------------------------- learning

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from clean recordings: a folder of WAV files of any rate, depth and length, an array
        (n, channels, time) or (n, time), or a list of arrays (time,) or (channels, time).

        y: where X are noisy, second noisy takes of the same recordings, or clean ones, in the same order.
        Noise that is another in every take averages out (Lehtinen et al. 2018, Noise2Noise).

        Raises DataError for data that cannot be used or are silent, FileError for a folder without a
        recording.
        """
        self._check_parameters()
        recordings, rate, notes = self._recordings(X)
        if y is not None:
            recordings = paired(recordings, self._recordings(y)[0])
        usual = default_sound_model(rate, 1)
        window = self.window or WINDOW * usual.architecture.window  # type: ignore[attr-defined]
        rows = training_windows(within(recordings, MOST), window)
        need(len(rows) > 0, "X", "have a sound in it", "silence", "Pass clean recordings")
        model = self._model(rate, len(rows))
        if y is None:
            self.model_ = model.fit(rows)
        else:
            self.model_ = model.set_params(corruption=None).fit_pairs(rows[:, :1], rows[:, 1:])
        self.rate_, self.window_, self.facts_ = None if rate is None else int(rate), int(window), {}
        samples = len(rows) * window
        length = counted(samples, "sample") if rate is None else counted(round(samples / rate), "second")
        cut = f"Learned from {length} of sound in {counted(len(rows), 'window')} of {window:,} samples."
        self.notes_ = [*notes(), cut, *self.model_.notes_[1:]]
        return self

    @staticmethod
    def usual_trainer(_: Any = None) -> Trainer:
        """The default model's, its epochs by the number of windows once that is known."""
        return Trainer(batch_size=BATCH)

    def _model(self, rate: int | None, rows: int) -> Any:
        from sklearn.base import clone

        model = default_sound_model(rate, rows, self.trainer) if self.model is None else clone(self.model)
        if model.random_state is None:
            model.set_params(random_state=self.random_state)
        return model

    def _recordings(self, X: Any) -> tuple[Iterator[NDArray[Any]], int | None, Callable[[], tuple[str, ...]]]:
        """Every channel by itself, their rate, and what is to be said of them afterwards."""
        if is_path(X):
            place = Path(X)
            need(place.is_dir(), "X", "be a folder of WAV files", str(X), "Check the path")
            X = Recordings(place, self.rate)
        if isinstance(X, Recordings):
            return (channel for signal in X.signals() for channel in signal), X.rate, lambda: left_out(X)
        kept = [channel for sound in sounds_of(X) for channel in np.atleast_2d(sound)]
        return iter(kept), self.rate, tuple

    def _check_parameters(self) -> None:
        good = self.model is None or isinstance(self.model, Autoencoder)
        need(good, "model", "be an Autoencoder, or None", self.model, "Use model=None")
        good = self.trainer is None or isinstance(self.trainer, Trainer)
        need(good, "trainer", "be a Trainer, or None", self.trainer, "Use Trainer(max_epochs=20)")
        for name, step in (("rate", 1), ("window", 8)):
            value = getattr(self, name)
            counted = isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value > 0
            rule = f"be a whole number{' that 8 divides' if step == 8 else ''}, or None"
            good = value is None or bool(counted and value % step == 0)
            need(good, name, rule, value, f"Use {name}={16_000 if step == 1 else 16_384}")

    # ---------------------------------------------------------------- using

    def denoise(
        self,
        waveform: Any,
        rate: int | None = None,
        *,
        level: float | None = None,
        progress: Progress | None = None,
    ) -> NDArray[Any]:
        """A recording (time,) or (channels, time) of any length without its noise, in its own shape and kind.

        rate: its samples a second, where that is not the model's; what is above half the model's rate is then
        lost. level: root mean square of the noise, in the waveform's units, where it is known: no more
        than that is taken out of a channel. progress: called with the share that is done.

        Channels are restored one by one; their means are set aside and put back, and silence stays silence.
        Raises DataError for what is no sound, or holds values that are not finite.
        """
        self.must_be_fitted()
        sound = checked(waveform)
        check_level(level)
        other = rate is not None and self.rate_ is not None and rate != self.rate_
        channels = np.atleast_2d(sound).astype(np.float64)
        made = np.empty_like(channels)
        for k, channel in enumerate(channels):
            told = _part(progress, k, len(channels))
            made[k] = self._one(channel, rate if other else None, told)
            if level is not None:
                made[k] = _at_most(channel, made[k], level)
        made = made.reshape(sound.shape)
        restored: NDArray[Any] = whole(made, str(sound.dtype)) if sound.dtype.kind in "iu" else made
        return restored.astype(sound.dtype)

    def transform(self, X: Any) -> Any:
        """Recordings as `fit` takes them, an array or a list, without their noise: the same again."""
        self.must_be_fitted()
        if is_path(X):
            raise must("X", "be arrays", f"the path {X}", "Use denoise_file for files")
        made = [self.denoise(sound) for sound in sounds_of(X)]
        return made if isinstance(X, (list, tuple)) else np.stack(made)

    def report(self, reference: Any, noisy: Any, restored: Any = None) -> dict[str, float]:
        """How near a noisy recording and what is made of it are to the clean reference, in dB."""
        restored = self.denoise(noisy) if restored is None else restored
        return {
            "si_sdr_before": si_sdr(reference, noisy),
            "si_sdr_after": si_sdr(reference, restored),
            "snr_before": snr(reference, noisy),
            "snr_after": snr(reference, restored),
        }

    def denoise_file(
        self,
        path: str | os.PathLike[str],
        output: str | os.PathLike[str],
        *,
        level: float | None = None,
        progress: Progress | None = None,
    ) -> None:
        """A WAV file without its noise as another, of the same rate, depth and channels, whole or not at all.

        level: as in `denoise`, 1 being full scale. Raises FileError where a file cannot be read or
        written, or would be written over itself.
        """
        self.must_be_fitted()
        source, target = Path(path), Path(output)
        need(source.is_file(), "the recording", "be a WAV file", str(source), "Check the path")
        if target.exists() and target.samefile(source):
            raise FileError(
                f"{target} must be a file of its own; got the one that is read. Use another name."
            )
        try:
            head = wav_header(source)
            signal = read_wav(source, head)
        except Exception as error:  # decoders raise nearly everything on hostile bytes
            words = brief(str(error)).rstrip(".")
            raise FileError(f"{source} cannot be read: {words}. Save it as WAV or copy it again.") from None
        write_wav(target, self.denoise(signal, head.rate, level=level, progress=progress), head)

    def _one(self, channel: NDArray[np.float64], rate: int | None, progress: Progress | None) -> Any:
        """One channel (time,), at another rate where one is given."""
        mean = channel.mean()
        centred = channel - mean
        loudness = math.sqrt(float(centred @ centred) / len(centred))
        if loudness <= 1e-12 * abs(mean) or loudness == 0:
            return channel
        x = centred / loudness
        if rate is not None and self.rate_ is not None:
            x = resampled(x[None], self.rate_, rate)[0]
        made = self._in_two_views(x, progress)
        if rate is not None and self.rate_ is not None:
            made = _to_length(resampled(made[None], rate, self.rate_)[0], len(channel))
        return made * loudness + mean

    def _in_two_views(self, x: NDArray[np.float64], progress: Progress | None) -> NDArray[np.float64]:
        """A signal restored as it is and once more half a step later, averaged: spectra are taken at twice as
        many places.
        """
        later = max(1, self.window_ // LATER)
        made = np.zeros(len(x))
        for k, shift in enumerate((0, later)):
            seen = np.pad(x, (shift, 0), mode="symmetric")
            made += in_windows(self.model_.reconstruct, seen, self.window_, _part(progress, k, 2))[shift:]
        return made / 2


# ---------------------------------------------------------------- small things


def _at_most(noisy: NDArray[Any], made: NDArray[Any], level: float) -> NDArray[Any]:
    """`made`, or between it and `noisy` where more than `level` was taken away."""
    removed = noisy - made
    much = math.sqrt(float(removed @ removed) / len(removed))
    return made if much <= level else noisy - removed * (level / much)


def _to_length(signal: NDArray[Any], length: int) -> NDArray[Any]:
    return np.pad(signal[:length], (0, max(0, length - len(signal))), mode="edge")


def _part(progress: Progress | None, k: int, count: int) -> Progress | None:
    """Progress in one of several channels as progress in all."""
    return None if progress is None else lambda share: progress((k + share) / count)
