"""What `fit --task detect` and `detect` do: a calibrated detector in a file, and the rows it flags."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.wording import counted, percent

if TYPE_CHECKING:
    from isthmus.anomaly import AnomalyDetector, SeriesDetector
    from isthmus.autoencoder import Autoencoder
    from isthmus.report.console import Report

__all__ = ["Found", "detector_report", "fit_detector", "flagged", "keep", "load_detector", "of_rows"]

WORST = 10  # rows shown
HEARD = 100_000  # rows that are looked at for drift, at most
EXPLAINED = 200  # rows explained at most, the strangest first


def fit_detector(X: Any, model: Autoencoder, own: bool, seed: int, clean: bool | None) -> AnomalyDetector:
    """Fit and calibrate over `model` where it is the user's `own`; else over the default, read and trained
    like it.
    """
    from isthmus.anomaly import AnomalyDetector, NearFar, default_model

    if not own:
        trainer = {f"trainer__{name}": getattr(model.trainer, name) for name in ("device", "progress")}
        model = default_model(len(X)).set_params(inputs=model.inputs, **trainer)
    return AnomalyDetector(model, anomaly_score=NearFar(clean), random_state=seed).fit(X)


def keep(detector: AnomalyDetector | SeriesDetector, facts: dict[str, Any], output: Path) -> None:
    """Save the detector, with what it remembers of its file and without what was this run's own."""
    from isthmus.saving import save

    models = of_rows(detector).models_
    for model in models:
        model.set_params(random_state=None, trainer__progress=None, trainer__device="auto")
    models[0].facts_ = facts
    save(detector, output)


def of_rows(detector: AnomalyDetector | SeriesDetector) -> AnomalyDetector:
    """The detector itself, or that of a series' windows."""
    from isthmus.anomaly import SeriesDetector

    return detector.detector_ if isinstance(detector, SeriesDetector) else detector


def load_detector(path: Path) -> AnomalyDetector | SeriesDetector:
    """The detector in a file; FileError for a file with a model alone."""
    from isthmus.anomaly import AnomalyDetector, SeriesDetector
    from isthmus.checks import FileError
    from isthmus.saving import load

    found = load(path)
    if not isinstance(found, (AnomalyDetector, SeriesDetector)):
        raise FileError(
            f"{path} holds a model without calibration. Fit it with: isthmus fit FILE --task detect -o {path}"
        )
    return found


def detector_report(detector: AnomalyDetector | SeriesDetector, path: Path) -> Report:
    """What a detector's file holds."""
    from isthmus.report.console import Report, model_report

    inner = of_rows(detector)
    about = model_report(inner.models_[0], path)
    calibration = inner.calibration_
    facts = {
        **about.facts,
        "detector": " ".join(repr(detector).split()),
        "models": len(inner.models_),
        "calibration_rows": calibration.rows,
        "alpha": detector.alpha,
        "finest_alpha": calibration.finest,
        "threshold": -float(inner.offset_),
    }
    finest = f"down to {calibration.finest:.2g}, from {counted(calibration.rows, 'row')}"
    said = ("file", "names", "code", "weights", "versions")
    lines = {
        "detector": type(detector).__name__,
        "score": " ".join(repr(detector.anomaly_score).split()),
        "alpha": f"{detector.alpha:g}, a score above {facts['threshold']:.4g}",
        "p-values": finest,
        "models": f"{facts['models']}, the first of them:",
        **{name: line for name, line in about.lines.items() if name in said},
    }
    channels = getattr(detector, "channels_", None)
    if channels is not None:
        facts["names"] = [str(name) for name in channels]
        lines["names"] = ", ".join(facts["names"])
    return Report(facts, lines, None, detector.notes_)


