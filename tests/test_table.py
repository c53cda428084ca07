"""Tables: every kind of column in, the same column out; nasty ones work or get one clear sentence."""

from __future__ import annotations

import datetime
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from isthmus import (
    Auto,
    Autoencoder,
    Boolean,
    Categorical,
    DataError,
    Numeric,
    Shared,
    Standard,
    Table,
    Trainer,
    UnitRange,
    Unscaled,
)
from isthmus.inputs import UnseenLevels
from isthmus.inputs.files import read
from isthmus.inputs.scaling import Scales
from isthmus.inputs.statistics import statistics_of
from isthmus.parts import pack, unpack
from isthmus.saving import known_parts

QUICK = Trainer(max_epochs=2)


def round_trip(X):
    """decode(encode(X)) through the JSON a saved file would hold."""
    schema = Auto().fit(X)
    same = unpack(pack(schema), known_parts())
    assert same == schema
    return same.decode(same.encode(X).x, like=X)


EVERY_KIND = {
    "small": pd.array([1, 2, 3, 250, 5, 6], dtype="uint8"),
    "whole": pd.array([1, 2, 3, 4, -5, 10**12], dtype="int64"),
    "whole with gaps": pd.array([1, None, 3, 4, 5, 6], dtype="Int64"),
    "single": pd.array([1.5, 2.5, np.nan, 4, 5, 6], dtype="float32"),
    "double": pd.array([1e12, 2e12, 3e12, np.nan, 5e12, 6e12], dtype="float64"),
    "nullable double": pd.array([0.1, None, 0.3, 0.4, 0.5, 0.6], dtype="Float64"),
    "yes": pd.array([True, False, True, True, False, False], dtype="bool"),
    "maybe": pd.array([True, None, True, False, False, True], dtype="boolean"),
    "text": pd.array(["a", "b", None, "a", "ü 漢", ""], dtype="str"),
    "string": pd.array(["a", "b", None, "a", "c", "c"], dtype="string"),
    "object": np.array(["x", None, "y", "x", "x", "y"], dtype=object),
    "ordered": pd.Categorical(
        ["lo", "hi", None, "lo", "lo", "hi"], categories=["lo", "mid", "hi"], ordered=True
    ),
    "numbers as levels": pd.Categorical([3, 1, 2, 3, 1, None]),
    "day": pd.to_datetime(["2024-01-01", None, "2024-02-01", "1969-07-20", "2024-05-05", "2024-06-06"]),
    "zoned": pd.to_datetime(["2024-01-01 10:00"] * 5 + [None]).tz_localize("Europe/Paris"),
    "seconds": pd.array(
        ["2024-01-01", None, "2024-02-01", "2024-03-01", "2024-04-01", "2024-05-01"], dtype="datetime64[s]"
    ),
    "span": pd.to_timedelta([1, 2, None, 4, 5, 6], "h"),
    "constant": np.ones(6),
    "empty": np.full(6, np.nan),
}


def test_every_pandas_kind_comes_back():
    """Same dtypes; known cells within float32 of their column's spread; levels and moments as they were."""
    df = pd.DataFrame(EVERY_KIND, index=list("uvwxyz"))
    back = round_trip(df)
    pd.testing.assert_series_equal(back.dtypes, df.dtypes)
    assert list(back.columns) == list(df.columns)
    assert back.index.equals(df.index)
    for name in df:
        known = df[name].notna()
        if pd.api.types.is_numeric_dtype(df[name]) and not pd.api.types.is_bool_dtype(df[name]):
            spread = float(df[name].astype(float).std() or 1.0) if known.any() else 1.0
            assert np.allclose(
                back[name][known].astype(float), df[name][known].astype(float), atol=1e-5 * spread
            )
        elif df[name].dtype.kind in "mM":
            spread = df[name].max() - df[name].min()
            apart = (back[name][known] - df[name][known]).abs().max()
            assert apart <= max(spread * 1e-5, pd.Timedelta("1s"))
        else:
            assert (back[name][known] == df[name][known]).all(), name
    assert back["empty"].isna().all()


