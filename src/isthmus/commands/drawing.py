"""What `detect --draw` draws: heat maps of pictures, the marked series, or scores and p-values of rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isthmus.anomaly import AnomalyDetector, SeriesDetector
    from isthmus.commands.detecting import Found

__all__ = ["drawn", "drawn_series", "written"]

SHOWN = 10  # pictures
ENDS = ("start", "end", "peak")


def drawn(detector: AnomalyDetector, X: Any, found: Found, path: Path) -> None:
    """The flagged pictures with their heat, or the scores and p-values of all rows."""
    import numpy as np

    from isthmus import figures
    from isthmus.inputs import loaded, rows_of

    shape, numbers = detector._shape, found.numbers[:SHOWN]
    if len(shape) in (2, 3) and len(numbers) and not detector._is_signal:
        rows = rows_of(X, numbers)
        rows = np.asarray(loaded(rows))
        names = [found.name(number) for number in numbers]
        ax = figures.heat_maps(rows.reshape(len(rows), *shape), detector.heat_maps(rows), names=names)
        written(ax.figure, path)
        return
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    figures.anomaly_scores(
        np.asarray(detector.calibration_.scores), found.all_scores, found.threshold, ax=left
    )
    figures.p_value_histogram(found.all_p, ax=right)
    written(figure, path)


def drawn_series(detector: SeriesDetector, X: Any, ranges: Any, path: Path) -> None:
    """Every channel, eight at most, with the ranges marked."""
    from matplotlib.figure import Figure

    from isthmus import figures

    steps = detector._read(X)
    times = steps.times
    if str(getattr(times, "dtype", "")).startswith("timedelta"):  # which matplotlib cannot draw
        times, ranges = _seconds(times), ranges.assign(**{name: _seconds(ranges[name]) for name in ENDS})
    count = min(8, len(steps.names))
    figure = Figure(figsize=(10, 1.2 + 1.5 * count), layout="constrained")
    for j, ax in enumerate(figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]):
        figures.flagged_ranges(times, steps.values[:, j], ranges, ax=ax, title="" if j else None)
        ax.set_ylabel(str(steps.names[j]))
    written(figure, path)


def _seconds(spans: Any) -> Any:
    import numpy as np

    return np.asarray(spans, "timedelta64[ns]").astype(np.int64) / 1e9


def written(figure: Any, path: Path) -> None:
    """A figure as a file of its ending."""
    import io

    from isthmus.atomic import write_atomically

    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix[1:].lower(), dpi=150)
    write_atomically(path, lambda file: file.write(buffer.getvalue()))
