"""Imputation: fills that do no harm, intervals that hold, draws that add up, and every kind of column."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal, t

from isthmus import DataError, Imputer, pool
from isthmus.discoveries import discoveries
from isthmus.gaussian import Gaussian
from isthmus.imputation import default_model
from isthmus.imputation.blend import blends_of
from isthmus.imputation.folds import Hidden


def quick(epochs: int = 3, folds: int = 2, **options: object) -> Imputer:
    """A default imputer that trains for a moment; at its start it is EM."""
    model = default_model(200, 0.2, folds).set_params(trainer__max_epochs=epochs, trainer__progress=False)
    return Imputer(model, folds=folds, random_state=0, **options)  # type: ignore[arg-type]


def gaussian_rows(n: int, d: int = 10, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n, d) and their covariance."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(d, d)) / np.sqrt(d)
    S = A @ A.T + 0.1 * np.eye(d)
    return rng.multivariate_normal(np.zeros(d), S, n), S


def conditional_mean(x: np.ndarray, gone: np.ndarray, S: np.ndarray) -> np.ndarray:
    """E(x_gone | rest) of one row of N(0, S), by the textbook's formula."""
    seen = ~gone
    return S[np.ix_(gone, seen)] @ np.linalg.solve(S[np.ix_(seen, seen)], x[seen])


# ---------------------------------------------------------------- the Gaussian


def test_gaussian_conditionals_are_the_textbooks():
    """Means and variances row by row against the partitioned formula."""
    X, S = gaussian_rows(20, 5)
    gone = np.random.default_rng(1).random(X.shape) < 0.4
    gone[0], gone[1] = False, True
    mean, variance = Gaussian(np.zeros(5), S).conditional(X, ~gone)
    for i in range(len(X)):
        m, o = gone[i], ~gone[i]
        expected = np.diagonal(
            S[np.ix_(m, m)] - S[np.ix_(m, o)] @ np.linalg.solve(S[np.ix_(o, o)], S[np.ix_(o, m)])
        )
        np.testing.assert_allclose(mean[i, m], conditional_mean(X[i], m, S), atol=1e-10)
        np.testing.assert_allclose(variance[i, m], expected, atol=1e-10)
        np.testing.assert_array_equal(mean[i, o], X[i, o])
        assert not variance[i, o].any()


def test_em_never_lowers_the_likelihood_of_what_is_seen_below_that_of_the_complete_cases():
    """EM on incomplete rows is likelier, on what is seen of them, than the covariance of complete rows."""
    X, _ = gaussian_rows(300, 4, seed=3)
    gone = np.random.default_rng(2).random(X.shape) < 0.3
    fitted = Gaussian.of(np.where(gone, 0.0, X), ~gone)
    complete = X[~gone.any(1)]

    def likelihood(mean, S):
        rows = [(X[i, ~g], mean[~g], S[np.ix_(~g, ~g)]) for i, g in enumerate(gone) if not g.all()]
        return sum(multivariate_normal(m, C).logpdf(x) for x, m, C in rows)

    assert likelihood(*fitted) > likelihood(complete.mean(0), np.cov(complete.T))


# ---------------------------------------------------------------- fills


def test_law_11_a_masked_autoencoder_imputes_the_conditional_mean():
    """Gaussian rows, ten columns, 30% missing at random: within 3% of the exact oracle."""
    X, S = gaussian_rows(1500)
    gone = np.random.default_rng(1).random(X.shape) < 0.3
    filled = quick(25, folds=3, rounded=False).fit_transform(np.where(gone, np.nan, X))
    exact = X.copy()
    for i in range(len(X)):
        exact[i, gone[i]] = conditional_mean(X[i], gone[i], S)
    ours, best = (np.sqrt(np.mean((fill - X)[gone] ** 2)) for fill in (filled, exact))
    assert 0.99 <= ours / best <= 1.03


