"""A Scorer gives the model's own results, in any process, in the columns an engine can write."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
import torch

from isthmus import Autoencoder, DataError, FileError, Penalty, Scorer, Trainer, load, open_source, save
from isthmus.inputs.writing import write

GROUP = 2048  # a whole number of the chunks a network sees, so that results are equal to the bit


def table(rows: int) -> pd.DataFrame:
    """Numbers with gaps, text, yes/no, and a key that is no data."""
    rng = np.random.default_rng(0)
    X = np.tanh(rng.normal(size=(rows, 2)) @ rng.normal(size=(2, 4)))
    X[rng.random(X.shape) < 0.05] = np.nan
    frame = pd.DataFrame(X, columns=list("abcd"))
    frame["kind"], frame["yes"] = rng.choice(["u", "v", "w"], rows), rng.random(rows) < 0.3
    return frame.assign(id=[f"row {i}" for i in range(rows)])


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A model `m.isthmus` and a folder `in/` of two Parquet files with four row groups each."""
    place, frame = tmp_path_factory.mktemp("scoring"), table(8 * GROUP)
    model = Autoencoder(3, trainer=Trainer(max_epochs=1), random_state=0).fit(frame[:500].drop(columns="id"))
    save(model, place / "m.isthmus")
    (place / "in").mkdir()
    for half in (0, 1):
        part = frame[half * 4 * GROUP : (half + 1) * 4 * GROUP]
        part.to_parquet(place / "in" / f"{half}.parquet", row_group_size=GROUP, index=False)
    return place


def expected(place: Path, what: str) -> pd.DataFrame:
    """The same in one process, from the model's own methods; scores by pandas' mean, which skips gaps."""
    model, frame = load(place / "m.isthmus"), table(8 * GROUP)
    rows = frame.drop(columns="id")
    if what == "codes":
        found = pd.DataFrame(model.transform(rows), columns=model.get_feature_names_out())
    elif what == "scores":
        found = model.errors(rows).astype("float64").mean(axis=1).to_frame("score").astype("float32")
    else:
        found = model.errors(rows) if what == "errors" else model.reconstruct(rows)
    found.insert(0, "id", frame["id"])
    return found


# ---------------------------------------------------------------- one process


@pytest.mark.parametrize("what", ["codes", "errors", "reconstruction", "scores"])
def test_results_are_the_models_own_beside_the_columns_kept(place, what):
    """Same rows, index and order; the columns it names are those it makes."""
    scorer, frame = Scorer(place / "m.isthmus", what, keep=["id"]), table(8 * GROUP)
    frame.index += 7
    found = scorer(frame)
    assert (found.index == frame.index).all()
    assert list(found.columns) == ["id", *scorer.columns]
    pd.testing.assert_frame_equal(found.reset_index(drop=True), expected(place, what), atol=1e-7)


@pytest.mark.parametrize("what", ["codes", "errors", "reconstruction", "scores"])
def test_a_batch_without_rows_has_the_columns_and_dtypes_of_one_with_rows(place, what):
    """Engines learn the result's columns from it."""
    scorer, frame = Scorer(place / "m.isthmus", what, keep=["id"]), table(30)
    none, some = scorer(frame[:0]), scorer(frame)
    assert len(none) == 0
    assert (none.dtypes == some.dtypes).all()


def test_polars_gives_polars_and_arrays_give_arrays(place, tmp_path):
    """The library of the batch; a model of an array takes the numbers of a frame by position."""
    frame = table(40)
    found = Scorer(place / "m.isthmus", "scores", keep=["id"])(pl.from_pandas(frame))
    assert isinstance(found, pl.DataFrame)
    assert found["id"].to_list() == frame["id"].tolist()
    X = np.random.default_rng(0).normal(size=(60, 4))
    save(Autoencoder(2, trainer=Trainer(max_epochs=1)).fit(X), tmp_path / "x.isthmus")
    model = load(tmp_path / "x.isthmus")
    for what, wanted in (("codes", model.transform(X)), ("errors", model.errors(X))):
        scorer = Scorer(tmp_path / "x.isthmus", what)
        assert (scorer(X) == wanted).all()
        named = scorer(pd.DataFrame(X, columns=list("pqrs")))
        assert list(named.columns) == scorer.columns
        assert (named.to_numpy() == wanted).all()
        assert list(scorer(pd.DataFrame(X[:0], columns=list("pqrs"))).columns) == scorer.columns


