"""TOML, read so that every value knows its line and column.

Responsible for: having the standard library read it, and finding where keys and values stand, which
that one does not tell. The finding is a reading of its own over a text that is known to be right:
it understands enough of the grammar to step over values, and judges nothing.
"""

from __future__ import annotations

import math
import re
import tomllib
from datetime import date, datetime, time
from typing import Any

from task_scheduler.config.document import DEPTH_LIMIT, DIGITS_LIMIT, Document
from task_scheduler.config.problems import KeyPath, dotted
from task_scheduler.errors import ConfigError
from task_scheduler.i18n import translate

__all__ = ["parse_toml"]

_GAP = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_KEY = re.compile(r'"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|[A-Za-z0-9_-]+')
_TEXT = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?!")"{0,2}|\'\'\'.*?\'\'\'(?!\')\'{0,2}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'',
    re.DOTALL,
)
_BARE = re.compile(r"\d{4}-\d\d-\d\d \d\d:[^\s,\]}#]+|[^\s,\]}#]+")
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_LONG_NUMBER = re.compile(rf"[0-9_]{{{DIGITS_LIMIT + 1},}}")


def parse_toml(text: str, name: str) -> Document:
    """Read a text; raises ConfigError with place and excerpt where the grammar is broken.

    Numbers that no setting takes are in `Document.problems`.
    """
    document = Document(text, name)
    if not text.strip():
        raise ConfigError("config.empty_toml", path=name)
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        _refuse(document, str(error))
    except RecursionError:
        document.fail(0, translate("config.too_deep", limit=DEPTH_LIMIT))
    except ValueError:
        # Python makes no number of so many digits.
        found = _LONG_NUMBER.search(text)
        reason = translate("config.long_number", key="", limit=DIGITS_LIMIT)
        document.fail(found.start() if found else 0, reason)
    _Places(document).find()
    document.value = _plain(value, (), document)
    return document


def _refuse(document: Document, message: str) -> None:
    """Raise what the library found, at its place."""
    found = _PLACE.search(message)
    reason = message if found is None else message[: found.start()]
    offset = len(document.text.rstrip())
    if found is not None and found[1] is not None:
        offset = document.offset_at(int(found[1]), int(found[2]))
    document.fail(offset, translate("config.toml_syntax", reason=reason))


def _plain(value: Any, path: KeyPath, document: Document) -> Any:
    """Return a value as JSON has it: moments are text, as every other file writes them."""
    if len(path) > DEPTH_LIMIT:
        offset = document.value_offsets.get(path[:DEPTH_LIMIT], 0)
        document.fail(offset, translate("config.too_deep", limit=DEPTH_LIMIT))
    if isinstance(value, dict):
        return {key: _plain(item, (*path, key), document) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, (*path, index), document) for index, item in enumerate(value)]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        offset = document.value_offsets.get(path, 0)
        reason = translate("config.not_finite", key=dotted(path), value=value)
        document.note(offset, path, reason)
        return None
    return value


class _Places:
    """Walks once over a text that is known to be right."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._text = document.text
        self._at = 0
        self._tables: dict[KeyPath, int] = {}
        """The index of the last table of each array of tables."""

    def find(self) -> None:
        """Note where each key and each value begins, and where each value ends."""
        document, text = self._document, self._text
        document.value_offsets[()] = 0
        document.value_ends[()] = len(text)
        table: KeyPath = ()
        while self._skip(_GAP) < len(text):
            if text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> KeyPath:
        """Step over ``[a.b]`` or ``[[a.b]]``; return the path of the table."""
        start = self._at
        is_array = self._text.startswith("[[", start)
        self._at += 1 + is_array
        path: KeyPath = ()
        keys = self._keys()
        for number, (key, offset) in enumerate(keys):
            path = (*path, key)
            self._note_key(path, offset)
            is_last = number == len(keys) - 1
            if is_last and is_array:
                index = self._tables[path] = self._tables.get(path, -1) + 1
                self._document.value_offsets.setdefault(path, start)
                path = (*path, index)
            elif path in self._tables:
                path = (*path, self._tables[path])
        self._at = self._skip(_BLANK) + 1 + is_array
        self._document.value_offsets[path] = start
        self._document.value_ends[path] = self._at
        return path

    def _pair(self, table: KeyPath) -> None:
        path = table
        for key, offset in self._keys():
            path = (*path, key)
            self._note_key(path, offset)
        # Over the sign between key and value.
        self._at = self._skip(_BLANK) + 1
        self._skip(_BLANK)
        self._value(path)

    def _note_key(self, path: KeyPath, offset: int) -> None:
        self._document.key_offsets.setdefault(path, offset)
        self._document.value_offsets.setdefault(path, offset)

    def _keys(self) -> list[tuple[str, int]]:
        """Step over a key, dotted or not; return its parts, each with its place."""
        found = []
        while True:
            match = _KEY.match(self._text, self._skip(_BLANK))
            assert match is not None
            part = match.group()
            is_quoted = part[0] in "\"'"
            name = next(iter(tomllib.loads(f"{part} = 0"))) if is_quoted else part
            found.append((name, match.start()))
            self._at = match.end()
            if self._text[self._skip(_BLANK) : self._at + 1] != ".":
                return found
            self._at += 1

    def _value(self, path: KeyPath) -> None:
        document = self._document
        document.value_offsets[path] = self._at
        first = self._text[self._at]
        if first == "[":
            self._items(path)
        elif first == "{":
            self._at += 1
            while self._text[self._skip(_GAP)] != "}":
                self._pair(path)
                self._comma()
            self._at += 1
        else:
            match = (_TEXT if first in "\"'" else _BARE).match(self._text, self._at)
            assert match is not None
            self._at = match.end()
        document.value_ends[path] = self._at

    def _items(self, path: KeyPath) -> None:
        self._at += 1
        index = 0
        while self._text[self._skip(_GAP)] != "]":
            self._value((*path, index))
            index += 1
            self._comma()
        self._at += 1

    def _comma(self) -> None:
        if self._text[self._skip(_GAP)] == ",":
            self._at += 1

    def _skip(self, what: re.Pattern[str]) -> int:
        """Step over blanks; return where that leads."""
        match = what.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at
