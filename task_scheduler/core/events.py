"""What happened, told once: the one event stream of frozen values.

Responsible for: the shapes. Logs, metrics, alerts and user hooks are listeners; none of them is
known here. Moments and durations are microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from task_scheduler.core.faults import Trouble
from task_scheduler.core.model import Microseconds, Outcome, SkipReason

__all__ = [
    "AttemptRecovered",
    "AttemptStarted",
    "CalendarFailed",
    "ClockFollowed",
    "ClockStepped",
    "ConfigDrifted",
    "ConfigRefused",
    "ConfigTaken",
    "EntriesAdded",
    "EntryAdded",
    "EntryFailed",
    "EntryPaused",
    "EntryRemoved",
    "EntryRestored",
    "EntryResumed",
    "Event",
    "FaultBegan",
    "FaultEnded",
    "LedgerHeld",
    "LedgerReleased",
    "ListenerFailed",
    "PingReceived",
    "RetryScheduled",
    "RunSettled",
    "RunSkipped",
    "SchedulerStarted",
    "SchedulerStopped",
    "SchedulerStopping",
    "SilencesChanged",
    "StandbyTookOver",
    "StandbyWaiting",
    "StoreAbandoned",
    "SupervisionFaltered",
    "ThreadAbandoned",
]


@dataclass(frozen=True, slots=True)
class Event:
    """The root of all events."""


@dataclass(frozen=True, slots=True)
class AttemptStarted(Event):
    """A worker began an attempt."""

    task_id: str
    name: str
    run_id: int
    attempt: int
    at: Microseconds


@dataclass(frozen=True, slots=True)
class RunSettled(Event):
    """A run reached its last state; `outcome` is that of its last attempt."""

    task_id: str
    name: str
    run_id: int
    attempt: int
    outcome: Outcome
    error: str | None
    duration: Microseconds
    at: Microseconds


@dataclass(frozen=True, slots=True)
class RetryScheduled(Event):
    """An attempt ended badly and the run is tried again after `delay`."""

    task_id: str
    name: str
    run_id: int
    attempt: int
    outcome: Outcome
    error: str | None
    delay: Microseconds
    at: Microseconds


@dataclass(frozen=True, slots=True)
class RunSkipped(Event):
    """An occurrence, or the range `first`..`last` of `count` of them, got no attempt."""

    task_id: str
    name: str
    reason: SkipReason
    first: Microseconds
    last: Microseconds
    count: int | None
    at: Microseconds


@dataclass(frozen=True, slots=True)
class AttemptRecovered(Event):
    """After a restart it was found what became of an attempt: `verdict` says what."""

    task_id: str
    name: str
    run_id: int
    attempt: int
    verdict: str


@dataclass(frozen=True, slots=True)
class ThreadAbandoned(Event):
    """A function overran its timeout; its thread cannot be stopped and keeps the task's seat."""

    task_id: str
    name: str
    run_id: int
    count: int


@dataclass(frozen=True, slots=True)
class SupervisionFaltered(Event):
    """Supervision could not do what it promises; `error` says what, and what was done about it.

    Without a task it is about the launcher, and so about every program.
    """

    error: str
    task_id: str | None = None
    run_id: int | None = None
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class EntryAdded(Event):
    """An entry was added or changed."""

    task_id: str
    name: str


@dataclass(frozen=True, slots=True)
class EntriesAdded(Event):
    """Very many new entries were added at once; there is no `EntryAdded` of each."""

    task_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EntryRemoved(Event):
    """An entry was removed."""

    task_id: str
    name: str


@dataclass(frozen=True, slots=True)
class EntryRestored(Event):
    """A task came back out of the archive: it is declared again."""

    task_id: str
    name: str


@dataclass(frozen=True, slots=True)
class EntryPaused(Event):
    """An entry was paused."""

    task_id: str
    name: str


@dataclass(frozen=True, slots=True)
class EntryResumed(Event):
    """An entry was resumed."""

    task_id: str
    name: str


@dataclass(frozen=True, slots=True)
class EntryFailed(Event):
    """An entry's rule raised or answered nonsense; only this entry is held back."""

    task_id: str
    name: str
    error: str


@dataclass(frozen=True, slots=True)
class CalendarFailed(Event):
    """The file of a calendar cannot be read any more; what it said last holds."""

    error: str


@dataclass(frozen=True, slots=True)
class ConfigTaken(Event):
    """A configuration was taken up; counts of its tasks."""

    path: str
    added: int
    changed: int
    restored: int
    archived: int


@dataclass(frozen=True, slots=True)
class ConfigDrifted(Event):
    """Tasks were edited since they were declared, and are left as they are."""

    task_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConfigRefused(Event):
    """A configuration is wrong and was not taken up: the last good one stays in force."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class FaultBegan(Event):
    """Something keeps the scheduler from its work; nothing acknowledged is lost by it."""

    trouble: Trouble
    at: Microseconds


@dataclass(frozen=True, slots=True)
class FaultEnded(Event):
    """What began as `FaultBegan` is over."""

    trouble: Trouble
    lasted: Microseconds


@dataclass(frozen=True, slots=True)
class StoreAbandoned(Event):
    """The scheduler ends while the ledger cannot be written: what happened since is not in it."""

    error: str


@dataclass(frozen=True, slots=True)
class LedgerHeld(Event):
    """The ledger is older than what ran: nothing starts until the operator lets it go on.

    `reason` is one of `core.hold.HoldReason`; it knows of nothing after `moment`.
    """

    reason: str
    moment: Microseconds


@dataclass(frozen=True, slots=True)
class LedgerReleased(Event):
    """A held ledger goes on, from `since` (None: from where it stands).

    `skipped` occurrences before that were passed over, `given_up` waiting runs ended.
    """

    since: Microseconds | None
    skipped: int
    given_up: int


@dataclass(frozen=True, slots=True)
class PingReceived(Event):
    """What runs elsewhere said how it is: ``success``, ``start`` or ``fail``."""

    check_id: str
    kind: str
    text: str
    at: Microseconds


@dataclass(frozen=True, slots=True)
class SilencesChanged(Event):
    """Somebody silenced the alerts of a pattern, or wants to hear of them again."""

    pattern: str
    until: Microseconds | None


@dataclass(frozen=True, slots=True)
class ListenerFailed(Event):
    """A listener of this stream raised."""

    error: str


@dataclass(frozen=True, slots=True)
class ClockStepped(Event):
    """The wall clock was set by this many microseconds, forward when positive."""

    by: Microseconds


@dataclass(frozen=True, slots=True)
class ClockFollowed(Event):
    """The ledger was brought into step with a clock that was set back; None: nobody knows how far.

    `moved` entries that count from an anchor, and `delays` of waiting runs, follow real time;
    `rewound` entries of the calendar are planned again from the present on.
    """

    by: Microseconds | None
    moved: int
    rewound: int
    delays: int


@dataclass(frozen=True, slots=True)
class SchedulerStarted(Event):
    """The engine runs; `entries` is how many it found."""

    entries: int
    path: str


@dataclass(frozen=True, slots=True)
class SchedulerStopping(Event):
    """The engine starts nothing more and waits for what runs; `is_left`: the program has ended."""

    is_left: bool = False


@dataclass(frozen=True, slots=True)
class SchedulerStopped(Event):
    """The engine has stopped."""


@dataclass(frozen=True, slots=True)
class StandbyWaiting(Event):
    """Another process holds the ledger; this one waits to take over."""

    path: str


@dataclass(frozen=True, slots=True)
class StandbyTookOver(Event):
    """The holder is gone and this process has taken over."""

    path: str
