"""Style: colours told apart by colour-blind readers, on light paper and on dark.

`with theme(dark=True):` draws what follows for a dark page; without it matplotlib's own settings hold.
Nothing global is left changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from isthmus.figures.mosaics import axes_or_new
from isthmus.figures.told import titled

__all__ = ["COLOURS", "MARKS", "axes_or_new", "finished", "ink", "paper", "solid_axes", "theme"]

# Okabe and Ito's, in an order in which neighbours differ in lightness as well
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
MARKS = ("o", "s", "^", "D", "v", "P", "X")
DARK = {"paper": "#16191d", "ink": "#e4e7ea"}


@contextmanager
def theme(dark: bool = False, size: float = 9.0) -> Iterator[None]:
    """Settings for what is drawn inside: dark or light, letters of `size` points."""
    import matplotlib as mpl

    here: dict[str, Any] = {"font.size": size, "figure.dpi": 150}
    if dark:
        here |= {f"{part}.facecolor": DARK["paper"] for part in ("figure", "axes", "savefig")}
        names = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
        here |= dict.fromkeys(names, DARK["ink"])
    with mpl.rc_context(here):
        yield


def ink() -> str:
    """The colour of text on the present paper."""
    import matplotlib as mpl

    return str(mpl.rcParams["text.color"])


def paper() -> str:
    """The colour of the page."""
    import matplotlib as mpl

    return str(mpl.rcParams["axes.facecolor"])


def finished(ax: Any, title: str, *, legend: bool = False) -> Any:
    """Two spines, the finding as the title, and a legend where there is something to tell apart."""
    ax.spines[["top", "right"]].set_visible(False)
    if legend:
        ax.legend(frameon=False, fontsize="small", handlelength=1.4)
    titled(ax, title)
    return ax


def solid_axes(ax: Any) -> Any:
    """`ax`, or new ones in three dimensions."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    ax = Figure(figsize=(5.0, 4.2), layout="constrained").add_subplot(projection="3d")
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.set_pane_color(paper())
        axis._axinfo["grid"] |= {"color": "#7f7f7f", "linewidth": 0.3}
    ax.set_box_aspect(None, zoom=1.15)
    return ax
