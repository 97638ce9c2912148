"""Edits of tasks, as a patch of the configuration that declares them.

Responsible for: which keys of a file say what somebody changed in the ledger, and which file that
is. How a text is edited stands in `config.patch`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from task_scheduler.config.document import Document
from task_scheduler.config.entry_times import TIME_KEYS, time_keys_of
from task_scheduler.config.files import read_document
from task_scheduler.config.patch import GONE, CannotEditError, Edit, edited, unified
from task_scheduler.config.written import kind_of

__all__ = ["DriftPatch", "patch_of"]

_SCHEDULE = "schedule"


class DriftPatch(NamedTuple):
    """The unified diff, and the tasks whose edits it cannot say."""

    text: str
    left_out: list[str]


def patch_of(paths: Sequence[Path], changes: Iterable[Mapping[str, Any]]) -> DriftPatch:
    """Return the patch that makes the files declare what was edited.

    `changes` are those of a plan; of values that may be secrets nothing is written.
    """
    documents = [(path, read_document(path)) for path in paths if path.suffix != ".py"]
    edits: dict[Path, list[Edit]] = {}
    left_out = []
    for change in changes:
        if change["edited"] is None:
            continue
        task_id = change["task_id"]
        found = next((d for d in documents if ("entries", task_id) in d[1].value_offsets), None)
        if found is None:
            left_out.append(task_id)
            continue
        path, document = found
        wanted = _edits(change, document.value["entries"][task_id])
        try:
            # Tried alone, so that one that has no place takes none of the others with it.
            edited(document, kind_of(path.suffix), wanted)
        except CannotEditError:
            left_out.append(task_id)
            continue
        edits.setdefault(path, []).extend(wanted)
        if any(field.get("is_hidden") for field in change["fields"]):
            left_out.append(task_id)
    texts = [_diff(path, document, edits[path]) for path, document in documents if path in edits]
    return DriftPatch("".join(texts), left_out)


def _diff(path: Path, document: Document, edits: Sequence[Edit]) -> str:
    after = edited(document, kind_of(path.suffix), edits)
    return unified(os.path.relpath(path), document.text, after)


def _edits(change: Mapping[str, Any], entry: Mapping[str, Any]) -> list[Edit]:
    """Return what to write of one task; of one that was removed, that it goes."""
    at = ("entries", change["task_id"])
    if change["kind"] == "restore":
        return [Edit(at, GONE)]
    edits: list[Edit] = []
    for field in change["fields"]:
        if not field["is_edit"] or field.get("is_hidden"):
            continue
        key, live = field["key"], field["before"]
        if key == _SCHEDULE:
            edits += _times(at, live, entry)
        elif key == "timeout" and live is None:
            # No limit is the default of a policy, and 0 in a configuration.
            edits.append(Edit((*at, key), 0))
        else:
            name, _, inner = key.partition(".")
            path = (*at, name, inner) if inner else (*at, name)
            edits.append(Edit(path, GONE if live is None else _as_written(live)))
    return edits


def _as_written(value: Any) -> Any:
    """Return 300 for 300.0: whole numbers are written as such."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _times(
    at: tuple[str, ...], rules: Sequence[Mapping[str, Any]], entry: Mapping[str, Any]
) -> list[Edit]:
    """Return what says the rules that an entry has now."""
    if not rules:
        # It was switched off: its times may be wanted again.
        return [Edit((*at, "enabled"), False)]
    keys = time_keys_of(rules)
    there = [key for key in entry if key in TIME_KEYS]
    edits = [Edit((*at, key), GONE) for key in there if key not in keys]
    edits += [Edit((*at, key), v) for key, v in keys.items() if v != entry.get(key)]
    if entry.get("enabled") is False:
        edits.append(Edit((*at, "enabled"), GONE))
    return edits
