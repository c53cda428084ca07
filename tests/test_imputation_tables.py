"""Imputation of every kind of table: columns of all dtypes, odd shapes, files, the command line."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.utils.estimator_checks import parametrize_with_checks

from command_line import run
from isthmus import (
    Autoencoder,
    DataError,
    FileError,
    Imputer,
    Trainer,
    VaryingMask,
    denoising_autoencoder,
    load,
    save,
)
from isthmus.imputation.cells import habits_of
from isthmus.inputs import UnseenLevels
from test_imputation import quick


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Every kind of column, a fifth of most missing, a row of hardly any values, a double index."""
    rng = np.random.default_rng(0)
    n, a = 160, rng.normal(size=160)
    df = pd.DataFrame(
        {
            "number": a.round(2),
            "count": pd.array((a * 3 + 10).astype(int), dtype="Int64"),
            "flag": pd.array(a > 0, dtype="boolean"),
            "object": np.array([bool(v > 0) for v in a], dtype=object),
            "text": np.where(a > 0, "yes", "no"),
            "level": pd.Categorical(np.where(a > 0.5, "hi", "lo")),
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta((a * 100).astype(int), unit="D"),
            "single": a.astype(np.float32),
            "full": a**2,
            "constant": 3.0,
            "never": np.nan,
        },
        index=[5] * n,
    )
    gone = rng.random(df.shape) < 0.2
    gone[3] = True
    for j, name in enumerate(df):
        if name != "full":
            df[name] = df[name].where(~gone[:, j], None if df[name].dtype == object else pd.NA)
    return df.astype({"number": float, "constant": float, "never": float, "single": np.float32})


@pytest.fixture(scope="module")
def fitted(table) -> Imputer:
    """An imputer of that table."""
    return quick().fit(table)


def test_a_table_comes_back_full_in_its_own_dtypes_with_what_was_known_untouched(table, fitted):
    """Columns, order, index, dtypes; observed cells to the bit; a column without a value stays empty."""
    filled = fitted.transform(table)
    assert filled.dtypes.equals(table.dtypes)
    assert filled.index.equals(table.index)
    assert filled.drop(columns="never").notna().all(axis=None)
    assert filled["never"].isna().all()
    for name in table:
        known = table[name].notna().to_numpy()
        assert filled[name][known].equals(table[name][known])
    assert (filled["constant"] == 3.0).all()
    assert fitted.get_feature_names_out().tolist() == list(table)


def test_fills_keep_to_the_habits_of_their_column(table, fitted):
    """Within the range of what was seen, with as many decimals, days as days."""
    filled, gone = fitted.transform(table), table.isna()
    numbers = filled["number"][gone["number"].to_numpy()].to_numpy()
    np.testing.assert_array_equal(numbers, numbers.round(2))
    for name in ("number", "count", "when"):
        assert filled[name].min() >= table[name].min()
        assert filled[name].max() <= table[name].max()
    assert (filled["when"] == filled["when"].dt.normalize()).all()
    drawn = fitted.draws(table, 2)[1]
    assert set(drawn["count"].unique()) <= set(table["count"].dropna().unique())
    assert drawn.dtypes.equals(table.dtypes)


@pytest.mark.parametrize(
    ("values", "decimals"),
    [
        ([1.0, 2.0, 3.0], 0),
        ([1.25, 2.5], 2),
        ([22.0] * 99 + [0.42], 0),
        (np.random.default_rng(0).random(50), 6),
    ],
)
def test_decimals_are_those_of_nearly_all_values(values, decimals):
    """Ages are whole but for infants; a measurement has as many as its spread deserves."""
    assert habits_of(np.asarray(values)).decimals == decimals


def test_new_rows_reordered_with_gaps_and_levels_never_met_before(table, fitted):
    """A column complete at fit may have gaps later; an unseen level is kept as it is."""
    new = table.iloc[:3].copy()
    new["full"], new["text"] = [np.nan, 1.0, 1.0], ["perhaps", None, "no"]
    with pytest.warns(UnseenLevels, match="text"):
        filled = fitted.transform(new[new.columns[::-1]])
    assert filled.columns.tolist() == table.columns.tolist()[::-1]
    assert filled["text"].iloc[0] == "perhaps"
    assert filled["text"].iloc[1] in ("yes", "no")
    assert np.isfinite(filled["full"].iloc[0])


def test_intervals_name_every_cell_that_was_filled(table, fitted):
    """One line a gap that can be filled; numbers have ends around the value, the rest a probability."""
    found = fitted.intervals(table)
    gone = table.drop(columns="never").isna()
    assert len(found) == gone.to_numpy().sum()
    assert set(zip(found["row"], found["column"], strict=True)) == {
        (int(i), gone.columns[j]) for i, j in np.argwhere(gone.to_numpy())
    }
    for line in found.itertuples():
        if line.column in ("number", "count", "when", "constant", "single"):
            assert line.lower <= line.upper
            assert np.isnan(line.probability)
        else:
            assert line.lower is None
            assert 0.3 <= line.probability <= 1


