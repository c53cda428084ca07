"""The tasks of `fit` beside compressing: what is trained for each, and how it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from isthmus.autoencoder import Autoencoder

__all__ = ["MODELS", "TASKS", "Asked", "check_task", "fitted_use"]

MODELS = ("compress", "search")  # tasks whose result is an autoencoder, no use of one
TASKS = (*MODELS, "detect", "denoise", "impute", "inpaint")


class Asked(NamedTuple):
    """What `fit` was asked for: a model, whether it is the user's `own`, and the options of the tasks."""

    model: Autoencoder
    own: bool
    epochs: int | None
    seed: int
    clean: bool | None
    window: int | None
    noisy: bool
    say: bool
    device: str


def check_task(
    task: str, checkpoint: Path | None, clean: bool | None, window: int | None, noisy: bool
) -> None:
    """Raise for a task that is unknown, or options of another."""
    from isthmus.checks import must

    if task not in TASKS:
        raise must("--task", f"be one of {', '.join(TASKS)}", task, "Check its spelling")
    if task not in MODELS and checkpoint is not None:
        do = "Ctrl-C keeps the best so far" if task in ("denoise", "inpaint") else "It trains several models"
        raise must("--checkpoint", f"be left out with --task {task}", checkpoint, do)
    for name, value, of in (
        ("--clean", clean, "detect"),
        ("--window", window, "detect"),
        ("--noisy", noisy or None, "denoise"),
    ):
        if task != of and value is not None:
            raise must(name, f"come with --task {of}", "another task", "Leave it out")


def fitted_use(
    task: str, X: Any, asked: Asked, facts: dict[str, Any], output: Path, interrupts: list[bool]
) -> Any:
    """Train what a task needs, and save it unless Ctrl-C came before anything was learned."""
    from isthmus.commands.interrupts import is_untrained, nothing_learned

    trained, kept = {"detect": _detect, "denoise": _denoise, "impute": _impute, "inpaint": _inpaint}[task](
        X, asked
    )
    if interrupts and (
        task == "detect" or (task in ("denoise", "inpaint") and is_untrained(_model(trained)))
    ):
        raise nothing_learned(output)
    kept(trained, facts, output)
    return trained


def _detect(X: Any, asked: Asked) -> tuple[Any, Any]:
    from isthmus.commands.detecting import fit_detector, keep
    from isthmus.commands.ranging import fit_series

    own = asked.own or asked.epochs is not None
    if asked.window is None:
        return fit_detector(X, asked.model, own, asked.seed, asked.clean), keep
    return fit_series(X, asked.model if own else None, asked.window, asked.seed, asked.clean), keep


def _impute(X: Any, asked: Asked) -> tuple[Any, Any]:
    from isthmus.commands.impute import fitted_imputer, keep_imputer

    model = asked.model if asked.own else None
    return fitted_imputer(X, model, asked.epochs, asked.seed, asked.say), keep_imputer


def _denoise(X: Any, asked: Asked) -> tuple[Any, Any]:
    from isthmus.commands.denoising import fit_denoiser, keep_denoiser

    shown = None if asked.say else False
    return fit_denoiser(X, asked.seed, asked.epochs, asked.noisy, shown, asked.device), keep_denoiser


def _inpaint(X: Any, asked: Asked) -> tuple[Any, Any]:
    from isthmus.commands.inpainting import fit_inpainter, keep_inpainter

    shown = None if asked.say else False
    return fit_inpainter(X, asked.seed, asked.epochs, shown, asked.device), keep_inpainter


def _model(use: Any) -> Any:
    """The first it has."""
    return use.models_[0] if hasattr(use, "models_") else use.model_
