"""Declarations: bring the ledger in line with a configuration, as a whole or not at all.

Responsible for: entries that are declared, those that are not any more, and those that come back.
What an undeclared task was and where it stood is kept: declared again it has its history, goes on
at its place in time, and makes up for nothing of the time in between. What was changed by others
since it was declared is found by comparing (`declaration_plan`), and who decides about it asks.

A task whose type has changed is another one of the same id: it is archived and comes back as that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from task_scheduler.core.additions import Additions, refuse_unknown_pools
from task_scheduler.core.audit import AuditTrail, plain_of
from task_scheduler.core.chains import Chains
from task_scheduler.core.entries import EntryShelf, StoredEntry
from task_scheduler.core.events import EntryRestored
from task_scheduler.core.flights import Work
from task_scheduler.core.inbox import AddEntries, DeclareEntries, RemoveEntries
from task_scheduler.core.json_text import json_text
from task_scheduler.core.limits import EngineLimits
from task_scheduler.core.model import Entry
from task_scheduler.core.ports import Store
from task_scheduler.errors import DefinitionError

__all__ = ["DECLARED", "Declarations"]

DECLARED = "config"
"""The origin of entries that a configuration declares."""


class Declarations:
    """Take up what a configuration declares."""

    def __init__(
        self,
        store: Store,
        shelf: EntryShelf,
        limits: EngineLimits,
        *,
        additions: Additions,
        chains: Chains,
        audit: AuditTrail,
        remove: Callable[[RemoveEntries, Work], object],
    ) -> None:
        self._store = store
        self._shelf = shelf
        self._limits = limits
        self._additions = additions
        self._chains = chains
        self._audit = audit
        self._remove = remove

    def apply(self, command: DeclareEntries, work: Work) -> dict[str, list[str]]:
        """Add, change, bring back and archive; return the ids that came back and that went.

        Raises DefinitionError, with nothing changed.
        """
        entries = {entry.task_id: entry for entry in command.entries}
        replaced = self._check(entries)
        archived = list(self._shelf.load(command.archived))
        gone = [*archived, *replaced]
        if gone:
            self._remove(RemoveEntries(task_ids=gone, actor=command.actor), work)
            self._store.execute("note_undeclared", ids=gone)
        restored = self._restore(list(entries.values()), command.actor, work)
        self._additions.apply(AddEntries(entries=command.entries, actor=command.actor), work)
        rows = [(e.task_id, json_text(plain_of(e)), work.now) for e in entries.values()]
        self._store.execute("put_declared", rows=rows)
        if command.missing:
            self._store.execute("resolve_functions", gone=list(command.missing))
            self._store.execute("hold_unresolved")
        return {"restored": restored, "archived": archived}

    def _check(self, entries: dict[str, Entry]) -> list[str]:
        """Refuse what cannot be, before anything is written; return the tasks of another type."""
        stored = self._shelf.load(list(entries))
        replaced = [task_id for task_id, old in stored.items() if _is_other(old, entries[task_id])]
        refuse_unknown_pools(entries.values(), self._limits.pools)
        self._chains.check(entries.values())
        return replaced

    def _restore(self, entries: Sequence[Entry], actor: str, work: Work) -> list[str]:
        """Let archived tasks stand as they stood; what they are now is a change like any other."""
        there = self._shelf.load([entry.task_id for entry in entries])
        new = {entry.task_id: entry for entry in entries if entry.task_id not in there}
        ids: list[str] = self._store.fetch("archived_ids", ids=list(new)) if new else []
        if not ids:
            return []
        rows: list[list[Any]] = [[i, new[i].kind, new[i].executor] for i in ids]
        self._store.execute("restore_entries", rows=rows, now=work.now)
        self._store.execute("restore_progress", ids=ids)
        for task_id in ids:
            work.events.append(EntryRestored(task_id, new[task_id].name))
            self._audit.note_restored(actor, new[task_id])
        return ids


def _is_other(old: StoredEntry, new: Entry) -> bool:
    """Whether a task is of another type; raises DefinitionError where a program owns its id."""
    if old.entry.kind == new.kind:
        return False
    if old.entry.origin != DECLARED:
        raise DefinitionError(
            "errors.task_kind_changed", task_id=new.task_id, old=old.entry.kind, new=new.kind
        )
    return True
