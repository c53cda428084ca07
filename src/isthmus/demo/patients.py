"""The demo's table: a model of mixed columns, three patients before and after, and the page about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from isthmus.atomic import write_atomically
from isthmus.auditing import audit
from isthmus.autoencoder import Autoencoder
from isthmus.commands.reporting import facts_of
from isthmus.demo.data import mixed_table
from isthmus.report.console import held_out_comparison
from isthmus.report.page import html_report
from isthmus.saving import save

__all__ = ["shown_patients"]


def shown_patients(console: Any, folder: Path, quick: bool) -> None:
    """Fit, compare, show three rows, and write patients.csv, patients.isthmus and report.html."""
    patients = mixed_table()
    model = Autoencoder(5, random_state=0)
    if quick:
        model.set_params(trainer__max_epochs=3)
    model.fit(patients)
    table, file = folder / "patients.csv", folder / "patients.isthmus"
    save(model, file)
    patients.to_csv(table, index=False)
    gaps = int(patients.isna().sum().sum())
    console.print(f"\nA table of {len(patients)} patients, 12 mixed columns, {gaps} gaps:")
    console.print(f"the autoencoder {held_out_comparison(model, patients)}", markup=False)
    few = patients.head(3)
    console.print("\nthree patients, and the same rebuilt from 5 numbers:")
    console.print(few.round(1).to_string(index=False), markup=False)
    console.print(model.reconstruct(few).round(1).to_string(index=False), markup=False)
    place = folder / "report.html"
    page = html_report(audit(model, patients), facts_of(model, file, str(table), None, place))
    write_atomically(place, lambda file: file.write(page.encode()))
