"""Use: taking noise out of photographs and sounds."""

# %% [markdown]
# # 6. Without the noise
#
# [Page 3](3_denoising.md) trained a model on digits that were spoiled. Used for its own sake, the same idea
# needs no narrow code: what a photograph or a sound looks like nearby is enough to tell it from noise, and a
# wide network loses no detail.
#
# ## A photograph
#
# One model comes with the package. It was trained on photographs with white noise of all strengths up to 50
# in 255, and this one was not among them:

# %%
import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_sample_image

from isthmus import PhotoDenoiser, figures

clean = load_sample_image("flower.jpg")[96:320, 176:512]
noise = 25 * np.random.default_rng(0).normal(size=clean.shape)
noisy = (clean + noise).clip(0, 255).round().astype(np.uint8)

denoiser = PhotoDenoiser.shipped()
restored = denoiser.denoise(noisy)
figures.restored(
    {"with noise": noisy, "restored": restored, "as it was": clean},
    title="The noise is gone, the edges of the petals are not",
)

# %% [markdown]
# Any blur takes noise out; what matters is what it takes with it. So we let a Gaussian blur have the best
# width there is for this picture, chosen by looking at the answer, which the network could not:

# %%
blurred = {width: gaussian_filter(noisy, (width, width, 0)) for width in (0.6, 0.8, 1.0, 1.2, 1.4)}
best = max(blurred, key=lambda width: denoiser.report(clean, noisy, blurred[width])["psnr_after"])
for name, made in (("as it came", noisy), (f"blur of {best}", blurred[best]), ("network", restored)):
    found = denoiser.report(clean, noisy, made)
    print(f"{name:12} {found['psnr_after']:.1f} dB, SSIM {found['ssim_after']:.2f}")

# %% [markdown]
# A blur is the least one can do. Beside non-local means and BM3D the margin is smaller:
# [measured on photographs by Kodak](../../benchmarks/results/denoising_photos.md).
#
# ## A sound
#
# For sounds we train our own. The notes of a plucked string are made up, as many as are wanted: a pitch, its
# overtones, and how fast they die away.

# %%
RATE = 8000


def melody(rng, seconds=4.0):
    """Notes of plucked strings, one after the other."""
    time = np.arange(int(seconds * RATE)) / RATE
    sound, start = np.zeros(len(time)), 0.0
    while start < seconds - 0.2:
        pitch, decay, loud = 220 * 2 ** (rng.integers(25) / 12), rng.uniform(2, 6), rng.uniform(0.3, 1)
        since = time[time >= start] - start
        for k in range(1, 1 + int(3600 // pitch)):
            fading = np.exp(-decay * np.sqrt(k) * since) / k**1.5
            sound[time >= start] += loud * fading * np.sin(2 * np.pi * k * pitch * since)
        start += rng.choice([0.15, 0.25, 0.5])
    return 0.2 * sound / np.abs(sound).max()


from isthmus import AudioDenoiser, Trainer

rng = np.random.default_rng(0)
train, test = [melody(rng) for _ in range(30)], [melody(rng) for _ in range(4)]
sounds = AudioDenoiser(rate=RATE, trainer=Trainer(max_epochs=6, batch_size=8), random_state=0).fit(train)
print(sounds.notes_[0])

# %% [markdown]
# The usual tool is a Wiener filter on the short-time spectrum: what does not stand out from the noise is
# turned down. We tell it exactly how strong the noise is. The network is told nothing.

# %%
from scipy.signal import istft, stft

from isthmus.denoising import si_sdr


def wiener(sound, sigma):
    """Every bin turned down by the share of its power that is noise; `sigma` is the noise's deviation."""
    known = stft(sigma * np.random.default_rng(1).normal(size=len(sound)), RATE, nperseg=512)[2]
    _, _, bins = stft(sound, RATE, nperseg=512)
    gain = 1 - np.square(np.abs(known)).mean() / np.maximum(np.square(np.abs(bins)), 1e-20)
    return istft(bins * gain.clip(0.05), RATE, nperseg=512)[1][: len(sound)]


for level in (0, 10):
    ratios = []
    for sound in test:
        sigma = sound.std() * 10 ** (-level / 20)
        heard = sound + sigma * rng.normal(size=len(sound))
        ratios.append([si_sdr(sound, made) for made in (heard, wiener(heard, sigma), sounds.denoise(heard))])
    before, filtered, mine = np.mean(ratios, axis=0)
    print(f"sound over noise {before:4.1f} dB, Wiener filter {filtered:4.1f} dB, network {mine:4.1f} dB")

# %%
heard = test[0] + test[0].std() * rng.normal(size=len(test[0]))
figures.spectrograms(
    {"as loud as its noise": heard, "restored": sounds.denoise(heard), "as it was": test[0]},
    RATE,
    title="What rises out of the noise comes back, and little of the noise with it",
)

# %% [markdown]
# It knows plucked strings and white noise, nothing else. On another instrument, or in traffic, train it on
# those. [More about photographs](../denoising.md), where nothing clean is known as well, and
# [about sounds](../denoising_audio.md). Next: [holes in pictures](7_holes.md).
