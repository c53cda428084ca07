"""Use: what does not belong."""

# %% [markdown]
# # 5. What does not belong
#
# A model of ordinary rows fails on rows that are not. That is the oldest use of an autoencoder, and the one
# with the most traps: how large an error is too large, and is a large error enough? `AnomalyDetector` answers
# the first with rows that had no part in training, and looks at code and residual together for the second.
#
# A table of patients, numbers and categories with gaps, and three that were spoiled by hand:

# %%
from isthmus import AnomalyDetector, figures
from isthmus.demo import mixed_table

table = mixed_table()
train, new = table[:350], table[350:].reset_index(drop=True)
new.loc[0, "bmi"], new.loc[1, "bp"], new.loc[2, "s1"] = 95.0, 400.0, 900.0

detector = AnomalyDetector(random_state=0).fit(train)
p = detector.p_values(new)
print(
    "p-values of the three:",
    p[:3].round(4),
    "- flagged of the others:",
    int((p[3:] <= 0.01).sum()),
    "of",
    len(p) - 3,
)

# %% [markdown]
# Of rows like those it learned from, at most one in a hundred has a p-value of 0.01 or less, on average and
# however well or badly the model was trained; among 89 rows that may be none, or three. And it says which
# cell would have to be different:

# %%
for row in range(3):
    for column, value, better in detector.repairs(new[row : row + 1])[0]:
        print(f"row {row}: {column} is {value:g}, {better:.4g} would be ordinary")

# %%
scores, known = -detector.score_samples(new), detector.calibration_.scores
figures.anomaly_scores(known, scores, -detector.offset_)

# %% [markdown]
# [More about rates, scores and series](../anomaly.md).
