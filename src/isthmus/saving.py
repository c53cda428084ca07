"""One model, one file: safetensors with a JSON header and a checksum of our own. Never a pickle.

The file holds the weights, and as JSON the parts, the schema of the columns, the history, the versions and
a fingerprint of the training data; loading it builds the parts by name, the network from the parts, and
puts the weights in. Nothing in it is executed; see `isthmus.sealed` for what is checked.

>>> import numpy as np, tempfile, pathlib
>>> from isthmus import Autoencoder, load, save
>>> X = np.random.default_rng(0).normal(size=(60, 4))
>>> model = Autoencoder(2, random_state=0).fit(X)
>>> path = pathlib.Path(tempfile.mkdtemp()) / "small.isthmus"
>>> save(model, path)
>>> bool((load(path).transform(X) == model.transform(X)).all())
True
"""

from __future__ import annotations

import inspect
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np

import isthmus
from isthmus import codes, corruptions, holes, inputs, losses, networks, parts, penalties, training
from isthmus.autoencoder import Autoencoder
from isthmus.checks import DataError, FileError, brief
from isthmus.inputs.columns import Spec
from isthmus.lazily import fetched
from isthmus.parts import Record, pack, unpack
from isthmus.sealed import read_sealed, write_sealed

__all__ = ["describe", "known_parts", "load", "load_autoencoder", "rebuilt", "save"]

