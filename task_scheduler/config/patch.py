"""Editing the text of a configuration: single values, with everything around them left as it is.

Responsible for: where in the text of JSON, TOML or YAML a value is put, added or taken out, and the
unified diff of it. Knows nothing of what the values mean.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from task_scheduler.config.document import Document
from task_scheduler.config.problems import KeyPath
from task_scheduler.config.written import key_text, value_text

__all__ = ["GONE", "CannotEditError", "Edit", "edited", "unified"]


class _Gone:
    """Stands for the value of a key that is to be taken out."""

    def __repr__(self) -> str:
        return "GONE"


GONE = _Gone()


class CannotEditError(Exception):
    """A text in which nobody can say where the value would go; its path."""

    def __init__(self, path: KeyPath) -> None:
        super().__init__(path)
        self.path = path


class Edit(NamedTuple):
    """A key, by its path, and what it is to be; `GONE`: it is not to be there."""

    path: KeyPath
    value: Any


class _Splice(NamedTuple):
    """A stretch of the text and what stands there instead."""

    start: int
    end: int
    text: str


def edited(document: Document, kind: str, edits: Iterable[Edit]) -> str:
    """Return the text with the edits made; raises CannotEditError where one has no place."""
    text = document.text
    wanted = list(edits)
    gone = frozenset(edit.path for edit in wanted if edit.value is GONE)
    splices = [_splice(document, kind, edit, gone) for edit in wanted]
    # From behind, so that the places before stay where they are; what goes before what comes.
    begun: set[int] = set()
    for splice in sorted((s for s in splices if s is not None), key=lambda s: (-s.start, -s.end)):
        start, end, put = splice
        if start == end and start in begun and text[start - 1] == "{":
            # Another has come into the object that is emptied, and stands behind this one.
            put = put if put.rstrip().endswith(",") else f"{put}, "
        begun |= {start} if start == end else set()
        text = text[:start] + put + text[end:]
    return text


def unified(name: str, before: str, after: str) -> str:
    """Return the difference of two texts, as `patch -p1` takes it."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True),
        after.splitlines(keepends=True),
        fromfile=f"a/{name}",
        tofile=f"b/{name}",
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def _splice(document: Document, kind: str, edit: Edit, gone: frozenset[KeyPath]) -> _Splice | None:
    path = edit.path
    is_there = path in document.key_offsets and path in document.value_ends
    if edit.value is GONE:
        return _removal(document, kind, path) if is_there else None
    if is_there and not _is_header(document, kind, path):
        start, end = document.value_offsets[path], document.value_ends[path]
        return _Splice(start, end, value_text(edit.value, kind))
    return _addition(document, kind, edit, gone)


def _is_header(document: Document, kind: str, path: KeyPath) -> bool:
    """Whether a table of TOML is told by a header: its values stand below that."""
    offset = document.value_offsets.get(path)
    return (
        kind == "toml"
        and offset is not None
        and document.text[offset : offset + 1] == "["
        and offset <= document.key_offsets.get(path, -1)
    )


def _removal(document: Document, kind: str, path: KeyPath) -> _Splice:
    """Take a key out with its value: whole lines, where they hold nothing else."""
    text = document.text
    if _is_header(document, kind, path):
        start = document.value_offsets[path]
        return _Splice(start, _end_of_table(document, path), "")
    start, end = document.key_offsets[path], document.value_ends[path]
    comma = re.compile(r"[ \t\r\n]*,").match(text, end)
    end = comma.end() if comma else end
    line = text.rfind("\n", 0, start) + 1
    rest = re.compile(r"[ \t]*(?:(?:#|//)[^\n]*)?(?:\r?\n|\Z)").match(text, end)
    if not text[line:start].strip() and rest:
        return _Splice(line, rest.end(), "")
    blank = re.compile(r"[ \t]*").match(text, end)
    return _Splice(start, blank.end() if blank else end, "")


def _end_of_table(document: Document, path: KeyPath) -> int:
    """Return where the table of a header ends with all that lies in it."""
    later = [
        offset
        for other, offset in document.value_offsets.items()
        if other[: len(path)] != path
        and offset > document.value_offsets[path]
        and _is_header(document, "toml", other)
    ]
    return min(later, default=len(document.text))


def _addition(document: Document, kind: str, edit: Edit, gone: frozenset[KeyPath]) -> _Splice:
    """Put a key before the first one of its object, in a line of its own if that one has one."""
    path, value = edit
    holder, key = path[:-1], str(path[-1])
    if holder not in document.value_offsets or holder not in document.value_ends:
        if len(holder) <= 2:
            raise CannotEditError(path)
        # The object is not there either: it comes with the one key.
        return _addition(document, kind, Edit(holder, {key: value}), gone)
    text = document.text
    start = document.value_offsets[holder]
    sign = " = " if kind == "toml" else ": "
    pair = f"{key_text(key, kind)}{sign}{value_text(value, kind)}"
    if _is_header(document, kind, holder):
        end = document.value_ends[holder]
        return _Splice(end, end, f"\n{pair}")
    # Not before one that goes: the two would be in each other's way.
    inner = [o for at, o in document.key_offsets.items() if at[:-1] == holder and at not in gone]
    if text[start : start + 1] == "{":
        if not inner:
            return _Splice(start + 1, start + 1, pair)
        first = min(inner)
        between = text[start + 1 : first]
        gap = between[between.rfind("\n") :] if "\n" in between else " "
        return _Splice(first, first, f"{pair},{gap}")
    if kind != "yaml" or not inner:
        raise CannotEditError(path)
    first = min(inner)
    indent = " " * (document.place_at(first).column or 1)
    return _Splice(first, first, f"{pair}\n{indent[1:]}")
