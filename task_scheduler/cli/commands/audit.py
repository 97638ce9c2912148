"""`tsk audit`: who changed what; `tsk audit verify`: whether the record is whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.moments import NOTHING
from task_scheduler.cli.parameters import Choice, Number
from task_scheduler.cli.session import Session
from task_scheduler.cli.tables import Cell, Column, Row
from task_scheduler.core.audit import AuditRow, check
from task_scheduler.i18n import translate

_PAGE = 2_000
_MOST_CHARACTERS = 80
"""Of a value in the list; `--json` has all."""


@cli_command("audit", examples=("tsk audit", "tsk audit --task data_upload", "tsk audit verify"))
@click.argument(
    "what", required=False, default="ls", type=Choice(("ls", "verify")), metavar="[ls|verify]"
)
@click.option("--task", metavar="TASK")
@click.option("-n", "--last", "count", type=Number(), default=20, metavar="N")
@click.option("--head", metavar="HASH")
def command(
    session: Session, what: str, task: str | None, count: int, head: str | None
) -> ExitCode:
    """Print the changes, newest first, or check their chain."""
    if what == "verify":
        return _verify(session, head)
    rows = session.view.audit(task, limit=count)
    if session.is_jsonl:
        for row in rows:
            session.record("change", row)
    elif session.is_json:
        session.document("audit", {"changes": rows})
    elif not rows:
        session.say(translate("cli.no_changes"))
    else:
        _put(session, rows)
    return ExitCode.FINE


def _put(session: Session, rows: list[dict[str, Any]]) -> None:
    moments = session.moments()
    names = ("number", "at", "actor", "action", "task")
    columns = [Column(translate(f"cli.audit_{name}"), narrowest=8) for name in names]
    session.table(
        columns,
        [
            Row(
                [
                    str(row["number"]),
                    moments.precise(row["at"]),
                    row["actor"],
                    row["action"],
                    Cell(row["task_id"] or NOTHING, "bold"),
                ],
                notes=(Cell(text, "dim"),) if (text := _difference(row)) else (),
            )
            for row in rows
        ],
    )


def _difference(row: dict[str, Any]) -> str:
    """Return what changed, in one line."""
    before, after = row["before"], row["after"]
    if not (isinstance(before, dict) and isinstance(after, dict)):
        told = after if before is None and row["action"] != "add" else None
        return ", ".join(f"{key}: {_short(value)}" for key, value in (told or {}).items())
    return ", ".join(
        f"{key}: {_short(before.get(key))} -> {_short(after.get(key))}"
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    )


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}..."


def _verify(session: Session, head: str | None) -> ExitCode:
    count, last, findings = check(_all(session), head)
    if session.is_json:
        problems = [{"number": finding.number, "what": finding.what} for finding in findings]
        session.document("audit_verify", {"rows": count, "head": last, "problems": problems})
        return ExitCode.PROBLEM if findings else ExitCode.FINE
    for finding in findings:
        session.put_sentence(translate(f"cli.audit_{finding.what}", number=finding.number))
    if findings:
        return ExitCode.PROBLEM
    session.put_sentence(translate("cli.audit_whole", count=count, head=last))
    return ExitCode.FINE


def _all(session: Session) -> Iterator[AuditRow]:
    after = 0
    while page := session.view.audit_rows(after=after, limit=_PAGE):
        yield from page
        after = page[-1].number
