"""Who runs the ledger's scheduler, as the commands need to know it.

Responsible for: telling a scheduler that runs from a process that merely holds the ledger.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from task_scheduler.cli.backup_text import say_if_held
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.i18n import translate

if TYPE_CHECKING:
    from task_scheduler.cli.session import Session

__all__ = [
    "holder_of",
    "needs_scheduler",
    "refuse_mute",
    "running_holder",
    "say_declared",
    "say_if_nobody_runs",
    "say_no_tasks",
    "started_at",
    "wait_until_gone",
]

_POLL_SECONDS = 0.1


def holder_of(session: Session) -> dict[str, Any] | None:
    """Return the process that holds the ledger; None if none does.

    Raises CliError where this user may not ask: that nobody answers says nothing then.
    """
    holder = session.scheduler.holder()
    if holder is None and _is_closed(session.scheduler.files.socket):
        folder = session.scheduler.files.database.parent
        raise CliError(
            translate("cli.holder_foreign", path=folder, owner=_owner_of(folder)),
            ExitCode.NOT_ALLOWED,
            error="E4004",
        )
    return holder


def _is_closed(socket: Path) -> bool:
    """Whether there is a socket, or may be one, that this user cannot connect to."""
    try:
        socket.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return not os.access(socket, os.W_OK)


def _owner_of(path: Path) -> str:
    try:
        return path.owner()
    except (OSError, KeyError):
        return "?"


def running_holder(session: Session) -> dict[str, Any] | None:
    """Return the process that runs the scheduler; None if none does.

    Raises CliError as `holder_of`, and where one runs that does not answer.
    """
    holder = holder_of(session)
    if holder is not None and holder["state"] == "mute":
        raise _mute_error(holder)
    return holder if holder is not None and holder["state"] == "running" else None


def needs_scheduler(session: Session) -> dict[str, Any]:
    """Return the process that runs the scheduler; CliError where none does, or does not answer."""
    holder = running_holder(session)
    if holder is None:
        raise CliError(
            translate("cli.nobody_runs", path=session.scheduler.files.database),
            ExitCode.UNREACHABLE,
            hint=translate("cli.next_start"),
            command="tsk up",
            error="E4001",
        )
    return holder


def refuse_mute(session: Session) -> None:
    """Raise CliError where the holder does not answer.

    One that was stopped takes a request, and whoever made it would wait without a word.
    """
    holder = session.scheduler.holder()
    if holder is not None and holder["state"] == "mute":
        raise _mute_error(holder)


def _mute_error(holder: Mapping[str, Any]) -> CliError:
    why = "; ".join(problem["why"] for problem in holder["problems"])
    return CliError(
        translate("cli.verdict_mute", pid=holder["pid"] or "?", why=why),
        ExitCode.UNREACHABLE,
        hint=translate("cli.next_status"),
        command="tsk status",
        error="E4002",
    )


def say_if_nobody_runs(session: Session) -> None:
    """Tell below a list of what is planned that nothing of it will start."""
    if session.is_quiet:
        return
    say_if_held(session)
    try:
        holder = running_holder(session)
    except CliError as error:
        session.say(translate("cli.warning", sentence=error))
        return
    if holder is None:
        session.say(translate("cli.nothing_starts"))
        session.hint(translate("cli.next_start"), "tsk up")


def say_declared(session: Session, known: Iterable[str]) -> None:
    """Tell how many tasks the config declares that no start has taken up yet."""
    count = len(session.declared_ids().difference(known))
    if count and not session.is_config_broken:
        session.say(translate("cli.not_taken_up", count=count))


def say_no_tasks(session: Session) -> None:
    """Tell that the ledger has no task, and the way to the first one."""
    declared = len(session.declared_ids())
    if declared:
        session.say(translate("cli.only_declared", count=declared))
        session.hint(translate("cli.next_start"), "tsk up")
        return
    session.say(translate("cli.no_tasks"))
    if not session.is_config_broken:
        session.hint(translate("cli.next_init"), "tsk init")


def wait_until_gone(session: Session, pid: int, *, timeout_seconds: float) -> bool:
    """Wait until this process no longer holds the ledger; False when the time is up."""
    until = session.clock.boottime() + int(timeout_seconds * 1_000_000)
    while True:
        holder = session.scheduler.holder()
        if holder is None or holder["pid"] != pid:
            return True
        if session.clock.boottime() >= until:
            return False
        time.sleep(_POLL_SECONDS)


def started_at(session: Session, holder: Mapping[str, Any]) -> str | None:
    """Return since when the holder runs the ledger; None where it has not begun to."""
    start = session.view.last_start()
    return start["started_at"] if start is not None and start["pid"] == holder["pid"] else None
