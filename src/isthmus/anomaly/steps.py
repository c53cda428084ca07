"""Steps: a series as values in the order of time, whatever it came as.

>>> read_steps([1.0, 2.0, 4.0]).values.shape
(3, 1)
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.checks import DataError, need
from isthmus.inputs.frames import is_frame, read_columns

__all__ = ["Steps", "read_steps", "refuse_clocks"]

Array = NDArray[np.float64]


class Steps(NamedTuple):
    """A series: values (n, channels) with NaN for gaps, the moments of its steps or their numbers, names."""

    values: Array
    times: Any
    names: list[Any]


def read_steps(X: Any) -> Steps:
    """Array (n,) or (n, channels), or a frame: a column or index of moments, all others channels.

    Raises DataError for text, infinities and moments that do not ascend.
    """
    if not is_frame(X):
        values = np.asarray(X)
        good = values.dtype.kind in "biuf" and values.ndim in (1, 2) and values.size > 0
        need(
            good,
            "X",
            "be numbers, (steps,) or (steps, channels)",
            f"{values.dtype} {values.shape}",
            "Reshape",
        )
        values = values.reshape(len(values), -1).astype(np.float64)
        _refuse_infinite(values)
        return Steps(values, np.arange(len(values)), [f"channel {j}" for j in range(values.shape[1])])
    columns = read_columns(X)
    moments = [column for column in columns if column.kind == "time"]
    text = next((column.name for column in columns if column.kind == "levels"), None)
    need(text is None, "channels", "be numbers or yes/no", f"text in column {text!r}", "Drop that column")
    need(len(moments) <= 1, "X", "have one column of moments", [m.name for m in moments], "Drop the others")
    channels = [column for column in columns if column.kind in ("numeric", "boolean")]
    need(bool(channels) and len(X) > 0, "X", "have steps and channels", X.shape, "Pass numbers")
    values = np.column_stack([_floats(column) for column in channels])
    _refuse_infinite(values)
    return Steps(values, _times(X, moments), [column.name for column in channels])


def _floats(column: Any) -> Array:
    if column.numbers is not None:
        return np.asarray(column.numbers, np.float64)
    return np.array([np.nan if value is None else float(value) for value in column.values])


def _times(X: Any, moments: list[Any]) -> Any:
    """The moments of the steps, ascending, as the frame has them; their numbers where there are none."""
    if moments:
        column, order = X[moments[0].name], moments[0].numbers
        # pandas keeps a zone in its own arrays, polars in its values alone
        times = column.array if hasattr(column, "array") else np.array(column.to_list(), dtype=object)
    elif hasattr(X, "index") and type(X.index).__name__ in ("DatetimeIndex", "TimedeltaIndex"):
        times = X.index
        order = np.where(times.isna(), np.nan, times.asi8.astype(float))
    else:
        return np.arange(len(X))
    need(not np.isnan(order).any(), "moments", "all be known", "missing ones", "Drop those rows")
    back = np.flatnonzero(np.diff(order) < 0)
    if len(back):
        raise DataError(
            f"moments must ascend; got {times[int(back[0]) + 1]} after {times[int(back[0])]}. Sort X by time."
        )
    return times


def refuse_clocks(steps: Steps) -> None:
    """Raise DataError for a channel of whole numbers that rises at every step: a clock or a row number, which
    no later data would resemble.
    """
    for name, channel in zip(steps.names, steps.values.T, strict=True):
        whole = len(channel) > 2 and np.isfinite(channel).all() and bool((channel == np.rint(channel)).all())
        rises = whole and bool((np.diff(channel) > 0).all())
        do = "Make it a column of moments, or leave it out"
        need(not rises, "channels", "not rise at every step as a clock does", f"column {name!r}", do)


def _refuse_infinite(values: Array) -> None:
    if np.isinf(values).any():
        row, column = np.argwhere(np.isinf(values))[0]
        raise DataError(
            f"X must be finite; got infinity at step {row}, channel {column}. Replace it or use NaN."
        )