FORMAT = 1
USES = {  # what stands on models, and the module that keeps it
    "AnomalyDetector": "isthmus.anomaly.saved",
    "AudioDenoiser": "isthmus.denoising.saved",
    "Denoiser": "isthmus.denoising.saved",
    "Imputer": "isthmus.imputation.saved",
    "Inpainter": "isthmus.inpainting.saved",
    "PhotoDenoiser": "isthmus.denoising.saved",
    "SampleDenoiser": "isthmus.denoising.saved",
    "SeriesDetector": "isthmus.anomaly.saved",
}
PARAMETERS = ("n_components", "architecture", "code", "loss", "corruption", "penalty", "inputs", "trainer")


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted Autoencoder, or a use of it, to one `.isthmus` file, whole or not at all.

    Raises FileError when the place cannot be written, DataError when the model is not fitted or a part
    holds something that is not a plain value.
    """
    kind = type(model).__name__
    if kind in USES:
        write_sealed(path, *import_module(USES[kind]).packed(model))
        return
    if not hasattr(model, "_network"):
        raise DataError("model must be fitted before it is saved; got one that is not. Call fit first.")
    write_sealed(path, model.state_dict(), describe(model))


def load(path: str | os.PathLike[str], parts: Iterable[type[Record]] = ()) -> Any:
    """Read a model back; outputs are equal to the bit on the same machine.

    parts: classes of your own that the model was made with, such as `[MyPenalty]`.

    Raises FileError, with one sentence, for a file that is missing, truncated, corrupted, oversized, of
    another version, or that names parts which are not known. Nothing in the file is ever executed.
    """
    header, tensors = read_sealed(path, "Autoencoder", *USES)
    if header.get("format") != FORMAT:
        raise FileError(
            f"{path} has format {brief(repr(header.get('format')), 20)}, this isthmus reads format {FORMAT}. "
            "Use the version that wrote it."
        )
    known = known_parts({part.__name__: part for part in parts})
    try:
        if header["kind"] in USES:
            return import_module(USES[header["kind"]]).unpacked(header, tensors, known)
        return rebuilt(header, tensors, known)
    except FileError:
        raise
    except DataError as error:
        raise FileError(f"{path} cannot be read: {error}") from None
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        IndexError,
        RuntimeError,
        OverflowError,
    ) as error:
        raise FileError(
            f"{path} is not a model isthmus can read: {brief(str(error))}. Fit and save it again."
        ) from None


def load_autoencoder(path: str | os.PathLike[str], parts: Iterable[type[Record]] = ()) -> Autoencoder:
    """`load`, and FileError where the file holds something else."""
    model = load(path, parts)
    if not isinstance(model, Autoencoder):
        raise FileError(
            f"{path} must hold an Autoencoder; got {type(model).__name__}. Use another file, or see what it "
            f"holds: isthmus info {path}"
        )
    return model


# ---------------------------------------------------------------- writing


def describe(model: Autoencoder) -> dict[str, Any]:
    """Everything about a model but its weights, as JSON can hold it."""
    return {
        "format": FORMAT,
        "kind": "Autoencoder",
        "params": {name: pack(getattr(model, name)) for name in PARAMETERS},
        "random_state": model.random_state if isinstance(model.random_state, int) else None,
        "schema": pack(model.schema_),
        "n_components": model.n_components_,
        "seed": model._seed,
        "history": pack(model.history_rows_),
        "kept_epoch": model.kept_epoch_,
        "lambdas": pack(model.lambdas_),
        "held_out": np.asarray(model.held_out_).tolist(),
        "notes": list(model.notes_),
        "fingerprint": model.fingerprint_,
        "facts": getattr(model, "facts_", {}),
        "versions": {
            "isthmus": isthmus.__version__,
            "torch": version("torch"),
            "numpy": np.__version__,
            "scikit-learn": version("scikit-learn"),
            "python": platform.python_version(),
        },
    }


# ---------------------------------------------------------------- reading what may be hostile


class _Known(Mapping[str, "type[Record]"]):
    """Record types by name: a module of ours is imported when a file names its part."""

    def __init__(self, more: Mapping[str, type[Record]]) -> None:
        ours = codes, corruptions, holes, inputs, inputs.frames, losses, networks, parts, penalties, training
        self.more, self.module_of = more, {name: module for module in ours for name in module.__all__}

    def __getitem__(self, name: str) -> type[Record]:
        if name in self.more:
            return self.more[name]
        found = getattr(self.module_of[name], name)
        if not (inspect.isclass(found) and issubclass(found, Record)) or found in (Record, Spec):
            raise KeyError(name)
        return found

    def __or__(self, more: Mapping[str, type[Record]]) -> _Known:
        return _Known({**self.more, **more})

    def __iter__(self) -> Iterator[str]:
        return (name for name in {**self.module_of, **self.more} if name in self)

    def __len__(self) -> int:
        return len(list(iter(self)))


def known_parts(more: Mapping[str, type[Record]] | None = None) -> Mapping[str, type[Record]]:
    """Every record type isthmus itself defines, by name, and `more`."""
    return _Known(more or {})


def rebuilt(header: dict[str, Any], arrays: dict[str, Any], known: Mapping[str, type[Record]]) -> Autoencoder:
    """The model a header describes, with these weights."""
    params = {name: unpack(header["params"][name], known) for name in PARAMETERS}
    model = Autoencoder(**params, random_state=header["random_state"])
    model._check_parameters()
    model.schema_ = unpack(header["schema"], known)
    if not isinstance(model.schema_, inputs.Schema):
        raise FileError("the file's schema must describe columns; got something else. Save it again.")
    model._note_features()
    model.n_components_ = int(header["n_components"])
    model._seed = int(header["seed"])
    model.history_rows_ = [dict(row) for row in unpack(header["history"], known)]
    kept = header.get("kept_epoch")
    model.kept_epoch_ = None if kept is None else float(kept)
    model.lambdas_ = {str(k): float(v) for k, v in unpack(header.get("lambdas", pack({})), known).items()}
    model.held_out_ = np.array(header["held_out"], dtype=np.int64)
    model.notes_ = [str(note) for note in header["notes"]]
    model.fingerprint_ = dict(header["fingerprint"])
    model.versions_ = dict(header["versions"])
    model.facts_ = dict(header.get("facts", {}))
    model._network = _network(model, arrays)
    return model


def _network(model: Autoencoder, arrays: dict[str, Any]) -> Any:
    """The network the parts describe with the file's weights; its size is checked before any memory is
    taken.
    """
    shapes = {name: array.shape for name, array in arrays.items()}
    layers = networks.dense_layers(model.architecture, model.schema_.layout)
    if layers is not None and type(model.code) is codes.LinearCode:
        _fit(shapes, networks.PlainNetwork.shapes(*layers.shapes(model.schema_.layout, model.n_components_)))
        return networks.PlainNetwork.named(arrays, model.code, layers.activation)
    torch = fetched("torch")
    with torch.device("meta"):
        _fit(shapes, {name: tuple(t.shape) for name, t in model._build_network().state_dict().items()})
    network = model._build_network()
    network.load_state_dict({name: torch.as_tensor(array) for name, array in arrays.items()})
    return network.eval()


def _fit(shapes: dict[str, Any], expected: dict[str, Any]) -> None:
    if expected != shapes:
        raise FileError("the file's weights do not fit the network it describes. Save it again.")
