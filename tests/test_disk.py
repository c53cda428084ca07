"""Data larger than memory: sources give what the file holds, in bounded memory, and results are written whole
or not at all.
"""

from __future__ import annotations

import datetime
import os
import signal
import subprocess
import sys
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from isthmus import Autoencoder, DataError, FileError, Source, Trainer, load, open_source, save
from isthmus.cli import app
from isthmus.inputs import Auto, as_source, encoded, learned, rows_of, sample
from isthmus.inputs.files import ENDINGS, read
from isthmus.inputs.frames import stacked
from isthmus.inputs.parquet import ParquetSource
from isthmus.inputs.writing import write, writing


def whole(source: Source):
    """All rows of a source."""
    return stacked(list(source.blocks()))


def awkward(rows: int = 30_000, seed: int = 0) -> pd.DataFrame:
    """A table of every dtype, with gaps that only a few rows have."""
    rng = np.random.default_rng(seed)
    few = rng.random(rows) < 3 / max(1, rows)
    return pd.DataFrame(
        {
            "x": rng.normal(size=rows),
            "n": rng.integers(0, 9, rows),
            "gappy": pd.Series(rng.integers(0, 9, rows)).astype("Int64").mask(few),
            "yes": rng.random(rows) < 0.5,
            "text": rng.choice(["a", "bb", "c"], rows),
            "kind": pd.Categorical(rng.choice(["x", "y"], rows), categories=["y", "x", "z"]),
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**6, rows), unit="s"),
            **{f"wide{j}": rng.normal(size=rows) for j in range(40)},
        }
    )


class Steps(Source):
    """An array in blocks of uneven sizes that counts what is read."""

    def __init__(self, X, sizes):
        self.X, self._sizes, self.reads = X, sizes, []

    @property
    def sizes(self):
        return self._sizes

    def read(self, block):
        self.reads.append(block)
        start = sum(self._sizes[:block])
        return self.X[start : start + self._sizes[block]]


# ---------------------------------------------------------------- arrays


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((5000, 300), "<f8"),
        ((40_000, 3), "<i2"),
        ((70, 200, 300, 3), "<f4"),
        ((9, 4), ">f8"),
        ((9, 2, 3), "?"),
    ],
)
def test_npy_files_give_back_every_row_in_either_order_of_axes(shape, dtype, order, tmp_path):
    """Small and large rows, one block or many, foreign byte orders, pictures."""
    size = int(np.prod(shape))
    X = np.asarray(np.arange(size) % 251, dtype=dtype).reshape(shape)
    np.save(tmp_path / "x.npy", np.asarray(X, order=order))
    source = open_source(tmp_path / "x.npy")
    blocks = list(source.blocks())
    assert [len(block) for block in blocks] == list(source.sizes)
    assert max(block.nbytes for block in blocks) <= 8 << 20
    back = np.concatenate(blocks)
    assert blocks[0].dtype == X.dtype
    assert (back == X).all()


def test_parts_of_memory_maps_are_the_rows_they_show(tmp_path):
    """A slice of a map says its parent's offset; the source must not believe it."""
    np.save(tmp_path / "x.npy", np.arange(60_000.0).reshape(-1, 3))
    X = np.load(tmp_path / "x.npy", mmap_mode="r")
    for part in (
        X,
        X[5000:12_000],
        X[7:],
        np.memmap(tmp_path / "x.npy", np.float64, "r", 128 + 24 * 700, (9, 3)),
    ):
        source = as_source(part)
        assert isinstance(source, Source)
        assert (whole(source) == part).all()
    for other in (X[::2], X[:, 1:], np.asarray(X), np.load(tmp_path / "x.npy", mmap_mode="c")):
        assert as_source(other) is other


