"""Output as rows of a screen: lines that are too long go on in the next row.

Responsible for: taking text that is cut anywhere, and for how much of it is kept. Draws nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from task_scheduler.cli.display_width import width_of

__all__ = ["LogLines", "LogRow"]

_KEPT = 50_000
_SURPLUS = 5_000
"""Lines beyond what is kept, until those are taken away at once."""
_LONGEST = 20_000
"""Characters of a line; what comes after them is left out here, and is in `tsk logs`."""


class LogRow(NamedTuple):
    """A row, and whether it is ours and not of the output."""

    text: str
    is_ours: bool = False


class LogLines:
    """Lines of output, and the rows that they take at a width."""

    def __init__(self, width: int = 80) -> None:
        self.rows: list[LogRow] = []
        self._width = width
        self._lines: list[LogRow] = []
        self._starts = 0
        """The row at which the last line begins."""
        self._is_open = False
        """Whether the last line may still go on."""

    def clear(self) -> None:
        """Forget everything."""
        self.rows, self._lines, self._starts, self._is_open = [], [], 0, False

    def resize(self, width: int) -> None:
        """Make the rows anew to another width."""
        if width != self._width and width > 0:
            self._width = width
            self._lay_out()

    def add(self, text: str) -> None:
        """Take what was written; the last line goes on where it stopped."""
        if not text:
            return
        first, *rest = text.split("\n")
        if self._is_open:
            self._replace_last(self._lines[-1].text + first)
        else:
            self._append(LogRow(first[:_LONGEST]))
        for line in rest:
            self._append(LogRow(line[:_LONGEST]))
        self._is_open = True
        if text.endswith("\n"):
            # The last line break ends a line; the next one has not begun.
            self._drop_last()
            self._is_open = False
        if len(self._lines) > _KEPT + _SURPLUS:
            del self._lines[:-_KEPT]
            self._lay_out()

    def tell(self, sentence: str) -> None:
        """Add a line of our own."""
        self._append(LogRow(sentence, is_ours=True))
        self._is_open = False

    def _append(self, line: LogRow) -> None:
        self._lines.append(line)
        self._starts = len(self.rows)
        self.rows += _wrapped(line, self._width)

    def _drop_last(self) -> None:
        self._lines.pop()
        del self.rows[self._starts :]

    def _replace_last(self, text: str) -> None:
        self._drop_last()
        self._append(LogRow(text[:_LONGEST]))

    def _lay_out(self) -> None:
        lines, self._lines, self.rows = self._lines, [], []
        for line in lines:
            self._append(line)


def _wrapped(line: LogRow, width: int) -> list[LogRow]:
    """Return the rows of a line: broken where the screen ends, as a terminal does it."""
    text = line.text.expandtabs()
    if width_of(text) <= width:
        return [LogRow(text, line.is_ours)]
    rows, row, taken = [], "", 0
    for character in text:
        size = width_of(character)
        if taken + size > width:
            rows.append(LogRow(row, line.is_ours))
            row, taken = "", 0
        row, taken = row + character, taken + size
    return [*rows, LogRow(row, line.is_ours)]
