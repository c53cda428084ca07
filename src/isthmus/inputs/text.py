r"""Delimited text as a person would read it: which sign separates cells, whether the first row holds names,
which words mean "missing", how numbers are written. What was found is a `Reading`, which a model remembers,
so that the next file is read as the first was.

A first row holds names where it holds words and the column below holds numbers. Marks such as "?" or "none"
among numbers are gaps. Numbers may have a decimal comma, or commas between thousands. Rows of different
lengths, NUL bytes and bytes that are no text are refused.

>>> import tempfile
>>> path = Path(tempfile.mkdtemp()) / "t.csv"
>>> _ = path.write_text("size;kind\n1,5;a\n?;b\n", encoding="utf-8")
>>> table = read_text(path)
>>> table.frame["size"].tolist(), table.reading.separator, table.reading.decimal
([1.5, <NA>], ';', ',')
>>> print(table.notes[0])
Column 'size': numbers with a decimal comma.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from isthmus.checks import FileError, IsthmusError, must
from isthmus.inputs.disguised import COMMA, MARKS, interpreted
from isthmus.inputs.headers import has_names, is_number
from isthmus.parts import Record
from isthmus.wording import counted, listed

__all__ = ["Reading", "TextTable", "decoded", "read_text"]

SEPARATORS = (",", ";", "\t", "|")
BLANKS = " "  # any run of blanks and tabs
HEAD = 1 << 16  # characters looked at to find the separator
LOOKED_AT = 100_000  # rows in which blanks that are left out are looked for
SAMPLE = 200  # and rows, to find the names
WORDS = {"NA", "N/A", "n/a", "NULL", "null", "NaN", "nan", "-NaN", "-nan", "None", "#N/A", "#NA", "<NA>"}
WORDS |= {"#N/A N/A", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"}  # what pandas takes for missing anywhere
WHOLE = re.compile(r"^ *[+-]?[\d,]+ *$", re.MULTILINE)
POINTED = re.compile(r"^ *[+-]?[\d,]+\.0* *$", re.MULTILINE)
PADDED = re.compile(r"0[0-9]{2,}")


class Reading(Record):
    """How a text file is read; what is None is found by looking.

    separator: the sign between cells; " " is any run of blanks. decimal: "." or ",". header: whether the
    first row holds names. index: whether a first column without a name, which numbers the rows, is left
    out. na: words that mean "missing" everywhere.
    """

    separator: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    header: bool | None = None
    index: bool = False
    na: tuple[str, ...] = ()

    def checked(self) -> Reading:
        """Itself, or one sentence where a value cannot be."""
        if not (self.separator is None or (isinstance(self.separator, str) and len(self.separator) == 1)):
            raise must("the separator", "be one character", self.separator, "Use one such as ';'")
        if self.separator in ('"', "\n", "\r"):
            raise must("the separator", "be no quote or line end", self.separator, "Use one such as ';'")
        if self.decimal not in (None, ".", ","):
            raise must("the decimal sign", "be '.' or ','", self.decimal, "Use '.'")
        if not all(isinstance(word, str) for word in self.na):
            raise must("words for missing", "be text", self.na, "Use one such as '?'")
        return self


class TextTable(NamedTuple):
    """A pandas DataFrame, how it was read, and what was noticed, in sentences."""

    frame: Any
    reading: Reading
    notes: tuple[str, ...]


def read_text(
    file: Path,
    asked: Reading = Reading(),
    known: Reading = Reading(),
    names: Collection[str] = (),
    text: Collection[str] = (),
    unsaid: Collection[str] = (),
) -> TextTable:
    """A text file as a table.

    asked: what the user wants, which wins over everything. known: how the file a model was fitted on was
    read; names: its columns; text: those of them that are text, even where this file has only numbers there.
    unsaid: columns that will be left out, of which there are no notes.

    Raises FileError for what is no table, naming the line.
    """
    asked.checked()
    content, notes = decoded(file, asked.encoding or known.encoding)
    preferred = known.separator or ("\t" if file.name.lower().endswith(".tsv") else ",")
    separator = asked.separator or _separator(content, preferred)
    if separator == BLANKS:
        content = _tabbed(content)
    cells = "\t" if separator == BLANKS else separator
    first, body, gone = _rows(file, content, cells)
    first, labels = _squared(first, body)
    header = asked.header if asked.header is not None else _header(first, body, asked, known, names)
    given = _names(file, first, header or labels)
    if not (header or labels):
        gone.update((j, cell) for j, cell in enumerate(first) if cell in WORDS)
    marks: Counter[str] = Counter()
    for (j, cell), count in gone.items():
        marks[cell] += count if given[j] not in unsaid else 0
    unknown = set(given).difference(names)  # what a model knows is what it was
    padded = [n for n in _padded(given, body if header or labels else [first, *body]) if n in unknown]
    text = {*text, *padded}
    frame = _parsed(content, cells, given, header or labels, asked, known, text)
    if not len(frame):
        do = "Add rows, or use header=False if this line is one"
        raise must(str(file), "have rows", "names of columns alone", do, FileError)
    index = (header or labels) and _is_index(first, frame, known)
    frame = frame.drop(columns=frame.columns[0]) if index else frame
    signs = (separator, asked.decimal, known.decimal)
    frame, decimal, found = interpreted(frame, *signs, set(text), marks, unsaid)
    frame.attrs["plain"] = _plain(given, body, frame)
    notes += _about_blanks(content, cells, given, header or labels, frame, unsaid)
    notes += _about_layout(frame, separator, preferred, header or labels, index)
    padded = [name for name in padded if name not in unsaid]
    if padded:
        notes += (f"Read as text, as leading zeros would be lost: {', '.join(padded)}.",)
    remembered = asked.encoding or known.encoding  # what was found, a mark in the file, is found again
    na = tuple(dict.fromkeys((*asked.na, *known.na)))
    reading = Reading(separator, decimal, remembered, header or labels, index, na)
    return TextTable(frame, reading, (*found, *notes))


# ---------------------------------------------------------------- bytes to text


def decoded(file: Path, encoding: str | None) -> tuple[bytes, tuple[str, ...]]:
    """The file as UTF-8, and a note where that was a guess."""
    raw = gzip.decompress(file.read_bytes()) if file.name.lower().endswith(".gz") else file.read_bytes()
    notes: tuple[str, ...] = ()
    if encoding is not None:
        text = _decode(file, raw, encoding)
    else:
        encoding, text = _guessed(raw)
        if encoding in ("cp1252", "latin-1"):
            notes = (f"The text is not UTF-8: read as {encoding}; --encoding decides.",)
    if "\0" in text:
        raise FileError(
            f"{file} must be text; got NUL bytes. Check the file, or name its encoding, such as utf-16-le."
        )
    return text.encode(), notes


def _decode(file: Path, raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding).removeprefix("\ufeff")
    except LookupError:
        raise must("the encoding", "be one Python knows", encoding, "Use utf-8 or latin-1") from None
    except UnicodeError:
        raise FileError(f"{file} is not {encoding} text. Check the encoding.") from None


def _guessed(raw: bytes) -> tuple[str, str]:
    """By the mark at the beginning, or the first that fits."""
    marks = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF16_LE: "utf-16"}
    marks |= {codecs.BOM_UTF16_BE: "utf-16", codecs.BOM_UTF8: "utf-8-sig"}
    likely = [name for mark, name in marks.items() if raw.startswith(mark)]
    for encoding in (*likely[:1], "utf-8", "cp1252"):
        try:
            return encoding, raw.decode(encoding)
        except UnicodeError:
            continue
    return "latin-1", raw.decode("latin-1")


# ---------------------------------------------------------------- text to rows


def _stream(content: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="")


def _is_blank(row: Sequence[str]) -> bool:
    return not row or (len(row) == 1 and not row[0].strip())


def _separator(content: bytes, preferred: str) -> str:
    """The sign that cuts the first lines into equally many cells, and most of these into numbers."""
    head = content[:HEAD].decode("utf-8", errors="ignore")
    head = head if len(content) <= HEAD else head.rpartition("\n")[0]
    lines = [line for line in head.splitlines() if line.strip()][:SAMPLE]
    found = {s: _score(csv.reader(lines, delimiter=s, skipinitialspace=True), s) for s in SEPARATORS}
    if preferred not in found and preferred != BLANKS:
        found[preferred] = _score(csv.reader(lines, delimiter=preferred, skipinitialspace=True), preferred)
    cut = (re.findall(r'"[^"]*"|\S+', line) for line in lines)
    blanks = _score(cut, BLANKS)
    best = max((preferred, *SEPARATORS), key=lambda s: found.get(s, blanks))
    return BLANKS if blanks[0] > found.get(best, blanks)[0] and blanks[2] >= 0.5 else best


def _score(rows: Any, separator: str) -> tuple[float, int, float]:
    """How well a separator does: share of rows of one length plus share of characters in cells that are
    numbers; cells in a row; share of cells that are numbers.
    """
    try:
        cells = [row for row in rows if not _is_blank(row)]
    except csv.Error:
        cells = []
    width, often = Counter(map(len, cells)).most_common(1)[0] if cells else (0, 0)
    if width < 2:
        return (0.0, width, 0.0)
    given = [cell.strip() for row in cells for cell in row if cell.strip()]
    comma = separator != ","
    numbers = [cell for cell in given if is_number(cell) or (comma and COMMA.match(cell))]
    length = sum(map(len, numbers)) / max(1, sum(map(len, given)))
    return (often / len(cells) + length, width, len(numbers) / max(1, len(given)))


def _tabbed(content: bytes) -> bytes:
    """Runs of blanks outside of quotes as single tabs."""
    lines = content.decode().splitlines()
    return "\n".join("\t".join(re.findall(r'"[^"]*"|\S+', line)) for line in lines).encode()


Gone = Counter[tuple[int, str]]


def _rows(file: Path, content: bytes, separator: str) -> tuple[list[str], list[list[str]], Gone]:
    """The first row, a sample of the others, and how many cells of these say "missing", by place and word.
    FileError where any row has another length, or a quote is open at the end.
    """
    reader = csv.reader(_stream(content), delimiter=separator, skipinitialspace=True)
    first: list[str] = []
    body: list[list[str]] = []
    lengths: dict[int, tuple[int, int]] = {}  # the first and last line of the first row of so many cells
    counts: Counter[int] = Counter()
    marks: Gone = Counter()
    start = end = 0
    for row in _numbered(file, reader):
        start, end = end + 1, reader.line_num
        if _is_blank(row):
            continue
        if not first:
            first = row
            continue
        counts[len(row)] += 1
        lengths.setdefault(len(row), (start, end))
        if not WORDS.isdisjoint(row):
            marks.update((j, cell) for j, cell in enumerate(row) if cell in WORDS)
        if len(body) < SAMPLE:
            body.append(row)
    if not first:
        raise FileError(f"{file} has no rows. Nothing to read.")
    if _is_open(content, start, separator):
        raise _unclosed(file, start)
    usual = len(first) if len(first) in counts or not counts else counts.most_common(1)[0][0]
    odd = next((n for n in counts if n != usual), None)
    if odd is not None:
        raise _ragged(file, lengths[odd], odd, usual)
    if counts and usual not in (len(first), len(first) + 1):
        raise _ragged(file, lengths[usual], usual, len(first))
    return first, body, marks


def _numbered(file: Path, reader: Any) -> Iterator[list[str]]:
    """The rows; what the reader cannot take, such as half a file in one cell, by the line it begins in."""
    line = 0
    try:
        for row in reader:
            yield row
            line = reader.line_num
    except csv.Error as error:
        if reader.line_num > line + 1:
            raise _unclosed(file, line + 1) from None
        raise FileError(f"{file} cannot be read: {error} in line {line + 1}. Correct that line.") from None


def _is_open(content: bytes, start: int, separator: str) -> bool:
    """Whether the last row, which begins in line `start`, ends within quotes."""
    last = islice(_stream(content), start - 1, None)
    try:
        list(csv.reader(last, delimiter=separator, skipinitialspace=True, strict=True))
    except csv.Error as error:
        return "end of data" in str(error)
    return False


def _unclosed(file: Path, line: int) -> IsthmusError:
    return must(
        str(file), "close its quotes", f"one left open in line {line}", "Correct that line", FileError
    )


def _ragged(file: Path, lines: tuple[int, int], got: int, usual: int) -> FileError:
    line, end = lines
    cells = f"{counted(got, 'cell')} in line {line} instead of {usual}"
    if end > line:
        return FileError(
            f"{file} must have rows of one length; got {cells}, with a quote that is closed in line {end}. "
            f"Close it in line {line}."
        )
    return FileError(
        f"{file} must have rows of one length; got {cells}. Correct that line, or name the separator."
    )


def _squared(first: list[str], body: list[list[str]]) -> tuple[list[str], bool]:
    """The first row as long as the others, and whether it lacked the name of row labels (as R writes)."""
    if not body or len(first) == len(body[0]):
        return first, False
    if all(not row[-1].strip() for row in body):
        return [*first, ""], False
    return ["", *first], True


# ---------------------------------------------------------------- rows to columns


def _header(
    first: list[str], body: list[list[str]], asked: Reading, known: Reading, names: Collection[str]
) -> bool:
    """Whether the first row holds names."""
    words = {name.strip() for name in first} - {""}
    if names and words == set(map(str, names)):
        return True
    return known.header if known.header is not None else has_names(first, body, MARKS | set(asked.na))


def _names(file: Path, first: list[str], header: bool) -> list[str]:
    given = [name.strip() if header else "" for name in first]
    names = [name or f"column_{j}" for j, name in enumerate(given)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FileError(f"{file} names the column {twice[0]!r} more than once. Rename it in the file.")
    return names


def _padded(names: list[str], body: list[list[str]]) -> list[str]:
    """Columns of whole numbers some of which begin with zeros: postcodes and the like, not hours."""
    columns = zip(names, zip(*body, strict=False), strict=False)
    return [n for n, cells in columns if any(PADDED.fullmatch(cell.strip()) for cell in cells)]


def _parsed(
    content: bytes,
    separator: str,
    names: list[str],
    header: bool,
    asked: Reading,
    known: Reading,
    text: Collection[str],
) -> Any:
    """What pandas makes of the rows below the names."""
    import pandas

    stream = _stream(content)
    if header:
        next(
            row
            for row in csv.reader(stream, delimiter=separator, skipinitialspace=True)
            if not _is_blank(row)
        )
    try:
        return pandas.read_csv(
            stream,
            sep=separator,
            names=names,
            header=None,
            index_col=False,
            skipinitialspace=True,
            na_values=[*asked.na, *known.na],
            decimal=asked.decimal or known.decimal or ".",
            dtype={name: "string" for name in text if name in names} or None,
            dtype_backend="numpy_nullable",
            low_memory=False,
        )
    except pandas.errors.EmptyDataError:
        return pandas.DataFrame(columns=names)


def _is_index(first: list[str], frame: Any, known: Reading) -> bool:
    """Whether the first column only numbers the rows, as `DataFrame.to_csv` writes it."""
    if first[0].strip() not in ("", "Unnamed: 0") or frame.shape[1] < 2:
        return False
    column = frame.iloc[:, 0]
    return known.index or (str(column.dtype) == "Int64" and column.is_unique and not column.isna().any())


def _plain(names: list[str], body: list[list[str]], frame: Any) -> list[str]:
    """Columns of numbers in whose first rows whole ones are written without a point, as in 18 and 18.5."""
    known = {name for name in frame.columns if str(frame[name].dtype) == "Float64"}
    found = []
    for name, cells in zip(names, zip(*body, strict=False), strict=False):
        text = "\n".join(cells) if name in known else ""
        if WHOLE.search(text) and not POINTED.search(text):
            found.append(name)
    return found


def _about_blanks(
    content: bytes, separator: str, names: list[str], header: bool, frame: Any, unsaid: Collection[str]
) -> tuple[str, ...]:
    """A note where blanks around names, or before words, are not kept."""
    readers = (csv.reader(_stream(content), delimiter=separator, skipinitialspace=s) for s in (False, True))
    pairs = ((a, b) for a, b in islice(zip(*readers, strict=False), LOOKED_AT) if not _is_blank(a))
    around = [cell.strip() for cell in next(pairs)[0] if cell != cell.strip()] if header else []
    around = [name for name in around if name not in unsaid]
    said = [(j, name) for j, name in enumerate(names) if name in frame and name not in unsaid]
    text = {j for j, name in said if frame[name].dtype == "string"}
    padded = f"{separator} ".encode() in content or content.startswith(b" ") or b"\n " in content
    before: set[int] = set()
    for kept, used in pairs if text and padded else ():
        if kept != used and len(kept) == len(used):
            before |= {j for j in text - before if kept[j] != used[j]}
    parts = [f"around names ({listed(around)})"] if around else []
    parts += [f"before words ({listed([names[j] for j in sorted(before)])})"] if before else []
    return (f"Blanks are left out {' and '.join(parts)}.",) if parts else ()


def _about_layout(frame: Any, separator: str, usual: str, header: bool, index: bool) -> tuple[str, ...]:
    """Notes on how the file as a whole was read, where that may surprise."""
    notes = []
    if not header:
        notes.append(f"No header found: the first row is data, columns are named {frame.columns[0]} ...")
    if index:
        notes.append("The first column has no name and only numbers the rows: left out.")
    if separator != usual:
        word = {"\t": "tabs", BLANKS: "blanks"}.get(separator, repr(separator))
        notes.append(f"Cells are separated by {word}.")
    return tuple(notes)
