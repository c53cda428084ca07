"""Denoising: the input is spoiled, the target is not."""

# %% [markdown]
# # 3. Give back what it was
#
# Another way to keep a network from copying: spoil what it sees, x_tilde, and ask for the clean x. Copying
# is now the wrong answer, so the code may be as wide as it likes. To undo the damage the network has to
# know what rows look like (Vincent et al. 2008).
#
#     x -> spoil -> x_tilde -> encode -> z -> decode -> x_hat           the loss is still L(x, x_hat)

# %%
import numpy as np

from isthmus import MLP, Autoencoder, GaussianNoise, Trainer, figures
from isthmus.auditing import views

rng = np.random.default_rng(0)
turn = np.pi * rng.uniform(0.5, 2.6, 500)
X = np.stack([turn * np.cos(turn), turn * np.sin(turn)], 1) / 4 + 0.06 * rng.normal(size=(500, 2))

parts = {"architecture": MLP((64, 64), from_pca=False), "corruption": GaussianNoise(0.3)}
denoiser = Autoencoder(32, trainer=Trainer(max_epochs=250), random_state=0, **parts).fit(X)
starts, ends = views.field(denoiser, X, 18)
figures.vector_field(starts, ends, points=X, title="From wherever it is put, r(x) points back to the data")

# %% [markdown]
# The arrows are more than a picture: for small noise of variance s^2, r(x) - x is s^2 times the slope of the
# log density (Alain & Bengio 2014). A denoiser has learned where the data are dense without ever being told a
# density.
#
# ## Digits with noise

# %%
from sklearn.datasets import load_digits

from isthmus import UnitRange
from isthmus.inputs import Table

digits = load_digits().data / 16
digits = digits[np.random.default_rng(0).permutation(len(digits))]
train, test = digits[:1400], digits[1400:]
noisy = test + 0.25 * np.random.default_rng(1).normal(size=test.shape)

pixels = Table(scaling=UnitRange(0, 1))
plain = Autoencoder(32, inputs=pixels, trainer=Trainer(max_epochs=60), random_state=0).fit(train)
model = Autoencoder(
    32, inputs=pixels, corruption=GaussianNoise(0.25), trainer=Trainer(max_epochs=60), random_state=0
)
model.fit(train)
cleaned = {
    "with noise": noisy[:12],
    "plain": plain.reconstruct(noisy[:12]),
    "denoising": model.reconstruct(noisy[:12]),
}
figures.reconstructions(
    test[:12], cleaned, (8, 8), title="Trained for it, a network takes more of the noise out"
)

# %%
for name, made in (
    ("noisy", noisy),
    ("plain", plain.reconstruct(noisy)),
    ("denoising", model.reconstruct(noisy)),
):
    print(f"{name:10} mean squared distance from the clean digit {np.square(made - test).sum(1).mean():.2f}")

# %% [markdown]
# The plain autoencoder removes some noise, because 32 numbers cannot carry all of it; the one that was
# trained for it removes more. How strong should the noise in training be? It depends on what the code is
# for:

# %%
from isthmus import tradeoff

path = tradeoff(model, train, "corruption__sigma", [0.02, 0.1, 0.2, 0.4, 0.8])
figures.tradeoff(path)

# %%
print(path)

# %% [markdown]
# Next: [contraction](4_contractive.md), which asks for the same without any noise.
