"""Out of Python: a fitted model as one ONNX file, or as one Python file that needs numpy alone.

    export(model, "scorer.onnx")      any model; runs wherever an ONNX runtime does
    export(model, "scorer.py")        dense models; readable, no imports but numpy and the standard library
    export(detector, "scorer.onnx")   an AnomalyDetector: score, p-value and flag

The first two hold everything from the user's numbers to the user's numbers: scaling in float64, gaps, the
network, the code, the loss and the way back. All are run before they are written, on rows beside the model
itself, and nothing is written when they differ.

How the difference is measured. For every output and row i, with S_i = max(1, abs(x_i)) over the row's
encoded numbers x and their reconstruction,

    x_hat           abs(exported - model) / S_i        in standard units: the column's scale is 1
    z               the same, divided by the median of the rows' largest abs(z) too, beyond twice what
                    rounding to float32 does to the model's own z
    errors, score   abs(exported - model) / max(S_i^2, the row's largest error)

and the largest must not exceed 1e-5. Rounded outputs (pixels, whole numbers, float32) may be off by the
rounding itself, a yes/no or a category only where the model holds both answers equally likely to 1e-5, and
with a sparse code one row in a hundred may let another unit through where two tie to the last digit.

>>> import numpy as np, tempfile, pathlib
>>> from isthmus import Autoencoder, export
>>> X = np.random.default_rng(0).normal(size=(60, 4))
>>> model = Autoencoder(2, random_state=0).fit(X)
>>> bool(export(model, pathlib.Path(tempfile.mkdtemp()) / "scorer.py") <= 1e-5)
True
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from isthmus.atomic import write_atomically
from isthmus.autoencoder import Autoencoder
from isthmus.checks import DataError, FileError, must, need
from isthmus.exporting.checking import refuse_difference

__all__ = ["export"]


def export(model: Any, path: str | os.PathLike[str], rows: Any = None) -> float:
    """Write a fitted model as `.onnx` or `.py`, whole or not at all; the ending of `path` decides.

    An ONNX file takes `X` (n, columns), or (n, *shape) for pictures and signals, in the dtype that was
    fitted, NaN where a value is missing. A DataFrame's `X` is float64 with its columns in the order of
    fitting (yes/no as 1 and 0, moments as microseconds since 1970, UTC), and its columns of text are `text`
    (n, columns) of strings, "" where missing. It gives `z` (n, n_components), `x_hat` and `text_hat` like X
    and text, `errors` (n, columns) in the loss's units with NaN where missing, and `score` (n,), the mean
    error per observed cell of a row: higher is stranger. The file's metadata name the columns.

    Of a detector an ONNX file gives `score` (n,), minus its `score_samples`, `p_value` (n,) and `flagged`
    (n,), true above the threshold of its alpha; threshold, alpha and the number of calibration rows are among
    the metadata. Of a `SeriesDetector` it takes windows, (n, window * channels), step after step. Scores
    must match to 1e-5.

    A Python file has the functions `encode, decode, reconstruct, errors, score`, and prints scores when run.

    rows: data to check the result on, of the kind that was fitted; by default 200 rows drawn at random, some
        of them far out and some with gaps.

    Returns the largest difference from the model, as the module's text defines it.

    Raises DataError for a model that is not fitted or cannot be written in that form, or when the result
    differs from the model by more than 1e-5; FileError for a place that cannot be written; ImportError, with
    the command to run, where the packages for ONNX are missing.
    """
    ending = _checked_ending(Path(path))
    model = getattr(model, "detector_", model)
    if hasattr(model, "calibration_"):
        return _export_detector(model, path, ending, rows)
    if not isinstance(model, Autoencoder):
        got = type(model).__name__
        raise must("model", "be an autoencoder or a detector", got, "Keep others with isthmus.save")
    if not hasattr(model, "network_"):
        raise DataError("model must be fitted before it is exported; got one that is not. Call fit first.")
    if ending == ".onnx":
        from isthmus.exporting import onnx as form
    else:
        from isthmus.exporting import scorer as form  # type: ignore[no-redef]
    content = form.written(model)
    difference = refuse_difference(model, form.runner(model, content), rows)
    write_atomically(path, lambda file: file.write(content))
    return difference


def _export_detector(detector: Any, path: str | os.PathLike[str], ending: str, rows: Any) -> float:
    """Write a detector of rows as ONNX."""
    need(ending == ".onnx", "path", "end in .onnx for a detector", ending, "Use .onnx, or export its model")
    from isthmus.exporting import onnx as form
    from isthmus.exporting.columns import fitted_schema
    from isthmus.exporting.judging import checked

    content = form.written_detector(detector)
    run = form.runner_of(fitted_schema(detector.models_[0]), content)
    difference = checked(detector, run, rows)
    write_atomically(path, lambda file: file.write(content))
    return difference


def _checked_ending(path: Path) -> str:
    """The kind of file to write; what cannot work is refused before any work is done."""
    ending = path.suffix.lower()
    if ending not in (".onnx", ".py"):
        raise FileError(f"{path} must end in .onnx or .py. Choose another name.")
    if path.is_dir():
        raise FileError(f"{path} is a folder. Choose the name of a file.")
    if not path.parent.is_dir():
        raise FileError(f"the folder of {path} must exist; got none. Create it first.")
    return ending
