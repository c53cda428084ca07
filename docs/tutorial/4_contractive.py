"""Contraction: what is rebuilt should not move when the input does."""

# %% [markdown]
# # 4. Hold still
#
# A third way: let the penalty be on movement itself. The Jacobian J says how the reconstruction moves when
# the input does, and lambda * norm(J)_F^2 asks it to hold still (Rifai et al. 2011). It cannot hold still
# everywhere, since different rows have to come back different. So it stays sensitive along the data, where
# it must, and goes flat across them, where it can.
#
# Two groups of points, and r along the line through both:

# %%
import numpy as np

from isthmus import L1, MLP, Autoencoder, Contraction, Trainer, figures
from isthmus.auditing import views

rng = np.random.default_rng(0)
X = np.array([[-1.0, 0.0], [1.0, 0.0]])[np.arange(300) % 2] + 0.1 * rng.normal(size=(300, 2))

wide = MLP((64,), from_pca=False)
weak = Autoencoder(8, architecture=wide, penalty=1e-6 * L1(), trainer=Trainer(max_epochs=150), random_state=0)
held = Autoencoder(
    8, architecture=wide, penalty=0.05 * Contraction(), trainer=Trainer(max_epochs=150), random_state=0
)
curves = {}
for name, model in (("plain", weak), ("contractive", held)):
    places, curves[name] = views.along_line(model.fit(X), [-2, 0], [2, 0])
at = (X[:60, 0] + 2) / 4
figures.contraction_along_line(places, curves, points=at, title="Flat at the data, steep between")

# %% [markdown]
# Plainly trained, the wide network has simply learned to copy: its line is the diagonal, and the audit says
# so.

# %%
from isthmus import audit

fresh = np.array([[-1.0, 0.0], [1.0, 0.0]])[np.arange(200) % 2] + 0.1 * rng.normal(size=(200, 2))
print("plain:      ", audit(weak, X, fresh).verdict)
print("contractive:", audit(held, X, fresh).slopes)

# %% [markdown]
# ## How many directions are left
#
# The singular values of the Jacobian say how strongly each direction around a row is followed. A code of
# eight numbers on digits follows eight; contracted, it follows each of them less, at next to no cost in what
# it explains.

# %%
from sklearn.datasets import load_digits

from isthmus import UnitRange
from isthmus.inputs import Table

digits = load_digits().data / 16
digits = digits[np.random.default_rng(0).permutation(len(digits))]
train, test = digits[:1400], digits[1400:]
spectra = {}
for name, penalty in (("plain", None), ("contractive", 0.03 * Contraction())):
    model = Autoencoder(
        8,
        inputs=Table(scaling=UnitRange(0, 1)),
        penalty=penalty,
        trainer=Trainer(max_epochs=40),
        random_state=0,
    )
    found = audit(model.fit(train), train, test)
    spectra[name] = found.slopes.spectrum
    print(
        f"{name:12} explains {found.linear.explained:.1%}, mean norm(J)^2 {found.slopes.reconstruction:.1f}"
    )

# %%
figures.jacobian_spectrum(spectra, title="Contraction makes the reconstruction follow less")

# %% [markdown]
# For small noise, denoising and contraction are nearly the same: training on noise of variance s^2 adds
# s^2 norm(J)^2 to the loss, and a further term that vanishes where the reconstruction is right (Bishop 1995).
# The penalty has the steadier gradient; noise costs nothing to compute.
#
# Penalising the *encoder* alone, as the original paper did, is safe only with tied weights: otherwise the
# code shrinks, the decoder grows, and nothing is contracted. `Contraction()` therefore reads the whole
# reconstruction. Next: [the uses](5_anomalies.md).
