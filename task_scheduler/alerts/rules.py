"""What is worth an alert, to whom, and when not: the section `alerts` as values.

Responsible for: the shapes, and which rule wants what of which task. Does not know how they are
written in a configuration, nor what a channel does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

from task_scheduler.core.model import SECOND, Microseconds
from task_scheduler.core.tags import tag_of, tags_in
from task_scheduler.schedules.calendars.named_calendar import Calendar, merged
from task_scheduler.schedules.zones import Zone, local_zone

__all__ = [
    "AlertKind",
    "AlertPlan",
    "Channel",
    "Door",
    "Expectation",
    "Heartbeat",
    "Maintenance",
    "Rule",
    "Tagged",
    "is_named",
    "stretch_end",
]

Tagged: TypeAlias = Mapping[str, Collection[str]]
"""The ids of the tasks that have a tag, by tag."""

_MINUTE = 60 * SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_FORESEEN_SECONDS = 8 * 86_400
"""A stretch of quiet is looked at so far ahead: a week of holidays."""


class AlertKind(StrEnum):
    """What an alert is about."""

    FAILED = "failed"
    """Runs failed, timed out or were lost, retries included."""
    LATE = "late"
    """A run is due and has not begun."""
    MISSED = "missed"
    """An occurrence will never run: it was noticed too late."""
    OVERRUN = "overrun"
    """A run takes longer than it may."""
    SLOW = "slow"
    """A run takes longer than its task usually does."""
    HEAVY = "heavy"
    """A run used more than it may of processor, memory or disk."""
    UNRESOLVED = "unresolved"
    """A task does not fire: its code is gone, or its rule raises."""
    SILENT = "silent"
    """What runs elsewhere gives no sign of life."""
    FAULT = "fault"
    """Something keeps the scheduler itself from its work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What of which tasks is told through which channels."""

    name: str
    kinds: frozenset[AlertKind]
    channels: tuple[str, ...]
    tasks: tuple[str, ...] = ("*",)
    """Ids, or patterns of them, or ``tag:NAME``; of pings from elsewhere too."""
    in_a_row: int | None = None
    """So many failures without a success between them; None with `within`, else 1."""
    within: tuple[int, Microseconds] | None = None
    """So many failures in so long a time, successes between them or not."""
    late: Microseconds = _MINUTE
    overrun: Microseconds | None = None
    most: Mapping[str, float] = field(default_factory=dict)
    """What a run may use of ``memory_bytes``, ``cpu_seconds``, ``read_bytes`` and
    ``written_bytes``."""
    is_recovery_told: bool = True
    is_urgent: bool = False
    """Whether it is told in quiet hours too."""

    def wants(self, kind: AlertKind, task_id: str, tagged: Tagged) -> bool:
        """Whether this is one of its kinds and one of its tasks; a fault is of no task."""
        is_of_all = kind is AlertKind.FAULT
        return kind in self.kinds and (is_of_all or is_named(task_id, self.tasks, tagged))

    @property
    def needs_history(self) -> bool:
        """Whether what a task did before decides."""
        is_counting = (self.in_a_row or 1) > 1 or self.within is not None
        return is_counting or AlertKind.SLOW in self.kinds


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A way to people: `target` is what its kind of channel needs to know."""

    name: str
    target: Any
    quiet: Calendar | None = None
    """When only what is urgent is delivered; the rest comes when that is over."""


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Stretches of time in which nothing of these tasks is told."""

    tasks: tuple[str, ...]
    calendar: Calendar


@dataclass(frozen=True, slots=True)
class Expectation:
    """What runs elsewhere says at least so often that all is well."""

    every: Microseconds
    grace: Microseconds


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Where the scheduler itself says that it lives, and how often."""

    url: str
    every: Microseconds


@dataclass(frozen=True, slots=True)
class Door:
    """Where what runs elsewhere says how it is, over HTTP."""

    host: str
    port: int
    checks: Mapping[str, str]
    """Whose signs of life they are, by the digest of the token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPlan:
    """Everything that a configuration says of alerts."""

    name: str = ""
    """How messages call this scheduler; empty: as the machine is called."""
    channels: Mapping[str, Channel] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    gather: Microseconds = _MINUTE
    """How long is waited before the first message, for others with the same cause."""
    digest: Microseconds = 5 * _MINUTE
    """The least time between two messages about the same."""
    reminders: tuple[Microseconds, ...] = (_HOUR, 4 * _HOUR, _DAY)
    """After how long it is told that it lasts; the last one again and again."""
    most_messages: int = 10
    """By one rule in the time of a digest; what is more comes as one summary."""
    parents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Tasks, and those about which nothing is told while they are in an alert."""
    maintenance: tuple[Maintenance, ...] = ()
    expected: Mapping[str, Expectation] = field(default_factory=dict)
    pings: tuple[tuple[str, str], ...] = ()
    """Patterns of tasks, and the URL that hears of their runs; the first that fits."""
    heartbeat: Heartbeat | None = None
    door: Door | None = None
    tagged: Tagged = field(default_factory=dict)
    """The tasks of the tags that it names, as the ledger has them at the moment."""

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.rules or self.pings or self.heartbeat or self.door)

    def rules_for(self, kind: AlertKind, task_id: str) -> list[Rule]:
        """Return the rules that want this."""
        return [rule for rule in self.rules if rule.wants(kind, task_id, self.tagged)]

    def named_tags(self) -> set[str]:
        """Return the tags that it names."""
        named = [rule.tasks for rule in self.rules]
        named += [*self.parents.values(), *(window.tasks for window in self.maintenance)]
        return {tag for patterns in named for tag in tags_in(patterns)}

    def has(self, *kinds: AlertKind) -> bool:
        """Whether a rule wants any of these."""
        return any(rule.kinds & set(kinds) for rule in self.rules)

    def ping_url(self, task_id: str) -> str | None:
        """Return where a task's runs are told."""
        return next((url for pattern, url in self.pings if fnmatchcase(task_id, pattern)), None)

    def named_parents(self, task_id: str) -> list[str]:
        """Return the tasks that silence this one by the configuration."""
        return [p for p, tasks in self.parents.items() if is_named(task_id, tasks, self.tagged)]

    def is_in_maintenance(self, task_id: str, now: Microseconds) -> bool:
        """Whether nothing of a task is to be told now."""
        return any(
            is_named(task_id, window.tasks, self.tagged)
            and stretch_end(window.calendar, now) is not None
            for window in self.maintenance
        )


def is_named(task_id: str, patterns: Iterable[str], tagged: Tagged) -> bool:
    """Whether an id is one of these, fits one of their patterns, or has a tag that one names."""
    for pattern in patterns:
        if task_id == pattern or fnmatchcase(task_id, pattern):
            return True
        tag = tag_of(pattern)
        if tag is not None and task_id in tagged.get(tag, ()):
            return True
    return False


def stretch_end(
    calendar: Calendar, now: Microseconds, zone: Zone | None = None
) -> Microseconds | None:
    """Return when the stretch of a calendar ends in which a moment lies; None: it lies in none."""
    second = now // SECOND
    covered = calendar.covered(
        second, second + _FORESEEN_SECONDS, zone=zone or local_zone(), others=(calendar,)
    )
    for begin, end in merged(covered):
        if begin <= second < end:
            return end * SECOND
    return None