def npy_header(text: str) -> bytes:
    """A .npy file of version 1 with this header and 480 bytes of data."""
    body = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(body).to_bytes(2, "little") + body + bytes(480)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY\x01\x00",
        b"\x93NUMPY\x09\x00" + bytes(100),
        npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (61, 1)}"),
        npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (-6, 10)}"),
        npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (60,)}"),
        npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (6, 0)}"),
        npy_header("{'descr': '|O', 'fortran_order': False, 'shape': (6, 10)}"),
        npy_header("{'descr': '<U2', 'fortran_order': False, 'shape': (6, 10)}"),
        npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (2**62, 2**62)}"),
        npy_header("__import__('os').system('true')"),
        None,
    ],
)
def test_hostile_npy_files_are_refused_in_one_sentence_when_opened(data, tmp_path):
    """Cut off, negative, flat, pickled, impossible, missing."""
    if data is not None:
        (tmp_path / "bad.npy").write_bytes(data)
    with pytest.raises(FileError, match=r"bad\.npy") as caught:
        open_source(tmp_path / "bad.npy")
    assert "\n" not in str(caught.value)


def test_a_file_cut_while_it_is_read_is_named(tmp_path):
    """The header was right once."""
    np.save(tmp_path / "x.npy", np.zeros((5000, 100)))
    source = open_source(tmp_path / "x.npy")
    os.truncate(tmp_path / "x.npy", 100_000)
    with pytest.raises(FileError, match="shorter than its header says"):
        source.read(len(source.sizes) - 1)


# ---------------------------------------------------------------- Parquet


@pytest.mark.parametrize("group", [30_000, 4_000])
def test_parquet_blocks_are_what_pandas_reads_in_any_order(group, tmp_path):
    """One row group too large for a block, or many; dtypes do not depend on the block."""
    table = awkward()
    table["gap"] = table["n"].astype(float).where(table.index != 12_345)
    arrow = pq.read_table(_saved(table, tmp_path / "t.parquet"))
    gap = arrow["gap"].cast("int64")
    arrow = arrow.set_column(arrow.schema.get_field_index("gap"), "gap", gap).replace_schema_metadata(None)
    pq.write_table(arrow, tmp_path / "t.parquet", row_group_size=group)
    expected = pd.read_parquet(tmp_path / "t.parquet")
    source = open_source(tmp_path / "t.parquet")
    assert len(source.sizes) > 1
    pd.testing.assert_frame_equal(whole(source), expected)
    starts = np.cumsum(source.sizes) - source.sizes
    for block in [*source.order(np.random.default_rng(0)), len(source.sizes) - 1, 0]:
        got = expected.iloc[starts[block] :][: source.sizes[block]].reset_index(drop=True)
        pd.testing.assert_frame_equal(source.read(block), got)


def _saved(table: pd.DataFrame, path: Path) -> Path:
    table.to_parquet(path)
    return path


def test_dtypes_that_pandas_wrote_come_back(tmp_path):
    """Nullable numbers, categories with unused levels; row labels are no column."""
    table = awkward(3000)
    table.to_parquet(tmp_path / "t.parquet", row_group_size=500)
    pd.testing.assert_frame_equal(whole(open_source(tmp_path / "t.parquet")), table)
    table.set_index("text").to_parquet(tmp_path / "labelled.parquet")
    assert open_source(tmp_path / "labelled.parquet").columns == list(table.columns.drop("text"))


def test_order_mixes_row_groups_and_keeps_each_cheap_to_read(tmp_path):
    """Every block once, seeded, the blocks of one row group in their own order, groups interleaved."""
    awkward(60_000).to_parquet(tmp_path / "t.parquet", row_group_size=30_000)
    source = open_source(tmp_path / "t.parquet")
    order = source.order(np.random.default_rng(0))
    half = len(source.sizes) // 2
    first, second = [b for b in order if b < half], [b for b in order if b >= half]
    assert half > 1
    assert first == list(range(half))
    assert second == list(range(half, 2 * half))
    assert order == source.order(np.random.default_rng(0))
    orders = {tuple(source.order(np.random.default_rng(seed))) for seed in range(20)}
    assert len(orders) > 2


