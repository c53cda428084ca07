"""Where a model fails: of a table the columns, of a picture a map of its errors with the worst regions."""

from __future__ import annotations

from html import escape

from isthmus.auditing.worst import Worst
from isthmus.report.drawings import bars, heat
from isthmus.wording import counted, percent

__all__ = ["where"]

COLUMNS = 20  # in the chart


def where(worst: Worst) -> str:
    """The section of the page, empty where nothing varies."""
    if worst.is_picture:
        return _in_pictures(worst)
    if worst.shape:
        return f"<h2>Where it fails</h2><p>It rebuilds worst around {escape(worst.place)}.</p>"
    return _in_columns(worst) if worst.order else ""


def _in_pictures(worst: Worst) -> str:
    regions, error = worst.regions(), worst.map
    label = f"Mean squared error by place, from 0, dark, to {error.max():.2g}, bright"
    drawn = heat(error, [(one.top, one.left, one.side) for one in regions], label)
    words = ""
    if regions:
        told = "; ".join(f"{one}: {percent(one.share)}" for one in regions)
        even = regions[0].side ** 2 / error.size
        words = f"Of all error they have, where {percent(even)} would be even: {told}."
        words = f"<p>The worst regions are framed. {words}</p>"
    return (
        f'<h2>Where it fails</h2>{words}<figure class="map">{drawn}'
        f"<figcaption>{escape(label)}</figcaption></figure>"
    )


def _in_columns(worst: Worst) -> str:
    order = worst.order[:COLUMNS]
    left = len(worst.order) - len(order)
    others = counted(left, "column that is", "columns that are")
    more = f'<p class="hint">And {others} explained better.</p>' if left else ""
    label = "Share of every column that is explained, worst first"
    drawn = bars([worst.names[j] for j in order], [float(worst.explained[j]) for j in order], label)
    head = '<h2>Which columns come back</h2><figure class="narrow">'
    return f"{head}{drawn}<figcaption>{label}</figcaption></figure>{more}"
