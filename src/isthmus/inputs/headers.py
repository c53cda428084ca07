"""Headers: whether the first row of a text file holds names.

The rule is a person's: names differ in kind from what stands below them. A word over numbers is a name; so
are years in a row (2019, 2020, ...) over values that are no years. Where everything is words, the first row
holds names unless its words turn up again below. An only row holds names unless a cell is a number, a date
or yes or no.

>>> has_names(["id", "2019", "2020"], [["1", "5.5", "6"], ["2", "7", "8.1"]], {"?"})
True
>>> has_names(["abc", "2019", "7"], [["abd", "2020", "9"]], {"?"})
False
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from itertools import pairwise

__all__ = ["has_names", "is_number"]

DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
TRUTHS = {"true", "false", "yes", "no"}


def is_number(text: str) -> bool:
    """Whether a cell is a finite number, with a decimal point or comma."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return bool(re.fullmatch(r"[+-]?\d+,\d+", text))


def has_names(first: Sequence[str], body: Sequence[Sequence[str]], marks: Collection[str]) -> bool:
    """Whether the cells of the first row are the names of the columns below.

    first: the row's cells; body: cells of some rows below it; marks: words that mean "missing".
    """
    words = [cell.strip() for cell in first]
    if len(words) > 1 and words == [str(j) for j in range(len(words))]:
        return True
    kinds = [_kind(word, marks) for word in words]
    if not body:
        return (
            "word" in kinds
            and {"number", "date"}.isdisjoint(kinds)
            and TRUTHS.isdisjoint(map(str.lower, words))
        )
    below = [[row[j].strip() for row in body] for j in range(len(words))]
    under = [_common_kind(column, marks) for column in below]
    pairs = list(zip(kinds, under, strict=True))
    if ("date", "date") in pairs:
        return False
    strong = any(pair in (("word", "number"), ("word", "date"), ("date", "number")) for pair in pairs)
    strong = strong or _is_label(words[0], below[0], kinds[1:])
    numbers = [word for word, kind in zip(words, kinds, strict=True) if kind == "number"]
    if numbers:
        whole = all(re.fullmatch(r"\d+", word) for word in numbers) and len(set(numbers)) == len(numbers)
        return (strong and whole) or _are_years(words, kinds, below)
    if strong:
        return True
    return set(kinds) == {"word"} and len(set(words)) == len(words) and not _recurring(words, below)


def _kind(cell: str, marks: Collection[str]) -> str:
    """What one cell is: "word", "number", "date", "mark" or "blank"."""
    if not cell:
        return "blank"
    if cell in marks or cell.lower() in marks:
        return "mark"
    return "number" if is_number(cell) else "date" if DATE.match(cell) else "word"


def _common_kind(column: Sequence[str], marks: Collection[str]) -> str:
    """What nine tenths of a column's values are, or ""."""
    kinds = [kind for kind in (_kind(cell, marks) for cell in column) if kind not in ("mark", "blank")]
    return next((kind for kind in set(kinds) if kinds.count(kind) >= 0.9 * len(kinds)), "")


def _is_label(word: str, column: Sequence[str], others: Sequence[str]) -> bool:
    """Whether a blank cell stands over row numbers and beside names."""
    unique = len(set(column)) == len(column) and all(re.fullmatch(r"\d+", cell) for cell in column)
    return not word and bool(column) and unique and bool(others) and set(others) == {"word"}


def _are_years(words: Sequence[str], kinds: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether the numbers are years at equal steps, over columns that are not years, beside words."""
    places = [j for j, kind in enumerate(kinds) if kind == "number"]
    if len(places) < 2 or not {kind for kind in kinds if kind != "number"} <= {"word", "blank"}:
        return False
    if not all(_is_year(words[j]) and any(not _is_year(c) for c in below[j]) for j in places):
        return False
    years = [int(words[j]) for j in places]
    steps = {after - before for before, after in pairwise(years)}
    return len(steps) == 1 and steps != {0} and len(places) < len(words)


def _is_year(text: str) -> bool:
    return bool(re.fullmatch(r"1[89]\d\d|20\d\d", text))


def _recurring(words: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether half of the words turn up again in their own column."""
    again = sum(word in column for word, column in zip(words, below, strict=True))
    return 2 * again >= len(words) and again > 0