def test_partitioned_folders_are_read_as_pandas_reads_them(tmp_path):
    """Keys of whole numbers in their order and of odd words; marker files are ignored."""
    table = pd.DataFrame({"x": np.arange(8.0), "year": [2, 2, 10, 10] * 2, "place": ["a b/c", "%"] * 4})
    table.to_parquet(tmp_path / "set", partition_cols=["year", "place"])
    (tmp_path / "set" / "_SUCCESS").write_bytes(b"")
    ours, theirs = whole(open_source(tmp_path / "set")), pd.read_parquet(tmp_path / "set")
    assert str(ours["year"].dtype) == str(ours["place"].dtype) == "category"
    assert ours["year"].cat.categories.tolist() == [2, 10]
    for key in ("x", "year", "place"):
        assert ours.sort_values("x")[key].tolist() == theirs.sort_values("x")[key].tolist()


def test_a_partition_without_a_value_is_a_gap(tmp_path):
    """The folder Hive names for it."""
    table = pd.DataFrame({"x": np.arange(4.0), "year": [2, None, 10, None]})
    table.to_parquet(tmp_path / "set", partition_cols=["year"])
    assert whole(open_source(tmp_path / "set")).sort_values("x")["year"].isna().tolist() == [0, 1, 0, 1]


def test_files_of_a_folder_must_agree_and_the_odd_one_is_named(tmp_path):
    """Another kind, a missing column; an empty column, another order of columns and a narrower number are no
    difference.
    """
    table = awkward(50)
    table.to_parquet(tmp_path / "1.parquet")
    table.assign(x=table.x.astype("str")).to_parquet(tmp_path / "2.parquet")
    with pytest.raises(FileError, match=r"2\.parquet must have the types of .*1\.parquet; .*'x'"):
        open_source(tmp_path)
    table.drop(columns="yes").to_parquet(tmp_path / "2.parquet")
    with pytest.raises(FileError, match=r"2\.parquet must have the columns of .*1\.parquet; .*'yes'"):
        open_source(tmp_path)
    table.assign(text=None)[sorted(table.columns)].to_parquet(tmp_path / "2.parquet")
    both = whole(open_source(tmp_path))
    pd.testing.assert_series_equal(both["x"][50:], table["x"], check_index=False)
    assert both["text"].isna().sum() == 50
    assert list(both.columns) == list(table.columns)
    whole_numbers = table.assign(x=np.arange(50) + 2**60)
    for one, other in ((whole_numbers, table), (table, whole_numbers)):
        one.to_parquet(tmp_path / "1.parquet")
        other.to_parquet(tmp_path / "2.parquet")
        expected = pd.concat([one["x"], other["x"]], ignore_index=True).astype(float)
        pd.testing.assert_series_equal(whole(open_source(tmp_path))["x"], expected, check_index=False)


