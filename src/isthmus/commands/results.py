"""What commands leave behind: a judged and saved model, reconstructions and errors, tables of codes."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.commands.words import Said

if TYPE_CHECKING:
    from isthmus.autoencoder import Autoencoder
    from isthmus.inputs.writing import Sink
    from isthmus.report.console import Report

__all__ = ["Lines", "kept", "rebuild"]


def kept(model: Autoencoder, X: Any, facts: dict[str, Any], output: Path, interrupted: bool) -> Report:
    """Judge the model, save it with the verdict and what it remembers of its file, and report."""
    from isthmus.commands.files import fitting
    from isthmus.inputs import loaded
    from isthmus.report.console import fit_report, judged
    from isthmus.saving import save

    rows = fitting(X, model)
    report = judged(model, loaded(rows))
    model.facts_ = {"report": {**report, "interrupted": interrupted}, **facts}
    save(model, output)
    return fit_report(model, output)


def rebuild(model: Autoencoder, X: Any, output: Path, errors: Path | None, into_files: bool) -> float:
    """Write the reconstruction, and the errors where asked; the mean error of a cell."""
    import numpy as np

    from isthmus.inputs import RunningMean
    from isthmus.inputs.writing import writing
    from isthmus.report.progress import shown_blocks

    mean = RunningMean()
    with ExitStack() as open_:
        kept: Any = [] if into_files else Lines(open_.enter_context(writing(output, len(X))), X)
        also = Lines(open_.enter_context(writing(errors, len(X))), X) if errors is not None else None
        for block in shown_blocks(X):
            made = model.reconstruct(block)
            kept.append(made)
            with Said.muted():  # the same cells as before
                cells = model.errors(block)
            mean.add(cells)
            if also is not None:
                shaped = isinstance(made, np.ndarray) and made.size == np.size(cells)
                also.append(np.reshape(cells, made.shape) if shaped else cells)
        if into_files:
            X.write(np.concatenate(kept), output)
    return mean.value


class Lines:
    """Rows of X on their way into a file; in a table after the columns that say which file each is from."""

    def __init__(self, sink: Sink, X: Any) -> None:
        from isthmus.inputs import labels_of

        self.sink, self.labels = sink, labels_of(X) if sink.is_table else {}

    def append(self, rows: Any) -> None:
        """The next rows: an array, or a DataFrame."""
        if self.labels:
            import pandas

            from isthmus.inputs.files import as_pandas

            here = slice(self.sink.written, self.sink.written + len(rows))
            labels = pandas.DataFrame({name: values[here] for name, values in self.labels.items()})
            rows = pandas.concat([labels, as_pandas(rows)], axis=1)
        self.sink.append(rows)
