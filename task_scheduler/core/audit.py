"""The audit: what was changed, by whom, from where; chained, so that a change of a row is noticed.

Responsible for: the rows of a change, their chain, and checking it. Each row's hash covers the row
and the hash before it (SHA-256 over canonical JSON); rows are written in the transaction of the
change that they tell of.

A chain without a secret tells of a row that was changed, not of one who made the whole chain anew:
for that the newest hash has to be kept elsewhere, and `check` be told to find it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from task_scheduler.core.inbox import (
    BackfillRange,
    CancelRun,
    CollectLedger,
    Command,
    EndSilences,
    PauseEntry,
    ReleaseLedger,
    RequestRun,
    ResumeEntry,
    SilenceAlerts,
)
from task_scheduler.core.json_text import json_text
from task_scheduler.core.model import Entry, Microseconds
from task_scheduler.core.policies import to_plain
from task_scheduler.core.ports import Store

__all__ = ["GENESIS", "MANY", "AuditRow", "AuditTrail", "Finding", "check", "hash_of"]

GENESIS = "0" * 64
"""Stands for the hash before the first row."""

MANY = "add_many"
"""The action of a row that tells of many new entries."""

_ACTIONS: Mapping[type[Command], tuple[str, tuple[str, ...]]] = {
    PauseEntry: ("pause", ("reason", "until")),
    ResumeEntry: ("resume", ("resume_from",)),
    RequestRun: ("run", ("request_id",)),
    CancelRun: ("cancel", ("run_id", "reason")),
    BackfillRange: ("backfill", ("start", "end", "limit")),
    ReleaseLedger: ("release", ("since", "keep_waiting")),
    CollectLedger: ("collect", ("is_vacuuming",)),
    SilenceAlerts: ("silence", ("pattern", "until", "reason")),
    EndSilences: ("unsilence", ("pattern",)),
}
"""What commands are called that change one thing, and what is told of them."""


class AuditRow(NamedTuple):
    """One change; `before` and `after` are JSON, None where there is nothing."""

    number: int
    at: Microseconds
    actor: str
    action: str
    task_id: str | None
    before: Any
    after: Any
    hash: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Where a chain is broken, and how: ``changed``, ``missing`` or ``unknown_head``."""

    number: int
    what: str


class AuditTrail:
    """Notes changes, and writes them with the rest of a tick."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._noted: list[tuple[str, str, str | None, Any, Any]] = []

    def note_entry(self, actor: str, old: Entry | None, new: Entry | None) -> None:
        """Note that an entry was added, changed or removed."""
        action = "add" if old is None else "remove" if new is None else "edit"
        entry = new or old
        assert entry is not None
        self._noted.append((actor, action, entry.task_id, plain_of(old), plain_of(new)))

    def note_restored(self, actor: str, entry: Entry) -> None:
        """Note that an archived entry came back, as it was; what it is now is an edit."""
        self._noted.append((actor, "restore", entry.task_id, None, None))

    def note_many(self, actor: str, task_ids: Sequence[str], digest: str) -> None:
        """Note that very many entries were added; `digest` is of their definitions.

        What each was then is told by the entry, or by what its first change says of before.
        """
        after = {"count": len(task_ids), "digest": digest, "task_ids": list(task_ids)}
        self._noted.append((actor, MANY, None, None, after))

    def note(self, command: Command) -> None:
        """Note any other command, if it changes anything."""
        if type(command) not in _ACTIONS or getattr(command, "is_dry_run", False):
            return
        action, names = _ACTIONS[type(command)]
        values = {name: getattr(command, name) for name in names}
        after = {name: value for name, value in values.items() if value is not None}
        task_id = getattr(command, "task_id", None)
        self._noted.append((command.actor, action, task_id, None, after))

    def write(self, now: Microseconds) -> None:
        """Write what was noted, chained to the last row."""
        if not self._noted:
            return
        number, before = self._store.fetch("audit_head") or [0, GENESIS]
        rows = []
        for number, noted in enumerate(self._noted, number + 1):  # noqa: B020
            before = hash_of(before, [number, now, *noted])
            *who, old, new = noted
            rows.append((number, now, *who, _text_of(old), _text_of(new), before))
        self._noted.clear()
        self._store.execute("insert_audit", rows=rows)

    def forget(self) -> None:
        """Forget what was noted in a tick that failed."""
        self._noted.clear()


def check(rows: Iterable[AuditRow], head: str | None = None) -> tuple[int, str, list[Finding]]:
    """Return how many rows there are, the hash of the last, and where the chain is broken.

    `head` is a hash that was kept elsewhere: some row must have it.
    """
    count, before, findings = 0, GENESIS, []
    is_head_seen = head in (None, GENESIS)
    for row in rows:
        if row.number != count + 1:
            findings.append(Finding(count + 1, "missing"))
        if hash_of(before, list(row[:-1])) != row.hash and row.number == count + 1:
            findings.append(Finding(row.number, "changed"))
        count, before = row.number, row.hash
        is_head_seen = is_head_seen or row.hash == head
    if not is_head_seen:
        findings.append(Finding(count, "unknown_head"))
    return count, before, findings


def hash_of(before: str, row: list[Any]) -> str:
    """Return the hash of a row (without its own) after another."""
    text = json.dumps([before, row], sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _text_of(value: Any) -> str | None:
    return None if value is None else json_text(value)


def plain_of(entry: Entry | None) -> dict[str, Any] | None:
    """Return an entry as JSON data; references to secrets stay references."""
    if entry is None:
        return None
    return {
        "name": entry.name,
        "kind": entry.kind,
        "definition": dict(entry.definition),
        "rules": [dict(rule) for rule in entry.rules],
        "policies": to_plain(entry.policies),
        "origin": entry.origin,
    }
