"""Sounds without noise: the network's exactness, windows without seams, files as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from scipy.signal import firwin, lfilter, stft

from isthmus import (
    Autoencoder,
    DataError,
    FileError,
    LogDistortion,
    NoiseAtSNR,
    Signals,
    SpectralMask,
    Trainer,
    load,
    save,
)
from isthmus.commands.sounding import (
    denoise_sounds,
    draw_sounds,
    sound_denoiser_report,
    sounds_report,
)
from isthmus.denoising import AudioDenoiser, si_sdr, snr
from isthmus.denoising.windows import in_windows, training_windows
from isthmus.parts import Layout

RATE = 8000
SMALL = SpectralMask(window=64, channels=16, dilations=(1, 1), around=4)
WINDOW = 2048
EDGES = ((0, 0), (0, 0), (15, 15))
SILENT = [np.zeros(5000), np.full(3, 0.25), np.array([7], np.int16), np.zeros((2, 9))]


def chirps(count: int, seed: int = 0) -> list[np.ndarray]:
    """Clean sounds: harmonic tones that glide and fade, 0.2 to 0.6 seconds."""
    rng, made = np.random.default_rng(seed), []
    for _ in range(count):
        t = np.arange(int(RATE * rng.uniform(0.2, 0.6))) / RATE
        phase = 2 * np.pi * np.cumsum(rng.uniform(150, 400) + rng.uniform(-200, 200) * t) / RATE
        made.append(0.3 * np.sin(np.pi * t / t[-1]) * sum(np.sin(k * phase) / k for k in (1, 2, 3)))
    return made


def model(**changes) -> Autoencoder:
    """A small denoiser of windows."""
    parts = {"architecture": SMALL, "loss": LogDistortion(), "corruption": NoiseAtSNR(), "inputs": Signals()}
    return Autoencoder(None, **{**parts, "trainer": Trainer(max_epochs=8, batch_size=8), **changes})


@pytest.fixture(scope="module")
def denoiser() -> AudioDenoiser:
    """Fitted on 120 clean sounds."""
    return AudioDenoiser(model(), rate=RATE, window=WINDOW, random_state=0).fit(chirps(120))


@pytest.fixture
def noisy() -> np.ndarray:
    """Three seconds of other sounds in white noise."""
    clean = np.concatenate(chirps(8, seed=1))
    return clean + 0.1 * np.random.default_rng(2).standard_normal(len(clean))


# ---------------------------------------------------------------- metrics


def test_si_sdr_is_the_ratio_of_orthogonal_parts_whatever_the_volume():
    """A target and an error orthogonal to it, put together by hand."""
    t = np.arange(1000) / 1000
    s, e = np.sin(2 * np.pi * 5 * t), np.cos(2 * np.pi * 5 * t)
    for volume in (0.01, 1.0, -3.0):
        assert si_sdr(s, volume * (s + 0.1 * e)) == pytest.approx(20.0, abs=1e-6)
    assert si_sdr(s, s + 5.0) == np.inf
    assert snr(s, s + 0.1 * e) == pytest.approx(20.0, abs=1e-6)
    assert snr(s, 0.5 * s) == pytest.approx(20 * np.log10(2))


@pytest.mark.parametrize(("reference", "estimate"), [(np.ones(4), np.ones(4)), (np.arange(4), np.arange(5))])
def test_si_sdr_refuses_silence_and_other_lengths(reference, estimate):
    """A sentence each."""
    with pytest.raises(DataError, match="must"):
        si_sdr(reference, estimate)


# ---------------------------------------------------------------- noise and loss


@pytest.mark.parametrize("colour", [0.0, 1.0])
def test_noise_has_the_ratio_that_was_asked_for(colour):
    """Whatever the loudness of the row, over what is not zero."""
    layout = Layout.numeric(20_000, (2, 10_000), signal=True)
    x = torch.randn(3, 20_000) * torch.tensor([[0.01], [1.0], [100.0]])
    x[1, 5000:] = 0.0
    noise = NoiseAtSNR(6.0, 6.0, colour)(x, layout, torch.Generator().manual_seed(0)) - x
    power = torch.stack([row[row != 0].square().mean() for row in x])
    ratio = 10 * torch.log10(power / noise.square().mean(1))
    assert (ratio - 6.0).abs().max() < 1e-3


def test_noise_levels_are_spread_evenly_between_low_and_high():
    """Mean and range over many rows."""
    x = torch.ones(4000, 50)
    noise = NoiseAtSNR(-5, 15)(x, Layout.numeric(50), torch.Generator().manual_seed(0)) - x
    ratio = -10 * torch.log10(noise.square().mean(1))
    assert abs(float(ratio.mean()) - 5.0) < 0.5
    assert -8 < float(ratio.min()) < -4 < 14 < float(ratio.max()) < 19


def test_colour_lets_the_power_fall_with_frequency():
    """Brown noise: four times the power an octave lower."""
    layout = Layout.numeric(2**15, (1, 2**15), signal=True)
    torch.manual_seed(0)
    shape = np.zeros(2**14 + 1)
    from isthmus.corruptions.noise import _tinted

    for _ in range(20):
        made = _tinted(torch.randn(1, 1, 2**15, dtype=torch.float64), torch.tensor([[2.0]]))
        shape += np.abs(np.fft.rfft(made[0, 0].numpy())) ** 2
    low, high = shape[100:200].mean(), shape[200:400].mean()
    assert low / high == pytest.approx(4.0, rel=0.15)
    with pytest.raises(DataError, match="signals"):
        NoiseAtSNR(colour=1.0)(torch.ones(2, 4), Layout.numeric(4), torch.Generator())
    assert layout.signal


@pytest.mark.parametrize("bad", [{"low": 5.0, "high": 0.0}, {"low": -np.inf}, {"colour": -1.0}])
def test_noise_that_makes_no_sense_is_refused(bad):
    """Before any is drawn."""
    with pytest.raises(DataError, match="must"):
        NoiseAtSNR(**bad)(torch.ones(2, 4), Layout.numeric(4), torch.Generator())


def test_log_distortion_counts_decibels_and_not_volume():
    """The row's sum is log(1 + ratio / floor), by hand, at any volume; a perfect cell costs nothing."""
    x = torch.tensor([[3.0, 4.0, 0.0]], dtype=torch.float64)
    wrong = torch.tensor([[0.3, 0.0, 0.4]], dtype=torch.float64)
    for volume in (1.0, 1e-3, 1e3):
        errors = LogDistortion(1e-3)(volume * x, volume * (x + wrong), Layout.numeric(3))
        assert float(errors.sum()) == pytest.approx(np.log(1 + 0.25 / 25 / 1e-3), rel=1e-9)
        assert float(errors[0, 1]) == 0.0
        assert float(errors[0, 2] / errors[0, 0]) == pytest.approx(16 / 9)
    assert float(LogDistortion()(x, x, Layout.numeric(3)).sum()) == 0.0
    assert float(LogDistortion()(0 * x, 0 * x, Layout.numeric(3)).sum()) == 0.0


