"""A configuration that is wrong: what can still be read of it, so that its ledger can be seen.

Responsible for: the few values of a broken file without which the commands that only read or ask
would be blind. Judges nothing: that is the configuration's own work.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from task_scheduler.config.files import parse_text
from task_scheduler.config.home_paths import home_path
from task_scheduler.config.source import DEFAULT_NAME, default_file, read_text
from task_scheduler.errors import ConfigError
from task_scheduler.i18n import LANGUAGES

__all__ = ["first_problem", "minimal_config"]

_NOT_OURS = frozenset(
    {
        "config.missing_file",
        "config.is_folder",
        "config.not_json_file",
        "config.bad_source",
        "config.several_files",
    }
)
"""Errors of a name, not of what stands in the file: another file was meant."""
_DEFAULT_LEDGER = ".scheduler/scheduler.db"


def minimal_config(error: ConfigError, named: str | None) -> dict[str, Any] | None:
    """Return a configuration with nothing but the places that a broken one names.

    None where they lead to no ledger: then nothing is hidden by refusing.
    """
    if error.key in _NOT_OURS:
        return None
    found = home_path(named) if named else default_file(Path.cwd())
    file = (Path.cwd() / (found or DEFAULT_NAME)).absolute()
    values = _values(file)
    ledger = _text(values, "storage", "path") or _DEFAULT_LEDGER
    if not _is_there(file.parent / home_path(ledger)):
        return None
    config: dict[str, Any] = {
        "storage": {"path": str(file.parent / home_path(ledger))},
        "logging": {
            "log_dir": str(file.parent / (_text(values, "logging", "log_dir") or "logs")),
            "console": False,
        },
    }
    log_file = _text(values, "logging", "log_file")
    if log_file and "/" not in log_file:
        config["logging"]["log_file"] = log_file
    language = _text(values, "scheduler", "language")
    if language in LANGUAGES:
        config["scheduler"] = {"language": language}
    return config


def first_problem(error: ConfigError) -> str:
    """Return the first thing that is wrong, with its place, in one line."""
    listed = error.values.get("problems")
    text = f"{listed[0]['place']}: {listed[0]['message']}" if listed else str(error)
    return " ".join(text.split())


def _values(file: Path) -> Mapping[str, Any]:
    if file.suffix == ".py":
        # It failed once already; to run it again would do again what it did.
        return {}
    try:
        values = parse_text(read_text(file), file).value
    except ConfigError:
        return {}
    return values if isinstance(values, dict) else {}


def _text(values: Mapping[str, Any], section: str, key: str) -> str:
    """Return a text of a section; empty where there is none that can be taken as it stands."""
    found = values.get(section)
    value = found.get(key) if isinstance(found, dict) else None
    return value if isinstance(value, str) and "${" not in value else ""


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        # Not ours to look into, or no path at all: what opens it says why.
        return False
