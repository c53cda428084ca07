"""Retrieval: neighbours, filters, halves of rows, explanations, groups, on every kind of store."""

from __future__ import annotations

import os
import uuid

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler

from isthmus import Autoencoder, BinaryCode, DataError, FileError, Nested, Trainer
from isthmus.retrieval import ITQ, Cosine, Euclidean, Graph, MeanShift, Prefix, Retriever, Standardised
from isthmus.retrieval.exact import nearest, pairs_within
from isthmus.retrieval.kept import keep, kept_again
from isthmus.retrieval.metric import chosen
from isthmus.retrieval.where import read_where
from isthmus.sealed import part_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4)) @ RNG.normal(size=(4, 6))
META = {"price": np.arange(300) % 40, "label": ["shoe" if i % 3 else "hat" for i in range(300)]}
POSTGRES = os.environ.get("ISTHMUS_POSTGRES", "")
STORES = [
    "memory",
    "folder",
    pytest.param("postgres", marks=pytest.mark.skipif(not POSTGRES, reason="no server")),
]


@pytest.fixture(params=STORES)
def place(request, tmp_path):
    """A new store of each kind."""
    if request.param == "postgres":
        return f"{POSTGRES}#t{uuid.uuid4().hex[:12]}"
    return None if request.param == "memory" else tmp_path / "store"