def test_what_is_not_linear_is_learned_beyond_the_gaussian():
    """A column that is the square of another has no covariance with it."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=600)
    X = np.column_stack([a, a**2 - 1 + 0.1 * rng.normal(size=600), rng.normal(size=600)])
    gone = np.zeros(X.shape, bool)
    gone[rng.random(600) < 0.3, 1] = True
    table = np.where(gone, np.nan, X)
    imputer = quick(60, rounded=False).fit(table)
    wrong = np.sqrt(np.mean((imputer.transform(table) - X)[gone] ** 2))
    filled, _ = Gaussian.of(np.nan_to_num(table), ~gone).conditional(np.nan_to_num(table), ~gone)
    assert wrong < 0.7 * np.sqrt(np.mean((filled - X)[gone] ** 2))
    assert imputer.report_["model"][1] > 0.5


@pytest.mark.parametrize("make", ["normal", "random", "lognormal", "mixed"])
def test_where_nothing_can_be_learned_no_column_ends_worse_than_the_mean(make):
    """Independent columns, fresh rows: at most 1% over the mean of the training rows, and notes say so."""
    rng = np.random.default_rng(5)

    def rows(n):
        if make == "mixed":
            return np.column_stack(
                [rng.normal(size=n), rng.random(n) < 0.2, rng.lognormal(size=n), rng.random(n)]
            )
        return getattr(rng, make)(size=(n, 6))

    train, fresh = rows(250).astype(float), rows(4000).astype(float)
    train[rng.random(train.shape) < 0.3] = np.nan
    gone = rng.random(fresh.shape) < 0.3
    imputer = quick(80, folds=3, rounded=False).fit(train)
    filled = imputer.transform(np.where(gone, np.nan, fresh))
    for j in range(fresh.shape[1]):
        rows_ = gone[:, j]
        base = np.mean((fresh[rows_, j] - np.nanmean(train[:, j])) ** 2)
        assert np.sqrt(np.mean((filled - fresh)[rows_, j] ** 2) / base) <= 1.01
    assert any("Filled with the mean" in note for note in imputer.notes_)


def test_a_guess_that_is_noise_is_not_taken_and_one_that_is_right_is():
    """The blend alone, on made-up hidden cells."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(100, 1))
    noise, good = 0.5 * rng.normal(size=(100, 1)), truth + 0.1 * rng.normal(size=(100, 1))
    variance, numbers, mean = np.ones((100, 1)), np.arange(100), np.zeros(1)
    columns = [Hidden(numbers, truth, noise, network, variance) for network in (noise, good)]
    left, taken = blends_of(columns, [mean] * 2, [None] * 2, [0.0] * 2)
    assert left.weight == 0
    assert left.error == left.error_of_mean
    assert taken.network >= 0.9
    assert taken.weight == 1
    assert taken.error < 0.2 < taken.error_of_mean


def test_columns_beside_many_that_can_be_told_need_less_evidence():
    """Benjamini and Hochberg by hand: at a tenth, p of .08 passes beside three small ones and not alone."""
    assert discoveries(np.array([0.001, 0.002, np.nan, 0.08, 0.01]), 0.1).tolist() == [1, 1, 0, 1, 1]
    assert discoveries(np.array([0.08, 0.5, 0.7]), 0.1).tolist() == [0, 0, 0]
    assert discoveries(np.full(2, np.nan), 0.1).tolist() == [0, 0]
    rng = np.random.default_rng(0)
    nothing = [discoveries(rng.random(8), 0.1).any() for _ in range(2_000)]
    assert 0.08 < np.mean(nothing) < 0.12


# ---------------------------------------------------------------- intervals


def test_intervals_hold_the_truth_as_often_as_they_say(real):
    """Hidden cells of real tables at 90%: between 86 and 94%, and the notes say about as much."""
    for name in ("airfoil", "wine_white"):
        X = pd.read_csv(real / "tables" / "uci_imputation" / f"{name}.csv").to_numpy(float)[:1200]
        gone = np.random.default_rng(3).random(X.shape) < 0.25
        imputer = quick(10).fit(np.where(gone, np.nan, X))
        found = imputer.intervals(np.where(gone, np.nan, X), alpha=0.1)
        truth = X[found["row"], found["column"].astype(int)]
        inside = (truth >= found["lower"].astype(float)) & (truth <= found["upper"].astype(float))
        assert 0.86 <= inside.mean() <= 0.94
        assert 0.86 <= imputer.coverage_ <= 0.94
        assert any(f"{imputer.coverage_:.1%}" in note for note in imputer.notes_)


