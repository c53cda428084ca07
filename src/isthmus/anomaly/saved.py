"""Detectors in their files: every model, what the score learned from its rows, and the calibration."""

from __future__ import annotations

from typing import Any

import numpy as np

from isthmus.anomaly.conformal import Calibration
from isthmus.anomaly.detector import AnomalyDetector
from isthmus.anomaly.errors import CellErrors, CodeDistance, DenoisingErrors
from isthmus.anomaly.evidence import reader_of
from isthmus.anomaly.nearfar import NearFar
from isthmus.anomaly.panel import Judge, Panel
from isthmus.anomaly.series import OfWindows, SeriesDetector
from isthmus.autoencoder import Autoencoder
from isthmus.checks import DataError, FileError, must, need
from isthmus.parts import pack, unpack
from isthmus.saving import describe, rebuilt
from isthmus.sealed import part_of

__all__ = ["packed", "unpacked"]

FORMAT = 1
PARAMS = ("anomaly_score", "alpha", "folds", "ensemble")
PARTS = (NearFar, CellErrors, CodeDistance, DenoisingErrors, Calibration)


def packed(detector: AnomalyDetector | SeriesDetector) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tensors and header of a fitted detector over autoencoders; DataError for any other."""
    if isinstance(detector, SeriesDetector):
        return _packed_series(detector)
    if not hasattr(detector, "models_"):
        raise DataError("detector must be fitted before it is saved; got one that is not. Call fit first.")
    other = [type(m).__name__ for m in detector.models_ if not isinstance(m, Autoencoder)]
    if other:
        do = "Use Autoencoder(architecture=Linear()) for PCA"
        raise must("model", "be an Autoencoder, or the detector cannot be saved", other[0], do)
    tensors: dict[str, Any] = {}
    for k, (model, judge) in enumerate(zip(detector.models_, detector._panel.judges, strict=True)):
        tensors |= {f"{k}.network.{name}": value for name, value in model.state_dict().items()}
        tensors |= {f"{k}.score.{name}": value for name, value in judge.learned.state().items()}
        tensors[f"{k}.usual"] = judge.usual
    seed = detector.random_state
    return tensors, {
        "format": FORMAT,
        "kind": "AnomalyDetector",
        "params": {name: pack(getattr(detector, name)) for name in PARAMS},
        "random_state": seed if isinstance(seed, int) else None,
        "models": [describe(model) for model in detector.models_],
        "calibration": pack(detector.calibration_),
        "reference": np.sort(detector._reference).tolist(),
        "notes": list(detector.notes_),
        "facts": getattr(detector, "facts_", {}),
    }


def unpacked(
    header: dict[str, Any], tensors: dict[str, Any], known: dict[str, Any]
) -> AnomalyDetector | SeriesDetector:
    """The detector a header describes; FileError for a header that is not one."""
    if header["kind"] == "SeriesDetector":
        return _unpacked_series(header, tensors, known)
    return _filled(AnomalyDetector(), header, tensors, known)


def _packed_series(series: SeriesDetector) -> tuple[dict[str, Any], dict[str, Any]]:
    if not hasattr(series, "detector_"):
        raise DataError("detector must be fitted before it is saved; got one that is not. Call fit first.")
    tensors, header = packed(series.detector_)
    own = {name: getattr(series, name) for name in ("window", "recent")}
    own |= {
        "channels": series.channels_,
        "in_time": series.detector_.in_time.tolist(),
        "notes": series.notes_,
    }
    return tensors, {
        **header,
        "kind": "SeriesDetector",
        "series": own,
        "facts": getattr(series, "facts_", {}),
    }


def _unpacked_series(
    header: dict[str, Any], tensors: dict[str, Any], known: dict[str, Any]
) -> SeriesDetector:
    own = header["series"]
    inner = OfWindows()
    _filled(inner, header, tensors, known)
    shared = {name: getattr(inner, name) for name in ("model", "anomaly_score", "alpha", "random_state")}
    series = SeriesDetector(**shared, window=own["window"], recent=own["recent"])
    series._check_parameters()
    inner.in_time = np.asarray(own["in_time"], np.float64)
    _need_scores(inner.in_time, "scores in time")
    series.channels_, series.n_features_in_ = list(own["channels"]), len(own["channels"])
    plain = all(isinstance(name, (str, int)) for name in series.channels_)
    distinct = plain and len(set(series.channels_)) == series.n_features_in_
    fits = distinct and inner.n_features_in_ == series.window * series.n_features_in_
    need(fits, "the file's channels", "be names that fit its models", "others", "Save it again")
    series.detector_, series.notes_ = inner, [str(note) for note in own["notes"]]
    series.facts_ = dict(header["facts"])
    return series


def _filled(
    detector: AnomalyDetector, header: dict[str, Any], tensors: dict[str, Any], known: dict[str, Any]
) -> AnomalyDetector:
    """A detector with what its header and tensors hold."""
    if header.get("format") != FORMAT:
        raise FileError(
            f"the file has format {header.get('format')!r}, this isthmus reads {FORMAT}. Update it."
        )
    known = known | {part.__name__: part for part in PARTS}
    params = {name: unpack(header["params"][name], known) for name in PARAMS}
    models = [
        rebuilt(one, part_of(tensors, f"{k}.network."), known) for k, one in enumerate(header["models"])
    ]
    if not models or len({name.split(".")[0] for name in tensors}) != len(models):
        raise FileError("the file's models and arrays must be equally many; got others. Save it again.")
    detector.set_params(model=models[0], **params, random_state=header["random_state"])
    detector._check_parameters()
    need(
        len(models) % detector.ensemble == 0,
        "the file's models",
        "fill its ensembles",
        len(models),
        "Save it again",
    )
    seed = detector.random_state
    need(seed is None or type(seed) is int, "the file's seed", "be a whole number", seed, "Save it again")
    detector.models_ = models
    detector._panel = Panel([_judge(detector, k, model, tensors) for k, model in enumerate(models)])
    detector._note_features()
    detector.notes_ = [str(note) for note in header["notes"]]
    detector.facts_ = dict(header["facts"])
    calibration = unpack(header["calibration"], known)
    if not isinstance(calibration, Calibration):
        raise FileError("the file's calibration must be scores; got something else. Save it again.")
    detector._calibrate(np.asarray(calibration.scores), calibration.weights or None)
    detector._reference = np.asarray(header["reference"], np.float64)
    _need_scores(detector._reference, "reference scores")
    return detector


def _judge(detector: AnomalyDetector, k: int, model: Autoencoder, tensors: dict[str, Any]) -> Judge:
    state = {name: np.asarray(value) for name, value in part_of(tensors, f"{k}.score.").items()}
    cells, usual = len(model.schema_.layout.cells), tensors[f"{k}.usual"]
    good = usual.shape == (cells,) and bool(np.isfinite(usual).all() and (usual >= 0).all())
    need(good, "the file's usual costs", f"be {cells} numbers", usual.shape, "Save the detector again")
    learned = detector.anomaly_score.restored(state, cells, model.n_components_)
    return Judge(reader_of(model, None), learned, usual)


def _need_scores(values: Any, what: str) -> None:
    good = values.ndim == 1 and len(values) > 0 and bool(np.isfinite(values).all())
    need(good, f"the file's {what}", "be a row of finite numbers", "others", "Save it again")