# ---------------------------------------------------------------- the network


def built(time: int, channels: int = 1, part: SpectralMask = SMALL):
    """Encoder and decoder in float64, with filters that do something."""
    layout = Layout.numeric(channels * time, (channels, time), signal=True)
    torch.manual_seed(0)
    encoder, decoder = part.build(layout, part.code_width(layout))
    torch.nn.init.normal_(encoder.last.weight, std=0.3)
    return encoder.double(), decoder.double()


@pytest.mark.parametrize("time", [64, 100, 2048, 2049])
def test_overlap_add_gives_back_every_sample(time):
    """The decoder inverts the spectrum exactly, at any length of row and for several channels."""
    _, decoder = built(time, channels=2)
    x = torch.randn(3, 2 * time, dtype=torch.float64)
    assert (decoder(decoder.spectrum.of(x)) - x).abs().max() < 1e-10


def test_the_spectrum_is_scipys():
    """Up to the scale, in frames that lie wholly inside."""
    _, decoder = built(1024)
    x = torch.randn(1, 1024, dtype=torch.float64)
    ours = decoder.spectrum.complex(x)[0].numpy()
    theirs = stft(x[0].numpy(), nperseg=64, noverlap=48, window="hann")[2] * 32
    assert np.abs(ours[:, 2:-2] - theirs[:, 2 : ours.shape[1] - 2]).max() < 1e-5


def test_a_mask_takes_away_and_never_adds():
    """Every bin of the code is at most the input's."""
    encoder, _ = built(1024)
    x = torch.randn(2, 1024, dtype=torch.float64)
    kept, whole = (z.reshape(-1, 2).norm(dim=1) for z in (encoder(x), encoder.spectrum.of(x)))
    assert bool((kept <= whole + 1e-12).all())


