"""`isthmus index`, `search` and `duplicates` as a user runs them; the grid of what was found."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from command_line import run
from isthmus import Autoencoder, Distortion, MaskingNoise, Retriever, Trainer, figures, load, save
from isthmus.demo import mixed_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table with a column the model does not know, a folder of pictures, and their models."""
    image = pytest.importorskip("PIL.Image")
    folder = tmp_path_factory.mktemp("searching")
    table = mixed_table()[:200]
    quick = Trainer(max_epochs=3, progress=False)
    save(Autoencoder(3, random_state=0, trainer=quick).fit(table), folder / "t.isthmus")
    table.assign(code=[f"p{i}" for i in range(200)]).to_csv(folder / "t.csv", index=False)
    rng = np.random.default_rng(0)
    (folder / "in").mkdir()
    base = rng.integers(0, 255, size=(10, 12, 12))
    pictures = np.clip(base[np.arange(30) % 10] + rng.integers(-9, 9, size=(30, 12, 12)), 0, 255).astype(
        np.uint8
    )
    for i, picture in enumerate(pictures):
        image.fromarray(picture).save(folder / "in" / f"p{i:02}.png")
    image.fromarray(pictures[4]).save(folder / "q.png")
    pd.DataFrame(
        {"file": [f"p{i:02}.png" for i in range(29, -1, -1)], "kind": np.arange(29, -1, -1) % 10}
    ).to_csv(folder / "about.csv", index=False)
    save(Autoencoder(5, random_state=0, trainer=quick).fit(folder / "in"), folder / "p.isthmus")
    return folder


