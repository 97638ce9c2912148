"""Tables of text: columns that line up whatever the script, and that wrap instead of being cut.

Responsible for: the widths. What a cell says and means is decided by the commands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from task_scheduler.cli.display_width import pad, showable, width_of, wrap

__all__ = ["Cell", "Column", "Paint", "Row", "pairs", "table"]

Paint = Callable[[str, str], str]
"""Colours a text in a style, or returns it as it is."""

_GAP = "  "


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
    cells = [[_cell(cell) for cell in row.cells] for row in rows]
    widths = [
        max([width_of(column.title), *(width_of(row[index].text) for row in cells)])
        for index, column in enumerate(columns)
    ]
    if width is not None:
        _narrow(columns, widths, width)
    lines = []
    if any(column.title for column in columns):
        titles = [Cell(column.title, "dim") for column in columns]
        lines += _lines(columns, titles, widths, paint)
    for row, texts in zip(rows, cells, strict=True):
        lines += _lines(columns, texts, widths, paint)
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


def _cell(cell: Cell | str) -> Cell:
    return Cell(showable(cell.text), cell.style) if isinstance(cell, Cell) else Cell(showable(cell))


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


def _lines(
    columns: Sequence[Column], cells: Sequence[Cell], widths: Sequence[int], paint: Paint
) -> list[str]:
    stacks = [wrap(cell.text, size) for cell, size in zip(cells, widths, strict=True)]
    lines = []
    for level in range(max(len(stack) for stack in stacks)):
        parts = []
        for column, cell, stack, size in zip(columns, cells, stacks, widths, strict=True):
            text = stack[level] if level < len(stack) else ""
            padded = pad(text, size, is_right=column.is_right)
            parts.append(paint(padded, cell.style) if text and cell.style else padded)
        lines.append(_GAP.join(parts).rstrip())
    return lines
