"""systemd's unit files, as far as timers need them: sections, drop-ins, command lines, specifiers.

Responsible for: the syntax of systemd.syntax(7), the quoting of command lines of
systemd.service(5) and the few specifiers of systemd.unit(5) whose value a file tells.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

__all__ = ["Settings", "command_words", "read_unit", "seconds_of", "specified"]

Settings = Mapping[str, Mapping[str, list[str]]]
"""Section, key, values in their order: an empty one has removed those before it."""

_UNITS = {
    "": 1.0, "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0,
    "ms": 1e-3, "msec": 1e-3, "us": 1e-6, "usec": 1e-6, "µs": 1e-6,
    "m": 60.0, "min": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hr": 3600.0, "hour": 3600.0, "hours": 3600.0,
    "d": 86_400.0, "day": 86_400.0, "days": 86_400.0,
    "w": 604_800.0, "week": 604_800.0, "weeks": 604_800.0,
    "M": 2_629_800.0, "month": 2_629_800.0, "months": 2_629_800.0,
    "y": 31_557_600.0, "year": 31_557_600.0, "years": 31_557_600.0,
}  # fmt: skip
_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Zµ]*)")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " "}


def read_unit(texts: Iterable[str]) -> dict[str, dict[str, list[str]]]:
    """Return the settings of a unit: of its file and then of its drop-ins."""
    settings: dict[str, dict[str, list[str]]] = {}
    for text in texts:
        section = ""
        for line in _joined(text):
            if line.startswith("[") and line.endswith("]"):
                section = line[1:-1]
                continue
            key, equals, value = line.partition("=")
            if not equals:
                continue
            values = settings.setdefault(section, {}).setdefault(key.strip(), [])
            if value.strip():
                values.append(value.strip())
            else:
                values.clear()
    return settings


def seconds_of(text: str) -> float | None:
    """Return a time span (systemd.time(7)) in seconds; None for what is none."""
    total, rest = 0.0, text.strip()
    if not rest:
        return None
    while rest:
        match = _SPAN.match(rest)
        if match is None or match[2] not in _UNITS:
            return None
        total += float(match[1]) * _UNITS[match[2]]
        rest = rest[match.end() :].strip()
    return total


def command_words(line: str) -> list[str]:
    """Return the words of a command line; raises ValueError where a quote is left open."""
    words: list[str] = []
    word: list[str] | None = None
    quote = ""
    marks = iter(line)
    for mark in marks:
        if mark == "\\" and quote != "'":
            word = [] if word is None else word
            escaped = next(marks, "\\")
            word.append(_ESCAPES.get(escaped, escaped))
        elif quote:
            if mark == quote:
                quote = ""
            else:
                assert word is not None
                word.append(mark)
        elif mark in "\"'":
            quote, word = mark, [] if word is None else word
        elif mark.isspace():
            if word is not None:
                words.append("".join(word))
            word = None
        else:
            word = [] if word is None else word
            word.append(mark)
    if quote:
        raise ValueError(line)
    return words if word is None else [*words, "".join(word)]


def specified(text: str, unit: str, home: str = "/root") -> str | None:
    """Return a text with its specifiers filled in; None where only a running manager knows one."""
    stem = Path(unit).stem
    prefix, at, instance = stem.partition("@")
    values = {
        "%": "%", "n": unit, "N": stem, "p": prefix, "i": instance if at else "",
        "I": instance.replace("-", "/"), "h": home, "t": "/run", "S": "/var/lib",
        "C": "/var/cache", "L": "/var/log", "E": "/etc",
    }  # fmt: skip
    parts = re.split(r"%(.)", text)
    if any(letter not in values for letter in parts[1::2]):
        return None
    return "".join(values[part] if index % 2 else part for index, part in enumerate(parts))


def _joined(text: str) -> Iterable[str]:
    """Return the lines that say something, with continued ones joined."""
    pending = ""
    for raw in text.splitlines():
        line = raw.strip()
        # Within a continued line a comment is skipped, and the line goes on after it.
        if line.startswith(("#", ";")) or (not line and not pending):
            continue
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        yield pending + line
        pending = ""
    if pending:
        yield pending.strip()
