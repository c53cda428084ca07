"""One HTML page about a model: the verdict first, then pictures to be pointed at, tables, how to reproduce.

The page is one file. It asks for nothing from anywhere: style, script and data are inside, and its security
policy forbids requests, so it can be mailed, printed and opened without a network. It contains some of the
data's rows, unless `rows=0`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from html import escape
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.auditing import Audit
from isthmus.auditing.finding import plainly
from isthmus.auditing.subject import Look
from isthmus.inputs import rows_of
from isthmus.inputs.arrays import as_array
from isthmus.report.drawings import lines, scatter
from isthmus.report.places import where
from isthmus.wording import percent

__all__ = ["Facts", "html_report"]

HEADS = {
    "good": ("Trust it", "good"),
    "strained": ("Useful, with care", "warn"),
    "pca": ("Use PCA instead", "warn"),
    "worse": ("Use PCA instead", "bad"),
    "small": ("The code is too small", "warn"),
    "dead": ("Most of the code is dead", "bad"),
    "collapsed": ("It has learned next to nothing", "bad"),
    "other": ("It was judged by rows of another kind", "warn"),
    "memorises": ("Do not trust it: it memorises", "bad"),
    "copies": ("Do not trust it: it copies", "bad"),
    "noise": ("There is nothing to learn", "warn"),
    "nothing": ("It cannot be judged", "warn"),
}
CELLS = 40  # told of a row
PIXELS = 64  # a picture's longer side in the page
MISSING = {"None", "nan", "NaN", "<NA>", "NaT"}
FAR = 2.0  # standard units by which a cell is far off

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"

Array = NDArray[Any]


class Facts(NamedTuple):
    """What the page says besides the audit: name by value, in order."""

    title: str
    settings: dict[str, str]
    reproduce: str
    history: list[dict[str, float]]
    notes: list[str]


def html_report(found: Audit, facts: Facts, rows: int = 300) -> str:
    """The page as text; at most `rows` held-out rows are in it."""
    subject, test = found.subject, found.subject.test
    count = min(rows, len(test.x))
    chosen = np.sort(subject.rng(5).permutation(len(test.x))[:count])
    own, pca = test.errors[chosen], subject.axes.errors(test.x, subject.numbers, test.seen)[chosen]
    head, tone = HEADS[found.kind]
    body = [
        f"<h1>{escape(facts.title)}</h1>",
        f'<section class="verdict {tone}"><strong>{head}</strong><p>{escape(found.verdict)}</p>',
        _numbers(found),
        "</section>",
        _pictures(found, chosen, own, pca) if count else "",
        where(found.worst),
        _looks(found),
        _training(facts.history),
        _settings(facts),
    ]
    data = _data(found, chosen, own, pca)
    style, script = (files("isthmus.report").joinpath(name).read_text() for name in ("page.css", "page.js"))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(facts.title)}</title><style>{style}</style></head><body><main>"
        f"{''.join(body)}</main>"
        f'<script type="application/json" id="rows">{_safe(data)}</script>'
        f"<script>{script if count else ''}</script></body></html>\n"
    )


# ---------------------------------------------------------------- the parts of the page


def _numbers(found: Audit) -> str:
    """Three or four figures, large."""
    linear = found.linear
    shown = {"of held-out rows explained": _percent(linear.explained)}
    if not linear.wide:
        shown["by PCA with as many numbers"] = _percent(linear.explained_by_pca)
    shown["numbers in a picture" if found.worst.is_picture else "columns"] = f"{len(found.worst.names):,}"
    shown["numbers in the code"] = f"{found.units.count:,}"
    shown["rows it was judged by"] = f"{linear.rows:,}"
    inside = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in shown.items())
    return f'<dl class="numbers">{inside}</dl>'


def _pictures(found: Audit, chosen: Array, own: Array, pca: Array) -> str:
    """The map of the codes, and errors beside PCA's; pointing at either shows the row."""
    worst = own >= np.quantile(own, 0.95) if len(own) >= 20 else np.zeros(len(own), bool)
    places = _flat(found.subject.test, chosen)
    tiny = max(1e-12, 1e-4 * float(np.median(own)))
    logs = [np.log10(np.maximum(values, tiny)) for values in (pca, own)]
    below = float((own < pca).mean())
    first = scatter(*places.T, label="Map of the codes: each point a row. Arrow keys go from row to row.",
                    names=("codes, first axis", "second axis"), worst=worst, ticks=False)  # fmt: skip
    second = scatter(*logs, label="Error of each row beside PCA's. Arrow keys go from row to row.",
                     names=("PCA's error", "this model's error"), worst=worst, diagonal=True)  # fmt: skip
    better = f"{percent(below)} of rows lie below the line: this model rebuilds them better than PCA does"
    return (
        '<h2>Row by row</h2><p class="hint screen">Point at, or tap, a row to see it and what is rebuilt '
        "from its code; the one rebuilt worst comes first. Orange: the twentieth with the largest errors.</p>"
        f'<div class="two"><figure>{first}<figcaption>Rows that are near here have similar codes</figcaption>'
        f"</figure><figure>{second}<figcaption>{better}</figcaption></figure></div>"
        '<div id="detail" role="region" aria-label="The row pointed at" aria-live="polite"></div>'
    )


def _looks(found: Audit) -> str:
    """Every finding, a line each."""
    lines_ = _table((look.label, str(look)) for look in found.findings.values())
    return f"<h2>What was looked at</h2>{lines_}{_hints(found.notes)}"