def table() -> pd.DataFrame:
    """A mixed table in which every column depends on two hidden numbers."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 400))
    return pd.DataFrame(
        {
            "size": 10 + 3 * a,
            "weight": 50 + 9 * a + b,
            "colour": np.where(b > 0, "red", "blue"),
            "sold": a + b > 0,
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.rint(100 * b), "D"),
        }
    )


@pytest.fixture(scope="module")
def model() -> Autoencoder:
    """A small model of the table."""
    return Autoencoder(3, random_state=0, trainer=Trainer(max_epochs=30)).fit(table())


# ---------------------------------------------------------------- neighbours


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_neighbours_are_those_of_scikit_learn(place, metric):
    """Exact search over the codes, whatever keeps them."""
    pca = PCA(3).fit(X)
    z = pca.transform(X)
    part = Euclidean() if metric == "euclidean" else Cosine()
    with Retriever(pca, metric=part, store=place).fit(X) as retriever:
        distances, ids = retriever.kneighbors(X[:40], 7)
    known = NearestNeighbors(n_neighbors=7, metric=metric).fit(z - z.mean(0))
    expected, places = known.kneighbors(z[:40] - z.mean(0))
    np.testing.assert_array_equal(ids, places)
    np.testing.assert_allclose(distances, expected, atol=2e-3)


def test_exact_search_is_brute_force_at_every_block_boundary():
    """Also with vectors left out, more asked for than there are, and ties in the order of their places."""
    rng = np.random.default_rng(2)
    v, q = rng.normal(size=(20_000, 5)).astype(np.float32), rng.normal(size=(300, 5)).astype(np.float32)
    squares = np.square(q[:, None].astype(float) - v[None, :, :].astype(float)).sum(2)
    alive = rng.random(20_000) < 0.7
    squares_alive = np.where(alive, squares, np.inf)
    for some, mask in ((squares, None), (squares_alive, alive)):
        distances, places = nearest(q, v, 10, mask)
        np.testing.assert_array_equal(places, np.argsort(some, 1, kind="stable")[:, :10])
        np.testing.assert_allclose(distances, np.sqrt(np.sort(some, 1)[:, :10]), rtol=1e-5)
    few, there = nearest(q[:2], v[:3], 5)
    assert np.isinf(few[:, 3:]).all()
    assert (there[:, 3:] == -1).all()
    assert nearest(np.zeros((1, 2), np.float32), np.ones((9000, 2), np.float32), 4)[1].tolist() == [
        [0, 1, 2, 3]
    ]


def test_bits_are_compared_by_counting():
    """Packed bits against a sum over unpacked ones; widths that fill words and widths that do not."""
    rng = np.random.default_rng(3)
    for width in (2, 3, 8, 16):
        v, q = (rng.integers(0, 256, size=(n, width), dtype=np.uint8) for n in (9000, 20))
        a, b = np.unpackbits(q, axis=1).astype(int), np.unpackbits(v, axis=1).astype(int)
        differ = (a[:, None, :] != b[None, :500, :]).sum(2)
        distances, places = nearest(q, v[:500], 6)
        np.testing.assert_array_equal(distances, np.sort(differ, 1)[:, :6])
        np.testing.assert_array_equal(places, np.argsort(differ, 1, kind="stable")[:, :6])


def test_the_metric_is_the_one_whose_neighbours_rebuild_best():
    """A code whose length is noise is compared by its direction; labels are not asked."""
    rng = np.random.default_rng(4)
    angle, length = rng.uniform(0, 2 * np.pi, 1500), rng.lognormal(0, 1, (1500, 1))
    rows = np.cos(angle[:, None] + np.arange(6))
    assert chosen(rows[:, [0, 2]] * length, rows.__getitem__, 0)[0] == Cosine()
    assert (
        chosen(rows[:, [0, 2]] * length, np.concatenate([rows * length, rows], 1).__getitem__, 0)[0]
        != Cosine()
    )
    aside = np.random.default_rng(0).permutation(200)  # the choice, by hand
    z, x = rng.normal(size=(200, 2)), rng.normal(size=(200, 3))
    found = NearestNeighbors(n_neighbors=10).fit(z[aside[40:]]).kneighbors(z[aside[:40]])[1]
    expected = np.square(x[aside[:40]] - x[aside[40:]][found].mean(1)).mean()
    assert chosen(z, x.__getitem__, 0)[1]["Euclidean"] == pytest.approx(expected)


def test_a_metric_is_chosen_in_the_units_the_model_works_in():
    """PCA is not whitened: a column of noise that is small in its units stays small."""
    rng = np.random.default_rng(12)
    rows = rng.normal(size=(800, 6)) * [5.0, 5.0, 0.1, 0.1, 0.1, 0.1]
    assert Retriever(PCA(6).fit(rows)).fit(rows).metric_ == Euclidean()
    scaled = make_pipeline(StandardScaler(), PCA(6)).fit(rows)
    even = Retriever(scaled).fit(rows)
    assert even.metric_errors_["Euclidean"] == pytest.approx(even.metric_errors_["Standardised"], rel=0.05)


def test_the_metric_for_documents_is_chosen_by_their_words():
    """By how likely they are given those of neighbours: the figure by hand, and the least is taken."""
    from scipy import sparse

    rng = np.random.default_rng(13)
    topics, kind = rng.dirichlet(np.full(80, 0.05), 3), np.arange(900) % 3
    words = sparse.csr_array(np.stack([rng.multinomial(40, topics[t]) for t in kind]).astype(float))
    code = (np.eye(3)[kind] + 0.2 * rng.normal(size=(900, 3))) * rng.lognormal(0, 1.5, (900, 1))
    best, errors = chosen(code, lambda which: words[which].toarray(), 0, counts=True)
    assert errors[type(best).__name__] == min(errors.values())
    dense = words.toarray()
    aside = np.random.default_rng(0).permutation(900)
    train = dense[aside[180:]]
    direction = code - code[aside[180:]].mean(0)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    near = NearestNeighbors(n_neighbors=10).fit(direction[aside[180:]]).kneighbors(direction[aside[:180]])[1]
    expected = (
        0.9 * train[near].mean(1) / train[near].mean(1).sum(1, keepdims=True)
        + 0.1 * train.sum(0) / train.sum()
    )
    share = dense[aside[:180]] / 40
    by_hand = -(share * np.log(np.maximum(expected, 1e-12))).sum(1).mean()
    assert errors["Cosine"] == pytest.approx(by_hand, rel=1e-6)


def test_standardised_counts_every_number_alike():
    """Units of the code do not matter then."""
    scaler = StandardScaler().fit(X)
    a = Retriever(scaler, metric=Standardised()).fit(X).kneighbors(X, 5)[1]
    b = Retriever(StandardScaler().fit(X * 1), metric=Standardised()).fit(X).kneighbors(X, 5)[1]
    np.testing.assert_array_equal(a, b)
    z = StandardScaler().fit_transform(X)
    np.testing.assert_array_equal(a, NearestNeighbors(n_neighbors=5).fit(z).kneighbors(z)[1])


# ---------------------------------------------------------------- filters


def test_a_filter_gives_k_rows_wherever_there_are_k(place):
    """At any selectivity, and exactly those pandas would leave; fewer where there are fewer."""
    meta = pd.DataFrame(META)
    z = PCA(3).fit(X).transform(X)
    with Retriever(PCA(3).fit(X), metric=Euclidean(), store=place).fit(X, metadata=META) as retriever:
        for where, left in (
            ("price < 20 and label == 'shoe'", (meta.price < 20) & (meta.label == "shoe")),
            (
                "not (label in ('hat', 'sock')) or price in (1, 2)",
                (meta.label != "hat") | meta.price.isin([1, 2]),
            ),
            (
                "'ho' in label & (3 <= price < 9)".replace("'ho' in label &", "'ho' in label and"),
                (meta.label == "shoe") & meta.price.between(3, 8),
            ),
            ("price == 39", meta.price == 39),
        ):
            rows = np.flatnonzero(left)
            k = min(5, len(rows))
            expected = rows[np.argsort(np.linalg.norm(z[rows] - z[0], axis=1), kind="stable")[:k]]
            found = retriever.query(X[0], k=5, where=where)
            assert found["row"].tolist() == expected.tolist(), where
            assert found["label"].tolist() == meta.label[expected].tolist()
        assert len(retriever.query(X[:2], k=3, where="price > 100")) == 0
        assert len(retriever.query(X[0], k=50, where="price == 39")) == (meta.price == 39).sum()


def test_texts_are_compared_by_their_letters(place):
    """Case counts, and no sign stands for another."""
    names = ["100%", "a_b", "axb", "AXB", "it's", None]
    with Retriever(PCA(2).fit(X[:6]), store=place).fit(X[:6], metadata={"name": names}) as retriever:
        for where, expected in {
            "'%' in name": ["100%"],
            "'_' in name": ["a_b"],
            "'x' in name": ["axb"],
            "name == 'AXB'": ["AXB"],
            'name == "it\'s"': ["it's"],
            "name is None": [None],
            "name != 'axb'": ["100%", "AXB", "a_b", "it's"],
            "name > 'Z'": ["a_b", "axb", "it's"],
        }.items():
            found = [v if isinstance(v, str) else None for v in retriever.query(X[0], 9, where)["name"]]
            assert sorted(found, key=str) == sorted(expected, key=str), where


@pytest.mark.parametrize(
    "where",
    [
        "__import__('os').system('true')",
        "price < 20; drop table facts",
        "price + 1 < 2",
        "label.upper() == 'A'",
        "price < (lambda: 3)()",
        "nothing == 1",
        "price == 'a'",
        "label == 3",
        "price is 3",
        "price",
        "f0 == 1",
        "(" * 5000,
        "",
        "price < 1e999 or price < 99999999999999999999",
    ],
)
def test_what_is_no_condition_is_refused_in_one_sentence(where):
    """Nothing is evaluated, and no name reaches the database but a column's."""
    retriever = Retriever(PCA(3).fit(X)).fit(X, metadata=META)
    with pytest.raises(DataError, match=r"must .*; got"):
        retriever.query(X[0], where=where)
    assert len(retriever) == 300