def test_a_row_without_values_has_no_score(tmp_path):
    """NaN, and no warning."""
    X = np.random.default_rng(0).normal(size=(60, 3))
    X[3, 1] = np.nan
    save(Autoencoder(2, trainer=Trainer(max_epochs=1)).fit(X), tmp_path / "x.isthmus")
    X[5] = np.nan
    scores = Scorer(tmp_path / "x.isthmus", "scores")(X)
    assert scores.shape == (60, 1)
    assert np.flatnonzero(np.isnan(scores[:, 0])).tolist() == [5]


class Own(Penalty):
    """A part of one's own."""

    def __call__(self, trace):
        return trace.z.square().mean()


def test_parts_of_ones_own_are_named_as_for_load(tmp_path):
    """And travel with the Scorer as classes do."""
    X = np.random.default_rng(0).normal(size=(60, 3))
    save(Autoencoder(2, penalty=0.1 * Own(), trainer=Trainer(max_epochs=1)).fit(X), tmp_path / "x.isthmus")
    with pytest.raises(FileError, match="Own"):
        Scorer(tmp_path / "x.isthmus")
    assert Scorer(tmp_path / "x.isthmus", parts=[Own])(X).shape == (60, 2)


def test_what_cannot_be_scored_is_said_before_a_worker_is_started(place, tmp_path):
    """A missing model, an unknown word, columns that would collide, the wrong kind of batch."""
    model = place / "m.isthmus"
    with pytest.raises(FileError, match=r"gone\.isthmus"):
        Scorer(tmp_path / "gone.isthmus")
    for wrong in ({"what": "code"}, {"keep": "id"}, {"keep": ["a"]}, {"keep": ["autoencoder0"]}):
        with pytest.raises(DataError):
            Scorer(model, **wrong)
    with pytest.raises(DataError, match="batch_format"):
        Scorer(model)({"a": np.zeros(3)})
    with pytest.raises(DataError, match="keep"):
        Scorer(model, keep=["id"])(np.zeros((3, 6)))


def test_the_users_threads_come_back(place):
    """One thread inside, whatever was set outside."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        Scorer(place / "m.isthmus", keep=["id"])(table(20))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


# ---------------------------------------------------------------- several processes


def test_only_the_place_of_the_model_travels(place):
    """A few hundred bytes, whatever the model's size; and it works where it arrives."""
    scorer = Scorer(place / "m.isthmus", "scores", keep=["id"])
    sent = pickle.dumps(scorer)
    assert len(sent) < 500
    pd.testing.assert_frame_equal(pickle.loads(sent)(table(30)), scorer(table(30)))


def test_a_model_replaced_on_the_way_is_refused(place, tmp_path):
    """Half of the rows by one model and half by another would be worse than an error."""
    path = tmp_path / "m.isthmus"
    path.write_bytes((place / "m.isthmus").read_bytes())
    sent = pickle.dumps(Scorer(path))
    save(Autoencoder(2, trainer=Trainer(max_epochs=1)).fit(np.eye(12)), path)
    code = "import pickle, sys; pickle.load(sys.stdin.buffer).model"
    done = subprocess.run([sys.executable, "-c", code], input=sent, capture_output=True, check=False)
    assert b"FileError" in done.stderr
    assert b"it has changed" in done.stderr


def score_group(scorer: Scorer, place: tuple[str, int]) -> tuple[pd.DataFrame, int]:
    """One row group of one file, and the process it was scored in."""
    path, group = place
    return scorer(pq.ParquetFile(path).read_row_group(group).to_pandas()), os.getpid()


