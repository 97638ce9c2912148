"""`tsk alerts`: what is wrong and was told, and to whom; try channels, ask for silence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.holders import refuse_mute
from task_scheduler.cli.moments import NOTHING
from task_scheduler.cli.parameters import Choice, Duration, Number
from task_scheduler.cli.pings import expected_pings, put_pings, put_token
from task_scheduler.cli.session import Session
from task_scheduler.cli.tables import Cell, Column, Row
from task_scheduler.cli.task_choice import check_tags
from task_scheduler.core.tags import tag_of
from task_scheduler.i18n import translate

_GLOB = frozenset("*?[")
_HOUR = 3_600.0
_MARKS = {"delivered": ("✓", "green"), "waiting": ("●", "blue"), "superseded": ("⊘", "dim")}
_NUMBERS = ("number", "count")
_WORDS = ("ls", "log", "test", "silence", "unsilence", "token")
_NEEDY = frozenset({"silence", "unsilence", "token"})
"""These are about a task or a pattern of them, or about something that runs elsewhere."""


@cli_command(
    "alerts",
    examples=(
        "tsk alerts",
        "tsk alerts log",
        "tsk alerts test ops",
        "tsk alerts silence 'pond_*' --for 2h --reason 'cleaning'",
        "tsk alerts silence tag:pond --for 30m",
        "tsk alerts unsilence 'pond_*'",
        "tsk alerts token nas_backup",
    ),
)
@click.argument(
    "what", required=False, default="ls", type=Choice(_WORDS), metavar=f"[{'|'.join(_WORDS)}]"
)
@click.argument("target", required=False, metavar="[TASK|CHANNEL]")
@click.option("--all", "with_closed", is_flag=True)
@click.option("-n", "--last", "count", type=Number(), default=50, metavar="N")
@click.option("--for", "seconds", type=Duration(), metavar="TIME")
@click.option("--until", metavar="MOMENT")
@click.option("--reason", metavar="TEXT")
def command(session: Session, what: str, target: str | None, **options: Any) -> ExitCode:
    """Do one of the words; each takes what it knows of the options."""
    if (target is None) == (what in _NEEDY) and not (what == "test" and target is not None):
        key = "cli.alerts_no_task" if target is None else "cli.extra_argument"
        raise click.UsageError(translate(key, what=what, words=target))
    doers: dict[str, Callable[[], ExitCode]] = {
        "ls": lambda: _list(session, with_closed=options["with_closed"], count=options["count"]),
        "log": lambda: _log(session, options["count"]),
        "test": lambda: _test(session, target),
        "silence": lambda: _silence(session, str(target), options),
        "unsilence": lambda: _unsilence(session, str(target)),
        "token": lambda: put_token(session, str(target)),
    }
    return doers[what]()


def _list(session: Session, *, with_closed: bool, count: int) -> ExitCode:
    scheduler = session.scheduler
    alerts = scheduler.alerts(with_closed=with_closed, limit=count)
    silences = scheduler.silences()
    has_open = any(alert["is_open"] for alert in alerts)
    code = ExitCode.PROBLEM if has_open else ExitCode.FINE
    if session.is_jsonl:
        for alert in alerts:
            session.record("alert_state", alert)
    elif session.is_json:
        session.document(
            "alerts",
            {
                "alerts": alerts,
                "silences": silences,
                "pings": scheduler.pings(),
                "expected": expected_pings(session),
            },
        )
    else:
        if alerts:
            _put_alerts(session, alerts)
        else:
            session.say(translate("cli.no_alerts"))
        if alerts and silences:
            session.put()
        _put_silences(session, silences)
        if (alerts or silences) and scheduler.config.settings.alerts.expected:
            session.put()
        put_pings(session)
        if not scheduler.config.settings.alerts.channels:
            session.say(translate("cli.warning", sentence=translate("alerts.no_channels")))
        elif has_open:
            session.hint(translate("cli.next_alert_log"), "tsk alerts log")
    return code


def _put_alerts(session: Session, alerts: list[dict[str, Any]]) -> None:
    moments = session.moments()
    names = ("", "number", "kind", "tasks", "count", "since", "told")
    columns = [
        Column(translate(f"cli.alerts_{name}") if name else "", is_right=name in _NUMBERS)
        for name in names
    ]
    columns[3] = Column(translate("cli.alerts_tasks"), narrowest=12)
    rows = []
    for alert in alerts:
        mark = Cell("✕", "red") if alert["is_open"] else Cell("✓", "green")
        tasks = alert["task_ids"] or [alert["task_id"] or NOTHING]
        more = alert["task_count"] - 1
        name = tasks[0].lstrip("@") + (translate("cli.alerts_more", count=more) if more > 0 else "")
        cells = (
            mark,
            str(alert["alert_id"]),
            translate(f"alerts.kind_{alert['kind']}"),
            Cell(name, "bold"),
            str(alert["count"]),
            moments.short(alert["opened_at"]),
            moments.short(alert["told_at"]),
        )
        note = alert["error"] or (alert["cause"] if alert["kind"] == "failed" else "")
        rows.append(Row(cells, notes=(Cell(note, "dim"),) if note else ()))
    session.table(columns, rows)


def _put_silences(session: Session, silences: list[dict[str, Any]]) -> None:
    moments = session.moments()
    for silence in silences:
        until = moments.full(silence["until"])
        reason = f" ({silence['reason']})" if silence["reason"] else ""
        text = translate("cli.alerts_silenced", pattern=silence["pattern"], until=until)
        session.put(f"{text}{reason}")


def _log(session: Session, count: int) -> ExitCode:
    deliveries = session.scheduler.alert_log(limit=count)
    if session.is_jsonl:
        for delivery in deliveries:
            session.record("delivery", delivery)
    elif session.is_json:
        session.document("alert_log", {"deliveries": deliveries})
    elif not deliveries:
        session.say(translate("cli.no_deliveries"))
    else:
        moments = session.moments()
        names = ("at", "channel", "notice", "state", "tries")
        columns = [
            Column(""),
            *(Column(translate(f"cli.alerts_{name}"), narrowest=8) for name in names),
        ]
        session.table(columns, [_delivery_row(moments.short, of) for of in deliveries])
    return ExitCode.FINE


def _delivery_row(shown: Callable[[str | None], str], of: dict[str, Any]) -> Row:
    mark, style = _MARKS.get(of["state"], ("✕", "red"))
    if of["state"] == "waiting" and of["attempts"]:
        mark, style = "▲", "yellow"
    cells = (
        Cell(mark, style),
        shown(of["tried_at"] or of["created_at"]),
        Cell(of["channel"], "bold"),
        translate(f"alerts.notice_{of['notice']}"),
        translate(f"alerts.state_{of['state']}"),
        str(of["attempts"]),
    )
    notes = [Cell(of["subject"] or "", "dim")]
    if of["answer"]:
        notes.append(Cell(of["answer"], style if style in ("red", "yellow") else "dim"))
    return Row(cells, notes=notes)


def _test(session: Session, channel: str | None) -> ExitCode:
    tried = session.scheduler.test_alerts(channel)
    if session.is_json:
        session.document("alert_test", {"channels": tried})
    else:
        for found in tried:
            mark, style = ("✓", "green") if found["is_delivered"] else ("✕", "red")
            head = session.paint(f"{mark} {found['channel']}", style)
            session.put(f"{head}  {found['place']}")
            session.put(f"    {found['answer']}")
    return ExitCode.FINE if all(found["is_delivered"] for found in tried) else ExitCode.PROBLEM


def _silence(session: Session, pattern: str, options: dict[str, Any]) -> ExitCode:
    if options["seconds"] is not None and options["until"] is not None:
        raise click.UsageError(translate("cli.for_and_until"))
    scheduler = session.scheduler
    tag = tag_of(pattern)
    if tag is not None:
        check_tags(session.view, [tag])
    elif not _GLOB & set(pattern) and pattern not in scheduler.config.settings.alerts.expected:
        # An unknown task is most often a slip: silencing nothing would look like silence.
        session.view.task(pattern)
    refuse_mute(session)
    seconds = _HOUR if options["seconds"] is None else options["seconds"]
    until = scheduler.silence_alerts(
        pattern, seconds=seconds, until=options["until"], reason=options["reason"]
    )
    if session.is_json:
        values = {"pattern": pattern, "until": until, "reason": options["reason"]}
        session.document("silence", values)
    else:
        shown = session.moments().full(until)
        session.say(translate("cli.alerts_silenced", pattern=pattern, until=shown))
        session.hint(translate("cli.next_unsilence"), "tsk alerts unsilence", pattern)
    return ExitCode.FINE


def _unsilence(session: Session, pattern: str) -> ExitCode:
    refuse_mute(session)
    ended = session.scheduler.unsilence_alerts(pattern)
    if session.is_json:
        session.document("unsilence", {"pattern": pattern, "ended": ended})
    else:
        key = "cli.alerts_unsilenced" if ended else "cli.alerts_not_silenced"
        session.say(translate(key, pattern=pattern, count=ended))
    return ExitCode.FINE if ended else ExitCode.NOT_FOUND
