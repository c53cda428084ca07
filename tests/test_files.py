"""Files: read as a person would, written whole or not at all, never unpickled."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isthmus import FileError
from isthmus.inputs.files import ENDINGS, read
from isthmus.inputs.writing import write


def text_file(folder: Path, text: str, name: str = "t.csv", encoding: str = "utf-8") -> Path:
    """A file holding `text`."""
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("ending", ENDINGS)
def test_numbers_come_back_through_every_format(ending, tmp_path):
    """Codes as float32, to nine digits in text and to the bit elsewhere."""
    codes = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    path = tmp_path / f"codes{ending}"
    write(codes, path)
    back = np.asarray(read(path), dtype=np.float32)
    assert (back == codes).all()


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".tsv", ".parquet"])
def test_tables_come_back_through_every_table_format(ending, tmp_path):
    """Names, text with commas and quotes, whole numbers with gaps, dates, yes/no."""
    df = pd.DataFrame(
        {
            "n": pd.array([1, None, 3], dtype="Int64"),
            "x, y": [0.1, np.nan, 1e300],
            "text": ['a "quoted", one', None, "ü"],
            "when": pd.to_datetime(["2024-01-01", None, "2024-03-01 12:00:01"], format="ISO8601"),
            "yes": pd.array([True, False, None], dtype="boolean"),
        }
    )
    write(df, tmp_path / f"t{ending}")
    back = read(tmp_path / f"t{ending}")
    assert list(back.columns) == list(df.columns)
    assert back["n"].tolist()[0] == 1
    assert (back.isna() == df.isna()).all().all()
    assert back["text"][0] == df["text"][0]
    assert back["when"].dtype.kind == "M"
    assert back["when"][2] == df["when"][2]


@pytest.mark.parametrize(
    ("text", "columns", "first"),
    [
        ("a,b\n1,2\n", ["a", "b"], [1, 2]),
        ("1,2\n3,4\n", ["column_0", "column_1"], [1, 2]),
        ("2,?\n3,4\n", ["column_0", "column_1"], [2, "?"]),
        ("0,1,2\n7,8,9\n", ["0", "1", "2"], [7, 8, 9]),
        ("\ufeffa,b\n1,2\n", ["a", "b"], [1, 2]),
        ('"x, 1", y \n1, 2\n', ["x, 1", "y"], [1, 2]),
        ("\n\na,b\n1,2\n", ["a", "b"], [1, 2]),
    ],
)
def test_header_is_recognised(text, columns, first, tmp_path):
    """Words are names; numbers and question marks are data; a count 0, 1, 2 is names."""
    table = read(text_file(tmp_path, text))
    assert list(table.columns) == columns
    assert table.iloc[0].tolist() == first


def test_header_and_missing_words_can_be_told(tmp_path):
    """--no-header and --na."""
    path = text_file(tmp_path, "a, b\n1, ?\n")
    assert read(path, header=False).shape == (2, 2)
    assert read(path, na=["?"])["b"].isna().all()
    assert read(text_file(tmp_path, "1,2\n3,4\n"), header=True).shape == (1, 2)


def test_latin_1_text_is_read(tmp_path):
    """Old exports are not UTF-8."""
    assert read(text_file(tmp_path, "name,n\nMüller,1\n", encoding="latin-1"))["name"][0] == "Müller"


def test_npz_with_several_arrays_asks_which(tmp_path):
    """And takes file.npz:name."""
    np.savez(tmp_path / "two.npz", a=np.zeros((2, 2)), b=np.ones((3, 2)))
    with pytest.raises(FileError, match="a, b: choose one"):
        read(tmp_path / "two.npz")
    assert read(f"{tmp_path / 'two.npz'}:b").shape == (3, 2)
    with pytest.raises(FileError, match="no array 'c'"):
        read(f"{tmp_path / 'two.npz'}:c")


def test_unusable_files_get_one_sentence(tmp_path):
    """Missing, empty, unknown, broken, ragged, pickled."""
    np.save(tmp_path / "objects.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    cases = {
        "missing.csv": None,
        "empty.csv": b"",
        "blank.csv": b"\n\n",
        "what.xlsx": b"PK",
        "broken.parquet": b"PAR1 nothing",
        "broken.npy": b"\x93NUMPY\x01\x00",
        "broken.npz": b"PK\x03\x04",
        "ragged.csv": b"a,b\n1,2\n1,2,3\n",
        "twice.csv": b"a,a\n1,2\n",
        "objects.npy": (tmp_path / "objects.npy").read_bytes(),
        "words.npy": (tmp_path / "words.npy").read_bytes(),
    }
    for name, data in cases.items():
        path = tmp_path / name
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(FileError) as caught:
            read(path)
        assert "\n" not in str(caught.value), name
        assert name.split(".")[0] in str(caught.value)


def test_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    """A full disk."""
    path = tmp_path / "t.npy"
    write(np.zeros(3), path)
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError, match="No space left"):
        write(np.ones(3), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
