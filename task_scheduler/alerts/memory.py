"""What alerts remember: the open ones with their tasks, how tasks ended lately, who pinged.

Responsible for: the values, their plain forms for the ledger, and which of them changed since they
were last written. Decides nothing.
"""

from __future__ import annotations

import json
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from task_scheduler.core.model import Microseconds

__all__ = ["Alert", "Memory", "Part", "PingState", "Sample", "Silence", "TaskRecord"]

_TASKS = 20_000
"""Of so many tasks it is remembered how they ended; of the others the ledger is asked anew."""
_DURATIONS = 50
_FAILURES = 1_000
_NAMES = 20
"""The tasks that a message names."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The failure that a message shows."""

    task_id: str
    name: str
    run_id: int | None
    attempt: int
    error: str
    at: Microseconds


@dataclass(slots=True)
class Part:
    """A task in an alert, while it has not recovered."""

    task_id: str
    name: str
    since: Microseconds
    last_at: Microseconds
    count: int
    run_id: int | None


@dataclass(slots=True)
class Alert:
    """Something that is wrong, of one cause; it is open while a task has not recovered from it."""

    alert_id: int
    rule: str
    kind: str
    cause: str
    opened_at: Microseconds
    last_at: Microseconds
    closed_at: Microseconds | None = None
    count: int = 0
    is_over: bool = False
    """Whether nothing is to be told of it any more, unless it begins again."""
    sample: Sample | None = None
    seen: list[str] = field(default_factory=list)
    """The first tasks that were in it, also those that recovered."""
    seen_count: int = 0
    is_heard: bool = False
    """Whether any of it was to be heard: not silenced, not in maintenance, no child of another."""
    told_at: Microseconds | None = None
    """When a message was last made of it, in whichever of its turns."""
    first_told_at: Microseconds | None = None
    """When this turn of it was first told; None: it was not."""
    told_count: int = 0
    has_joined: bool = False
    """Whether another task joined it since."""
    reminders: int = 0
    flaps: int = 0
    """How often it came back soon after it was over."""
    parts: dict[str, Part] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str]:
        """What another failure has in common with it to be of it."""
        return self.rule, self.kind, self.cause

    def row(self) -> list[Any]:
        """Return the parameters of `put_alerts`."""
        memory = {
            "sample": None if self.sample is None else asdict(self.sample),
            **{name: getattr(self, name) for name in _REMEMBERED},
        }
        return [
            self.alert_id,
            self.rule,
            self.kind,
            self.cause,
            self.opened_at,
            self.last_at,
            self.closed_at,
            self.count,
            int(self.is_over),
            json.dumps(memory, ensure_ascii=False),
        ]

    @classmethod
    def of_row(cls, row: Sequence[Any]) -> Alert:
        """Return the alert that `row` wrote."""
        alert_id, rule, kind, cause, opened_at, last_at, closed_at, count, is_over, memory = row
        alert = cls(alert_id, rule, kind, cause, opened_at, last_at, closed_at, count)
        alert.is_over = bool(is_over)
        remembered = json.loads(memory)
        sample = remembered.get("sample")
        alert.sample = None if sample is None else Sample(**sample)
        for name in _REMEMBERED:
            if name in remembered:
                setattr(alert, name, remembered[name])
        return alert

    def part_row(self, part: Part) -> list[Any]:
        """Return the parameters of `put_alert_tasks`."""
        return [
            self.alert_id,
            part.task_id,
            part.name,
            part.since,
            part.last_at,
            part.count,
            part.run_id,
        ]

    def name_task(self, task_id: str) -> None:
        """Remember that a task was in it."""
        self.seen_count += 1
        if len(self.seen) < _NAMES and task_id not in self.seen:
            self.seen.append(task_id)


_REMEMBERED = (
    "seen",
    "seen_count",
    "is_heard",
    "told_at",
    "first_told_at",
    "told_count",
    "has_joined",
    "reminders",
    "flaps",
)


@dataclass(slots=True)
class TaskRecord:
    """How a task ended lately."""

    streak: int = 0
    failures: deque[Microseconds] = field(default_factory=lambda: deque(maxlen=_FAILURES))
    durations: deque[Microseconds] = field(default_factory=lambda: deque(maxlen=_DURATIONS))

    @classmethod
    def of_ends(cls, ends: Iterable[Sequence[Any]]) -> TaskRecord:
        """Return the record of ends ``(state, ended_at, duration)``, the newest first."""
        record = cls()
        for state, ended_at, duration in reversed(list(ends)):
            if state == "succeeded":
                record.note_success(duration)
            else:
                record.note_failure(ended_at)
        return record

    def note_success(self, duration: Microseconds | None) -> None:
        """Take in a run that went well."""
        self.streak = 0
        if duration is not None:
            self.durations.append(duration)

    def note_failure(self, at: Microseconds) -> None:
        """Take in one that did not."""
        self.streak += 1
        self.failures.append(at)

    def failures_since(self, moment: Microseconds) -> int:
        """Return how many failures there were from a moment on."""
        return sum(1 for at in self.failures if at >= moment)


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing is told of these tasks until a moment."""

    pattern: str
    until: Microseconds


@dataclass(frozen=True, slots=True)
class PingState:
    """The last sign of life of something that runs elsewhere."""

    fine_at: Microseconds
    started_at: Microseconds | None = None


@dataclass(slots=True)
class Memory:
    """All of it; the judge alone changes it."""

    alerts: dict[int, Alert] = field(default_factory=dict)
    records: OrderedDict[str, TaskRecord] = field(default_factory=OrderedDict)
    silences: tuple[Silence, ...] = ()
    pings: dict[str, PingState] = field(default_factory=dict)
    ancestors: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """After which tasks a task runs; of those that were asked about."""
    last_alert_id: int = 0
    changed: set[int] = field(default_factory=set)
    """Alerts that are not written as they are now."""
    changed_parts: set[tuple[int, str]] = field(default_factory=set)

    def record(self, task_id: str) -> TaskRecord:
        """Return how a task ended lately, as far as it is known."""
        found = self.records.get(task_id)
        if found is None:
            found = self.records[task_id] = TaskRecord()
            if len(self.records) > _TASKS:
                self.records.popitem(last=False)
        else:
            self.records.move_to_end(task_id)
        return found

    def seed(self, ends: Mapping[str, Iterable[Sequence[Any]]]) -> None:
        """Take in what the ledger says of tasks that are not known yet."""
        for task_id, of_task in ends.items():
            if task_id not in self.records:
                self.records[task_id] = TaskRecord.of_ends(of_task)
        while len(self.records) > _TASKS:
            self.records.popitem(last=False)

    def take_changes(self) -> tuple[list[list[Any]], list[list[Any]], list[list[Any]]]:
        """Return what is to be written: alerts, tasks in them, and tasks that left them."""
        alerts = [self.alerts[n].row() for n in sorted(self.changed) if n in self.alerts]
        parts, left = [], []
        for alert_id, task_id in sorted(self.changed_parts):
            alert = self.alerts.get(alert_id)
            part = None if alert is None else alert.parts.get(task_id)
            if alert is None or part is None:
                left.append([alert_id, task_id])
            else:
                parts.append(alert.part_row(part))
        self.changed.clear()
        self.changed_parts.clear()
        return alerts, parts, left
