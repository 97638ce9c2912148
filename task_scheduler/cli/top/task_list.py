"""The list of tasks: only the rows that are on the screen are made, however many there are.

Responsible for: drawing the rows of a board, and scrolling with its cursor.
"""

from __future__ import annotations

from typing import Any

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from task_scheduler.cli.moments import Moments
from task_scheduler.cli.top.board import Board
from task_scheduler.cli.top.rows import Piece, header, task_row

__all__ = ["TaskList", "strip_of"]

_CURSOR = Style(reverse=True)
_HEADER = 1


def strip_of(pieces: list[Piece], width: int, *, over: Style | None = None) -> Strip:
    """Return a line of pieces, filled up to a width."""
    segments = []
    for piece in pieces:
        style = Style.parse(piece.style) if piece.style else Style.null()
        segments.append(Segment(piece.text, style + over if over is not None else style))
    return Strip(segments).adjust_cell_length(width, over or Style.null())


class TaskList(ScrollView, can_focus=True, inherit_bindings=False):
    """The tasks of a board; its first line are the titles."""

    class Moved(Message):
        """The cursor stands elsewhere."""

    def __init__(self, board: Board, **options: Any) -> None:
        super().__init__(**options)
        self._board = board
        self.moments: Moments | None = None

    def renew(self) -> None:
        """Draw anew: the board has changed."""
        self.virtual_size = Size(self._width, len(self._board.shown) + _HEADER)
        self._keep_in_sight()
        self.refresh()

    @property
    def _width(self) -> int:
        return max(1, self.scrollable_content_region.width)

    @property
    def page(self) -> int:
        """How many tasks are on the screen."""
        return max(1, self.scrollable_content_region.height - _HEADER)

    def visible_ids(self) -> list[str]:
        """Return the tasks that are on the screen."""
        top = self.scroll_offset.y
        return self._board.shown[top : top + self.page]

    def move(self, by: int) -> None:
        """Move the cursor."""
        self._board.move(by)
        self._keep_in_sight()
        self.refresh()
        self.post_message(self.Moved())

    def _keep_in_sight(self) -> None:
        """Scroll to the cursor; the titles stand above what is scrolled."""
        top, cursor = self.scroll_offset.y, self._board.cursor
        if cursor < top:
            self.scroll_to(y=cursor, animate=False)
        elif cursor >= top + self.page:
            self.scroll_to(y=cursor - self.page + 1, animate=False)

    def render_line(self, y: int) -> Strip:
        """Return one line: the titles, or the row of a task."""
        width, board = self._width, self._board
        if y == 0:
            return strip_of(header(width, board.sort, is_reversed=board.is_reversed), width)
        index = self.scroll_offset.y + y - _HEADER
        if self.moments is None or not 0 <= index < len(board.shown):
            return Strip.blank(width, Style.null())
        task_id = board.shown[index]
        task = board.tasks[task_id]
        pieces = task_row(
            task,
            board.last_of.get(task_id),
            self.moments,
            width,
            is_late=board.is_late(task),
            is_selected=task_id in board.selected,
        )
        return strip_of(pieces, width, over=_CURSOR if index == board.cursor else None)

    def on_resize(self, _: events.Resize) -> None:
        """Keep the cursor on the screen."""
        self.call_after_refresh(self.renew)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where somebody clicked."""
        index = self.scroll_offset.y + event.y - _HEADER
        if event.y >= _HEADER and 0 <= index < len(self._board.shown):
            self.move(index - self._board.cursor)
