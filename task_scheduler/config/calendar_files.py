"""The files of calendars: iCalendar, YAML and JSON.

Responsible for: reading them as text, YAML and JSON as plain values, and the place of what is wrong
in one. YAML is read without its types: a date stays the text that was written, and so does 22:00,
which YAML 1.1 takes for a number to the base of sixty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from task_scheduler.config.document import parse_document
from task_scheduler.config.problems import KeyPath, Place, dotted
from task_scheduler.errors import ConfigError, ScheduleError
from task_scheduler.i18n import translate
from task_scheduler.schedules.calendars.named_calendar import Calendar
from task_scheduler.schedules.calendars.plain import calendar_from_plain

__all__ = ["CalendarError", "calendar_of_plain", "read_calendar"]

_DEEPEST = 50
_SIZE_LIMIT = 8 * 1024 * 1024
_NODE_LIMIT = 200_000
"""Of a YAML file, aliases counted every time: a few lines of them can stand for billions."""
_DEPTH_LIMIT = 20
_SUFFIXES = (".ics", ".yaml", ".yml", ".json")
_YES = frozenset({"true", "yes", "on"})


class CalendarError(Exception):
    """What is wrong with a calendar: the key at which it stands, and the place in its file."""

    def __init__(self, path: KeyPath, sentence: str, place: Place | None = None) -> None:
        super().__init__(path, sentence, place)
        self.path = path
        self.sentence = sentence
        self.place = place


def calendar_of_plain(plain: Mapping[str, Any]) -> Calendar:
    """Return the calendar of its plain form; raises CalendarError."""
    try:
        return calendar_from_plain(plain)
    except ScheduleError as error:
        raise CalendarError(tuple(error.values.get("path", ())), str(error)) from error


def read_calendar(path: Path) -> Calendar:
    """Return the calendar of a file, by its suffix; raises CalendarError at the key `file`."""
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        known = ", ".join(_SUFFIXES)
        raise _error(translate("config.calendar_file_kind", path=str(path), known=known))
    text = _text_of(path)
    if suffix == ".ics":
        return _from_ics(text, path)
    return _from_json(text, path) if suffix == ".json" else _from_yaml(text, path)


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_SIZE_LIMIT + 1)
        if len(data) <= _SIZE_LIMIT:
            return data.decode("utf-8-sig")
        reason = translate("config.long_file", limit=_SIZE_LIMIT)
    except UnicodeDecodeError:
        reason = translate("config.not_text")
    except (OSError, ValueError) as error:  # a NUL character in the path
        reason = getattr(error, "strerror", None) or str(error)
    raise _error(translate("config.calendar_unreadable", path=str(path), reason=reason))


def _from_ics(text: str, path: Path) -> Calendar:
    # Not needed by those who have no such file.
    from task_scheduler.schedules.calendars.ics import calendar_from_ics

    try:
        return calendar_from_ics(text)
    except ScheduleError as error:
        line = error.values.get("line", 1)
        raise _error(str(error), Place(f"{path}:{line}", str(path), line)) from error


def _from_json(text: str, path: Path) -> Calendar:
    try:
        document = parse_document(text, str(path))
    except ConfigError as error:
        raise _error(str(error)) from error
    if document.problems:
        raise _error(document.problems[0].sentence, document.problems[0].place)
    return _of_file(document.value, document.place)


def _from_yaml(text: str, path: Path) -> Calendar:
    import yaml

    if _is_deep(text):
        # The reader would find that out too, for its whole stack and most of a second.
        raise _error(translate("config.calendar_yaml_large"), _marked(path, None))
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        reason = getattr(error, "problem", None) or str(error)
        place = _marked(path, getattr(error, "problem_mark", None))
        raise _error(translate("config.calendar_yaml", reason=reason), place) from error
    except RecursionError:
        raise _error(translate("config.calendar_yaml_large"), _marked(path, None)) from None
    marks: dict[KeyPath, Any] = {}
    values = None if node is None else _plain_of(node, (), marks, path)
    return _of_file(values, lambda at: _marked(path, marks.get(at)))


def _is_deep(text: str) -> bool:
    """Whether more brackets stand open within each other than a calendar ever needs."""
    depth = 0
    for mark in re.findall(r"[\[\]{}]", text):
        depth = depth + 1 if mark in "[{" else max(0, depth - 1)
        if depth > _DEEPEST:
            return True
    return False


def _plain_of(node: Any, at: KeyPath, marks: dict[KeyPath, Any], path: Path) -> Any:
    """Return a node of YAML as plain values, scalars as text, and note where each begins."""
    if len(marks) >= _NODE_LIMIT or len(at) > _DEPTH_LIMIT:
        place = _marked(path, node.start_mark)
        raise _error(translate("config.calendar_yaml_large"), place)
    marks[at] = node.start_mark
    if node.id == "mapping":
        plain: dict[str, Any] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in plain:
                sentence = translate("config.calendar_key_twice", key=dotted((*at, name)))
                raise _error(sentence, _marked(path, key.start_mark))
            plain[name] = _plain_of(value, (*at, name), marks, path)
        return plain
    if node.id == "sequence":
        return [_plain_of(item, (*at, index), marks, path) for index, item in enumerate(node.value)]
    if node.tag == "tag:yaml.org,2002:bool":
        return node.value.lower() in _YES
    return None if node.tag == "tag:yaml.org,2002:null" else node.value


def _of_file(values: Any, place_of: Callable[[KeyPath], Place]) -> Calendar:
    if not isinstance(values, dict):
        raise _error(translate("config.must_be_object"), place_of(()))
    try:
        return calendar_from_plain(values)
    except ScheduleError as error:
        at = tuple(error.values.get("path", ()))
        named = f"{dotted(at)}: " if at else ""
        raise _error(f"{named}{error}", place_of(at)) from error


def _marked(path: Path, mark: Any) -> Place:
    if mark is None:
        return Place(str(path), str(path))
    line, column = mark.line + 1, mark.column + 1
    return Place(f"{path}:{line}:{column}", str(path), line, column)


def _error(sentence: str, place: Place | None = None) -> CalendarError:
    return CalendarError(("file",), sentence, place)
