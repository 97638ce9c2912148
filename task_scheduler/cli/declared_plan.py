"""What a configuration would change, as the commands show it and have it done.

Responsible for: who is asked (the scheduler that runs, or the ledger itself), and the lines of a
plan. Exit codes and questions are the commands' own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from task_scheduler.cli.display_width import showable
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.cli.holders import running_holder
from task_scheduler.cli.session import Session
from task_scheduler.i18n import translate
from task_scheduler.ledger_view import rule_sentence

__all__ = ["counts_of", "is_run_elsewhere", "plan_for", "put_plan", "use_file"]

_MARKS = {
    "add": ("+", "green"),
    "restore": ("+", "green"),
    "change": ("~", "yellow"),
    "replace": ("~", "yellow"),
    "archive": ("-", "red"),
    "drift": ("!", "blue"),
}
_MOST_CHARACTERS = 60
"""Of a value; `--json` has all."""


def use_file(session: Session, file: str | None) -> None:
    """Make a file that was named the configuration of this invocation; a wrong one ends it."""
    session.is_config_needed = True
    if file is not None:
        session.config = file


def is_run_elsewhere(session: Session) -> bool:
    """Whether a scheduler runs that has this very configuration.

    Raises CliError for one that has another, which it would take up again, or none.
    """
    if running_holder(session) is None:
        return False
    own = session.scheduler.config.path
    path = session.scheduler.ask_config()
    if path is None:
        raise CliError(
            translate("declaring.from_program"),
            ExitCode.CONFLICT,
            hint=translate("declaring.next_from_program"),
            command="tsk ls",
            error="E4011",
        )
    if own is None or Path(path).resolve() != own.resolve():
        sentence = translate("declaring.another_config", own=own or "-", path=path)
        raise CliError(
            sentence,
            ExitCode.CONFLICT,
            hint=translate("declaring.next_that_config"),
            command=f"tsk -c {path} diff",
            error="E4011",
        )
    return True


def plan_for(session: Session) -> dict[str, Any]:
    """Return the plan: by the scheduler that runs, for it has its own environment, or from here."""
    if is_run_elsewhere(session):
        return session.scheduler.ask_plan()
    return session.scheduler.plan_declared()


def counts_of(changes: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many changes of each kind there are."""
    return {kind: sum(change["kind"] == kind for change in changes) for kind in _MARKS}


def put_plan(session: Session, plan: Mapping[str, Any]) -> None:
    """Print each change with what is new in it, and a sentence about all of them."""
    for change in plan["changes"]:
        mark, style = _MARKS[change["kind"]]
        what = translate(f"declaring.{change['kind']}")
        session.put(
            f"{session.paint(mark, style)} {session.paint(change['task_id'], 'bold')}  {what}"
        )
        for line in _lines(session, change):
            session.put(f"    {line}")
    counts = counts_of(plan["changes"])
    path = plan["config"] or translate("cli.no_config")
    if not plan["changes"]:
        session.say(translate("declaring.same", path=path))
        return
    parts = [translate(f"declaring.count_{kind}", count=n) for kind, n in counts.items() if n]
    told = translate("declaring.separator").join(parts)
    session.say(translate("declaring.summary", path=path, counts=told))


def _lines(session: Session, change: Mapping[str, Any]) -> list[str]:
    lines = []
    edited = change["edited"]
    if edited is not None:
        when = session.moments().precise(edited["at"])
        lines.append(translate("declaring.edited", actor=showable(edited["actor"]), at=when))
    if change["kind"] != "archive":
        lines += [_field(change, field) for field in change["fields"]]
    for first in change["first_runs"]:
        when = translate("declaring.no_run")
        if first["at"] is not None:
            when = session.moments().precise(first["at"])
        lines.append(translate("declaring.first_run", rule=first["rule"], at=when))
    return lines


def _field(change: Mapping[str, Any], field: Mapping[str, Any]) -> str:
    key = field["key"]
    values = {name: _shown(key, field[name], change["task_id"]) for name in ("before", "after")}
    name = (
        "field_drift"
        if change["kind"] == "drift"
        else "field_edit"
        if field["is_edit"]
        else "field"
    )
    return translate(f"declaring.{name}", key=key, **values)


def _shown(key: str, value: Any, task_id: str) -> str:
    if key == "schedule":
        sentences = [rule_sentence(dict(rule), task_id) for rule in value or ()]
        return translate("cli.and").join(sentences) or translate("cli.no_schedule")
    if value is None:
        return "-"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = showable(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}..."
