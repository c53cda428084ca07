"""Drawings: plain SVG for the HTML report, without a library; every shape is text."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.auditing.finding import plainly
from isthmus.wording import percent

__all__ = ["bars", "heat", "lines", "scatter"]

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 460, 340, 64, 40, 12
RIGHT, NAMED = WIDTH - 10, WIDTH - 90  # where an axis ends, and curves that are named at their end
SQUARES = 48  # of a map's longer side, at most
GLOW = np.array(
    [(18, 12, 40), (96, 22, 110), (188, 55, 84), (246, 136, 32), (252, 238, 140)]
)  # dark to bright

Array = NDArray[Any]


def scatter(
    x: Array,
    y: Array,
    *,
    label: str,
    names: tuple[str, str],
    worst: Array,
    diagonal: bool = False,
    ticks: bool = True,
) -> str:
    """Points (n,), each with its row's number for the script; `worst` (n,) marks some. Logarithms come from
    outside: with `diagonal`, both axes are powers of ten, and the line of equals is drawn.
    """
    ends = [_ends(np.concatenate([x, y])) if diagonal else _ends(values) for values in (x, y)]
    across = _scaled(x, ends[0], LEFT, RIGHT)
    up = _scaled(y, ends[1], HEIGHT - BOTTOM, TOP)
    parts = [_frame(names)]
    if diagonal:
        parts.append(f'<path class="same" d="M{LEFT} {HEIGHT - BOTTOM}L{RIGHT} {TOP}"/>')
    if ticks:
        parts += _ticks(ends, power=diagonal)
    for i in np.argsort(worst, kind="stable"):  # marked points on top
        style = "dot worst" if worst[i] else "dot"
        parts.append(
            f'<circle class="{style}" cx="{across[i]:.1f}" cy="{up[i]:.1f}" r="4.5" data-row="{i}"/>'
        )
    return _svg("".join(parts), label, rows=True)


def bars(names: Sequence[Any], shares: Sequence[float], label: str) -> str:
    """Shares between 0 and 1, a bar each, with its name and percentage."""
    step, left = 22, 150
    height = step * len(names) + 8
    parts = []
    for i, (name, share) in enumerate(zip(names, shares, strict=True)):
        top, long = step * i + 4, WIDTH - left - 88
        filled = max(0.0, min(1.0, share)) * long
        text = str(name) if len(str(name)) <= 20 else str(name)[:19] + "…"
        parts.append(
            f'<text x="{left - 8}" y="{top + 13}" text-anchor="end">{escape(text)}</text>'
            f'<rect class="rest" x="{left}" y="{top}" width="{long}" height="15" rx="2"/>'
            f'<rect class="bar" x="{left}" y="{top}" width="{filled:.1f}" height="15" rx="2"/>'
            f'<text x="{left + long + 8}" y="{top + 13}">{percent(max(0.0, share))}</text>'
        )
    return _svg("".join(parts), label, height=height)


def heat(values: Array, boxes: Sequence[tuple[int, int, int]], label: str) -> str:
    """A map (h, w) of values from 0 up as coloured squares; boxes (top, left, side) are framed."""
    step = -(-max(values.shape) // SQUARES)
    high, wide = (-(-size // step) * step for size in values.shape)
    padded = np.pad(values, ((0, high - len(values)), (0, wide - values.shape[1])), mode="edge")
    blocks = padded.reshape(high // step, step, wide // step, step).mean((1, 3))
    size = WIDTH / max(blocks.shape)
    shares = blocks / (blocks.max() or 1.0)
    parts = [
        f'<rect x="{j * size:.1f}" y="{i * size:.1f}" width="{size + 0.3:.1f}" height="{size + 0.3:.1f}" '
        f'fill="{_glow(float(shares[i, j]))}"/>'
        for i, j in np.ndindex(blocks.shape)
    ]
    scale = size / step
    for top, left, side in boxes:
        place = f'x="{left * scale:.1f}" y="{top * scale:.1f}" width="{side * scale:.1f}"'
        parts.append(f'<rect class="frame" {place} height="{side * scale:.1f}"/>')
    return _svg("".join(parts), label, height=round(size * len(blocks)))


def lines(x: Array, curves: dict[str, Array], label: str, names: tuple[str, str]) -> str:
    """One or two curves over x on a logarithmic scale, blue and orange, named at their end."""
    known = [np.log10(np.where(np.asarray(v) > 0, v, np.nan)) for v in curves.values()]
    ends = [(float(np.min(x)), float(np.max(x))), _ends(np.concatenate(known))]
    parts = [_frame(names), *_ticks(ends, power=True, first=False, right=NAMED)]
    for number, (name, values) in enumerate(zip(curves, known, strict=True)):
        seen = np.isfinite(values)
        across = _scaled(np.asarray(x)[seen], ends[0], LEFT, NAMED)
        up = _scaled(values[seen], ends[1], HEIGHT - BOTTOM, TOP)
        if not len(up):
            continue
        path = "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(across, up, strict=True))
        parts.append(f'<path class="{("first", "second")[number % 2]}" d="M{path}"/>')
        parts.append(f'<text x="{across[-1] + 5:.1f}" y="{up[-1] + 4:.1f}">{escape(name)}</text>')
    return _svg("".join(parts), label)


def _svg(inside: str, label: str, height: int = HEIGHT, rows: bool = False) -> str:
    more = ' class="rows" tabindex="0"' if rows else ""
    role = "application" if rows else "img"
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="{role}" aria-label="{escape(label, quote=True)}"{more}>'
        f"{inside}</svg>"
    )


def _frame(names: tuple[str, str]) -> str:
    bottom, middle = HEIGHT - BOTTOM, (HEIGHT - BOTTOM) / 2
    return (
        f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{RIGHT}" fill="none"/>'
        f'<text x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 4}" text-anchor="middle">{escape(names[0])}</text>'
        f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">{escape(names[1])}</text>'
    )


def _ticks(
    ends: Sequence[tuple[float, float]], power: bool, first: bool = True, right: int = RIGHT
) -> list[str]:
    """Numbers along both axes; of logarithms, what they are logarithms of."""
    parts = []
    for axis, (low, high) in enumerate(ends):
        raised = power and (axis == 1 or first)
        for share in (0.0, 0.5, 1.0):
            value = low + share * (high - low)
            text = plainly(10**value if raised else value)
            if axis == 0:
                x = LEFT + share * (right - LEFT)
                anchor = ("start", "middle", "end")[round(2 * share)]
                parts.append(
                    f'<text x="{x:.0f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="{anchor}">{text}</text>'
                )
            else:
                y = HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
                parts.append(f'<text x="{LEFT - 4}" y="{y + 4:.0f}" text-anchor="end">{text}</text>')
    return parts


def _glow(share: float) -> str:
    """A colour from dark to bright, for 0 to 1."""
    place = np.clip(share, 0, 1) * (len(GLOW) - 1)
    red, green, blue = (int(np.interp(place, range(len(GLOW)), part)) for part in GLOW.T)
    return f"#{red:02x}{green:02x}{blue:02x}"


def _ends(values: Array) -> tuple[float, float]:
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    pad = 0.04 * (high - low) or 0.5
    return low - pad, high + pad


def _scaled(values: Array, ends: tuple[float, float], start: float, stop: float) -> Array:
    share = (np.asarray(values, float) - ends[0]) / (ends[1] - ends[0])
    return np.asarray(start + share * (stop - start))