@pytest.mark.parametrize(
    ("where", "advice"),
    [
        ("price = 20", "Use == to compare"),
        ("price == 2 AND label == 'a'", "Write and in small letters"),
        ("label in 'a'", r"Use in \('a',\)"),
    ],
)
def test_usual_slips_in_a_condition_are_named(where, advice):
    """One equals sign, large letters, a text for a list."""
    with pytest.raises(DataError, match=advice):
        read_where(where, {"price": "number", "label": "text"})


def test_columns_of_a_table_and_moments_are_filters_as_well(model, place):
    """A name with a blank stands between backticks."""
    df = table()
    with Retriever(model, store=place).fit(df, metadata={"shelf mark": range(len(df))}) as retriever:
        found = retriever.query(
            df[:1], 400, "day >= '2024-02-01' and colour == 'red' and sold and `shelf mark` < 200"
        )
    expected = df.index[(df.day >= "2024-02-01") & (df.colour == "red") & df.sold & (df.index < 200)]
    assert sorted(found["row"]) == expected.tolist()
    assert (found.day.dtype, found.sold.dtype, found["shelf mark"].dtype) == (df.day.dtype, bool, np.int64)
    pd.testing.assert_frame_equal(
        found[list(df)], df.loc[found["row"]].reset_index(drop=True), check_dtype=False
    )


# ---------------------------------------------------------------- halves of rows, and why


def test_a_half_filled_row_finds_rows_like_what_it_shows(model):
    """Missing cells, missing columns, a dict: compared by the cells that are there alone."""
    df = table()
    retriever = Retriever(model).fit(df)
    for asked in (
        {"size": 16.0, "colour": "red"},
        pd.DataFrame({"colour": ["red"], "size": [16.0]}),
        df[:1].assign(size=16.0, colour="red", weight=np.nan, sold=None, day=pd.NaT),
    ):
        found = retriever.query(asked, k=5)
        cost = np.sqrt((((df["size"] - 16) / df["size"].std(ddof=0)) ** 2 + (df.colour != "red")) / 2)
        np.testing.assert_allclose(found["distance"], np.sort(cost)[:5], rtol=1e-4)
    with pytest.raises(DataError, match="must have a column of the table"):
        retriever.query({"unheard": 1.0})


def test_a_row_with_most_cells_hidden_finds_itself(model):
    """Two cells of five are enough."""
    df = table()
    retriever = Retriever(model).fit(df)
    hidden = df.assign(colour=None, sold=None, day=pd.NaT)[:50]
    first = retriever.query(hidden, k=1)
    assert first["row"].tolist() == list(range(50))


def test_gaps_are_filled_by_a_model_that_cannot_see_them():
    """PCA refuses a gap; what it makes of the other cells stands in."""
    full = RNG.normal(size=(200, 2)) @ RNG.normal(size=(2, 5))
    asked = full[:20].copy()
    asked[:, 3] = np.nan
    found = Retriever(PCA(2)).fit(full).query(asked, k=1)
    assert found["row"].tolist() == list(range(20))


def test_why_gives_both_values_in_their_units_and_what_is_rare_first(model):
    """The share of rows that differ more, counted by hand."""
    df = table()
    retriever = Retriever(model).fit(df)
    why = retriever.why(df[:1], 7).set_index("column")
    assert why.loc["weight", "query"] == pytest.approx(df.weight[0])
    assert why.loc["colour", "found"] == df.colour[7]
    expected = (np.abs(df.weight - df.weight[0]) > abs(df.weight[7] - df.weight[0])).mean()
    assert why.loc["weight", "agreement"] == pytest.approx(expected, abs=0.006)
    assert why.agreement.is_monotonic_decreasing
    assert set(retriever.why({"size": 10.0}, 7)["column"]) == {"size"}


def test_why_names_the_regions_in_which_pictures_agree():
    """Two bright squares in one corner of otherwise random pictures."""
    rng = np.random.default_rng(5)
    pictures = rng.integers(0, 255, size=(80, 16, 16)).astype(np.uint8)
    pictures[:2, :5, :5] = 250
    retriever = Retriever(Autoencoder(4, trainer=Trainer(max_epochs=1))).fit(pictures)
    place = retriever.why(pictures[:1], 1)["place"][0]
    assert place.startswith("rows 0-")


