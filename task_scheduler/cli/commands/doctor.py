"""`tsk doctor`: what slows the scheduler down or endangers it, with figures and remedies."""

from __future__ import annotations

from typing import Any

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.holders import holder_of
from task_scheduler.cli.parameters import Choice, Duration
from task_scheduler.cli.session import Session
from task_scheduler.cli.tables import Cell, Column, Row
from task_scheduler.doctor.findings import CHECKS, Finding, Level, bottleneck, worst
from task_scheduler.i18n import translate

_LIMIT_SECONDS = 5.0
_MARKS = {
    Level.FINE: Cell("✓", "green"),
    Level.UNKNOWN: Cell("?", "dim"),
    Level.WARNING: Cell("!", "yellow"),
    Level.PROBLEM: Cell("✕", "red"),
}


@cli_command(
    "doctor",
    examples=("tsk doctor", "tsk doctor database --limit 10m", "tsk doctor --json"),
)
@click.argument("checks", nargs=-1, type=Choice(CHECKS), metavar="[CHECK]...")
@click.option("--limit", type=Duration(), default=_LIMIT_SECONDS, metavar="TIME")
def command(session: Session, checks: tuple[str, ...], limit: float) -> ExitCode:
    """Examine; the exit code is 1 for a problem, else 4 where no scheduler runs."""
    holder = holder_of(session)
    found = session.scheduler.examine(checks or CHECKS, limit_seconds=limit)
    is_running = holder is not None and holder["state"] == "running"
    if session.is_json:
        session.document("doctor", _plain(session, found, is_running=is_running))
    else:
        _put(session, found)
    if worst(found) is Level.PROBLEM:
        return ExitCode.PROBLEM
    return ExitCode.FINE if is_running else ExitCode.UNREACHABLE


def _verdict(found: list[Finding]) -> str:
    """Return in one sentence what all of it comes to: what slows things down comes first."""
    cause = bottleneck(found)
    if cause is not None:
        return translate("doctor.verdict_bottleneck", name=_name(cause), sentence=cause.told())
    counts = {
        level: sum(finding.level is level for finding in found)
        for level in (Level.PROBLEM, Level.WARNING)
    }
    if not any(counts.values()):
        return translate("doctor.verdict_fine", count=len(found))
    problems, warnings = counts[Level.PROBLEM], counts[Level.WARNING]
    return translate("doctor.verdict_some", problems=problems, warnings=warnings)


def _plain(session: Session, found: list[Finding], *, is_running: bool) -> dict[str, Any]:
    cause = bottleneck(found)
    return {
        "verdict": worst(found).value,
        "sentence": _verdict(found),
        "bottleneck": None if cause is None else cause.check,
        "is_running": is_running,
        "checks": [finding.plain() for finding in found],
        "database": str(session.scheduler.files.database),
    }


def _put(session: Session, found: list[Finding]) -> None:
    """Write the verdict, then every check; below those that are not fine what mends them."""
    level = worst(found)
    style = "green" if level in (Level.FINE, Level.UNKNOWN) else _MARKS[level].style
    session.put(session.paint(f"{_MARKS[level].text} {_verdict(found)}", style))
    rows = [
        Row(
            (_MARKS[finding.level], Cell(_name(finding), "bold"), finding.told()),
            [Cell(finding.advice())] if finding.remedy else [],
        )
        for finding in found
    ]
    session.table([Column(""), Column("", narrowest=12), Column("", narrowest=30)], rows)


def _name(finding: Finding) -> str:
    return translate(f"doctor.check_{finding.check}")
