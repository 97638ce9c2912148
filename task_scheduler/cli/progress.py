"""How far long work has come: one line on the terminal that is gone when the work is done.

Responsible for: drawing it beside the work, after a moment of patience, on stderr and only where a
person looks on. Who does the work only says how to look at it: a copy by the size of its file.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from task_scheduler.cli.display_width import width_of
from task_scheduler.cli.moments import duration_text

if TYPE_CHECKING:
    from task_scheduler.cli.session import Session

__all__ = ["Counter", "bar_line", "is_shown", "progress", "share_of_file"]

_STEP_SECONDS = 0.1
_PATIENT_STEPS = 3
"""What ends sooner needs no bar: one that flashes up only disturbs."""
_BAR = 24
_ERASE = "\r\x1b[2K"

Measure = Callable[[], float | None]
"""Returns which part of the work is done, 0 to 1; None where nobody can tell."""


class Counter:
    """Counts what is done of a known number; it is a measure."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0

    def __call__(self) -> float | None:
        """Return which part is done."""
        return self.done / self.total if self.total else None


def share_of_file(folder: Path, pattern: str, size: int) -> Measure:
    """Return a measure of a copy: how large the file of this pattern is by now."""

    def share() -> float | None:
        try:
            written = max((path.stat().st_size for path in folder.glob(pattern)), default=0)
        except OSError:
            # It has its name by now, and is no file of this pattern any more.
            return None
        return min(1.0, written / size) if size and written else None

    return share


@contextmanager
def progress(session: Session, label: str, measure: Measure) -> Iterator[None]:
    """Show how far the work in the block has come, as long as it takes."""
    if not is_shown(session):
        yield
        return
    over = threading.Event()

    def draw() -> None:
        steps = 0
        while not over.wait(_STEP_SECONDS):
            steps += 1
            if steps >= _PATIENT_STEPS:
                line = bar_line(label, measure(), steps * _STEP_SECONDS, _can_show_bars())
                print(f"{_ERASE}{line}", end="", file=sys.stderr, flush=True)
        if steps >= _PATIENT_STEPS:
            print(_ERASE, end="", file=sys.stderr, flush=True)

    drawing = threading.Thread(target=draw, name="progress", daemon=True)
    drawing.start()
    try:
        yield
    finally:
        over.set()
        drawing.join()


def is_shown(session: Session) -> bool:
    """Whether stderr is a terminal that can draw over a line, and talk is wanted."""
    return not session.is_quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def bar_line(label: str, share: float | None, seconds: float, has_bars: bool = True) -> str:
    """Return the line: what is done, how far, for how long; narrower than any terminal."""
    taken = duration_text(float(int(seconds))) if seconds >= 1 else ""
    if share is None:
        return f"{label} … {taken}".rstrip()
    full = round(share * _BAR)
    done, rest = ("━", "─") if has_bars else ("#", "-")
    room = max(0, 78 - width_of(label) - len(f" 100 %  {taken}") - 1)
    bar = (done * full + rest * (_BAR - full))[:room]
    return f"{label} {bar} {int(share * 100):>3} %  {taken}".rstrip()


def _can_show_bars() -> bool:
    try:
        "━─".encode(sys.stderr.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
