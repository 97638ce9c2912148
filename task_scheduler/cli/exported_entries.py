"""Tasks of the ledger in the forms in which they can go elsewhere.

Responsible for: an entry of a configuration that declares the same task again, and a line of a
crontab that starts the same program at the same times; what cannot be said there is refused.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from task_scheduler.core.model import Policies
from task_scheduler.core.policies import to_plain

__all__ = ["NotExportedError", "crontab_line", "entry_of"]

_KINDS = ("script", "command", "function", "log_cleanup", "http")
_EMPTY: tuple[Any, ...] = (None, [], {}, "")
_PLAIN_CRON = frozenset({"type", "cron", "timezone"})


class NotExportedError(Exception):
    """A task that cannot be said in that form; `key` and `values` name why."""

    def __init__(self, key: str, **values: Any) -> None:
        super().__init__(key)
        self.key = key
        self.values = values


def entry_of(task: Mapping[str, Any], usual: Policies | None = None) -> dict[str, Any]:
    """Return the entry of a task as `LedgerView.tasks` answers it; raises NotExportedError.

    Without the policies that are as `usual`: those of the release, or of the configuration where
    the entry is to be read.
    """
    if task["kind"] not in _KINDS or not task["definition"]:
        raise NotExportedError("export_code_bound", task_id=task["task_id"])
    defaults = to_plain(usual or Policies())
    policies = {
        name: value
        for name, value in task["policies"].items()
        if name in defaults and value != defaults[name]
    }
    # No limit is the default of a policy, and 0 in a configuration.
    if "timeout" in policies and policies["timeout"] is None:
        policies["timeout"] = 0
    definition = {
        name: value
        for name, value in task["definition"].items()
        # Of a request an empty document is a body all the same.
        if value not in _EMPTY or (name == "json" and value is not None)
    }
    entry = {"type": task["kind"], **definition, **policies}
    if task["name"] != task["task_id"]:
        entry["name"] = task["name"]
    if task["description"]:
        entry["description"] = task["description"]
    if task["rules"]:
        entry["schedule"] = task["rules"]
    return entry


def crontab_line(task: Mapping[str, Any]) -> tuple[str, str]:
    """Return zone and line of a task; the zone is empty where it is the machine's.

    Raises NotExportedError.
    """
    definition, task_id = task["definition"] or {}, task["task_id"]
    if task["kind"] == "command":
        words = definition["command"]
    elif task["kind"] == "script":
        interpreter = definition.get("interpreter")
        words = [definition["script_path"], *definition.get("args", [])]
        is_python = words[0].endswith(".py")
        words = ([interpreter] if interpreter else ["python3"] if is_python else []) + words
    else:
        raise NotExportedError("export_no_command", task_id=task_id)
    rules = task["rules"]
    expression = _expression(rules[0]) if len(rules) == 1 else ""
    if not expression:
        raise NotExportedError("export_no_expression", task_id=task_id)
    folder, env = definition.get("working_dir"), definition.get("env") or {}
    parts = [f"cd {shlex.quote(folder)} &&"] if folder else []
    parts += [f"{name}={shlex.quote(str(value))}" for name, value in sorted(env.items())]
    command = " ".join([*parts, shlex.join(map(str, words))])
    if "\n" in command:
        raise NotExportedError("export_no_command", task_id=task_id)
    # To cron a percent sign is the end of the command.
    return str(
        rules[0].get("timezone") or ""
    ), f"{expression} {command.replace('%', chr(92) + '%')}"


def _expression(rule: Mapping[str, Any]) -> str:
    """Return five fields that say what a rule says; empty where none do."""
    if rule["type"] == "cron" and rule.keys() <= _PLAIN_CRON:
        text = str(rule["cron"])
        is_known = text.startswith("@") or (
            len(text.split()) == 5 and not any(mark in text for mark in "LWH#~?")
        )
        return text if is_known else ""
    return ""
