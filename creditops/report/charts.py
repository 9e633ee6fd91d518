"""Charts as inline SVG: text stays text, so the browser's own fonts show Chinese and English.

A chart is a fragment with a viewBox; it takes the width of its column on screen and on paper.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from markupsafe import Markup

INK, QUIET, GRID = "#1d2733", "#5b6775", "#e4e8ec"
BLUE, TEAL, AMBER, RED, GREY = "#2b5c8a", "#2f8f83", "#c98718", "#b3372f", "#9aa5b1"
DELINQUENCY = ("#f0c987", "#e8a55a", "#de7f3c", "#cc5b33", "#b3372f", "#8f2230", "#641a2c")
"""Colours of buckets M1 to M7."""

WIDTH, HEIGHT = 520, 226
_LEFT, _RIGHT, _BOTTOM = 50, 12, 26
_TOP, _TOP_WITH_LEGEND = 18, 32

Format = Callable[[float], str]


@dataclass(frozen=True)
class Series:
    """A named row of values, one a label; ``None`` leaves a gap."""

    name: str
    colour: str
    values: Sequence[float | None]
    dashed: bool = False


def line_chart(title: str, labels: Sequence[str], series: Sequence[Series], show: Format) -> Markup:
    """Lines over months, each ending in its last value; values below 0 lie below the base line."""
    shown = [v for each in series for v in each.values if v is not None]
    ticks = _ticks(max(shown, default=0.0), min(shown, default=0.0))
    right, top = 52, _TOP_WITH_LEGEND
    parts = [*_frame(ticks, show, right, top), *_month_labels(labels, right), *_legend(series)]
    ends: list[tuple[float, Series, float]] = []
    for each in series:
        points = [
            (_x(n, len(labels), right), _y(value, ticks, top))
            for n, value in enumerate(each.values)
            if value is not None
        ]
        if not points:
            continue
        path = " ".join(f"{'M' if n == 0 else 'L'}{x:.1f} {y:.1f}" for n, (x, y) in enumerate(points))
        dashes = ' stroke-dasharray="5 4"' if each.dashed else ""
        parts.append(
            f'<path d="{path}" fill="none" stroke="{each.colour}" stroke-width="2"'
            f' stroke-linejoin="round"{dashes}/>'
            f'<circle cx="{points[-1][0]:.1f}" cy="{points[-1][1]:.1f}" r="3" fill="{each.colour}"/>'
        )
        last = next(value for value in reversed(each.values) if value is not None)
        ends.append((points[-1][1], each, last))
    ends.sort(key=lambda end: end[0])
    for y, (_, each, last) in zip(_apart([end[0] for end in ends]), ends, strict=True):
        parts.append(_text(WIDTH - right + 8, y + 4, show(last), colour=each.colour, weight=600))
    return _svg(title, parts)


def _apart(heights: Sequence[float], gap: float = 13, lowest: float = HEIGHT - _BOTTOM) -> list[float]:
    """Heights, ascending, moved until ``gap`` lies between any two and none is below ``lowest``."""
    moved: list[float] = []
    for y in heights:
        moved.append(max(y, moved[-1] + gap) if moved else y)
    for n in reversed(range(len(moved))):
        moved[n] = min(moved[n], lowest - gap * (len(moved) - 1 - n))
    return moved


def column_chart(
    title: str, labels: Sequence[str], series: Sequence[Series], show: Format, *, months: bool = True
) -> Markup:
    """Columns, stacked where there are several series."""
    totals = [sum(each.values[n] or 0.0 for each in series) for n in range(len(labels))]
    ticks = _ticks(max(totals, default=0.0))
    top = _TOP_WITH_LEGEND if len(series) > 1 else _TOP
    parts = _frame(ticks, show, _RIGHT, top)
    if len(series) > 1:
        parts += _legend(series)
    slot = (WIDTH - _LEFT - _RIGHT) / max(len(labels), 1)
    thick = min(slot * 0.72, 44)
    for n in range(len(labels)):
        x, base = _LEFT + slot * (n + 0.5) - thick / 2, 0.0
        for each in series:
            value = each.values[n] or 0.0
            if value <= 0:
                continue
            y0, y1 = _y(base, ticks, top), _y(base + value, ticks, top)
            label = f"{escape(labels[n])} {escape(each.name)} {escape(show(value))}"
            parts.append(
                f'<rect x="{x:.1f}" y="{y1:.1f}" width="{thick:.1f}" height="{max(y0 - y1, 0.5):.1f}"'
                f' fill="{each.colour}"><title>{label}</title></rect>'
            )
            base += value
        if not months and totals[n] > 0 and len(labels) <= 12:
            parts.append(
                _text(x + thick / 2, _y(totals[n], ticks, top) - 5, show(totals[n]), anchor="middle", size=11)
            )
    if months:
        parts += _month_labels(labels, _RIGHT, slot=slot)
    else:
        every = max(1, math.ceil(len(labels) / 12))
        parts += [
            _text(_LEFT + slot * (n + 0.5), HEIGHT - 8, label, anchor="middle", colour=QUIET)
            for n, label in enumerate(labels)
            if n % every == 0
        ]
    return _svg(title, parts)


def histogram(title: str, counts: Sequence[tuple[int, int]], show: Format, *, colour: str = BLUE) -> Markup:
    """Columns of equal width over whole numbers, with their lower bounds below.

    Parameters
    ----------
    counts: (number, how many), ascending.
    """
    if not counts:
        return _svg(title, [])
    low, high = counts[0][0], counts[-1][0]
    width = next((w for w in (1, 2, 5, 10, 20, 25, 50, 100, 200) if (high - low) / w <= 28), 500)
    start = low // width * width
    bins = [0] * ((high - start) // width + 1)
    for number, many in counts:
        bins[(number - start) // width] += many
    labels = [str(start + n * width) for n in range(len(bins))]
    return column_chart(title, labels, [Series("", colour, [float(n) for n in bins])], show, months=False)


def share_bar(parts: Sequence[tuple[str, str, float]]) -> Markup:
    """One bar of shares: (name, colour, amount)."""
    total = sum(amount for _, _, amount in parts) or 1.0
    x, rects = 0.0, []
    for name, colour, amount in parts:
        width = 100 * amount / total
        if amount > 0:
            rects.append(
                f'<rect x="{x:.3f}" y="0" width="{width:.3f}" height="10" fill="{colour}">'
                f"<title>{escape(name)}</title></rect>"
            )
        x += width
    return Markup(
        '<svg class="share" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(rects)}</svg>"
    )


def heat(share: float | None) -> str:
    """Background of a heat-map cell: white to deep blue with the square root of the share."""
    if not share:
        return "background:#fff"
    depth = math.sqrt(min(share, 1.0))
    channels = (round(255 + (end - 255) * depth) for end in (34, 82, 130))
    return f"background:rgb({','.join(map(str, channels))});color:{'#fff' if depth > 0.62 else INK}"


def _ticks(top: float, bottom: float = 0.0) -> list[float]:
    """Round values from 0, or just below ``bottom``, to just above ``top``, four to six of them."""
    top, bottom = max(top, 0.0), min(bottom, 0.0)
    if top == bottom:
        return [0.0, 1.0]
    raw = (top - bottom) / 4
    magnitude = 10 ** math.floor(math.log10(raw))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= raw * 0.999)
    below, above = math.ceil(-bottom / step * 0.999), math.ceil(top / step * 0.999)
    return [step * n for n in range(-below, above + 1)]


def _x(n: int, count: int, right: float) -> float:
    return _LEFT + (WIDTH - _LEFT - right) * (n / max(count - 1, 1))


def _y(value: float, ticks: Sequence[float], top: int) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - top - _BOTTOM) * (value - ticks[0]) / (ticks[-1] - ticks[0])


def _frame(ticks: Sequence[float], show: Format, right: float, top: int) -> list[str]:
    parts = []
    for tick in ticks:
        y = _y(tick, ticks, top)
        parts.append(
            f'<line x1="{_LEFT}" x2="{WIDTH - right:.0f}" y1="{y:.1f}" y2="{y:.1f}"'
            f' stroke="{GRID if tick else GREY}" stroke-width="1"/>'
        )
        parts.append(_text(_LEFT - 7, y + 4, show(tick), anchor="end", colour=QUIET))
    return parts


def _month_labels(labels: Sequence[str], right: float, slot: float | None = None) -> list[str]:
    every = max(1, math.ceil(len(labels) / 6))
    shown = [n for n in range(len(labels)) if (len(labels) - 1 - n) % every == 0]
    parts = []
    for n in shown:
        x = _LEFT + slot * (n + 0.5) if slot else _x(n, len(labels), right)
        parts.append(_text(x, HEIGHT - 8, labels[n], anchor="middle", colour=QUIET))
    return parts


def _legend(series: Sequence[Series]) -> list[str]:
    parts, x = [], float(_LEFT)
    for each in series:
        parts.append(f'<rect x="{x:.1f}" y="8" width="10" height="10" rx="2" fill="{each.colour}"/>')
        parts.append(_text(x + 15, 17, each.name, colour=INK))
        x += 30 + sum(12.5 if ord(letter) > 0x2E7F else 6.6 for letter in each.name)
    return parts


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    colour: str = INK,
    weight: int = 400,
    size: float = 12,
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-size="{size}"'
        f' font-weight="{weight}">{escape(text)}</text>'
    )


def _svg(title: str, parts: Sequence[str]) -> Markup:
    return Markup(
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )
