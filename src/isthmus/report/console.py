"""Reports for a terminal: facts as plain values with stable names, and as a short table for people.

`Report.plain()` is what `--json` prints: one flat object, None where something is not known. `show()` prints
what a person reads.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.autoencoder import Autoencoder
from isthmus.corruptions import Distortion
from isthmus.diagnostics import FEW, PCAComparison, pca_comparison
from isthmus.inputs import LevelSpec, Schema, Source, TableSchema, TruthSpec, rows_of, sample
from isthmus.wording import counted, passes, percent

if TYPE_CHECKING:
    from isthmus.auditing import Audit

__all__ = ["Report", "audit_report", "fit_report", "held_out_comparison", "judged", "model_report"]

FOR_FINDING = (
    "Its code leaves out how a thing lies in its picture, so it is not judged by rebuilding: search with it, "
    "and look at what it finds."
)
READING = ("header", "separator", "decimal", "encoding", "na")


class Report:
    """Facts by name, lines (label, text) for people, a verdict, and notes."""

    def __init__(
        self,
        facts: dict[str, Any],
        lines: dict[str, str | None],
        verdict: str | None = None,
        notes: list[str] | None = None,
    ) -> None:
        self.facts, self.lines, self.verdict, self.notes = facts, lines, verdict, notes or []

    def plain(self) -> dict[str, Any]:
        """Everything as JSON can hold it."""
        return {**self.facts, "verdict": self.verdict, "notes": self.notes}

    def show(self) -> None:
        """Print it."""
        from rich.console import Console
        from rich.table import Table

        console = Console(highlight=False)
        table = Table(box=None, show_header=False, pad_edge=False)
        for label, text in self.lines.items():
            if text:
                table.add_row(label, text)
        console.print(table, markup=False)
        for note in self.notes:
            console.print(f"- {note}", style="dim", markup=False)
        if self.verdict:
            console.print(self.verdict, style="bold", markup=False)


def judged(model: Autoencoder, X: Any) -> dict[str, Any]:
    """How well the held-out rows come back, beside PCA, as plain facts that go into the model's file."""
    from isthmus.auditing import audit  # here: it imports scikit-learn, and a report may not need it

    rows = len(X)
    facts: dict[str, Any] = {"rows": rows, "explained": None, "explained_by_pca": None, "verdict": None}
    facts["kind"] = None
    if isinstance(model.corruption, Distortion):
        return facts | {"verdict": FOR_FINDING}
    try:
        found = audit(model, X) if 0 < len(model.held_out_) < rows else None
    except KeyboardInterrupt:  # what has been learned is worth more than a verdict
        found = None
    if found is not None:
        facts["explained"] = _finite(found.linear.explained)
        facts["explained_by_pca"] = None if found.linear.wide else _finite(found.linear.explained_by_pca)
        facts |= {"verdict": found.verdict, "kind": found.kind}
    elif rows < FEW:
        facts["verdict"] = f"Nothing can be judged: {counted(rows, 'row')} cannot show what is general."
    return facts


def audit_report(found: Audit, path: os.PathLike[str]) -> Report:
    """Every look at a model, a line each, and the verdict."""
    facts = {**found.plain(), "model": os.fspath(path)}
    facts.pop("notes")
    lines: dict[str, str | None] = {look.label: str(look) for look in found.findings.values()}
    return Report(facts, lines, facts.pop("verdict"), list(found.notes))


