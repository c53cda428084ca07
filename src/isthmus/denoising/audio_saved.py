"""Denoisers of sounds in their files: the model of windows, and how sounds are brought to it."""

from __future__ import annotations

from typing import Any

from isthmus.autoencoder import Autoencoder
from isthmus.checks import DataError, FileError, need
from isthmus.denoising.audio import AudioDenoiser
from isthmus.saving import describe, rebuilt

__all__ = ["packed", "unpacked"]

FORMAT = 1


def packed(denoiser: AudioDenoiser) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tensors and header of a fitted denoiser; DataError for one that is not."""
    if not hasattr(denoiser, "model_"):
        raise DataError("denoiser must be fitted before it is saved; got one that is not. Call fit first.")
    seed = denoiser.random_state
    return denoiser.model_.state_dict(), {
        "format": FORMAT,
        "kind": "AudioDenoiser",
        "random_state": seed if isinstance(seed, int) else None,
        "rate": denoiser.rate_,
        "window": denoiser.window_,
        "model": describe(denoiser.model_),
        "notes": list(denoiser.notes_),
        "facts": denoiser.facts_,
    }


def unpacked(header: dict[str, Any], tensors: dict[str, Any], known: dict[str, Any]) -> AudioDenoiser:
    """The denoiser a header describes; FileError for a header that is not one."""
    if header.get("format") != FORMAT:
        raise FileError(
            f"the file has format {header.get('format')!r}, this isthmus reads {FORMAT}. Update it."
        )
    model = rebuilt(header["model"], tensors, known)
    rate, window = header["rate"], header["window"]
    denoiser = AudioDenoiser(model, rate=rate, window=window, random_state=header["random_state"])
    denoiser._check_parameters()
    need(_fits(model, window), "the file's window", "fit its model", window, "Save the denoiser again")
    denoiser.model_, denoiser.rate_, denoiser.window_ = model, rate, window
    denoiser.notes_ = [str(note) for note in header["notes"]]
    denoiser.facts_ = dict(header["facts"])
    return denoiser


def _fits(model: Autoencoder, window: Any) -> bool:
    return getattr(model.schema_, "shape", None) == (1, window)
