"""What a search found, on the screen and as pictures."""

from __future__ import annotations

import json
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.wording import counted

if TYPE_CHECKING:
    from isthmus.retrieval import Retriever

__all__ = ["drawn", "plain", "show"]

SHOWN = 20  # lines on the screen
WIDE = 28  # characters of a value on the screen
PICTURES = 8  # questions in a drawing


def plain(table: Any) -> list[dict[str, Any]]:
    """Lines as JSON can hold them."""
    lines: list[dict[str, Any]] = json.loads(table.to_json(orient="records", date_format="iso"))
    return lines


def show(found: Any, output: Path | None = None) -> None:
    """The first lines and columns, and where all are."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if not len(found):
        console.print("Nothing is found.", markup=False)
        return
    lines = [list(map(_short, line)) for line in _by_days(found[:SHOWN]).itertuples(index=False)]
    columns = list(zip(map(str, found.columns), zip(*lines, strict=True), strict=True))
    widths = [min(WIDE, max(map(len, (name, *texts)))) + 2 for name, texts in columns]
    names = [name for (name, _), end in zip(columns, accumulate(widths), strict=True) if end <= console.width]
    table = Table(box=None)
    for name in names:
        table.add_column(name, overflow="ellipsis", max_width=WIDE, no_wrap=True)
    for line in lines:
        table.add_row(*line[: len(names)])
    console.print(table, markup=False)
    left = [counted(len(found) - SHOWN, "more line")] if len(found) > SHOWN else []
    left += [counted(found.shape[1] - len(names), "more column")] if found.shape[1] > len(names) else []
    if output is not None:
        console.print(f"-> {output}", markup=False)
    elif left:
        console.print(f"... {' and '.join(left)}; -o writes all.", markup=False)


def _by_days(found: Any) -> Any:
    """Columns of moments that are all midnight as days."""
    times = found.select_dtypes("datetime").columns
    days = [name for name in times if (found[name].dropna().dt.normalize() == found[name].dropna()).all()]
    return found.assign(**{str(n): [None if v != v else str(v.date()) for v in found[n]] for n in days})


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else " ".join(str(value).split())


def drawn(retriever: Retriever, rows: Any, found: Any, query: str, path: Path) -> None:
    """Each question beside what was found for it."""
    import numpy as np

    from isthmus import figures
    from isthmus.checks import must
    from isthmus.commands.drawing import written

    shape = tuple(getattr(getattr(retriever.model_, "schema_", None), "shape", ()))
    if len(shape) < 2:
        raise must("--draw", "be for pictures and signals", "a table", "Leave it out")
    asked = np.asarray(rows).reshape(-1, *shape)[:PICTURES]
    lines = [found[found.iloc[:, 0] == i] for i in range(len(asked))]
    samples = [retriever.rows(some.iloc[:, 1].to_numpy()) if len(some) else [] for some in lines]
    label = next((name for name in found.columns[3:] if name != "file"), None)
    captions = [[_caption(line, label) for _, line in some.iterrows()] for some in lines]
    names = [query if query.startswith("row:") else Path(query).name[:14]] if len(asked) == 1 else []
    written(figures.neighbours(asked, samples, captions, names=names).figure, path)


def _caption(line: Any, label: str | None) -> str:
    more = "" if label is None else f"  {_short(line[label])[:10]}"
    return f"{line.iloc[2]:.3g}{more}"
