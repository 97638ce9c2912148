"""A text of which every value knows its line and column; and JSON, with comments, as one.

Responsible for: positions, pointing at what is wrong in the text, and the grammar of JSON with
comments and trailing commas. Knows nothing of what the values mean. The other grammars are in
`toml_document` and `yaml_document`.

A repeated key, NaN, Infinity and the like are noted and the reading goes on, so that all of them
are told at once; where the grammar is broken nothing after it can be trusted, and it stops.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from bisect import bisect_right
from json import JSONDecodeError
from typing import Any, NoReturn

from task_scheduler.config.problems import KeyPath, Place, Problem, dotted
from task_scheduler.errors import ConfigError
from task_scheduler.i18n import translate

__all__ = ["DEPTH_LIMIT", "DIGITS_LIMIT", "Document", "parse_document"]

_GAP = re.compile(r"(?:[ \t\r\n]+|//[^\r\n]*|/\*.*?\*/)*", re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?(?![\w.+-])")
_WORD = re.compile(r"[+-]?[^\s,:{}\[\]\"/]+")
_LINE_START = re.compile(r"\r\n|\r|\n")
_SURROGATE = re.compile("[\ud800-\udfff]")

_WORDS = {"true": True, "false": False, "null": None}
_NOT_FINITE = frozenset({"nan", "infinity", "inf"})
DEPTH_LIMIT = 100
"""Brackets within each other; a configuration is never so deep."""
_EXCERPT_WIDTH = 96
DIGITS_LIMIT = 400
"""No number of a configuration has as many; Python itself refuses ints above 4,300 digits."""


class Document:
    """The value of a text, and where in the text each part of it stands."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self.value: Any = None
        self.problems: list[Problem] = []
        self.key_offsets: dict[KeyPath, int] = {}
        self.value_offsets: dict[KeyPath, int] = {}
        self.value_ends: dict[KeyPath, int] = {}
        """Behind the last character of each value; of a table of TOML, of its header."""
        self._lines = [0, *(match.end() for match in _LINE_START.finditer(text))]

    def place(self, path: KeyPath, *, of_key: bool = False) -> Place:
        """Return where a value, or its key, stands; of a part unknown here, what holds it."""
        if not self.value_offsets:
            # A value that a program made: no line of the text is its own.
            return Place(self.name, self.name)
        offsets = self.key_offsets if of_key and path in self.key_offsets else self.value_offsets
        while path and path not in offsets:
            path, offsets = path[:-1], self.value_offsets
        return self.place_at(offsets.get(path, 0))

    def place_at(self, offset: int) -> Place:
        """Return the line and column of an offset."""
        line = bisect_right(self._lines, offset)
        column = offset - self._lines[line - 1] + 1
        return Place(f"{self.name}:{line}:{column}", self.name, line, column)

    def offset_at(self, line: int, column: int) -> int:
        """Return the offset of a line and column, both counted from 1."""
        start = self._lines[min(line, len(self._lines)) - 1]
        return min(start + column - 1, len(self.text))

    def note(self, offset: int, path: KeyPath, sentence: str) -> None:
        """Keep what is wrong at a place, beside all that is wrong elsewhere."""
        self.problems.append(Problem(self.place_at(offset), dotted(path), sentence))

    def fail(self, offset: int, reason: str) -> NoReturn:
        """Raise ConfigError: the grammar is broken here, and nothing after it can be trusted."""
        place = self.place_at(offset)
        raise ConfigError(
            "config.syntax",
            place=place.label,
            reason=reason,
            excerpt=self.excerpt(offset),
            file=place.file,
            line=place.line,
            column=place.column,
        )

    def excerpt(self, offset: int) -> str:
        """Return the line of an offset, and a caret below it."""
        line = bisect_right(self._lines, offset)
        start = self._lines[line - 1]
        text = _LINE_START.split(self.text[start : start + 10_000], maxsplit=1)[0]
        column = min(offset - start, len(text))
        cut = max(0, column - _EXCERPT_WIDTH // 2)
        before = text[cut:column]
        visible = _showable(text[cut : cut + _EXCERPT_WIDTH])
        return f"    {visible}\n    {' ' * _width(_showable(before))}^"


def parse_document(text: str, name: str) -> Document:
    """Read a text; raises ConfigError with place and excerpt where the grammar is broken.

    Repeated keys and impossible numbers are in `Document.problems`.
    """
    document = Document(text, name)
    _Scanner(document).scan()
    return document


class _Scanner:
    """Reads one document from its first character to its last."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._text = document.text
        self._at = 0
        self._strings = json.JSONDecoder()

    def scan(self) -> None:
        self._skip_gap()
        if self._at == len(self._text):
            raise ConfigError("config.empty_file", path=self._document.name)
        self._document.value = self._value(())
        self._skip_gap()
        if self._at < len(self._text):
            self._fail(translate("config.after_end", found=self._found()))

    def _value(self, path: KeyPath) -> Any:
        if len(path) > DEPTH_LIMIT:
            self._fail(translate("config.too_deep", limit=DEPTH_LIMIT))
        self._document.value_offsets[path] = self._at
        value = self._read(path)
        self._document.value_ends[path] = self._at
        return value

    def _read(self, path: KeyPath) -> Any:
        first = self._text[self._at : self._at + 1]
        if first == "{":
            return self._object(path)
        if first == "[":
            return self._array(path)
        if first == '"':
            return self._string()
        return self._plain(path)

    def _object(self, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self._at += 1
        while not self._closes("}"):
            offset = self._at
            if self._peek() != '"':
                sentence = "config.single_quotes" if self._peek() == "'" else "config.expected_key"
                self._fail(translate(sentence, found=self._found()))
            key = self._string()
            inner = (*path, key)
            if key in found:
                first = self._document.place_at(self._document.key_offsets[inner])
                reason = translate("config.repeated_key", key=dotted(inner), line=first.line)
                self._document.note(offset, inner, reason)
            self._document.key_offsets[inner] = offset
            self._skip_gap()
            if self._peek() != ":":
                self._fail(translate("config.expected_colon", key=key, found=self._found()))
            self._at += 1
            self._skip_gap()
            found[key] = self._value(inner)
            self._separator("}")
        return found

    def _array(self, path: KeyPath) -> list[Any]:
        found: list[Any] = []
        self._at += 1
        while not self._closes("]"):
            found.append(self._value((*path, len(found))))
            self._separator("]")
        return found

    def _closes(self, bracket: str) -> bool:
        """Skip to what follows, and whether it is the closing bracket, which is then taken."""
        self._skip_gap()
        if self._peek() != bracket:
            return False
        self._at += 1
        return True

    def _separator(self, bracket: str) -> None:
        """Take the comma after an item; before a closing bracket there may be none."""
        end = self._at
        self._skip_gap()
        if self._peek() == ",":
            self._at += 1
        elif self._peek() != bracket:
            found = self._found()
            # Where the comma is missing, not where the next item was found.
            self._at = end
            self._fail(translate("config.expected_comma", bracket=bracket, found=found))

    def _string(self) -> str:
        start = self._at
        try:
            value, self._at = self._strings.raw_decode(self._text, start)
        except JSONDecodeError as error:
            self._at = error.pos
            if error.msg.startswith("Unterminated"):
                self._at = start
                self._fail(translate("config.open_string"))
            if "control character" in error.msg:
                self._fail(translate("config.control_character"))
            self._fail(translate("config.bad_escape"))
        if _SURROGATE.search(value):
            self._at = start
            self._fail(translate("config.half_character"))
        return str(value)

    def _plain(self, path: KeyPath) -> Any:
        """Read a number or a word."""
        start = self._at
        number = _NUMBER.match(self._text, start)
        if number is not None:
            self._at = number.end()
            return self._number(number, path)
        match = _WORD.match(self._text, start)
        word = match.group() if match else ""
        if word in _WORDS:
            self._at += len(word)
            return _WORDS[word]
        if word.lstrip("+-").lower() in _NOT_FINITE:
            self._at += len(word)
            self._document.note(
                start, path, translate("config.not_finite", key=dotted(path), value=word)
            )
            return None
        is_quoted = word.startswith("'")
        sentence = "config.single_quotes" if is_quoted else "config.expected_value"
        return self._fail(translate(sentence, found=self._found()))

    def _number(self, match: re.Match[str], path: KeyPath) -> Any:
        text = match.group()
        if len(text) > DIGITS_LIMIT:
            reason = translate("config.long_number", key=dotted(path), limit=DIGITS_LIMIT)
            self._document.note(match.start(), path, reason)
            return None
        if match.group(1) is None and match.group(2) is None:
            return int(text)
        value = float(text)
        if not math.isfinite(value):
            reason = translate("config.not_finite", key=dotted(path), value=text)
            self._document.note(match.start(), path, reason)
            return None
        return value

    def _skip_gap(self) -> None:
        gap = _GAP.match(self._text, self._at)
        self._at = gap.end() if gap else self._at
        if self._text.startswith("/*", self._at):
            self._fail(translate("config.open_comment"))

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _found(self) -> str:
        """Say what stands here."""
        if self._at >= len(self._text):
            return translate("config.end_of_file")
        match = _WORD.match(self._text, self._at)
        return repr((match.group() if match else self._peek())[:20])

    def _fail(self, reason: str) -> NoReturn:
        self._document.fail(self._at, reason)


def _showable(text: str) -> str:
    """Return a text that a terminal shows as it is, character by character."""
    return "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text)


def _width(text: str) -> int:
    """Return the columns that a terminal takes for a text: East Asian characters take two."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )
