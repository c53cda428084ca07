"""Columns of text that are numbers or dates in disguise: with marks for gaps, with a decimal comma, with
commas between thousands, in ISO form.

A column is read as numbers only where every word in it is one, known marks for "missing" apart; where a few
other words stand between numbers, a note says so and nothing is guessed.

>>> import pandas
>>> frame = pandas.DataFrame({"n": pandas.array(["1", "?", "3"], dtype="string")})
>>> frame, decimal, notes = interpreted(frame, ",", None, None, set())
>>> frame["n"].tolist(), notes
([1, <NA>, 3], ("Counted as missing: '?' (1 cell).",))
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from isthmus.checks import brief
from isthmus.inputs.headers import is_number
from isthmus.wording import counted, listed

__all__ = ["COMMA", "MARKS", "interpreted"]

MARKS = {"?", "-", "--", ".", "na", "n/a", "n.a.", "#n/a", "null", "none", "nil", "nan", "missing", "empty"}
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$")
MONTH = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    "oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
DAY = r"\d{1,2}(?:st|nd|rd|th)?"
WRITTEN = [  # days and months that are numbers are groups
    re.compile(rf"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? )?{form}(?:[T ,]+\d{{1,2}}:\d{{2}}.*)?$", re.I)
    for form in (
        r"(\d{1,2})/(\d{1,2})/(?:\d{4}|\d{2})",
        r"(\d{1,2})\.(\d{1,2})\.\d{4}",
        r"(\d{1,2})-(\d{1,2})-\d{4}",
        r"(\d{2})\.(\d{2})\.\d{2}",
        r"[12]\d{3}/(\d{1,2})/(\d{1,2})",
        r"[12]\d{3}\.(\d{1,2})\.(\d{1,2})",
        r"[12]\d{3}-(\d{1,2})-(\d{1,2})",
        rf"{MONTH}\.?[ -]{DAY},?[ -]\d{{4}}",
        rf"{DAY}[. -]+{MONTH}[., -]+(?:\d{{4}}|\d{{2}})",
    )
]
EXPONENT = r"(?:[eE][+-]?\d+)?"
POINT = re.compile(rf"(?=[+-]?\.?\d)[+-]?(?:\d{{1,3}}(?:,\d{{3}})+|\d+)?(?:\.\d*)?{EXPONENT}$")
COMMA = re.compile(rf"(?=[+-]?,?\d)[+-]?(?:\d{{1,3}}(?:\.\d{{3}})+|\d+)?(?:,\d*)?{EXPONENT}$")


def interpreted(
    frame: Any,
    separator: str,
    asked: str | None,
    known: str | None,
    text: set[str],
    marks: Counter[str] | None = None,
    unsaid: Collection[str] = (),
) -> tuple[Any, str | None, tuple[str, ...]]:
    """Columns of text that are numbers or dates in disguise as these; the decimal sign; and notes.

    marks: cells that were taken as missing already, by word. unsaid: columns of which there are no notes.
    """
    points = "Float64" in map(str, frame.dtypes)
    likely = asked or known or ("," if separator == ";" and not points else ".")
    decimals = list(dict.fromkeys((likely, ".") if asked else (likely, ".", ",")))
    found: dict[str, list[str]] = {}
    marks, silent = Counter() if marks is None else marks, Counter[str]()
    for name in [n for n in frame.columns if frame[n].dtype == "string"]:
        words, gone = frame[name].str.strip(), silent if name in unsaid else marks
        numbers = None if name in text else _as_numbers(words, decimals, gone)
        if numbers is not None:
            frame[name], how = numbers
            found.setdefault(how, []).append(name)
            continue
        marked = (words == "?").fillna(False).astype(bool)
        frame[name] = frame[name].mask(marked)
        gone["?"] += int(marked.sum())
        frame[name], note = (frame[name], "") if name in text else _as_dates(frame[name], words, gone)
        found.setdefault(note or ("" if name in text else _about_near_numbers(words)), []).append(name)
    said = {how: [name for name in names if name not in unsaid] for how, names in found.items() if how}
    notes = [f"{listed(names, 'Column')}: {how}." for how, names in said.items() if names]
    counts = [f"{mark!r} ({counted(count, 'cell')})" for mark, count in marks.items() if count]
    if counts:
        notes.append(f"Counted as missing: {', '.join(counts)}.")
    comma = any("decimal comma" in how for how in found)
    return frame, asked or ("," if comma or known == "," else None), tuple(notes)


def _as_numbers(words: Any, decimals: Sequence[str], marks: Counter[str]) -> tuple[Any, str] | None:
    """A column whose every word, marks for missing apart, is a number; and what is unusual about them."""
    import pandas

    counts = words.value_counts()
    gone = {word for word in counts.index if word.lower() in MARKS}
    given = [word for word in counts.index if word not in gone]
    for decimal in decimals:
        pattern = POINT if decimal == "." else COMMA
        if not given or not all(pattern.match(word) for word in given):
            continue
        other = "," if decimal == "." else "."
        plain = {word: word.replace(other, "").replace(",", ".") for word in given}
        whole = all(re.fullmatch(r"[+-]?\d{1,18}", text) for text in plain.values())
        values = {word: int(text) if whole else float(text) for word, text in plain.items()}
        marks.update({word: int(counts[word]) for word in gone})
        column = pandas.array(
            [values.get(word) if isinstance(word, str) else None for word in words],
            dtype="Int64" if whole else "Float64",
        )
        apart = any(other in word for word in given)
        how = "numbers with a decimal comma" if decimal == "," and any("," in w for w in given) else ""
        between = f"numbers with a {'comma' if other == ',' else 'point'} between thousands" if apart else ""
        return pandas.Series(column, index=words.index), how or between
    return None


def _as_dates(column: Any, words: Any, marks: Counter[str]) -> tuple[Any, str]:
    """A column whose every word, marks for missing apart, is an ISO date as moments; a note where nine tenths
    are dates, though not of that form.
    """
    import pandas

    counts = words[column.notna()].value_counts()
    gone = {word: int(n) for word, n in counts.items() if word.lower() in MARKS}
    given = counts.drop(list(gone))
    if given.empty:
        return column, ""
    if not all(ISO_DATE.match(word) for word in given.index):
        dates = sum(n for word, n in given.items() if _is_date(word))
        how = "dates not written like 2021-04-03, so read as text: write them year-month-day"
        return column, how if dates > 0.9 * given.sum() else ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            moments = pandas.to_datetime(column.mask(words.isin(list(gone))), format="ISO8601")
        except ValueError:
            return column, ""
    marks.update(gone)
    return moments, ""


def _is_date(word: str) -> bool:
    """Whether a word is a date of any usual form; 12-34-56 is none."""
    for form in WRITTEN:
        found = form.match(word)
        if found:
            numbers = [int(group) for group in found.groups()]
            return not numbers or (1 <= min(numbers) <= 12 and max(numbers) <= 31)
    return False


def _about_near_numbers(words: Any) -> str:
    """A note on a column that would be numbers but for a few words."""
    counts = words.value_counts()
    odd = {word: n for word, n in counts.items() if not is_number(word) and word.lower() not in MARKS}
    total = int(counts.sum())
    if not odd or len(odd) > 5 or sum(odd.values()) > 0.1 * total:
        return ""
    return (
        f"numbers but for {', '.join(repr(word) for word in odd)}, read as text; if that means missing, use "
        f"--na {brief(next(iter(odd)), 20)!r}"
    )