def test_intervals_are_narrow_where_the_row_says_much():
    """Two columns that nearly agree: the interval of one is narrow where the other is known."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=400)
    X = np.column_stack([a, a + 0.1 * rng.normal(size=400), rng.normal(size=400)])
    X[rng.random(X.shape) < 0.2] = np.nan
    known, alone = (
        quick()
        .fit(X)
        .intervals(np.array([[1.0, np.nan, 0.0], [np.nan, np.nan, 0.0]]))
        .iloc[[0, 2]]
        .itertuples()
    )
    assert known.column == alone.column == "1"
    assert known.upper - known.lower < 0.3 * (alone.upper - alone.lower)


# ---------------------------------------------------------------- draws


def test_draws_keep_columns_together_and_their_spread():
    """Both cells of a pair missing: drawn pairs have the correlation and the spread of the data."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=800)
    X = np.column_stack([a, 0.9 * a + np.sqrt(1 - 0.81) * rng.normal(size=800), rng.normal(size=800)])
    gone = rng.random(800) < 0.3
    table = X.copy()
    table[gone, :2] = np.nan
    made = np.concatenate([draw[gone] for draw in quick().fit(table).draws(table, 6)])
    assert abs(np.corrcoef(made[:, 0], made[:, 1])[0, 1] - 0.9) < 0.05
    np.testing.assert_allclose(made[:, :2].std(0), X[:, :2].std(0), rtol=0.1)


def test_pooled_draws_cover_the_mean_of_the_complete_table():
    """Rubin's intervals at 95% for a mean, a third missing by another column, hold the truth."""
    held = []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        a = rng.normal(size=150)
        X = np.column_stack([a, a + rng.normal(size=150)])
        X[rng.random(150) < 1 / (1 + np.exp(0.8 - 1.2 * a)), 1] = np.nan
        tables = quick(folds=4).set_params(random_state=seed).fit(X).draws(X, 10)
        pooled = pool([x[:, 1].mean() for x in tables], [x[:, 1].var(ddof=1) / 150 for x in tables], 149)
        low, high = pooled.interval(0.05)
        held.append(low <= 0 <= high)
        assert np.isnan(X[:, 1]).mean() > 0.25
        assert pooled.missing_information > 0.05
    assert np.mean(held) >= 13 / 16


def test_draws_of_a_level_come_as_often_as_it_does():
    """A category that depends on nothing is drawn with its frequencies."""
    rng = np.random.default_rng(0)
    df = pd.DataFrame(
        {"x": rng.normal(size=400), "kind": rng.choice(["a", "b", "c"], 400, p=[0.6, 0.3, 0.1])}
    )
    gone = rng.random(400) < 0.3
    df.loc[gone, "kind"] = None
    drawn = pd.concat([draw["kind"][gone] for draw in quick().fit(df).draws(df, 8)])
    shares, known = (some.value_counts(normalize=True) for some in (drawn, df["kind"].dropna()))
    np.testing.assert_allclose(shares[known.index], known, atol=0.06)


def test_the_same_call_gives_the_same_draws_and_they_differ_from_each_other():
    """One seed, one set of draws."""
    X, _ = gaussian_rows(120, 4)
    X[np.random.default_rng(0).random(X.shape) < 0.2] = np.nan
    imputer = quick().fit(X)
    first, second = imputer.draws(X, 3), imputer.draws(X, 3)
    np.testing.assert_array_equal(first, second)
    assert len({draw.tobytes() for draw in first}) == 3


# ---------------------------------------------------------------- pooling


def test_pooling_is_rubins_rules_with_the_degrees_of_barnard_and_rubin():
    """By hand: m = 4, q = 1, 2, 3, 2, u = 0.4, 60 complete degrees."""
    pooled = pool([1.0, 2.0, 3.0, 2.0], [0.4] * 4, complete_df=60)
    between = (1 + 0 + 1 + 0) / 3
    total = 0.4 + 1.25 * between
    share = 1.25 * between / total
    old, observed = 3 / share**2, 61 / 63 * 60 * (1 - share)
    df = old * observed / (old + observed)
    assert pooled.estimate == 2.0
    assert pooled.variance == pytest.approx(total)
    assert pooled.df == pytest.approx(df)
    half = t.ppf(0.975, df) * np.sqrt(total)
    np.testing.assert_allclose(pooled.interval(), (2 - half, 2 + half))
    assert pooled.p_value() == pytest.approx(2 * t.sf(2 / np.sqrt(total), df))
    ratio = 1.25 * between / 0.4
    assert pooled.missing_information == pytest.approx((ratio + 2 / (df + 3)) / (ratio + 1))


