"""Sparse codes: wide, and mostly off."""

# %% [markdown]
# # 2. A code that is mostly off
#
# A bottleneck need not be narrow. A code may have more units than it needs, if only a few may be on for any
# one row: then each unit has to stand for something that many rows share, and which units are on says what
# kind of row this is. Three ways to ask for it:
#
# | | in words | in code |
# |---|---|---|
# | L1 | activity costs: lambda * sum_i abs(a_i) | `penalty=0.1 * L1()` |
# | KL | every unit should be on for a share rho of the rows | `penalty=3.0 * KLSparsity(rho=0.05)` |
# | top k | only the k largest pass | `code=TopK(k)` |
#
# The KL penalty compares a unit's mean activation with rho, as one would compare two biased coins:

# %%
from isthmus import figures

figures.kl_penalty()

# %%
import numpy as np
from sklearn.datasets import load_digits

from isthmus import MLP, Autoencoder, KLSparsity, SigmoidCode, Trainer, UnitRange, audit, k_sparse_autoencoder
from isthmus.inputs import Table

digits, kinds = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(digits))
train, test, labels = digits[order[:1400]], digits[order[1400:]], kinds[order[1400:]]
pixels = Table(scaling=UnitRange(0, 16))

parts = {"architecture": MLP(()), "code": SigmoidCode(), "penalty": KLSparsity(rho=0.1)}
by_kl = Autoencoder(32, inputs=pixels, trainer=Trainer(max_epochs=40), random_state=0, **parts).fit(train)
print(audit(by_kl, train, test).units)

# %% [markdown]
# Asking is not getting: the penalty's weight decides how near the mean comes to rho. The top-k code takes
# what it wants by construction. Here six of 64 units pass:

# %%
sparse = k_sparse_autoencoder(64, 6, inputs=pixels, trainer=Trainer(max_epochs=60, lr=1e-2), random_state=0)
sparse.fit(train)
one_of_each = [int(np.flatnonzero(labels == kind)[0]) for kind in range(10)]
figures.activations(sparse.transform(test[one_of_each]), names=labels[one_of_each])

# %% [markdown]
# Different digits light different units. What a unit adds to a picture is its *atom*, a column of the
# decoder's weights; a digit is a sum of six of them:

# %%
atoms = sparse.network_.state_dict()["decoder.layers.0.weight"].numpy().T
figures.filters(atoms, (8, 8), title="64 atoms: strokes, and where they are")

# %%
print(audit(sparse, train, test).verdict)

# %% [markdown]
# The comparison with PCA is fair to both: PCA gets as many numbers as are on at once. On patches of
# photographs the atoms become edges (`examples/picture_book.py` draws them), as in Olshausen & Field
# (1996).
#
# How much sparsity is enough? The reconstruction cannot say, since it always prefers less:
# [choose by the use](../audit.md#what-a-penalty-is-worth). Next: [denoising](3_denoising.md).
