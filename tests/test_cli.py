"""The command line, run as a user runs it: in a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from command_line import run
from isthmus import Autoencoder, Trainer, save, united
from isthmus.demo import mixed_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with a mixed table as CSV and Parquet, an array, and a fitted model."""
    folder = tmp_path_factory.mktemp("cli")
    table = mixed_table()
    table.to_csv(folder / "patients.csv", index=False)
    table.to_parquet(folder / "patients.parquet", index=False)
    np.savez(folder / "scalar.npz", np.float64(3))
    np.save(folder / "array.npy", np.random.default_rng(0).normal(size=(100, 6)))
    done = run("fit", "patients.csv", "-o", "m.isthmus", "--code", 3, "--epochs", 10, folder=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_help_reads_well():
    """Every command in one line each."""
    out = run("--help").stdout
    for words in ("fit", "encode", "reconstruct", "info", "demo", "Learn a model from FILE"):
        assert words in out


def test_fit_says_what_it_did(folder):
    """Rows, columns, the comparison with PCA, the notes, where it is."""
    done = run("fit", "patients.parquet", "-o", "p.isthmus", "--code", 3, "--epochs", 5, folder=folder)
    assert done.returncode == 0
    for words in (
        "442 rows, 12 columns",
        "columns read as",
        "yes/no",
        "PCA",
        "held-out rows",
        "p.isthmus",
        "Trained on",
    ):
        assert words in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    "kind", ["linear", "deep", "sparse", "kl-sparse", "k-sparse", "denoising", "contractive", "nested"]
)
def test_every_kind_fits(kind, folder):
    """By its name."""
    done = run(
        "fit",
        "patients.csv",
        "-o",
        f"{kind}.isthmus",
        "--kind",
        kind,
        "--code",
        4,
        "--epochs",
        2,
        "-q",
        folder=folder,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".npy", ".npz"])
def test_encode_writes_codes_by_the_ending(ending, folder):
    """442 rows of 3 numbers, the same in every format."""
    from isthmus.inputs.files import read

    done = run("encode", "m.isthmus", "patients.csv", "-o", f"codes{ending}", folder=folder)
    assert done.returncode == 0, done.stderr
    codes = read(folder / f"codes{ending}")
    assert codes.shape == (442, 3)
    from isthmus import load

    expected = load(folder / "m.isthmus").transform(read(folder / "patients.csv"))
    assert np.allclose(np.asarray(codes, dtype=float), expected, atol=1e-5)


def test_reconstruct_fills_gaps_and_writes_errors(folder):
    """The same columns; no gap left; the error of every known cell."""
    done = run(
        "reconstruct", "m.isthmus", "patients.csv", "-o", "back.csv", "--errors", "e.csv", folder=folder
    )
    assert done.returncode == 0, done.stderr
    was, back, errors = (pd.read_csv(folder / name) for name in ("patients.csv", "back.csv", "e.csv"))
    assert list(back.columns) == list(was.columns) == list(errors.columns)
    assert not back.isna().any().any()
    assert (errors.isna() == was.isna()).all().all()


def test_json_is_one_object_and_nothing_else(folder):
    """For fit, encode, reconstruct and info."""
    calls = [
        ("fit", "array.npy", "-o", "a.isthmus", "--code", 2, "--epochs", 3),
        ("encode", "m.isthmus", "patients.csv", "-o", "c.csv"),
        ("reconstruct", "m.isthmus", "patients.csv", "-o", "r.csv"),
        ("info", "m.isthmus"),
    ]
    for call in calls:
        done = run(*call, "--json", folder=folder)
        assert done.returncode == 0, done.stderr
        assert isinstance(json.loads(done.stdout), dict)


def test_info_describes_the_model(folder):
    """Columns, parts, versions."""
    out = run("info", "m.isthmus", folder=folder).stdout
    for words in ("weight class", "Autoencoder(", "442 rows", "torch"):
        assert words in out


