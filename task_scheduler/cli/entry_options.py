"""An entry from the command line: options become its keys, `--set` every other one.

Responsible for: the options that `add` and `edit` share, and what they change of an entry. Whether
a value is right is the configuration's business.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from task_scheduler.cli.parameters import Duration, Number
from task_scheduler.i18n import translate

__all__ = ["Given", "changed", "entry_options", "given"]

_TIMES = {
    "every": "every",
    "cron": "cron",
    "at": "at",
    "daily": "daily",
    "weekly": "weekly",
    "monthly": "monthly",
    "on_calendar": "on_calendar",
    "rrule": "rrule",
    "solar": "solar",
}
"""The options that say when, and the keys of an entry that they are."""
_PLAIN = {
    "name": "name",
    "description": "description",
    "method": "method",
    "timeout": "timeout",
    "retries": "max_retries",
    "retry_delay": "retry_delay",
    "overlap": "overlap",
}
_KINDS = {"script": ("script", "script_path"), "function": ("function", "function")} | {
    "url": ("http", "url")
}
"""The options that say what, the type of such an entry and its key."""
_PATHS = ("script_path", "working_dir")
_OF_CONFIGURATION = ("enabled", "ping_url")
"""Keys that only the configuration heeds."""


class Given(NamedTuple):
    """What a command line says of an entry."""

    kind: str | None
    """Its type; None where nothing names one."""
    values: dict[str, Any]
    """Keys of the entry; ``env.PATH`` is the key of a mapping in it."""
    words: tuple[str, ...]
    """What stands after the options: a command, or the arguments of a script or a function."""
    unset: tuple[str, ...] = ()


_Option = Callable[[Callable[..., Any]], Callable[..., Any]]

_OPTIONS: tuple[_Option, ...] = (
    click.option("--every", metavar="TIME"),
    click.option("--cron", metavar="EXPR"),
    click.option("--at", multiple=True, metavar="MOMENT"),
    click.option("--daily", metavar="HH:MM"),
    click.option("--weekly", metavar="TEXT"),
    click.option("--monthly", metavar="TEXT"),
    click.option("--on-calendar", metavar="TEXT"),
    click.option("--rrule", metavar="TEXT"),
    click.option("--solar", metavar="TEXT"),
    click.option("--timezone", metavar="ZONE"),
    click.option("--after", multiple=True, metavar="TASK"),
    click.option("--script", metavar="FILE"),
    click.option("--function", metavar="MODULE:NAME"),
    click.option("--url", metavar="URL"),
    click.option("--method", metavar="WORD"),
    click.option("--name", metavar="TEXT"),
    click.option("--description", metavar="TEXT"),
    click.option("--working-dir", metavar="DIR"),
    click.option("--env", multiple=True, metavar="NAME=VALUE"),
    click.option("--timeout", type=Duration(), metavar="TIME"),
    click.option("--retries", type=Number(0), metavar="N"),
    click.option("--retry-delay", type=Duration(), metavar="TIME"),
    click.option("--overlap", metavar="POLICY"),
    click.option("--tag", "tags", multiple=True, metavar="TAG"),
    click.option("--set", "settings", multiple=True, metavar="KEY=VALUE"),
)


def entry_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of an entry."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def given(words: Sequence[str], options: Mapping[str, Any], *, unset: Sequence[str] = ()) -> Given:
    """Return what the options and the words after them say; raises UsageError for a riddle."""
    values: dict[str, Any] = {
        key: options[name] for name, key in (_TIMES | _PLAIN).items() if options[name] not in _NONE
    }
    for name in ("timezone", "working_dir"):
        if options[name] is not None:
            values[name] = options[name]
    for name in ("at", "after", "tags"):
        if options[name]:
            values[name] = list(options[name])
    named = [name for name in _KINDS if options[name] is not None]
    if len(named) > 1 or ("url" in named and words):
        raise click.UsageError(translate("manual.one_kind"))
    kind = None
    for name in named:
        kind, key = _KINDS[name]
        values[key] = options[name]
    for pair in options["env"]:
        name, value = _pair(pair, "--env")
        values[f"env.{name}"] = value
    for pair in options["settings"]:
        key, value = _pair(pair, "--set")
        values[key] = _value(value)
    for key in (*values, *unset):
        if key in _OF_CONFIGURATION:
            raise click.UsageError(translate("manual.of_configuration", key=key))
    return Given(
        kind,
        {key: _placed(key, value) for key, value in values.items()},
        tuple(words),
        tuple(unset),
    )


_NONE: tuple[Any, ...] = (None, ())


def changed(entry: Mapping[str, Any], said: Given) -> dict[str, Any]:
    """Return an entry with what was said of it in its place."""
    found = dict(entry)
    if said.kind is not None:
        found["type"] = said.kind
    if any(time in said.values for time in (*_TIMES.values(), "schedule")):
        # One time takes the place of whatever there was.
        for key in (*_TIMES.values(), "schedule"):
            found.pop(key, None)
    elif "timezone" in said.values:
        _set_zone(found, said.values["timezone"])
    for key, value in said.values.items():
        if key != "timezone" or "schedule" not in found:
            _put(found, key, value)
    for key in said.unset:
        _remove(found, key)
    if said.words:
        _put_words(found, said.words)
    return found


def _set_zone(entry: dict[str, Any], zone: str) -> None:
    rules = entry.get("schedule")
    if isinstance(rules, list):
        entry["schedule"] = [{**rule, "timezone": zone} for rule in rules]


def _put_words(entry: dict[str, Any], words: Sequence[str]) -> None:
    if entry.get("type") == "script":
        entry["args"] = list(words)
    elif entry.get("type") == "function":
        entry["args"] = [_value(word) for word in words]
    else:
        entry["command"] = list(words)


def _put(entry: dict[str, Any], key: str, value: Any) -> None:
    """Set a key; one with dots leads into mappings."""
    *way, last = key.split(".")
    holder = entry
    for part in way:
        inner = holder.get(part)
        holder[part] = dict(inner) if isinstance(inner, Mapping) else {}
        holder = holder[part]
    holder[last] = value


def _remove(entry: dict[str, Any], key: str) -> None:
    *way, last = key.split(".")
    holder: Any = entry
    for part in way:
        inner = holder.get(part)
        if not isinstance(inner, Mapping):
            break
        holder[part] = dict(inner)
        holder = holder[part]
    else:
        if last in holder:
            del holder[last]
            return
    raise click.UsageError(translate("manual.not_set", key=key))


def _pair(text: str, option: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not name.strip():
        raise click.UsageError(translate("manual.no_pair", option=option, value=text))
    return name.strip(), value


def _value(text: str) -> Any:
    """Return the JSON value that a text is, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _placed(key: str, value: Any) -> Any:
    """Return a path as seen from the current folder: a scheduler is somewhere else."""
    is_path = key in _PATHS and isinstance(value, str) and not value.startswith("~")
    return str(Path.cwd() / value) if is_path else value
