"""Wording: counts as sentences have them.

>>> counted(1, "row"), counted(1200, "row"), counted(2, "category", "categories")
('1 row', '1,200 rows', '2 categories')
"""

from __future__ import annotations

__all__ = ["counted"]


def counted(count: int, word: str, words: str = "") -> str:
    """How many of what; `words` is the plural where it is not `word` with an s."""
    return f"{count:,} {word if count == 1 else words or word + 's'}"
