"""The models a command line can ask for: the recipes by name, with a few sizes."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from isthmus.wording import counted

if TYPE_CHECKING:
    from isthmus.autoencoder import Autoencoder

__all__ = ["INPUTS", "KINDS", "asked_model", "search_model"]

KINDS = (
    "undercomplete",
    "linear",
    "deep",
    "sparse",
    "kl-sparse",
    "k-sparse",
    "denoising",
    "contractive",
    "nested",
)
INPUTS = ("auto", "table", "images", "signals")


def asked_model(
    kind: str, code: int | None, hidden: str | None, inputs: str, X: Any
) -> tuple[Autoencoder, list[str]]:
    """The recipe called `kind` to train on X, and notes on what was chosen."""
    from isthmus import recipes
    from isthmus.checks import must
    from isthmus.inputs import columns_of

    if kind not in KINDS:
        raise must("--kind", f"be one of {', '.join(KINDS)}", kind, "Check its spelling")
    part, columns = _inputs(inputs), columns_of(X)
    recipe = getattr(recipes, f"{kind.replace('-', '_')}_autoencoder")
    model: Autoencoder = recipe(inputs=part) if code is None else recipe(code, inputs=part)
    notes = _sized(model, kind, recipe, columns) if code is None else []
    if hidden is not None:
        _widen(model, kind, hidden)
    return model, notes


def search_model(
    kind: str, code: int | None, hidden: str | None, inputs: str, X: Any
) -> tuple[Autoencoder, list[str]]:
    """What a retriever would train on X, with a code of so many numbers, in the place of a recipe."""
    from isthmus.checks import must
    from isthmus.retrieval.default import default_model

    for name, value, usual in (("--kind", kind, KINDS[0]), ("--hidden", hidden, None)):
        if value != usual:
            do = "Leave it out, or use --task compress"
            raise must(name, "be left out with --task search", value, do)
    model: Autoencoder = default_model(X).set_params(inputs=_inputs(inputs))
    return model if code is None else model.set_params(n_components=code), []


def _inputs(name: str) -> Any:
    """The part that reads data of this name."""
    from isthmus.checks import must
    from isthmus.inputs import Auto, Images, Signals, Table

    parts = {"auto": Auto(), "table": Table(), "images": Images(), "signals": Signals()}
    if name not in parts:
        raise must("--inputs", f"be one of {', '.join(INPUTS)}", name, "Check its spelling")
    return parts[name]


def _sized(model: Autoencoder, kind: str, recipe: object, columns: int | None) -> list[str]:
    """Let the data choose the code where the recipe has no size of its own, or one too wide for them."""
    if kind in ("undercomplete", "linear"):
        model.set_params(n_components="auto")
    guarded = model.corruption is not None or model.penalty is not None or model.code.sparse
    usual = inspect.signature(recipe).parameters["n_components"].default  # type: ignore[arg-type]
    if model.n_components == "auto" or guarded or columns is None or usual < columns:
        return []
    model.set_params(n_components="auto")
    return [
        f"The size of the code was chosen by the data's width: the usual {usual} of --kind {kind} is too "
        f"much for {counted(columns, 'column')}."
    ]


def _widen(model: Autoencoder, kind: str, hidden: str) -> None:
    """Give the hidden layers their widths."""
    from isthmus.checks import must
    from isthmus.networks import MLP, Suited

    try:
        widths = tuple(int(width) for width in hidden.split(","))
    except ValueError:
        raise must("--hidden", "be widths with commas between", hidden, "Use --hidden 256,64") from None
    if isinstance(model.architecture, Suited):
        model.set_params(architecture=MLP(widths))
    elif isinstance(model.architecture, MLP):
        model.set_params(architecture__hidden=widths)
    else:
        rule = f"be left out for --kind {kind}, which has no hidden layers"
        raise must("--hidden", rule, hidden, "Use another --kind")
