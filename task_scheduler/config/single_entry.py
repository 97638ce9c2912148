"""One entry by itself, checked as if it stood in the configuration.

Responsible for: what somebody types or edits becomes a task with its rules, or an error that names
everything that is wrong with it, at its line where it is a text. The configuration is not changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from task_scheduler.config.checks import checked, entry_problem
from task_scheduler.config.config import Config
from task_scheduler.config.document import parse_document
from task_scheduler.config.entries import Declared, EntryConfig, Folders
from task_scheduler.config.entry_times import EntryError
from task_scheduler.config.layers import Layer, Merged, mapping_layer, merge, plain_copy
from task_scheduler.config.problems import KeyPath, Place, error_of

__all__ = ["declare_entry", "entry_from_text"]

_SECTION = "entries"


def entry_from_text(text: str, name: str) -> tuple[Any, Callable[[KeyPath, bool], Place]]:
    """Read an entry from JSON with comments; return it, and what tells the place of its keys.

    Raises ConfigError, with the line, where it is none.
    """
    document = parse_document(text, name)
    if document.problems:
        raise error_of(document.problems, source=name)

    def place(path: KeyPath, of_key: bool) -> Place:
        # Of the path in a configuration: the section and the id stand before it.
        return document.place(path[2:], of_key=of_key)

    return document.value, place


def declare_entry(
    config: Config,
    task_id: str,
    entry: Any,
    *,
    source: str,
    place: Callable[[KeyPath, bool], Place] | None = None,
) -> Declared:
    """Return the task and the rules of an entry; raises ConfigError that lists all that is wrong.

    `source` tells where it was given; `place` tells of each of its keys where it stands, see
    `entry_from_text`. A function that cannot be imported makes a task that cannot run here.
    """
    merged = _merged(config, task_id, entry, source=source, place=place)
    found = checked(merged, config.folder)
    if found.settings is None:
        raise error_of(found.problems, source=source)
    model: EntryConfig = found.settings.entries[task_id]
    folders = Folders(config.folder, config.settings.logging.log_dir)
    try:
        return model.declare(task_id, folders, config.calendars, is_code_needed=False)
    except EntryError as error:
        raise error_of([entry_problem(merged, task_id, error)], source=source) from error


def _merged(
    config: Config,
    task_id: str,
    entry: Any,
    *,
    source: str,
    place: Callable[[KeyPath, bool], Place] | None,
) -> Merged:
    """Lay the entry over the configuration without the entries of that."""
    rest = {name: section for name, section in config.plain().items() if name != _SECTION}
    layer = Layer({_SECTION: {task_id: plain_copy(entry)}}, lambda _at, _of_key: Place(source))
    if place is not None:
        layer.place = place
    return merge([mapping_layer(rest, source), layer])
