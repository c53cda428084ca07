"""The audit: no verdict is wrong where the right one is known, and every look measures what it says."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ortho_group
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA

from command_line import run
from constructed import CASES, Case, curved, flat, independent
from isthmus import (
    MLP,
    Autoencoder,
    DataError,
    KLSparsity,
    Linear,
    SigmoidCode,
    Signals,
    SquaredError,
    Trainer,
    audit,
    k_sparse_autoencoder,
    linear_autoencoder,
    pca_comparison,
)
from isthmus.auditing.axes import Axes
from isthmus.auditing.dimension import two_nn
from isthmus.auditing.finding import plainly, times
from isthmus.auditing.probe import _dependence
from isthmus.auditing.stability import canonical, matched_atoms, procrustes
from isthmus.auditing.verdict import KINDS, Evidence, judged
from isthmus.demo import mixed_table


@pytest.mark.filterwarnings("ignore:n_components=20 is as wide")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_verdict_is_right(case: Case):
    """On every constructed case; and it is one to three sentences that say what to do."""
    train, test = case.rows()
    found = audit(case.model.fit(train), train, test)
    assert found.kind in case.right.split("|"), str(found)
    sentences = found.verdict.replace("1.0", "").split(". ")
    assert 1 <= len(sentences) <= 3
    assert found.verdict.endswith(".")


def test_the_cases_are_of_every_kind():
    """And at least twenty."""
    assert len(CASES) >= 20
    assert {kind for case in CASES for kind in case.right.split("|")} == set(KINDS)


@pytest.mark.filterwarnings("ignore:column .town.")
def test_a_column_that_cannot_be_read_any_more_is_named():
    """Levels spelled otherwise; rows of the same kind are not called another one."""
    rng = np.random.default_rng(0)
    place = rng.integers(3, size=600)
    columns = {f"v{j}": np.cos(1 + j + 2.0 * place) + 0.1 * rng.normal(size=600) for j in range(4)}
    table = pd.DataFrame({"town": np.array(["Aix", "Bonn", "Cork"])[place], **columns})
    model = Autoencoder(3, trainer=Trainer(max_epochs=20), random_state=0).fit(table[:400])
    same = audit(model, table[:400], table[400:]).shift
    assert same.size < 0.5
    assert (same.known, same.known_before) == (1, 1)
    other = audit(model, table[:400], table[400:].assign(town=table["town"] + ".")).shift
    assert (other.column, other.known, other.known_before) == ("town", 0, 1)
    assert "town (readable in 0% of them, and in 100% of training rows)" in str(other)
    assert other.size >= 1
    assert other.z > 6


def test_columns_that_come_back_worse_than_their_mean_are_named_in_the_verdict():
    """A good model is not good for them."""
    trainer = Trainer(max_epochs=40)
    model = Autoencoder(4, trainer=trainer, random_state=0).fit(curved(500, 0))
    found = audit(model, curved(500, 0), curved(300, 1))
    assert found.verdict.endswith("No sign of memorising: use it.")
    worst = dataclasses.replace(
        found.worst, explained=np.r_[-0.5, np.full(19, 0.9)], error=np.r_[2.0, np.ones(19)]
    )
    evidence = {name: getattr(found, name) for name in Evidence._fields if name != "dimension"}
    _, verdict = judged(Evidence(**{**evidence, "worst": worst}, dimension=4.0))
    assert verdict.endswith("use it, but not for column '0', where the mean is nearer.")
    assert "0 (worse than its mean)" in str(worst)
    little = dataclasses.replace(found.linear, explained=0.2, explained_by_pca=0.1, explained_by_twice=0.12)
    kind, verdict = judged(Evidence(**{**evidence, "linear": little}, dimension=4.0))
    assert kind == "good"
    assert verdict.endswith("use it; most is left out, and PCA with 8 numbers explains 12.0%.")


def test_axes_are_scikit_learns_for_every_number():
    """One decomposition, errors for each k."""
    x, y = curved(100, 0), curved(50, 1)
    axes = Axes(x, 10)
    for k in (1, 4, 10):
        pca = PCA(k).fit(x)
        by_hand = np.square(y - pca.inverse_transform(pca.transform(y))).sum(1)
        assert np.allclose(axes.errors(y, k), by_hand)


def test_the_comparison_is_that_of_pca_comparison():
    """On a mixed table with gaps, where no rows are left out."""
    table = mixed_table()
    model = Autoencoder(5, random_state=0, trainer=Trainer(max_epochs=5)).fit(table[:350])
    found, other = (
        audit(model, table[:350], table[350:]).linear,
        pca_comparison(model, table[:350], table[350:]),
    )
    assert found.explained == pytest.approx(other.explained, rel=1e-5)
    assert found.explained_by_pca == pytest.approx(other.pca_explained, rel=1e-5)
    assert found.comparison.standard_error == pytest.approx(other.standard_error, rel=1e-4)


def test_iterating_a_net_of_one_example_returns_it():
    """Law 12a, as the audit sees it: the one training row is an attractor, of noise as well."""
    X = np.random.default_rng(0).normal(size=(1, 12))
    trainer = Trainer(max_epochs=500, held_out=0.0, lr=3e-3)
    model = Autoencoder(
        24, architecture=MLP((64,), from_pca=False), code=SigmoidCode(), penalty=KLSparsity(0.5, weight=1e-6),
        trainer=trainer, random_state=0, loss=SquaredError(),
    )  # fmt: skip
    model.fit(np.repeat(X, 2, axis=0))
    found = audit(model, X, np.random.default_rng(1).normal(size=(30, 12)))
    assert found.attractors.share == found.attractors.from_noise == 1.0


def test_a_narrow_net_on_digits_has_next_to_no_attractors(digits):
    """Law 12b: at most 2% of the training rows."""
    model = Autoencoder(8, random_state=0, trainer=Trainer(max_epochs=15)).fit(digits[0])
    found = audit(model, *digits)
    assert found.attractors.share <= 0.02
    assert found.attractors.from_noise <= 0.02


@pytest.mark.parametrize("dimension", [1, 2, 4])
def test_two_nn_finds_the_dimension_of_a_flat_sheet(dimension):
    """Uniform on a cube, turned into ten dimensions: within a tenth."""
    rng = np.random.default_rng(dimension)
    sheet = rng.uniform(size=(1500, dimension)) @ ortho_group.rvs(10, random_state=0)[:dimension]
    assert two_nn(sheet) == pytest.approx(dimension, rel=0.12)


def test_slopes_of_a_linear_autoencoder_are_those_of_a_projection():
    """Five singular values of 1; by differences for PCA the same."""
    X, Y = flat(300, 0), flat(100, 1)
    exact = audit(linear_autoencoder(5).fit(X), X, Y).slopes
    other = audit(PCA(5).fit(X), X, Y).slopes
    for found in (exact, other):
        assert np.allclose(found.spectrum, 1, atol=1e-4)
        assert found.reconstruction == pytest.approx(5, abs=1e-3)
        assert found.dimension == pytest.approx(5, abs=1e-3)


@pytest.mark.parametrize("code", [SigmoidCode(), None])
def test_singular_values_are_those_of_the_jacobian(code):
    """Against numpy's of central differences of the network itself, in float64."""
    X = curved(80, 0)
    parts = {} if code is None else {"code": code}
    model = Autoencoder(3, trainer=Trainer(max_epochs=3), random_state=0, **parts).fit(X)
    x = model.schema_.encode(X[:4]).x
    import torch

    network = model.network_.double()
    for of, function in (("encoder", network.encode), ("reconstruction", network.reconstruct)):
        by_torch = [torch.autograd.functional.jacobian(lambda v, f=function: f(v[None])[0], row) for row in
                    torch.from_numpy(x).double()]  # fmt: skip
        expected = np.linalg.svd(torch.stack(by_torch).numpy(), compute_uv=False)[:, :3]
        network.float()
        assert np.allclose(model.singular_values(x, of), expected, rtol=1e-4, atol=1e-6)
        network.double()