def test_a_folder_is_searched_by_a_picture_and_drawn(folder):
    """Files and metadata belong together by name; the grid is a picture; JSON says the same."""
    done = run("index", "p.isthmus", "in", "-o", "ps", "--metadata", "about.csv", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "30 rows" in done.stdout
    done = run("search", "ps", "q.png", "-k", 3, "--draw", "g.png", "--json", "--why", folder=folder)
    said = json.loads(done.stdout)
    assert {line["file"] for line in said["found"]} == {"p04.png", "p14.png", "p24.png"}
    assert [line["kind"] for line in said["found"]] == [4, 4, 4]
    assert said["why"][0]["place"].startswith("rows")
    assert (folder / "g.png").read_bytes()[:4] == b"\x89PNG"
    found = json.loads(
        run("search", "ps", "row:4", "-k", 2, "--where", "kind != 4", "--json", folder=folder).stdout
    )
    assert all(line["kind"] != 4 for line in found["found"])


def test_a_model_for_search_is_fitted_by_its_task(folder):
    """That of a retriever: pictures are bent, cells of tables hidden; options of other tasks are refused."""
    for file, corruption in (("in", Distortion), ("t.csv", MaskingNoise)):
        done = run(
            "fit", file, "--task", "search", "-o", "s.isthmus", "--code", 4, "--epochs", 2, folder=folder
        )
        assert done.returncode == 0, done.stderr
        model = load(folder / "s.isthmus")
        assert isinstance(model.corruption, corruption)
        assert model.n_components_ == 4
        assert ("not judged by rebuilding" in " ".join(done.stdout.split())) == (file == "in")
    done = run("fit", "in", "--task", "search", "--kind", "deep", "-o", "s.isthmus", folder=folder)
    assert done.returncode == 1
    assert "--kind must be left out with --task search; got" in done.stderr


def test_metadata_of_a_folder_go_by_the_names_of_files(folder):
    """Without a column of names they are refused; files that have no line are counted."""
    about = pd.read_csv(folder / "about.csv")
    about.rename(columns={"file": "name"}).to_csv(folder / "nameless.csv", index=False)
    about[:25].to_csv(folder / "short.csv", index=False)
    done = run("index", "p.isthmus", "in", "-o", "n", "--metadata", "nameless.csv", folder=folder)
    assert done.returncode == 1
    assert "--metadata must have a column 'file' for a folder" in done.stderr
    assert not (folder / "n").exists()
    done = run("index", "p.isthmus", "in", "-o", "n", "--metadata", "short.csv", folder=folder)
    assert done.returncode == 0
    assert "5 of 30 files have no line in short.csv" in done.stderr


def test_a_table_is_searched_by_what_a_row_shows(folder):
    """Columns the model does not know are metadata; a CSV with some columns, and JSON, are questions."""
    done = run("index", "t.isthmus", "t.csv", "-o", "ts", "--json", folder=folder)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(folder / "t.csv")
    name = next(c for c in table if table[c].dtype.kind == "f" and table[c][[7, 9]].notna().all())
    (folder / "half.csv").write_text(f"{name}\n{table[name][7]}\n{table[name][9]}\n")
    done = run("search", "ts", "half.csv", "-k", 1, "-o", "found.csv", folder=folder)
    assert done.returncode == 0, done.stderr
    found = pd.read_csv(folder / "found.csv")
    np.testing.assert_allclose(found[name], table[name][[7, 9]])
    asked = json.dumps({name: float(table[name][7])})
    done = run("search", "ts", asked, "-k", 1, "--where", "code == 'p3'", "--why", folder=folder)
    assert "p3" in done.stdout
    assert "Why the first" in done.stdout
    assert "Distance: root mean square difference of the cells asked" in done.stdout
    assert run("duplicates", "ts", "--threshold", 0, "--json", folder=folder).returncode == 0
    (folder / "odd.csv").write_text(f"{name},nmae\n{table[name][7]},x\n")
    done = run("search", "ts", "odd.csv", "-k", 1, folder=folder)
    assert "odd.csv has columns that ts does not know, left out: nmae." in done.stderr
    done = run("search", "ts", asked, "--where", "code == 'none'", "--draw", "none.png", folder=folder)
    assert "Nothing is found" in done.stdout
    assert not (folder / "none.png").exists()


def test_a_store_of_texts_is_asked_with_words(folder):
    """A text, a file of text; the text found is shown, and the words both have; `info` tells of the store."""
    kinds = [(a, b, c) for a in ("red", "blue") for b in ("hat", "shoe", "coat") for c in ("old", "new")]
    texts = [f"the {a} {b} is {c}" for a, b, c in kinds]
    Retriever(store=folder / "xs", random_state=0).fit(texts, metadata={"n": range(12)}).close()
    (folder / "q.txt").write_text("blue coat")
    for question in ("blue coat", "q.txt"):
        done = run("search", "xs", question, "-k", 1, "--why", "--json", "--where", "n > 3", folder=folder)
        said = json.loads(done.stdout)
        assert said["found"][0]["text"].startswith("the blue coat is")
        assert {line["word"] for line in said["why"]} == {"blue", "coat"}
    done = run("search", "xs", "zebra", folder=folder)
    assert "a query must hold something that the model knows; got zebra" in done.stderr
    assert "12 rows" in run("info", "xs", folder=folder).stdout
    assert json.loads(run("info", "xs", "--json", folder=folder).stdout)["columns"] == ["n"]


def test_lines_of_metadata_that_fit_nothing_are_told(folder):
    """Twice the same file, a file that is not there, a column the table has."""
    lines = ["file,kind", *(f"p{i:02}.png,{i % 10}" for i in range(30)), "p00.png,7", "away.png,1"]
    (folder / "odd_about.csv").write_text("\n".join(lines))
    done = run("index", "p.isthmus", "in", "-o", "ps3", "--metadata", "odd_about.csv", folder=folder)
    assert "1 line of odd_about.csv left out, of files that were named before" in done.stderr
    assert "1 line of odd_about.csv left out, of no file in the folder" in done.stderr
    done = run("index", "t.isthmus", "t.csv", "-o", "ts3", "--metadata", "t.csv", folder=folder)
    assert "--metadata must have columns of its own; got code" in done.stderr


def test_days_are_shown_as_days(folder):
    """Midnight is left out where every moment is one; what does not fit the screen is said."""
    table = pd.DataFrame({"a": np.arange(40.0), "day": pd.date_range("2024-01-01", periods=40)})
    table.to_csv(folder / "days.csv", index=False)
    save(Autoencoder(1, random_state=0, trainer=Trainer(max_epochs=1)).fit(table), folder / "d.isthmus")
    assert run("index", "d.isthmus", "days.csv", "-o", "ds", folder=folder).returncode == 0
    done = run("search", "ds", "row:3", "-k", 2, folder=folder)
    assert "2024-01-0" in done.stdout
    assert "00:00" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("search", "nowhere", "row:1"), "nowhere must be a store; got nothing there"),
        (("index", "t.isthmus", "t.csv", "-o", "in"), "in must be a new folder"),
        (("search", "in", "row:1"), "Make one with `isthmus index`"),
        (("search", "t.csv", "row:1"), "t.csv must be a store; got a file"),
        (
            ("index", "p.isthmus", "t.csv", "-o", "new"),
            "t.csv must be pictures, which the model was fitted on; got a table",
        ),
        (
            ("index", "t.isthmus", "in", "-o", "new"),
            "in must be a table, which the model was fitted on",
        ),
        (("index", "t.isthmus", "t.csv", "-o", "new", "--bits", 9), "--bits must be from 1 to the 3"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(folder, arguments, words):
    """Exit status 1, and nothing is changed."""
    done = run(*arguments, folder=folder)
    assert done.returncode == 1
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert len(list((folder / "in").glob("*.png"))) == 30


def test_the_grid_shows_what_was_asked_at_the_left():
    """One axis; a cell for each sample; signals are drawn as curves."""
    pytest.importorskip("matplotlib")
    rng = np.random.default_rng(0)
    ax = figures.neighbours(
        rng.random((2, 8, 8)), [rng.random((3, 8, 8)), rng.random((1, 8, 8, 3))], [["0.1"] * 3]
    )
    assert len(ax.images) == 2 + 3 + 1
    assert [text.get_text() for text in ax.texts] == ["0.1"] * 3
    many = figures.neighbours(rng.random((1, 8, 8)), [rng.random((23, 8, 8))])
    assert len({round(image.get_extent()[3], 6) for image in many.images}) == 3  # lines of ten
    curves = figures.neighbours(rng.random((1, 2, 64)), [rng.random((2, 2, 64))])
    assert (len(curves.lines), len(curves.images)) == (6, 0)