@pytest.mark.parametrize("what", ["codes", "scores"])
def test_two_processes_give_the_bits_of_one(place, what):
    """Each takes row groups of a Parquet folder; nothing but the standard library starts them."""
    scorer = Scorer(place / "m.isthmus", what, keep=["id"])
    groups = [(str(place / "in" / f"{half}.parquet"), group) for half in (0, 1) for group in range(4)]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as pool:
        done = list(pool.map(partial(score_group, scorer), groups))
    both = pd.concat([frame for frame, _ in done], ignore_index=True)
    assert os.getpid() not in {process for _, process in done}
    pd.testing.assert_frame_equal(both, expected(place, what), check_exact=True)


def test_the_plain_road_needs_no_engine(place, tmp_path):
    """A source read, scored and written block by block."""
    scorer = Scorer(place / "m.isthmus", "scores", keep=["id"])
    write(open_source(place / "in").map(scorer), tmp_path / "scores.parquet")
    found = pd.read_parquet(tmp_path / "scores.parquet")
    pd.testing.assert_frame_equal(found, expected(place, "scores"), rtol=1e-5)


@pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra [ray]")
def test_ray_scores_a_folder_as_one_process_does(place, tmp_path):
    """The example, with two tasks at a time; the rows may come back in another order."""
    code = (
        "import runpy, sys, ray\n"
        "ray.init(num_cpus=4, include_dashboard=False, object_store_memory=100 * 2**20)\n"
        "runpy.run_path(sys.argv[1], run_name='__main__')\n"
    )
    example = Path(__file__).parents[1] / "examples" / "score_with_ray.py"
    options = ["--what", "codes", "--keep", "id", "--workers", "2"]
    words = [str(place / "m.isthmus"), str(place / "in"), str(tmp_path / "out"), *options]
    done = subprocess.run(
        [sys.executable, "-c", code.replace("sys.argv[1]", repr(str(example))), *words],
        env=os.environ | {"RAY_AUTH_MODE": "disabled", "HOME": str(tmp_path), "RAY_USAGE_STATS_ENABLED": "0"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    wanted = expected(place, "codes").sort_values("id", ignore_index=True)
    found = pd.read_parquet(tmp_path / "out").sort_values("id", ignore_index=True)
    assert found["id"].tolist() == wanted["id"].tolist()
    np.testing.assert_allclose(found.drop(columns="id"), wanted.drop(columns="id"), atol=1e-6)


DASK = """
if __name__ == "__main__":
    import sys, dask.dataframe as dd
    from isthmus import Scorer
    model, source, target = sys.argv[1:]
    scorer, rows = Scorer(model, "scores", keep=["id"]), dd.read_parquet(source, split_row_groups=True)
    scored = rows.map_partitions(scorer, meta=scorer(rows._meta))
    scored.compute(scheduler="processes", num_workers=2).to_parquet(target)
"""
SPARK = """
import sys
from pyspark.sql import SparkSession
from isthmus import Scorer
model, source, target = sys.argv[1:]
here = {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1", "spark.ui.enabled": False}
spark = SparkSession.builder.master("local[2]").config(map=here).getOrCreate()
scorer = Scorer(model, "scores", keep=["id"])
rows = spark.read.parquet(source)
rows.mapInPandas(lambda batches: map(scorer, batches), "id string, score float").write.parquet(target)
"""


@pytest.mark.parametrize(("engine", "code"), [("dask", DASK), ("pyspark", SPARK)])
def test_dask_and_spark_score_a_folder_as_one_process_does(engine, code, place, tmp_path):
    """The lines of docs/clusters.md, with two processes; Spark also needs Java."""
    if find_spec(engine) is None or (engine == "pyspark" and shutil.which("java") is None):
        pytest.skip(f"needs {engine}")
    (tmp_path / "score.py").write_text(code)
    words = [tmp_path / "score.py", place / "m.isthmus", place / "in", tmp_path / "out"]
    environment = os.environ | {"PYSPARK_PYTHON": sys.executable}
    done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    wanted = expected(place, "scores").sort_values("id", ignore_index=True)
    found = pd.read_parquet(tmp_path / "out").sort_values("id", ignore_index=True)
    assert found["id"].tolist() == wanted["id"].tolist()
    np.testing.assert_allclose(found["score"], wanted["score"], rtol=1e-5)
