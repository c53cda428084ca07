"""Files: read as a person would, written whole or not at all, never unpickled."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isthmus import DataError, FileError
from isthmus.inputs.files import ENDINGS, read, read_as
from isthmus.inputs.text import Reading
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
        ("2,?\n3,4\n", ["column_0", "column_1"], [2, None]),
        ("id,2019,2020\n1,5,6\n2,7,8\n", ["id", "2019", "2020"], [1, 5, 6]),
        ("land,2019,2020\nA,5.5,6\nB,7,8\n", ["land", "2019", "2020"], ["A", 5.5, 6]),
        ("Bob,2019\nAnn,2020\n", ["column_0", "column_1"], ["Bob", 2019]),
        ("p,x,s\ne,x,y\np,b,s\n", ["column_0", "column_1", "column_2"], ["p", "x", "s"]),
        ("a,b,\n1,2,\n", ["a", "b", "column_2"], [1, 2, None]),
        ("0,1,2\n7,8,9\n", ["0", "1", "2"], [7, 8, 9]),
        ("1,2,x\n", ["column_0", "column_1", "column_2"], [1, 2, "x"]),
        ("x,2020-01-01\n", ["column_0", "column_1"], ["x", pd.Timestamp("2020-01-01")]),
        ("x,TRUE\n", ["column_0", "column_1"], ["x", True]),
        ("\ufeffa,b\n1,2\n", ["a", "b"], [1, 2]),
        ('"x, 1", y \n1, 2\n', ["x, 1", "y"], [1, 2]),
        ("\n\na,b\n1,2\n", ["a", "b"], [1, 2]),
    ],
)
def test_header_is_recognised(text, columns, first, tmp_path):
    """Words are names; numbers and question marks are data; a count 0, 1, 2 is names."""
    table = read(text_file(tmp_path, text))
    assert list(table.columns) == columns
    assert [None if pd.isna(value) else value for value in table.iloc[0]] == first


def test_names_without_rows_are_refused(tmp_path):
    """Also where a name is a word for missing; one who says that the line is a row gets a row."""
    path = text_file(tmp_path, "a,b,c,empty,huge,date\n")
    with pytest.raises(FileError, match="must have rows; got names of columns alone"):
        read(path)
    assert read(path, header=False).shape == (1, 6)


@pytest.mark.parametrize("row", ['50,"n1,25', '50,n1,"25'])
def test_an_open_quote_is_told_by_the_line_it_stands_in(row, tmp_path):
    """In any column; the file's last line is not to blame, and no row is lost in silence."""
    lines = ["id,name,x", *(f"{i},n{i % 7},{i * 0.5}" for i in range(200))]
    lines[51] = row
    with pytest.raises(FileError, match="line 52"):
        read(text_file(tmp_path, "\n".join(lines) + "\n"))
    long = "y" * 200_000  # more than the reader takes into one cell
    with pytest.raises(FileError, match="line 52"):
        read(text_file(tmp_path, "\n".join([*lines, f"1,{long},2"]) + "\n"))


def test_a_quote_that_is_closed_too_late_is_told_by_its_line(tmp_path):
    """The row that is too short begins in line 3, and ends in line 4."""
    with pytest.raises(FileError, match=r"in line 3 instead of 3, with a quote that is closed in line 4\."):
        read(text_file(tmp_path, 'a,b,c\n1,"x",2\n3,"y,4\n5,"z\n'))
    table = read(text_file(tmp_path, 'a,b,c\n1,"x\ny",2\n3,"y",4\n'))
    assert table["b"].tolist() == ["x\ny", "y"]


def test_columns_that_are_left_out_get_no_notes(tmp_path):
    """No zeros, marks, signs or blanks of theirs are told; of others they are."""
    head, rows = "id,n,m,w\n", "001,NA,?, x\n007,3,4,y\n"
    path = text_file(tmp_path, head + rows)
    assert len(read_as(path)[2]) == 3
    assert read_as(path, unsaid=["id", "n", "m", "w"])[2] == ()
    notes = " ".join(read_as(path, unsaid=["id", "n"])[2])
    assert "'?' (1 cell)" in notes
    assert "zeros" not in notes
    assert "'NA'" not in notes


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
        "long.csv": b"a,b\n1,2\n1,2,3\n",
        "short.csv": b"a,b,c\n1,2,3\n1,2\n4,5,6\n",
        "nul.csv": b"a,b\n1,x\0\n",
        "names.csv": b"a,b\n",
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
        assert "pickle" not in str(caught.value)
        assert "line 3" in str(caught.value) or name not in ("long.csv", "short.csv")