def test_loud_and_quiet_are_treated_alike():
    """r(c x) = c r(x), down to what counts as silence; nothing comes of nothing."""
    encoder, decoder = built(1024)
    x = torch.randn(2, 1024, dtype=torch.float64)
    once, louder = decoder(encoder(x)), decoder(encoder(100 * x)) / 100
    assert (once - louder).norm() / once.norm() < 1e-2
    assert not bool(decoder(encoder(0 * x)).any())


def test_nothing_looks_farther_than_its_reach():
    """A change beyond it changes no sample."""
    encoder, decoder = built(4096)
    x = torch.randn(1, 4096, dtype=torch.float64)
    changed = x.clone()
    changed[:, 2000 + SMALL.reach :] += 1.0
    before, after = decoder(encoder(x)), decoder(encoder(changed))
    assert (before - after)[:, :2000].abs().max() < 1e-12
    assert (before - after)[:, 2000 + SMALL.reach :].abs().max() > 0.01


def test_channels_are_masked_one_by_one():
    """Two channels in a row are two rows of one."""
    one, back = built(512)
    two, both = built(512, channels=2)
    x = torch.randn(3, 1024, dtype=torch.float64)
    alone = back(one(x.reshape(6, 512))).reshape(3, 1024)
    assert (both(two(x)) - alone).abs().max() < 1e-12


@pytest.mark.parametrize(
    ("part", "layout", "words"),
    [
        (SpectralMask(), Layout.numeric(9), "be signals"),
        (SpectralMask(window=30), Layout.numeric(999, (1, 999), signal=True), "multiple of 8"),
        (SpectralMask(window=512), Layout.numeric(99, (1, 99), signal=True), "at most 196"),
        (SpectralMask(64, kernel=4), Layout.numeric(999, (1, 999), signal=True), "odd"),
        (SpectralMask(64, dilations=(0,)), Layout.numeric(999, (1, 999), signal=True), "dilations"),
    ],
)
def test_settings_that_make_no_sense_are_refused(part, layout, words):
    """In one sentence."""
    with pytest.raises(DataError, match=words):
        part.code_width(layout)


def test_a_code_of_another_width_is_refused():
    """The code is a spectrum."""
    with pytest.raises(DataError, match="n_components must be None for SpectralMask"):
        SMALL.build(Layout.numeric(512, (1, 512), signal=True), 8)


# ---------------------------------------------------------------- windows


@pytest.mark.parametrize("length", [1, 7, 500, 4096, 10_001])
def test_windows_of_a_filter_agree_with_one_pass(length):
    """A filter shorter than the context, the ends being mirrored: no seam anywhere."""
    taps = firwin(31, 0.3)
    x = np.random.default_rng(0).standard_normal(length)
    whole = lfilter(taps, 1, np.pad(x, (15, 15), mode="reflect"))[30:]
    made = in_windows(lambda rows: lfilter(taps, 1, np.pad(rows, EDGES))[:, :, 30:], x, 256)
    assert made.shape == x.shape
    assert np.abs(made - whole).max() < 1e-5