def test_info_tells_the_losses_of_the_weights_in_the_file(tmp_path):
    """Not of the last epoch, when training went on past the best one."""
    X = np.random.default_rng(0).normal(size=(60, 6)) @ np.random.default_rng(1).normal(size=(6, 6))
    model = Autoencoder(3, trainer=Trainer(max_epochs=300, lr=1e-2), random_state=0).fit(X)
    best = min(model.history_rows_, key=lambda line: line["held_out_objective"])
    assert best["epoch"] < model.history_rows_[-1]["epoch"]
    save(model, tmp_path / "m.isthmus")
    found = json.loads(run("info", "m.isthmus", "--json", folder=tmp_path).stdout)
    assert (found["kept_epoch"], found["held_out_loss"]) == (best["epoch"], best["held_out_loss"])
    assert found["loss"] == best["loss"]
    model.continue_fit(X)
    later = next(line for line in model.history_rows_ if line["epoch"] == model.kept_epoch_)
    assert later["epoch"] > best["epoch"]
    save(model, tmp_path / "m.isthmus")
    found = json.loads(run("info", "m.isthmus", "--json", folder=tmp_path).stdout)
    assert (found["kept_epoch"], found["held_out_loss"]) == (later["epoch"], later["held_out_loss"])
    save(united([model, model]), tmp_path / "m.isthmus")
    assert "the weights are those" not in run("info", "m.isthmus", folder=tmp_path).stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fit", "missing.csv", "-o", "x.isthmus"), "missing.csv"),
        (("fit", "patients.csv", "-o", "x.model"), "must end in .isthmus"),
        (("fit", "patients.csv", "-o", "nowhere/x.isthmus"), "folder"),
        (("fit", "patients.csv", "-o", "x.isthmus", "--kind", "magic"), "--kind must be one of"),
        (("fit", "patients.csv", "-o", "x.isthmus", "--code", "0"), "--code must"),
        (("fit", "patients.csv", "-o", "x.isthmus", "--code", "900"), "copying"),
        (("fit", "patients.csv", "-o", "x.isthmus", "--hidden", "wide"), "--hidden must"),
        (("fit", "patients.csv", "-o", "x.isthmus", "--exclude", "shoe size"), "shoe size"),
        (("encode", "m.isthmus", "array.npy", "-o", "x.csv"), "expecting 12 features"),
        (("encode", "patients.csv", "patients.csv", "-o", "x.csv"), "isthmus"),
        (("encode", "m.isthmus", "patients.csv", "-o", "x.xlsx"), "must end in"),
        (("info", "missing.isthmus"), "missing.isthmus"),
        (("info", "."), "got a folder"),
        (("fit", "patients.csv", "-o", "x.isthmus", "--code", "-3"), "Use --code 8"),
        (("fit", "patients.csv", "-o", "x.isthmus", "--epochs", "0"), "--epochs must"),
        (("fit", "patients.csv", "-o", "x.isthmus", "--seed", "-1"), "--seed must"),
        (("fit", "patients.csv", "-o", "x.isthmus", "--inputs", "film"), "--inputs must"),
        (("fit", "patients.csv", "-o", "x.isthmus", "--kind", "linear", "--hidden", "4"), "no hidden layers"),
        (
            ("fit", "array.npy", "-o", "x.isthmus", "--task", "denoise", "--checkpoint", "sp.ck"),
            "got sp.ck. Ctrl-C",
        ),
        (("fit", "scalar.npz", "-o", "x.isthmus"), "rows and columns"),
        (("encode", "m.isthmus", "patients.csv", "-o", "patients.csv"), "a file of its own"),
        (("reconstruct", "m.isthmus", "patients.csv", "-o", "x.csv", "--errors", "x.csv"), "of its own"),
        (("reconstruct", "m.isthmus", "patients.csv", "-o", "x.npy"), "numbers only"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_user_errors_are_one_line_and_exit_code_one(arguments, words, folder):
    """No traceback, nothing on standard output that looks like success, no file left."""
    done = run(*arguments, folder=folder)
    assert done.returncode == 1
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("isthmus: ")
    assert words in lines[0]
    assert not (folder / "x.isthmus").exists()
    assert not (folder / "x.csv").exists()


def test_wrong_usage_is_exit_code_two(folder):
    """A missing option, an unknown command."""
    assert run("fit", "patients.csv", folder=folder).returncode == 2
    assert run("fly", folder=folder).returncode == 2
    for given in (("--code", "2.5"), ("--code=2.5",)):
        done = run("fit", "patients.csv", "-o", "x.isthmus", *given, folder=folder)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "isthmus: --code must be a whole number; got 2.5. Correct it.\n"
    done = run("impute", "patients.csv", "-o", "x.csv", "--alpha", "x", "--json", folder=folder)
    assert json.loads(done.stdout) == {"error": "--alpha must be a number; got x. Correct it."}


def test_outputs_are_refused_before_training(folder):
    """A wrong ending costs no training: the refusal comes in the time it takes to start."""
    done = run("fit", "array.npy", "-o", "x.txt", "--epochs", 1_000_000, folder=folder)
    assert done.returncode == 1


def test_an_output_that_cannot_be_written_is_refused_before_training(folder):
    """A name that leaves no room for a temporary one beside it."""
    name = "x" * 240 + ".isthmus"
    done = run("fit", "array.npy", "-o", name, "--epochs", 1_000_000, folder=folder)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "cannot be written: File name too long. Choose another place." in done.stderr
    assert not list(folder.glob(".x*"))


@contextmanager
def fitting(folder: Path, name: str, *options: object) -> Iterator[subprocess.Popen[str]]:
    """A long fit that has said what it reads."""
    rng = np.random.default_rng(0)
    np.save(folder / "long.npy", np.tanh(rng.normal(size=(20_000, 4)) @ rng.normal(size=(4, 40))))
    command = [sys.executable, "-m", "isthmus.cli", "fit", "long.npy", "-o", name, "--code", "2"]
    command += map(str, options)
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    yield process


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_while_fitting_saves_the_best_so_far_and_says_so(folder, sent):
    """So does a scheduler's SIGTERM: the model is written, standard error says so, the exit code is 130."""
    with fitting(folder, "long.isthmus", "--epochs", 4000) as process:
        assert process.stdout.readline().startswith("long.npy")
        time.sleep(4)
        process.send_signal(sent)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.startswith("isthmus: interrupted: the best model so far")
    assert json.loads(run("info", "long.isthmus", "--json", folder=folder).stdout)["interrupted"] is True


def test_ctrl_c_before_the_first_update_writes_nothing(folder):
    """An older model stays as it was."""
    before = (folder / "m.isthmus").read_bytes()
    with fitting(folder, "m.isthmus", "--hidden", "4000,4000", "--epochs", 10) as process:
        assert process.stdout.readline().startswith("long.npy")
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.strip() == "isthmus: interrupted before anything was learned; m.isthmus is unchanged"
    assert out == ""
    assert (folder / "m.isthmus").read_bytes() == before


def test_a_model_remembers_how_its_file_was_read(folder):
    """No option has to be told again; what the file does not hold is told again."""
    rng = np.random.default_rng(0)
    rows = [
        f"{a:.3f};{b};{c}".replace(".", ",")
        for a, b, c in zip(rng.normal(size=60), *["xy" * 30] * 2, strict=True)
    ]
    (folder / "eu.csv").write_text("99;x;y\n" + "\n".join(rows))
    (folder / "few.csv").write_text("1,5;x;y\n99;y;x\n")
    done = run("fit", "eu.csv", "-o", "eu.isthmus", "--na", "99", "--no-header", "--epochs", 2, folder=folder)
    assert done.returncode == 0, done.stderr
    assert "No header found" in done.stdout
    done = run("reconstruct", "eu.isthmus", "few.csv", "-o", "few2.csv", "--errors", "e.csv", folder=folder)
    assert done.returncode == 0, done.stderr
    assert pd.read_csv(folder / "e.csv").isna().to_numpy().sum() == 1
    facts = json.loads(run("info", "eu.isthmus", "--json", folder=folder).stdout)
    assert [facts[name] for name in ("separator", "decimal", "header", "na")] == [";", ",", False, ["99"]]


def test_info_repeats_what_fit_said(folder):
    """The same rows, shares and verdict; losses as numbers."""
    fitted = json.loads(
        run("fit", "patients.csv", "-o", "i.isthmus", "--epochs", 3, "--json", folder=folder).stdout
    )
    told = json.loads(run("info", "i.isthmus", "--json", folder=folder).stdout)
    for name in (
        "rows",
        "trained_rows",
        "held_out_rows",
        "explained",
        "explained_by_pca",
        "verdict",
        "notes",
    ):
        assert told[name] == fitted[name]
    assert fitted["rows"] == 442 == fitted["trained_rows"] + fitted["held_out_rows"]
    lines = run("info", "i.isthmus", folder=folder).stdout.splitlines()
    loss = next(line.split() for line in lines if line.startswith("loss"))
    assert loss == ["loss", f"{told['loss']:.4g}"]


def test_unseen_levels_are_told_once(folder):
    """As one sentence without source lines, however many blocks and passes there are."""
    table = pd.read_csv(folder / "patients.csv")
    table.loc[:4, "sex"] = "neither"
    table.to_csv(folder / "new.csv", index=False)
    done = run(
        "reconstruct", "m.isthmus", "new.csv", "-o", "n.csv", "--errors", "ne.csv", "-q", folder=folder
    )
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("isthmus: column 'sex': 5 cells hold a level")


def test_errors_under_json_are_one_object(folder):
    """On standard output, wrong usage too, with the same exit codes."""
    done = run("info", "missing.isthmus", "--json", folder=folder)
    assert done.returncode == 1
    assert "missing.isthmus" in json.loads(done.stdout)["error"]
    assert done.stderr == ""
    done = run("fit", "patients.csv", "--json", folder=folder)
    assert done.returncode == 2
    assert "--output" in json.loads(done.stdout)["error"]


def test_data_that_teach_nothing_get_no_verdict(folder):
    """One row; rows that are all the same: said without warnings or percentages."""
    (folder / "one.csv").write_text("a,b\n1,2\n")
    np.save(folder / "same.npy", np.ones((100, 4)))
    done = run("fit", "one.csv", "-o", "o.isthmus", "--code", 1, "--epochs", 2, folder=folder)
    assert "Nothing can be judged: 1 row" in done.stdout
    assert "%" not in done.stdout
    done = run("fit", "one.csv", "-o", "o.isthmus", "--code", 1, "--epochs", 2, "-q", folder=folder)
    assert "Nothing can be judged" in done.stderr
    done = run("fit", "same.npy", "-o", "o.isthmus", "--code", 2, "--epochs", 2, folder=folder)
    assert "nothing to learn: every row is the same" in done.stdout
    assert done.stderr == ""
    assert "%" not in done.stdout


def test_a_kind_too_wide_for_the_table_takes_a_code_that_fits(folder):
    """And says so."""
    done = run("fit", "patients.csv", "-o", "w.isthmus", "--kind", "deep", "--epochs", 1, folder=folder)
    assert done.returncode == 0, done.stderr
    assert "the usual 30 of --kind deep is too much for 12 columns" in " ".join(done.stdout.split())


def test_dates_come_back_as_days(folder):
    """At the resolution of the column."""
    days = pd.date_range("2024-01-01", periods=60)
    pd.DataFrame({"day": days, "n": np.arange(60.0), "m": np.sin(np.arange(60))}).to_csv(
        folder / "d.csv", index=False
    )
    run("fit", "d.csv", "-o", "d.isthmus", "--code", 1, "--epochs", 2, "-q", folder=folder)
    assert run("reconstruct", "d.isthmus", "d.csv", "-o", "d2.csv", folder=folder).returncode == 0
    assert pd.read_csv(folder / "d2.csv")["day"].str.fullmatch(r"\d{4}-\d\d-\d\d").all()


def test_a_checkpoint_is_taken_up_by_the_same_command(folder):
    """The option writes one, and a second run goes on from it to the same model."""
    call = (
        "fit",
        "array.npy",
        "-o",
        "c.isthmus",
        "--code",
        2,
        "--epochs",
        3,
        "--checkpoint",
        "c.state",
        "--json",
    )
    first = json.loads(run(*call, folder=folder).stdout)
    assert (folder / "c.state").exists()
    assert json.loads(run(*call, folder=folder).stdout)["explained"] == first["explained"]
    assert "checkpoint" not in json.loads(run("info", "c.isthmus", "--json", folder=folder).stdout)["model"]


def test_the_version_is_told():
    """As --version."""
    assert run("--version").stdout.startswith("isthmus ")


def test_demo_trains_draws_and_saves(tmp_path):
    """Quickly: models, pictures, the table, its gaps filled, a page about it, a line for each of the uses."""
    done = run("demo", "-o", tmp_path, "--quick")
    assert done.returncode == 0, done.stderr
    made = {path.name for path in tmp_path.iterdir()}
    assert {"reconstructions.png", "training.png", "patients.isthmus", "patients.csv", "report.html"} <= made
    assert {"anomalies.png", "noise.jpg", "holes.png", "patients-filled.csv", "search.png"} <= made
    for words in (
        "PCA",
        "spoiled by hand 3 are flagged",
        "dB restored",
        "grey levels off",
        "gaps",
        "nearest",
    ):
        assert words in " ".join(done.stdout.replace("│", " ").split())
    assert not pd.read_csv(tmp_path / "patients-filled.csv").isna().any().any()


def test_a_model_remembers_which_columns_were_left_out(folder):
    """Its own file can be given to it again, by every command and by an imputer."""
    X = mixed_table()
    X.assign(patient=[f"p{i}" for i in range(len(X))]).to_csv(folder / "named.csv", index=False)
    few = ("--exclude", "patient", "--epochs", 2)
    done = run("fit", "named.csv", "-o", "without.isthmus", "--code", 3, *few, folder=folder)
    assert done.returncode == 0, done.stderr
    for command in ("encode", "reconstruct"):
        done = run(command, "without.isthmus", "named.csv", "-o", "out.csv", folder=folder)
        assert done.returncode == 0, done.stderr
        assert "patient" not in pd.read_csv(folder / "out.csv").columns
    done = run("audit", "without.isthmus", "named.csv", folder=folder)
    assert done.returncode == 0, done.stderr
    pd.read_csv(folder / "named.csv").to_parquet(folder / "named.parquet", index=False)
    done = run("encode", "without.isthmus", "named.parquet", "-o", "out.csv", folder=folder)
    assert done.returncode == 0, done.stderr
    done = run("impute", "named.csv", "-o", "one.csv", "--save", "fills.isthmus", *few, folder=folder)
    assert done.returncode == 0, done.stderr
    done = run("impute", "named.csv", "-o", "two.csv", "--model", "fills.isthmus", folder=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "one.csv").read_text() == (folder / "two.csv").read_text()
    assert pd.read_csv(folder / "two.csv")["patient"][3] == "p3"


def test_what_is_left_out_is_not_told_of(folder):
    """No note on a column that --exclude names; one that is not there is told what there is."""
    lines = [f"{i:03d},{','.join(str(i * j % 7) for j in range(10))}" for i in range(60)]
    (folder / "wide.csv").write_text("\n".join(["PID," + ",".join("abcdefghij"), *lines]))
    fit = ("fit", "wide.csv", "-o", "wide.isthmus", "--epochs", 1)
    assert "Read as text" in run(*fit, folder=folder).stdout
    done = run(*fit, "--exclude", "PID", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "PID" not in done.stdout
    done = run(*fit, "--exclude", "nix", folder=folder)
    assert "It has PID, a, b, c, d, e, f, g, h, i and 1 more." in done.stderr


def test_names_without_rows_leave_the_output_alone(folder):
    """A file of a header only is refused in a sentence."""
    (folder / "names.csv").write_text("a,b,c,empty,huge,date\n")
    (folder / "kept.csv").write_text("kept")
    done = run("impute", "names.csv", "-o", "kept.csv", folder=folder)
    assert done.returncode == 1
    assert "names of columns alone. Add rows, or use --no-header" in done.stderr
    assert (folder / "kept.csv").read_text() == "kept"


def test_postcodes_keep_their_zeros(folder):
    """Whole numbers that begin with zeros are text, which is told; hours are numbers."""
    rng = np.random.default_rng(0)
    zips, hours = rng.choice(["02139", "90210", "00501"], 90), rng.integers(0, 24, 90)
    lines = [f"{z},{h:02d},{h + e:.2f}" for z, h, e in zip(zips, hours, rng.normal(size=90), strict=True)]
    lines[5], lines[9] = ",07,7.10", "02139,,3.30"
    (folder / "zips.csv").write_text("\n".join(["zip,hour,load", *lines]))
    done = run("impute", "zips.csv", "-o", "full.csv", "--epochs", 3, folder=folder)
    assert done.returncode == 0, done.stderr
    assert "leading zeros would be lost: zip." in " ".join(done.stdout.split())
    full = pd.read_csv(folder / "full.csv", dtype=str)
    kept = np.array([z if i != 5 else full["zip"][5] for i, z in enumerate(zips)])
    assert full["zip"][9] == "02139"
    assert (full["zip"].drop(9) == np.delete(kept, 9)).all()
    assert full["zip"][5] in {"02139", "90210", "00501"}
    assert float(full["hour"][5]) == 7
    (folder / "bare.csv").write_text("code,load\n" + "\n".join(f"{100 + i % 9},{i % 9}" for i in range(90)))
    (folder / "late.csv").write_text("code,load\n0104,3\n0102,2\n")
    done = run("fit", "bare.csv", "-o", "bare.isthmus", "--code", 1, "--epochs", 2, folder=folder)
    assert done.returncode == 0, done.stderr
    done = run("encode", "bare.isthmus", "late.csv", "-o", "out.csv", folder=folder)
    assert done.returncode == 0, done.stderr


def test_a_table_without_gaps_is_told_so(folder):
    """No list of columns that were filled with their means."""
    done = run("impute", "array.npy", "-o", "same.npy", "--epochs", 2, folder=folder)
    assert done.returncode == 0, done.stderr
    assert "No cell was missing" in done.stdout
    assert "Filled with the mean" not in done.stdout


def test_columns_may_be_called_as_methods_are(folder):
    """`load` and `labels` are columns, not what a folder of files has."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(120, 3)), columns=["load", "labels", "write"])
    table.to_csv(folder / "words.csv", index=False)
    for task in (("--code", 1), ("--task", "detect")):
        done = run("fit", "words.csv", "-o", "words.isthmus", "--epochs", 2, *task, folder=folder)
        assert done.returncode == 0, done.stderr
        command = "detect" if "detect" in task else "encode"
        done = run(command, "words.isthmus", "words.csv", "-o", "words_out.csv", folder=folder)
        assert done.returncode == 0, done.stderr
