"""An entry before and after a change, as a person compares them, and its coming into the ledger.

Responsible for: the declared form of what the ledger has and of what is to be there, the lines in
which they differ, and what is told once it is saved.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import unified_diff
from typing import TYPE_CHECKING, Any

from task_scheduler.cli.display_width import showable
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.exported_entries import NotExportedError, entry_of
from task_scheduler.cli.failures import CliError
from task_scheduler.cli.holders import refuse_mute, say_if_nobody_runs
from task_scheduler.core.policies import to_plain
from task_scheduler.errors import DefinitionError
from task_scheduler.i18n import translate
from task_scheduler.schedules.occurrences import union
from task_scheduler.schedules.rule import from_plain, occurrences_of
from task_scheduler.task_rules import plain_of
from task_scheduler.tasks.registry import EntryMaker

if TYPE_CHECKING:
    from task_scheduler.cli.session import Session
    from task_scheduler.config.config import Config
    from task_scheduler.config.entries import Declared

__all__ = [
    "coming",
    "declared_form",
    "put_difference",
    "save",
    "say_saved",
    "say_warnings",
    "stored_form",
    "text_of",
]

_COMING = 3
_STYLES = {"+": "green", "-": "red"}


def stored_form(session: Session, task: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry of a task of the ledger; CliError where it lives in a program alone."""
    try:
        return entry_of(task, session.scheduler.config.policies)
    except NotExportedError as error:
        raise CliError(
            translate("manual.code_bound", task_id=task["task_id"]),
            ExitCode.CONFLICT,
            hint=translate("cli.next_show"),
            command=f"tsk show {task['task_id']}",
            error="E2215",
        ) from error


def declared_form(config: Config, declared: Declared) -> dict[str, Any]:
    """Return the entry of a task that is not in the ledger yet, as if it were."""
    rules = tuple(plain_of(rule) for rule in declared.rules)
    entry = EntryMaker(config.policies).entry_of(declared.task, rules, has_user_rule=False)
    task = {
        "task_id": entry.task_id,
        "name": entry.name,
        "kind": entry.kind,
        "definition": entry.definition,
        "description": entry.definition.get("description", ""),
        "policies": to_plain(entry.policies),
        "rules": list(rules),
    }
    return entry_of(task, config.policies)


def text_of(entry: Mapping[str, Any]) -> str:
    """Return an entry as the text that is edited and compared."""
    return json.dumps(entry, ensure_ascii=False, indent=2) + "\n"


def put_difference(session: Session, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Write the lines in which two entries differ; of a new one there is nothing to take away."""
    old = text_of(before).splitlines() if before else []
    lines = unified_diff(old, text_of(after).splitlines(), lineterm="")
    for number, line in enumerate(lines):
        if number >= 2 and not line.startswith("@@"):
            session.put(session.paint(showable(line), _STYLES.get(line[0], "")))


def save(session: Session, declared: Declared, known: Mapping[str, Any] | None = None) -> None:
    """Bring a task into the ledger; `known` is how it stands there already.

    What the configuration declares stays its own: deleted there, the task is archived.
    """
    refuse_mute(session)
    _refuse_function(session, declared)
    origin = "config" if known is not None and known["origin"] == "config" else "cli"
    session.scheduler.put_declared(declared, origin=origin)
    if origin == "config":
        session.say(translate("manual.declared_anew", task_id=declared.task.task_id))


def _refuse_function(session: Session, declared: Declared) -> None:
    """Raise DefinitionError for a function that no scheduler of this configuration would import."""
    from task_scheduler.launch_guard import LaunchGuard

    reference = (declared.task.definition() or {}).get("function")
    guard = LaunchGuard(session.scheduler.config.settings.security.rules())
    if reference is not None and not guard.allows_function(reference):
        raise DefinitionError("tasks.function_not_allowed", reference=reference)


def say_saved(session: Session, task: Mapping[str, Any], key: str) -> None:
    """Tell when a task is due, and whether anybody will start it."""
    task_id = task["task_id"]
    moments = session.moments()
    sentences = translate("cli.and").join(task["schedule"]) or translate("cli.no_schedule")
    session.say(translate(key, task_id=showable(task_id), schedule=sentences))
    following = coming(session, task_id)
    if following:
        shown = " · ".join(moments.short(moment) for moment in following)
        session.say(translate("manual.coming", moments=shown))
    say_if_nobody_runs(session)


def coming(session: Session, task_id: str, count: int = _COMING) -> list[str]:
    """Return the next moments of a task as the ledger has them, ISO 8601; none where it rests."""
    from task_scheduler.ledger_view import iso

    plan = session.view.plans([task_id]).get(task_id)
    if plan is None or plan["next_due_at"] is None or not plan["is_planned"]:
        return []
    calendars = session.scheduler.config.calendars
    rules = [from_plain(plain) for plain in plan["rules"]]
    occurrences = union([occurrences_of(rule, calendars, task_id=task_id) for rule in rules])
    found: list[str] = []
    moment = plan["next_due_at"]
    while moment is not None and len(found) < count:
        found.append(str(iso(moment)))
        moment = occurrences.next_after(moment, plan["anchor"])
    return found


def say_warnings(session: Session, declared: Declared) -> None:
    """Tell what will probably fail when a task runs."""
    from task_scheduler.launch_guard import LaunchGuard
    from task_scheduler.tasks.registry import warnings_of

    guard = LaunchGuard(session.scheduler.config.settings.security.rules())
    for sentence in (*warnings_of(declared.task), *guard.warnings_of(declared.task)):
        session.say(translate("cli.warning", sentence=showable(sentence)))