def test_windows_of_the_network_agree_with_one_long_pass(denoiser, noisy):
    """Where a window's context is as wide as the network's reach: once more in a single row."""
    assert SMALL.reach <= WINDOW // 4
    x = (noisy / noisy.std()).astype(np.float32)[: len(noisy) // 16 * 16]
    made = in_windows(denoiser.model_.reconstruct, x, WINDOW)
    scales = denoiser.model_.schema_.scales
    with torch.no_grad():
        row = torch.from_numpy((x[None] - scales.centre[0]) / scales.scale[0]).float()
        network = denoiser.model_.network_
        long = network.decode(network.encode(row))[0].numpy() * scales.scale[0] + scales.centre[0]
    inside = slice(SMALL.reach, -SMALL.reach)
    assert np.abs(made - long)[inside].max() < 1e-4 * np.abs(long).max()


def test_training_windows_hold_every_recording_at_one_loudness():
    """Short ones end to end with pauses; silence and constants left out; a mean of zero."""
    x = np.random.default_rng(0).standard_normal(900)
    rows = training_windows([x + 5, np.zeros(300), 100 * x, np.full(40, 3.0)], 100)
    assert (rows.shape[1:], rows.dtype) == ((1, 100), np.float32)
    assert abs(float(rows.mean())) < 1e-6
    first, second = rows[:9, 0].reshape(-1), rows[:20, 0].reshape(-1)[1012 - 100 :]
    assert np.corrcoef(first, x)[0, 1] > 0.9999
    assert float(np.std(first)) == pytest.approx(1.0, rel=0.01)
    assert len(second)
    assert len(training_windows([np.zeros(500)], 100)) == 0
    assert training_windows([x[:30]], 100).shape == (1, 1, 100)
    takes = training_windows([np.stack([x, 3 * x + 1])], 100)
    assert takes.shape == (9, 2, 100)
    np.testing.assert_allclose(takes[:, 1], 3 * takes[:, 0], atol=1e-4)


# ---------------------------------------------------------------- the denoiser


def test_noise_goes_and_sound_stays(denoiser, noisy):
    """Better by 3 dB on sounds it has not heard."""
    clean = np.concatenate(chirps(8, seed=1))
    report = denoiser.report(clean, noisy)
    assert report["si_sdr_after"] > report["si_sdr_before"] + 3
    assert report["si_sdr_before"] == pytest.approx(si_sdr(clean, noisy))


def test_kind_shape_units_and_offset_come_back(denoiser, noisy):
    """Whole numbers, floats, channels, volume, and the mean, which is no noise."""
    base = denoiser.denoise(noisy)
    small = denoiser.denoise((noisy * 1e-4 + 7).astype(np.float64))
    assert np.abs((small - 7) / 1e-4 - base).max() < 1e-3
    whole = denoiser.denoise((noisy * 8000).astype(np.int16))
    assert whole.dtype == np.int16
    assert np.abs(whole / 8000 - base).max() < 0.01
    both = denoiser.denoise(np.stack([noisy, -noisy]).astype(np.float32))
    assert (both.shape, both.dtype) == ((2, len(noisy)), np.float32)
    assert np.abs(both[0] - base).max() < 1e-4
    assert np.abs(both[0] + both[1]).max() < 1e-4


def test_two_noisy_takes_teach_nearly_what_clean_recordings_do(noisy):
    """Noise2Noise, its second takes beside the clean ones of the same."""
    clean, rng = chirps(120), np.random.default_rng(5)
    takes, others = ([x + 0.1 * rng.standard_normal(len(x)) for x in clean] for _ in range(2))
    truth = np.concatenate(chirps(8, seed=1))
    gains = []
    for targets in (others, clean):
        denoiser = AudioDenoiser(model(), rate=RATE, window=WINDOW, random_state=0).fit(takes, targets)
        gains.append(si_sdr(truth, denoiser.denoise(noisy)) - si_sdr(truth, noisy))
    assert gains[0] >= 3
    assert gains[0] >= gains[1] - 0.5
    with pytest.raises(DataError, match="y must have the length of X in channel 120"):
        AudioDenoiser(model(), window=WINDOW).fit(clean, [*clean, clean[0]])


@pytest.mark.parametrize("sound", SILENT)
def test_silence_stays_silence(denoiser, sound):
    """To the bit, an offset too."""
    made = denoiser.denoise(sound)
    assert made.dtype == sound.dtype
    assert np.array_equal(made, sound)


@pytest.mark.parametrize("length", [2, 17, 100])
def test_the_shortest_sounds_come_back_finite(denoiser, length):
    """As long as they were."""
    made = denoiser.denoise(np.random.default_rng(0).standard_normal(length))
    assert made.shape == (length,)
    assert np.isfinite(made).all()


def test_clipping_stays_within_the_range_of_whole_numbers(denoiser, noisy):
    """No wrap around where a loud sample would pass the end."""
    loud = np.clip(noisy * 200_000, -32768, 32767).astype(np.int16)
    made = denoiser.denoise(loud)
    assert np.corrcoef(loud, made)[0, 1] > 0.5


def test_no_more_is_taken_than_the_noise_that_is_known(denoiser, noisy):
    """The root mean square of what is removed; with none, nothing."""
    for level in (0.05, 0.01):
        assert float(np.std(noisy - denoiser.denoise(noisy, level=level))) <= level * 1.0001
    assert np.allclose(denoiser.denoise(noisy, level=0.0), noisy)
    assert np.array_equal(denoiser.denoise(noisy, level=10.0), denoiser.denoise(noisy))


def test_another_rate_is_worked_on_at_the_models(denoiser, noisy):
    """Length and content of what both rates can carry."""
    from scipy.signal import resample_poly

    fast = resample_poly(noisy, 2, 1)
    made = denoiser.denoise(fast, rate=2 * RATE)
    assert made.shape == fast.shape
    assert np.corrcoef(resample_poly(made, 1, 2)[: len(noisy)], denoiser.denoise(noisy))[0, 1] > 0.99


def test_transform_gives_lists_for_lists_and_arrays_for_arrays(denoiser, noisy):
    """Each as `denoise` alone."""
    listed = denoiser.transform([noisy, noisy[:900]])
    assert [len(one) for one in listed] == [len(noisy), 900]
    assert np.array_equal(listed[0], denoiser.denoise(noisy))
    assert denoiser.transform(np.stack([noisy, noisy])[:, None]).shape == (2, 1, len(noisy))


def test_progress_is_told_to_the_end(denoiser, noisy):
    """In order, up to 1."""
    told: list[float] = []
    denoiser.denoise(np.stack([noisy] * 2), progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


@pytest.mark.parametrize(
    ("sound", "words"),
    [
        (np.array([0.0, np.nan, 1.0]), "nan at sample 1"),
        (np.zeros((4000, 40)), "waveform.T"),
        (np.array([]), "shape"),
        (np.array(["a"]), "numbers"),
    ],
)
def test_what_is_no_sound_is_refused(denoiser, sound, words):
    """In one sentence."""
    with pytest.raises(DataError, match=words):
        denoiser.denoise(sound)


@pytest.mark.parametrize(
    ("arguments", "X", "words"),
    [
        ({}, [np.zeros(100)], "silence"),
        ({"window": 100}, chirps(2), "window must"),
        ({"rate": 0}, chirps(2), "rate must"),
        ({"model": 3}, chirps(2), "model must"),
        ({}, [], "recording"),
        ({}, np.zeros(9), "recordings"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(arguments, X, words):
    """Before training."""
    with pytest.raises(DataError, match=words):
        AudioDenoiser(**arguments).fit(X)


def test_the_same_seed_gives_the_same_bits():
    """Twice the same fit."""
    made = [
        AudioDenoiser(model(trainer=Trainer(max_epochs=1)), window=WINDOW, random_state=3).fit(chirps(20))
        for _ in range(2)
    ]
    x = chirps(1, seed=5)[0]
    assert np.array_equal(made[0].denoise(x), made[1].denoise(x))


# ---------------------------------------------------------------- files


def test_a_saved_denoiser_is_the_same_to_the_bit(denoiser, noisy, tmp_path):
    """Rate, window and notes too; a file with a window of another model is refused."""
    save(denoiser, tmp_path / "d.isthmus")
    again = load(tmp_path / "d.isthmus")
    assert isinstance(again, AudioDenoiser)
    assert (again.rate_, again.window_, again.notes_) == (RATE, WINDOW, denoiser.notes_)
    assert np.array_equal(again.denoise(noisy), denoiser.denoise(noisy))
    facts = sound_denoiser_report(again, tmp_path / "d.isthmus").plain()
    assert (facts["rate"], facts["window"]) == (RATE, WINDOW)
    from isthmus.sealed import read_sealed, write_sealed

    header, tensors = read_sealed(tmp_path / "d.isthmus", "AudioDenoiser")
    write_sealed(tmp_path / "bad.isthmus", tensors, {**header, "window": 4096})
    with pytest.raises(FileError, match="window"):
        load(tmp_path / "bad.isthmus")
    with pytest.raises(DataError, match="fitted"):
        save(AudioDenoiser(), tmp_path / "none.isthmus")


@pytest.fixture
def folder(tmp_path, noisy) -> Path:
    """Noisy files of several depths, rates and channels, and one that is broken."""
    place = tmp_path / "noisy"
    (place / "deeper").mkdir(parents=True)
    quiet = 0.5 * noisy / np.abs(noisy).max()
    soundfile.write(place / "16.wav", quiet, RATE, subtype="PCM_16")
    soundfile.write(place / "24.wav", np.stack([quiet, -quiet], 1), RATE, subtype="PCM_24")
    soundfile.write(place / "32.wav", quiet, RATE, subtype="PCM_32")
    soundfile.write(place / "float.wav", 3 * quiet, RATE, subtype="FLOAT")
    soundfile.write(place / "deeper" / "fast.wav", np.repeat(quiet, 2), 2 * RATE, subtype="PCM_16")
    (place / "broken.wav").write_bytes((place / "16.wav").read_bytes()[:500])
    return place


def test_files_keep_rate_depth_channels_and_length(denoiser, folder, tmp_path, capsys):
    """A folder into a new folder, the broken one skipped and told; floats beyond full scale are not cut."""
    found = denoise_sounds(denoiser, folder, tmp_path / "out")
    names = ["16.wav", "24.wav", "32.wav", "deeper/fast.wav", "float.wav"]
    assert [sound.file for sound in found] == sorted(names)
    assert "broken.wav" in capsys.readouterr().err
    for name in names:
        before, after = soundfile.info(folder / name), soundfile.info(tmp_path / "out" / name)
        for field in ("samplerate", "channels", "frames", "subtype"):
            assert getattr(before, field) == getattr(after, field)
    assert np.abs(soundfile.read(tmp_path / "out" / "float.wav")[0]).max() > 1.0
    with pytest.raises(FileError, match="empty"):
        denoise_sounds(denoiser, folder, tmp_path / "out")


def test_one_file_beside_its_reference(denoiser, folder, tmp_path, noisy):
    """Its figures are those of the arrays; nothing is written over what is read, nor for a broken file."""
    clean = 0.5 * np.concatenate(chirps(8, seed=1)) / np.abs(noisy).max()
    soundfile.write(tmp_path / "clean.wav", clean, RATE, subtype="PCM_16")
    out = tmp_path / "out.wav"
    (sound,) = denoise_sounds(denoiser, folder / "16.wav", out, reference=tmp_path / "clean.wav", shown=True)
    arrays = [soundfile.read(path)[0] for path in (tmp_path / "clean.wav", folder / "16.wav", out)]
    assert sound.before == pytest.approx(si_sdr(arrays[0], arrays[1]), abs=1e-3)
    assert sound.after == pytest.approx(si_sdr(arrays[0], arrays[2]), abs=1e-3)
    assert sound.after > sound.before
    facts = sounds_report([sound], out).plain()
    assert (facts["files"], facts["si_sdr_after"]) == (1, sound.after)
    draw_sounds(sound, folder / "16.wav", out, tmp_path / "clean.wav", tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes()[1:4] == b"PNG"
    content = (folder / "16.wav").read_bytes()
    with pytest.raises(FileError, match="of its own"):
        denoiser.denoise_file(folder / "16.wav", folder / "16.wav")
    assert (folder / "16.wav").read_bytes() == content
    with pytest.raises(FileError, match="truncated"):
        denoiser.denoise_file(folder / "broken.wav", tmp_path / "new.wav")
    damaged = content[:20] + b"\xff\xff" + content[22:]  # an encoding there is not
    for number, some in enumerate((content[:8], content[:20], content[:30], damaged)):
        path = tmp_path / f"cut{number}.wav"
        path.write_bytes(some)
        with pytest.raises(
            FileError, match=rf"cut{number}.wav cannot be read: (?!Err).*header.*copy it again"
        ):
            denoiser.denoise_file(path, tmp_path / "new.wav")
    assert not (tmp_path / "new.wav").exists()


def test_a_folder_of_mixed_files_is_learned_from(folder):
    """At the rate of most, the broken file named in the notes."""
    made = AudioDenoiser(model(trainer=Trainer(max_epochs=1)), window=WINDOW, random_state=0).fit(folder)
    assert made.rate_ == RATE
    assert "broken.wav" in made.notes_[0]


def test_spectrograms_show_where_a_tone_is():
    """The loudest row of the picture lies at its frequency, and all share one scale."""
    from isthmus.figures import spectrograms

    t = np.arange(RATE) / RATE
    tone = np.sin(2 * np.pi * 1000 * t)
    axes = spectrograms({"loud": tone, "quiet": 0.1 * tone}, RATE)
    loud, quiet = (np.asarray(ax.images[0].get_array()) for ax in axes)
    row = int(loud[:, loud.shape[1] // 2].argmax())
    assert row / (len(loud) - 1) * RATE / 2 == pytest.approx(1000, abs=RATE / 256)
    middle = loud.shape[1] // 2
    assert loud[row, middle] - quiet[row, middle] == pytest.approx(20.0, abs=0.01)
    assert [ax.get_title(loc="left") for ax in axes] == ["loud", "quiet"]
