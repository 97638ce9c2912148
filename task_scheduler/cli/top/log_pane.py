"""The output of a run, followed while it grows.

Responsible for: reading the files of the run that was chosen, and showing their end as long as
nobody scrolls up. What a terminal would obey is taken out before.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from task_scheduler.cli.run_output import Neutraliser, OutputFile, tail_offset
from task_scheduler.cli.run_watch import LIVING
from task_scheduler.cli.top.log_lines import LogLines
from task_scheduler.i18n import translate

__all__ = ["LogPane"]

_FIRST_LINES = 2_000
"""Of a file that is opened: what came before is in `tsk logs`."""
_TALK = Style(dim=True)
_PLAIN = Style.null()
_WHEEL = 3


class LogPane(ScrollView, can_focus=False, inherit_bindings=False):
    """Lines of output; the last ones are on the screen unless somebody scrolled up."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._lines = LogLines()
        self._run_id: int | None = None
        self._files: dict[Path, tuple[OutputFile, Neutraliser]] = {}
        self.is_following = True

    @property
    def page(self) -> int:
        """How many lines are on the screen."""
        return max(1, self.scrollable_content_region.height)

    def follow(self, run: Mapping[str, Any] | None, files: Mapping[int, Path]) -> None:
        """Show the output of this run from now on; files that are known go on where they are."""
        run_id = None if run is None else run["run_id"]
        if run_id != self._run_id:
            self._run_id, self._files, self.is_following = run_id, {}, True
            self._lines.clear()
            self.renew()
        for number in sorted(files):
            path = files[number]
            if path not in self._files:
                # What the attempts before it wrote stands before it.
                self.read_on()
                if number > 1:
                    self._lines.tell(translate("cli.attempt_begins", attempt=number))
                start = tail_offset(path, _FIRST_LINES)
                self._files[path] = OutputFile(path, start), Neutraliser()
        self.read_on()
        is_over = run is not None and run["state"] not in LIVING
        if is_over and not self._lines.rows:
            self._lines.tell(translate("cli.no_output", run_id=run_id))
            self.renew()

    def read_on(self) -> None:
        """Show what has been written since."""
        is_grown = False
        for file, plain in self._files.values():
            for chunk in file.chunks():
                self._lines.add(plain.feed(chunk))
                is_grown = True
        if is_grown:
            self.renew()

    def renew(self) -> None:
        """Draw anew."""
        width = max(1, self.scrollable_content_region.width)
        self._lines.resize(width)
        self.virtual_size = Size(width, len(self._lines.rows))
        if self.is_following:
            self.scroll_to(y=max(0, len(self._lines.rows) - self.page), animate=False)
        self.refresh()

    def scroll_lines(self, by: int) -> None:
        """Scroll; somebody who looks at what came before is not carried away from it."""
        end = max(0, len(self._lines.rows) - self.page)
        target = max(0, min(end, self.scroll_offset.y + by))
        self.is_following = target >= end
        self.scroll_to(y=target, animate=False)
        self.refresh()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll up."""
        event.stop()
        event.prevent_default()
        self.scroll_lines(-_WHEEL)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll down."""
        event.stop()
        event.prevent_default()
        self.scroll_lines(_WHEEL)

    def on_resize(self, _: events.Resize) -> None:
        """Lay the lines out to the new width."""
        self.call_after_refresh(self.renew)

    def render_line(self, y: int) -> Strip:
        """Return one line."""
        width = max(1, self.scrollable_content_region.width)
        index = self.scroll_offset.y + y
        if not 0 <= index < len(self._lines.rows):
            return Strip.blank(width, _PLAIN)
        row = self._lines.rows[index]
        strip = Strip([Segment(row.text, _TALK if row.is_ours else _PLAIN)])
        return strip.adjust_cell_length(width, _PLAIN)
