"""Exported models: the same numbers in onnxruntime and in numpy alone, in one file, or a clear refusal."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from isthmus import (
    MLP,
    Architecture,
    Autoencoder,
    BatchTopK,
    BinaryCrossEntropy,
    BoundedSquaredError,
    Categorical,
    DataError,
    Dictionary,
    FileError,
    Huber,
    Images,
    Linear,
    Nested,
    ReLU,
    ReLUCode,
    Sigmoid,
    SigmoidCode,
    Signals,
    SquaredError,
    Table,
    Tanh,
    TopK,
    Trainer,
    UnitRange,
    export,
    save,
)
from isthmus.demo import mixed_table
from isthmus.exporting import checking, scorer
from isthmus.exporting import onnx as onnx_form

SHORT = Trainer(max_epochs=2)


def numbers(rows: int = 240) -> np.ndarray:
    """Columns of every size, one with heavy tails, one around 1e12, one constant, with gaps."""
    generator = np.random.default_rng(0)
    X = generator.normal(size=(rows, 6)) * [1, 100, 1e-6, 1, 1, 0] + [0, 5, 0, 1e12, -3, 7]
    X[:, 4] = np.exp(6 * generator.normal(size=rows))
    X[generator.random(X.shape) < 0.1] = np.nan
    return X


def signals() -> np.ndarray:
    """Two channels of eight moments, float32."""
    return np.random.default_rng(1).normal(size=(120, 2, 8)).astype(np.float32)


def pictures() -> np.ndarray:
    """Digits of 8 x 8 bytes."""
    return (load_digits().images[:200] * 15).astype(np.uint8)


class Convolutions(Architecture):
    """A user's own network for pictures of 8 x 8."""

    def build(self, layout, n_components):
        down = nn.Sequential(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 4, 3, 2, 1), nn.ReLU(), nn.Flatten())
        up = nn.Sequential(nn.Linear(n_components, 64), nn.Unflatten(1, (4, 4, 4)))
        up.extend([nn.ConvTranspose2d(4, 4, 2, 2), nn.Upsample(scale_factor=1), nn.Conv2d(4, 1, 3, 1, 1)])
        return down.append(nn.Linear(64, n_components)), up.append(nn.Flatten())


class Wave(Architecture):
    """A user's own network for signals of 2 x 8."""

    def build(self, layout, n_components):
        down = nn.Sequential(nn.Unflatten(1, (2, 8)), nn.Conv1d(2, 3, 3, 2, 1), nn.GELU(), nn.Flatten())
        return down.append(nn.Linear(12, n_components)), nn.Linear(n_components, layout.width)


class FixedRows(Architecture):
    """A user's own network that turns the number of rows into a Python number."""

    def build(self, layout, n_components):
        class Down(nn.Linear):
            def forward(self, x):
                return super().forward(x) + torch.zeros(len(x), 1)

        return Down(layout.width, n_components), nn.Linear(n_components, layout.width)


def fitted(model: Autoencoder, X: object) -> Autoencoder:
    """The model after a short training."""
    return model.set_params(random_state=0, trainer=SHORT).fit(X)


def session(path: Path) -> onnxruntime.InferenceSession:
    """The file as another program would load it."""
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def scored_alone(path: Path, X: np.ndarray, folder: Path) -> dict[str, np.ndarray]:
    """The outputs of a Python file in an isolated process that may import numpy and nothing of ours."""
    np.save(folder / "rows.npy", X)
    program = (
        "import sys, importlib.util, numpy as np\n"
        f"spec = importlib.util.spec_from_file_location('alone', {str(path)!r})\n"
        "m = importlib.util.module_from_spec(spec); spec.loader.exec_module(m)\n"
        f"X = np.load({str(folder / 'rows.npy')!r})\n"
        "assert not {'torch', 'isthmus', 'sklearn', 'pandas'} & set(sys.modules)\n"
        f"np.savez({str(folder / 'out.npz')!r}, z=m.encode(X), x_hat=m.reconstruct(X), errors=m.errors(X),\n"
        "         score=m.score(X), decoded=m.decode(m.encode(X)))\n"
    )
    subprocess.run([sys.executable, "-I", "-W", "error", "-c", program], check=True, timeout=60)
    with np.load(folder / "out.npz") as out:
        return dict(out)