def test_polars_frames_keep_their_schema(table):
    """A polars frame in, a polars frame of the same schema out."""
    frame = pl.from_pandas(table.reset_index(drop=True).drop(columns="object"))
    filled = quick().fit_transform(frame)
    assert isinstance(filled, pl.DataFrame)
    assert filled.schema == frame.schema
    assert filled.drop("never").null_count().sum_horizontal().item() == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_keep_their_dtype_and_what_is_known(dtype):
    """NaN filled, all else to the bit."""
    X = np.random.default_rng(0).normal(size=(60, 4)).astype(dtype)
    gone = np.random.default_rng(1).random(X.shape) < 0.2
    X[gone] = np.nan
    filled = quick().fit_transform(X)
    assert filled.dtype == dtype
    assert np.isfinite(filled).all()
    np.testing.assert_array_equal(filled[~gone], X[~gone])


def test_an_observed_average_is_no_gap():
    """Whole numbers whose mean is one of them: exact zeros once scaled, yet observed."""
    X = np.tile([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]], (20, 1))
    imputer = quick().fit(X)
    filled = imputer.transform(np.array([[2.0, np.nan]]))
    assert filled[0, 1] == pytest.approx(4.0, abs=0.1)


@pytest.mark.parametrize("shape", [(1, 3), (5, 3), (12, 40)])
def test_short_and_wide_tables_are_filled_with_the_mean(shape):
    """Too few rows to judge anything."""
    X = np.random.default_rng(0).normal(size=shape)
    X[0, 0] = np.nan
    imputer = quick(1).fit(X)
    expected = np.nanmean(X[:, 0]) if shape[0] > 1 else np.nan
    np.testing.assert_allclose(imputer.transform(X)[0, 0], expected, atol=1e-4)
    assert len(imputer.draws(X, 2)) == 2


