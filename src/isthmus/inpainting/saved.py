"""Inpainters in their files: every member, and what is known of their errors."""

from __future__ import annotations

from typing import Any

import numpy as np

from isthmus.checks import DataError, FileError, need
from isthmus.inpainting.inpainter import Inpainter
from isthmus.inpainting.uncertainty import DISTANCES, Errors
from isthmus.parts import pack, unpack
from isthmus.saving import describe, rebuilt
from isthmus.sealed import part_of

__all__ = ["packed", "unpacked"]

FORMAT = 1


def packed(inpainter: Inpainter) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tensors and header of a fitted inpainter."""
    if not hasattr(inpainter, "models_"):
        raise DataError("inpainter must be fitted before it is saved; got one that is not. Call fit first.")
    tensors: dict[str, Any] = {
        f"{k}.network.{name}": value
        for k, model in enumerate(inpainter.models_)
        for name, value in model.state_dict().items()
    }
    errors, seed = inpainter.errors_, inpainter.random_state
    tensors["errors.pictures"] = errors.pictures.astype(np.float16)
    return tensors, {
        "format": FORMAT,
        "kind": "Inpainter",
        "holes": pack(inpainter.holes),
        "patches": int(inpainter.patches),
        "random_state": seed if isinstance(seed, int) else None,
        "models": [describe(model) for model in inpainter.models_],
        "whole": bool(inpainter.whole_),
        "far": errors.far.tolist(),
        "level": errors.level,
        "notes": list(inpainter.notes_),
        "facts": inpainter.facts_,
    }


def unpacked(header: dict[str, Any], tensors: dict[str, Any], known: dict[str, Any]) -> Inpainter:
    """The inpainter a header describes; FileError for a header that is not one."""
    if header.get("format") != FORMAT:
        raise FileError(
            f"the file has format {header.get('format')!r}, this isthmus reads {FORMAT}. Update it."
        )
    models = [
        rebuilt(one, part_of(tensors, f"{k}.network."), known) for k, one in enumerate(header["models"])
    ]
    names = {name.split(".")[0] for name in tensors} - {"errors"}
    if not models or len(names) != len(models):
        raise FileError("the file's models and arrays must be equally many; got others. Save it again.")
    inpainter = Inpainter(
        models[0],
        holes=unpack(header["holes"], known),
        members=len(models),
        patches=header["patches"],
        random_state=header["random_state"],
    )
    inpainter._check_parameters()
    for model in models:
        width = model.schema_.layout.width
        good = len(model.schema_.layout.shape) in (2, 3) and width == models[0].schema_.layout.width
        need(good, "the file's models", "be ones of pictures of one size", model, "Save the inpainter again")
    inpainter.models_, inpainter.whole_ = models, bool(header["whole"])
    pictures = tensors["errors.pictures"].astype(np.float32)
    far = np.asarray(header["far"], np.float64)
    fits = pictures.ndim == 2 and pictures.shape[1] == width and far.shape == (len(DISTANCES),)
    fits = fits and bool(np.isfinite(pictures).all() and np.isfinite(far).all() and (far >= 0).all())
    need(fits, "the file's errors", "fit its models", pictures.shape, "Save the inpainter again")
    inpainter.errors_ = Errors(pictures, far, float(header["level"]))
    inpainter.facts_ = dict(header["facts"])
    inpainter.notes_ = [str(note) for note in header["notes"]]
    return inpainter