# ---------------------------------------------------------------- changing


def test_rows_come_change_and_go(place):
    """Numbers are never used twice, and what is gone is not found."""
    with Retriever(PCA(3).fit(X), metric=Euclidean(), store=place).fit(
        X[:200], metadata={"n": range(200)}
    ) as r:
        new = r.add(X[200:210], metadata={"n": range(200, 210)})
        assert new.tolist() == list(range(200, 210))
        assert r.query(X[205], 1)["row"].tolist() == [205]
        assert r.delete(new[:6]) == 6
        assert r.query(X[205], 1)["row"][0] != 205
        r.update([3], X[205:206])
        assert r.query(X[205], 1)[["row", "n"]].to_numpy().tolist() == [[3, 3]]
        r.update([3], metadata={"n": [-1]})
        assert r.query(X[205], 1)["n"].tolist() == [-1]
        assert r.delete(where="n >= 100 and n < 150") == 50
        assert (len(r), r.add(X[:1]).tolist()) == (154, [210])
        assert r.query(X[:1], 200)["row"].is_unique
        for bad in ([5, 999], [5, 5], [120]):
            with pytest.raises(DataError, match="must be"):
                r.delete(bad)
        assert len(r) == 155


def test_a_failed_change_changes_nothing(place):
    """Wrong columns, wrong lengths, unknown metadata."""
    pca = PCA(3).fit(X)
    with Retriever(pca, store=place).fit(X[:50], metadata={"n": range(50)}) as retriever:
        for rows, meta in (
            (X[:2, :3], None),
            (X[:2], {"n": [1]}),
            (X[:2], {"m": [1, 2]}),
            (X[:2], {"n": ["a", "b"]}),
        ):
            with pytest.raises(ValueError, match=r"."):
                retriever.add(rows, meta)
        assert len(retriever) == 50
        with pytest.raises(FileError, match="must be"):
            Retriever(pca, store=place).fit(X[:5]) if place is not None else Retriever.open("nowhere")
        assert len(retriever) == 50


def test_a_store_opens_as_it_was_closed(place, model):
    """Equal answers, with bits and smoothing too; a model that is not kept must be the same one."""
    if place is None:
        pytest.skip("memory is forgotten")
    df = table()
    first = Retriever(model, store=place, smoothing=MeanShift(5, 2), bits=ITQ(3)).fit(
        df, metadata={"n": range(400)}
    )
    expected = first.query(df[:5], 4)
    first.close()
    with Retriever.open(place) as again:
        pd.testing.assert_frame_equal(again.query(df[:5], 4), expected)
        assert again.add(df[:1], {"n": [400]}).tolist() == [400]
        pd.testing.assert_frame_equal(again.rows([7]), df[7:8].reset_index(drop=True))


def test_a_store_of_a_model_that_is_not_kept_wants_that_model(tmp_path):
    """And notices another one by its codes."""
    place = tmp_path / "s"
    model = make_pipeline(FunctionTransformer(np.tanh), PCA(3)).fit(X)
    Retriever(model, store=place).fit(X).close()
    with pytest.raises(DataError, match="model must be given"):
        Retriever.open(place)
    with pytest.raises(FileError, match="one with other codes"):
        Retriever.open(place, PCA(3).fit(X[:30] ** 2))
    assert Retriever.open(place, model).query(X[4], 1)["row"].tolist() == [4]


WORDS = [f"{a} {b} {c}" for a in ("red", "blue", "green") for b in ("hat", "shoe") for c in ("old", "new")]
COLUMNS = pd.DataFrame(X[:80], columns=list("abcdef"))


@pytest.mark.parametrize(
    ("model", "rows"),
    [
        (None, WORDS),
        (make_pipeline(TfidfVectorizer(ngram_range=(1, 2), stop_words=["old"]), TruncatedSVD(3)), WORDS),
        (make_pipeline(TfidfVectorizer(), Autoencoder(2, trainer=Trainer(max_epochs=2))), WORDS),
        (PCA(3), X[:80]),
        (PCA(3, whiten=True), COLUMNS),
        (make_pipeline(StandardScaler(), PCA(0.9)), COLUMNS),
        (make_pipeline(StandardScaler(), Autoencoder(2, trainer=Trainer(max_epochs=2))), COLUMNS),
    ],
)
def test_models_made_of_plain_numbers_are_kept(model, rows, place):
    """Words, their weights, axes, scales and networks come back from the store; nothing else is needed."""
    if place is None:
        pytest.skip("memory is forgotten")
    with Retriever(model, store=place).fit(rows) as first:
        expected = first.query(rows[:4], 3)
    with Retriever.open(place) as again:
        pd.testing.assert_frame_equal(again.query(rows[:4], 3), expected)


