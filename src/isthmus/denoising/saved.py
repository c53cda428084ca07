"""Denoisers in their files: the trained model, and what was chosen."""

from __future__ import annotations

from typing import Any

from isthmus.autoencoder import Autoencoder
from isthmus.checks import DataError, FileError, need
from isthmus.denoising import audio_saved
from isthmus.denoising.audio import AudioDenoiser
from isthmus.denoising.denoiser import Denoiser
from isthmus.denoising.photos import PhotoDenoiser
from isthmus.denoising.samples import SampleDenoiser
from isthmus.saving import describe, rebuilt

__all__ = ["packed", "unpacked"]

FORMAT = 1
KINDS: dict[str, Any] = {"PhotoDenoiser": PhotoDenoiser, "SampleDenoiser": SampleDenoiser}


def packed(denoiser: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tensors and header of a fitted denoiser over an autoencoder; DataError for any other."""
    if isinstance(denoiser, Denoiser):
        _need_fitted(denoiser, "denoiser_")
        return packed(denoiser.denoiser_)
    if isinstance(denoiser, AudioDenoiser):
        return audio_saved.packed(denoiser)
    _need_fitted(denoiser, "model_")
    model = denoiser.model_
    fits = isinstance(model, Autoencoder)
    need(fits, "model", "be an Autoencoder, or the denoiser cannot be saved", model, "Use one")
    seed = denoiser.random_state
    return model.state_dict(), {
        "format": FORMAT,
        "kind": type(denoiser).__name__,
        "noisy": bool(denoiser.noisy),
        "views": int(getattr(denoiser, "views", 1)),
        "random_state": seed if isinstance(seed, int) else None,
        "model": describe(model),
        "notes": list(denoiser.notes_),
        "facts": denoiser.facts_,
    }


def unpacked(header: dict[str, Any], tensors: dict[str, Any], known: dict[str, Any]) -> Any:
    """The denoiser a header describes; FileError for a header that is not one."""
    if header["kind"] == "AudioDenoiser":
        return audio_saved.unpacked(header, tensors, known)
    if header.get("format") != FORMAT:
        raise FileError(
            f"the file has format {header.get('format')!r}, this isthmus reads {FORMAT}. Update it."
        )
    model = rebuilt(header["model"], tensors, known)
    kind = KINDS[header["kind"]]
    denoiser = kind(model, noisy=header["noisy"], random_state=header["random_state"])
    if kind is PhotoDenoiser:
        denoiser.views = header["views"]
        denoiser._check_parameters()
        pictures = len(model.schema_.layout.shape) in (2, 3)
        need(pictures, "the file's model", "be one of pictures", model, "Save the denoiser again")
    else:
        denoiser._note_features(model)
    denoiser.model_, denoiser.facts_ = model, dict(header["facts"])
    denoiser.notes_ = [str(note) for note in header["notes"]]
    return denoiser


def _need_fitted(denoiser: Any, name: str) -> None:
    if not hasattr(denoiser, name):
        raise DataError("denoiser must be fitted before it is saved; got one that is not. Call fit first.")