def assert_same(got: dict[str, np.ndarray], model: Autoencoder, X: np.ndarray, fitted_on: np.ndarray) -> None:
    """z, x_hat, errors and score within 1e-5 of the model's, x_hat in units of its column's usual spread."""
    np.testing.assert_allclose(got["z"], model.transform(X), rtol=1e-5, atol=1e-5)
    errors = model.errors(X)
    np.testing.assert_allclose(got["errors"], errors, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(got["score"], np.nanmean(errors, 1), rtol=1e-5, atol=1e-5)
    x_hat = model.reconstruct(X)
    assert got["x_hat"].shape == x_hat.shape
    assert got["x_hat"].dtype == x_hat.dtype
    if x_hat.dtype.kind in "iu":
        apart = np.abs(got["x_hat"].astype(int) - x_hat.astype(int))
        assert apart.max() <= 1
        assert apart.mean() < 1e-3  # a value on the edge between two may be rounded to either
        return
    flat, wanted = (one.reshape(len(X), -1).astype(float) for one in (got["x_hat"], x_hat))
    known = fitted_on.reshape(len(fitted_on), -1).astype(float)
    middle = np.nanmedian(known, 0)
    unit = np.nanmedian(np.abs(known - middle), 0) + (np.nanstd(known, 0) == 0)
    assert (np.abs(flat - wanted) <= 1e-5 * (unit + np.abs(wanted - middle))).all()


DENSE = {
    "plain": (Autoencoder(3), numbers),
    "tied": (Autoencoder(3, architecture=MLP((16,), tied=True, activation=Tanh())), numbers),
    "shallow": (Autoencoder(3, architecture=MLP((), activation=ReLU()), code=SigmoidCode()), numbers),
    "linear": (Autoencoder(3, architecture=Linear()), numbers),
    "top-k": (Autoencoder(24, architecture=Dictionary(), code=TopK(4)), numbers),
    "batch top-k": (Autoencoder(24, code=BatchTopK(4)), numbers),
    "nested": (Autoencoder(3, architecture=MLP((8,), activation=Sigmoid()), code=Nested()), numbers),
    "relu, huber": (Autoencoder(4, code=ReLUCode(), loss=Huber(0.5)), numbers),
    "squared": (Autoencoder(3, loss=SquaredError(), inputs=Table()), numbers),
    "pixels": (Autoencoder(8), pictures),
    "bounded": (Autoencoder(8, loss=BoundedSquaredError(), architecture=MLP((32,), gaps=True)), pictures),
    "cross-entropy": (Autoencoder(8, loss=BinaryCrossEntropy(), code=SigmoidCode()), pictures),
    "whole numbers": (Autoencoder(2), lambda: np.arange(200).reshape(50, 4) ** 2),
    "signals": (Autoencoder(4), signals),
    "unit range": (Autoencoder(4, inputs=Table(scaling=UnitRange()), loss=BinaryCrossEntropy()), signals),
}


@pytest.mark.parametrize("name", DENSE)
def test_a_python_file_gives_the_models_numbers_with_numpy_alone(name, tmp_path):
    """In a process that has imported nothing of ours, with every warning an error."""
    made, data = DENSE[name]
    X = data()
    model = fitted(made, X)
    assert export(model, tmp_path / "scorer.py") <= 1e-5
    got = scored_alone(tmp_path / "scorer.py", X, tmp_path)
    assert_same(got, model, X, X)
    np.testing.assert_array_equal(got["decoded"], got["x_hat"])


def photographs() -> np.ndarray:
    """Colour pictures of 16 x 24 bytes."""
    return np.random.default_rng(2).integers(0, 256, (60, 16, 24, 3), dtype=np.uint8)


def recordings() -> np.ndarray:
    """One channel of 300 moments, float32."""
    return np.random.default_rng(3).normal(size=(60, 1, 300)).cumsum(2).astype(np.float32)


CONVOLUTIONAL = {
    "convolutions": (Autoencoder(6, architecture=Convolutions()), pictures),
    "waves": (Autoencoder(3, architecture=Wave()), signals),
    "photographs": (Autoencoder(6, inputs=Images()), photographs),
    "recordings": (Autoencoder(6, inputs=Signals()), recordings),
}


@pytest.mark.parametrize("name", [*DENSE, *CONVOLUTIONAL])
def test_an_onnx_file_gives_the_models_numbers_for_any_number_of_rows(name, tmp_path):
    """In onnxruntime, for 1, 7 and 1,000 rows, with nothing written beside the one file."""
    made, data = (DENSE | CONVOLUTIONAL)[name]
    X = data()
    model = fitted(made, X)
    assert export(model, tmp_path / "scorer.onnx") <= 1e-5
    assert [path.name for path in tmp_path.iterdir()] == ["scorer.onnx"]
    run, names = session(tmp_path / "scorer.onnx"), ["z", "x_hat", "errors", "score"]
    for rows in (1, 7, 1000):
        batch = np.resize(X, (rows, *X.shape[1:]))
        assert_same(dict(zip(names, run.run(names, {"X": batch}), strict=True)), model, batch, X)


def test_a_mixed_table_with_text_and_gaps_matches_in_onnxruntime(tmp_path):
    """Numbers in one matrix, text in another; what was never met counts as missing, as it does in isthmus."""
    df = mixed_table().assign(level=np.arange(442) % 3, word=[f"w{i % 9}" for i in range(442)])
    kinds = {"level": Categorical(), "word": Categorical(4), "age": Categorical(10)}
    model = fitted(Autoencoder(4, inputs=Table(columns=kinds)), df)
    assert export(model, tmp_path / "m.onnx") <= 1e-5
    meta = session(tmp_path / "m.onnx").get_modelmeta().custom_metadata_map
    words, plain = json.loads(meta["text"]), json.loads(meta["X"])
    assert sorted(words + plain) == sorted(df.columns)
    fed = {"X": df[plain].to_numpy(float), "text": df[words].fillna("").to_numpy(object)}
    names = ["z", "x_hat", "text_hat", "errors"]
    z, x_hat, text_hat, errors = session(tmp_path / "m.onnx").run(names, fed)
    np.testing.assert_allclose(z, model.transform(df), atol=1e-5)
    np.testing.assert_allclose(errors, model.errors(df)[json.loads(meta["errors"])], atol=1e-5, rtol=1e-5)
    back = model.reconstruct(df)
    assert (text_hat == back[words].fillna("").to_numpy(object)).mean() > 0.999
    np.testing.assert_allclose(x_hat, back[plain].to_numpy(float), rtol=1e-4, atol=1e-4)


def test_a_mixed_table_matches_with_numpy_alone(tmp_path):
    """A frame or a dict of columns in, a dict of columns out; moments, yes/no, levels and gaps included."""
    df = mixed_table().assign(seen=pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(442), "h"))
    df = df.astype({"age": "Int16", "progressed": "boolean", "weight class": "category"})
    df.loc[3, ["age", "progressed"]] = pd.NA
    model = fitted(Autoencoder(4), df)
    export(model, tmp_path / "m.py")
    module: dict[str, object] = {"__name__": "alone"}
    exec((tmp_path / "m.py").read_text(), module)
    columns = {name: df[name].to_numpy() for name in df}
    np.testing.assert_allclose(module["encode"](columns), model.transform(df), atol=1e-5)
    np.testing.assert_allclose(module["errors"](df), model.errors(df), atol=1e-5, rtol=1e-5)
    made, back = module["reconstruct"](columns), model.reconstruct(df)
    assert (made["sex"] == back["sex"].fillna("").to_numpy()).mean() > 0.99
    assert (made["progressed"] == back["progressed"].to_numpy(bool)).mean() > 0.99
    assert (made["seen"] == back["seen"].to_numpy("datetime64[us]")).mean() > 0.99  # whole hours, as in X


