"""A chart of one case: a bar for each contender, as an SVG file that needs nothing to be shown.

Responsible for: the drawing. The bars are on a scale of powers of ten, since contenders differ by
hundreds of times; each has its number beside it, and a thin line from its least to its greatest.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from benchmarks.measured import is_more_better, number_text, title

__all__ = ["chart"]

_WIDTH, _LEFT, _RIGHT = 860, 270, 110
_ROW, _BAR, _HEAD = 30, 16, 62
_GAP = 34
_OURS, _THEIRS, _INK, _FAINT = "#0b7285", "#adb5bd", "#212529", "#dee2e6"


def chart(
    heading: str, figures: Mapping[str, Mapping[str, Sequence[float]]], ours: Sequence[str]
) -> str:
    """Return the picture: of each figure, by its name, a group of bars by contender.

    `ours` are the contenders that are drawn in our colour.
    """
    parts: list[str] = []
    top = _GAP
    for figure, values in figures.items():
        parts += _group(figure, values, ours, top)
        top += _HEAD + _ROW * len(values)
    begin = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" width="{_WIDTH}"'
        f' height="{top}" font-family="system-ui, sans-serif" font-size="13">'
    )
    return "\n".join(
        [
            begin,
            f'<rect width="{_WIDTH}" height="{top}" fill="#ffffff"/>',
            _text(16, 24, heading, size=16, weight="600"),
            *parts,
            "</svg>",
            "",
        ]
    )


def _group(
    figure: str, values: Mapping[str, Sequence[float]], ours: Sequence[str], top: int
) -> list[str]:
    """Draw the bars of one figure below each other, with the lines of the powers of ten."""
    low, high = _decades(values)
    first = top + _HEAD - 16
    bottom = first + _ROW * len(values)
    better = "more is better" if is_more_better(figure) else "less is better"
    parts = [_text(16, top + 20, f"{title(figure)}: {better}", weight="600")]
    for power in range(low, high + 1):
        x = _place(10.0**power, low, high)
        parts.append(
            f'<line x1="{x:.1f}" y1="{first - 4}" x2="{x:.1f}" y2="{bottom - 8}"'
            f' stroke="{_FAINT}"/>'
        )
        parts.append(_text(x, first - 8, number_text(10.0**power), size=10, anchor="middle"))
    for row, (name, measured) in enumerate(values.items()):
        y = first + _ROW * row
        middle = statistics.median(measured)
        x = _place(middle, low, high)
        colour = _OURS if name in ours else _THEIRS
        parts.append(_text(_LEFT - 10, y + 13, name, anchor="end"))
        parts.append(
            f'<rect x="{_LEFT}" y="{y}" width="{max(1.0, x - _LEFT):.1f}" height="{_BAR}"'
            f' rx="2" fill="{colour}"/>'
        )
        ends = [_place(value, low, high) for value in (min(measured), max(measured))]
        parts.append(
            f'<line x1="{ends[0]:.1f}" y1="{y + _BAR / 2}" x2="{ends[1]:.1f}" y2="{y + _BAR / 2}"'
            f' stroke="{_INK}"/>'
        )
        parts.append(_text(max(x, ends[1]) + 8, y + 13, number_text(middle), weight="600"))
    return parts


def _decades(values: Mapping[str, Sequence[float]]) -> tuple[int, int]:
    """Return the powers of ten below the least and above the greatest value."""
    known = [value for measured in values.values() for value in measured if value > 0] or [1.0]
    low = math.floor(math.log10(min(known)))
    return low, max(low + 1, math.ceil(math.log10(max(known))))


def _place(value: float, low: int, high: int) -> float:
    """Return where a value lies from left to right."""
    share = (math.log10(max(value, 10.0**low)) - low) / (high - low)
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _text(
    x: float, y: float, text: str, *, size: int = 13, weight: str = "400", anchor: str = "start"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}"'
        f' text-anchor="{anchor}" fill="{_INK}">{escape(text)}</text>'
    )
