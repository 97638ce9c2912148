"""Text as a terminal shows it: how many columns it takes, wrapped and padded by them.

Responsible for: East Asian characters, which take two columns, marks that take none, and
characters that would command the terminal instead of being shown.
"""

from __future__ import annotations

import functools
import json
import re
import unicodedata

__all__ = ["pad", "showable", "shown_json", "shown_lines", "width_of", "wrap"]

_COMMANDS = {"Cc", "Zl", "Zp"}
_DIRECTIONS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""These reorder what stands around them: a text could show as another one."""

_GOING_ON = frozenset("ーぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ々〻…‥～〜")

_LAYOUT = re.compile(r"(\n|\x1b\[[0-9]{1,2}m)")
"""Line breaks, and the colours of `Session.paint`."""
_HARMFUL = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Of what JSON leaves as it is: C1 controls, directions, separators, invisible marks."""


def width_of(text: str) -> int:
    """Return how many columns a text takes."""
    if text.isascii():
        return len(text)
    return sum(_width(character) for character in text)


@functools.lru_cache(maxsize=4_096)
def _width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def showable(text: object) -> str:
    """Return a text on one line, without anything that a terminal would obey."""
    text = str(text)
    if text.isprintable():
        # Neither controls nor marks of direction, separators or surrogates: nearly every text.
        return text
    return "".join(" " if character in "\n\t" else _harmless(character) for character in text)


def shown_lines(text: str) -> str:
    """Return lines with their colours, without anything else that a terminal would obey."""
    if text.isprintable():
        return text
    parts = _LAYOUT.split(text)
    return "".join(part if at % 2 else showable(part) for at, part in enumerate(parts))


def shown_json(text: str) -> str:
    """Return JSON with every character escaped that a terminal would obey, or show as nothing."""
    return _HARMFUL.sub(lambda found: json.dumps(found[0])[1:-1], text)


def _harmless(character: str) -> str:
    if character in _DIRECTIONS or unicodedata.category(character) in _COMMANDS:
        return "\ufffd"
    return "\ufffd" if "\ud800" <= character <= "\udfff" else character


def pad(text: str, width: int, *, is_right: bool = False) -> str:
    """Fill a text up with spaces to a width."""
    gap = " " * max(0, width - width_of(text))
    return gap + text if is_right else text + gap


def wrap(text: str, width: int, *, is_breaking_words: bool = True) -> list[str]:
    """Break a text into lines of at most `width` columns: at spaces, or between wide characters.

    A word longer than a line is broken too, or, if it must not be, stands out: nothing is cut off.
    """
    if width_of(text) <= width:
        return [text.rstrip()]
    lines: list[str] = []
    line = ""
    for word in _words(text):
        if width_of(line + word.rstrip()) <= width:
            line += word
            continue
        if line.strip():
            lines.append(line.rstrip())
        line = word.lstrip()
        while is_breaking_words and width_of(line.rstrip()) > width:
            head = _head(line, width)
            lines.append(head)
            line = line[len(head) :]
    if line.strip() or not lines:
        lines.append(line.rstrip())
    return lines


def _words(text: str) -> list[str]:
    """Cut a text where it may be broken: after a space, and around a wide character."""
    words: list[str] = []
    word = ""
    for character in text:
        if word and _may_part(word[-1], character):
            words.append(word)
            word = ""
        word += character
        if character == " ":
            words.append(word)
            word = ""
    return [*words, word] if word else words


def _may_part(before: str, after: str) -> bool:
    """Whether a line may end between two characters, one of them a wide one."""
    if after == " " or _width(after) == 0 or 2 not in (_width(before), _width(after)):
        return False
    # What opens a phrase never ends a line; what closes one, or goes on with the sound or the
    # character before it, never begins one.
    is_held = unicodedata.category(before) in ("Ps", "Pi") or after in _GOING_ON
    return not is_held and unicodedata.category(after) not in ("Pe", "Po", "Pf")


def _head(text: str, width: int) -> str:
    """Return as much of a text as fits, at least one character."""
    taken = 0
    for index, character in enumerate(text):
        taken += _width(character)
        if taken > width:
            return text[: max(1, index)]
    return text