def test_every_polars_kind_comes_back():
    """The same for polars, with its own dtypes."""
    df = pl.DataFrame(
        {
            "i8": pl.Series([1, 2, None], dtype=pl.Int8),
            "u64": pl.Series([1, 2, 3], dtype=pl.UInt64),
            "f32": pl.Series([1.5, None, 3.0], dtype=pl.Float32),
            "nan": [1.0, float("nan"), 3.0],
            "bool": [True, None, False],
            "text": ["a", None, "b"],
            "cat": pl.Series(["u", "v", None], dtype=pl.Categorical),
            "enum": pl.Series(["lo", "hi", None], dtype=pl.Enum(["lo", "mid", "hi"])),
            "date": [datetime.date(2024, 1, 1), None, datetime.date(2024, 1, 3)],
            "when": [datetime.datetime(2024, 1, 1, 12), None, datetime.datetime(2024, 1, 3)],
            "zoned": pl.Series([datetime.datetime(2024, 1, 1)] * 3).dt.replace_time_zone("Asia/Tokyo"),
            "span": [datetime.timedelta(hours=1), None, datetime.timedelta(hours=3)],
        }
    )
    back = round_trip(df)
    assert back.schema == df.schema
    for name in ("i8", "u64", "bool", "text", "cat", "enum", "date"):
        known = df[name].is_not_null()
        assert (back[name].filter(known) == df[name].filter(known)).all(), name


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int8", "uint8", "bool", "object"])
def test_array_dtypes_come_back(dtype):
    """And values within rounding."""
    X = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 100, size=(50, 4)).astype(dtype)
    back = round_trip(X)
    assert back.dtype == X.dtype
    assert np.allclose(back.astype(float), X.astype(float), atol=1e-3)


@pytest.mark.parametrize("shape", [(20, 8, 8), (20, 4, 4, 3)])
def test_pictures_keep_their_shape_and_share_one_range(shape):
    """Arrays of more than two dimensions are pixels."""
    X = np.random.default_rng(0).integers(0, 256, size=shape).astype(np.uint8)
    schema = Auto().fit(X)
    assert schema.layout.shape == shape[1:]
    assert schema.layout.positive
    assert (round_trip(X) == X).all()
    assert schema.encode(X).x.max() <= 1.0


names = st.text("abcdefg ", min_size=1, max_size=4)
kinds_of_column = st.sampled_from(["float", "int", "bool", "text", "category", "date"])


@st.composite
def frames(draw):
    """A pandas frame of one to five random columns with gaps, some of them all gap."""
    n = draw(st.integers(1, 12))
    columns = {}
    for name in draw(st.lists(names, min_size=1, max_size=5, unique=True)):
        kind = draw(kinds_of_column)
        value = {
            "float": st.one_of(st.none(), st.floats(-1e9, 1e9, width=32)),
            "int": st.one_of(st.none(), st.integers(-(10**6), 10**6)),
            "bool": st.one_of(st.none(), st.booleans()),
            "text": st.one_of(st.none(), st.text(max_size=3)),
            "category": st.one_of(st.none(), st.sampled_from(["x", "y", "z"])),
            "date": st.one_of(
                st.none(), st.datetimes(datetime.datetime(1980, 1, 1), datetime.datetime(2030, 1, 1))
            ),
        }[kind]
        dtype = {
            "float": "Float64",
            "int": "Int64",
            "bool": "boolean",
            "text": "string",
            "category": "category",
            "date": "datetime64[us]",
        }
        columns[name] = pd.Series(draw(st.lists(value, min_size=n, max_size=n)), dtype=dtype[kind])
    return pd.DataFrame(columns)


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(df=frames(), as_polars=st.booleans())
def test_any_table_survives_the_round_trip(df, as_polars):
    """Property: columns, order, dtypes, levels, truths come back; numbers within float32 of their spread;
    gaps flagged.
    """
    X = pl.from_pandas(df) if as_polars else df
    schema = Auto().fit(X)
    encoded = schema.encode(X)
    assert np.isfinite(encoded.x).all()
    observed = np.ones((len(df), df.shape[1]), bool) if encoded.observed is None else encoded.observed
    assert (observed == df.notna().to_numpy()).all()
    back = schema.decode(encoded.x, like=X)
    assert list(back.columns) == list(X.columns)
    assert list(back.dtypes) == list(X.dtypes)
    plain = back.to_pandas() if as_polars else back
    for name in df:
        known = df[name].notna().to_numpy()
        if not known.any():
            continue
        was, now = df[name][known], plain[name][known]
        if df[name].dtype in ("Float64", "Int64"):
            was, now = was.astype(float).to_numpy(), now.astype(float).to_numpy()
            assert (
                np.abs(was - now).max()
                <= 1e-5 * np.abs(was - was.mean()).max() + 1e-6 * np.abs(was).max() + 1e-9
            )
        elif df[name].dtype.kind != "M":
            assert list(was) == list(now)


