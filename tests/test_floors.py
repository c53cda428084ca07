"""Who may import whom: downward only."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import isthmus

SOURCE = Path(isthmus.__file__).parent
FLOOR = {
    0: "lazily segments parts checks wording atomic gaussian discoveries sealed fingerprint inputs networks "
    "codes losses corruptions penalties",
    1: "objective forward holes slopes tiling training",
    2: "citizen unfitted autoencoder nesting committee exporting many recipes saving scoring",
    3: "anomaly auditing denoising imputation inpainting retrieval diagnostics",
    4: "figures",
    5: "cli commands demo report serve",
}
FLOOR_OF = {name: floor for floor, names in FLOOR.items() for name in names.split()}
SHARED = {"lazily", "segments", "parts", "checks", "wording", "atomic", "gaussian"}  # what every part may use


def imports(path: Path) -> set[str]:
    """Modules a file imports at run time; what stands under `if TYPE_CHECKING:` does not run."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names if node.module == "isthmus"}
    return found


def module_of(path: Path) -> str:
    """The module or package directly under isthmus that a file belongs to."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


FILES = [path for path in sorted(SOURCE.rglob("*.py")) if path != SOURCE / "__init__.py"]


def inner(path: Path) -> set[str]:
    """Modules and packages of isthmus a file imports, its own apart."""
    names = {name.split(".")[1] for name in imports(path) if name.startswith("isthmus.")}
    return {name for name in names if name in FLOOR_OF} - {module_of(path)}


def test_every_module_has_a_floor():
    """A new module is one more word in the table above."""
    assert {module_of(path) for path in FILES} <= set(FLOOR_OF)


def test_imports_point_downward():
    """Nothing imports from a floor above its own."""
    upward = [
        (path.name, name)
        for path in FILES
        for name in inner(path)
        if FLOOR_OF[name] > FLOOR_OF[module_of(path)]
    ]
    assert upward == []


def test_parts_never_import_each_other():
    """On the ground floor only what is shared."""
    ground = [path for path in FILES if FLOOR_OF[module_of(path)] == 0]
    crossing = [(str(path.relative_to(SOURCE)), name) for path in ground for name in inner(path) - SHARED]
    assert crossing == []


def test_uses_never_import_torch_and_parts_never_import_scikit_learn():
    """Uses know transform, inverse_transform and errors; parts know tensors."""
    for path in FILES:
        floor, names = FLOOR_OF[module_of(path)], {name.split(".")[0] for name in imports(path)}
        assert not (floor in (3, 4) and "torch" in names), path
        assert not (floor in (0, 1) and "sklearn" in names), path
        assert not (module_of(path) == "inputs" and "torch" in names), path


def test_there_is_one_backward():
    """The general step is the only place that calls it."""
    callers = [path.name for path in FILES if ".backward()" in path.read_text().replace("`.backward()`", "")]
    assert callers == ["differentiated.py"]


def test_importing_the_package_loads_neither_torch_nor_scikit_learn():
    """Nor numpy, pandas or matplotlib."""
    heavy = "{'torch', 'sklearn', 'numpy', 'pandas', 'matplotlib', 'scipy'}"
    code = f"import isthmus, sys; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_first_fit_of_an_array_loads_no_library_but_numpy(tmp_path):
    """Nor do a file of the model and the commands on arrays: what is not used is not waited for."""
    code = """
import sys
import numpy as np
from isthmus import Autoencoder, Trainer, save
from isthmus.cli import app

X = np.random.default_rng(0).normal(size=(60, 6))
save(Autoencoder(4, trainer=Trainer(max_epochs=2)).fit(X), "m.isthmus")
Autoencoder(4, trainer=Trainer(max_epochs=2)).fit_transform(X)
np.save("x.npy", X)
for command in ("encode m.isthmus x.npy -o z.npy", "reconstruct m.isthmus x.npy -o y.npy", "info m.isthmus"):
    app(command.split(), standalone_mode=False)
print(sorted({"torch", "sklearn", "scipy", "pandas", "polars", "narwhals", "matplotlib"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert (tmp_path / "z.npy").exists()


def test_every_public_name_exists_and_is_documented():
    """What `dir(isthmus)` shows can be imported and has a docstring."""
    for name in isthmus.__all__:
        if name != "__version__":
            assert getattr(isthmus, name).__doc__, name
