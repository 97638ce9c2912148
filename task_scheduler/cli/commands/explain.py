"""`tsk explain`: a schedule in words, its next runs in both zones, and what is odd about it."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.display_width import showable, width_of
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.cli.moments import NOTHING, Moments, duration_text
from task_scheduler.cli.parameters import Number, did_you_mean
from task_scheduler.cli.session import Session
from task_scheduler.cli.spoken_interval import in_short
from task_scheduler.cli.tables import Cell, Column, Row
from task_scheduler.errors import ScheduleError, TaskNotFoundError, TaskSchedulerError
from task_scheduler.i18n import translate
from task_scheduler.ledger_view import USER_RULE
from task_scheduler.schedules.calendars.registry import BUILT_IN, Calendars
from task_scheduler.schedules.cron_fields import MONTH, WEEKDAY
from task_scheduler.schedules.instants import DAY, SECOND, datetime_at
from task_scheduler.schedules.lint import Finding, Level, lint
from task_scheduler.schedules.occurrences import Occurrences, union
from task_scheduler.schedules.on_calendar import parse_on_calendar
from task_scheduler.schedules.rule import ScheduleRule, from_plain, occurrences_of, to_plain
from task_scheduler.schedules.rule_text import place_in, rule_from_text
from task_scheduler.schedules.sentences import describe
from task_scheduler.schedules.zones import Zone, local_zone, zone_named

_MOST_BUSY = 100_000
"""So many coming occurrences of other tasks are looked at for a crowd."""
_MOST_OF_A_TASK = 1_500


@dataclass(frozen=True, slots=True)
class _Task:
    """What a task of the ledger knows about its schedule."""

    task_id: str
    rules: list[dict[str, Any]]
    anchor: int
    next_due_at: int | None
    usual_seconds: float | None


@dataclass(frozen=True, slots=True)
class _Run:
    """A coming run, with the offsets of both clocks from UTC at the run before it."""

    instant: int
    before: int
    here_before: int


@dataclass(frozen=True, slots=True)
class _Explained:
    """Everything that is said about one rule."""

    plain: dict[str, Any]
    sentence: str
    zone: Zone
    here: Zone
    runs: list[_Run]
    findings: list[Finding]


@cli_command(
    "explain",
    examples=(
        "tsk explain '0 9 1 * 1' --tz Asia/Tokyo",
        "tsk explain 'every 5m'",
        "tsk explain 'Mon..Fri 08:00' -n 10",
        "tsk explain 'H 3 * * *' --task backup",
        "tsk explain data_upload",
    ),
)
@click.argument("expression", required=False, metavar="[EXPR|TASK]")
@click.option("-n", "--count", "count", type=Number(), default=5, metavar="N")
@click.option("--task", "task_id", metavar="TASK")
def command(session: Session, expression: str | None, count: int, task_id: str | None) -> ExitCode:
    """Explain a schedule that is given, or that of a task."""
    if expression is None and task_id is None:
        raise click.UsageError(translate("explain.nothing"))
    now = session.clock.now()
    task = None if task_id is None else _task(session, task_id)
    rules: list[dict[str, Any]] = [] if task is None else task.rules
    if expression is not None:
        try:
            rules = [_rule(session, expression, now, task)]
        except ScheduleError as error:
            if task is not None or any(character.isspace() for character in expression):
                return _refuse(session, expression, error)
            # One word that is no schedule may be the id of a task.
            try:
                task = _task(session, expression)
            except TaskNotFoundError as unknown:
                return _refuse(session, expression, _with_hint(error, unknown))
            rules = task.rules
    explained = [_explained(session, plain, task, now, count) for plain in rules]
    if session.is_json or session.is_jsonl:
        _put_json(session, expression, task, explained)
        return ExitCode.FINE
    if task is not None and not rules:
        session.put(translate("explain.no_rule", task_id=task.task_id))
    for index, one in enumerate(explained):
        if index:
            session.put()
        _put(session, one, task, now)
    return ExitCode.FINE


# -- what is explained ------------------------------------------------------------------------


def _rule(session: Session, text: str, now: int, task: _Task | None) -> dict[str, Any]:
    """Return the plain form of the rule of a text; raises ScheduleError where it is none."""
    rule = rule_from_text(in_short(text), now=now, timezone=session.zone_name)
    # Asked here, so that an error is one of the text.
    occurrences_of(rule, task_id=None if task is None else task.task_id)
    return to_plain(rule) or {}


def _with_hint(error: ScheduleError, unknown: TaskNotFoundError) -> ScheduleError:
    """Return an error with the task that was probably meant, where no schedule was."""
    near = str(unknown.values.get("hint", "")).strip("'")
    if error.key != "explain.unknown" or error.values["hint"] or not near:
        return error
    hint = translate("cli.did_you_mean", word=near)
    return ScheduleError(error.key, **{**error.values, "hint": hint})


def _task(session: Session, task_id: str) -> _Task:
    status = session.view.task(task_id)
    plan = session.view.plans([task_id])[task_id]
    return _Task(
        task_id,
        plan["rules"],
        plan["anchor"],
        plan["next_due_at"],
        status["average_duration_seconds"],
    )


def _explained(
    session: Session, plain: dict[str, Any], task: _Task | None, now: int, count: int
) -> _Explained:
    task_id = None if task is None else task.task_id
    sentence = describe(plain, task_id=task_id)
    is_of_task = task is not None and plain in task.rules
    # Of a task --tz is the zone in which times are shown; of a text it was that of the rule.
    is_shown = is_of_task and session.zone_name is not None
    here = zone_named(session.zone_name or "") if is_shown else local_zone()
    if plain.get("type") == USER_RULE:
        return _Explained(plain, sentence, here, here, [], [])
    rule = from_plain(plain)
    calendars = _calendars(session, rule)
    zone = _zone_of(plain)
    occurrences = occurrences_of(rule, calendars, task_id=task_id)
    anchor = task.anchor if task is not None and is_of_task else now
    findings = lint(
        rule,
        now=now,
        calendars=calendars,
        task_id=task_id,
        usual_seconds=None if task is None else task.usual_seconds,
        busy=_busy(session, now, without=task_id),
    )
    # The first run of a rule that begins now is now.
    coming = _coming(occurrences, anchor, now, is_new=not is_of_task)
    instants = list(islice(coming, 1 if rule.is_fixed_delay else count))
    runs = [
        _Run(instant, _offset(zone, before), _offset(here, before))
        for before, instant in itertools.pairwise([now, *instants])
    ]
    return _Explained(plain, sentence, zone, here, runs, findings)


def _coming(occurrences: Occurrences, anchor: int, now: int, *, is_new: bool) -> Iterator[int]:
    """Yield the coming instants."""
    instant = occurrences.first(now) if is_new else None
    if instant is None or instant < now:
        instant = occurrences.next_after(now, anchor)
    while instant is not None:
        yield instant
        instant = occurrences.next_after(instant, anchor)


def _offset(zone: Zone, instant: int) -> int:
    return zone.period_at(instant // SECOND).offset


def _zone_of(plain: Mapping[str, Any]) -> Zone:
    """Return the zone on whose clock a rule's times are."""
    name = plain.get("timezone")
    if plain.get("type") == "on_calendar":
        name = parse_on_calendar(plain["on_calendar"]).zone or name
    return local_zone() if name is None else zone_named(name)