def test_what_could_do_harm_from_a_file_is_not_kept(tmp_path):
    """A reader of files, a pattern of one's own, a function; and a file that asks for them all the same."""
    for words in (
        TfidfVectorizer(input="file"),
        TfidfVectorizer(token_pattern=r"(a|aa)+$"),
        TfidfVectorizer(tokenizer=str.split, token_pattern=None),
    ):
        assert keep(make_pipeline(words, TruncatedSVD(2))) is None
    said, arrays = keep(TfidfVectorizer().fit(WORDS))
    arrays = part_of(arrays, "network.")
    said["settings"] |= {"input": "filename", "token_pattern": "(a|aa)+$", "use_idf": False}
    again = kept_again(said, arrays, {})
    assert (again.input, again.token_pattern) == ("content", TfidfVectorizer().token_pattern)
    with pytest.raises(FileError, match="a store keeps PCA"):
        kept_again({**said, "kind": "FunctionTransformer"}, arrays, {})
    with pytest.raises(FileError, match="must have finite numbers"):
        kept_again(said, arrays | {"idf_": np.full(7, np.nan)}, {})
    with pytest.raises(KeyError):
        kept_again(said, {"words": arrays["words"]}, {})
    for partly in (
        TfidfVectorizer(use_idf=False).fit(WORDS),
        StandardScaler(with_mean=False, with_std=False).fit(X),
    ):
        assert keep(partly) is None
    assert keep(PCA(2).set_output(transform="pandas").fit(COLUMNS)) is None


def test_texts_may_come_as_a_column_and_say_something():
    """A Series, an array; a text without a known word, or with none at all, is refused by its words."""
    retriever = Retriever().fit(pd.Series(WORDS))
    assert len(retriever.query(np.array(["red hat", "blue shoe"]), 2)) == 4
    with pytest.raises(DataError, match="hold something that the model knows; got zebra"):
        retriever.query("zebra")
    with pytest.raises(DataError, match="X must have a text in every row; got nan in row 1"):
        retriever.query(pd.Series(["red", np.nan], dtype=object))
    for odd in ({"text": "red"}, 3, [None, "red"], np.ones(2)):
        with pytest.raises(DataError, match="a query must be a text or a list of texts"):
            retriever.query(odd)
    found = retriever.query("red hat", 1)
    assert found["text"].tolist() == ["red hat old"]
    why = retriever.why("red hat", 0)
    assert sorted(why["word"]) == ["hat", "red"]
    assert why["share"].sum() == pytest.approx(1)


def test_texts_behind_a_dense_step_are_known_by_their_words():
    """The last sparse rows on the way say which words a text has; every step must be fitted, not the last
    alone.
    """
    model = make_pipeline(TfidfVectorizer(), TruncatedSVD(3, random_state=0), Normalizer())
    retriever = Retriever(model).fit(WORDS)
    assert set(retriever.why("red hat", 0)["word"]) == {"red", "hat"}
    with pytest.raises(DataError, match="got zebra"):
        retriever.query("zebra")


@pytest.mark.filterwarnings("ignore::isthmus.inputs.UnseenLevels")
def test_what_is_no_question_is_refused(model, tmp_path):
    """Numbers of rows, nothing known, columns that are not there, other kinds of rows; a closed store."""
    df = table()
    retriever = Retriever(model, store=tmp_path / "s").fit(df)
    for odd, words in (
        (17, r"be rows like those stored; got 17. Use like\(17\)"),
        (None, "be rows like those stored"),
        ({"colour": "mauve"}, "hold something that the model knows; got none in row 0"),
        ({"size": None}, "hold something that the model knows"),
        ({"size": 1.0, "sizze": 2.0}, "have columns that the model knows; got sizze"),
        ({}, "have a column of the table"),
    ):
        with pytest.raises(DataError, match=words):
            retriever.query(odd)
    assert len(retriever.query([{"size": 16.0}, {"colour": "red", "size": 3.0}], 2)) == 4
    assert retriever.query(df.iloc[5], 1)["row"].tolist() == [5]
    with pytest.raises(DataError, match="X must have the columns it had at fit; got none called size"):
        retriever.add(df[:2].drop(columns="size"))
    for odd in ({"size": []}, ["texts"], np.array(["a"])):
        with pytest.raises(DataError, match="a query must"):
            retriever.query(odd)
    for nothing in (df[:0], X[:0], csr_array((0, 6))):
        with pytest.raises(DataError, match="X must"):
            retriever.add(nothing)
    with pytest.raises(DataError, match="metadata must have the rows of X in their order"):
        Retriever(model).fit(df, metadata=df[["size"]].rename(columns=str.upper)[::-1])
    retriever.close()
    with pytest.raises(FileError, match=r"cannot be (read|written)"):
        retriever.add(df[:2])
    with pytest.raises(FileError, match=r"cannot be read: .* Open it again"):
        retriever.query(df[:1])


def test_a_missing_cell_agrees_with_nothing(model):
    """It differs by one unit like any unknown, and is no reason for likeness."""
    df = table()
    df.loc[3, "weight"] = np.nan
    retriever = Retriever(Autoencoder(3, random_state=0, trainer=Trainer(max_epochs=2))).fit(df)
    why = retriever.why(df[:1], 3).set_index("column")
    assert why.loc["weight", "agreement"] == 0
    assert (why.drop("weight")["agreement"] > 0).any()


