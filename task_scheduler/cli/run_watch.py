"""Following a run: its output as it comes, and its end.

Responsible for: the loop that polls. A command decides what it prints and when it gives up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from task_scheduler.cli.display_width import showable
from task_scheduler.cli.run_output import OutputFile, output_files, tail_offset
from task_scheduler.i18n import translate

if TYPE_CHECKING:
    from task_scheduler.cli.session import Session

__all__ = ["LIVING", "follow_output", "wait_for_end"]

LIVING = frozenset({"waiting", "running"})
_POLL_SECONDS = 0.1
"""Between two looks at the files: what a task writes is shown within twice this."""
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
) -> dict[str, Any] | None:
    """Show what a run's attempts write until the run ends; return it, or None at the timeout.

    `show` gets the attempt's number and what it wrote. `lines`: only the last lines of what is
    there at the beginning.
    """
    files: dict[Path, OutputFile] = {}
    told: set[int] = set()
    for look, run in enumerate(_looks(session, run_id, timeout_seconds)):
        found = output_files(run, session.scheduler.files.runs)
        for number in sorted(found):
            path = found[number]
            if path not in files:
                is_tail = look == 0 and lines is not None
                is_older = is_tail and number != max(found)
                offset = tail_offset(path, lines or 0) if is_tail else 0
                if is_older:
                    offset = path.stat().st_size if path.exists() else 0
                files[path] = OutputFile(path, offset)
            for chunk in files[path].chunks():
                show(number, chunk)
        # The run was read before its files: what it wrote until its end has been shown.
        if run["state"] in LIVING:
            _tell_failures(session, run, told, is_first_look=look == 0)
        if run["state"] not in LIVING:
            return run
    return None


def _tell_failures(
    session: Session, run: Mapping[str, Any], told: set[int], *, is_first_look: bool
) -> None:
    """Say which attempts have failed since the last look, and when the next one comes."""
    for attempt in run["attempts"]:
        number = attempt["attempt"]
        if attempt["outcome"] is None or number in told:
            continue
        told.add(number)
        is_last = attempt is run["attempts"][-1]
        if is_first_look and not is_last:
            continue
        error = showable(attempt["error"] or translate(f"cli.state_{attempt['outcome']}"))
        session.say(translate("cli.attempt_error", attempt=number, error=error))
        if is_last and run["waiting_for"] == "retry":
            due = session.moments().full(run["due_at"])
            session.say(translate("cli.attempt_comes", attempt=number + 1, due=due))


def _looks(
    session: Session, run_id: int, timeout_seconds: float | None
) -> Iterator[dict[str, Any]]:
    """Yield the run again and again, until the time is up."""
    until = None
    if timeout_seconds is not None:
        until = session.clock.boottime() + int(timeout_seconds * _MICROSECONDS)
    while True:
        yield session.view.run(run_id)
        if until is not None and session.clock.boottime() >= until:
            return
        time.sleep(_POLL_SECONDS)
