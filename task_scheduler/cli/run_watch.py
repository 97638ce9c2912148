"""Following a run: its output as it comes, and its end.

Responsible for: the loop that polls. A command decides what it prints and when it gives up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from task_scheduler.cli.display_width import showable
from task_scheduler.cli.foot_line import FootLine
from task_scheduler.cli.run_output import OutputFile, output_files, tail_offset
from task_scheduler.i18n import translate

if TYPE_CHECKING:
    from task_scheduler.cli.session import Session

__all__ = ["LIVING", "follow_output", "wait_for_end"]

LIVING = frozenset({"waiting", "running"})
_POLL_SECONDS = 0.1
"""Between two looks at the ledger."""
_FILE_SECONDS = 0.025
"""Between two looks at a file that grows: what a task writes is shown within twice this."""
_MICROSECONDS = 1_000_000


def wait_for_end(
    session: Session, run_id: int, *, timeout_seconds: float | None
) -> dict[str, Any] | None:
    """Return a run once it has ended; None when the time is up."""
    for run in _looks(session, run_id, timeout_seconds):
        if run["state"] not in LIVING:
            return run
    return None


def follow_output(
    session: Session,
    run_id: int,
    show: Callable[[int, bytes], None],
    *,
    timeout_seconds: float | None = None,
    lines: int | None = None,
    foot: FootLine | None = None,
) -> dict[str, Any] | None:
    """Show what a run's attempts write until the run ends; return it, or None at the timeout.

    `show` gets the attempt's number and what it wrote. `lines`: only the last lines of what is
    there at the beginning. `foot` tells meanwhile how the run stands.
    """
    followed = _Followed(session, show, foot, lines)
    try:
        for run in _looks(session, run_id, timeout_seconds, followed.show_growth):
            followed.look(run)
            # The run was read before its files: what it wrote until its end has been shown.
            if run["state"] not in LIVING:
                return run
            if foot is not None:
                foot.draw(run)
    finally:
        if foot is not None:
            foot.clear()
    return None


class _Followed:
    """The output files of one run, and what has been told of its attempts."""

    def __init__(
        self,
        session: Session,
        show: Callable[[int, bytes], None],
        foot: FootLine | None,
        lines: int | None,
    ) -> None:
        self._session = session
        self._show = show
        self._foot = foot
        self._lines = lines
        self._files: dict[Path, tuple[int, OutputFile]] = {}
        self._told: set[int] = set()
        self._is_first = True

    def look(self, run: Mapping[str, Any]) -> None:
        """Take up the files that have come, show what they hold, and tell of failed attempts."""
        found = output_files(run, self._session.scheduler.files.runs)
        for number in sorted(found):
            path = found[number]
            if path not in self._files:
                is_last = number == max(found)
                self._files[path] = number, OutputFile(path, self._begin_of(path, is_last=is_last))
        self.show_growth()
        if run["state"] in LIVING:
            self._tell_failures(run)
        self._is_first = False

    def show_growth(self) -> bool:
        """Show what has been written since the last look; whether there is anything to look at."""
        for number, file in self._files.values():
            for chunk in file.chunks():
                self._put(number, chunk)
        return bool(self._files)

    def _put(self, number: int, chunk: bytes) -> None:
        if self._foot is not None:
            self._foot.clear()
            self._foot.is_at_line_start = chunk.endswith(b"\n")
        self._show(number, chunk)

    def _begin_of(self, path: Path, *, is_last: bool) -> int:
        """Return where to begin in a file; of one that is there at first, as it was asked."""
        if not self._is_first or self._lines is None:
            return 0
        if is_last:
            return tail_offset(path, self._lines)
        return path.stat().st_size if path.exists() else 0

    def _tell_failures(self, run: Mapping[str, Any]) -> None:
        """Say which attempts have failed since the last look, and when the next one comes."""
        for attempt in run["attempts"]:
            number = attempt["attempt"]
            if attempt["outcome"] is None or number in self._told:
                continue
            self._told.add(number)
            is_last = attempt is run["attempts"][-1]
            if self._is_first and not is_last:
                continue
            if self._foot is not None:
                self._foot.clear()
            error = showable(attempt["error"] or translate(f"cli.state_{attempt['outcome']}"))
            self._session.say(translate("cli.attempt_error", attempt=number, error=error))
            if is_last and run["waiting_for"] == "retry":
                due = self._session.moments().full(run["due_at"])
                self._session.say(translate("cli.attempt_comes", attempt=number + 1, due=due))


def _looks(
    session: Session,
    run_id: int,
    timeout_seconds: float | None,
    between: Callable[[], bool] = lambda: False,
) -> Iterator[dict[str, Any]]:
    """Yield the run again and again, until the time is up.

    `between` two looks is called more often, as long as it says that there is something to do.
    """
    until = None
    if timeout_seconds is not None:
        until = session.clock.boottime() + int(timeout_seconds * _MICROSECONDS)
    while True:
        yield session.view.run(run_id)
        if until is not None and session.clock.boottime() >= until:
            return
        rest = _POLL_SECONDS
        while rest > 0:
            pause = _FILE_SECONDS if between() else _POLL_SECONDS
            time.sleep(pause)
            rest -= pause
