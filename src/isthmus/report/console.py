"""Reports for a terminal: facts first as plain values, then as a short table.

A report is a list of (label, value) pairs; `plain()` is what `--json` prints, `show()` what a person reads.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.autoencoder import Autoencoder
from isthmus.diagnostics import PCAComparison, pca_comparison
from isthmus.inputs import Source, rows_of, sample

__all__ = ["Report", "fit_report", "model_report"]


class Report:
    """Named facts, a verdict, and notes."""

    def __init__(self, facts: dict[str, Any], verdict: str = "", notes: list[str] | None = None) -> None:
        self.facts, self.verdict, self.notes = facts, verdict, notes or []

    def plain(self) -> dict[str, Any]:
        """Everything as JSON can hold it."""
        return {**self.facts, "verdict": self.verdict, "notes": self.notes}

    def show(self) -> None:
        """Print it."""
        from rich.console import Console
        from rich.table import Table

        console = Console(highlight=False)
        table = Table(box=None, show_header=False, pad_edge=False)
        for label, value in self.facts.items():
            table.add_row(label.replace("_", " "), _text(value))
        console.print(table)
        for note in self.notes:
            console.print(f"- {note}", style="dim", markup=False)
        if self.verdict:
            console.print(self.verdict, style="bold", markup=False)


def fit_report(model: Autoencoder, X: Any, path: os.PathLike[str]) -> Report:
    """What a fit did: how well the held-out rows come back, beside PCA, and where the model is."""
    comparison = held_out_comparison(model, X)
    seconds = model.history_rows_[-1].get("seconds", 0.0)
    facts: dict[str, Any] = {
        "code": f"{model.n_components_} numbers for {len(model.schema_.names)} columns",
        "trained": f"{model.history_rows_[-1]['epoch']:.0f} epochs, {seconds:.1f} s",
        "saved": os.fspath(path),
    }
    if comparison is not None:
        facts = {
            "explained": comparison.explained,
            "explained_by_pca": comparison.pca_explained,
            "held_out_rows": comparison.rows,
            **facts,
        }
    return Report(facts, "" if comparison is None else f"It {comparison}", model.notes_)


def held_out_comparison(model: Autoencoder, X: Any) -> PCAComparison | None:
    """The model beside PCA on the rows it kept from training, None where it kept none; of a Source, on a
    sample.
    """
    if isinstance(X, Source):
        X, numbers = sample(X, seed=0)
    else:
        numbers = np.arange(len(X))
    kept = np.isin(numbers, model.held_out_)
    if not kept.any() or kept.all():
        return None
    return pca_comparison(model, rows_of(X, np.flatnonzero(~kept)), rows_of(X, np.flatnonzero(kept)))


def model_report(model: Autoencoder, path: os.PathLike[str]) -> Report:
    """What a model file holds."""
    last = model.history_rows_[-1]
    kinds = [cell.kind for cell in model.schema_.layout.cells]
    counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    weights = sum(parameter.numel() for parameter in model.network_.parameters())
    facts = {
        "file": f"{os.fspath(path)}, {Path(path).stat().st_size:,} bytes",
        "model": " ".join(repr(model).split()),
        "columns": f"{len(kinds)} ({counted})",
        "names": ", ".join(str(name) for name in model.schema_.names[:12])
        + (" ..." if len(kinds) > 12 else ""),
        "code": f"{model.n_components_} numbers",
        "weights": weights,
        "trained_on": f"{model.fingerprint_['rows']:,} rows, fingerprint {model.fingerprint_['sha256'][:12]}",
        "epochs": int(last["epoch"]),
        "loss": last["loss"],
        "held_out_loss": last.get("held_out_loss"),
        "versions": ", ".join(
            f"{name} {version}" for name, version in getattr(model, "versions_", {}).items()
        ),
    }
    return Report({name: value for name, value in facts.items() if value is not None}, notes=model.notes_)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.1%}" if 0 <= value <= 1 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
