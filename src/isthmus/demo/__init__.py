"""The demo: every classical kind and each of the four uses on bundled data, and one page to read.

It trains for about a minute, asks nothing of a network, and leaves models, pictures, a table and a report in
a folder. Each figure stands beside that of something simpler.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from isthmus.demo.data import mixed_table, split_digits
from isthmus.demo.kinds import shown_kinds
from isthmus.demo.patients import shown_patients
from isthmus.demo.uses import shown_uses

__all__ = ["mixed_table", "run", "split_digits"]


def run(folder: Path, quick: bool = False) -> None:
    """Train, print, draw and save into `folder`."""
    from rich.console import Console

    console = Console(highlight=False)
    folder.mkdir(parents=True, exist_ok=True)
    models = shown_kinds(console, folder, quick)
    shown_patients(console, folder, quick)
    shown_uses(console, folder, models["undercomplete"], quick)
    _last_words(console, folder)


def _last_words(console: Any, folder: Path) -> None:
    """What lies in the folder, and what to type next."""
    for kind in ("png", "jpg"):
        for path in sorted(folder.glob(f"*.{kind}")):
            console.print(f"drawn: {path}")
    console.print(f"open this in a browser: {folder / 'report.html'}", style="bold")
    console.print("\nNow your own file:  isthmus fit FILE.csv --code 8 -o mine.isthmus", style="bold")
