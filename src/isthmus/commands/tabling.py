"""What `denoise` does with rows: a table or an array without its noise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isthmus.report.console import Report

__all__ = ["denoise_rows"]


def denoise_rows(
    denoiser: Any, file: Path, output: Path, reference: Path | None, level: float | None, model: str
) -> Report:
    """Restore the rows of a file to another, block by block.

    reference: the clean rows in the same order, to compare with.
    """
    import numpy as np

    from isthmus.commands.files import refuse_output
    from isthmus.inputs import rows_of
    from isthmus.inputs.files import ENDINGS
    from isthmus.inputs.writing import writing
    from isthmus.report.console import Report
    from isthmus.report.progress import shown_blocks

    refuse_output(output, ENDINGS, model, file, *([] if reference is None else [reference]))
    X = _rows(denoiser, file)
    clean = None if reference is None else _reference(denoiser, reference, len(X))
    squares, done = np.zeros(3), 0
    with writing(output, len(X)) as sink:
        for block in shown_blocks(X):
            made = denoiser.denoise(block, level)
            sink.append(made)
            if clean is not None:
                part = rows_of(clean, np.arange(done, done + len(block)))
                squares += _squares(denoiser.model_.schema_, part, block, made)
                done += len(block)
    *sums, count = squares.tolist()
    before, after = ((total / count) ** 0.5 for total in sums) if count else (None, None)
    facts = {"rows": len(X), "rmse_before": before, "rmse_after": after, "output": str(output)}
    gained = f"{before:.3g} before, {after:.3g} after, in the network's units" if count else None
    return Report(facts, {"rows": f"{len(X):,}", "RMSE": gained, "in": str(output)})


def _rows(denoiser: Any, file: Path) -> Any:
    """The rows of a file, read as the model's own was."""
    from isthmus.commands.files import asked_reading, fitting, opened

    fitted = denoiser.model_
    return fitting(opened(str(file), asked_reading(None, None, None, None, None), fitted).X, fitted)


def _reference(denoiser: Any, reference: Path, rows: int) -> Any:
    """The clean rows; DataError where they are not as many."""
    from isthmus.checks import need

    need(reference.exists(), "--reference", "be a file or a folder", str(reference), "Check the path")
    clean = _rows(denoiser, reference)
    rule = f"have as many rows as FILE, {rows:,}"
    need(len(clean) == rows, "--reference", rule, f"{len(clean):,}", "Give both in the same order")
    return clean


def _squares(schema: Any, clean: Any, block: Any, made: Any) -> Any:
    """Sums of squared distances of a block from clean rows, before and after, and how many they are, of what
    is known in all three, in the network's units: for numbers standard deviations of their columns.
    """
    import numpy as np

    target, before, after = (schema.encode(schema.source(rows)) for rows in (clean, block, made))
    known = np.ones(target.x.shape, dtype=bool)
    for some in (target, before, after):
        known &= schema.layout.spread(some.observed)
    gaps = [np.square(some.x - target.x, dtype=np.float64)[known].sum() for some in (before, after)]
    return np.array([*gaps, known.sum()])