# ---------------------------------------------------------------- nasty columns


def fit(X, **options):
    """A quick model."""
    return Autoencoder(1, inputs=Table(**options), trainer=QUICK, random_state=0).fit(X)


def test_constant_and_empty_columns_are_noted_and_come_back():
    """They carry nothing; the others are learned."""
    df = pd.DataFrame({"c": [5] * 30, "e": [None] * 30, "x": np.arange(30.0), "y": np.arange(30.0)})
    model = fit(df)
    back = model.reconstruct(df)
    assert (back["c"] == 5).all()
    assert back["e"].isna().all()
    assert any("'c' is constant" in note for note in model.notes_)
    kinds = pd.DataFrame({"n": [1.0, 1, None], "t": ["x", "x", None], "b": [True] * 3, "v": ["x", "y", "x"]})
    assert Table().fit(kinds).notes == tuple(f"Column {name!r} is constant." for name in "ntb")
    assert any("'e' has no value" in note for note in model.notes_)


def test_a_table_without_any_value_is_refused():
    """One sentence."""
    with pytest.raises(DataError, match="at least one value"):
        fit(pd.DataFrame({"a": [np.nan] * 20, "b": [None] * 20}))


def test_columns_around_1e12_keep_their_digits():
    """Differences of 1 at 10^12 survive float32, because scaling is in float64."""
    X = np.column_stack([1e12 + np.arange(100.0), np.arange(100.0)])
    assert np.abs(round_trip(X) - X).max() < 1e-2


def test_huge_and_tiny_scales_do_not_overflow():
    """1e300 and 1e-300 in one table."""
    X = np.random.default_rng(0).normal(size=(50, 2)) * [1e300, 1e-300]
    encoded = Auto().fit(X).encode(X).x
    assert np.allclose(encoded.std(0), 1, atol=1e-3)
    wild = Auto().fit(X).encode(X * 1e6).x
    assert np.isfinite(wild).all()


@pytest.mark.parametrize("great", [1e155, 1e300, 1.7e308])
def test_numbers_near_the_end_of_the_range_do_no_harm(great):
    """One, or a column of them, in what is fitted and in new rows: no warning, and the others are told."""
    rng = np.random.default_rng(0)
    X, calm = rng.normal(size=(200, 3)), rng.normal(size=(200, 3))
    X[3, 1], X[:, 2] = great, great / 10 * rng.uniform(-1, 1, 200)
    for fitted, new in ((X, X), (calm, X), (X, calm), (X[:, :1], X[:, 1:2])):
        schema = Auto().fit(fitted)
        encoded = schema.encode(new).x
        assert np.isfinite(encoded).all()
        assert np.isfinite(schema.decode(encoded)).all()
    back = Auto().fit(X).decode(Auto().fit(X).encode(X).x)
    assert np.allclose(back[:, 1], X[:, 1], rtol=0.1, atol=0.1)
    assert np.allclose(back[:, 2], X[:, 2], rtol=1e-3, atol=great * 1e-5)


