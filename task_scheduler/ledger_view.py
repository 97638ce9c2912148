"""The ledger as users read it: status of tasks, runs, attempts and skips as plain JSON values.

Responsible for: the keys and words of those values; moments become ISO 8601 with offset, durations
seconds. Reads through the port of a store and changes nothing. Works with the scheduler up or down.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from task_scheduler.core.audit import AuditRow
from task_scheduler.core.entries import read_parts
from task_scheduler.core.hints import nearest_hint
from task_scheduler.core.json_text import json_text
from task_scheduler.core.model import SECOND, Microseconds
from task_scheduler.core.policies import to_plain
from task_scheduler.core.tags import tags_of
from task_scheduler.errors import RunNotFoundError, ScheduleError, TaskNotFoundError
from task_scheduler.i18n import current_language
from task_scheduler.rollups import SLOT
from task_scheduler.schedules.instants import datetime_at
from task_scheduler.schedules.rule import describe, from_plain, is_same_for_all
from task_scheduler.schedules.zones import local_zone

__all__ = ["RETRY_PREFIX", "USER_RULE", "HalfHour", "LedgerView", "iso", "rule_sentence"]

USER_RULE = "user"
"""The `type` of the plain form of a rule that is the user's own code."""

RETRY_PREFIX = "retry-of-"
"""Begins the request by which a run is done again; the old run's id follows."""

_NEWEST = (1 << 63) - 1
_PAGE = 1_000
_SAMPLE = 100
"""Latest runs of a task over which its p95 is taken."""
_HINTS = 5_000
_USED = ("peak_memory_bytes", "cpu_seconds", "read_bytes", "written_bytes")
_MEASURED = ("output_path", *_USED)
_UNFINISHED = frozenset({"waiting", "running"})
_UNUSUAL = frozenset({"failed", "timed_out", "cancelled", "lost", "skipped"})
"""The states of runs that an index of the few finds."""


class HalfHour(NamedTuple):
    """What became of the runs that began in a half hour."""

    at: Microseconds
    """When it begins, in microseconds since the Unix epoch."""
    succeeded: int
    failed: int
    timed_out: int
    cancelled: int
    lost: int
    skipped: int
    """Runs that were asked for and never began; occurrences without a run are `skips`."""
    duration_seconds: float
    """How long they took together."""


def iso(moment: Microseconds | None) -> str | None:
    """Return a moment as ISO 8601 in the machine's zone, with its offset; None stays None."""
    return None if moment is None else datetime_at(moment, local_zone().tz).isoformat()


def rule_sentence(plain: dict[str, Any], task_id: str | None = None) -> str:
    """Return the sentence of a task's rule from its stored form."""
    if plain.get("type") == USER_RULE:
        return str(plain.get("description", plain.get("class", "")))
    # Many tasks have the same rule; of one that depends on the task, each has its own sentence.
    whose = None if is_same_for_all(plain) else task_id
    return _sentence(json_text(plain), whose, current_language())


@functools.lru_cache(maxsize=2_048)
def _sentence(text: str, task_id: str | None, _: str) -> str:
    try:
        return describe(from_plain(json.loads(text)), task_id=task_id)
    except ScheduleError as error:
        return str(error)


