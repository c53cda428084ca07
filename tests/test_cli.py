"""The command line, run as a user runs it: in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isthmus.demo import mixed_table


def run(*arguments: object, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Isthmus with these arguments."""
    command = [sys.executable, "-m", "isthmus.cli", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "100"}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=120)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with a mixed table as CSV and Parquet, an array, and a fitted model."""
    folder = tmp_path_factory.mktemp("cli")
    table = mixed_table()
    table.to_csv(folder / "patients.csv", index=False)
    table.to_parquet(folder / "patients.parquet", index=False)
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
    for words in ("442 rows, 12 columns", "PCA", "held-out rows", "p.isthmus", "Trained on"):
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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fit", "missing.csv", "-o", "x.isthmus"), "missing.csv"),
        (("fit", "patients.csv", "-o", "x.model"), "must end in .isthmus"),
        (("fit", "patients.csv", "-o", "nowhere/x.isthmus"), "folder"),
        (("fit", "patients.csv", "-o", "x.isthmus", "--kind", "magic"), "--kind must be one of"),
        (("fit", "patients.csv", "-o", "x.isthmus", "--code", "0"), "n_components must"),
        (("fit", "patients.csv", "-o", "x.isthmus", "--code", "900"), "copying"),
        (("fit", "patients.csv", "-o", "x.isthmus", "--hidden", "wide"), "--hidden must"),
        (("fit", "patients.csv", "-o", "x.isthmus", "--exclude", "shoe size"), "shoe size"),
        (("encode", "m.isthmus", "array.npy", "-o", "x.csv"), "expecting 12 features"),
        (("encode", "patients.csv", "patients.csv", "-o", "x.csv"), "isthmus"),
        (("encode", "m.isthmus", "patients.csv", "-o", "x.xlsx"), "must end in"),
        (("info", "missing.isthmus"), "missing.isthmus"),
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


def test_outputs_are_refused_before_training(folder):
    """A wrong ending costs no training: the refusal comes in the time it takes to start."""
    done = run("fit", "array.npy", "-o", "x.txt", "--epochs", 1_000_000, folder=folder)
    assert done.returncode == 1


def test_ctrl_c_while_fitting_saves_the_best_so_far(folder):
    """SIGINT during training: the model is written and says so."""
    rng = np.random.default_rng(0)
    np.save(folder / "long.npy", np.tanh(rng.normal(size=(20_000, 4)) @ rng.normal(size=(4, 40))))
    command = [
        sys.executable,
        "-m",
        "isthmus.cli",
        "fit",
        "long.npy",
        "-o",
        "long.isthmus",
        "--code",
        "2",
        "--epochs",
        "4000",
    ]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith("long.npy")
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Interrupted" in out
    assert run("info", "long.isthmus", folder=folder).returncode == 0


def test_demo_trains_draws_and_saves(tmp_path):
    """Quickly: models, pictures and the table."""
    done = run("demo", "-o", tmp_path, "--quick")
    assert done.returncode == 0, done.stderr
    assert {"reconstructions.png", "training.png", "patients.isthmus", "patients.csv"} <= {
        p.name for p in tmp_path.iterdir()
    }
    assert "PCA" in done.stdout