def test_singular_values_of_convolutions_are_those_of_the_jacobian():
    """The decoder is differentiated forwards, one column at a time."""
    import torch

    X = np.random.default_rng(0).uniform(size=(40, 16, 16)).astype(np.float32)
    model = Autoencoder(3, trainer=Trainer(max_epochs=1), random_state=0).fit(X)
    x = model.schema_.encode(X[:2]).x
    found = model.singular_values(x)
    jacobians = [
        torch.autograd.functional.jacobian(lambda v: model.network_.reconstruct(v[None])[0], row)
        for row in torch.from_numpy(x)
    ]
    expected = np.linalg.svd(torch.stack(jacobians).numpy(), compute_uv=False)[:, :3]
    assert np.allclose(found, expected, rtol=1e-3)


def test_codes_agree_up_to_what_was_done_to_them():
    """A rotation: Procrustes 1. A linear map: canonical 1, Procrustes below. Independent codes: neither."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(500, 4)) * [3.0, 2.0, 1.0, 0.5]
    turned, mapped = z @ ortho_group.rvs(4, random_state=0), z @ rng.normal(size=(4, 4))
    assert procrustes(z, 2 * turned + 1) == pytest.approx(1)
    assert canonical(z, mapped) == pytest.approx(1)
    assert procrustes(z, mapped) < 0.99
    assert canonical(z, rng.normal(size=(500, 4))) < 0.2


def test_atoms_are_matched_whatever_their_order_and_sign():
    """A permuted dictionary is the same dictionary."""
    rng = np.random.default_rng(0)
    atoms = rng.normal(size=(6, 30))
    assert matched_atoms(atoms, -3 * atoms[rng.permutation(6)]) == pytest.approx(1)
    assert matched_atoms(atoms, rng.normal(size=(6, 30))) < 0.6


def test_linear_autoencoders_agree_over_seeds_and_dictionaries_are_matched():
    """PCA has one answer; stability is looked at only where it is asked for."""
    X, Y = flat(300, 0), flat(100, 1)
    model = linear_autoencoder(5, random_state=0).fit(X)
    assert audit(model, X, Y).stability is None
    found = audit(model, X, Y, seeds=3).stability
    assert found.seeds == 3
    assert found.canonical == pytest.approx(1, abs=1e-4)
    assert found.ranks == pytest.approx(1, abs=1e-4)
    sparse = k_sparse_autoencoder(10, 2, random_state=0, trainer=Trainer(max_epochs=5, lr=1e-2)).fit(X)
    assert 0 < audit(sparse, X, Y, seeds=2).stability.atoms <= 1


def test_units_that_say_the_same_of_every_row_are_dead():
    """Two of six, by setting their weights to zero."""
    X, Y = curved(200, 0), curved(100, 1)
    parts = {"architecture": MLP((), from_pca=False), "code": SigmoidCode(), "penalty": KLSparsity(0.2)}
    model = Autoencoder(6, random_state=0, trainer=Trainer(max_epochs=5), **parts).fit(X)
    weights = model.network_.state_dict()
    weights["encoder.layers.0.weight"][:2] = 0
    weights["encoder.layers.0.bias"][0] = 9.0
    found = audit(model, X, Y).units
    assert (found.count, found.dead, found.saturated, found.rho) == (6, 2, 1, 0.2)
    assert found.mean == pytest.approx(np.concatenate([model.transform(X), model.transform(Y)]).mean())


@pytest.mark.parametrize("rows", [4, 60], ids=["fewer rows than columns", "more"])
def test_dependence_is_counted_over_pairs_of_columns_of_different_cells(rows):
    widths, x = [1, 3, 1, 2, 1], np.random.default_rng(0).normal(size=(rows, 8))
    x[:, 7] = 1.0  # constant: no pair
    home, r = np.repeat(range(5), widths), np.corrcoef(x[:, :7].T)
    pairs = [r[i, j] ** 2 for i in range(7) for j in range(i) if home[i] != home[j]]
    expected = (sum(pairs) * (rows - 1) - len(pairs)) / np.sqrt(2 * len(pairs))
    assert _dependence(x, SimpleNamespace(widths=widths)) == pytest.approx(expected)


def test_the_column_that_is_noise_is_explained_worst():
    """By its name; and a constant column is not judged."""
    X = pd.DataFrame(flat(400, 0, rank=2, width=6, noise=0.0), columns=list("abcdef"))
    X["c"] = np.random.default_rng(5).normal(size=400)
    X["e"] = 1.0
    found = audit(
        Autoencoder(2, random_state=0, trainer=Trainer(max_epochs=10)).fit(X[:300]), X[:300], X[300:]
    )
    assert found.columns["column"][0] == "c"
    assert "e" not in list(found.columns["column"])


def test_held_out_rows_are_found_without_naming_them():
    """Those the model kept from training; PCA kept none, which is said."""
    X = curved(300, 0)
    model = Autoencoder(3, random_state=0, trainer=Trainer(max_epochs=10)).fit(X)
    assert audit(model, X).linear.rows == len(model.held_out_) == 30
    with pytest.raises(DataError, match="X_test must be given"):
        audit(PCA(3).fit(X), X)


def test_an_audit_is_the_same_twice_and_leaves_global_state_alone():
    """Also where rows are drawn, which is said."""
    X, Y = curved(2500, 0), curved(200, 1)
    model = PCA(4).fit(X)
    state = np.random.get_state()[1].copy()
    first, second = audit(model, X, Y), audit(model, X, Y)
    assert str(first) == str(second)
    assert np.array_equal(np.random.get_state()[1], state)
    json.loads(json.dumps(first.plain(), allow_nan=False))


def test_pictures_have_a_region_and_signals_a_place():
    """The corner that is noise is where pictures are rebuilt worst."""
    rng = np.random.default_rng(0)
    X = np.outer(rng.normal(size=200), np.linspace(0, 1, 64)).reshape(200, 8, 8)
    X[:, 0, 7] = 3 * rng.normal(size=200)
    found = audit(Autoencoder(1, architecture=Linear(), random_state=0).fit(X[:150]), X[:150], X[150:])
    assert found.worst.place == "row 0, column 7"
    assert found.worst.error.reshape(found.worst.shape).argmax() == 7
    X[:150, 0, 7] -= 30
    found = audit(Autoencoder(1, architecture=Linear(), random_state=0).fit(X[:150]), X[:150], X[150:])
    assert found.shift.column == "row 0, column 7"
    waves = Autoencoder(1, architecture=Linear(), inputs=Signals(), random_state=0).fit(X[:150])
    found = audit(waves, X[:150], X[150:])
    assert found.worst.place == "channel 0, step 7"
    assert not found.worst.is_picture


def test_the_command_line_audits_and_fit_ends_in_the_same_verdict(tmp_path):
    """A mixed table with gaps; another file than the training rows is refused unless it is --test."""
    table = mixed_table()
    table.to_csv(tmp_path / "t.csv", index=False)
    table[:60].to_csv(tmp_path / "new.csv", index=False)
    done = run("fit", "t.csv", "--code", 5, "--epochs", 5, "-o", "m.isthmus", "--json", folder=tmp_path)
    fitted = json.loads(done.stdout)
    done = run("audit", "m.isthmus", "t.csv", "--json", "--columns", "c.csv", folder=tmp_path)
    found = json.loads(done.stdout)
    assert found["verdict"] == fitted["verdict"]
    assert found["kind"] in KINDS
    assert found["linear"]["rows"] == fitted["held_out_rows"]
    columns = pd.read_csv(tmp_path / "c.csv")
    assert set(columns["column"]) == set(table.columns)
    assert columns["explained"].is_monotonic_increasing
    refused = run("audit", "m.isthmus", "new.csv", folder=tmp_path)
    assert refused.returncode == 1
    assert "must be the file the model was fitted on" in refused.stderr
    shown = run("audit", "m.isthmus", "t.csv", "--test", "new.csv", folder=tmp_path).stdout
    assert "60 held-out rows" in shown


def test_what_cannot_rebuild_is_refused():
    """One sentence."""
    from sklearn.preprocessing import Binarizer

    with pytest.raises(DataError, match="must have transform and inverse_transform"):
        audit(Binarizer(), independent(20, 0), independent(20, 1))
    with pytest.raises(DataError, match="seeds must be 0, or at least 2"):
        audit(PCA(2), independent(20, 0), independent(20, 1), seeds=1)


@pytest.mark.parametrize(
    ("ratio", "said"),
    [(0.5, "0.5 times"), (2.345, "2.3 times"), (468.2, "470 times"), (np.inf, "over 1,000 times")],
)
def test_ratios_are_told_as_people_say_them(ratio, said):
    """Two digits, no exponent, and nothing exact about what is huge."""
    assert times(ratio) == said


def test_a_number_keeps_its_digits_and_has_no_exponent():
    """Three digits of a large one and of a small one."""
    assert [plainly(number, 3) for number in (1.0345, 12_345.0)] == ["1.03", "12,300"]


def test_the_message_about_columns_names_what_was_asked():
    """Rows with a column too few: the model that was audited is named, by numbers and by names."""
    iris = load_iris().data
    pca = PCA(2).fit(iris)
    with pytest.raises(DataError, match="X has 3 features, but PCA is expecting 4 features"):
        audit(pca, iris, iris[:, :3])
    frame = pd.DataFrame(iris, columns=list("abcd"))
    with pytest.raises(DataError, match=r"must have the columns PCA was fitted on; got others: d, e\."):
        audit(PCA(2).fit(frame), frame, frame.rename(columns={"d": "e"}))
