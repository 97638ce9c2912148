"""The plan of a configuration: what taking it up would change, and what was edited since.

Responsible for: comparing three states of each task: what the configuration declares now, what it
declared when it was last taken up, and what the ledger holds. Reads nothing and changes nothing.

What the ledger holds otherwise than it was declared is *drift*: somebody edited it. A task that the
configuration declares as it did is then left as it was edited, until somebody asks for the
opposite; one whose declaration has changed since is taken from there as a whole, and the edit is
told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from task_scheduler.core import planner
from task_scheduler.core.audit import plain_of
from task_scheduler.core.declarations import DECLARED
from task_scheduler.core.entries import StoredEntry
from task_scheduler.core.model import Entry, Microseconds
from task_scheduler.core.policies import from_plain, to_plain
from task_scheduler.ledger_view import iso, rule_sentence
from task_scheduler.schedules.calendars.registry import Calendars
from task_scheduler.schedules.occurrences import Occurrences
from task_scheduler.schedules.rule import from_plain as rule_from
from task_scheduler.schedules.rule import occurrences_of

__all__ = [
    "SCHEDULE",
    "Base",
    "Change",
    "ChangeKind",
    "FieldChange",
    "Plan",
    "counts_of",
    "fields_of",
    "first_runs",
    "plan_of",
]

_EMPTY: tuple[Any, ...] = (None, [], {}, "")
EDITED = "cli"
"""The origin of entries that somebody changed by hand."""
SCHEDULE = "schedule"
"""The field that holds the rules."""


class ChangeKind(StrEnum):
    """What becomes of a task."""

    ADD = "add"
    RESTORE = "restore"
    """It comes back out of the archive, with its history."""
    CHANGE = "change"
    REPLACE = "replace"
    """It is of another type now: the old one is archived, and comes back as the new one."""
    ARCHIVE = "archive"
    DRIFT = "drift"
    """It was edited since it was declared, and is declared as it was."""


@dataclass(frozen=True, slots=True)
class Base:
    """What a configuration said of a task when it was last taken up, and when."""

    plain: Mapping[str, Any]
    applied_at: Microseconds
    archived_at: Microseconds | None
    is_removed: bool = False
    """Whether somebody removed the task by hand, though it was declared."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A key of an entry before and after; `is_edit`: before is not what was declared."""

    key: str
    before: Any
    after: Any
    is_edit: bool = False

    def plain(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {
            "key": self.key,
            "before": self.before,
            "after": self.after,
            "is_edit": self.is_edit,
        }


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one task, field by field."""

    kind: ChangeKind
    task_id: str
    name: str
    fields: tuple[FieldChange, ...] = ()
    rules: tuple[Mapping[str, Any], ...] = ()
    """The rules that are new: those of a task that comes, and those that a change brings."""
    is_removed: bool = False
    """Whether somebody removed the task by hand, though it was declared."""

    @property
    def is_edited(self) -> bool:
        """Whether somebody edited or removed the task since it was declared."""
        return self.is_removed or any(field.is_edit for field in self.fields)


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes, by task; `touched` are tasks that change nothing that anybody would see."""

    changes: tuple[Change, ...] = ()
    touched: frozenset[str] = field(default_factory=frozenset)

    def ids(self, *kinds: ChangeKind) -> list[str]:
        """Return the tasks of changes of some kinds."""
        return [change.task_id for change in self.changes if change.kind in kinds]

    def taken(self, *, overwrite: bool) -> set[str]:
        """Return the tasks that are to be written; with `overwrite` also over what was edited."""
        kinds = [ChangeKind.ADD, ChangeKind.RESTORE, ChangeKind.CHANGE, ChangeKind.REPLACE]
        if overwrite:
            kinds.append(ChangeKind.DRIFT)
        return {*self.ids(*kinds), *self.touched}


def plan_of(
    declared: Iterable[Entry], live: Mapping[str, StoredEntry], bases: Mapping[str, Base]
) -> Plan:
    """Return what taking up the declared entries would change.

    `live` are the stored entries of their ids, and all others of the same origin.
    """
    changes: list[Change] = []
    touched: set[str] = set()
    wanted = {entry.task_id: entry for entry in declared}
    for task_id, entry in wanted.items():
        base, old = bases.get(task_id), live.get(task_id)
        if old is None:
            changes.append(_coming(entry, base))
            continue
        if base is not None and _is_as_declared(entry, old, base):
            continue
        change = _changed(entry, old, base)
        if change is not None:
            changes.append(change)
        elif _needs_touch(entry, old, base):
            touched.add(task_id)
    for task_id, old in live.items():
        base = bases.get(task_id)
        if task_id not in wanted and _is_ours(old.entry, base):
            fields = () if base is None else _differences(base.plain, _plain(old.entry), None)
            edits = tuple(FieldChange(f.key, f.after, f.before, is_edit=True) for f in fields)
            changes.append(Change(ChangeKind.ARCHIVE, task_id, old.entry.name, edits))
    return Plan(tuple(sorted(changes, key=lambda change: change.task_id)), frozenset(touched))


def _is_as_declared(entry: Entry, old: StoredEntry, base: Base) -> bool:
    """Whether nothing is to be done, as of nearly all: found without a look at the fields."""
    is_ready = old.is_resolved and old.rule_error is None
    return is_ready and old.entry == entry and base.plain == _plain(entry)


def _is_ours(entry: Entry, base: Base | None) -> bool:
    """Whether an entry came from a configuration, whoever edited it; a program's is its own."""
    is_edited = entry.origin == EDITED and base is not None and base.archived_at is None
    return entry.origin == DECLARED or is_edited


def _coming(entry: Entry, base: Base | None) -> Change:
    """Return that a task comes, or comes back."""
    if base is None or base.archived_at is None:
        return Change(ChangeKind.ADD, entry.task_id, entry.name, (), tuple(entry.rules))
    fields = _differences(base.plain, _plain(entry), None)
    return Change(
        ChangeKind.RESTORE,
        entry.task_id,
        entry.name,
        fields,
        tuple(entry.rules),
        is_removed=base.is_removed,
    )


def _changed(entry: Entry, old: StoredEntry, base: Base | None) -> Change | None:
    """Return what is to change of a task that is there; None: nothing is."""
    wanted = _plain(entry)
    fields = _differences(_plain(old.entry), wanted, None if base is None else base.plain)
    if not fields:
        return None
    is_declared_anew = base is None or fields_of(base.plain) != fields_of(wanted)
    if not is_declared_anew:
        kind = ChangeKind.DRIFT
    elif entry.kind != old.entry.kind:
        kind = ChangeKind.REPLACE
    else:
        kind = ChangeKind.CHANGE
    before = [dict(rule) for rule in old.entry.rules]
    rules = tuple(rule for rule in entry.rules if dict(rule) not in before)
    is_drift = kind is ChangeKind.DRIFT
    return Change(kind, entry.task_id, entry.name, fields, () if is_drift else rules)


def _needs_touch(entry: Entry, old: StoredEntry, base: Base | None) -> bool:
    """Whether a task that is as it is declared is to be written all the same."""
    if old.entry.origin != entry.origin or not old.is_resolved or old.rule_error is not None:
        return True
    return base is None or fields_of(base.plain) != fields_of(_plain(entry))


def _differences(
    before: Mapping[str, Any], after: Mapping[str, Any], base: Mapping[str, Any] | None
) -> tuple[FieldChange, ...]:
    old, new = fields_of(before), fields_of(after)
    declared = None if base is None else fields_of(base)
    return tuple(
        FieldChange(
            key,
            old.get(key),
            new.get(key),
            is_edit=declared is not None and declared.get(key) != old.get(key),
        )
        for key in dict.fromkeys((*new, *old))
        if old.get(key) != new.get(key)
    )


def fields_of(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an entry, named as in a configuration; objects field by field.

    `plain` is as `core.audit.plain_of` gives it. What is empty is left out: nobody wrote it.
    """
    fields: dict[str, Any] = {"type": plain["kind"], "name": plain["name"]}
    for key, value in plain["definition"].items():
        if isinstance(value, dict) and value:
            fields.update({f"{key}.{inner}": item for inner, item in value.items()})
        elif value not in _EMPTY or key == "json":
            fields[key] = value
    fields[SCHEDULE] = [dict(rule) for rule in plain["rules"]]
    fields.update(
        {k: v for k, v in to_plain(from_plain(plain["policies"])).items() if v not in _EMPTY}
    )
    return fields


def _plain(entry: Entry) -> dict[str, Any]:
    return plain_of(entry) or {}


def first_runs(
    change: Change, old: StoredEntry | None, calendars: Calendars, now: Microseconds
) -> list[dict[str, Any]]:
    """Return the sentence of each new rule, and its first run: ISO 8601, None where there is none.

    Where a rule raises there is none: that is told when it is planned.
    """
    found = []
    for rule in change.rules:
        sentence = rule_sentence(dict(rule), change.task_id)
        try:
            moment = _first(rule, change, old, calendars, now)
        except Exception:  # fence: rule
            moment = None
        found.append({"rule": sentence, "at": iso(moment)})
    return found


def _first(
    rule: Mapping[str, Any],
    change: Change,
    old: StoredEntry | None,
    calendars: Calendars,
    now: Microseconds,
) -> Microseconds | None:
    occurrences: Occurrences = occurrences_of(
        rule_from(dict(rule)), calendars, task_id=change.task_id
    )
    if old is None or old.cursor is None:
        return occurrences.first(now)
    return planner.cursor_after_edit(occurrences, cursor=old.cursor, anchor=old.anchor, now=now)


def counts_of(plan: Plan, *, overwrite: bool) -> dict[str, int]:
    """Return how many tasks come, change and go when a plan is carried out."""
    changed = [ChangeKind.CHANGE, ChangeKind.REPLACE, *([ChangeKind.DRIFT] if overwrite else [])]
    return {
        "new": len(plan.ids(ChangeKind.ADD)),
        "changed": len(plan.ids(*changed)),
        "restored": len(plan.ids(ChangeKind.RESTORE)),
        "archived": len(plan.ids(ChangeKind.ARCHIVE)),
        "drifted": 0 if overwrite else len(plan.ids(ChangeKind.DRIFT)),
    }