def test_models_that_cannot_do_it_say_so():
    """No transform, not the right columns, not fitted."""
    with pytest.raises(DataError, match="model must have transform; got LinearRegression"):
        Retriever(LinearRegression()).fit(X)
    with pytest.raises(DataError, match="X must suit PCA; it says: could not convert"):
        Retriever(PCA(2)).fit(table())


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("emptied", "must hold the rows of a store; got none"),
        ("other model", "must belong together"),
        ("no rows", "cannot be opened as a store: file is not a database"),
        ("unfitted", "got one that is not fitted"),
        ("no transformer", "got LinearRegression"),
    ],
)
def test_a_damaged_store_is_refused_in_one_sentence(harm, words, model, tmp_path):
    """Rows gone, the model of another store beside them, a model that was never trained."""
    place, given = tmp_path / "s", None
    Retriever(model, store=place).fit(table()).close()
    if harm == "emptied":
        (place / "rows.sqlite").write_bytes(b"")
    if harm == "other model":
        Retriever(PCA(2), store=tmp_path / "t").fit(X).close()
        (place / "retriever.isthmus").write_bytes((tmp_path / "t" / "retriever.isthmus").read_bytes())
    if harm == "no rows":
        (place / "rows.sqlite").write_bytes(b"nothing of the kind" * 30)
    if harm == "unfitted":
        given = Autoencoder(2)
    if harm == "no transformer":
        given = LinearRegression()
    with pytest.raises((FileError, DataError), match=words) as error:
        Retriever.open(place, given)
    assert len(str(error.value).splitlines()) == 1


def test_what_distances_are_is_said():
    """Codes for whole rows, cells for those with gaps, both where both are asked."""
    retriever = Retriever(PCA(3), metric=Cosine()).fit(COLUMNS)
    assert retriever.compared_by(COLUMNS[:2]) == "1 - cosine of the codes"
    assert retriever.compared_by({"a": 0.0}).startswith("root mean square difference of the cells asked")
    mixed = COLUMNS[:2].copy()
    mixed.loc[0, "a"] = np.nan
    assert "; of rows with gaps root mean square" in retriever.compared_by(mixed)


def test_a_table_may_have_columns_of_these_names():
    """Numbers of rows are found beside a column `row`, and a row is left out by its number."""
    frame = COLUMNS.rename(columns={"a": "row", "b": "distance", "c": "query", "d": "row_"})
    retriever = Retriever(PCA(3)).fit(frame)
    found = retriever.like(7, 3)
    assert list(found.columns[:3]) == ["query_", "row__", "distance_"]
    assert 7 not in found["row__"].tolist()
    assert len(found) == 3


# ---------------------------------------------------------------- duplicates


def test_groups_hold_what_is_near_their_representative(place):
    """Copies with a little noise are found, chains are not joined, and nobody is in two groups."""
    rng = np.random.default_rng(6)
    rows = np.concatenate([X[:60], X[:10] + 1e-4 * rng.normal(size=(10, 6)), X[:4]])
    with Retriever(PCA(4).fit(X), metric=Euclidean(), store=place).fit(rows) as retriever:
        found = retriever.duplicates(0.01)
    groups = {frozenset(g["row"].tolist()) for _, g in found.groupby("group")}
    expected = {frozenset({i, 60 + i} | ({70 + i} if i < 4 else set())) for i in range(10)}
    assert groups == expected
    assert (found["distance"] <= 0.01).all()
    assert (found.groupby("group")["representative"].sum() == 1).all()


def test_a_chain_is_no_group():
    """Each next to the last: every member of a group lies within the threshold of one of them."""
    line = np.arange(10.0)[:, None] * [1.0, 0.0]
    found = Retriever(PCA(1).fit(line), metric=Euclidean()).fit(line).duplicates(1.0)
    assert (found["distance"] <= 1.0 + 1e-6).all()
    assert found.groupby("group").size().max() == 3


def test_all_pairs_are_found_across_blocks():
    """Against a full table of distances."""
    v = np.random.default_rng(7).normal(size=(3000, 2)).astype(np.float32)
    apart = np.linalg.norm(v[:, None] - v[None], axis=2)
    left, right, distances = pairs_within(v, 0.02)
    expected = np.argwhere(np.triu(apart <= 0.02, 1))
    assert {(int(a), int(b)) for a, b in zip(left, right, strict=True)} == {
        (a, b) for a, b in expected.tolist()
    }
    np.testing.assert_allclose(distances, apart[left, right], atol=1e-6)


# ---------------------------------------------------------------- codes for search


def test_a_binary_code_is_searched_by_its_bits(digits):
    """Distances are whole numbers of bits, and neighbours share digits far more often than by chance."""
    train, _ = digits
    model = Autoencoder(24, code=BinaryCode(), random_state=0, trainer=Trainer(max_epochs=20)).fit(train)
    assert set(np.unique(model.transform(train))) == {-1.0, 1.0}
    retriever = Retriever(model).fit(train)
    distances, ids = retriever.kneighbors(train[:100], 2)
    z = model.transform(train)
    np.testing.assert_array_equal(distances[:, 1], (z[ids[:, 1]] != z[:100]).sum(1))
    assert retriever._space_(z).nbytes <= len(z) * 8


