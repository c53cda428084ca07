"""Use: filling gaps in tables."""

# %% [markdown]
# # 8. What stood in the gap
#
# A gap in a table is a hole in a picture whose pixels have names. 569 tumours, 30 measurements of each; we
# take a fifth of all cells out and keep them aside. The imputer is given the table with its gaps and nothing
# else: what it knows of a column it has learned from cells that are left.

# %%
import numpy as np
from sklearn.datasets import load_breast_cancer

from isthmus import Imputer, figures

whole = load_breast_cancer(as_frame=True).data
hidden = np.random.default_rng(0).random(whole.shape) < 0.2
torn = whole.mask(hidden)

imputer = Imputer(random_state=0).fit(torn)
filled = imputer.transform(torn)

# %% [markdown]
# Errors on the hidden cells, in standard deviations of their column, beside what scikit-learn offers: the
# mean, the five nearest rows, and regressions of every column on all others, in turns.

# %%
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer

centre, spread = torn.mean(), torn.std()
scaled = (torn - centre) / spread
others = {
    "mean": SimpleImputer().fit_transform(scaled),
    "5 neighbours": KNNImputer().fit_transform(scaled),
    "regressions": IterativeImputer(random_state=0).fit_transform(scaled),
    "network": ((filled - centre) / spread).to_numpy(),
}
right = ((whole - centre) / spread).to_numpy()
for name, made in others.items():
    print(f"{name:13} {np.sqrt(np.square(made - right)[hidden].mean()):.2f}")

# %% [markdown]
# The measurements hang together almost linearly, so regressions are hard to beat, and they take a tenth of
# the time. What they do not give is how far off a fill may be. `intervals` does, cell by cell:

# %%
cells = imputer.intervals(torn, alpha=0.1)
column = "mean smoothness"
one = cells[cells["column"] == column]
figures.filled_cells(one, whole[column].to_numpy()[one["row"]], name=column)

# %%
place = whole.columns.get_indexer(cells["column"])
true = whole.to_numpy()[cells["row"], place]
held = (cells["lower"] <= true) & (true <= cells["upper"])
print(f"of all {len(cells):,} hidden cells {held.mean():.1%} lie inside their interval; 90% were promised")

# %% [markdown]
# One filled table makes every later analysis too sure of itself. `imputer.draws(torn, 20)` and `pool` carry
# the doubt along. [More about that, about categories, and about when to prefer something
# simpler](../imputation.md). Next: [search](9_search.md).
