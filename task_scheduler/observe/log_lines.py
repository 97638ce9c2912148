r"""One record, one event, one line: the text format of the original, and JSON lines.

Responsible for: the shape of a line, and for neutralising what a stranger put into it.

A character that could end the line, hide or reorder it, or command a terminal (control, format and
surrogate characters, line and paragraph separators) is written as its Python escape, ``\n`` or
``\x1b``. What follows the first line of a text event, a traceback or a stack, stands on lines that
each begin with ``    | ``, so that no line of an event can pass for the beginning of another.
"""

from __future__ import annotations

import json
import logging
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime

from task_scheduler.i18n import translate

__all__ = [
    "CONTINUATION",
    "EXTRAS",
    "JsonLines",
    "TextLines",
    "details_of",
    "message_of",
    "neutralised",
    "run_of",
]

_FORMAT = "%(asctime)s - %(name)s - %(levelname)s - %(funcName)s:%(lineno)d - %(message)s"
_DATE_FORMAT = "%Y-%m-%d %H:%M:%S"
_TASK_LOGGER = "TaskScheduler.task"
CONTINUATION = "    | "
"""Before each line of an event that is not its first."""
EXTRAS = ("action", "task_id", "run_id", "attempt", "fault")
"""What a record may carry beside its message."""
_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_NOT_ASCII_PRINTABLE = re.compile(r"[^ -~]")


class TextLines(logging.Formatter):
    """``2024-01-01 12:00:00 - TaskScheduler - INFO - _execute_task:123 - message``."""

    def __init__(self) -> None:
        super().__init__(_FORMAT, _DATE_FORMAT)

    def format(self, record: logging.LogRecord) -> str:
        """Return the event's text."""
        record.message = message_of(record) + run_of(record)
        record.asctime = self.formatTime(record, self.datefmt)
        lines = [neutralised(self.formatMessage(record))]
        lines += [CONTINUATION + neutralised(line) for line in details_of(self, record)]
        return "\n".join(lines)


def run_of(record: logging.LogRecord) -> str:
    """Say whose line it is, where a task wrote it; our own sentences name the task."""
    ids = vars(record)
    if not record.name.startswith(_TASK_LOGGER) or "run_id" not in ids:
        return ""
    return f" [{ids.get('task_id', '')} #{ids['run_id']}]"


class JsonLines(logging.Formatter):
    """One JSON object a line; the time is RFC 3339 with the offset of local time."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the event as one object, with the ids that the record carries."""
        time = datetime.fromtimestamp(record.created, UTC).astimezone()
        event: dict[str, object] = {
            "time": time.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "function": record.funcName,
            "line": record.lineno,
            "message": message_of(record),
        }
        for name in EXTRAS:
            value = getattr(record, name, None)
            if value is not None:
                event[name] = value if isinstance(value, str | int) else type(value).__name__
        details = details_of(self, record)
        if details:
            event["traceback"] = "\n".join(details)
        text = json.dumps(event, ensure_ascii=False)
        # Harmful characters can stand only inside the strings, where JSON's own escape means them.
        return _escaped(text, lambda character: json.dumps(character)[1:-1])


def neutralised(text: str) -> str:
    """Return the text with every character escaped that is more than a character."""
    return _escaped(text, lambda character: character.encode("unicode_escape").decode("ascii"))


def _escaped(text: str, escape: Callable[[str], str]) -> str:
    if text.isprintable():
        return text
    return _NOT_ASCII_PRINTABLE.sub(
        lambda found: escape(found[0]) if unicodedata.category(found[0]) in _HARMFUL else found[0],
        text,
    )


def message_of(record: logging.LogRecord) -> str:
    """Return what a record says."""
    try:
        return record.getMessage()
    except Exception as error:  # fence: listener
        # Arguments that do not fit the message, or cannot be shown: the message is still worth it.
        message = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        return translate("logs.bad_arguments", message=message, reason=type(error).__name__)


def details_of(formatter: logging.Formatter, record: logging.LogRecord) -> list[str]:
    """Return the lines of a record's traceback and stack."""
    parts = []
    if record.exc_info:
        parts.append(formatter.formatException(record.exc_info))
    elif record.exc_text:
        parts.append(record.exc_text)
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return [line for part in parts for line in part.split("\n")]
