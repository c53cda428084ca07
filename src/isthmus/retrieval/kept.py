"""Models of scikit-learn that a store keeps: what makes their codes, as plain values and arrays.

A model could be kept whole only as a pickle, and nothing is unpickled here. Of the models that searching is
done with - PCA, latent semantic analysis, scaling, the weights of words, and pipelines of these around an
`Autoencoder` - what transforms a row is known exactly: settings that JSON can hold and a few arrays. They are
written down as that and built again; whatever else a model is, it is not kept and has to be handed to `open`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from isthmus.autoencoder import Autoencoder
from isthmus.checks import FileError
from isthmus.saving import describe, rebuilt
from isthmus.sealed import part_of

__all__ = ["keep", "kept_again"]

LEARNED = {  # arrays with which each type transforms, and back
    "PCA": ("components_", "mean_", "explained_variance_"),
    "StandardScaler": ("mean_", "scale_", "var_"),
    "TfidfVectorizer": ("idf_",),
    "TruncatedSVD": ("components_",),
}
UNUSED = ("copy", "dtype", "random_state", "vocabulary")  # settings that change nothing once all is learned
USUAL = (
    "input",
    "token_pattern",
    "use_idf",
)  # kept as usual only: others read files, never end, have no idf_
Tensors = dict[str, Any]


def _types() -> dict[str, Any]:
    from sklearn.decomposition import PCA, TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import StandardScaler

    return {kind.__name__: kind for kind in (PCA, StandardScaler, TfidfVectorizer, TruncatedSVD)}


def keep(model: Any, start: str = "network.") -> tuple[dict[str, Any], Tensors] | None:
    """A description that JSON can hold and arrays whose names begin with `start`; None for what is not
    kept.
    """
    if isinstance(model, Autoencoder):
        state = model.state_dict()
        return describe(model), {start + name: value for name, value in state.items()}
    from sklearn.pipeline import Pipeline

    if type(model) is Pipeline:
        return _pipeline_kept(model, start)
    kind = type(model).__name__
    if type(model) is not _types().get(kind):
        return None
    return _one_kept(model, kind, start)


def _pipeline_kept(model: Any, start: str) -> tuple[dict[str, Any], Tensors] | None:
    steps, tensors = [], Tensors()
    for i, (name, step) in enumerate(model.steps):
        found = keep(step, f"{start}{i}.")
        if found is None:
            return None
        steps.append([name, found[0]])
        tensors |= found[1]
    return {"kind": "Pipeline", "steps": steps}, tensors


def _one_kept(model: Any, kind: str, start: str) -> tuple[dict[str, Any], Tensors] | None:
    settings, usual = model.get_params(), type(model)().get_params()
    odd = any(settings.get(name) != usual.get(name) for name in USUAL)
    if odd or hasattr(model, "_sklearn_output_config"):
        return None
    settings = {name: value for name, value in settings.items() if name not in (*UNUSED, *USUAL)}
    try:
        settings = {k: list(v) if isinstance(v, tuple | set | frozenset) else v for k, v in settings.items()}
        settings = json.loads(json.dumps(settings))
    except (TypeError, ValueError):  # functions and the like
        return None
    there = [(name, getattr(model, name, None)) for name in LEARNED[kind]]
    if any(value is None for _, value in there):
        return None
    tensors = {start + name: np.asarray(value) for name, value in there}
    words = sorted(getattr(model, "vocabulary_", {}).items(), key=lambda word: int(word[1]))
    if words:
        text = json.dumps([word for word, _ in words], ensure_ascii=False).encode()
        tensors[f"{start}words"] = np.frombuffer(text, np.uint8).copy()
    names = [str(name) for name in getattr(model, "feature_names_in_", ())]
    return {"kind": kind, "settings": settings, "names": names}, tensors


def kept_again(said: Mapping[str, Any], tensors: Tensors, known: Any) -> Any:
    """The model of a description with its arrays, their names without the start.

    Raises FileError for what no model is like; KeyError, TypeError, ValueError for what is damaged.
    """
    kind = said["kind"]
    if kind == "Autoencoder":
        return rebuilt(dict(said), tensors, known)
    from sklearn.pipeline import Pipeline

    if kind == "Pipeline":
        parts = [part_of(tensors, f"{i}.") for i in range(len(said["steps"]))]
        steps = [
            (str(name), kept_again(step, part, known))
            for (name, step), part in zip(said["steps"], parts, strict=True)
        ]
        return Pipeline(steps)
    if kind not in LEARNED:
        raise FileError(f"a store keeps {', '.join(LEARNED)} and Autoencoder; got another. Index again.")
    return _one_again(kind, said, {name: np.asarray(value) for name, value in tensors.items()})


def _one_again(kind: str, said: Mapping[str, Any], arrays: dict[str, Any]) -> Any:
    settings = {k: v for k, v in said["settings"].items() if k not in (*UNUSED, *USUAL)}
    if "ngram_range" in settings:
        settings["ngram_range"] = tuple(settings["ngram_range"])
    learned = [arrays[name] for name in LEARNED[kind]]
    if any(array.dtype.kind != "f" or not np.isfinite(array).all() for array in learned):
        raise FileError("a kept model must have finite numbers; got others. Index the data again.")
    model = _types()[kind](**settings)
    if kind == "TfidfVectorizer":
        words = json.loads(arrays["words"].astype(np.uint8).tobytes())
        model.vocabulary_ = {str(word): place for place, word in enumerate(words)}
    for name, array in zip(LEARNED[kind], learned, strict=True):
        setattr(model, name, array)
    if kind == "PCA":
        model.n_components_ = len(model.components_)
    wide = arrays.get("mean_", arrays.get("components_"))
    if kind != "TfidfVectorizer" and wide is not None:
        model.n_features_in_ = int(wide.shape[-1])
    if said["names"]:
        model.feature_names_in_ = np.array([str(name) for name in said["names"]], dtype=object)
    return model