@pytest.mark.parametrize("ending", ["py", "onnx"])
def test_a_polars_table_of_text_alone_can_be_exported(ending, tmp_path):
    """No column of numbers at all, gaps and a hostile name and level."""
    import polars

    words = ["'''", "b\\", None, 'c"""\n'] * 30
    df = polars.DataFrame({'"""\nimport os': words, "b": words[::-1]})
    assert export(fitted(Autoencoder(2), df), tmp_path / f"m.{ending}") <= 1e-5


def test_a_python_file_is_data_and_plain_functions(tmp_path):
    """It imports numpy and three modules of the standard library, and unpickles and evaluates nothing."""
    export(fitted(Autoencoder(3), mixed_table()), tmp_path / "m.py")
    tree = ast.parse((tmp_path / "m.py").read_text())
    imported = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    assert imported == {"base64", "csv", "sys", "numpy"}
    assert not any(isinstance(node, ast.ImportFrom) for node in ast.walk(tree))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not names & {"exec", "eval", "compile", "__import__", "pickle"}


@pytest.mark.parametrize(
    "style", [{}, {"sep": ";", "decimal": ","}, {"sep": "\t"}], ids=["plain", "comma", "tab"]
)
@pytest.mark.parametrize("table", [False, True], ids=["array", "table"])
def test_a_python_file_prints_scores_of_a_csv(table, style, tmp_path):
    """One number for every row, the same as from Python, from whatever a spreadsheet writes."""
    df = pd.DataFrame(numbers(50), columns=list("abcdef")).assign(kind=["x", "y"] * 25)
    X = df if table else df[list("abcdef")].to_numpy()
    model = fitted(Autoencoder(2), X)
    export(model, tmp_path / "m.py")
    (df if table else df[list("abcdef")]).to_csv(
        tmp_path / "rows.csv", index=False, encoding="utf-8-sig", **style
    )
    command = [sys.executable, "-I", str(tmp_path / "m.py"), str(tmp_path / "rows.csv")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    wanted = np.nanmean(np.asarray(model.errors(X)), 1)
    np.testing.assert_allclose([float(line) for line in done.stdout.split()], wanted, rtol=1e-4)


def test_the_graph_names_no_file_of_the_machine_it_was_made_on(tmp_path):
    """The tracer's notes are gone; version, columns and fingerprint are there."""
    model = fitted(Autoencoder(2), numbers())
    export(model, tmp_path / "m.onnx")
    content = (tmp_path / "m.onnx").read_bytes()
    assert b".py" not in content
    facts = {one.key: one.value for one in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert facts["fingerprint"] == model.fingerprint_["sha256"]
    assert facts["X"] == "[6]"


@pytest.mark.parametrize("ending", ["py", "onnx"])
def test_an_export_that_differs_is_refused_and_nothing_is_written(ending, tmp_path, monkeypatch):
    """A weight changed by a thousandth on the way is noticed."""
    model = fitted(Autoencoder(2), numbers())
    form = {"py": scorer, "onnx": onnx_form}[ending]
    honest = form.written

    def dishonest(model):
        bias = model.network_.decoder.last.bias
        with torch.no_grad():
            bias[0] += 1e-3
            content = honest(model)
            bias[0] -= 1e-3
        return content

    monkeypatch.setattr(form, "written", dishonest)
    with pytest.raises(DataError, match=r"must match the model to 1e-05.*got a difference of 0\.00"):
        export(model, tmp_path / f"m.{ending}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("output", ["z", "x_hat", "errors", "score"])
def test_a_difference_in_any_output_counts(output):
    """Not only in the codes: a hundred-thousandth and more in each of the four."""
    model = fitted(Autoencoder(2), numbers())
    X = checking.check_rows(model.schema_)
    right = scorer.runner(model, scorer.written(model))(X)
    assert checking.difference(model, right, X) < 1e-5
    wrong = np.array(getattr(right, output))
    wrong[3] += 1e-2 * np.abs(wrong[3]).max()
    assert checking.difference(model, right._replace(**{output: wrong}), X) > 1e-5


def test_own_architectures_are_sent_from_py_to_onnx(tmp_path):
    """A Python file holds dense networks only."""
    model = fitted(Autoencoder(6, architecture=Convolutions()), pictures())
    with pytest.raises(DataError, match=r"another architecture.*Use a name that ends in \.onnx\."):
        export(model, tmp_path / "m.py")


def test_a_network_for_one_number_of_rows_is_refused(tmp_path):
    """`len(x)` in a forward fixes the rows; the sentence says so."""
    model = fitted(Autoencoder(2, architecture=FixedRows()), numbers())
    with pytest.raises(DataError, match=r"cannot be written as ONNX.*x\.shape\[0\]"):
        export(model, tmp_path / "m.onnx")


def test_places_that_cannot_work_are_refused_before_any_work(tmp_path):
    """Wrong endings, folders, missing folders, models that are not fitted."""
    model = fitted(Autoencoder(2), numbers())
    (tmp_path / "folder.py").mkdir()
    cases = {"m.pt": "must end in", "folder.py": "is a folder", "none/m.py": "must exist"}
    for name, words in cases.items():
        with pytest.raises(FileError, match=words):
            export(model, tmp_path / name)
    with pytest.raises(DataError, match="must be fitted"):
        export(Autoencoder(2), tmp_path / "m.py")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.py"]


def test_missing_packages_are_one_sentence(tmp_path, monkeypatch):
    """With the command that installs them."""
    monkeypatch.setattr(onnx_form, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'isthmus\[onnx\]'"):
        export(fitted(Autoencoder(2), numbers()), tmp_path / "m.onnx")


def test_rows_of_ones_own_are_checked_too(tmp_path):
    """`rows=` takes data of the kind that was fitted."""
    X = numbers()
    assert export(fitted(Autoencoder(2), X), tmp_path / "m.py", rows=X) <= 1e-5


def test_exporting_leaves_the_global_random_states_alone(tmp_path):
    """Neither numpy's nor torch's."""
    model = fitted(Autoencoder(2), numbers())
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    export(model, tmp_path / "m.onnx")
    assert (np.random.get_state()[1] == before[0]).all()
    assert torch.equal(torch.get_rng_state(), before[1])


def test_the_command_line_exports(tmp_path):
    """`isthmus export MODEL -o OUT.py`, and one sentence for a wrong name."""
    save(fitted(Autoencoder(2), numbers()), tmp_path / "m.isthmus")

    def run(out: str) -> subprocess.CompletedProcess[str]:
        model = str(tmp_path / "m.isthmus")
        command = [sys.executable, "-m", "isthmus.cli", "export", model, "-o", out]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    done = run(str(tmp_path / "m.py"))
    assert done.returncode == 0, done.stderr
    assert "differs from the model by" in done.stdout
    done = run(str(tmp_path / "m.txt"))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