def test_pandas_row_numbers_are_left_out(tmp_path):
    """What `df.to_csv` writes is read as df, and said; a first column that has a name is data."""
    df = pd.DataFrame({"n": [1.5, 2.5, 3.5], "word": ["x", "y", "x"]})
    df.to_csv(tmp_path / "t.csv")
    table, reading, notes = read_as(tmp_path / "t.csv")
    assert list(table.columns) == ["n", "word"]
    assert len(table) == 3
    assert reading.index
    assert "left out" in notes[0]
    df.to_csv(tmp_path / "named.csv", index_label="row")
    assert list(read(tmp_path / "named.csv").columns) == ["row", "n", "word"]


def test_marks_among_numbers_are_gaps_and_said(tmp_path):
    """Question marks anywhere; other marks only where all else is numbers, so that levels stay levels."""
    text = "a,b,c\n1,-,-\n2,x,?\nnone,-,4\n?,?,5\n"
    table, _, notes = read_as(text_file(tmp_path, text))
    assert table["a"].fillna(0).tolist() == [1, 2, 0, 0]
    assert table["b"].fillna("").tolist() == ["-", "x", "-", ""]
    assert table["c"].fillna(0).tolist() == [0, 0, 4, 5]
    assert "'?' (3 cells)" in notes[0]


@pytest.mark.parametrize(
    "dates",
    [
        ["03/04/2021", "13/12/2021"],
        ["3.4.2021", "03.12.2021"],
        ["Jan 5 2021", "January 15, 2021"],
        ["5-Mar-21", "5th May 2021"],
        ["3/4/21 10:30", "12/31/21 4:05 PM"],
        ["2021/4/3", "2021/12/31"],
    ],
)
def test_dates_of_another_form_are_told_by_column(tmp_path, dates):
    """They stay text, as nobody can know whether 03/04 is in March."""
    path = text_file(tmp_path, "size,when\n" + "".join(f'{i},"{dates[i % 2]}"\n' for i in range(20)))
    table, _, notes = read_as(path)
    assert table["when"].dtype == "string"
    assert notes == (
        "Column 'when': dates not written like 2021-04-03, so read as text: write them year-month-day.",
    )


@pytest.mark.parametrize("codes", ["12-34-56 12-03-56", "10.12.1 1.2.10", "may june", "13/14/2021 40/1/2021"])
def test_codes_are_no_dates(tmp_path, codes):
    """Nothing is said of them."""
    path = text_file(tmp_path, "size,code\n" + "".join(f"{i},{codes.split()[i % 2]}\n" for i in range(20)))
    assert read_as(path)[2] == ()


def test_gaps_among_dates_are_counted(tmp_path):
    """ISO dates are moments, marks for missing apart."""
    table, _, notes = read_as(text_file(tmp_path, "n,when\n1,2021-01-02\n2,-\n3,2021-02-01\n"))
    assert table["when"].isna().tolist() == [False, True, False]
    assert str(table["when"].dtype).startswith("datetime64")
    assert notes == ("Counted as missing: '-' (1 cell).",)


def test_words_that_are_missing_everywhere_are_counted(tmp_path):
    """NA and None among words are gaps, which only their owner can know to be wrong: so they are told."""
    table, _, notes = read_as(text_file(tmp_path, "n,word\n1,None\nNA,x\n3,NA\n4,\n5,y\n"))
    assert table.isna().sum().tolist() == [1, 3]
    assert notes == ("Counted as missing: 'None' (1 cell), 'NA' (2 cells).",)