def fit_report(model: Autoencoder, path: os.PathLike[str]) -> Report:
    """What a fit did: how the data were read, how well held-out rows come back, where the model is."""
    facts = _facts(model)
    last = model.history_rows_[-1]
    trained = passes(facts["epochs"]) if last["epoch"] else "in closed form"
    seconds = _finite(last.get("seconds"))
    facts |= {"seconds": seconds, "output": os.fspath(path)}
    lines = {
        **_lines(facts),
        "code": f"{counted(facts['code_size'], 'number')} for {counted(facts['columns'], 'column')}",
        "trained": trained + ("" if seconds is None else f", {seconds:.1f} s"),
        "saved": os.fspath(path),
    }
    return Report(facts, lines, facts.pop("verdict"), model.notes_)


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
    """What a model file holds, and what fitting it said."""
    names = [str(name) for name in model.schema_.names]
    kept, facts = _kept(model), _facts(model)
    facts |= {
        "file": os.fspath(path),
        "bytes": Path(path).stat().st_size,
        "model": " ".join(repr(model).split()),
        "names": names,
        "weights": model.n_weights_,
        "fingerprint": str(model.fingerprint_["sha256"]),
        "kept_epoch": model.kept_epoch_,
        "loss": _finite(kept.get("loss")),
        "held_out_loss": _finite(kept.get("held_out_loss")),
        "versions": getattr(model, "versions_", {}),
    }
    trained = f"{counted(facts['rows'], 'row')} ({facts['trained_rows']:,} learned from, "
    trained += f"{facts['held_out_rows']:,} held out)"
    lines = {
        "file": f"{facts['file']}, {facts['bytes']:,} bytes",
        "model": facts["model"],
        **_lines(facts),
        "names": ", ".join(names[:12]) + (" ..." if len(names) > 12 else ""),
        "code": counted(facts["code_size"], "number"),
        "weights": f"{facts['weights']:,}",
        "trained on": f"{trained}, fingerprint {facts['fingerprint'][:12]}",
        "epochs": f"{facts['epochs']}{_whose(model)}",
        "loss": _number(facts["loss"]),
        "held out loss": _number(facts["held_out_loss"]),
        "versions": ", ".join(f"{name} {version}" for name, version in facts["versions"].items()),
    }
    return Report(facts, lines, facts.pop("verdict"), model.notes_)


# ---------------------------------------------------------------- facts


def _kept(model: Autoencoder) -> dict[str, float]:
    """The line of history whose weights were kept; the last where none is known."""
    history = model.history_rows_
    return next((line for line in history if line["epoch"] == model.kept_epoch_), history[-1])


def _whose(model: Autoencoder) -> str:
    """Which epoch's weights they are, where that is known."""
    return "" if model.kept_epoch_ is None else f", the weights are those of epoch {model.kept_epoch_:g}"


def _facts(model: Autoencoder) -> dict[str, Any]:
    """What is told of a model after a fit as of its file."""
    kept: dict[str, Any] = getattr(model, "facts_", {})
    found = [kept.get(name) for name in ("report", "reading")]  # from a file: may be anything
    report, reading = (value if isinstance(value, dict) else {} for value in found)
    rows = report.get("rows")  # the fingerprint of very large data is of their first rows
    rows = rows if isinstance(rows, int) else int(model.fingerprint_["rows"])
    verdict = report.get("verdict")
    return {
        "rows": rows,
        "trained_rows": rows - len(model.held_out_),
        "held_out_rows": len(model.held_out_),
        "columns": len(model.schema_.names),
        **_kinds(model.schema_),
        **{name: reading.get(name) for name in READING},
        "code_size": int(model.n_components_),
        "epochs": int(model.history_rows_[-1]["epoch"]),
        "interrupted": bool(report.get("interrupted", False)),
        "explained": _finite(report.get("explained")),
        "explained_by_pca": _finite(report.get("explained_by_pca")),
        "verdict": verdict if isinstance(verdict, str) else None,
    }


def _lines(facts: dict[str, Any]) -> dict[str, str | None]:
    """The columns and the shares, for people."""
    words = {"numbers": "number", "categories": "category", "yes_no": "yes/no", "moments": "moment"}
    kinds = [counted(facts[many], one, many.replace("_", "/")) for many, one in words.items() if facts[many]]
    return {
        "columns read as": ", ".join(kinds),
        "explained": _percent(facts["explained"]),
        "explained by PCA": _percent(facts["explained_by_pca"]),
    }


def _kinds(schema: Schema) -> dict[str, int]:
    """How many columns were read as what."""
    names = ("numbers", "categories", "yes_no", "moments")
    if not isinstance(schema, TableSchema):
        return dict.fromkeys(names, 0) | {"numbers": len(schema.names)}
    found = [
        "categories"
        if isinstance(spec, LevelSpec)
        else "yes_no"
        if isinstance(spec, TruthSpec)
        else "moments"
        if spec.dtype.text.lower().startswith(("date", "timedelta", "duration"))
        else "numbers"
        for spec in schema.columns
    ]
    return {name: found.count(name) for name in names}


def _finite(value: Any) -> float | None:
    """A number JSON can hold, or None."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if number and math.isfinite(value) else None


def _percent(share: float | None) -> str | None:
    return None if share is None else percent(share, 1)


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.4g}"
