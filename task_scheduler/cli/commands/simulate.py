"""`tsk simulate`: the plan of all tasks as the engine will carry it out, on a virtual clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.cli.holders import say_no_tasks
from task_scheduler.cli.moments import NOTHING, Moments, duration_text
from task_scheduler.cli.parameters import Duration, Number
from task_scheduler.cli.session import Session
from task_scheduler.cli.tables import Cell, Column, Row
from task_scheduler.core.model import Entry, Isolation
from task_scheduler.core.policies import from_plain as policies_from_plain
from task_scheduler.errors import ScheduleError
from task_scheduler.i18n import translate
from task_scheduler.ledger_view import iso
from task_scheduler.schedules.instants import instant_of, is_within_range
from task_scheduler.schedules.rule import from_plain, to_plain

if TYPE_CHECKING:
    from task_scheduler.testing.forecast import Forecast, ForecastRow, Planned

_SECOND = 1_000_000
_DAY_SECONDS = 86_400.0
_SAMPLE = 100
"""Latest runs of a task whose median is its usual duration."""
_SHOWN = 50
_PROGRAMS = ("script", "command")


@dataclass(slots=True)
class _Plan:
    """What is simulated: the window, the tasks and how long each usually takes."""

    begin: int
    until: int
    planned: list[Planned]
    resting: list[str]
    durations: dict[str, int]
    measured: int
    given: int
    names: dict[str, str]

    @property
    def assumed(self) -> int:
        """How many durations nobody knows."""
        return len(self.planned) - self.measured - self.given


@cli_command(
    "simulate",
    examples=(
        "tsk simulate",
        "tsk simulate --from 2026-12-01 --for 7d --ics december.ics",
        "tsk simulate --task 'sensor_*' --duration data_upload=40s",
    ),
)
@click.argument("file", required=False, metavar="[CONFIG]")
@click.option("--from", "begin", metavar="TIME")
@click.option("--to", "until", metavar="TIME")
@click.option("--for", "seconds", type=Duration(), default=_DAY_SECONDS, metavar="TIME")
@click.option("--task", "patterns", multiple=True, metavar="TASK")
@click.option("--duration", "lengths", multiple=True, metavar="TASK=TIME")
@click.option("--crowd", "crowd", type=Number(2), default=5, metavar="N")
@click.option("-n", "--count", "count", type=Number(), default=None, metavar="N")
@click.option("--ics", "calendar", metavar="FILE")
def command(
    session: Session,
    *,
    file: str | None,
    begin: str | None,
    until: str | None,
    seconds: float,
    patterns: tuple[str, ...],
    lengths: tuple[str, ...],
    crowd: int,
    count: int | None,
    calendar: str | None,
) -> None:
    """Run the engine in virtual time and print what it does; nothing real is started."""
    session.is_config_needed = True
    session.config = file or session.config
    window = _window(session, begin, until, seconds)
    plan = _plan(session, window, patterns, lengths)
    # A calendar holds everything unless less is asked for.
    keep = count if calendar is not None else count or _SHOWN
    found = _forecast(session, plan, keep)
    if calendar is not None:
        _write_calendar(session, Path(calendar), found, plan, crowd)
    shown = found.rows[: count or _SHOWN]
    is_cut = found.is_cut or len(shown) < len(found.rows)
    if session.is_json or session.is_jsonl:
        _put_json(session, shown, found, plan, crowd=crowd, is_cut=is_cut)
        return
    _put_table(session, shown, found, crowd)
    if is_cut:
        session.say(translate("cli.next_cut", count=len(shown)))
    _say_summary(session, found, plan, crowd)


# -- what is simulated ------------------------------------------------------------------------


def _window(
    session: Session, begin: str | None, until: str | None, seconds: float
) -> tuple[int, int]:
    moments = session.moments()
    start = moments.now if begin is None else _instant(begin, moments)
    end = start + int(seconds * _SECOND) if until is None else _instant(until, moments)
    if end <= start or not is_within_range(start) or not is_within_range(end):
        sentence = translate("simulate.bad_window", begin=_shown(start), until=_shown(end))
        raise CliError(sentence, ExitCode.USAGE, error="E8004")
    return start, end


def _shown(moment: int) -> str:
    return iso(moment) or "" if is_within_range(moment) else str(moment)


def _instant(text: str, moments: Moments) -> int:
    try:
        return instant_of(datetime.fromisoformat(text), moments.zone)
    except ValueError:
        sentence = translate("simulate.bad_moment", value=text)
        raise CliError(sentence, ExitCode.USAGE, error="E1010") from None


def _plan(
    session: Session, window: tuple[int, int], patterns: Sequence[str], lengths: Sequence[str]
) -> _Plan:
    planned, resting = _entries(session)
    known = [p.entry.task_id for p in planned] + resting
    for pattern in patterns:
        if not any(fnmatchcase(task_id, pattern) for task_id in known):
            raise CliError(
                translate("cli.no_match", pattern=pattern),
                ExitCode.NOT_FOUND,
                hint=translate("cli.next_list"),
                command="tsk ls",
                error="E3002",
            )
    if patterns:
        planned = [p for p in planned if _is_chosen(p.entry.task_id, patterns)]
        resting = [task_id for task_id in resting if _is_chosen(task_id, patterns)]
    given = _given_durations(lengths, [p.entry.task_id for p in planned])
    measured = {}
    for item in planned:
        task_id = item.entry.task_id
        usual = None if task_id in given else _usual_duration(session, item)
        if usual is not None:
            measured[task_id] = usual
    assumed = {p.entry.task_id: _SECOND for p in planned}
    names = {p.entry.task_id: p.entry.name for p in planned}
    durations = {**assumed, **measured, **given}
    return _Plan(*window, planned, resting, durations, len(measured), len(given), names)


def _forecast(session: Session, plan: _Plan, keep: int | None) -> Forecast:
    from task_scheduler.testing.forecast import forecast

    try:
        return forecast(
            plan.planned,
            begin=plan.begin,
            until=plan.until,
            workers=session.scheduler.config.settings.scheduler.max_workers,
            durations=plan.durations,
            keep=keep,
            calendars=session.scheduler.config.calendars,
            pools=session.scheduler.config.settings.pools,
        )
    except ScheduleError as error:
        # Every rule was read before: what is refused here is the window.
        raise CliError(str(error), ExitCode.USAGE, error=error.code) from error


def _is_chosen(task_id: str, patterns: Sequence[str]) -> bool:
    return any(task_id == pattern or fnmatchcase(task_id, pattern) for pattern in patterns)


def _entries(session: Session) -> tuple[list[Planned], list[str]]:
    """Return the tasks of the configuration and of the ledger, and the ids that rest."""
    from task_scheduler.tasks.registry import entry_of
    from task_scheduler.testing.forecast import Planned

    config = session.scheduler.config
    tasks = {task["task_id"]: task for task in session.view.tasks(with_quantiles=False)}
    plans = session.view.plans(list(tasks))
    found: dict[str, Planned] = {}
    resting: list[str] = []
    for item in config.declared():
        rules = [to_plain(rule) or {} for rule in item.rules] if item.is_enabled else []
        entry = entry_of(item.task, rules, config.policies, has_user_rule=False, origin="config")
        plan = plans.get(entry.task_id)
        found[entry.task_id] = Planned(entry, None if plan is None else plan["anchor"])
    for task_id, task in tasks.items():
        # What the file declared once and no longer does goes at the next start.
        is_gone = task["origin"] == "config" and config.path is not None
        if task_id not in found and not is_gone:
            found[task_id] = Planned(_stored_entry(task), plans[task_id]["anchor"])
    planned = []
    for task_id, candidate in sorted(found.items()):
        is_paused = task_id in tasks and tasks[task_id]["paused_at"] is not None
        if is_paused or not _is_readable(candidate.entry):
            resting.append(task_id)
        else:
            planned.append(candidate)
    return planned, resting


def _stored_entry(task: Mapping[str, Any]) -> Entry:
    policies = policies_from_plain(task["policies"])
    is_program = task["kind"] in _PROGRAMS or policies.isolation is Isolation.PROCESS
    return Entry(
        task_id=task["task_id"],
        name=task["name"],
        kind=task["kind"],
        executor="process" if is_program else "thread",
        definition={},
        rules=tuple(task["rules"]),
        policies=policies,
        origin=task["origin"],
    )


def _is_readable(entry: Entry) -> bool:
    """Whether there are rules, and not ones that only their own code or a newer release knows."""
    try:
        for rule in entry.rules:
            from_plain(dict(rule))
    except ScheduleError:
        return False
    return bool(entry.rules)


def _given_durations(lengths: Sequence[str], task_ids: Sequence[str]) -> dict[str, int]:
    found = {}
    for text in lengths:
        pattern, separator, length = text.rpartition("=")
        matching = [task_id for task_id in task_ids if _is_chosen(task_id, [pattern])]
        if not separator or not matching:
            known = ", ".join(task_ids[:20])
            sentence = translate("simulate.bad_length", value=text, known=known)
            raise CliError(sentence, ExitCode.USAGE, error="E8004")
        seconds = Duration().convert(length, None, click.get_current_context(silent=True))
        found.update(dict.fromkeys(matching, round(seconds * _SECOND)))
    return found


def _usual_duration(session: Session, item: Planned) -> int | None:
    """Return the median of the latest runs that succeeded; None: it never did."""
    if item.anchor is None:
        return None
    runs = session.view.runs(item.entry.task_id, state="succeeded", limit=_SAMPLE)
    seconds = [run["duration_seconds"] for run in runs if run["duration_seconds"] is not None]
    return round(median(seconds) * _SECOND) if seconds else None


# -- what is shown ----------------------------------------------------------------------------


def _notes(row: ForecastRow, found: Forecast, crowd: int) -> Iterator[str]:
    """Yield what is remarkable about an occurrence."""
    if row.skip_reason:
        reason = translate(f"cli.reason_{row.skip_reason}")
        yield translate("simulate.note_skipped", reason=reason)
    elif row.starts_at is None:
        yield translate(f"simulate.note_{row.waits_for}_at_end")
    elif row.waits_for:
        wait = duration_text((row.starts_at - row.at) / _SECOND)
        yield translate(f"simulate.note_{row.waits_for}", duration=wait)
    if row.is_timed_out:
        yield translate("simulate.note_timeout")
    tasks = found.tasks_at[row.at // _SECOND]
    if tasks >= crowd:
        yield translate("simulate.note_crowd", count=tasks)


def _put_table(session: Session, shown: Sequence[ForecastRow], found: Forecast, crowd: int) -> None:
    moments = session.moments()
    rows = []
    for row in shown:
        is_run = row.starts_at is not None and row.ends_at is not None
        length = ((row.ends_at or 0) - (row.starts_at or 0)) / _SECOND
        notes = translate("simulate.between_notes").join(_notes(row, found, crowd))
        rows.append(
            Row(
                (
                    moments.precise(iso(row.at)),
                    Cell(row.task_id, "dim" if row.skip_reason else "bold"),
                    duration_text(length) if is_run else NOTHING,
                    Cell(notes, "yellow"),
                )
            )
        )
    columns = [
        Column(translate("cli.column_at")),
        Column(translate("cli.column_task"), narrowest=16),
        Column(translate("simulate.column_takes"), is_right=True),
        Column("", narrowest=16, is_first_to_wrap=True),
    ]
    if rows:
        session.table(columns, rows)
        session.say(translate("cli.times_in", zone=moments.zone_name()))


def _say_summary(session: Session, found: Forecast, plan: _Plan, crowd: int) -> None:
    if plan.resting:
        session.say(translate("simulate.resting", ids=", ".join(plan.resting)))
    if not plan.planned and not plan.resting:
        say_no_tasks(session)
        return
    if not found.runs and not found.skips:
        session.say(translate("cli.nothing_comes"))
        return
    workers = session.scheduler.config.settings.scheduler.max_workers
    figures = {"runs": found.runs, "skips": found.skips, "peak": found.peak}
    session.say(translate("simulate.summary", **figures, workers=workers))
    crowded = found.crowded(crowd)
    if crowded:
        fullest = max(crowded, key=lambda second: (found.tasks_at[second], -second))
        at = session.moments().precise(iso(fullest * _SECOND))
        most = found.tasks_at[fullest]
        values = {"crowd": crowd, "count": len(crowded), "at": at, "most": most}
        session.say(translate("simulate.crowded", **values))
    if found.late:
        longest = duration_text(found.longest_wait / _SECOND)
        session.say(translate("simulate.overload", count=found.late, longest=longest))
    session.say(
        translate(
            "simulate.durations", measured=plan.measured, given=plan.given, assumed=plan.assumed
        )
    )


def _put_json(
    session: Session,
    shown: Sequence[ForecastRow],
    found: Forecast,
    plan: _Plan,
    *,
    crowd: int,
    is_cut: bool,
) -> None:
    occurrences = [_plain(row, found) for row in shown]
    summary = {
        "from": iso(plan.begin),
        "to": iso(plan.until),
        "runs": found.runs,
        "skips": found.skips,
        "late": found.late,
        "longest_wait_seconds": found.longest_wait / _SECOND,
        "peak_workers": found.peak,
        "workers": session.scheduler.config.settings.scheduler.max_workers,
        "crowded_seconds": len(found.crowded(crowd)),
        "durations": {key: value / _SECOND for key, value in sorted(plan.durations.items())},
        "not_planned": plan.resting,
        "is_cut": is_cut,
    }
    if session.is_jsonl:
        for occurrence in occurrences:
            session.record("occurrence", occurrence)
        session.record("simulation", summary)
    else:
        session.document("simulate", {**summary, "occurrences": occurrences})


def _plain(row: ForecastRow, found: Forecast) -> dict[str, Any]:
    return {
        "at": iso(row.at),
        "task_id": row.task_id,
        "starts_at": iso(row.starts_at),
        "ends_at": iso(row.ends_at),
        "waits_for": row.waits_for or None,
        "skip_reason": row.skip_reason or None,
        "count": row.times,
        "is_timed_out": row.is_timed_out,
        "tasks_at_second": found.tasks_at[row.at // _SECOND],
    }


def _write_calendar(session: Session, path: Path, found: Forecast, plan: _Plan, crowd: int) -> None:
    from task_scheduler.cli.icalendar import CalendarEvent, calendar_bytes

    events = [
        CalendarEvent(
            uid=f"{row.task_id}/{row.at}@task-scheduler",
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            summary=plan.names[row.task_id],
            description="\n".join((row.task_id, *_notes(row, found, crowd))),
        )
        for row in found.rows
        if row.starts_at is not None and row.ends_at is not None
    ]
    if not events:
        # A calendar without an event is none.
        session.say(translate("simulate.no_calendar", path=path))
        return
    path.write_bytes(calendar_bytes(events, stamp=session.clock.now()))
    session.say(translate("simulate.wrote_calendar", path=path, count=len(events)))
