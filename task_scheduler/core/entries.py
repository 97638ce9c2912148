"""Entries as the engine meets them: parsed once a revision, planned behind a fence.

Responsible for: reading entries set-wise, keeping a rule that raises to itself, and the moment
at which an entry is to be looked at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from task_scheduler.core import planner
from task_scheduler.core.delay_occurrences import DelayOccurrences, is_fixed_delay
from task_scheduler.core.events import EntryFailed
from task_scheduler.core.flights import Flights, Known, Work
from task_scheduler.core.json_text import json_text
from task_scheduler.core.model import Entry, Microseconds, Policies
from task_scheduler.core.planner import Plan, Seats
from task_scheduler.core.policies import from_plain
from task_scheduler.core.ports import Catalog, Store
from task_scheduler.schedules.occurrences import Occurrences, OnceOccurrences
from task_scheduler.schedules.rule import is_same_for_all

__all__ = ["EntryShelf", "StoredEntry", "plan_moment", "read_parts"]

_Value = TypeVar("_Value")

_ERROR_LIMIT = 2_000
"""Characters kept of what a rule said."""
_SHARED = 4_096
"""Different rules, and different definitions, of which many entries share one value each."""
_CALENDARS = frozenset({"exclude", "include"})

_values: dict[str, Any] = {}


def _shared(value: _Value) -> _Value:
    """Return the value that equals this one, as JSON: few are different where there are many."""
    text = json_text(value)
    found: _Value | None = _values.get(text)
    if found is None:
        if len(_values) >= _SHARED:
            _values.clear()
        found = _values[text] = value
    return found


def plan_moment(
    entry: Entry, next_due_at: Microseconds | None, look_ahead: Microseconds
) -> Microseconds | None:
    """Return when an entry is to be looked at: ahead of its due moment unless it may not be."""
    if next_due_at is None or not entry.policies.is_claimed_ahead:
        return next_due_at
    return next_due_at - look_ahead


class StoredEntry:
    """One row of `load_entries`."""

    __slots__ = (
        *("anchor", "cursor", "entry", "is_resolved", "next_due_at", "paused_at"),
        *("revision", "rule_error"),
    )

    def __init__(self, row: Sequence[Any]) -> None:
        task_id, name, kind, executor, definition, rules, policies, origin, is_bound, *rest = row
        definition, rules, policies = read_parts(definition, rules, policies)
        self.entry = Entry(
            task_id=task_id,
            name=name,
            kind=kind,
            executor=executor,
            definition=_shared(definition),
            rules=_shared(rules),
            policies=policies,
            is_code_bound=bool(is_bound),
            origin=origin,
        )
        self.revision: int
        self.anchor: Microseconds
        self.cursor: Microseconds | None
        self.next_due_at: Microseconds | None
        self.paused_at: Microseconds | None
        self.rule_error: str | None
        self.revision, self.anchor, self.cursor, self.next_due_at, self.paused_at = rest[:5]
        self.is_resolved, self.rule_error = bool(rest[5]), rest[6]


def read_parts(
    definition: Any, rules: Any, policies: Any
) -> tuple[dict[str, Any], tuple[dict[str, Any], ...], Policies]:
    """Return what a row holds; of a damaged one a rule that there is not, which says so.

    Somebody may have written to the ledger by hand, or a disk has: no other task waits for that.
    """
    try:
        if type(definition) is dict and all(type(rule) is dict for rule in rules):
            return definition, tuple(rules), from_plain(policies)
        reason = "definition, rules"
    except Exception as error:  # fence: rule
        reason = str(error)
    return {}, ({"type": f"damaged row: {reason}"[:_ERROR_LIMIT]},), Policies()


class _Shape(NamedTuple):
    """What entries with the same texts for definition, rules and policies have in common."""

    parts: tuple[dict[str, Any], tuple[dict[str, Any], ...], Policies]
    occurrences: Occurrences | None
    """None: they are each entry's own."""


def _parts_of(*texts: str) -> tuple[dict[str, Any], tuple[dict[str, Any], ...], Policies]:
    """Return what the texts of definition, rules and policies say."""
    values = []
    for text in texts:
        try:
            values.append(json.loads(text))
        except (ValueError, RecursionError):
            values.append(None)
    definition, rules, policies = read_parts(*values)
    return _shared(definition), _shared(rules), policies


def _is_same_for_all(rules: Sequence[Mapping[str, Any]]) -> bool:
    """Whether rules have the same instants whatever entry they are of."""
    return all(is_same_for_all(rule) and not _CALENDARS & rule.keys() for rule in rules)


