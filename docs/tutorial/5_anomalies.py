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

detector = AnomalyDetector(alpha=0.01, random_state=0).fit(train)
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
# ## Does it find what nobody described?
#
# Two tests, each with ordinary rows to learn from and others to tell: 569 tumours with thirty measurements,
# of which the benign ones are ordinary; and digits, of which all but the 8 are. Of an ordinary and a strange
# row, how often does the strange one have the higher score? Beside it what is usually tried first, and the
# same detector over PCA. We know that the rows to learn from are clean, and say so.

# %%
import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from isthmus import NearFar

tumours, benign = load_breast_cancer(return_X_y=True)
digits, kinds = load_digits(return_X_y=True)
tests = {"tumours": (tumours, benign == 0, 250), "digits": (digits, kinds == 8, 1000)}
tried = {
    "isolation forest": IsolationForest(random_state=0),
    "local outlier factor": make_pipeline(StandardScaler(), LocalOutlierFactor(novelty=True)),
    "over PCA(8)": AnomalyDetector(PCA(8), anomaly_score=NearFar(clean=True), random_state=0),
    "over an autoencoder": AnomalyDetector(anomaly_score=NearFar(clean=True), random_state=0),
}
for what, (rows, strange, count) in tests.items():
    known = np.random.default_rng(0).permutation(np.flatnonzero(~strange))[:count]
    others, truth = np.delete(rows, known, 0), np.delete(strange, known)
    for name, one in tried.items():
        print(f"{what:8} {name:21} {roc_auc_score(truth, -one.fit(rows[known]).score_samples(others)):.3f}")

# %% [markdown]
# The way of scoring counts for more than the model below it. Over PCA the detector is best on the tumours,
# which lie far out along straight lines, and level with the autoencoder on the digits: try both, they go into
# the same place. That an isolation forest finds an 8 less strange than the rest is no slip. It looks for
# values at the edges, one column at a time, and an 8 is made of strokes that all digits share.
#
# [More about rates, scores and series](../anomaly.md), and
# [28 data sets](../../benchmarks/results/anomaly.md) beside other detectors. Next:
# [taking noise out](6_noise.md).
