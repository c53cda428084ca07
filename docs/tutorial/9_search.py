"""Use: finding what is like this."""

# %% [markdown]
# # 9. What is like this
#
# A code keeps what rows have in common. Rows whose codes are near are alike in what matters to the model, and
# what matters can be said: train it on pictures that were moved, turned and bent, and ask for them as they
# were. Then its code has no room for how a digit lies.

# %%
import numpy as np
from scipy.ndimage import shift
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from isthmus import MLP, Autoencoder, Distortion, Retriever, Trainer, figures

found = load_digits()
order = np.random.default_rng(0).permutation(len(found.images))
digits, kinds = found.images[order], found.target[order]
train, test, labels = digits[:1400], digits[1400:], kinds[1400:]

model = Autoencoder(
    16,
    architecture=MLP((512,), from_pca=False),
    corruption=Distortion(),
    trainer=Trainer(max_epochs=80, batch_size=128, lr=2e-3, held_out=0.0),
    random_state=0,
)
retriever = Retriever(model, random_state=0).fit(train, metadata={"kind": kinds[:1400]})
print(retriever.notes_[-1])

# %% [markdown]
# Nobody told it the kinds; they are stored beside the codes, to be shown and to judge by. Of the ten nearest
# to a digit it has never seen, how many are of its kind? Once as the digits are, and once moved by up to a
# pixel, which is an eighth of the picture. PCA's codes, 16 numbers as well, are the baseline.

# %%
rng = np.random.default_rng(0)
moved = np.stack([shift(digit, rng.uniform(-1, 1, 2), order=1) for digit in test])
plain = Retriever(PCA(16), random_state=0).fit(train.reshape(len(train), -1))


def of_its_kind(retriever, asked):
    """The share of the ten nearest that are of the kind of what was asked."""
    rows = retriever.query(asked, k=10)["row"]
    return float((kinds[np.asarray(rows)].reshape(-1, 10) == labels[:, None]).mean())


for name, asked in (("as they are", test), ("moved", moved)):
    by_pca = of_its_kind(plain, asked.reshape(len(asked), -1))
    print(f"{name:12} PCA {by_pca:.1%}, autoencoder {of_its_kind(retriever, asked):.1%}")

# %% [markdown]
# Digits that lie where all others lie are found by anything, PCA included. Moved ones show what the code was
# trained for.

# %%
few, right = moved[[0, 1, 4]], labels[[0, 1, 4]]
answers = [retriever.query(digit[None], k=8) for digit in few]
same = sum(int((answer["kind"] == kind).sum()) for answer, kind in zip(answers, right, strict=True))
figures.neighbours(
    few,
    [train[answer["row"]] for answer in answers],
    [[str(kind) for kind in answer["kind"]] for answer in answers],
    names=[f"asked: {kind}" for kind in right],
    title=f"Asked with digits that were moved: {same} of 24 found are of their kind",
)

# %% [markdown]
# Conditions on what is stored never shorten an answer: there are k rows where k rows satisfy them.

# %%
print(retriever.query(few[:1], k=3, where="kind in (3, 5)"))

# %% [markdown]
# ## In a table, with part of a row
#
# A question need not be a whole row. Of patients we ask for some of the columns, and why the first answer is
# one:

# %%
from isthmus.demo import mixed_table

patients = mixed_table()
people = Autoencoder(5, trainer=Trainer(max_epochs=60), random_state=0)
search = Retriever(people, random_state=0).fit(patients)
asked = {"age": 60, "sex": "female", "bmi": 33.0}
answer = search.query(asked, k=3)
print(answer[["row", "distance", "age", "sex", "bmi", "bp"]].to_string(index=False))
print(search.why(asked, int(answer["row"][0])).to_string(index=False))

# %% [markdown]
# [More about stores that last, duplicates, bits and large sets](../retrieval.md).