class Found:
    """The flagged rows: their numbers, p-values and scores, how they were picked, their repairs."""

    def __init__(self, detector: AnomalyDetector, scores: Any, p: Any, picked: Any, how: str) -> None:
        self.detector, self.rows, self.how = detector, len(scores), how
        self.all_scores, self.all_p = scores, p
        numbers = picked.nonzero()[0]
        self.numbers = numbers[(-scores[numbers]).argsort(kind="stable")]
        self.p, self.scores = p[self.numbers], scores[self.numbers]
        ordinary = scores[~picked]
        self.threshold = float(ordinary.max()) if len(ordinary) and len(numbers) else float("inf")
        self.drifted = False
        self.labels: dict[str, list[Any]] = {}  # of a folder: the file of every row, and more
        self.repairs: dict[int, str] = {}
        self.by_region = False  # repairs name the regions of pictures and signals
        self.blamed: Counter[str] = Counter()

    @property
    def column(self) -> str:
        """What the last column on the screen holds."""
        if not self.repairs:
            return "score"
        return "where it is strange" if self.by_region else "what would make it ordinary"

    def table(self, X: Any) -> Any:
        """The flagged rows as a DataFrame, strangest first: row, p_value, score, repair, their columns."""
        import pandas

        from isthmus.inputs import rows_of

        lead = {"row": self.numbers, "p_value": self.p, "score": self.scores}
        if self.repairs:
            lead["repair"] = [self.repairs.get(int(number), "") for number in self.numbers]
        if self.labels:
            return pandas.DataFrame({"file": [self.name(number) for number in self.numbers], **lead})
        rows = rows_of(X, self.numbers if len(self.numbers) else [0])[: len(self.numbers)]
        rows = rows if hasattr(rows, "columns") else _named(rows)
        rows = rows.to_pandas() if hasattr(rows, "to_pandas") else rows.reset_index(drop=True)
        lead = {f"{name}_" if name in rows.columns else name: values for name, values in lead.items()}
        return pandas.concat([pandas.DataFrame(lead), rows], axis=1)

    def name(self, number: Any) -> str:
        """What a row is called: its file, and where in it, or its number."""
        parts = [str(values[int(number)]) for values in self.labels.values()]
        return " ".join(parts) or str(number)

    def plain(self) -> dict[str, Any]:
        """As JSON can hold it."""
        worst = [
            {"row": int(n), "name": self.name(n), "p_value": float(p), "repair": self.repairs.get(int(n))}
            for n, p in zip(self.numbers[:WORST], self.p[:WORST], strict=True)
        ]
        blamed = {str(name): count for name, count in self.blamed.most_common()}
        return {
            "rows": self.rows,
            "flagged": len(self.numbers),
            "how": self.how,
            "columns": blamed,
            "drift": self.drifted,
            "worst": worst,
        }

    def draw(self, X: Any, path: Path) -> None:
        """The flagged pictures with their heat, or scores and p-values."""
        from isthmus.commands.drawing import drawn

        drawn(self.detector, X, self, path)

    def show(self) -> None:
        """How many, which columns, the worst with their repairs."""
        from rich.console import Console
        from rich.table import Table

        console = Console(highlight=False)
        console.print(
            f"{counted(self.rows, 'row')}, {len(self.numbers):,} flagged: {self.how}.",
            style="bold",
            markup=False,
        )
        if self.drifted:
            said = (
                "Drift: as a whole these rows are stranger than those it learned from. "
                "Fit it again, or recalibrate it on new rows that are ordinary."
            )
            console.print(said, style="yellow", markup=False)
        if self.blamed:
            blamed = ", ".join(f"{name} {count:,}" for name, count in self.blamed.most_common(8))
            console.print(f"Columns to blame, in rows: {blamed}.", markup=False)
        if len(self.numbers):
            table = Table("file" if self.labels else "row", "p", self.column, box=None)
            for number, p, score in list(zip(self.numbers, self.p, self.scores, strict=True))[:WORST]:
                table.add_row(self.name(number), f"{p:.2g}", self.repairs.get(int(number), f"{score:.3g}"))
            console.print(table, markup=False)


def flagged(
    detector: AnomalyDetector, X: Any, alpha: float | None, fdr: float | None, explain: bool
) -> Found:
    """Score the rows of X block by block, and pick and explain those that do not belong."""
    import numpy as np

    from isthmus.anomaly import discoveries
    from isthmus.checks import need
    from isthmus.inputs import labels_of
    from isthmus.report.progress import shown_blocks

    need(alpha is None or fdr is None, "--alpha and --fdr", "not both be given", "both", "Use one")
    calibration, level = detector.calibration_, detector.alpha if alpha is None else alpha
    if fdr is None:
        calibration.check(level)
    alarm = None if calibration.weights else detector.drift_alarm(stranger_only=True)
    scores, heard = map(np.concatenate, zip(*map(detector._both, shown_blocks(X)), strict=True))
    if alarm is not None:
        # a file's order may be any, by a column for instance: it is the rows as a whole that are looked at
        alarm.hear(np.random.default_rng(0).permutation(heard[:HEARD]))
    p = calibration.p_values(scores)
    picked = p <= level if fdr is None else discoveries(p, fdr)
    how = (
        f"of rows like those it learned from, {level:.3g} would be"
        if fdr is None
        else f"{fdr:.3g} of these may be false"
    )
    found = Found(detector, scores, p, picked, how)
    found.drifted = alarm is not None and alarm.raised_at is not None
    found.labels = labels_of(X)
    if explain and len(found.numbers):
        _explain(detector, X, found, level if fdr is None else float(found.p.max()))
    return found


def _explain(detector: AnomalyDetector, X: Any, found: Found, level: float) -> None:
    """Say of the strangest rows what would make them ordinary, or where in the sample to look."""
    from isthmus.inputs import rows_of

    numbers = found.numbers[:EXPLAINED]
    rows = rows_of(X, numbers)
    if len(detector._shape) > 1:
        found.by_region = True
        for number, regions in zip(numbers, detector.regions(rows), strict=True):
            found.repairs[int(number)] = "; ".join(f"{r.place} {percent(r.share)}" for r in regions)
        return
    for number, cells in zip(numbers, detector.repairs(rows, level), strict=True):
        shown = [f"{name}: {_short(value)} -> {_short(new)}" for name, value, new in cells]
        found.repairs[int(number)] = ", ".join(shown) or "no few cells would do"
        found.blamed.update(str(name) for name, _, _ in cells)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _named(rows: Any) -> Any:
    import pandas

    flat = rows.reshape(len(rows), -1)
    return pandas.DataFrame(flat, columns=[f"column_{j}" for j in range(flat.shape[1])])