def _training(history: list[dict[str, float]]) -> str:
    """The objective by epoch."""
    if len(history) < 2:
        return ""
    epochs = np.array([row["epoch"] for row in history])
    named = {"training": "objective", "held out": "held_out_objective"}
    curves = {name: np.array([row.get(key, np.nan) for row in history]) for name, key in named.items()}
    curves = {name: values for name, values in curves.items() if np.isfinite(values).any()}
    drawn = lines(epochs, curves, "The objective by epoch", ("epoch", "objective, a row"))
    return f'<h2>How it was trained</h2><figure class="narrow">{drawn}</figure>'


def _settings(facts: Facts) -> str:
    """Parameters, versions, and the lines that make the same page again."""
    return (
        f"<h2>Settings</h2>{_table(facts.settings.items())}{_hints(facts.notes)}"
        f"<h2>How to make it again</h2><pre>{escape(facts.reproduce)}</pre>"
    )


def _table(pairs: Iterable[tuple[str, str]]) -> str:
    lines_ = (f'<tr><th scope="row">{escape(a)}</th><td>{escape(b)}</td></tr>' for a, b in pairs)
    return f"<table><tbody>{''.join(lines_)}</tbody></table>"


def _hints(notes: Iterable[str]) -> str:
    return "".join(f'<p class="hint">{escape(note)}</p>' for note in notes)


# ---------------------------------------------------------------- the rows inside the page


def _data(found: Audit, chosen: Array, own: Array, pca: Array) -> dict[str, Any]:
    """What the script shows of each row."""
    subject, shape = found.subject, found.worst.shape
    numbers = found.row_numbers[chosen]
    rows = [
        {"number": int(n), "error": plainly(a, 3), "pca": plainly(b, 3)}
        for n, a, b in zip(numbers, own, pca, strict=True)
    ]
    if found.worst.is_picture:
        size, pairs = _as_pictures(subject.test, chosen, shape)
        for row, (x, x_hat) in zip(rows, pairs, strict=True):
            row |= {"x": x, "x_hat": x_hat}
        return {"shape": size, "columns": [], "rows": rows}
    cells = _as_cells(found, chosen)
    for row, told in zip(rows, cells, strict=True):
        row["cells"] = told
    return {"shape": None, "columns": [str(name) for name in found.worst.names], "rows": rows}


def _as_pictures(
    test: Look, chosen: Array, shape: tuple[int, ...]
) -> tuple[list[int], list[tuple[str, str]]]:
    """Pictures and reconstructions as base64 bytes, their longer side at most 64."""
    full = (*shape, 1) if len(shape) == 2 else shape
    step = -(-max(full[:2]) // PIXELS)
    x, x_hat = (part[chosen].reshape(-1, *full)[:, ::step, ::step] for part in (test.x, test.x_hat))
    low, high = (float(np.quantile(x, q)) for q in (0.001, 0.999))
    both = [
        np.clip((part - low) / ((high - low) or 1.0) * 255, 0, 255).astype(np.uint8) for part in (x, x_hat)
    ]
    coded = [[base64.b64encode(row.tobytes()).decode() for row in part] for part in both]
    return list(x.shape[1:]), list(zip(*coded, strict=True))


def _as_cells(found: Audit, chosen: Array) -> list[list[list[Any]]]:
    """Of each row its cells: column, value, rebuilt value, whether far off; what is rebuilt worst first."""
    subject, test = found.subject, found.subject.test
    known = found.worst.order
    order = [*known, *(j for j in range(len(found.worst.names)) if j not in known)][:CELLS]
    real = rows_of(subject.test_rows, chosen)
    made = subject.reader.decode(test.x_hat[chosen].astype(np.float32))
    seen = np.broadcast_to(test.seen, test.x.shape)[chosen]
    starts = [start for start, _ in subject.reader.spans]
    wrong = np.square(test.x - test.x_hat)[chosen] * seen
    off = np.sqrt(np.add.reduceat(wrong, starts, axis=1)) > FAR
    values, rebuilt = _grid(real, found.worst.names), _grid(made, found.worst.names)
    return [
        [[int(j), _told(values[i][j]), _told(rebuilt[i][j]), int(off[i, j])] for j in order]
        for i in range(len(chosen))
    ]


def _grid(rows: Any, names: tuple[Any, ...]) -> list[list[Any]]:
    """Rows as plain values in the order of the model's columns."""
    if hasattr(rows, "columns"):
        columns = [rows[name] for name in names]
        return [list(row) for row in zip(*(list(column) for column in columns), strict=True)]
    flat: list[list[Any]] = as_array(rows).reshape(len(rows), -1).tolist()
    return flat


def _told(value: Any) -> str:
    """A cell for people."""
    if str(value) in MISSING:
        return "missing"
    if isinstance(value, (float, np.floating)):
        return f"{value:.6g}"
    text = str(value)
    return text if len(text) <= 40 else text[:39] + "…"


def _flat(test: Look, chosen: Array) -> Array:
    """The two directions of the code that vary most, (n, 2)."""
    z = test.z - test.z.mean(0)
    axes = np.linalg.svd(z, full_matrices=False)[2][:2]
    flat: Array = (z @ axes.T)[chosen]
    return flat if flat.shape[1] == 2 else np.column_stack([flat, test.errors[chosen]])


def _percent(share: float) -> str:
    return percent(share, 1) if np.isfinite(share) else "unknown"


def _safe(data: dict[str, Any]) -> str:
    """JSON that cannot end the script it stands in."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
