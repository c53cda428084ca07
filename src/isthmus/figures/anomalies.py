"""Anomalies: scores beside the threshold, p-values beside what they should be, heat maps, flagged ranges."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.figures.curves import BLUE, ORANGE
from isthmus.figures.mosaics import axes_or_new, tiled
from isthmus.figures.style import ink
from isthmus.figures.told import titled
from isthmus.wording import counted, percent

__all__ = ["anomaly_scores", "flagged_ranges", "heat_maps", "p_value_histogram"]

GREY = "#767676"
MOST = 12  # samples in a row of heat maps


def anomaly_scores(
    calibration: NDArray[Any],
    scores: NDArray[Any],
    threshold: float,
    *,
    ax: Any = None,
    title: str | None = None,
) -> Any:
    """Scores of new rows (n,) over those of the calibration rows, as densities, and the threshold.

    `calibration` is `detector.calibration_.scores`, `scores` minus `score_samples`, `threshold` minus
    `offset_`.
    """
    ax = axes_or_new(ax)
    known, new = np.asarray(calibration, float), np.asarray(scores, float)
    told = np.isfinite(threshold)
    ends = np.percentile(known, 0.5), max(np.percentile(new, 99.5), threshold if told else known.max())
    pad = 0.15 * (ends[1] - ends[0]) or 0.5
    bins = np.linspace(ends[0] - pad, ends[1] + pad, 50)
    for values, colour, name in ((known, BLUE, "calibration rows"), (new, ORANGE, "new rows")):
        cut = np.clip(values, bins[0], bins[-1])
        ax.hist(cut, bins, density=True, histtype="stepfilled", alpha=0.35, color=colour, label=name)
        ax.hist(cut, bins, density=True, histtype="step", color=colour)
    if told:
        ax.axvline(threshold, color=ink(), linewidth=1, linestyle="--")
        ax.annotate("flagged", (threshold, 1), (4, -2), ("data", "axes fraction"), "offset points", va="top")
    share = float((new > threshold).mean())
    ax.set_xlabel("score: higher is stranger")
    ax.set_ylabel("density")
    return _finished(ax, f"{percent(share, 1)} of the new rows are flagged" if title is None else title)


def p_value_histogram(p: NDArray[Any], *, ax: Any = None, title: str | None = None) -> Any:
    """P-values (n,) in 20 bins, beside the flat line that ordinary rows give."""
    ax = axes_or_new(ax)
    values = np.asarray(p, float)
    values = values[~np.isnan(values)]
    counts, _, _ = ax.hist(values, np.linspace(0, 1, 21), color=BLUE, alpha=0.6)
    usual = len(values) / 20
    spread = 2 * np.sqrt(usual * 19 / 20)
    ax.axhspan(max(0.0, usual - spread), usual + spread, color=GREY, alpha=0.2, linewidth=0)
    ax.axhline(usual, color=ink(), linewidth=1, linestyle="--", label="ordinary rows, and 2 deviations")
    ax.set_ylim(top=1.25 * max(counts.max(), usual + spread))
    excess = float(counts[0] - usual)
    more = f"About {counted(round(excess), 'more row')} below 0.05 than by chance"
    found = more if excess > spread else "No more small p-values than by chance"
    ax.set_xlabel("p-value")
    ax.set_ylabel("rows")
    return _finished(ax, found if title is None else title)


def heat_maps(
    pictures: NDArray[Any], heat: NDArray[Any], *, names: Any = None, ax: Any = None, title: str | None = None
) -> Any:
    """Pictures (n, h, w[, c]) and below each where it is strange: heat (n, h, w[, c]) of `heat_maps`."""
    x, hot = (np.asarray(part, float)[:MOST] for part in (pictures, heat))
    x, hot = (part.mean(3) if part.ndim == 4 else part for part in (x, hot))
    shape = (x.shape[1], x.shape[2])
    ax = axes_or_new(ax, 0.9 * len(x) + 0.6, 2.4)
    top = tiled(x.reshape(len(x), -1), shape, len(x), np.nan)
    low, high = np.nanmin(top), np.nanmax(top)
    ax.imshow(top, cmap="gray", vmin=low, vmax=high, extent=(0, len(x), 0, 1), interpolation="nearest")
    scaled = hot / np.maximum(hot.max((1, 2), keepdims=True), 1e-12)
    below = tiled(scaled.reshape(len(x), -1), shape, len(x), np.nan)
    ax.imshow(below, cmap="inferno", vmin=0, vmax=1, extent=(0, len(x), -1, 0), interpolation="nearest")
    ax.set_xlim(0, len(x))
    ax.set_ylim(-1, 1)
    ax.set_aspect(shape[0] / shape[1])
    ax.set_yticks([0.5, -0.5], ["sample", "strange"])
    labels = [str(name) for name in (range(len(x)) if names is None else names)][: len(x)]
    ax.set_xticks([i + 0.5 for i in range(len(x))], labels, fontsize="x-small", rotation=30, ha="right")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    titled(ax, "Where they are strange" if title is None else title)
    return ax


def flagged_ranges(
    times: NDArray[Any], values: NDArray[Any], ranges: Any, *, ax: Any = None, title: str | None = None
) -> Any:
    """A series (n,) over its times (n,), with the ranges of `SeriesDetector.ranges` marked."""
    ax = axes_or_new(ax, 8.0, 2.6)
    ax.plot(times, values, color=BLUE, linewidth=0.6)
    for start, end, peak in zip(ranges["start"], ranges["end"], ranges["peak"], strict=True):
        ax.axvspan(start, end, color=ORANGE, alpha=0.35, linewidth=0)
        ax.axvline(peak, color=ORANGE, linewidth=0.8)
    ax.margins(x=0)
    count = len(ranges["start"])
    found = f"{counted(count, 'range')} flagged"
    ax.spines[["top", "right"]].set_visible(False)
    titled(ax, found if title is None else title)
    return ax


def _finished(ax: Any, title: str) -> Any:
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize="small")
    titled(ax, title)
    return ax
