"""Imputers in their files: every model and its Gaussian, and what was learned on hidden cells."""

from __future__ import annotations

from typing import Any

import numpy as np

from isthmus.autoencoder import Autoencoder
from isthmus.checks import DataError, FileError, must, need
from isthmus.gaussian import Gaussian
from isthmus.imputation.blend import Blend
from isthmus.imputation.cells import Cells, Habits
from isthmus.imputation.drawing import Knowledge
from isthmus.imputation.folds import Fold
from isthmus.imputation.imputer import Imputer
from isthmus.imputation.spread import Spread
from isthmus.parts import Record, pack, unpack
from isthmus.saving import describe, rebuilt
from isthmus.sealed import part_of

__all__ = ["packed", "unpacked"]

FORMAT = 1
AGAIN = "Save it again"


def packed(imputer: Imputer) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tensors and header of a fitted imputer over autoencoders; DataError for any other."""
    if not hasattr(imputer, "models_"):
        raise DataError("imputer must be fitted before it is saved; got one that is not. Call fit first.")
    other = [type(m).__name__ for m in imputer.models_ if not isinstance(m, Autoencoder)]
    if other:
        do = "Use Imputer() or Imputer(Autoencoder(8))"
        raise must("model", "be an Autoencoder, or the imputer cannot be saved", other[0], do)
    known = imputer._known
    tensors: dict[str, Any] = {"mean": known.mean}
    for k, fold in enumerate(known.folds):
        tensors |= {f"{k}.network.{name}": value for name, value in fold.model.state_dict().items()}
        tensors |= {f"{k}.mean": fold.gaussian.mean, f"{k}.covariance": fold.gaussian.covariance}
    for of, spreads in (("fill", known.spreads), ("draw", known.drawn_spreads)):
        for j, spread in enumerate(spreads):
            if spread is not None and len(spread.scores):
                tensors[f"scores.{of}.{j}"] = spread.scores
    return tensors, {
        "format": FORMAT,
        "kind": "Imputer",
        "params": {"folds": int(imputer.folds), "rounded": imputer.rounded},
        "random_state": imputer.random_state if isinstance(imputer.random_state, int) else None,
        "models": [describe(fold.model) for fold in known.folds],
        "habits": pack(known.cells.habits),
        "blends": pack(tuple(known.blends)),
        "spreads": _plain(known.spreads),
        "drawn_spreads": _plain(known.drawn_spreads),
        "missing": [int(count) for count in imputer._missing],
        "rows": imputer._rows,
        "share": imputer._share,
        "seed": imputer._seed,
        "notes": list(imputer.notes_),
        "facts": getattr(imputer, "facts_", {}),
    }


def unpacked(header: dict[str, Any], tensors: dict[str, Any], known: dict[str, type[Record]]) -> Imputer:
    """The imputer a header describes; FileError for a header that is not one."""
    if header.get("format") != FORMAT:
        raise FileError(
            f"the file has format {header.get('format')!r}, this isthmus reads {FORMAT}. Update it."
        )
    known = known | {"Blend": Blend, "Habits": Habits}
    models = [
        rebuilt(one, part_of(tensors, f"{k}.network."), known) for k, one in enumerate(header["models"])
    ]
    need(len(models) >= 2, "the file's models", "be two at least", len(models), AGAIN)
    imputer = Imputer(models[0], **header["params"], random_state=header["random_state"])
    imputer._check_parameters()
    schema, d = models[0].schema_, models[0].schema_.layout.width
    same = all(model.schema_.layout == schema.layout for model in models)
    need(same, "the file's models", "read the same columns", "others", AGAIN)
    folds = [
        Fold(
            model,
            Gaussian(_array(tensors, f"{k}.mean", d), _array(tensors, f"{k}.covariance", d, d)),
            model.held_out_,
        )
        for k, model in enumerate(models)
    ]
    habits = _records(header["habits"], known, Habits)
    cells = Cells(schema, habits)
    need(len(habits) == len(cells.numeric), "the file's habits", "fit its columns", len(habits), AGAIN)
    blends = _records(header["blends"], known, Blend)
    spreads, drawn = (
        [_spread(some, tensors, f"scores.{of}.{j}") for j, some in enumerate(unpack(header[name], known))]
        for of, name in (("fill", "spreads"), ("draw", "drawn_spreads"))
    )
    kinds = [kind == "numeric" for kind in cells.kinds]
    numeric = all([spread is not None for spread in some] == kinds for some in (spreads, drawn))
    fits = len(blends) == len(cells.all) == len(header["missing"]) and numeric
    need(fits, "what the file learned on hidden cells", "fit its columns", "others", AGAIN)
    imputer._known = Knowledge(folds, cells, _array(tensors, "mean", d), list(blends), spreads, drawn)
    imputer.models_ = models
    imputer._missing = np.array(header["missing"], dtype=np.int64)
    imputer._rows, imputer._share = int(header["rows"]), float(header["share"])
    imputer._seed = int(header["seed"])
    imputer.notes_ = [str(note) for note in header["notes"]]
    imputer.facts_ = dict(header["facts"])
    imputer._note_features()
    return imputer


def _array(tensors: dict[str, Any], name: str, *shape: int) -> Any:
    values = np.asarray(tensors[name], np.float64)
    good = values.shape == shape and bool(np.isfinite(values).all())
    need(good, f"the file's {name}", f"be finite numbers {shape}", values.shape, AGAIN)
    return values


def _records(packed_: Any, known: dict[str, type[Record]], kind: type[Record]) -> Any:
    found = unpack(packed_, known)
    good = isinstance(found, tuple) and all(isinstance(one, kind) for one in found)
    need(good, "what the file learned", f"be of type {kind.__name__}", type(found).__name__, AGAIN)
    return found


def _plain(spreads: list[Spread | None]) -> Any:
    return pack([None if s is None else (s.variance, s.weight, s.coverage) for s in spreads])


def _spread(some: Any, tensors: dict[str, Any], name: str) -> Spread | None:
    if some is None:
        return None
    scores = np.asarray(tensors[name], np.float64) if name in tensors else np.empty(0)
    good = scores.ndim == 1 and bool(np.isfinite(scores).all() and (np.diff(scores) >= 0).all())
    need(good, "the file's scores", "be finite numbers in order", scores.shape, AGAIN)
    variance, weight, coverage = (float(value) for value in some)
    return Spread(scores, variance, weight, coverage)