def test_heavy_tails_are_squeezed_and_said_so():
    """Cauchy values: the bulk keeps its spread; the note names the column; the way back is exact."""
    df = pd.DataFrame(
        {
            "tail": np.random.default_rng(0).standard_cauchy(5000),
            "x": np.random.default_rng(1).normal(size=5000),
        }
    )
    schema = Auto().fit(df)
    assert any("'tail'" in note for note in schema.notes)
    x = schema.encode(df).x[:, 0]
    assert np.subtract(*np.percentile(x, [75, 25])) > 0.3
    back = schema.decode(schema.encode(df).x)["tail"]
    assert np.allclose(back, df["tail"], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("draw", ["normal", "uniform", "exponential", "lognormal", "poisson"])
def test_ordinary_columns_are_not_squeezed(draw):
    """100,000 values each: their extremes belong to them."""
    X = getattr(np.random.default_rng(0), draw)(size=(100_000, 1))
    assert Auto().fit(X).scales.squeezed == ()
    assert np.allclose(Auto().fit(X).encode(X).x[:, 0], (X[:, 0] - X.mean()) / X.std(), atol=1e-4)


def test_ten_thousand_levels_are_capped_and_said_so():
    """64 kept by frequency, the rest share one and come back as missing."""
    rng = np.random.default_rng(0)
    df = pd.DataFrame(
        {"id": [f"user {i}" for i in rng.zipf(1.3, 20_000) % 10_000], "x": rng.normal(size=20_000)}
    )
    model = fit(df)
    levels = df["id"].nunique()
    assert any(f"{levels:,} levels" in note and "64" in note for note in model.notes_)
    top = df["id"].value_counts().index[0]
    decoded = model.schema_.decode(model.schema_.encode(df).x)["id"]
    assert (decoded[df["id"] == top] == top).all()
    rare = df["id"].value_counts().index[-1]
    assert decoded[df["id"] == rare].isna().all()


def test_identifiers_are_pointed_out():
    """Every row its own level."""
    notes = fit(pd.DataFrame({"id": [str(i) for i in range(200)], "x": np.arange(200.0)})).notes_
    assert any("identifier" in note for note in notes)


def test_unseen_levels_count_as_missing_and_warn_once():
    """With the number of cells and an example."""
    df = pd.DataFrame({"k": ["a", "b"] * 20, "x": np.arange(40.0)})
    model = fit(df)
    new = df.head(4).assign(k=["a", "z", "z", "b"])
    with pytest.warns(UserWarning, match=r"'k': 2 cells .* 'z'") as caught:
        errors = model.errors(new)
    assert len(caught) == 1
    assert errors["k"].isna().tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    ("X", "error", "words"),
    [
        (pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]), DataError, "unique"),
        (pd.DataFrame([[1, 2], [3, 4]], columns=[("a", 1), ("b", 2)]), DataError, "strings or whole numbers"),
        (pd.DataFrame({"a": [[1], [2]]}), DataError, "numbers, text"),
        (pd.DataFrame({"a": []}), DataError, "0 sample"),
        (pd.DataFrame(index=range(3)), DataError, "0 feature"),
        (pd.DataFrame({"a": [1.0, np.inf], "b": [1, 2]}), DataError, "'a', row 1, value inf"),
        (np.array([[1.0, -np.inf]] * 3), DataError, "column 1, row 0, value -inf"),
        (np.ones(3), DataError, "2-D"),
        (np.ones((3, 2)) * 1j, DataError, "[Cc]omplex"),
        (sparse.csr_array([[1.0, np.nan]]), DataError, "NaN or infinity"),
        (np.array([["a", "b"]]), DataError, "numbers"),
        (np.array([[{}, 1]], dtype=object), TypeError, "number"),
        (pl.LazyFrame({"a": [1]}), DataError, "collect"),
        ("text", DataError, "2-D"),
        (None, ValueError, "X must"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_unusable_data_gets_one_sentence(X, error, words):
    """What, got, do."""
    with pytest.raises(error, match=words) as caught:
        Autoencoder(1, trainer=QUICK).fit(X)
    assert "\n" not in str(caught.value)


def test_names_may_be_whole_numbers_or_mixed():
    """0, "b", 2."""
    df = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 3)), columns=[0, "b", 2])
    back = fit(df).reconstruct(df)
    assert list(back.columns) == [0, "b", 2]