def test_itq_keeps_neighbours_better_than_random_signs():
    """Of the nearest by bits, more are near by distance (Gong & Lazebnik 2011)."""
    rng = np.random.default_rng(8)
    rows = rng.normal(size=(3000, 12)) * np.geomspace(3, 0.3, 12)
    true = NearestNeighbors(n_neighbors=50).fit(rows).kneighbors(rows[:200])[1]
    turned = Retriever(PCA(12).fit(rows), bits=ITQ(12), metric=Euclidean(), random_state=0).fit(rows)
    found = turned.kneighbors(rows[:200], 50)[1]
    signs = rows @ rng.normal(size=(12, 12)) > 0
    plain = np.argsort((signs[:200, None] != signs[None]).sum(2), 1, kind="stable")[:, :50]
    share = [
        np.mean([len(np.intersect1d(a, b)) for a, b in zip(true, some, strict=True)])
        for some in (found, plain)
    ]
    assert share[0] > 1.15 * share[1]


def test_mean_shift_draws_together_what_belongs_together():
    """Two overlapping clouds: more of the nearest half are of the same one."""
    rng = np.random.default_rng(9)
    kind = rng.integers(0, 2, 1200)
    rows = rng.normal(size=(1200, 5)) + 2.4 * kind[:, None] * np.array([1, 0, 0, 0, 0])
    shares = []
    for smoothing in (None, MeanShift(neighbours=30, rounds=4)):
        ids = (
            Retriever(PCA(5).fit(rows), metric=Euclidean(), smoothing=smoothing)
            .fit(rows)
            .kneighbors(rows, 400)[1]
        )
        shares.append((kind[ids] == kind[:, None]).mean())
    assert shares[1] > shares[0] + 0.03


def test_a_prefix_of_a_nested_code_is_searched_first(digits):
    """With enough candidates the answer is that of the full code."""
    train, _ = digits
    model = Autoencoder(8, code=Nested(), random_state=0, trainer=Trainer(max_epochs=10)).fit(train)
    full = Retriever(model, metric=Euclidean()).fit(train).kneighbors(train[:60], 5)[1]
    short = Retriever(model, metric=Euclidean(), index=Prefix(3, 30)).fit(train).kneighbors(train[:60], 5)[1]
    assert (short == full).mean() > 0.9
    every = (
        Retriever(model, metric=Euclidean(), index=Prefix(3, 1000)).fit(train).kneighbors(train[:60], 5)[1]
    )
    np.testing.assert_array_equal(every, full)


def test_an_approximate_index_is_measured_and_never_shortens_an_answer(tmp_path):
    """A graph over a few thousand rows; filters at every selectivity, deleted rows, rows added later."""
    pytest.importorskip("usearch")
    rng = np.random.default_rng(10)
    rows = rng.normal(size=(60_000, 8)).astype(np.float32)
    meta = {"n": np.arange(60_000)}
    pca = PCA(8).fit(rows)
    place = tmp_path / "s"
    Retriever(pca, metric=Euclidean(), index=Graph(least=1000, effort=64), store=place).fit(
        rows, metadata=meta
    ).close()
    with Retriever.open(place, pca) as retriever:
        held = retriever.store_.index
        assert held.prepared is not None
        assert held.prepared.facts["recall"] >= 0.96
        assert "recall of the 10 nearest" in retriever.notes_[-1]
        true = Retriever(pca, metric=Euclidean()).fit(rows, metadata=meta)
        for where in (None, "n < 5", "n < 500", "n < 25000", "n >= 0", "n != 7"):
            found, expected = (r.kneighbors(rows[:100], 10, where)[1] for r in (retriever, true))
            assert ((found >= 0) == (expected >= 0)).all(), where
            hits = [len(np.intersect1d(a[a >= 0], b[b >= 0])) for a, b in zip(found, expected, strict=True)]
            assert np.sum(hits) >= 0.95 * (expected >= 0).sum(), where
        retriever.delete(np.arange(50))
        assert (retriever.kneighbors(rows[:50], 3)[1] >= 50).all()
        new = retriever.add(rows[:50], {"n": range(50)})
        np.testing.assert_array_equal(retriever.kneighbors(rows[:50], 1)[1][:, 0], new)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-05-31", "2024-05-31 00:00:00"),
        ("2024-05-31T14:30", "2024-05-31 14:30:00"),
        ("2024-05-31 14:30:05.25", "2024-05-31 14:30:05.250000"),
    ],
)
def test_moments_in_a_condition_are_those_of_the_store(text, moment):
    """A day is its first second, in a comparison and in a list."""
    kinds = {"day": "time"}
    assert read_where(f"day > '{text}'", kinds).values == (moment,)
    assert read_where(f"day in ('{text}',)", kinds).values == (moment,)


@pytest.mark.parametrize("text", ["yesterday", "1.5.2024", "2024-5-1", "2024-13-45", "", "NaT"])
def test_what_is_no_moment_is_refused_in_a_condition(text):
    with pytest.raises(DataError, match="day in where must be compared with a moment"):
        read_where(f"day > '{text}'", {"day": "time"})