def _calendars(session: Session, rule: ScheduleRule) -> Calendars:
    """Return the calendars of the configuration, read only where the rule names one."""
    if rule.exclude or rule.include or rule.rules:
        return session.scheduler.config.calendars
    return BUILT_IN


def _busy(session: Session, now: int, *, without: str | None) -> Iterator[int]:
    """Yield what the other tasks have on in the coming day, as far as the ledger can be read."""
    try:
        tasks = session.view.tasks(with_quantiles=False)
        plans = session.view.plans([task["task_id"] for task in tasks])
        calendars = session.scheduler.config.calendars
    except (TaskSchedulerError, OSError):
        return
    left = _MOST_BUSY
    for task_id, plan in plans.items():
        if task_id == without or not plan["is_planned"] or left <= 0:
            continue
        with suppress(ScheduleError):
            parts = [
                occurrences_of(from_plain(rule), calendars, task_id=task_id)
                for rule in plan["rules"]
                if rule.get("type") != USER_RULE
            ]
            coming = _coming(union(parts), plan["anchor"], now, is_new=False) if parts else ()
            for instant in islice(coming, min(left, _MOST_OF_A_TASK)):
                if instant > now + DAY:
                    break
                left -= 1
                yield instant


# -- what is printed --------------------------------------------------------------------------


def _put(session: Session, explained: _Explained, task: _Task | None, now: int) -> None:
    sentence = explained.sentence
    session.put(session.paint(showable(sentence[:1].upper() + sentence[1:]), "bold"))
    moments = Moments(explained.here.tz, now)
    if explained.plain.get("type") == USER_RULE:
        due = None if task is None else task.next_due_at
        moment = NOTHING if due is None else _moment(due, explained.here)
        session.put(translate("explain.only_code_knows", moment=moment))
        return
    if explained.runs:
        session.put()
        _put_runs(session, explained, moments)
    elif from_plain(explained.plain).is_reboot:
        session.put(translate("explain.after_boot"))
    else:
        session.put(translate("explain.no_runs"))
    if explained.plain.get("kind") == "fixed_delay":
        session.put(translate("explain.after_each_end"))
    if explained.findings:
        session.put()
    for one in explained.findings:
        is_warning = one.level is Level.WARNING
        head = translate(f"explain.{one.level}", sentence=showable(one.sentence))
        session.put_sentence(head, "yellow" if is_warning else "")


