"""What an audit, a component curve and a trade-off look like."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.figures.style import COLOURS, MARKS, axes_or_new, finished, ink
from isthmus.figures.told import followed, titled
from isthmus.wording import counted, percent

__all__ = ["component_curve", "error_map", "jacobian_spectrum", "loss_terms", "tradeoff", "worst_columns"]

SHOWN = 15  # columns

Array = NDArray[Any]


def component_curve(curve: Any, *, ax: Any = None, title: str | None = None) -> Any:
    """Shares explained by number of components, of the autoencoder and of PCA, with the suggestion.

    `curve` is what `isthmus.component_curve` returns; filled marks are sizes that were trained.
    """
    ax = axes_or_new(ax, 5.5, 3.6)
    k = np.asarray(curve.k)
    mine, pca = (1 - np.asarray(errors) / curve.mean_error for errors in (curve.error, curve.pca_error))
    ax.plot(k, pca, color=COLOURS[1], linewidth=1.6, linestyle="--", label="PCA, exact")
    ax.plot(k, mine, color=COLOURS[0], linewidth=1.8, label="autoencoder")
    known = np.isin(k, curve.trained)
    ax.plot(k[known], mine[known], "o", color=COLOURS[0], markersize=4)
    at = int(curve.suggested)
    ax.axvline(at, color=ink(), linewidth=0.8, linestyle=":")
    ax.annotate(f"{at}", (at, 0), (3, 3), "data", textcoords="offset points", fontsize="small")
    ax.set_ylim(min(0.0, float(pca.min())), 1.02)
    ax.set_xlabel("numbers in the code")
    ax.set_ylabel("share of held-out rows explained")
    ax.xaxis.get_major_locator().set_params(integer=True)
    own, by_pca = percent(float(mine[at - 1])), percent(float(pca[at - 1]))
    found = f"{counted(at, 'number explains', 'numbers explain')} {own}, PCA({at}) {by_pca}"
    return finished(ax, found if title is None else title, legend=True)


def tradeoff(path: Any, *, ax: Any = None, title: str | None = None) -> Any:
    """Reconstruction and each use along a path, each from its worst (0) to its best (1), and regularity.

    `path` is what `isthmus.tradeoff` returns. Filled marks are the best of each; the dashed line is the
    Jacobian's mean squared norm, small at the top.
    """
    ax = axes_or_new(ax, 6.0, 3.8)
    values = [row["value"] for row in path.rows]
    kinds = (
        ("error", "reconstruction", False),
        ("anomaly_auc", "anomalies found", True),
        ("noise_left", "noise removed", False),
        ("neighbours", "neighbours" if not path.labelled else "neighbours with the same label", True),
    )
    for (name, label, higher), colour, mark in zip(kinds, COLOURS, MARKS, strict=False):
        scores = np.array([row[name] if higher else -row[name] for row in path.rows])
        scaled = (scores - scores.min()) / (np.ptp(scores) or 1.0)
        ends = [row[name] for row in (path.rows[int(scores.argmin())], path.rows[int(scores.argmax())])]
        told = f"{label}: {ends[0]:.3g} to {ends[1]:.3g}"
        ax.plot(range(len(values)), scaled, color=colour, marker=mark, markerfacecolor="none", label=told)
        best = int(scores.argmax())
        ax.plot([best], [scaled[best]], mark, color=colour, markersize=8)
    slopes = np.array([row["jacobian"] for row in path.rows])
    if np.isfinite(slopes).all():
        told = f"regularity, norm(J)^2: {slopes.max():.3g} to {slopes.min():.3g}"
        scaled = (slopes.max() - slopes) / (np.ptp(slopes) or 1.0)
        ax.plot(range(len(values)), scaled, color="#7f7f7f", linestyle="--", linewidth=1, label=told)
    ax.set_xticks(range(len(values)), [f"{value:g}" for value in values])
    ax.set_yticks([0, 1], ["worst", "best"])
    ax.set_xlabel(path.parameter)
    best = path.best
    uses = sorted({value for name, value in best.items() if name != "error"})
    spoken = " and ".join(f"{value:g}" for value in uses)
    found = f"Reconstruction prefers {best['error']:g}; the uses prefer {spoken}"
    ax.legend(frameon=False, fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    return finished(ax, found if title is None else title)


def jacobian_spectrum(
    spectra: dict[str, Array], *, dimension: float | None = None, ax: Any = None, title: str | None = None
) -> Any:
    """Mean singular values (k,) of the reconstruction's Jacobian for each model, largest first.

    `dimension` draws a line where the data's own dimension ends.
    """
    ax = axes_or_new(ax, 5.0, 3.4)
    for (name, values), colour, mark in zip(spectra.items(), COLOURS, MARKS, strict=False):
        places = np.arange(1, len(values) + 1)
        ax.plot(places, values, color=colour, marker=mark, markersize=4, linewidth=1.2, label=name)
    if dimension is not None and np.isfinite(dimension):
        ax.axvline(dimension + 0.5, color=ink(), linewidth=0.8, linestyle=":")
        ax.annotate("the data's dimension", (dimension + 0.5, 0.97), (4, 0), ("data", "axes fraction"),
                    textcoords="offset points", fontsize="small", va="top")  # fmt: skip
    ax.set_ylim(bottom=0)
    ax.set_xlabel("direction, by how much of it is followed")
    ax.set_ylabel("singular value")
    ax.xaxis.get_major_locator().set_params(integer=True)
    return finished(ax, followed(spectra) if title is None else title, legend=len(spectra) > 1)


def worst_columns(audit: Any, *, ax: Any = None, title: str | None = None) -> Any:
    """The columns an audit found explained worst, as bars: shares of held-out rows."""
    order = audit.worst.order[:SHOWN][::-1]
    shares = np.clip([audit.worst.explained[j] for j in order], 0, 1)
    ax = axes_or_new(ax, 5.0, 0.24 * max(3, len(order)) + 0.9)
    ax.barh(range(len(order)), np.ones(len(order)), color="#999999", alpha=0.2)
    ax.barh(range(len(order)), shares, color=COLOURS[0])
    for i, share in enumerate(shares):
        inside = share > 0.2
        ax.text(share + (-0.01 if inside else 0.01), i, percent(share), va="center", fontsize="small",
                ha="right" if inside else "left", color="white" if inside else ink())  # fmt: skip
    ax.set_yticks(range(len(order)), [str(audit.worst.names[j]) for j in order], fontsize="small")
    ax.tick_params(length=0)
    ax.set_xlim(0, 1)
    ax.set_xlabel("share explained")
    first = f"{audit.worst.names[order[-1]]} comes back worst" if order else "No column varies"
    return finished(ax, first if title is None else title)


def error_map(error: Array, *, ax: Any = None, title: str | None = None) -> Any:
    """Mean squared error by place of a picture, (h, w) or (h, w, c), whose channels are added up."""
    values = np.asarray(error, float)
    values = values.sum(2) if values.ndim == 3 else values
    ax = axes_or_new(ax, 4.2, 3.6)
    image = ax.imshow(values, cmap="inferno", interpolation="nearest", vmin=0)
    ax.figure.colorbar(image, ax=ax, pad=0.02, fraction=0.045, label="mean squared error")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    row, column = np.unravel_index(int(values.argmax()), values.shape)
    found = f"Rebuilt worst around row {row}, column {column}"
    titled(ax, found if title is None else title)
    return ax


def loss_terms(history: list[dict[str, float]], *, ax: Any = None, title: str | None = None) -> Any:
    """Every term of the objective by epoch on a logarithmic scale; dashed, on held-out rows.

    `history` is a model's `history_rows_`; each penalty is shown times its weight.
    """
    ax = axes_or_new(ax, 5.5, 3.6)
    epochs = np.array([row["epoch"] for row in history])
    aside = {"epoch", "objective", "lr", "seconds"}
    names = [n for n in history[-1] if n not in aside and not n.startswith(("held_out_", "lambda"))]
    for name, colour in zip(names, COLOURS, strict=False):
        for key, style, label in ((name, "-", name), (f"held_out_{name}", "--", None)):
            values = np.array([row.get(key, np.nan) for row in history], float)
            shown = np.isfinite(values) & (values > 0)
            ax.plot(epochs[shown], values[shown], style, color=colour, linewidth=1.4, label=label)
    ax.set_yscale("log")
    for axis in (ax.yaxis.set_major_formatter, ax.yaxis.set_minor_formatter):
        axis(_plain)
    ax.set_xlabel("epoch")
    ax.set_ylabel("a row, in the mean")
    found, last = "The objective by its terms", history[-1]
    if "held_out_loss" in last and last["loss"] > 0:
        found = (
            f"Held-out loss, dashed, ends at {last['held_out_loss'] / last['loss']:.2g} times training loss"
        )
    return finished(ax, found if title is None else title, legend=True)


def _plain(value: float, _place: int | None = None) -> str:
    """A tick of a logarithmic axis without powers of ten: 1, 2, 5, 10, ... and nothing between."""
    return f"{value:g}" if f"{value:e}"[0] in "125" else ""
