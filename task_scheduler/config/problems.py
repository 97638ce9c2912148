"""What is wrong with a configuration: each problem with its place, all of them in one error.

Responsible for: the shape of a problem, how values are shown in it, and the one ConfigError that
lists them. Does not know what is right.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from task_scheduler.errors import ConfigError
from task_scheduler.i18n import translate

__all__ = ["KeyPath", "Place", "Problem", "dotted", "error_of", "hint_for", "shown"]

KeyPath = tuple[str | int, ...]
"""The way from the root of the configuration to a value: keys, and indices of lists."""

_SHOWN_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value was given: in a file at a line and column, or in something with a name."""

    label: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    """Both count from 1; the column counts characters."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where, which dotted key, and a sentence with the remedy."""

    place: Place
    key: str
    sentence: str

    @property
    def message(self) -> str:
        """Return the sentence, with the key before it where it does not name it itself."""
        is_named = self.key in self.sentence or self.key in self.place.label
        return self.sentence if is_named else f"{self.key}: {self.sentence}"

    def __str__(self) -> str:
        return f"{self.place.label}: {self.message}"


def error_of(problems: Sequence[Problem], *, source: str) -> ConfigError:
    """Return the error that lists the problems; its `values["problems"]` has them as dicts."""
    ordered = sorted(problems, key=lambda problem: (problem.place.line or 0, _column(problem)))
    return ConfigError(
        "config.invalid" if len(ordered) > 1 else "config.invalid_one",
        source=source,
        count=len(ordered),
        listed="\n".join(f"  {problem}" for problem in ordered),
        problems=[
            {
                "file": problem.place.file,
                "line": problem.place.line,
                "column": problem.place.column,
                "key": problem.key,
                "place": problem.place.label,
                "message": problem.message,
            }
            for problem in ordered
        ],
    )


def dotted(path: KeyPath) -> str:
    """Return a path as users say it: ``entries.pump.args[0]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def shown(value: Any) -> str:
    """Return a value as it would stand in the file, cut where it is long."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        # Of another program's objects only the type: what they say of themselves may fail too.
        text = f"<{type(value).__name__}>"
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."


def hint_for(word: object, known: Iterable[str]) -> str:
    """Return "did you mean ...", or nothing where no known word is near."""
    if not isinstance(word, str):
        return ""
    by_folded = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), by_folded, n=1)
    return translate("config.did_you_mean", word=by_folded[near[0]]) if near else ""


def _column(problem: Problem) -> int:
    return problem.place.column or 0
