"""Talk: what a person is told on stderr, in lines that fit the terminal.

Responsible for: breaking sentences where their words end, and never within a command that is to be
copied. Where stderr is no terminal a sentence is one line: programs search in it.
"""

from __future__ import annotations

import os
import re
import sys

from task_scheduler.cli.display_width import width_of, wrap
from task_scheduler.i18n import translate

__all__ = ["hint_lines", "talk_lines", "talk_width"]

_COMMAND = re.compile(
    r"tsk [a-z][\w-]*(?: (?:[A-Z][A-Z_]+\b|\d+\b|--?[a-z][\w-]*(?: [\w:.'-]+)?))*"
)
_GLUE = "\ue000"
"""Stands for a space that no line ends at; of the private characters, so that no text has it."""
_MARK = re.compile(r"[ |]*\^+ *")
"""A line that points at what stands above it."""
_INDENT = "  "
_NARROWEST = 40


def talk_width() -> int | None:
    """Return how wide the terminal behind stderr is; None: it is none."""
    if not sys.stderr.isatty():
        return None
    named = os.environ.get("COLUMNS", "")
    try:
        columns = int(named) if named.isdigit() else os.get_terminal_size(sys.stderr.fileno())[0]
    except (OSError, ValueError):
        return None
    return max(_NARROWEST, columns) if columns else None


def talk_lines(text: str, width: int | None) -> list[str]:
    """Return a text in lines of at most a width; a line with a mark below it stays as it is.

    A word that is longer, a path say, stands out: whoever copies it needs it whole.
    """
    lines = text.split("\n")
    if width is None:
        return lines
    found: list[str] = []
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        is_marked = bool(_MARK.fullmatch(below) or _MARK.fullmatch(line))
        found += [line] if is_marked else _broken(line, width)
    return found


def _broken(line: str, width: int) -> list[str]:
    """Break one line; what goes on stands a little further in than it began."""
    if width_of(line) <= width:
        return [line]
    indent = line[: len(line) - len(line.lstrip(" "))]
    glued = _COMMAND.sub(lambda match: match[0].replace(" ", _GLUE), line.lstrip(" "))
    first, *_ = wrap(glued, width - len(indent), is_breaking_words=False)
    pieces = [indent + first]
    rest = glued[len(first) :].lstrip()
    if rest:
        inner = indent + _INDENT
        pieces += [
            inner + piece for piece in wrap(rest, width - len(inner), is_breaking_words=False)
        ]
    return [piece.replace(_GLUE, " ") for piece in pieces]


def hint_lines(text: str, command: str, width: int | None) -> list[str]:
    """Return what to type next and why; a command that does not fit stands on a line of its own."""
    whole = translate("cli.hint", text=text, command=command)
    if width is None or width_of(whole) <= width:
        return [whole]
    head = translate("cli.hint", text=text, command="").rstrip()
    return [*talk_lines(head, width), f"{_INDENT}{command}"]
