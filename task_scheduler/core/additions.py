"""Additions: entries that are new to the ledger, and entries that are changed.

Responsible for: refusing what cannot be before anything is written, the first moments of new
entries, and what an edit does to those of old ones. What many new entries have in common (rules,
policies, definitions) is worked out once: a program may add a hundred thousand at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from task_scheduler.core import planner
from task_scheduler.core.audit import AuditTrail
from task_scheduler.core.chains import Chains
from task_scheduler.core.clock_steps import anchoring_of
from task_scheduler.core.delay_occurrences import is_fixed_delay
from task_scheduler.core.entries import EntryShelf, StoredEntry, plan_moment
from task_scheduler.core.events import EntriesAdded, EntryAdded
from task_scheduler.core.flights import Flights, Known, Work
from task_scheduler.core.hints import nearest_hint
from task_scheduler.core.inbox import AddEntries
from task_scheduler.core.json_text import json_text
from task_scheduler.core.limits import EngineLimits
from task_scheduler.core.model import Entry, Microseconds, SkipReason, WaitingFor
from task_scheduler.core.policies import to_sparse
from task_scheduler.core.ports import Store
from task_scheduler.core.run_commands import RunCommands
from task_scheduler.core.tags import TagIndex
from task_scheduler.errors import DefinitionError
from task_scheduler.schedules.occurrences import Occurrences
from task_scheduler.schedules.rule import is_same_for_all

__all__ = [
    "Account",
    "Additions",
    "function_needed",
    "refuse_other_kinds",
    "refuse_unknown_pools",
]

_TOLD_SINGLY = 100
"""New entries of one command up to which each has its own event and its own row in the audit."""

Account = Callable[[StoredEntry, Microseconds | None, SkipReason, Work], Microseconds | None]
"""Skips what is due by rules that come to their end now, and returns the last moment of that."""

_TEXTS = 8
"""The columns of a definition that are text, the first ones of `put_definitions`."""


class Additions:
    """Add and change entries, all of a command or none."""

    def __init__(
        self,
        store: Store,
        shelf: EntryShelf,
        flights: Flights,
        limits: EngineLimits,
        *,
        runs: RunCommands,
        chains: Chains,
        audit: AuditTrail,
        account: Account,
    ) -> None:
        self._store = store
        self._shelf = shelf
        self._flights = flights
        self._limits = limits
        self._runs = runs
        self._chains = chains
        self._tags = TagIndex(store)
        self._audit = audit
        self._account = account

    def apply(self, command: AddEntries, work: Work) -> list[str]:
        """Add or change entries; return their ids. Raises DefinitionError, with nothing changed."""
        entries = {entry.task_id: entry for entry in command.entries}
        stored = self._shelf.load(list(entries))
        for task_id, old in stored.items():
            _refuse_other_kind(entries[task_id], old.entry.kind)
        refuse_unknown_pools(entries.values(), self._limits.pools)
        self._chains.check(entries.values())
        broken = self._change(
            [(old, entries[task_id]) for task_id, old in stored.items()], command.actor, work
        )
        new = list(entries.values())
        if stored:
            new = [entry for entry in new if entry.task_id not in stored]
        broken += self._insert(new, command.actor, work)
        if broken:
            self._store.execute("move_cursors", rows=broken)
        return list(entries)

    # -- new entries ----------------------------------------------------------------------------

    def _insert(self, entries: Sequence[Entry], actor: str, work: Work) -> list[list[Any]]:
        """Insert new entries; return the rows of `move_cursors` of those whose rules raised."""
        if not entries:
            return []
        shapes = _Shapes(self._shelf, work, self._limits)
        definitions, progress, broken = [], [], []
        now, meet = work.now, self._flights.meet
        known, text_of = shapes.known, shapes.text_of
        for entry in entries:
            key = id(entry.rules), id(entry.policies)
            shape = known.get(key) or shapes.first_of(entry)
            if shape.occurrences is not None:
                # As it will be read from the ledger: should the tick fail, all is forgotten.
                meet(entry, now, shape.occurrences)
            if shape.error is not None:
                broken.append([entry.task_id, None, shape.due_at, shape.plan_at, shape.error])
            definitions.append(_row(entry, text_of(entry.definition), shape, now))
            progress.append((entry.task_id, now, shape.due_at, shape.plan_at))
        self._store.execute("put_definitions", rows=definitions)
        self._store.execute("new_progress", rows=progress)
        self._chains.put(entries, known=())
        self._tags.put(entries, known=())
        self._tell(entries, definitions, actor, work)
        return broken

    def _tell(
        self, entries: Sequence[Entry], rows: Sequence[tuple[Any, ...]], actor: str, work: Work
    ) -> None:
        """Tell of new entries, and record who added them: of very many all in one."""
        if len(entries) <= _TOLD_SINGLY:
            for entry in entries:
                work.events.append(EntryAdded(entry.task_id, entry.name))
                self._audit.note_entry(actor, None, entry)
            return
        ids = [entry.task_id for entry in entries]
        work.events.append(EntriesAdded(tuple(ids)))
        # The texts of a definition, parted by a character that none of them has.
        text = "\n".join(["\x1f".join(row[:_TEXTS]) for row in rows])
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        self._audit.note_many(actor, ids, digest)

    # -- changed entries ------------------------------------------------------------------------

    def _change(
        self, pairs: Sequence[tuple[StoredEntry, Entry]], actor: str, work: Work
    ) -> list[list[Any]]:
        """Change entries; return the rows of `move_cursors` of those whose rules raised.

        A program adds its tasks at each of its starts. What is as it was is bound and looked at
        again where it would not go on by itself, and else left alone.
        """
        changed = [pair for pair in pairs if not _is_same(*pair)]
        names = {entry.task_id for _, entry in changed}
        moved = [pair for pair in pairs if pair[1].task_id in names or not _goes_on(pair[0])]
        if not moved:
            return []
        progress, broken = [], []
        planned = self._runs.planned_ahead([entry.task_id for _, entry in moved], work)
        for old, entry in moved:
            cursor_row = self._cursor_of(entry, old, work, planned.get(entry.task_id, ()))
            progress.append(cursor_row)
            error = self._shelf.error_of(entry.task_id)
            if cursor_row[5] is not None and error:
                broken.append([entry.task_id, None, cursor_row[4], cursor_row[5], error])
        ids = [entry.task_id for _, entry in moved]
        self._store.execute("put_progress", rows=progress)
        self._store.execute("free_runs", ids=ids, waiting_for=WaitingFor.CODE)
        if changed:
            self._define(changed, actor, work)
        return broken

    def _define(self, changed: Sequence[tuple[StoredEntry, Entry]], actor: str, work: Work) -> None:
        """Write what changed entries are now, and tell of it."""
        entries = [entry for _, entry in changed]
        ids = [entry.task_id for entry in entries]
        shapes = _Shapes(self._shelf, work, self._limits)
        self._store.execute("put_definitions", rows=shapes.rows_of(entries))
        self._chains.put(entries, known=ids)
        self._tags.put(entries, known=ids)
        self._store.execute("free_limited", ids=ids, now=work.now)
        for old, entry in changed:
            work.events.append(EntryAdded(entry.task_id, entry.name))
            self._audit.note_entry(actor, old.entry, entry)

    def _cursor_of(
        self,
        entry: Entry,
        old: StoredEntry,
        work: Work,
        planned: Sequence[tuple[int, Microseconds]],
    ) -> list[Any]:
        """Return the row of `put_progress` of a changed entry; `planned`: its runs to come."""
        now = work.now
        ahead = self._runs.recall(entry.task_id, work, planned=planned)
        revision = old.revision + 1
        anchor = now if old.cursor is None else old.anchor
        cursor, due_at = old.cursor, old.next_due_at
        if ahead is not None:
            due_at, cursor = ahead, min(ahead - 1, now)
        is_same = due_at is not None and _same_rules(old.entry, entry)
        told: Microseconds | None = None
        if is_same:
            anchor = old.anchor
        else:
            # What the old rules still owed ends with them, and is told.
            is_paused = old.paused_at is not None
            reason = SkipReason.PAUSED if is_paused else SkipReason.SUPERSEDED
            told = self._account(old, due_at, reason, work)
            due_at = None
        later = now + self._limits.rule_retry
        self._shelf.clear_error(entry.task_id)
        occurrences = self._shelf.occurrences_of(entry)
        if occurrences is None:
            self._flights.unlearn(entry.task_id)
            return [entry.task_id, revision, anchor, cursor, due_at, later]
        # As it will be read from the ledger: should the tick fail, all that is known is forgotten.
        self._flights.learn(Known(entry, revision, anchor, occurrences))
        if not is_same and cursor is not None and is_fixed_delay(entry.rules):
            # It is set when the task has come to rest, which may be now.
            work.vacated.add(entry.task_id)
            return [entry.task_id, revision, anchor, cursor, None, None]
        try:
            if not is_same and cursor is None:
                due_at = occurrences.first(anchor)
            elif not is_same:
                due_at = planner.cursor_after_edit(
                    occurrences, cursor=cursor or 0, anchor=anchor, now=now
                )
        except Exception as error:  # fence: rule
            self._shelf.keep_error(entry, error, work)
            return [entry.task_id, revision, anchor, cursor, due_at, later]
        if told is not None and cursor is not None and (due_at is None or due_at > now):
            # Behind what was just told: no range of skips from before it goes on after it.
            cursor = max(cursor, told)
        plan_at = plan_moment(entry, due_at, self._limits.look_ahead)
        return [entry.task_id, revision, anchor, cursor, due_at, plan_at]


class _Shape(NamedTuple):
    """What entries with the same rules and policies have in common."""

    rules_text: str
    anchoring: int
    policies_text: str
    occurrences: Occurrences | None = None
    """Of new entries, as all that follows: their first instant, and when to look at them."""
    due_at: Microseconds | None = None
    plan_at: Microseconds | None = None
    error: str | None = None
    """What the rules said where they cannot be read, or raised."""


class _Shapes:
    """What entries of one command have in common, each worked out once.

    By identity: whoever adds many entries hands over the same rules, policies and definitions
    again and again, and comparing them costs more than working out a few of them twice.
    """

    def __init__(self, shelf: EntryShelf, work: Work, limits: EngineLimits) -> None:
        self._shelf = shelf
        self._work = work
        self._limits = limits
        self.known: dict[tuple[int, int], _Shape] = {}
        """By the identities of rules and policies."""
        self._definitions: dict[int, str] = {}
        self._policies: dict[int, str] = {}

    def first_of(self, entry: Entry) -> _Shape:
        """Return the shape of a new entry, with its first instant."""
        shelf, due_at = self._shelf, None
        shelf.clear_error(entry.task_id)
        occurrences = shelf.occurrences_of(entry)
        if occurrences is not None:
            try:
                due_at = occurrences.first(self._work.now)
            except Exception as raised:  # fence: rule
                shelf.keep_error(entry, raised, self._work)
        plan_at = plan_moment(entry, due_at, self._limits.look_ahead)
        error = shelf.error_of(entry.task_id)
        if error is not None:
            plan_at = self._work.now + self._limits.rule_retry
        shape = _Shape(*self._texts_of(entry), occurrences, due_at, plan_at, error)
        is_own = error is not None or is_fixed_delay(entry.rules)
        if not is_own and all(is_same_for_all(rule) for rule in entry.rules):
            self.known[id(entry.rules), id(entry.policies)] = shape
        return shape

    def rows_of(self, entries: Iterable[Entry]) -> list[tuple[Any, ...]]:
        """Return the rows of `put_definitions` of changed entries."""
        return [
            _row(e, self.text_of(e.definition), _Shape(*self._texts_of(e)), self._work.now)
            for e in entries
        ]

    def text_of(self, definition: Mapping[str, Any]) -> str:
        """Return the text of a definition."""
        text = self._definitions.get(id(definition))
        if text is None:
            text = self._definitions[id(definition)] = json_text(definition)
        return text

    def _texts_of(self, entry: Entry) -> tuple[str, int, str]:
        """Return the text of an entry's rules, their anchoring, and the text of its policies."""
        policies = self._policies.get(id(entry.policies))
        if policies is None:
            policies = self._policies[id(entry.policies)] = json_text(to_sparse(entry.policies))
        rules = [dict(rule) for rule in entry.rules]
        return json_text(rules), anchoring_of(rules), policies


