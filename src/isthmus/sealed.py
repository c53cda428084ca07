"""Sealed files: named tensors and a JSON text in one safetensors file, with a checksum of our own.

safetensors refuses what is truncated but accepts a flipped bit among the weights, so a SHA-256 over the
text and every tensor is kept beside them. Sizes are checked before anything is parsed, and nothing in the
file is ever executed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from isthmus.atomic import write_atomically
from isthmus.checks import FileError, brief, need

__all__ = ["part_of", "read_sealed", "write_sealed"]

HEADER_LIMIT = 64 * 2**20  # bytes of JSON a file may ask to be parsed


def write_sealed(path: str | os.PathLike[str], tensors: Mapping[str, Any], header: dict[str, Any]) -> None:
    """Write tensors or arrays and a JSON header to `path`, whole or not at all; FileError if it cannot be."""
    here = {name: _array(name, value) for name, value in tensors.items()}
    text = json.dumps(header, separators=(",", ":"))
    payload = safetensors.numpy.save(here, {"isthmus": text, "sha256": _digest(text, here)})
    write_atomically(path, lambda file: file.write(payload))


def read_sealed(
    path: str | os.PathLike[str], *kinds: str, repair: str | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the arrays of a file whose header says it is of one of these kinds. repair: what to do
    about a damaged one; to save or copy it again if left out.

    Raises FileError, with one sentence, for a file that is missing, truncated, altered, oversized, or of
    another kind.
    """
    path = Path(path)
    if not path.is_file():
        got = "a folder" if path.is_dir() else "nothing there"
        raise FileError(f"{path} must be a file; got {got}. Check the path.")
    again = repair or "Save or copy it again."
    _check_size(path, again)
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (safetensors.SafetensorError, OSError, ValueError, TypeError) as error:
        raise FileError(f"{path} is not an intact isthmus file: {brief(str(error))}. {again}") from None
    text = metadata.get("isthmus")
    if text is None:
        raise FileError(
            f"{path} is a safetensors file, but not one of isthmus. Use a file written by isthmus.save."
        )
    if metadata.get("sha256") != _digest(text, tensors):
        raise FileError(f"{path} has been altered or damaged: its checksum does not match. {again}")
    return _parsed(path, text, kinds, repair or "Save it again."), tensors


def part_of(tensors: Mapping[str, Any], start: str) -> dict[str, Any]:
    """The tensors whose names begin with `start`, under what is left of their names."""
    return {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}


def _array(name: str, value: Any) -> Any:
    """A tensor or array as an array whose numbers lie in order; DataError where numpy has no such numbers."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        known = str(value.dtype) != "torch.bfloat16"
        need(known, f"the tensor {name}", "hold numbers that numpy knows", "bfloat16", "Use float32")
    return np.ascontiguousarray(value).reshape(np.shape(value))


def _digest(text: str, arrays: dict[str, Any]) -> str:
    """SHA-256 over the text and every array's name, type (as torch calls it), shape and bytes."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name}|torch.{array.dtype}|{array.shape}|".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _check_size(path: Path, again: str) -> None:
    """Refuse a header that claims to be larger than the file or than anything reasonable, before parsing
    it.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        claimed = int.from_bytes(file.read(8), "little")
    if size < 10 or claimed > size - 8:
        raise FileError(f"{path} is truncated, or not an isthmus file. {again}")
    if claimed > HEADER_LIMIT:
        raise FileError(
            f"{path} has a header of {claimed:,} bytes, over the limit of {HEADER_LIMIT:,}. Do not trust it."
        )


def _parsed(path: Path, text: str, kinds: tuple[str, ...], again: str) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        raise FileError(f"{path} has a header that is not JSON. {again}") from None
    if not isinstance(header, dict) or header.get("kind") not in kinds:
        raise FileError(
            f"{path} holds no {' or '.join(kinds).lower()}. Use a file that isthmus wrote for one."
        )
    return header
