"""`tsk why`: why a task ran or did not, rule by rule."""

from __future__ import annotations

from datetime import datetime, time

import click

from task_scheduler.cli.backup_text import say_if_held
from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.display_width import showable
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.cli.moments import Moments
from task_scheduler.cli.session import Session
from task_scheduler.core.model import SECOND, Microseconds
from task_scheduler.explanation import Explanation
from task_scheduler.i18n import translate
from task_scheduler.schedules.instants import datetime_at, instant_of, is_within_range

_MINUTE = 60 * SECOND


@cli_command("why", examples=("tsk why data_upload", "tsk why data_upload --at 05:50"))
@click.argument("task", metavar="TASK")
@click.option("--at", "moment", metavar="TIME")
def command(session: Session, task: str, moment: str | None) -> None:
    """Print the rules in the order in which they decide, and the one that did."""
    moments = session.moments()
    at, width = None, SECOND
    if moment is not None:
        instant, width = _stretch(moment, moments)
        at = datetime_at(instant, moments.zone)
    found = session.scheduler.why(task, at, width_seconds=width / SECOND)
    if session.is_json:
        session.document("why", found.plain())
        return
    _put(session, found, moments)
    if found.decided_by == "hold":
        session.hint(translate("why.next"), found.command)
        return
    # What came of a moment that is past says nothing of why there is no newer one.
    say_if_held(session)
    session.hint(translate("why.next"), found.command)


def _put(session: Session, found: Explanation, moments: Moments) -> None:
    at = moments.precise(found.at)
    session.put(translate(f"why.verdict_{found.verdict}", task_id=found.task_id, at=at))
    items = [
        (
            f"{'✓' if check.is_fine else '✕'} {translate(f'why.check_{check.name}')}",
            showable(check.sentence(moments.precise)),
        )
        for check in found.checks
    ]
    session.pairs(items, indent="  ")


def _stretch(text: str, moments: Moments) -> tuple[Microseconds, Microseconds]:
    """Return the moment that was named, in the shown zone, and how wide it is: minute or second."""
    width = SECOND if text.count(":") >= 2 else _MINUTE
    try:
        if len(text) <= len("HH:MM:SS"):
            today = datetime_at(moments.now, moments.zone).date()
            named = datetime.combine(today, time.fromisoformat(text))
        else:
            named = datetime.fromisoformat(text)
        instant = instant_of(named, moments.zone)
    except (ValueError, OverflowError):
        instant = None
    if instant is None or not is_within_range(instant):
        raise CliError(translate("why.bad_moment", value=text), ExitCode.USAGE, error="E1010")
    return instant, width
