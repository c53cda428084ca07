"""Filters: `price < 20 and label == 'shoe'` as a condition that a database checks.

The text is read by Python's own parser, and only what is listed here is understood: comparisons of a column
with a value or another column, `and`, `or`, `not` (or `&`, `|`, `~`), `in`, `is None`. Nothing is evaluated
and no text of the user's reaches the database but as a parameter. A name with blanks stands between
backticks. A value that is missing satisfies no comparison, not even `!=`; ask with `is None`.

>>> kinds = {"price": "number", "label": "text", "sold on": "time"}
>>> read_where("price < 20 and label == 'shoe'", kinds)
Condition(sql='({price} < {} AND {label} = {})', values=(20, 'shoe'))
>>> read_where("label in ('hat', 'shoe') or `sold on` is None", kinds).sql
'({label} IN ({}, {}) OR {sold on} IS NULL)'
>>> read_where("colour == 'red'", kinds)
Traceback (most recent call last):
    ...
isthmus.checks.DataError: a name in where must be a column to filter by; got colour. There are price, \
label, sold on.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from isthmus.checks import DataError, brief, must
from isthmus.retrieval.facts import stored_moments

__all__ = ["Condition", "read_where"]

LONGEST = 20_000  # characters
COMPARED = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "=", ast.NotEq: "<>"}
TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "<>": "<>"}
QUOTED = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|`([^`]*)`""")
SUITABLE = {"number": (int, float), "truth": (bool, int), "text": (str,), "time": (str,)}
ISO = re.compile(r"\d{4}-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?)?")
EXAMPLE = "Use price < 20 and label == 'shoe'"


class Condition(NamedTuple):
    """SQL with {column} for every column and {} for every value, and the values in that order."""

    sql: str
    values: tuple[Any, ...] = ()

    def spelled(self, column: Callable[[str], str], mark: str, contains: str) -> str:
        """The SQL with columns as a database calls them, its mark for a value, and its function that finds
        a text in another.
        """
        sql = re.sub(r"\{([^{}]*)\}", lambda m: column(m[1]) if m[1] else mark, self.sql)
        return sql.replace("CONTAINS(", f"{contains}(")


def read_where(text: str, kinds: Mapping[str, str]) -> Condition:
    """The condition a text states about columns of these kinds ("number", "truth", "text", "time").

    Raises DataError for what is no such condition, for an unknown name and for a value of another kind.
    """
    if not isinstance(text, str) or not text.strip():
        raise must("where", "be a condition as text", text, EXAMPLE)
    if len(text) > LONGEST:
        raise must("where", f"have at most {LONGEST:,} characters", len(text), "Shorten it")
    reader = _Reader(kinds)
    try:
        tree = ast.parse(QUOTED.sub(reader.named, text).strip(), mode="eval")
        return reader(tree.body)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, DataError):
            raise
        raise must("where", "be a condition", text, _advice(text)) from None