class LedgerView:
    """Answer questions about a ledger; `fetch` is that of a store or a reader."""

    def __init__(self, fetch: Callable[..., Any]) -> None:
        self._fetch = fetch

    def task(self, task_id: str) -> dict[str, Any]:
        """Return the status of one task; raises TaskNotFoundError with a hint."""
        found = self.tasks([task_id])
        if not found:
            archived_at = self.archived_at(task_id)
            if archived_at is not None:
                raise TaskNotFoundError("errors.task_archived", task_id=task_id, at=archived_at)
            known = self._fetch("all_task_ids", limit=_HINTS)
            raise TaskNotFoundError(
                "errors.task_not_found", task_id=task_id, hint=nearest_hint(task_id, known)
            )
        return found[0]

    def tasks(
        self,
        ids: Sequence[str] | None = None,
        *,
        after: str = "",
        limit: int | None = None,
        search: str | None = None,
        tags: Sequence[str] = (),
        with_quantiles: bool = True,
    ) -> list[dict[str, Any]]:
        """Return the status of the named tasks that exist, or of all, ordered by id.

        Of all: at most `limit` of them, after the id `after`, in whose id or name `search` stands,
        and that have all of these `tags`.
        """
        if ids is not None:
            return self._tasks(ids, with_quantiles=with_quantiles)
        found: list[dict[str, Any]] = []
        for page in self._pages(after, limit, search, tags):
            found += self._tasks(page, with_quantiles=with_quantiles)
        return found

    def _pages(
        self, after: str, limit: int | None, search: str | None, tags: Sequence[str]
    ) -> Iterator[list[str]]:
        """Give the ids of tasks, a page at a time."""
        name, more = _tagged("find_tasks", "find_tagged_tasks", tags)
        wanted = None if search is None else search.lower()
        left = _NEWEST if limit is None else limit
        while left > 0:
            size = min(left, _PAGE)
            page = self._fetch(name, after=after, search=wanted, limit=size, **more)
            if page:
                yield page
            if len(page) < size:
                return
            left, after = left - size, page[-1]

    def _tasks(self, ids: Sequence[str], *, with_quantiles: bool) -> list[dict[str, Any]]:
        rows = self._fetch("task_status", ids=list(ids), after="", limit=max(1, len(ids)))
        quantiles: dict[str, Any] = {}
        if with_quantiles and rows:
            names = [row["task_id"] for row in rows if row["run_count"]]
            quantiles = self._quantiles(names, 0.95)
        return [_status(row, quantiles.get(row["task_id"])) for row in rows]

    def activity(self, task_id: str | None, *, since: Microseconds) -> list[HalfHour]:
        """Return what became of the runs of a task, or of all, by the half hours they began in.

        From the half hour of the moment `since` on, oldest first, without those that had none; it
        knows also of runs that retention has taken since.
        """
        whose = "" if task_id is None else task_id
        counted, rest = self._fetch("activity", task_id=whose, since=since // SLOT)
        rows = _summed(counted, rest) if rest else counted
        return [
            HalfHour(slot * SLOT, *counts, duration / SECOND)  # type: ignore[call-arg]
            for slot, *counts, duration in rows
        ]

    def uncounted(self) -> int:
        """Return how many runs are not counted for charts yet, those that are not over too."""
        last: int = self._fetch("last_run_id")
        counted: int = self._fetch("counted_to")
        return last - counted

    def ids_from(self, origin: str) -> list[str]:
        """Return the ids of the tasks that were declared there, such as in the ``config``."""
        ids: list[str] = self._fetch("ids_from", origin=origin)
        return ids

    def tags(self) -> dict[str, int]:
        """Return every tag, and how many tasks have it."""
        counts: dict[str, int] = self._fetch("count_tags")
        return counts

    def archived_at(self, task_id: str) -> str | None:
        """Return when a task was archived: its runs are there, and no configuration declares it."""
        moment: Microseconds | None = self._fetch("archived_moment", task_id=task_id)
        return iso(moment)

    def counts(self, now: Microseconds) -> dict[str, int]:
        """Return how many tasks there are, how many runs run, and how many are due and wait."""
        return {
            "total_tasks": self._fetch("count_entries"),
            "running_tasks": self._fetch("count_running"),
            "backlog": self._fetch("count_backlog", now=now),
        }

    def runs(
        self,
        task_id: str | None = None,
        *,
        state: str | None = None,
        tags: Sequence[str] = (),
        before: int | None = None,
        limit: int = 50,
    ) -> list[dict[str, Any]]:
        """Return the newest runs, of a task, of those with all of these `tags`, or of all.

        `before` is a run id, for the next page.
        """
        top = _NEWEST if before is None else before
        page = {"before": top, "limit": limit, "state": state}
        if tags:
            ids = self._fetch("find_runs_of_tags", tags=list(tags), **page)
        elif state in _UNFINISHED:
            ids = self._fetch("find_unfinished_runs", task_id=task_id, **page)
        elif task_id is None:
            ids = self._fetch("find_unusual_runs" if state in _UNUSUAL else "find_runs", **page)
        else:
            name = "find_unusual_runs_of_task" if state in _UNUSUAL else "find_runs_of_task"
            ids = self._fetch(name, task_id=task_id, **page)
        rows = self._fetch("list_runs", ids=ids)
        usage = self._fetch("usage_of_runs", ids=ids) or {}
        return [{**_run(row), **_usage(usage.get(str(row["run_id"])))} for row in rows]

    def run(self, run_id: int) -> dict[str, Any]:
        """Return one run with its attempts; raises RunNotFoundError."""
        row = self._fetch("show_run", run_id=run_id)
        if row is None:
            raise RunNotFoundError("errors.run_not_found", run_id=run_id)
        attempts = [_attempt(item) for item in self._fetch("list_attempts", run_id=run_id)]
        usage = self._fetch("usage_of_runs", ids=[run_id]) or {}
        return {**_run(row), **_usage(usage.get(str(run_id))), "attempts": attempts}

    def audit(
        self, task_id: str | None = None, *, before: int | None = None, limit: int = 50
    ) -> list[dict[str, Any]]:
        """Return the newest changes, of a task or of all; `before` is a number, to page."""
        top = _NEWEST if before is None else before
        whose = {} if task_id is None else {"task_id": task_id}
        name = "list_audit_of_task" if whose else "list_audit"
        rows = self._fetch(name, before=top, limit=limit, **whose)
        return [{**AuditRow(*row)._asdict(), "at": iso(row[1])} for row in rows]

    def audit_rows(self, *, after: int = 0, limit: int = 1_000) -> list[AuditRow]:
        """Return a page of changes in their order, as they are chained."""
        return [AuditRow(*row) for row in self._fetch("walk_audit", after=after, limit=limit)]

    def last_start(self) -> dict[str, Any] | None:
        """Return which process took the ledger last, and when; None: none ever did."""
        row = self._fetch("last_epoch")
        if row is None:
            return None
        return {"pid": row[2], "version": row[3], "started_at": iso(row[4])}

    def hold(self) -> dict[str, Any] | None:
        """Return why nothing of the ledger starts, and since when; None where it is not held.

        ``reason`` is ``restored`` or ``rolled_back``; it knows of nothing after ``moment``, and of
        no token above ``token``; ``waiting`` are the runs that wait in it.
        """
        row = self._fetch("ledger_row")
        if row["held_at"] is None:
            return None
        return {
            "reason": row["held_reason"],
            "held_at": iso(row["held_at"]),
            "moment": iso(row["held_moment"]),
            "token": row["held_token"],
            "waiting": [
                {"run_id": run_id, "task_id": task_id, "origin": origin, "attempt": attempt}
                for run_id, task_id, _, _, attempt, origin, _ in self._fetch("unclaimed_runs")
            ],
        }

    def last_runs(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return, by task id, the newest run that has ended: how each task stands now."""
        rows = self._fetch("last_runs", ids=list(ids))
        return {row["task_id"]: _run(row) for row in rows or []}

    def usual_seconds(self, ids: Sequence[str]) -> dict[str, float]:
        """Return, by task id, how long a run of the task usually takes: the median of the latest.

        Of those that succeeded: tasks that have no such run are left out.
        """
        found = self._quantiles(ids, 0.5, state="succeeded")
        return {task_id: duration / SECOND for task_id, duration in found.items()}

    def _quantiles(
        self, ids: Sequence[str], share: float, *, state: str | None = None
    ) -> dict[str, Microseconds]:
        """Return, by task id, what that share of the latest runs took at most."""
        given = {"share": share, "state": state, "sample": _SAMPLE}
        found: dict[str, Microseconds] = self._fetch("duration_quantile", ids=list(ids), **given)
        return found or {}

    def plans(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return, by task id, what the coming occurrences of tasks follow from.

        `anchor` and `next_due_at` are microseconds since the Unix epoch.
        """
        rows = self._fetch("load_entries", ids=list(ids))
        return {
            row[0]: {
                "rules": list(read_parts(row[4], row[5], row[6])[1]),
                "anchor": row[10],
                "next_due_at": row[12],
                "is_planned": row[13] is None and bool(row[14]),
            }
            for row in rows or []
        }

    def ping_rows(self) -> list[dict[str, Any]]:
        """Return the last sign of life of what runs elsewhere; moments are microseconds."""
        rows: list[dict[str, Any]] = self._fetch("pings_now")
        return rows

    def parents(self, task_id: str) -> list[dict[str, Any]]:
        """Return the tasks after which a task runs, and how they stand.

        ``task``, ``on``, ``run_id`` (the run that ended so since its last chained run, or None)
        and ``exists``.
        """
        rows = self._fetch("links_to", task_id=task_id)
        return [{**row, "exists": bool(row["exists"])} for row in rows]

    def skips(
        self,
        task_id: str | None = None,
        *,
        tags: Sequence[str] = (),
        before: int | None = None,
        limit: int = 50,
    ) -> list[dict[str, Any]]:
        """Return the newest skips: ranges of occurrences without an attempt, with the reason.

        Of a task, of those with all of these `tags`, or of all.
        """
        whose: dict[str, Any] = {} if task_id is None else {"task_id": task_id}
        name = "list_skips_of_task" if whose else "list_skips"
        if tags:
            name, whose = _tagged(name, "list_skips_of_tags", tags)
        top = _NEWEST if before is None else before
        rows = self._fetch(name, before=top, limit=limit, **whose)
        return [
            {
                **{name: row[name] for name in ("skip_id", "task_id", "reason", "count")},
                "blocker_run_id": row["blocker_run_id"],
                "first": iso(row["first_at"]),
                "last": iso(row["last_at"]),
                "at": iso(row["at"]),
            }
            for row in rows
        ]


def _tagged(name: str, tagged: str, tags: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Return the statement to ask, and what it takes besides, where there may be tags."""
    return (tagged, {"tags": list(tags)}) if tags else (name, {})


def _summed(rows: list[list[int]], more: list[list[int]]) -> list[list[int]]:
    """Return rows that begin with a slot, in the order of slots, one for each."""
    slots = {slot: counts for slot, *counts in rows}
    for slot, *counts in more:
        known = slots.get(slot, [0] * len(counts))
        slots[slot] = [one + other for one, other in zip(known, counts, strict=True)]
    return [[slot, *slots[slot]] for slot in sorted(slots)]


def _status(row: dict[str, Any], p95: int | None) -> dict[str, Any]:
    definition, rules, policies = read_parts(row["definition"], row["rules"], row["policies"])
    row = {**row, "rules": rules}
    count = row["run_count"]
    waiting_at, next_due_at = row["waiting_at"], row["next_due_at"]
    is_planned = row["paused_at"] is None
    moments = [m for m in (waiting_at, next_due_at if is_planned else None) if m is not None]
    next_at = min(moments, default=None)
    return {
        "task_id": row["task_id"],
        "name": row["name"],
        "kind": row["kind"],
        "description": definition.get("description", ""),
        "tags": list(tags_of(definition)),
        "origin": row["origin"],
        "status": _word(row, next_at),
        "schedule": [rule_sentence(rule, row["task_id"]) for rule in rules],
        "run_count": count,
        "success_count": row["success_count"],
        "failure_count": row["failure_count"],
        "skip_count": row["skip_count"],
        "success_rate": row["success_count"] / count if count else None,
        "running_count": row["running"],
        "last_run_time": iso(row["last_run_at"]),
        "next_run_time": iso(next_at),
        "last_error": row["last_error"],
        "rule_error": row["rule_error"],
        "paused_at": iso(row["paused_at"]),
        "pause_reason": row["pause_reason"],
        "paused_until": iso(row["resume_at"]),
        "last_duration_seconds": _seconds(row["duration_last"]),
        "average_duration_seconds": _seconds(row["duration_total"] / count) if count else None,
        "max_duration_seconds": _seconds(row["duration_max"]) if count else None,
        "p95_duration_seconds": _seconds(p95),
        "rules": list(rules),
        "policies": to_plain(policies),
        "definition": definition,
        "added_at": iso(row["added_at"]),
    }


def _word(row: dict[str, Any], next_at: Microseconds | None) -> str:
    """Return the one word for where a task stands."""
    if row["running"]:
        return "running"
    if not row["is_resolved"]:
        return "unresolved"
    if row["paused_at"] is not None:
        return "paused"
    is_waiting = not row["rules"] or any(_is_of_boot(rule) for rule in row["rules"])
    # A rule that raised is asked again: nobody knows that it has no more runs.
    is_over = next_at is None and not is_waiting and row["rule_error"] is None
    return "finished" if is_over else "idle"


def _is_of_boot(rule: dict[str, Any]) -> bool:
    """Whether no moment is known to a rule because the next boot is none."""
    return str(rule.get("cron")).strip().lower() == "@reboot"


def _run(row: dict[str, Any]) -> dict[str, Any]:
    started, ended = row["started_at"], row["ended_at"]
    duration = ended - started if started is not None and ended is not None else None
    return {
        **{name: row[name] for name in ("run_id", "task_id", "key", "origin", "state")},
        "scheduled_at": iso(row["scheduled_at"]),
        "due_at": iso(row["due_at"]),
        "waiting_for": row["waiting_for"],
        "attempt": row["attempt"],
        "started_at": iso(started),
        "ended_at": iso(ended),
        "duration_seconds": _seconds(duration),
        "error": row["error"],
        "reason": row["reason"],
        "retry_of": _retry_of(row["key"]),
    }


def _retry_of(key: str) -> int | None:
    """Return the run that a run was asked to do again; None for every other one."""
    prefix = f"manual:{RETRY_PREFIX}"
    number = key[len(prefix) :].partition("-")[0] if key.startswith(prefix) else ""
    return int(number) if number.isascii() and number.isdigit() else None


def _usage(row: list[float | None] | None) -> dict[str, float | None]:
    """Return what the programs of a run used, all attempts together; None: nobody measured."""
    return dict(zip(_USED, row or [None] * len(_USED), strict=True))


def _attempt(row: dict[str, Any]) -> dict[str, Any]:
    started, ended = row["started_at"], row["ended_at"]
    return {
        **{name: row[name] for name in ("attempt", "token", "outcome", "error", "exit_code")},
        "started_at": iso(started),
        "ended_at": iso(ended),
        "duration_seconds": _seconds(None if started is None else ended - started),
        **{name: row[name] for name in _MEASURED},
    }


def _seconds(duration: float | None) -> float | None:
    return None if duration is None else round(duration / SECOND, 6)