def _put_runs(session: Session, explained: _Explained, moments: Moments) -> None:
    zone, here = explained.zone, explained.here
    has_both = any(
        _offset(zone, run.instant) != _offset(here, run.instant) for run in explained.runs
    )
    columns = [Column(translate("explain.column_there", zone=_name(zone, moments)))]
    if has_both:
        columns.append(Column(translate("explain.column_here", zone=_name(here, moments))))
    columns += [Column(translate("cli.column_in")), Column("", narrowest=10)]
    rows = []
    for run in explained.runs:
        cells: list[Cell | str] = [_moment(run.instant, zone)]
        if has_both:
            cells.append(_moment(run.instant, here))
        distance = moments.distance(datetime_at(run.instant, here.tz).isoformat())
        marks = _marks(run, zone, here if has_both else None)
        rows.append(Row((*cells, Cell(distance, "dim"), Cell(marks, "yellow"))))
    session.table(columns, rows)


def _moment(instant: int, zone: Zone) -> str:
    there = datetime_at(instant, zone.tz)
    weekday = translate(f"explain.weekday_{there.weekday()}")
    return translate(
        "explain.moment", weekday=weekday, date=f"{there:%Y-%m-%d}", time=f"{there:%H:%M:%S}"
    )


def _name(zone: Zone, moments: Moments) -> str:
    key = getattr(zone.tz, "key", None)
    return str(key) if key else Moments(zone.tz, moments.now).zone_name()


def _marks(run: _Run, zone: Zone, here: Zone | None) -> str:
    """Return what is special about a run: clocks that were changed since the run before it."""
    marks = _clock_marks(run.instant, run.before, zone)
    if here is not None:
        own = _clock_marks(run.instant, run.here_before, here)
        marks += [translate("explain.here_only", mark=mark) for mark in own]
    return ", ".join(marks)


def _clock_marks(instant: int, before: int, zone: Zone) -> list[str]:
    marks = []
    change = _offset(zone, instant) - before
    if change:
        name = "clocks_forward" if change > 0 else "clocks_back"
        marks.append(translate(f"explain.{name}", length=duration_text(abs(change))))
    if datetime_at(instant, zone.tz).fold:
        marks.append(translate("explain.second_time"))
    return marks


def _put_json(
    session: Session, expression: str | None, task: _Task | None, explained: list[_Explained]
) -> None:
    rules = [
        {
            "rule": one.plain,
            "sentence": one.sentence,
            "zone": getattr(one.zone.tz, "key", None),
            "runs": [
                {
                    "at": datetime_at(run.instant, one.zone.tz).isoformat(),
                    "here": datetime_at(run.instant, one.here.tz).isoformat(),
                    "clocks_changed_seconds": _offset(one.zone, run.instant) - run.before,
                    "is_second_time": bool(datetime_at(run.instant, one.zone.tz).fold),
                }
                for run in one.runs
            ],
            "findings": [
                {
                    "key": found.key,
                    "level": str(found.level),
                    "place": found.place,
                    "sentence": found.sentence,
                }
                for found in one.findings
            ],
        }
        for one in explained
    ]
    task_id = None if task is None else task.task_id
    values = {"expression": expression, "task_id": task_id, "is_valid": True, "error": None}
    session.document("explain", {**values, "rules": rules})


def _refuse(session: Session, expression: str, error: ScheduleError) -> ExitCode:
    """Show what is wrong with a text, with a mark under the place."""
    place = place_in(expression, error)
    sentence = f"{error}{_name_meant(error)}"
    if error.key == "schedules.bad_every":
        # Its own sentence is for a program, in whose words this is a keyword.
        sentence = translate("explain.bad_interval", value=error.values["value"])
    if session.is_json or session.is_jsonl:
        details = {
            "code": error.code,
            "key": error.key,
            "message": sentence,
            "column": None if place is None else place[0] + 1,
            "length": None if place is None else place[1],
        }
        values = {"expression": expression, "task_id": None, "is_valid": False, "error": details}
        session.document("explain", {**values, "rules": []})
        return ExitCode.INVALID
    lines = [sentence]
    if place is not None:
        index, length = place
        before, marked = showable(expression[:index]), showable(expression[index : index + length])
        lines.append(f"    {showable(expression)}")
        lines.append("    " + " " * width_of(before) + "^" * max(1, width_of(marked)))
    if error.key == "schedules.cron_needs_seed":
        raise CliError(
            "\n".join(lines),
            ExitCode.INVALID,
            hint=translate("explain.needs_task"),
            command=f"tsk explain {shlex.quote(expression)} --task TASK",
            error=error.code,
        )
    raise CliError("\n".join(lines), ExitCode.INVALID, error=error.code)


def _name_meant(error: ScheduleError) -> str:
    """Return the month or weekday that a short word was probably meant to be."""
    word = str(error.values.get("value", "")).upper()
    if not (word.isalpha() and len(word) <= 4) or error.values.get("hint"):
        return ""
    if error.key == "schedules.on_calendar_word":
        names = [name.title() for name in WEEKDAY.names]
        return did_you_mean(word.title(), names)
    if error.key != "schedules.cron_value":
        return ""
    for field in (MONTH, WEEKDAY):
        if error.values.get("field") == translate(f"schedules.field_{field.name}"):
            return did_you_mean(word, field.names)
    return ""