def _row(entry: Entry, definition: str, shape: _Shape, now: Microseconds) -> tuple[Any, ...]:
    """Return a row of `put_definitions`."""
    return (
        entry.task_id,
        entry.name,
        entry.kind,
        entry.executor,
        definition,
        shape.rules_text,
        shape.policies_text,
        entry.origin,
        entry.is_code_bound,
        now,
        now,
        shape.anchoring,
        entry.policies.pool,
        function_needed(entry),
    )


def refuse_unknown_pools(entries: Iterable[Entry], pools: Mapping[str, int]) -> None:
    """Raise DefinitionError, with the likeliest, where an entry needs a pool that is not there."""
    for entry in {id(entry.policies): entry for entry in entries}.values():
        pool = entry.policies.pool
        if pool is not None and pool not in pools:
            hint = nearest_hint(pool, list(pools))
            raise DefinitionError(
                "errors.unknown_pool_near" if hint else "errors.unknown_pool",
                task_id=entry.task_id,
                pool=pool,
                hint=hint,
            )


def refuse_other_kinds(entries: Iterable[Entry], fetch: Callable[..., Any]) -> None:
    """Raise DefinitionError where a task of another kind has the id of an entry."""
    wanted = {entry.task_id: entry for entry in entries}
    for task_id, kind in fetch("kinds_of", ids=list(wanted)).items():
        _refuse_other_kind(wanted[task_id], kind)


def _refuse_other_kind(entry: Entry, kind: str) -> None:
    if entry.kind != kind:
        raise DefinitionError(
            "errors.task_kind_changed", task_id=entry.task_id, old=kind, new=entry.kind
        )


def function_needed(entry: Entry) -> str | None:
    """Return the function that has to be imported for an entry to run in this process."""
    if entry.kind != "function" or entry.executor != "thread" or entry.is_code_bound:
        return None
    return entry.definition.get("function")


def _is_same(old: StoredEntry, new: Entry) -> bool:
    """Whether an entry is added again as it was: a program does so at each of its starts."""
    return old.entry == replace(new, definition=dict(new.definition), rules=old.entry.rules) and (
        _same_rules(old.entry, new)
    )


def _goes_on(old: StoredEntry) -> bool:
    """Whether an entry, as it is stored, needs no code of this process and no other look."""
    is_ready = old.is_resolved and not old.entry.is_code_bound and old.rule_error is None
    is_planned = old.next_due_at is not None or old.cursor is not None
    return is_ready and (is_planned or not old.entry.rules)


def _same_rules(old: Entry, new: Entry) -> bool:
    return [dict(rule) for rule in old.rules] == [dict(rule) for rule in new.rules]
