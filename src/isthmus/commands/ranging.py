"""What `fit --task detect --window` and `detect` do with a series: the ranges of time that do not belong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.wording import counted

if TYPE_CHECKING:
    from isthmus.anomaly import SeriesDetector
    from isthmus.autoencoder import Autoencoder

__all__ = ["Ranges", "fit_series", "opened_series"]

SHOWN = 20  # ranges on the screen, the strangest


def opened_series(file: str, asked: Any, model: Autoencoder | None = None, unsaid: Sequence[str] = ()) -> Any:
    """A file as `opened` opens it, an .npy of one dimension as a series of one channel, and the moments that
    pandas kept as row labels as such.
    """
    import numpy as np

    from isthmus.commands.files import held_rows, opened

    if str(file).lower().endswith(".npy") and Path(file).is_file():
        try:
            values = np.load(file, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError):  # `opened` says what is wrong
            values = None
        if values is not None and values.ndim == 1 and values.dtype.kind in "biuf":
            return np.array(values)[:, None], None, []
    source, reading, notes = opened(file, asked, model, unsaid=unsaid)
    X, moments = held_rows(source), source.moments() if hasattr(source, "moments") else None
    if moments is not None and hasattr(X, "set_axis"):
        X = X.set_axis(moments, axis=0)
    return X, reading, notes


def fit_series(
    X: Any, model: Autoencoder | None, window: int, seed: int, clean: bool | None
) -> SeriesDetector:
    """Fit and calibrate over `model`, or over the default where it is None."""
    from isthmus.anomaly import NearFar, SeriesDetector
    from isthmus.checks import need

    need(
        hasattr(X, "shape"),
        "FILE",
        "be a table or an array with --window",
        "a folder or source",
        "Use one file",
    )
    return SeriesDetector(model, window=window, anomaly_score=NearFar(clean), random_state=seed).fit(X)


class Ranges:
    """The ranges of a series that do not belong, as a table, as JSON, on the screen."""

    def __init__(self, detector: SeriesDetector, X: Any, alpha: float | None) -> None:
        self.detector = detector
        self.steps, self.alpha = len(X), detector.alpha if alpha is None else alpha
        self.found = detector.ranges(X, alpha)

    def table(self, X: Any) -> Any:
        """All of them, in the order of time."""
        return self.found

    def plain(self) -> dict[str, Any]:
        """As JSON can hold it."""
        lines = [
            {k: v if isinstance(v, (int, float, str)) else str(v) for k, v in line.items()}
            for line in self.found.to_dict("records")
        ]
        return {"steps": self.steps, "alpha": self.alpha, "ranges": lines}

    def draw(self, X: Any, path: Path) -> None:
        """The series with its ranges marked."""
        from isthmus.commands.drawing import drawn_series

        drawn_series(self.detector, X, self.found, path)

    def show(self) -> None:
        """How many, and the strangest."""
        from rich.console import Console
        from rich.table import Table

        console = Console(highlight=False)
        how = f"of steps like those it learned from, {self.alpha:.3g} would be, in runs"
        console.print(
            f"{counted(self.steps, 'step')}, {counted(len(self.found), 'range')} flagged: {how}.",
            style="bold",
            markup=False,
        )
        if not len(self.found):
            return
        table = Table(box=None)
        for name in ("start", "end", "p"):
            table.add_column(name, no_wrap=True)
        table.add_column("channels to blame")
        worst = self.found.sort_values("score", ascending=False)[:SHOWN]
        for line in worst.sort_index().itertuples():
            table.add_row(str(line.start), str(line.end), f"{line.p_value:.2g}", line.channels)
        console.print(table, markup=False)
        if len(self.found) > SHOWN:
            console.print(f"... the {SHOWN} strangest; -o writes all.", markup=False)