def test_blanks_that_are_left_out_are_told(tmp_path):
    """Of names and before words, not of numbers; blanks inside of quotes are kept."""
    path = text_file(tmp_path, 'n, word,comma, m \n1, a,"x, y", 2\n2,b," z", 3\n')
    table, _, notes = read_as(path)
    assert list(table.columns) == ["n", "word", "comma", "m"]
    assert table["word"].tolist() == ["a", "b"]
    assert table["comma"].tolist() == ["x, y", " z"]
    told = "Blanks are left out around names (columns 'word', 'm') and before words (column 'word')."
    assert notes == (told,)
    assert read_as(text_file(tmp_path, "n,m\n1, 2\n2, 3\n"))[2] == ()


def test_an_unknown_word_among_numbers_is_asked_about(tmp_path):
    """Nothing is guessed, and the note says what to do."""
    path = text_file(tmp_path, "a,b\n" + "1,2\n" * 30 + "unk,3\n")
    table, _, notes = read_as(path)
    assert table["a"].dtype == "string"
    assert "--na 'unk'" in notes[0]
    assert read(path, na=["unk"])["a"].isna().sum() == 1


@pytest.mark.parametrize(
    ("name", "text", "separator"),
    [
        ("t.csv", "a;b\n1,5;x\n2,25;y\n", ";"),
        ("t.csv", "1,5;7\n2,25;8\n", ";"),
        ("t.csv", "1,5;x;y\n2,25;y;x\n", ";"),
        ("t.csv", "a|b\n1.5|x\n2.25|y\n", "|"),
        ("t.txt", "a\tb\n1.5\tx y\n2.25\tz, w\n", "\t"),
        ("t.data", "1.5   7  'x'\n2.25  18  'y'\n", " "),
        ("t.csv", "a,b\n1.5,x;y\n2.25,z;w\n", ","),
        ("t.csv", "a,b\n1.5,x y\n2.25,z w\n", ","),
    ],
)
def test_separators_and_decimal_signs_are_found(name, text, separator, tmp_path):
    """By looking, whatever the ending; the numbers are numbers."""
    table, reading, _ = read_as(text_file(tmp_path, text, name))
    assert reading.separator == separator
    assert table.iloc[:, 0].tolist() == [1.5, 2.25]


def test_a_separator_can_be_told(tmp_path):
    """It wins over what looking finds; nonsense is refused."""
    path = text_file(tmp_path, "a:b\n1:x\n2:y\n")
    assert read_as(path, Reading(separator=":"))[0].shape == (2, 2)
    assert read_as(text_file(tmp_path, "a;b\n1,234;2\n"), Reading(decimal="."))[0]["a"].tolist() == [1234]
    for wrong in (Reading(separator="::"), Reading(decimal="x"), Reading(encoding="klingon")):
        with pytest.raises(DataError, match="must be"):
            read_as(path, wrong)


def test_thousands_are_numbers_where_the_whole_column_is(tmp_path):
    """Quoted, with commas between thousands."""
    table = read(text_file(tmp_path, 'a,b\n"1,234.56","1,2"\n"12,000",x\n7,y\n'))
    assert table["a"].tolist() == [1234.56, 12000, 7]
    assert table["b"].tolist() == ["1,2", "x", "y"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-32", "cp1252"])
def test_encodings_are_found(encoding, tmp_path):
    """By their mark, or by what can be decoded."""
    table = read(text_file(tmp_path, "näme,n\nMüller €,1\n", encoding=encoding))
    assert list(table.columns) == ["näme", "n"]
    assert table["näme"][0] == "Müller €"


def test_what_is_known_of_a_file_reads_the_next(tmp_path):
    """Text stays text where a few rows hold only numbers; names are seen where the model knows them."""
    path = text_file(tmp_path, "n;t\n1,5;7\n")
    known = Reading(separator=";", decimal=",", header=False, na=("7",))
    table = read_as(path, known=known, names=["n", "t"], text=["t"])[0]
    assert table["n"].tolist() == [1.5]
    assert table["t"].isna().all()
    table = read_as(path, known=Reading(), names=["n", "t"], text=["t"])[0]
    assert table["t"].tolist() == ["7"]


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