def test_a_moment_may_be_asked_as_text():
    """In a dict, by the dtype of fit; what is none, and lists of several lengths, are refused."""
    rng = np.random.default_rng(3)
    days = pd.date_range("2024-01-01", periods=80)
    df = pd.DataFrame({"a": rng.normal(size=80), "day": days, "c": rng.choice(list("xy"), 80)})
    model = Autoencoder(2, trainer=Trainer(max_epochs=3), random_state=0)
    retriever = Retriever(model).fit(df)
    assert retriever.query({"day": "2024-02-03"}, k=1)["row"].tolist() == [33]
    assert len(retriever.query({"a": 0.0}, k=50, where="day <= '2024-01-09'")) == 9
    with pytest.raises(DataError, match="column 'day' must hold moments; got soon"):
        retriever.query({"day": "soon"})
    with pytest.raises(DataError, match="a query must have columns of one length"):
        retriever.query({"a": [1.0, 2.0], "c": "x"})
    with pytest.raises(DataError, match="a row number must be one of those in the store; got 99"):
        retriever.why({"a": 0.0}, 99)


def test_few_short_texts_have_a_default_model():
    """As many numbers as there are words, less one."""
    texts = [f"{c} {s}" for c in ("red", "blue", "green") for s in ("hat", "shoe", "coat")]
    assert Retriever().fit(texts).query("red hat", k=1)["row"].tolist() == [0]
    with pytest.raises(DataError, match="X must be texts with two different words at least"):
        Retriever().fit(["a"])


@pytest.mark.skipif(not POSTGRES, reason="no server")
def test_a_graph_in_postgres_is_measured_and_never_shortens_an_answer():
    """Recall on rows that were not in it, all rows there afterwards, filters as long as they should be."""
    rng = np.random.default_rng(14)
    rows, pca = rng.normal(size=(3000, 6)), PCA(6)
    pca.fit(rows)
    place = f"{POSTGRES}#t{uuid.uuid4().hex[:12]}"
    with Retriever(pca, metric=Euclidean(), index=Graph(least=500), store=place).fit(
        rows, metadata={"n": range(3000)}
    ) as r:
        assert len(r) == 3000
        assert "recall of the 10 nearest" in r.notes_[-1]
        assert (r.kneighbors(rows, 1)[1][:, 0] == np.arange(3000)).mean() >= 0.97
        assert (r.kneighbors(rows[:50], 10, "n >= 2980")[1] >= 2980).all()


# ---------------------------------------------------------------- kinds of rows


def test_texts_are_rows_of_a_pipeline(place):
    """A list of texts goes in; a text is a question."""
    texts = [
        f"{a} {b} {a}" for a in ("cat", "dog", "fish", "bird") for b in ("runs", "eats", "sleeps", "dreams")
    ]
    model = make_pipeline(TfidfVectorizer(), TruncatedSVD(5, random_state=0))
    with Retriever(model, metric=Cosine(), store=place).fit(texts) as retriever:
        assert all(
            text.startswith("dog") for text in retriever.rows(retriever.query("dog dreams dog", 3)["row"])
        )


def test_sparse_rows_stay_sparse():
    """A matrix that would take 800 GB dense is searched, and comes back as it was."""
    from scipy import sparse

    wide = sparse.random_array(
        (300, 300_000_000 // 300), density=1e-5, rng=np.random.default_rng(0), format="csr"
    )
    retriever = Retriever(TruncatedSVD(4, random_state=0), metric=Cosine()).fit(wide)
    assert retriever.query(wide[[5]], 1)["row"].tolist() == [5]
    assert abs(retriever.rows([5]) - wide[[5]]).max() < 1e-6
    assert retriever.why(wide[[5]], 5)["share"].sum() == pytest.approx(1.0)


def test_pictures_of_a_folder_carry_their_names(tmp_path):
    """And a picture's file is a question."""
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(11)
    pictures = rng.integers(0, 255, size=(30, 12, 12), dtype=np.uint8)
    (tmp_path / "in").mkdir()
    for i, picture in enumerate(pictures):
        image.fromarray(picture).save(tmp_path / "in" / f"p{i:02}.png")
    model = Autoencoder(4, random_state=0, trainer=Trainer(max_epochs=3))
    with Retriever(model, store=tmp_path / "store").fit(tmp_path / "in") as retriever:
        found = retriever.query(tmp_path / "in" / "p07.png", 2)
        assert found["file"][0] == "p07.png"
        np.testing.assert_array_equal(retriever.rows([7])[0], pictures[7])
        assert retriever.query(pictures[7], 1)["row"].tolist() == [7]
        with pytest.raises(FileError, match="must be a file"):
            retriever.query(tmp_path / "nothing.png")


def test_polars_in_polars_out():
    """Results come in the library of the rows."""
    polars = pytest.importorskip("polars")
    df = polars.DataFrame({"a": X[:, 0], "b": X[:, 1], "kind": ["x", "y"] * 150})
    found = Retriever(Autoencoder(2, random_state=0, trainer=Trainer(max_epochs=3))).fit(df).query(df[:2], 3)
    assert isinstance(found, polars.DataFrame)
    assert found.columns == ["query", "row", "distance", "a", "b", "kind"]


def test_a_retriever_without_a_model_trains_one(digits):
    """And a retriever is a citizen of scikit-learn: parameters, clone, repr."""
    from sklearn.base import clone

    retriever = clone(Retriever(metric=Cosine(), random_state=0))
    retriever.fit(np.rint(digits[0][:300] * 16))
    assert retriever.query(digits[0][5] * 16, 1)["row"].tolist() == [5]
    assert repr(clone(retriever)) == "Retriever(metric=Cosine(), random_state=0)"
    with pytest.raises(DataError, match="must be fitted"):
        clone(retriever).query(X[0])
