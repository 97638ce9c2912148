"""Tables of text: columns that line up whatever the script, and that wrap instead of being cut.

Responsible for: the widths. What a cell says and means is decided by the commands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from task_scheduler.cli.display_width import pad, showable, width_of, wrap

__all__ = ["Cell", "Column", "Paint", "Row", "pairs", "table"]

Paint = Callable[[str, str], str]
"""Colours a text in a style, or returns it as it is."""

_GAP = "  "
_Shown = tuple[str, str]
"""A text on one line, and its style."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its title, and how narrow it may become before another has to."""

    title: str
    narrowest: int | None = None
    """It wraps down to this width; None: it keeps its own."""
    is_right: bool = False
    is_first_to_wrap: bool = False
    """It gives all its room before the other columns give any."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One text with its style."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one row, and lines below it that belong to it."""

    cells: Sequence[Cell | str]
    notes: Sequence[Cell] = field(default=())


def table(
    columns: Sequence[Column], rows: Sequence[Row], *, width: int | None, paint: Paint
) -> list[str]:
    """Return the lines of a table of at most `width` columns; None: as wide as it needs."""
    titles: list[_Shown] = [(column.title, "dim") for column in columns]
    cells = [titles, *([_shown(cell) for cell in row.cells] for row in rows)]
    # Ten thousand rows are measured, and where all of them fit laid out, column by column.
    turned = list(zip(*cells, strict=True))
    widths = [max([width_of(text) for text, _ in column]) for column in turned]
    natural = list(widths)
    if width is not None:
        _narrow(columns, widths, width)
    if widths == natural:
        laid_out: Iterator[list[str]] = _unwrapped(columns, turned, widths, paint)
    else:
        laid_out = (_lines(columns, texts, widths, paint) for texts in cells)
    head = next(laid_out)
    lines = head if any(column.title for column in columns) else []
    for row, row_lines in zip(rows, laid_out, strict=True):
        lines += row_lines
        for note in row.notes:
            room = None if width is None else max(20, width - 4)
            text = showable(note.text)
            pieces = [text] if room is None else wrap(text, room)
            lines += ["    " + paint(piece, note.style) for piece in pieces]
    return lines


def pairs(
    items: Sequence[tuple[str, str]], *, width: int | None, paint: Paint, indent: str = ""
) -> list[str]:
    """Return names beside their values, the values wrapped in their own column."""
    left = max((width_of(name) for name, _ in items), default=0)
    room = None if width is None else max(20, width - width_of(indent) - left - len(_GAP))
    lines = []
    for name, value in items:
        # A path is copied: it stays whole, even where it is longer than the line.
        pieces = [value] if room is None else wrap(value, room, is_breaking_words=False)
        for index, piece in enumerate(pieces):
            head = pad(name if index == 0 else "", left)
            lines.append((indent + paint(head, "dim") + _GAP + piece).rstrip())
    return lines


def _shown(cell: Cell | str) -> _Shown:
    return (showable(cell.text), cell.style) if isinstance(cell, Cell) else (showable(cell), "")


def _narrow(columns: Sequence[Column], widths: list[int], width: int) -> None:
    """Take away what is too much, from the widest of the columns that may wrap."""
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    while excess > 0:
        slack = [
            (column.is_first_to_wrap, widths[index] - column.narrowest, index)
            for index, column in enumerate(columns)
            if column.narrowest is not None and widths[index] > column.narrowest
        ]
        if not slack:
            return
        widths[max(slack)[2]] -= 1
        excess -= 1


def _unwrapped(
    columns: Sequence[Column], turned: Sequence[Sequence[_Shown]], widths: list[int], paint: Paint
) -> Iterator[list[str]]:
    """Give the lines of a table, of which each row is one."""
    padded = [
        [_padded(text, style, column, size, paint) for text, style in cells]
        for column, cells, size in zip(columns, turned, widths, strict=True)
    ]
    for parts in zip(*padded, strict=True):
        yield [_GAP.join(parts).rstrip()]


def _lines(
    columns: Sequence[Column], cells: Sequence[_Shown], widths: Sequence[int], paint: Paint
) -> list[str]:
    """Return the lines of one row."""
    stacks = [wrap(text, size) for (text, _), size in zip(cells, widths, strict=True)]
    lines = []
    for level in range(max(map(len, stacks))):
        parts = []
        for column, (_, style), stack, size in zip(columns, cells, stacks, widths, strict=True):
            text = stack[level] if level < len(stack) else ""
            parts.append(_padded(text, style, column, size, paint))
        lines.append(_GAP.join(parts).rstrip())
    return lines


def _padded(text: str, style: str, column: Column, size: int, paint: Paint) -> str:
    padded = pad(text, size, is_right=column.is_right)
    return paint(padded, style) if text and style else padded