def test_missing_and_unknown_columns_are_named():
    """Not more than five of each."""
    df = pd.DataFrame(np.zeros((20, 8)) + np.arange(20)[:, None], columns=list("abcdefgh"))
    model = fit(df)
    with pytest.raises(DataError, match=r"lacks 'c'"):
        model.transform(df.drop(columns="c"))
    with pytest.raises(DataError, match=r"unknown 'new'"):
        model.transform(df.assign(new=1))
    with pytest.raises(DataError, match=r"and 2 more"):
        model.transform(df[["a"]])


def test_frames_and_arrays_stand_in_for_each_other_by_position():
    """Fitted on one, used with the other, when the count of columns fits."""
    df = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 3)), columns=list("abc"))
    by_frame, by_array = fit(df), fit(df.to_numpy())
    assert np.allclose(by_frame.transform(df.to_numpy()), by_frame.transform(df), atol=1e-6)
    assert np.allclose(by_array.transform(df), by_array.transform(df.to_numpy()), atol=1e-6)
    with pytest.raises(DataError, match="expecting 3 features"):
        by_frame.transform(df.to_numpy()[:, :2])


def test_kinds_can_be_chosen_by_name():
    """A number as levels, text as numbers, 0/1 as yes/no; a wrong choice is one sentence."""
    df = pd.DataFrame(
        {"zip": [10, 20, 10, 30] * 5, "n": ["1.5", "2", None, "4"] * 5, "flag": [0, 1, 1, 0] * 5}
    )
    model = fit(df, columns={"zip": Categorical(), "n": Numeric(), "flag": Boolean()})
    kinds = [cell.kind for cell in model.schema_.layout.cells]
    assert kinds == ["categorical", "numeric", "binary"]
    back = model.schema_.decode(model.schema_.encode(df).x)
    assert back["zip"].tolist() == df["zip"].tolist()
    assert back["flag"].tolist() == df["flag"].tolist()
    with pytest.raises(DataError, match="'zip' must hold numbers"):
        fit(df.assign(zip=["a", "b", "c", "d"] * 5), columns={"zip": Numeric()})
    with pytest.raises(DataError, match="name columns of X"):
        fit(df, columns={"zop": Categorical()})


@pytest.mark.parametrize(
    "scaling", [Standard(), Shared(), UnitRange(), UnitRange(-10, 10), Unscaled()], ids=repr
)
def test_scalings_are_exact_inverses(scaling):
    """And do what their names say."""
    X = np.random.default_rng(0).normal(size=(200, 3)) * [1, 5, 0.1] + [0, 3, -1]
    scales = scaling.fit(X)
    u = scales.encode(X)
    assert np.allclose(scales.decode(u), X)
    if isinstance(scaling, Shared):
        assert np.allclose(
            np.square(u).sum() / np.square(X - X.mean(0)).sum(), 3 * 200 / np.square(X - X.mean(0)).sum()
        )
        assert np.ptp([u[:, j].std() / X[:, j].std() for j in range(3)]) < 1e-12
    if scaling == UnitRange():
        assert (u.min(), u.max()) == (0, 1)


def test_gaps_in_every_kind_are_not_learned_from(tmp_path):
    """Cells that are missing have no error, and what stands in them changes nothing."""
    rng = np.random.default_rng(0)
    df = pd.DataFrame({"x": rng.normal(size=60), "k": rng.choice(["a", "b"], 60), "t": rng.random(60) < 0.5})
    holes = df.astype({"t": "boolean"}).mask(rng.random(df.shape) < 0.3)
    model = fit(holes)
    assert (model.errors(holes).isna() == holes.isna()).all().all()
    assert model.schema_.layout.gaps


