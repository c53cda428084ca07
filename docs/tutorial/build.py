"""Execute the tutorial: every page is a script, and becomes Markdown with what it printed and drew.

    python docs/tutorial/build.py                    # all pages, next to their scripts
    python docs/tutorial/build.py sparse -o /tmp/x   # one page, elsewhere
    python docs/tutorial/build.py --quick -o /tmp/x  # one epoch everywhere, to see that every line runs

A page is divided by lines `# %%` (code) and `# %% [markdown]` (text in comments), as Jupyter and most editors
read scripts. Where the last line of a piece of code is an expression, its value is shown: axes, or several on
one figure, as a picture, anything else as text.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import re
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

HERE = Path(__file__).resolve().parent
MARK = re.compile(r"^# %%( \[markdown\])?\s*$", re.M)
WIDTH = 110  # dots per inch of a picture
LARGE = 150_000  # bytes from which on a picture is kept as JPEG: those that show photographs


class Piece(NamedTuple):
    """Text or code."""

    code: bool
    text: str


def pieces(script: str) -> list[Piece]:
    """A script in its pieces; what stands before the first mark is left out."""
    marks = list(MARK.finditer(script))
    ends = [mark.start() for mark in marks[1:]] + [len(script)]
    found = []
    for mark, end in zip(marks, ends, strict=True):
        text = script[mark.end() : end].strip("\n")
        if mark[1]:
            text = "\n".join(line.removeprefix("#").removeprefix(" ") for line in text.splitlines())
        if text.strip():
            found.append(Piece(not mark[1], text))
    return found


def executed(code: str, space: dict[str, Any]) -> tuple[str, Any]:
    """What a piece of code prints, and the value of its last line where that is an expression."""
    tree, out, value = ast.parse(code), io.StringIO(), None
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(out):
        exec(compile(tree, "<page>", "exec"), space)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "<page>", "eval"), space)
    return out.getvalue(), value


def axes_in(value: Any) -> list[Any]:
    """Axes, or those in an array or list of them; of anything else none."""
    some = list(np.ravel(value)) if isinstance(value, (list, np.ndarray)) else [value]
    return some if some and all(hasattr(ax, "get_title") for ax in some) else []


def picture(ax: Any, place: Path) -> str:
    """The figure saved as PNG, or as JPEG where that would be large, and the Markdown that shows it."""
    png, jpg = (place.with_suffix(ending) for ending in (".png", ".jpg"))
    for old in (png, jpg):
        old.unlink(missing_ok=True)
    ax.figure.savefig(png, dpi=WIDTH)
    if png.stat().st_size > LARGE:
        png.unlink()
        ax.figure.savefig(jpg, dpi=WIDTH, pil_kwargs={"quality": 65})
    title = ax.figure.get_suptitle() or ax.get_title("left") or "picture"
    return f"![{title}]({png.name if png.exists() else jpg.name})"


def built(page: Path, folder: Path, quick: bool) -> Path:
    """Execute one page; the Markdown file that was written."""
    script = page.read_text()
    if quick:
        script = re.sub(r"max_epochs=\d+", "max_epochs=1", script)
    space: dict[str, Any] = {"__name__": "page"}
    parts, pictures = [], 0
    for piece in pieces(script):
        if not piece.code:
            parts.append(piece.text)
            continue
        parts.append(f"```python\n{piece.text}\n```")
        said, value = executed(piece.text, space)
        if axes := axes_in(value):
            pictures += 1
            parts.append(picture(axes[0], folder / f"{page.stem}-{pictures}"))
        elif value is not None:
            said += f"{value}\n"
        if said:
            parts.append("```text\n" + said.rstrip() + "\n```")
    place = folder / f"{page.stem}.md"
    place.write_text("\n\n".join(parts) + "\n")
    return place


def main() -> None:
    """Build the pages that are asked for."""
    pages = [page for page in sorted(HERE.glob("*.py")) if page.name != Path(__file__).name]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", help="parts of the names of pages; all of them if left out")
    parser.add_argument("-o", "--output", type=Path, default=HERE, help="the folder to write to")
    parser.add_argument("--quick", action="store_true", help="one epoch everywhere")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    for page in pages:
        if not options.names or any(name in page.stem for name in options.names):
            start = time.perf_counter()
            place = built(page, options.output, options.quick)
            print(f"{place}: {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