@pytest.mark.parametrize("damage", ["empty", "cut", "not", "no rows", "no files", "missing"])
def test_damaged_parquet_is_refused_in_one_sentence(damage, tmp_path):
    """When opened, or when the damaged block is read."""
    path = tmp_path / "t.parquet"
    awkward(50 if damage != "no rows" else 0).to_parquet(path)
    data = path.read_bytes()
    if damage in ("missing", "no files"):
        path.unlink()
    elif damage != "no rows":
        path.write_bytes({"empty": b"", "cut": data[: len(data) // 2], "not": b"PAR1 nothing PAR1"}[damage])
    with pytest.raises(FileError, match=tmp_path.name) as caught:
        open_source(tmp_path if damage == "no files" else path).read(0)
    assert "\n" not in str(caught.value)


def test_columns_can_be_left_out_unread(tmp_path):
    """By name, as of a DataFrame; unknown names are refused."""
    awkward(50).to_parquet(tmp_path / "t.parquet")
    source = open_source(tmp_path / "t.parquet")
    assert list(source.drop(columns=["x", "kind"]).read(0).columns) == list(
        awkward(1).columns.drop(["x", "kind"])
    )
    with pytest.raises(DataError, match="shoe"):
        ParquetSource(tmp_path / "t.parquet", ["shoe"])


# ---------------------------------------------------------------- URLs


def test_urls_are_read_like_files(tmp_path):
    """Arrays, files and folders; memory:// stands for every store fsspec knows."""
    table, X = awkward(500), np.arange(3000.0).reshape(-1, 3)
    store = fsspec.filesystem("memory")
    for part in (1, 2):
        table.to_parquet(tmp_path / f"{part}.parquet", row_group_size=300)
        store.pipe(f"/disk/set/{part}.parquet", (tmp_path / f"{part}.parquet").read_bytes())
    np.save(tmp_path / "x.npy", np.asfortranarray(X))
    store.pipe("/disk/x.npy", (tmp_path / "x.npy").read_bytes())
    expected = whole(open_source(tmp_path))
    for root in ("memory://disk/set", f"file://{tmp_path}"):
        pd.testing.assert_frame_equal(whole(open_source(root)), expected)
        assert len(open_source(f"{root}/1.parquet")) == 500
    assert (whole(open_source("memory://disk/x.npy")) == X).all()


@pytest.mark.parametrize(
    "url", ["nothing://x/y.parquet", "memory://gone.npy", "memory://gone.parquet", "memory://gone"]
)
def test_urls_that_lead_nowhere_are_one_sentence(url):
    """An unknown protocol, nothing there."""
    with pytest.raises(FileError, match=url.partition("://")[2]):
        open_source(url)


# ---------------------------------------------------------------- rows, samples, schemas


def test_rows_of_a_source_are_found_in_any_order_reading_only_their_blocks():
    """As an array gives them."""
    X = np.arange(40).reshape(20, 2)
    source = Steps(X, (3, 5, 8, 4))
    which = [19, 0, 4, 4, 18, 7]
    assert (rows_of(source, which) == X[which]).all()
    assert set(source.reads) == {0, 1, 3}


def test_a_small_source_is_learned_whole_and_as_in_memory():
    """The same schema to the last bit."""
    X = np.random.default_rng(0).normal(size=(5000, 4))
    rows, numbers = sample(Steps(X, (1000, 3500, 500)), seed=0)
    assert (rows == X).all()
    assert (numbers == np.arange(5000)).all()
    assert learned(Auto(), Steps(X, (1000, 3500, 500)), 0) == Auto().fit(X)


def test_a_large_source_is_learned_on_a_seeded_sample_from_many_blocks():
    """Bounded in rows and in memory; the rows are those their numbers say; the schema tells."""
    X = np.arange(400_000.0).reshape(-1, 2)
    source = Steps(X, (1000,) * 200)
    rows, numbers = sample(source, seed=3, rows=20_000)
    assert (rows == X[numbers]).all()
    assert len(np.unique(numbers)) == 20_000
    assert len(np.unique(numbers // 1000)) >= 64
    assert (sample(source, seed=3, rows=20_000)[1] == numbers).all()
    assert len(sample(source, seed=3, memory=1000 * 16)[1]) == 1000
    schema = learned(Auto(), Steps(np.tile(X, (2, 1)), (1000,) * 400), 0)
    assert "Columns were learned on 200,000 of 400,000 rows" in schema.notes[-1]
    assert abs(schema.scales.centre[0] / X[:, 0].mean() - 1) < 0.02


def test_an_unusable_value_is_named_with_the_row_its_block_starts_at():
    """Otherwise row 1 of block 2 would be taken for row 1."""
    X = np.random.default_rng(0).normal(size=(30, 3))
    schema = Auto().fit(X)
    X[21, 1] = np.inf
    with pytest.raises(DataError, match=r"column 1, row 1,.*counted from row 20 of X"):
        list(encoded(schema, Steps(X, (10, 10, 10))))


# ---------------------------------------------------------------- models


@pytest.fixture(scope="module")
def model():
    """Of 30 columns, barely trained."""
    X = np.random.default_rng(0).normal(size=(3000, 30)).astype(np.float32)
    return Autoencoder(4, random_state=0, trainer=Trainer(max_epochs=1)).fit(X)


def test_results_block_by_block_are_those_in_memory_to_the_bit(model, tmp_path):
    """Arrays: blocks are whole multiples of the chunk a network sees."""
    X = np.random.default_rng(1).normal(size=(50_000, 30)).astype(np.float32)
    np.save(tmp_path / "x.npy", X)
    source, mapped = open_source(tmp_path / "x.npy"), np.load(tmp_path / "x.npy", mmap_mode="r")
    assert len(source.sizes) > 1
    for given in (source, mapped):
        assert (model.transform(given) == model.transform(X)).all()
        assert model.score(given) == pytest.approx(model.score(X), rel=1e-6)
    assert (whole(model.errors(source)) == model.errors(X)).all()
    assert (whole(model.reconstruct(source)) == model.reconstruct(X)).all()
    assert (model.errors(mapped) == model.errors(X)).all()
    assert (model.reconstruct(mapped) == model.reconstruct(X)).all()


def test_tables_block_by_block_agree_with_memory(tmp_path):
    """To rounding, since a row group is no multiple of a chunk; columns and dtypes the same."""
    table = awkward(5000).iloc[:, :9]
    table.to_parquet(tmp_path / "t.parquet", row_group_size=1500)
    source = open_source(tmp_path / "t.parquet")
    tabular = Autoencoder(4, random_state=0, trainer=Trainer(max_epochs=1)).fit(table)
    np.testing.assert_allclose(tabular.transform(source), tabular.transform(table), atol=1e-5)
    pd.testing.assert_frame_equal(whole(tabular.errors(source)), tabular.errors(table), atol=1e-4)
    back = whole(tabular.reconstruct(source))
    assert (back.dtypes == tabular.reconstruct(table).dtypes).all()


def test_a_model_learns_from_a_source(tmp_path):
    """As well as from the same rows in memory."""
    rng = np.random.default_rng(0)
    X = np.tanh(rng.normal(size=(4000, 3)) @ rng.normal(size=(3, 8)))
    np.save(tmp_path / "x.npy", X)
    fresh = Autoencoder(3, random_state=0, trainer=Trainer(max_epochs=5))
    scores = [fresh.fit(given).score(X) for given in (X, open_source(tmp_path / "x.npy"))]
    assert scores[1] == pytest.approx(scores[0], rel=0.05)


BOUNDED = """
import sys
from pathlib import Path
import numpy as np, pandas as pd
from isthmus import Autoencoder, Linear, Trainer, open_source
from isthmus.cli import app
from isthmus.inputs.writing import write
def peak():  # in MB; getrusage would start from the peak of the process that started this one
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
source = open_source(sys.argv[1])
few = source.read(0)[:1000].copy()
few[:] = np.random.default_rng(0).normal(size=few.shape)
model = Autoencoder(2, architecture=Linear(), random_state=0).fit(few)
write(model.reconstruct(few), sys.argv[2])
before = peak()
assert model.transform(source).shape == (len(source), 2)
write(model.reconstruct(source), sys.argv[2])
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak of one process")
@pytest.mark.parametrize("kind", ["npy", "parquet"])
def test_memory_stays_bounded_where_the_data_are_300_megabytes(kind, tmp_path):
    """Codes made and a reconstruction written in less than half of what the data would take."""
    path = tmp_path / f"x.{kind}"
    if kind == "npy":
        np.lib.format.open_memmap(path, "w+", np.float32, (500_000, 150)).flush()
    else:
        numbers = np.random.default_rng(0).normal(size=500)
        pd.DataFrame({f"c{j}": np.resize(numbers, 1_250_000) for j in range(30)}).to_parquet(path)
    command = [sys.executable, "-c", BOUNDED, str(path), str(tmp_path / f"out.{kind}")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 150


# ---------------------------------------------------------------- writing


@pytest.mark.parametrize("ending", ENDINGS)
def test_blocks_written_one_by_one_make_the_file_they_make_at_once(ending, tmp_path):
    """In every format, arrays and (where the format has them) tables."""
    for X in (np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32), awkward(50)):
        if isinstance(X, pd.DataFrame) and ending in (".npy", ".npz"):
            continue
        write(X, tmp_path / f"once{ending}")
        write(Steps(X, (1, 20, 29)), tmp_path / f"blocks{ending}")
        once, blocks = read(tmp_path / f"once{ending}"), read(tmp_path / f"blocks{ending}")
        assert str(once) == str(blocks)
        assert len(blocks) == 50


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_failure_half_way_leaves_the_old_file_and_no_other(ending, tmp_path):
    """Whatever the error."""
    path = tmp_path / f"t{ending}"
    write(np.zeros((3, 2)), path)
    before = path.read_bytes()

    def half(error: type[Exception] | None = None) -> None:
        with writing(path, 6) as sink:
            sink.append(np.ones((3, 2)))
            if error:
                raise error

    with pytest.raises(ZeroDivisionError):
        half(ZeroDivisionError)
    with pytest.raises(FileError, match="6 rows; got 3"):
        half()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_kill_while_writing_leaves_the_old_file(tmp_path):
    """SIGKILL, which nothing can catch, after half of the rows."""
    path = tmp_path / "t.parquet"
    write(np.zeros((3, 2)), path)
    before = path.read_bytes()
    code = (
        "import os, signal, sys, numpy as np\n"
        "from isthmus.inputs.writing import writing\n"
        "with writing(sys.argv[1], 4_000_000) as sink:\n"
        "    sink.append(np.ones((2_000_000, 2)))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)]).returncode == -signal.SIGKILL
    assert path.read_bytes() == before


def test_arrays_hold_numbers_of_one_kind(tmp_path):
    """Text, dates and blocks that do not fit are refused; whole numbers with gaps become NaN."""
    for wrong in (Steps(awkward(9), (9,)), Steps([np.ones((1, 2)), np.ones((1, 3))], (1, 1))):
        with pytest.raises(FileError, match=r"t\.npy"):
            write(wrong if wrong.sizes == (9,) else wrong.map(lambda block: block[0]), tmp_path / "t.npy")
    write(pd.DataFrame({"n": pd.array([1, None], dtype="Int64")}), tmp_path / "t.npy")
    assert np.isnan(np.load(tmp_path / "t.npy")[1, 0])


# ---------------------------------------------------------------- the command line


def test_the_command_line_streams_folders_files_and_urls(tmp_path, monkeypatch):
    """The numbers are those of the same rows in memory."""
    table = awkward(1500).iloc[:, [0, 1, 3, 4, 7, 8, 9]]
    (tmp_path / "set").mkdir()
    for part in (0, 1):
        table[750 * part : 750 * (part + 1)].to_parquet(tmp_path / "set" / f"{part}.parquet", index=False)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> str:
        done = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert (done.exit_code, done.stderr) == (0, ""), done.output
        return done.stdout

    assert "1,500 rows, 6 columns" in run(
        "fit", "set", "-o", "m.isthmus", "--code", 3, "--epochs", 2, "--exclude", "wide2"
    )
    fitted = Autoencoder(3, random_state=0, trainer=Trainer(max_epochs=2)).fit(table)
    save(fitted, tmp_path / "all.isthmus")
    fitted = load(tmp_path / "all.isthmus")
    run("encode", "all.isthmus", "set", "-o", "codes.npy")
    np.testing.assert_allclose(np.load(tmp_path / "codes.npy"), fitted.transform(table), atol=1e-5)
    out = run(
        "reconstruct", "all.isthmus", f"file://{tmp_path}/set", "-o", "r.csv.gz", "--errors", "e.parquet"
    )
    assert "1,500 rows" in out
    back = read(tmp_path / "r.csv.gz")
    assert list(back.columns) == list(table.columns)
    assert len(back) == 1500
    errors = pd.read_parquet(tmp_path / "e.parquet")
    np.testing.assert_allclose(errors, fitted.errors(table), atol=1e-4)
    assert f"error per cell {-fitted.score(table):.4g}" in out


def test_dates_of_parquet_are_moments(tmp_path):
    """Parquet's own dates, which pandas reads as Python's; gaps stay gaps."""
    days = [datetime.date(2020, 1, 1 + i % 28) if i % 10 else None for i in range(100)]
    table = pd.DataFrame({"x": np.arange(100.0), "day": days})
    table.to_parquet(tmp_path / "t.parquet")
    model = Autoencoder(1, trainer=Trainer(max_epochs=2), random_state=0)
    for X in (table, open_source(tmp_path / "t.parquet")):
        back = model.fit(X).reconstruct(table)
        assert str(back["day"].dtype) == "datetime64[us]"
        assert (back["day"].dt.normalize() == back["day"]).all()


def test_a_source_is_named():
    with pytest.raises(DataError, match="path must be the name of a file or folder, or a URL; got None"):
        open_source(None)