@pytest.mark.parametrize(
    ("moments", "step"),
    [
        (["2024-01-01", "2024-02-05", None, "1960-12-31"], "D"),
        (["2024-01-01 10:00", "2024-02-05 11:00", None, "2024-03-01 12:00"], "h"),
        (["2024-01-01 10:00:01", "2024-02-05 11:00:59", None, "2024-03-01"], "s"),
    ],
)
@pytest.mark.parametrize("library", [pd, pl])
def test_moments_come_back_at_the_resolution_of_their_column(moments, step, library):
    """Whatever the network answers: whole days where all were whole days, and so on."""
    column = pd.to_datetime(pd.Series(moments), format="ISO8601")
    X = pd.DataFrame({"when": column, "n": [1.0, 2.0, 3.0, 4.0]})
    X = X if library is pd else pl.from_pandas(X)
    schema = unpack(pack(Auto().fit(X)), known_parts())
    back = schema.decode(np.array([[0.123, 0.0], [-0.456, 0.0]], dtype=np.float32))
    found = pd.Series(back["when"].to_list())
    assert (found == found.dt.floor(step)).all()


def test_decimals_are_numbers():
    """Exact decimals, as databases keep money in Parquet."""
    X = pd.DataFrame({"price": [Decimal("1.50"), None, Decimal("2.25")], "n": [1.0, 2.0, 3.0]})
    schema = Auto().fit(X)
    assert [cell.kind for cell in schema.layout.cells] == ["numeric", "numeric"]
    assert float(schema.decode(schema.encode(X).x)["price"][0]) == pytest.approx(1.5)


def test_unseen_levels_carry_their_count():
    """So that a face can add them up over blocks."""
    schema = Auto().fit(pd.DataFrame({"k": ["a", "b"] * 3}))
    with pytest.warns(UnseenLevels, match="3 cells hold a level") as caught:
        schema.encode(pd.DataFrame({"k": ["a", "z", "z", "y"]}))
    assert (caught[0].message.column, caught[0].message.count, caught[0].message.example) == ("k", 3, "z")


# ---------------------------------------------------------------- real tables


@pytest.mark.parametrize(
    ("name", "na"),
    [
        ("adult_test.csv", ["?"]),
        ("ames_raw.csv", []),
        ("horse_colic.csv", ["?"]),
        ("nyc_taxis.parquet", []),
        ("titanic.csv", []),
        ("penguins.csv", []),
    ],
)
def test_real_tables_are_learned_and_come_back(name, na, real):
    """Fitted briefly, rebuilt: the same columns, order and dtypes, and better than the mean."""
    X = read(real / "tables" / name, na=na)
    model = Autoencoder(8, trainer=Trainer(max_epochs=3), random_state=0).fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        back = model.reconstruct(X)
    pd.testing.assert_series_equal(back.dtypes, X.dtypes)
    assert len(back) == len(X)
    from isthmus import pca_comparison

    assert pca_comparison(model, X, X).explained > 0.3


def test_constant_columns_are_constant_however_long():
    """Rounding of their mean is no spread."""
    rng = np.random.default_rng(0)
    for value in rng.normal(size=20) * 100:
        scales = Standard()(np.full((20_000, 2), value), statistics_of(np.full((20_000, 2), value)))
        assert scales.scale == (1.0, 1.0)
        assert scales.centre == (value, value)


def test_statistics_of_blocks_are_those_of_the_whole():
    """Mean and deviation of columns far from 0, in any real dtype; None where something is missing."""
    rng = np.random.default_rng(0)
    for dtype in ("float64", "float32", "int32", "uint8", "bool"):
        X = (1000 * rng.random((70_000, 3))).astype(dtype)
        known = statistics_of(X)
        np.testing.assert_allclose(known.mean, X.astype(float).mean(0), rtol=1e-12)
        np.testing.assert_allclose(known.std, X.astype(float).std(0), rtol=1e-9)
        np.testing.assert_array_equal(known.low, X.min(0))
    assert statistics_of(np.array([[1.0, np.nan]])) is None
    assert statistics_of(np.array([[1.0, np.inf]])) is None


def test_a_scaling_of_ones_own_is_asked():
    """A subclass of Standard with another fit."""

    class Mine(Standard):
        def fit(self, values):
            return Scales((7.0,) * values.shape[1], (2.0,) * values.shape[1])

    assert Table(scaling=Mine()).fit(np.arange(6.0).reshape(3, 2)).scales.centre == (7.0, 7.0)