class EntryShelf:
    """Find entries, parsed, and plan them one by one without harm to the others."""

    def __init__(self, store: Store, catalog: Catalog, flights: Flights) -> None:
        self._store = store
        self._catalog = catalog
        self._flights = flights
        self._errors: dict[str, str] = {}
        self._occurrences: dict[str, Occurrences] = {}
        """By the text of the rules, of those whose instants follow from nothing else."""
        self._shapes: dict[tuple[str, ...], _Shape] = {}
        self.delayed: set[str] = set()
        """Entries that count from the end of their runs, as far as they were met."""

    def load(self, task_ids: Sequence[str]) -> dict[str, StoredEntry]:
        """Read entries as stored; an id that is not there is not in the answer."""
        if not task_ids:
            return {}
        rows = self._store.fetch("load_entries", ids=list(task_ids))
        return {row[0]: StoredEntry(row) for row in rows}

    def look_up(self, wanted: Sequence[tuple[str, int]]) -> Mapping[str, Known]:
        """Return entries by (id, revision), from memory where they are, else in one query."""
        found: dict[str, Known] = {}
        missing: list[str] = []
        for task_id, revision in wanted:
            known = self._flights.known(task_id, revision)
            if known is None:
                missing.append(task_id)
            else:
                found[task_id] = known
        for row in self._store.fetch("known_entries", ids=missing) if missing else ():
            known = self._known_of(row)
            self._flights.learn(known)
            found[row[0]] = known
        return found

    def _known_of(self, row: Sequence[Any]) -> Known:
        """Return an entry by its row of `known_entries`; few are of a shape of their own."""
        task_id, name, kind, executor, origin, is_bound, revision, anchor, *texts = row
        key = tuple(texts)
        shape = self._shapes.get(key)
        parts = _parts_of(*key) if shape is None else shape.parts
        definition, rules, policies = parts
        entry = Entry(
            task_id=task_id,
            name=name,
            kind=kind,
            executor=executor,
            definition=definition,
            rules=rules,
            policies=policies,
            is_code_bound=bool(is_bound),
            origin=origin,
        )
        if shape is not None and shape.occurrences is not None:
            return Known(entry, revision, anchor, shape.occurrences)
        occurrences = self.occurrences_of(entry)
        if shape is None:
            if len(self._shapes) >= _SHARED:
                self._shapes.clear()
            is_same = _is_same_for_all(rules) and not is_fixed_delay(rules)
            self._shapes[key] = _Shape(parts, occurrences if is_same else None)
        return Known(entry, revision, anchor, occurrences)

    def occurrences_of(self, entry: Entry) -> Occurrences | None:
        """Return the occurrences of an entry; None, with the error kept, if they raise."""
        try:
            found = self._occurrences_of(entry)
            if not is_fixed_delay(entry.rules):
                return found
            self.delayed.add(entry.task_id)
            free = {name: value for name, value in entry.rules[0].items() if name != "start_at"}
            if len(free) == len(entry.rules[0]):
                return DelayOccurrences(found)
            after = self._catalog.occurrences_of(replace(entry, rules=(free,)))
            return DelayOccurrences(found, after)
        except Exception as error:  # fence: rule
            self._errors[entry.task_id] = self._text_of(error)
            return None

    def _occurrences_of(self, entry: Entry) -> Occurrences:
        """Ask the catalog; but for rules that many entries have, once for all of them."""
        if not _is_same_for_all(entry.rules):
            return self._catalog.occurrences_of(entry)
        text = json_text(entry.rules)
        found = self._occurrences.get(text)
        if found is None:
            found = self._catalog.occurrences_of(entry)
            if len(self._occurrences) >= _SHARED:
                self._occurrences.clear()
            self._occurrences[text] = found
        return found

    def error_of(self, task_id: str) -> str | None:
        """Return what the rule of an entry said when it last raised."""
        return self._errors.get(task_id)

    def clear_error(self, task_id: str) -> None:
        """Forget what the rule of an entry said: it was given a new one."""
        self._errors.pop(task_id, None)

    def keep_error(self, entry: Entry, error: Exception, work: Work) -> None:
        """Remember and tell what the rule of an entry said."""
        self._errors[entry.task_id] = text = self._text_of(error)
        work.events.append(EntryFailed(entry.task_id, entry.name, text))

    def plan(
        self,
        known: Known,
        seats: Seats,
        due_at: Microseconds | None,
        work: Work,
        *,
        cursor: Microseconds | None = None,
    ) -> Plan | None:
        """Plan one entry; None, with an event, if its rule raises or answers nonsense.

        `due_at` None: it is not known, and found by the rule, after the cursor if there is one.
        """
        entry = known.entry
        if known.occurrences is not None:
            try:
                if due_at is None:
                    # Its rule raised before it told the moment that comes first, or next.
                    if cursor is not None:
                        return Plan(known.occurrences.next_after(cursor, known.anchor))
                    return Plan(known.occurrences.first(known.anchor))
                occurrences = known.occurrences
                if is_fixed_delay(entry.rules):
                    occurrences = OnceOccurrences(due_at)
                    work.rested.add(entry.task_id)
                return planner.plan(
                    occurrences,
                    entry.policies,
                    seats,
                    due_at=due_at,
                    anchor=known.anchor,
                    now=work.now,
                )
            except Exception as error:  # fence: rule
                self._errors[entry.task_id] = self._text_of(error)
        else:
            # Bound again or its code mended: it is read anew at the next try.
            self._flights.unlearn(entry.task_id)
        error_text = self._errors.get(entry.task_id, "")
        work.events.append(EntryFailed(entry.task_id, entry.name, error_text))
        return None

    @staticmethod
    def _text_of(error: Exception) -> str:
        return f"{type(error).__name__}: {error}"[:_ERROR_LIMIT].encode("utf-8", "replace").decode()
