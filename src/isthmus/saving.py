"""One model, one file: safetensors with a JSON header and a checksum of our own. Never a pickle.

The file holds the weights, and as JSON the parts, the schema of the columns, the history, the versions and
a fingerprint of the training data; loading it builds the parts by name, the network from the parts, and
puts the weights in. Nothing in it is executed. safetensors itself accepts a flipped bit in the weights, so
a SHA-256 over everything is checked too.

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

import hashlib
import inspect
import json
import os
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch

import isthmus
from isthmus import codes, corruptions, inputs, losses, networks, penalties, training
from isthmus.atomic import write_atomically
from isthmus.autoencoder import Autoencoder
from isthmus.checks import DataError, FileError, brief
from isthmus.inputs.columns import Spec
from isthmus.parts import Record, pack, unpack

__all__ = ["load", "save"]

FORMAT = 1
HEADER_LIMIT = 64 * 2**20  # bytes of JSON a file may ask to be parsed
PARAMETERS = ("n_components", "architecture", "code", "loss", "corruption", "penalty", "inputs", "trainer")


def save(model: Autoencoder, path: str | os.PathLike[str]) -> None:
    """Write a fitted model to one `.isthmus` file, whole or not at all.

    Raises FileError when the place cannot be written, DataError when the model is not fitted or a part
    holds something that is not a plain value.
    """
    if not hasattr(model, "network_"):
        raise DataError("model must be fitted before it is saved; got one that is not. Call fit first.")
    tensors = {name: tensor.contiguous() for name, tensor in model.network_.state_dict().items()}
    header = json.dumps(_describe(model), allow_nan=False, separators=(",", ":"))
    metadata = {"isthmus": header, "sha256": _digest(header, tensors)}
    payload = safetensors.torch.save(tensors, metadata)
    write_atomically(path, lambda file: file.write(payload))


def load(path: str | os.PathLike[str], parts: Iterable[type[Record]] = ()) -> Autoencoder:
    """Read a model back; outputs are equal to the bit on the same machine.

    parts: classes of your own that the model was made with, such as `[MyPenalty]`.

    Raises FileError, with one sentence, for a file that is missing, truncated, corrupted, oversized, of
    another version, or that names parts which are not known. Nothing in the file is ever executed.
    """
    header, tensors = _read(Path(path))
    known = _known_parts() | {part.__name__: part for part in parts}
    try:
        return _rebuild(header, tensors, known)
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
            f"{path} is not a model isthmus can read: {brief(str(error))}. Save it again."
        ) from None


# ---------------------------------------------------------------- writing


def _describe(model: Autoencoder) -> dict[str, Any]:
    """Everything about a model but its weights."""
    return {
        "format": FORMAT,
        "kind": "Autoencoder",
        "params": {name: pack(getattr(model, name)) for name in PARAMETERS},
        "random_state": model.random_state if isinstance(model.random_state, int) else None,
        "schema": pack(model.schema_),
        "n_components": model.n_components_,
        "seed": model._seed,
        "history": pack(model.history_rows_),
        "held_out": np.asarray(model.held_out_).tolist(),
        "notes": list(model.notes_),
        "fingerprint": model.fingerprint_,
        "versions": {
            "isthmus": isthmus.__version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "scikit-learn": version("scikit-learn"),
            "python": platform.python_version(),
        },
    }


def _digest(header: str, tensors: dict[str, torch.Tensor]) -> str:
    """SHA-256 over the header and every tensor's name, dtype, shape and bytes."""
    digest = hashlib.sha256(header.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


# ---------------------------------------------------------------- reading what may be hostile


def _read(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The header and the tensors of a file that is what it says it is."""
    if not path.is_file():
        raise FileError(f"{path} must be a file; got nothing there. Check the path.")
    _check_size(path)
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise FileError(
            f"{path} is not an intact isthmus file: {brief(str(error))}. Save or copy it again."
        ) from None
    text = metadata.get("isthmus")
    if text is None:
        raise FileError(
            f"{path} is a safetensors file, but not one of isthmus. Use a file written by isthmus.save."
        )
    if metadata.get("sha256") != _digest(text, tensors):
        raise FileError(
            f"{path} has been altered or damaged: its checksum does not match. Save or copy it again."
        )
    return _parsed(path, text), tensors


def _check_size(path: Path) -> None:
    """Refuse a header that claims to be larger than the file or than anything reasonable, before parsing
    it.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        claimed = int.from_bytes(file.read(8), "little")
    if size < 10 or claimed > size - 8:
        raise FileError(f"{path} is truncated, or not an isthmus file. Save or copy it again.")
    if claimed > HEADER_LIMIT:
        raise FileError(
            f"{path} has a header of {claimed:,} bytes, over the limit of {HEADER_LIMIT:,}. Do not trust it."
        )


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        raise FileError(f"{path} has a header that is not JSON. Save it again.") from None
    if not isinstance(header, dict) or header.get("kind") != "Autoencoder":
        raise FileError(f"{path} holds no autoencoder. Use a file written by isthmus.save.")
    if header.get("format") != FORMAT:
        raise FileError(
            f"{path} has format {brief(repr(header.get('format')), 20)}, this isthmus reads format {FORMAT}. "
            "Use the version that wrote it."
        )
    return header


def _known_parts() -> dict[str, type[Record]]:
    """Every record type isthmus itself defines, by name."""
    modules = (codes, corruptions, inputs, inputs.frames, losses, networks, penalties, training)
    found = [value for module in modules for value in vars(module).values()]
    concrete = [v for v in found if inspect.isclass(v) and issubclass(v, Record) and v not in (Record, Spec)]
    return {part.__name__: part for part in concrete}


def _rebuild(
    header: dict[str, Any], tensors: dict[str, torch.Tensor], known: dict[str, type[Record]]
) -> Autoencoder:
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
    model.held_out_ = np.array(header["held_out"], dtype=np.int64)
    model.notes_ = [str(note) for note in header["notes"]]
    model.fingerprint_ = dict(header["fingerprint"])
    model.versions_ = dict(header["versions"])
    model.network_ = _network(model, tensors)
    return model


def _network(model: Autoencoder, tensors: dict[str, torch.Tensor]) -> networks.Network:
    """The network the parts describe with the file's weights; its size is checked before any memory is
    taken.
    """
    with torch.device("meta"):
        expected = {name: tuple(t.shape) for name, t in model._build_network().state_dict().items()}
    if expected != {name: tuple(tensor.shape) for name, tensor in tensors.items()}:
        raise FileError("the file's weights do not fit the network it describes. Save it again.")
    network = model._build_network()
    network.load_state_dict(tensors)
    return network.eval()