class _Reader:
    """Turns the parsed text into SQL, piece by piece."""

    def __init__(self, kinds: Mapping[str, str]) -> None:
        self.kinds = kinds
        self.names: list[str] = []

    def named(self, match: re.Match[str]) -> str:
        """A name between backticks as one that Python's parser reads; a quoted text as it is."""
        if match[2] is None:
            return match[1]
        self.names.append(match[2])
        return f"__name_{len(self.names) - 1}__"

    def __call__(self, node: ast.AST) -> Condition:
        if isinstance(node, ast.BoolOp):
            word = " AND " if isinstance(node.op, ast.And) else " OR "
            return _joined(word, [self(value) for value in node.values])
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitAnd, ast.BitOr)):
            word = " AND " if isinstance(node.op, ast.BitAnd) else " OR "
            return _joined(word, [self(node.left), self(node.right)])
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.Invert)):
            inner = self(node.operand)
            return Condition(f"(NOT {inner.sql})", inner.values)
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            pairs = zip(sides, node.ops, sides[1:], strict=False)
            return _joined(" AND ", [self._compared(a, op, b) for a, op, b in pairs])
        if isinstance(node, ast.Name):
            column = self._column(node)
            if self.kinds[column] != "truth":
                raise must(f"{column} in where", "be compared with something", "the name alone", EXAMPLE)
            return Condition(f"{{{column}}} = {{}}", (1,))
        raise _odd(node)

    def _compared(self, left: ast.AST, op: ast.cmpop, right: ast.AST) -> Condition:
        if isinstance(op, (ast.In, ast.NotIn)):
            return self._contained(left, isinstance(op, ast.NotIn), right)
        if isinstance(op, (ast.Is, ast.IsNot)) or _is_none(left) or _is_none(right):
            return self._missing(left, op, right)
        sign = COMPARED[type(op)]
        if isinstance(left, ast.Name) and isinstance(right, ast.Name):
            a, b = self._column(left), self._column(right)
            if self.kinds[a] != self.kinds[b]:
                raise must(f"{a} in where", "be compared with its like", f"{b}, {self.kinds[b]}", EXAMPLE)
            return Condition(f"{{{a}}} {sign} {{{b}}}")
        if not isinstance(left, ast.Name):
            left, right, sign = right, left, TURNED[sign]
        column = self._column(left)
        return Condition(f"{{{column}}} {sign} {{}}", (self._value(column, right),))

    def _contained(self, left: ast.AST, negated: bool, right: ast.AST) -> Condition:
        """A column in a list of values, or a text in a column."""
        word = "NOT " if negated else ""
        if isinstance(right, ast.Name) and isinstance(left, ast.Constant):
            column = self._column(right)
            part = self._value(column, left)
            if not isinstance(part, str) or self.kinds[column] != "text":
                raise must(f"{column} in where", "be a column of text to look into", part, EXAMPLE)
            return Condition(f"{word}CONTAINS({{{column}}}, {{}}) > 0", (part,))
        if not isinstance(right, (ast.Tuple, ast.List, ast.Set)):
            words = brief(ast.unparse(right))
            raise must("in in where", "be followed by a list", words, f"Use in ({words},)")
        column = self._column(left)
        values = tuple(self._value(column, item) for item in right.elts)
        if not values:
            return Condition("1 = 1" if negated else "1 = 0")
        return Condition(f"{{{column}}} {word}IN ({', '.join(['{}'] * len(values))})", values)

    def _missing(self, left: ast.AST, op: ast.cmpop, right: ast.AST) -> Condition:
        left, right = (right, left) if _is_none(left) else (left, right)
        if not _is_none(right) or not isinstance(op, (ast.Is, ast.IsNot, ast.Eq, ast.NotEq)):
            raise must("is in where", "be followed by None", brief(ast.unparse(right)), "Use == for values")
        word = "NOT " if isinstance(op, (ast.IsNot, ast.NotEq)) else ""
        return Condition(f"{{{self._column(left)}}} IS {word}NULL")

    def _column(self, node: ast.AST) -> str:
        if not isinstance(node, ast.Name):
            raise _odd(node)
        found = re.fullmatch(r"__name_(\d+)__", node.id)
        name = self.names[int(found[1])] if found and int(found[1]) < len(self.names) else node.id
        if name not in self.kinds:
            there = ", ".join(map(str, list(self.kinds)[:20])) or "none"
            raise must("a name in where", "be a column to filter by", name, f"There are {there}")
        if "{" in name or "}" in name:
            raise must("a name in where", "have no braces", name, "Rename the column")
        return name

    def _value(self, column: str, node: ast.AST) -> Any:
        sign = 1
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
            sign, node = (-1 if isinstance(node.op, ast.USub) else 1), node.operand
        if not isinstance(node, ast.Constant):
            raise _odd(node)
        value, kind = node.value, self.kinds[column]
        fits = isinstance(value, SUITABLE[kind]) and (kind == "truth" or not isinstance(value, bool))
        if not fits or (isinstance(value, int) and abs(value) >= 2**63):
            raise must(f"{column} in where", f"be compared with a {kind}", value, EXAMPLE)
        if kind == "time":
            return _moment(column, str(value))
        return sign * value if isinstance(value, (int, float)) else value


def _moment(column: str, text: str) -> str:
    """A moment as stores keep it: '2024-05-01' is its first second."""
    iso = text.strip() if ISO.fullmatch(text.strip()) else "no moment"
    try:
        return stored_moments(np.array([iso], "datetime64[us]"))[0]
    except ValueError:
        do = f"Use {column} >= '2024-05-31' or '2024-05-31 14:30'"
        raise must(f"{column} in where", "be compared with a moment", text, do) from None


def _advice(text: str) -> str:
    """What to do about a text that Python's parser does not read."""
    plain = QUOTED.sub("", text)
    if re.search(r"(?<![<>=!])=(?!=)", plain):
        return "Use == to compare, as in price == 20"
    if found := re.search(r"\b(AND|OR|NOT|IN)\b", plain):
        return f"Write {found[1].lower()} in small letters"
    return f"{EXAMPLE}; `class` and names with blanks or signs stand between backticks"


def _joined(word: str, parts: Sequence[Condition]) -> Condition:
    if len(parts) == 1:
        return parts[0]
    sql = word.join(part.sql for part in parts)
    return Condition(f"({sql})", tuple(value for part in parts for value in part.values))


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _odd(node: ast.AST) -> Exception:
    words = ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__
    return must("where", "be made of columns, values, comparisons, and, or, not, in", words, EXAMPLE)
