"""The narrow code: what an autoencoder is, and what it has that PCA has not."""

# %% [markdown]
# # 1. A narrow code
#
# An autoencoder is asked for something easy: give back what you are given. What makes it learn is the road it
# has to take. All of a row must pass through a few numbers, the *code* z, and be rebuilt from them:
#
#     x -> encode -> z -> decode -> x_hat            the loss is L(x, x_hat), here norm(x - x_hat)^2
#
# A code narrower than the row cannot carry everything, so training keeps what matters most for telling rows
# apart. Nobody has to label anything.
#
# Take points on a spiral. Each has two coordinates, and one number would do: how far along the spiral it is.

# %%
import numpy as np
from sklearn.decomposition import PCA

from isthmus import MLP, Autoencoder, Trainer, audit, figures
from isthmus.auditing import views

rng = np.random.default_rng(0)
turn = np.pi * rng.uniform(0.5, 2.6, 500)
X = np.stack([turn * np.cos(turn), turn * np.sin(turn)], 1) / 4 + 0.06 * rng.normal(size=(500, 2))

model = Autoencoder(1, architecture=MLP((64, 64)), trainer=Trainer(max_epochs=250), random_state=0).fit(X)
pca = PCA(1).fit(X)
rebuilt = {"PCA(1)": views.rebuilt(pca, X), "autoencoder, 1 number": model.reconstruct(X)}
figures.manifolds(X, rebuilt, title="One number each: PCA cuts across, the curve follows")

# %% [markdown]
# PCA is the same game with both halves linear, so all it can do is to lay a straight line through the data
# (Bourlard & Kamp 1988). The autoencoder bends. `isthmus` begins its training exactly at PCA, and can only
# gain from there.
#
# ## Digits
#
# Pictures of 8 x 8 pixels have 64 numbers each. How few will do?

# %%
from sklearn.datasets import load_digits

from isthmus import UnitRange, component_curve
from isthmus.inputs import Table

digits, kinds = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(digits))
train, test, labels = digits[order[:1400]], digits[order[1400:]], kinds[order[1400:]]

base = Autoencoder(inputs=Table(scaling=UnitRange(0, 16)), trainer=Trainer(max_epochs=60))
curve = component_curve(train, test, most=12, model=base)
figures.component_curve(curve)

# %% [markdown]
# Each number added explains more, and each adds less than the one before. We go on with eight.

# %%
model = Autoencoder(8, inputs=base.inputs, trainer=Trainer(max_epochs=50), random_state=0).fit(train)
eight = PCA(8).fit(train)
few = test[:12]
rows = {"autoencoder": model.reconstruct(few), "PCA": views.rebuilt(eight, few).clip(0, 16)}
figures.reconstructions(few, rows, (8, 8), title="From 8 numbers: the strokes stay where PCA blurs them")

# %% [markdown]
# A good reconstruction is a promise, not a proof. The network might have learned its 1,400 digits by heart,
# or found a way to copy. The audit looks for both, on rows it has not learned from:

# %%
print(audit(model, train, test))

# %% [markdown]
# ## What the code looks like
#
# With two numbers every digit is a point on a page, and the ten kinds begin to part, though nobody told the
# network that there are ten.

# %%
two = Autoencoder(2, inputs=base.inputs, trainer=Trainer(max_epochs=80), random_state=0).fit(train)
figures.latent_scatter(two.transform(test), colour=labels, title="In two numbers the kinds begin to part")

# %% [markdown]
# Walking from the code of one digit to that of another, everything in between is decoded as well:

# %%
between = views.interpolations(model, test[:4], test[4:8])
names = [f"{a} to {b}" for a, b in zip(labels[:4], labels[4:8], strict=True)]
figures.picture_rows(
    between, (8, 8), names=names, title="On the way strokes move", along="from one code to the other"
)

# %% [markdown]
# Next: [codes that are wide, and mostly off](2_sparse.md).
