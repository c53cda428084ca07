"""How the command line speaks: warnings and errors as single sentences, with the names of its options where
the library has names of its own.

>>> in_options("n_components must be at least 1; got 0. Use n_components=8.")
'--code must be at least 1; got 0. Use --code 8.'
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

__all__ = ["Said", "in_options", "tell"]

OPTIONS = (
    (r"n_components=(\w+)", r"--code \1"),
    (r", None or 'auto'", ""),
    (r"a smaller n_components, a corruption, .*TopK\(k\)", "a smaller --code, or another --kind"),
    (r"\bn_components\b", "--code"),
    (r"\bTrainer\(max_epochs=(\d+)\)", r"--epochs \1"),
    (r"\b(trainer__)?max_epochs\b", "--epochs"),
    (r"(--epochs must be a whole number of at least 1), or None;", r"\1;"),
    (r"random_state=(\d+)", r"--seed \1"),
    (r"random_state must (.*?), None, .*?;", r"--seed must \1;"),
    (r" \(trainer__lr\)", ""),
    (r"device='(\w+)'", r"--device \1"),
    (r"^device must", "--device must"),
    (r"\banother trainer__device\b", "another --device"),
    (r"\banother random_state\b", "another --seed"),
    (r"\banother X\b", "another file or other columns"),
    (r"\bheader=False\b", "--no-header"),
    (r"mark it as missing with NaN|mark it missing with NaN", "name the word for a missing value with --na"),
    (r"\bITQ\((\d+)\)", r"--bits \1"),
    (r"^bits must", "--bits must"),
    (r"like\((\d+)\)", r"row:\1"),
    (r"Use Inpainter\b", "For holes in pictures there are isthmus fit --task inpaint, and isthmus inpaint"),
    (r"use Imputer for tables", "use isthmus impute for tables"),
    (r"Use a DataFrame or an array \(n, columns\)", "Use CSV or Parquet, or an array (n, columns)"),
    (r"^X (must|has)\b", r"the file \1"),
)


def in_options(text: str) -> str:
    """A sentence of the library in the words of the command line, on one line."""
    for pattern, words in OPTIONS:
        text = re.sub(pattern, words, text)
    return " ".join(re.sub(r"inputs=(\w+)\(\)", lambda m: f"--inputs {m[1].lower()}", text).split())


def tell(text: str) -> None:
    """One line on standard error."""
    typer.echo(f"isthmus: {in_options(text)}", err=True)


class Said:
    """Takes over Python's warnings: each is told once, and unseen levels are added up over blocks."""

    def __init__(self) -> None:
        self.told: set[str] = set()
        self.unseen: dict[Any, tuple[int, Any]] = {}

    def listen(self) -> None:
        """From now on, every warning comes here."""
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = self.hear

    def hear(self, message: Any, category: type[Warning], *rest: Any, **more: Any) -> None:
        """What Python calls for a warning."""
        if hasattr(message, "example"):  # an UnseenLevels, whose module need not be loaded
            count, example = self.unseen.get(message.column, (0, message.example))
            self.unseen[message.column] = (count + message.count, example)
        elif str(message) not in self.told:
            self.told.add(str(message))
            tell(str(message))

    @staticmethod
    @contextmanager
    def muted() -> Iterator[None]:
        """No warnings inside, where the same data are looked at again."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield

    def finish(self) -> None:
        """Tell what was added up."""
        if not self.unseen:
            return
        from isthmus.inputs import UnseenLevels

        for column, (count, example) in self.unseen.items():
            tell(str(UnseenLevels(column, count, example)))
        self.unseen = {}