def test_pooling_equal_estimates_is_the_analysis_itself():
    """No difference between draws: the within variance, the complete degrees of freedom."""
    pooled = pool(np.ones((5, 2)), np.full((5, 2), 0.3), complete_df=20)
    np.testing.assert_allclose(pooled.variance, 0.3)
    np.testing.assert_allclose(pooled.df, 21 / 23 * 20)
    np.testing.assert_array_equal(pooled.missing_information, 0)


@pytest.mark.parametrize(
    ("estimates", "variances"), [([1.0], [1.0]), ([1.0, 2.0], [1.0]), ([1.0, 2.0], [1.0, -1.0])]
)
def test_pooling_refuses_what_it_cannot_pool(estimates, variances):
    """One sentence each."""
    with pytest.raises(DataError, match="must"):
        pool(estimates, variances)


# ---------------------------------------------------------------- what rows of real tables are like


def trips(rows: int = 800) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Trips of ten minutes over two months, some starts missing; the same without gaps; which are missing."""
    rng = np.random.default_rng(0)
    start = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.uniform(0, 60 * 86_400, rows).round(), unit="s")
    seconds = rng.gamma(2, 300, rows).round()
    whole = pd.DataFrame(
        {
            "start": start,
            "end": start + pd.to_timedelta(seconds, unit="s"),
            "fare": 3 + seconds / 100 + rng.normal(0, 0.5, rows),
        }
    )
    gone = rng.random(rows) < 0.15
    return whole.assign(start=whole["start"].mask(gone)), whole, gone


def test_a_start_is_filled_from_its_end_to_the_minute():
    """Months apart from each other, minutes from their partner: what is told of the error is what it is."""
    table, whole, gone = trips()
    imputer = quick().fit(table)
    off = (imputer.transform(table)["start"] - whole["start"])[gone].dt.total_seconds()
    error = float(np.sqrt((off**2).mean()))
    assert error < 120
    told = imputer.report_.set_index("column").loc["start"]
    assert told["kind"] == "moment"
    assert told["error"] == pytest.approx(error, rel=0.4)


def test_names_explain_nothing_and_their_gaps_stay():
    """A column of names beside b = 2 a: b is filled from a, and no name is made up."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=80)
    table = pd.DataFrame({"name": [f"person {i}" for i in range(80)], "a": a, "b": 2 * a})
    gone = rng.random(80) < 0.2
    table.loc[gone, "b"] = np.nan
    table.loc[:3, "name"] = None
    imputer = quick().fit(table)
    filled = imputer.transform(table)
    assert np.abs(filled["b"] - 2 * a)[gone].max() < 0.05
    assert filled["name"].isna().sum() == 4
    assert any("'name' repeats none" in note for note in imputer.notes_)


def test_gaps_that_come_together_are_judged_together():
    """Two copies of a number always missing at once: the error told is that without the other copy."""
    rng = np.random.default_rng(0)
    a, c = rng.normal(size=600), rng.normal(size=600)
    X = np.column_stack([a, a + 0.01 * rng.normal(size=600), 0.8 * a + 0.6 * c])
    X[rng.random(600) < 0.2, :2] = np.nan
    told = quick().fit(X).report_
    assert told["error"][0] == pytest.approx(0.6, rel=0.25)
    assert told["error"][2] < 0.7


def test_a_rare_level_that_cannot_be_filled_in_counts_as_wrong():
    """Twenty names met twice beside one met four times: the fill is that one, and known to be doubtful."""
    rng = np.random.default_rng(0)
    names = [f"name {i}" for i in range(20) for _ in range(2)] + ["x"] * 4
    table = pd.DataFrame({"name": rng.permutation(names), "a": rng.normal(size=len(names))})
    table.loc[:5, "name"] = None
    imputer = quick().fit(table)
    sure = imputer.intervals(table)["probability"]
    assert len(sure) == 6
    assert (sure < 0.3).all()
    assert imputer.report_.set_index("column").loc["name", "error"] > 0.7


def test_a_column_constant_beside_its_gaps_is_nobodys_partner():
    """Whether a trip has ended tells nothing where its end is known."""
    table, whole, gone = trips()
    table.insert(0, "ended", table["start"].notna().mask(gone, True))
    table.loc[::40, "end"], table.loc[::40, "ended"] = pd.NaT, False
    off = (quick().fit(table).transform(table)["start"] - whole["start"])[gone].dt.total_seconds().abs()
    assert off.median() < 120
