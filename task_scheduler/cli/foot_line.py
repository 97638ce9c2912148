"""The line at the foot of a terminal that tells how a followed run stands, drawn again in place.

Responsible for: its text and its drawing. Where stderr is no terminal there is none.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from task_scheduler.cli.display_width import showable, width_of
from task_scheduler.cli.moments import duration_text, elapsed_text
from task_scheduler.core.model import SECOND
from task_scheduler.i18n import translate
from task_scheduler.task_rules import moment_of

if TYPE_CHECKING:
    from task_scheduler.cli.session import Session

__all__ = ["FootLine", "progress_bar", "standing_text"]

_WIDEST_BAR = 30
_ERASE = "\r\x1b[2K"


class FootLine:
    """Drawn after what a run wrote, and taken away before anything else is written."""

    def __init__(self, session: Session, usual_seconds: float | None) -> None:
        self._session = session
        self._usual = usual_seconds
        self._is_shown = False
        self.is_at_line_start = True
        """Whether what was written last ended its line: only then is there room for this one."""
        is_quiet = session.is_quiet or session.is_json or session.is_jsonl
        self._is_wanted = not is_quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def draw(self, run: Mapping[str, Any]) -> None:
        """Draw the line anew."""
        if not self._is_wanted or not self.is_at_line_start:
            return
        width = max(20, shutil.get_terminal_size().columns - 1)
        text = standing_text(run, self._session.clock.now(), self._usual, width=width)
        sys.stdout.flush()
        print(f"{_ERASE}{text}", end="", file=sys.stderr, flush=True)
        self._is_shown = True

    def clear(self) -> None:
        """Take the line away."""
        if self._is_shown:
            print(_ERASE, end="", file=sys.stderr, flush=True)
            self._is_shown = False


def standing_text(
    run: Mapping[str, Any], now: int, usual_seconds: float | None, *, width: int
) -> str:
    """Return in one line of at most `width` columns how a run stands."""
    head = f"● {showable(run['task_id'])} #{run['run_id']}"
    if run["state"] != "running" or run["started_at"] is None:
        waits = run["waiting_for"] or "start"
        return _cut(f"{head}  {translate(f'top.waits_{waits}')}", width)
    seconds = max(0.0, (now - moment_of(run["started_at"])) / SECOND)
    text = f"{head}  {elapsed_text(seconds)}"
    if run["attempt"] and run["attempt"] > 1:
        text += f"  {translate('top.attempt', number=run['attempt'])}"
    if usual_seconds is None:
        return _cut(text, width)
    text += f"  {translate('top.usually', duration=duration_text(usual_seconds))}"
    room = min(_WIDEST_BAR, width - width_of(text) - 2)
    if room >= 5:
        text += "  " + progress_bar(seconds / max(usual_seconds, 0.001), room)
    return _cut(text, width)


def progress_bar(share: float, width: int) -> str:
    """Return a bar of so many columns; beyond the whole it ends with a mark."""
    if share > 1:
        return "━" * (width - 1) + "»"
    done = min(width, int(share * width))
    return "━" * done + "─" * (width - done)


def _cut(text: str, width: int) -> str:
    """Return as much of a text as fits into a line."""
    while width_of(text) > width:
        text = text[:-1]
    return text
