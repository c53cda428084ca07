"""Use: filling holes in pictures."""

# %% [markdown]
# # 7. What stood in the hole
#
# Masking is a corruption like noise, and its undoing is a use of its own. Digits with a hole of 4 x 4 of
# their 8 x 8 pixels; `Inpainter` learns from whole ones, in which it hides parts by itself.

# %%
import numpy as np
from sklearn.datasets import load_digits

from isthmus import Inpainter, Trainer, figures

digits = load_digits().images
digits = digits[np.random.default_rng(0).permutation(len(digits))]
train, test = digits[:1400], digits[1400:]

holes = np.zeros(test.shape, bool)
for hole, (top, left) in zip(holes, np.random.default_rng(1).integers(0, 5, (len(test), 2)), strict=True):
    hole[top : top + 4, left : left + 4] = True
torn = np.where(holes, np.nan, test)

inpainter = Inpainter(trainer=Trainer(max_epochs=10), random_state=0).fit(train)
filled = inpainter.transform(torn)
print("what was known is untouched:", bool((filled[~holes] == test[~holes]).all()))

# %% [markdown]
# How far off are the fills? Two things anybody would try first: the mean of each pixel, and the nearest
# among the training digits, by the pixels that are left.

# %%
from sklearn.impute import KNNImputer


def by_neighbours(count):
    """Holes filled with what the nearest training digits have there."""
    known = KNNImputer(n_neighbors=count, weights="distance").fit(train.reshape(len(train), -1))
    return known.transform(torn.reshape(len(torn), -1)).reshape(torn.shape)


fills = {
    "mean of the pixel": np.broadcast_to(train.mean(0), test.shape),
    "10 neighbours": by_neighbours(10),
    "network": filled,
}
for name, made in fills.items():
    print(f"{name:18} {np.sqrt(np.square(made - test)[holes].mean()):.2f} in 16 grey levels")

# %% [markdown]
# The neighbours are strong here, with 1,400 digits to choose from. The network starts from such fills and
# learns whom to trust where, so it cannot be much worse; on digits this small it is not much better either.
#
# A fill is the mean of all that could be there. Where a hole leaves open whether this is a 3 or an 8, the
# mean is neither. `draws` shows what else there could be, and `spread` where the fill is a guess:

# %%
shown = [2, 5, 8, 11]
found = [inpainter.draws(torn[i], draws=3) for i in shown]
figures.inpainted(
    torn[shown],
    holes[shown],
    filled[shown],
    clean=test[shown],
    draws=np.stack([each.pictures for each in found]),
    spread=np.stack([each.spread for each in found]),
    title="Filled with the mean of what is plausible, and with three single guesses",
)

# %%
spread = np.concatenate(
    [
        inpainter.draws(picture, draws=1).spread[hole]
        for picture, hole in zip(torn[:100], holes[:100], strict=True)
    ]
)
off = np.abs(filled - test)[:100][holes[:100]]
sure = spread <= np.median(spread)
print(f"mean error where it is surer: {off[sure].mean():.1f}, where it is less sure: {off[~sure].mean():.1f}")

# %% [markdown]
# [More about holes in photographs, and from the command line](../inpainting.md). Next: the same in tables,
# [gaps](8_gaps.md).