@pytest.mark.parametrize(
    "model",
    [
        denoising_autoencoder(3, trainer=Trainer(max_epochs=4)),
        Autoencoder(2, trainer=Trainer(max_epochs=4)),
        PCA(2),
    ],
)
def test_any_autoencoder_or_transformer_may_fill(model):
    """Two numbers behind six columns: each is far better than the mean."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2)) @ rng.normal(size=(2, 6)) + 0.05 * rng.normal(size=(300, 6))
    gone = rng.random(X.shape) < 0.15
    table = np.where(gone, np.nan, X)
    filled = Imputer(model, folds=2, random_state=0).fit_transform(table)
    assert np.sqrt(np.mean((filled - X)[gone] ** 2)) < 0.5 * np.sqrt(np.mean(X[gone] ** 2))


def test_two_fits_with_one_seed_are_equal_and_touch_no_global_state():
    """Bits, and numpy's generator."""
    X = np.random.default_rng(0).normal(size=(80, 4))
    X[::5, 1] = np.nan
    before = np.random.get_state()[1].copy()
    first, second = (quick().fit_transform(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(before, np.random.get_state()[1])


def test_ctrl_c_keeps_what_was_learned_and_spares_the_models_to_come(monkeypatch):
    """The models being trained keep their best weights, others stay at EM; gaps are filled all the same."""
    monkeypatch.setattr("isthmus.many.STATE", 1)  # two at a time
    calls = []

    class Stopping(VaryingMask):
        """Ctrl-C while the first models are trained."""

        def __call__(self, x, layout, generator):
            calls.append(1)
            if len(calls) == 5:
                raise KeyboardInterrupt
            return super().__call__(x, layout, generator)

    X = np.random.default_rng(0).normal(size=(80, 2)) @ np.array([[1.0, 0.5, 0.2], [0.0, 1.0, -1.0]])
    X[::4, 0] = np.nan
    imputer = quick(50, folds=3)
    imputer.set_params(model=imputer.model.set_params(corruption=Stopping())).fit(X)
    first, second, third = (" ".join(model.notes_) for model in imputer.models_)
    assert "Interrupted in epoch" in first
    assert "Interrupted in epoch" in second
    assert "Interrupted before its turn" in third
    assert np.isfinite(imputer.transform(X)).all()


@parametrize_with_checks([quick(1)])
def test_it_passes_scikit_learns_own_checks(estimator, check):
    """All of them."""
    check(estimator)


def test_it_is_a_citizen_of_scikit_learn():
    """Cloned, asked for its parameters, with output as pandas."""
    imputer = quick()
    assert clone(imputer).get_params()["folds"] == 2
    X = np.random.default_rng(0).normal(size=(40, 3))
    X[0, 0] = np.nan
    out = imputer.set_output(transform="pandas").fit_transform(X)
    assert out.columns.tolist() == ["x0", "x1", "x2"]


@pytest.mark.parametrize(
    ("make", "data", "words"),
    [
        (lambda: Imputer(folds=1), np.ones((9, 2)), "folds must"),
        (lambda: Imputer(rounded=1), np.ones((9, 2)), "rounded must"),
        (lambda: Imputer("mean"), np.ones((9, 2)), "model must"),
        (Imputer, np.ones((3, 4, 5)), "X must be a table"),
        (Imputer, np.array([[np.inf, 1.0]] * 9), "infinity"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(make, data, words):
    """And nothing is left half fitted."""
    imputer = make()
    with pytest.raises(DataError, match=words):
        imputer.fit(data)
    assert not hasattr(imputer, "models_")


# ---------------------------------------------------------------- files


def test_a_saved_imputer_fills_draws_and_judges_as_before(table, fitted, tmp_path):
    """To the bit."""
    save(fitted, tmp_path / "i.isthmus")
    same = load(tmp_path / "i.isthmus")
    pd.testing.assert_frame_equal(same.transform(table), fitted.transform(table))
    pd.testing.assert_frame_equal(same.draws(table, 3)[2], fitted.draws(table, 3)[2])
    pd.testing.assert_frame_equal(same.intervals(table), fitted.intervals(table))
    pd.testing.assert_frame_equal(same.report_, fitted.report_)
    assert same.notes_ == fitted.notes_


def test_what_is_not_fitted_or_no_autoencoder_cannot_be_saved(tmp_path):
    """One sentence, no file."""
    X = np.random.default_rng(0).normal(size=(40, 3))
    for imputer in (Imputer(), Imputer(PCA(2), random_state=0).fit(X)):
        with pytest.raises(DataError):
            save(imputer, tmp_path / "i.isthmus")
    assert not (tmp_path / "i.isthmus").exists()


@pytest.mark.parametrize("change", ["blends", "habits", "spreads", "missing", "models"])
def test_a_crafted_file_is_refused(change, fitted, tmp_path):
    """Parts that do not fit the columns, by the header alone."""
    from isthmus.imputation.saved import packed
    from isthmus.sealed import write_sealed

    tensors, header = packed(fitted)
    write_sealed(tmp_path / "i.isthmus", tensors, {**header, change: header[change][:1]})
    with pytest.raises(FileError):
        load(tmp_path / "i.isthmus")


# ---------------------------------------------------------------- the command line


@pytest.fixture(scope="module")
def csv(tmp_path_factory):
    """A file with an identifier, a count, a category and gaps."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=80)
    df = pd.DataFrame(
        {"id": range(10**12, 10**12 + 80), "age": (40 + 10 * a).round(), "kind": np.where(a > 0, "x", "y")}
    )
    df["weight"] = 70 + 12 * a + rng.normal(size=80)
    for name in ("age", "kind", "weight"):
        df.loc[rng.random(80) < 0.2, name] = np.nan if name != "kind" else None
    df["age"] = df["age"].astype("Int64")
    path = tmp_path_factory.mktemp("impute") / "people.csv"
    df.to_csv(path, index=False)
    return path


def test_one_command_fills_a_file_and_what_it_learned_fills_the_next(csv, tmp_path):
    """Fit, fill, intervals, save; again from the saved file, with draws."""
    arguments = (
        "--exclude",
        "id",
        "--epochs",
        3,
        "--intervals",
        tmp_path / "i.csv",
        "--save",
        tmp_path / "m.isthmus",
    )
    done = run("impute", csv, "-o", tmp_path / "out.csv", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    facts, before, after = json.loads(done.stdout), pd.read_csv(csv), pd.read_csv(tmp_path / "out.csv")
    assert facts["filled"] == before.isna().to_numpy().sum() == len(pd.read_csv(tmp_path / "i.csv"))
    assert after.notna().all(axis=None)
    assert after["age"].dtype == np.int64
    for name in before:
        known = before[name].notna()
        assert (after[name][known] == before[name][known]).all()
    again = run(
        "impute",
        csv,
        "-o",
        tmp_path / "m.csv",
        "--model",
        tmp_path / "m.isthmus",
        "--exclude",
        "id",
        "--draws",
        3,
    )
    assert again.returncode == 0, again.stderr
    drawn = pd.read_csv(tmp_path / "m.csv")
    assert drawn.columns.tolist() == ["draw", "row", *before.columns]
    assert drawn.groupby("draw").size().tolist() == [80, 80, 80]
    told = run("info", tmp_path / "m.isthmus")
    assert "4 models" in told.stdout


def test_fit_makes_an_imputer_too(csv, tmp_path):
    """`fit --task impute`, over a model of one's own; `impute --model` reads it."""
    options = ("--task", "impute", "--kind", "denoising", "--code", 3, "--epochs", 2, "--exclude", "id", "-q")
    assert run("fit", csv, "-o", tmp_path / "m.isthmus", *options).returncode == 0
    done = run(
        "impute", csv, "-o", tmp_path / "o.csv", "--model", tmp_path / "m.isthmus", "--exclude", "id", "-q"
    )
    assert done.returncode == 0, done.stderr
    assert pd.read_csv(tmp_path / "o.csv").notna().all(axis=None)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-o", "out.txt"), "must end in"),
        (("-o", "out.csv", "--draws", "0"), "--draws must"),
        (("-o", "out.csv", "--alpha", "2"), "--alpha must"),
        (("-o", "out.csv", "--model", "none.isthmus"), "must be a file"),
        (("-o", "out.csv", "--save", "a.isthmus", "--model", "b.isthmus"), "--save must"),
    ],
)
def test_wrong_usage_is_one_sentence_and_writes_nothing(arguments, words, csv, tmp_path):
    """Exit status 1, nothing on the disk."""
    done = run("impute", csv, *arguments, folder=tmp_path)
    assert done.returncode == 1
    assert words in done.stderr
    assert not list(tmp_path.iterdir())


def test_only_what_is_filled_and_varies_is_judged():
    """Columns without gaps are not said to be filled, columns of one value are not compared with it."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(80, 2)), columns=["full", "gaps"])
    table["same"], table["word"] = 3.7, "x"
    table.loc[::4, ["gaps", "same", "word"]] = None
    imputer = quick().fit(table)
    report = imputer.report_.set_index("column")
    assert report.loc[["same", "word"], "hidden_cells"].tolist() == [0, 0]
    assert report.loc[["same", "word"], ["error", "error_of_mean"]].isna().all(axis=None)
    filled = [note for note in imputer.notes_ if note.startswith("Filled")]
    assert [note.partition(": ")[2] for note in filled] == ["gaps."]
    assert not any(note.startswith("Too few") for note in imputer.notes_)
    assert imputer.transform(table)["same"].eq(3.7).all()


def test_rounding_does_not_carry_a_fill_beyond_its_column():
    """A least value of 1.495 in a column of whole numbers otherwise is not rounded to 1."""
    rng = np.random.default_rng(0)
    x = np.r_[1.495, np.round(10 ** rng.uniform(0.5, 6, 119))]
    table = pd.DataFrame({"x": x, "log": np.log10(x) + 0.01 * rng.normal(size=120)})
    table.loc[[*range(0, 120, 6)][1:], "x"] = np.nan
    filled = quick(5).fit_transform(table)
    assert filled["x"].between(table["x"].min(), table["x"].max()).all()


def test_numbers_too_large_for_squared_errors_are_refused_by_name():
    """In what is learned from; new rows may hold them, and their gaps are filled."""
    X = np.random.default_rng(0).normal(size=(60, 3))
    X[2, 0] = np.nan
    great = X.copy()
    great[5, 1] = 1e300
    for some in (great, pd.DataFrame(great, columns=["a", "b", "c"])):
        with pytest.raises(DataError, match=r"too large: column .*, row 5, value 1e\+300\. Replace it"):
            quick().fit(some)
    filled = quick().fit(X).transform(great)
    assert np.isfinite(filled[2, 0])
    assert filled[5, 1] == 1e300


def test_whole_numbers_are_written_as_they_were(tmp_path):
    """18 beside 18.5, and in a column of floats that are whole but for its gaps; 18.0 where it was so."""
    rng = np.random.default_rng(0)
    age = rng.integers(18, 80, 60)
    lines = [f"{a if i % 7 else ''},{a + i % 2 / 2 if i % 2 else a},{a}.0" for i, a in enumerate(age)]
    (tmp_path / "t.csv").write_text("\n".join(["age,half,point", *lines]) + "\n")
    for extra in ((), ("--draws", 2)):
        done = run("impute", "t.csv", "-o", "o.csv", "--epochs", 1, *extra, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        written = pd.read_csv(tmp_path / "o.csv", dtype=str)
        assert not written["age"].str.contains(".", regex=False).any()
        assert written["half"][:60].tolist() == [line.split(",")[1] for line in lines]
        assert written["point"][:60].tolist() == [line.split(",")[2] for line in lines]
    pd.DataFrame({"a": np.where(np.arange(60) % 7, age, np.nan), "b": age / 2}).to_parquet(
        tmp_path / "t.parquet"
    )
    assert run("impute", "t.parquet", "-o", "o.csv", "--epochs", 1, folder=tmp_path).returncode == 0
    written = pd.read_csv(tmp_path / "o.csv", dtype=str)
    assert not written["a"].str.contains(".", regex=False).any()
    assert written["b"].str.contains(".", regex=False).all()
