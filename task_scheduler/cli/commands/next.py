"""`tsk next`: the coming occurrences of all tasks on one line of time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.holders import say_if_nobody_runs, say_no_tasks
from task_scheduler.cli.moments import Moments
from task_scheduler.cli.parameters import Duration, Number
from task_scheduler.cli.session import Session
from task_scheduler.cli.tables import Cell, Column, Row
from task_scheduler.cli.task_choice import chosen_tasks
from task_scheduler.errors import ScheduleError
from task_scheduler.i18n import translate
from task_scheduler.ledger_view import USER_RULE, iso
from task_scheduler.schedules.calendars.registry import Calendars
from task_scheduler.schedules.occurrences import Occurrences, union
from task_scheduler.schedules.rule import from_plain, occurrences_of

_DAY_SECONDS = 86_400.0
_SECOND = 1_000_000
_WAITING = 1_000


class _Coming(NamedTuple):
    """One start to be; `why` is empty for an occurrence of the schedule."""

    at: int
    task_id: str
    why: str


@cli_command("next", examples=("tsk next", "tsk next data_upload -n 5", "tsk next --for 7d"))
@click.argument("tasks", nargs=-1, metavar="[TASK]...")
@click.option("--for", "seconds", type=Duration(), default=_DAY_SECONDS, metavar="TIME")
@click.option("-n", "--count", "count", type=Number(), default=20, metavar="N")
def command(session: Session, tasks: tuple[str, ...], seconds: float, count: int) -> None:
    """Print what comes, soonest first."""
    chosen = chosen_tasks(session.view, tasks)
    ids = [task["task_id"] for task in chosen]
    moments = session.moments()
    until = moments.now + int(seconds * _SECOND)
    plans = session.view.plans(ids)
    calendars = session.scheduler.config.calendars
    streams = [_occurrences(task_id, plan, until, calendars) for task_id, plan in plans.items()]
    streams.append(iter(sorted(_waiting(session, set(ids), until))))
    coming = list(islice(heapq.merge(*streams), count + 1))
    is_cut, coming = len(coming) > count, coming[:count]
    resting = sorted(task_id for task_id, plan in plans.items() if not plan["is_planned"])
    if session.is_json:
        shown = [
            {"at": iso(item.at), "task_id": item.task_id, "waiting_for": item.why or None}
            for item in coming
        ]
        session.document("next", {"occurrences": shown, "is_cut": is_cut, "not_planned": resting})
        return
    _put(session, coming, moments)
    if chosen and not coming:
        session.say(translate("cli.nothing_comes"))
    if is_cut:
        session.say(translate("cli.next_cut", count=count))
    if resting:
        session.say(translate("cli.not_planned", ids=", ".join(resting)))
    if chosen:
        say_if_nobody_runs(session)
    else:
        say_no_tasks(session)


def _put(session: Session, coming: list[_Coming], moments: Moments) -> None:
    rows = []
    for item in coming:
        at = iso(item.at)
        assert at is not None
        why = translate(f"cli.waiting_{item.why}") if item.why else ""
        overdue = item.at < moments.now
        rows.append(
            Row(
                (
                    moments.precise(at),
                    Cell(moments.ahead(at), "yellow" if overdue else "dim"),
                    Cell(item.task_id, "bold"),
                    why,
                )
            )
        )
    columns = [
        Column(translate("cli.column_at")),
        Column(translate("cli.column_in")),
        Column(translate("cli.column_task"), narrowest=16),
        Column("", narrowest=10),
    ]
    if rows:
        session.table(columns, rows)
        session.say(translate("cli.times_in", zone=moments.zone_name()))


def _occurrences(
    task_id: str, plan: Mapping[str, Any], until: int, calendars: Calendars
) -> Iterator[_Coming]:
    """Yield the occurrences of one task: the stored next one, then what its rules say."""
    at = plan["next_due_at"] if plan["is_planned"] else None
    occurrences = None if at is None else _stored_rules(task_id, plan["rules"], calendars)
    while at is not None and at <= until:
        yield _Coming(at, task_id, "")
        # What a user's own rule says next only its code knows.
        at = None if occurrences is None else occurrences.next_after(at, plan["anchor"])


def _stored_rules(
    task_id: str, rules: list[dict[str, Any]], calendars: Calendars
) -> Occurrences | None:
    if not rules or any(rule.get("type") == USER_RULE for rule in rules):
        return None
    try:
        return union(
            [occurrences_of(from_plain(rule), calendars, task_id=task_id) for rule in rules]
        )
    except ScheduleError:
        # Of a newer release, or its calendar is gone: the one moment that is stored is right.
        return None


def _waiting(session: Session, ids: set[str], until: int) -> Iterator[_Coming]:
    """Yield the runs that wait already: retries, requests, queued ones."""
    from datetime import datetime

    for run in session.view.runs(state="waiting", limit=_WAITING):
        due = int(datetime.fromisoformat(run["due_at"]).timestamp() * _SECOND)
        if run["task_id"] in ids and due <= until:
            yield _Coming(due, run["task_id"], run["waiting_for"] or run["origin"])
