"""The trade-off: reconstruction, regularity and use, for a path of one number."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from constructed import curved
from isthmus import L1, Autoencoder, Contraction, DataError, ReLUCode, Trainer, tradeoff
from isthmus.auditing.subject import subject_of
from isthmus.auditing.uses import anomaly_auc, neighbours_kept, noise_left

TRAINER = Trainer(max_epochs=15)


def test_a_penalty_buys_regularity_with_reconstruction():
    """More L1: fewer activations, more error; the best for each use is on the path."""
    model = Autoencoder(16, code=ReLUCode(), penalty=L1(), trainer=TRAINER, random_state=0)
    path = tradeoff(model, curved(400, 0), "penalty__weight", [1e-3, 0.3, 3.0])
    density, error = ([row[name] for row in path.rows] for name in ("density", "error"))
    assert density[0] > density[1] > density[2]
    assert error[0] < error[2]
    assert path.best["error"] == 1e-3
    assert set(path.best.values()) <= {1e-3, 0.3, 3.0}
    assert list(path.frame["value"]) == [1e-3, 0.3, 3.0]
    assert [each.penalty.weight for each in path.models] == [1e-3, 0.3, 3.0]


def test_contraction_makes_the_jacobian_smaller():
    """By the name of one term of a sum."""
    model = Autoencoder(4, penalty=0.0 * L1() + Contraction(), trainer=Trainer(max_epochs=5), random_state=0)
    path = tradeoff(model, curved(200, 0), "penalty__contraction__weight", [0.0, 1.0])
    assert path.rows[1]["jacobian"] < path.rows[0]["jacobian"]


def test_uses_are_what_they_say():
    """PCA as the independent source: with all axes it copies noise, with eight it removes some."""
    from sklearn.decomposition import PCA

    X, Y = curved(300, 0), curved(200, 1)
    copy = subject_of(PCA(20).fit(X), X, Y, 0)
    assert noise_left(copy) == pytest.approx(1.0)
    assert neighbours_kept(copy) == pytest.approx(1.0, abs=0.01)
    narrow = subject_of(PCA(8).fit(X), X, Y, 0)
    assert noise_left(narrow) < 0.8
    x = narrow.complete(narrow.test)
    assert anomaly_auc(narrow) > 0.9
    assert neighbours_kept(narrow, np.zeros(200)) == 1.0
    errors = [
        np.square(rows - narrow.rebuilt(rows)).sum(1)
        for rows in (x, np.random.default_rng(0).permuted(x, axis=0))
    ]
    assert roc_auc_score(np.repeat([0, 1], 200), np.concatenate(errors)) > anomaly_auc(narrow)


def test_what_is_no_path_is_refused():
    """A parameter that is not there; no values."""
    model = Autoencoder(3, penalty=L1(), trainer=TRAINER)
    with pytest.raises(DataError, match="must be one of"):
        tradeoff(model, curved(60, 0), "penalty__wieght", [0.1])
    with pytest.raises(DataError, match="at least one number"):
        tradeoff(model, curved(60, 0), values=[])
    for y, got in ((np.zeros(10), "10"), (1, "one value")):
        with pytest.raises(DataError, match=f"y must hold a label for each of 60 rows; got {got}"):
            tradeoff(model, curved(60, 0), values=[0.1], y=y)
