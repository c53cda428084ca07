"""Wording: counts and shares as sentences have them.

>>> counted(1, "row"), counted(1200, "row"), counted(2, "category", "categories")
('1 row', '1,200 rows', '2 categories')
>>> few(["a", "b", "c"], 2)
'a, b and 1 more'
>>> percent(0.5), percent(1.0), percent(0.9993), percent(0.99999), percent(0.00001)
('50%', '100%', '99.9%', 'over 99.99%', 'under 0.01%')
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["counted", "few", "listed", "passes", "percent"]

FINEST = 2  # decimals of a percentage at most


def counted(count: int, word: str, words: str = "") -> str:
    """How many of what; `words` is the plural where it is not `word` with an s."""
    return f"{count:,} {word if count == 1 else words or word + 's'}"


def passes(epochs: int) -> str:
    """How many whole passes over the rows."""
    return counted(epochs, "epoch") if epochs else "less than an epoch"


def few(names: Sequence[str], most: int = 8) -> str:
    """Names in a sentence, so many at most, and how many more there are."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


def percent(share: float, decimals: int = 0) -> str:
    """A share as a percentage, which is 0% and 100% only where the share is 0 and 1: else it has decimals
    until it is told from both, or is "over 99.99%".
    """
    for places in range(decimals, FINEST + 1):
        text = f"{share:.{places}%}"
        if not 0 < share < 1 or 0 < float(text[:-1]) < 100:
            return text
    return "under 0.01%" if share < 0.5 else "over 99.99%"


def listed(names: Sequence[str], word: str = "column") -> str:
    """Columns in a sentence, five of them at most."""
    return f"{word}{'s' if len(names) > 1 else ''} {few([repr(name) for name in names], 5)}"
