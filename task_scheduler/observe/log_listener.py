"""The log of the event stream: one line an event, in the language of the moment.

Responsible for: which sentence and which level an event has. Where the lines go is decided by the
logger; each carries the event's name as `action` and its `task_id`, `run_id` and `attempt`.

A method is named after what it tells of: its name stands in the line, as ``_execute_task:123``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from task_scheduler.core import events
from task_scheduler.core.faults import Trouble
from task_scheduler.core.model import Outcome, SkipReason
from task_scheduler.core.recovery import Verdict
from task_scheduler.i18n import translate
from task_scheduler.observe.spans import Moment, Span

__all__ = ["LogListener"]

_LEVELS = {
    Outcome.SUCCEEDED: logging.INFO,
    Outcome.CANCELLED: logging.INFO,  # somebody wanted it so
    Outcome.FAILED: logging.ERROR,
    Outcome.TIMED_OUT: logging.ERROR,
    Outcome.LOST: logging.ERROR,
}
_MISSED = frozenset({SkipReason.MISFIRE, SkipReason.CATCH_UP_LIMIT, SkipReason.EXPIRED})
"""Skips that somebody should look at; the others are what the user's own policies say."""


class LogListener:
    """Write a line for each event; call it with the event."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._writers: dict[type[events.Event], Callable[[Any], None]] = {
            events.AttemptStarted: self._execute_task,
            events.RunSettled: self._finish_task,
            events.RetryScheduled: self._retry_task,
            events.RunSkipped: self._skip_task,
            events.AttemptRecovered: self._recover_task,
            events.ThreadAbandoned: self._abandon_thread,
            events.SupervisionFaltered: self._supervise_task,
            events.EntryAdded: self._add_task,
            events.EntriesAdded: self._add_tasks,
            events.EntryRemoved: self._remove_task,
            events.EntryRestored: self._restore_task,
            events.EntryPaused: self._pause_task,
            events.EntryResumed: self._resume_task,
            events.EntryFailed: self._hold_back_task,
            events.CalendarFailed: self._lose_calendar,
            events.ConfigTaken: self._take_config,
            events.ConfigDrifted: self._keep_edits,
            events.ConfigRefused: self._refuse_config,
            events.FaultBegan: self._notice_fault,
            events.FaultEnded: self._overcome_fault,
            events.StoreAbandoned: self._leave_store,
            events.LedgerHeld: self._hold_ledger,
            events.LedgerReleased: self._release_ledger,
            events.PingReceived: self._take_ping,
            events.SilencesChanged: self._silence_alerts,
            events.ListenerFailed: self._contain_listener,
            events.ClockStepped: self._notice_clock,
            events.ClockFollowed: self._follow_clock,
            events.SchedulerStarted: self._start_scheduler,
            events.SchedulerStopping: self._drain_scheduler,
            events.SchedulerStopped: self._stop_scheduler,
            events.StandbyWaiting: self._stand_by,
            events.StandbyTookOver: self._take_over,
        }

    @property
    def hears_routine(self) -> bool:
        """Whether lines about what happens all the time are written."""
        return self._logger.isEnabledFor(logging.INFO)

    def __call__(self, event: events.Event) -> None:
        """Write the line of an event; nothing for one that has none."""
        write = self._writers.get(type(event))
        if write is not None:
            write(event)

    # -- runs -----------------------------------------------------------------------------------

    def _execute_task(self, event: events.AttemptStarted) -> None:
        key = "logs.attempt_started" if event.attempt <= 1 else "logs.attempt_started_again"
        self._write(logging.INFO, key, event, name=event.name, attempt=event.attempt)

    def _finish_task(self, event: events.RunSettled) -> None:
        self._write(
            _LEVELS[event.outcome],
            f"logs.run_{event.outcome}",
            event,
            name=event.name,
            run_id=event.run_id,
            attempt=event.attempt,
            duration=Span(event.duration),
            error=_Reason(event.error),
        )

    def _retry_task(self, event: events.RetryScheduled) -> None:
        self._write(
            logging.WARNING,
            f"logs.retry_{event.outcome}",
            event,
            name=event.name,
            run_id=event.run_id,
            attempt=event.attempt,
            delay=Span(event.delay),
            error=_Reason(event.error),
        )

    def _skip_task(self, event: events.RunSkipped) -> None:
        key = "logs.skipped_range"
        if event.first == event.last:
            key = "logs.skipped"
        elif event.count is None:
            key = "logs.skipped_uncounted"
        self._write(
            logging.WARNING if event.reason in _MISSED else logging.INFO,
            key,
            event,
            name=event.name,
            first=Moment(event.first),
            last=Moment(event.last),
            count=event.count,
            reason=_Sentence(f"logs.skip_{event.reason}"),
        )

    def _recover_task(self, event: events.AttemptRecovered) -> None:
        self._write(
            logging.WARNING if event.verdict == Verdict.LOST else logging.INFO,
            f"logs.recovered_{event.verdict}",
            event,
            name=event.name,
            run_id=event.run_id,
            attempt=event.attempt,
        )

    def _abandon_thread(self, event: events.ThreadAbandoned) -> None:
        self._write(
            logging.WARNING, "logs.thread_abandoned", event, name=event.name, run_id=event.run_id
        )

    def _supervise_task(self, event: events.SupervisionFaltered) -> None:
        self._write(logging.ERROR, "logs.supervision_faltered", event, error=event.error)

    # -- entries --------------------------------------------------------------------------------

    def _add_task(self, event: events.EntryAdded) -> None:
        self._write(logging.INFO, "logs.entry_added", event, name=event.name)

    def _add_tasks(self, event: events.EntriesAdded) -> None:
        ids = event.task_ids
        values = {"count": len(ids), "first": ids[0], "last": ids[-1]}
        self._write(logging.INFO, "logs.entries_added", event, **values)

    def _remove_task(self, event: events.EntryRemoved) -> None:
        self._write(logging.INFO, "logs.entry_removed", event, name=event.name)

    def _restore_task(self, event: events.EntryRestored) -> None:
        self._write(logging.INFO, "logs.entry_restored", event, name=event.name)

    def _pause_task(self, event: events.EntryPaused) -> None:
        self._write(logging.INFO, "logs.entry_paused", event, name=event.name)

    def _resume_task(self, event: events.EntryResumed) -> None:
        self._write(logging.INFO, "logs.entry_resumed", event, name=event.name)

    def _hold_back_task(self, event: events.EntryFailed) -> None:
        self._write(logging.ERROR, "logs.entry_failed", event, name=event.name, error=event.error)

    # -- the scheduler and its surroundings -----------------------------------------------------

    def _lose_calendar(self, event: events.CalendarFailed) -> None:
        self._write(logging.ERROR, "logs.calendar_failed", event, error=event.error)

    def _take_config(self, event: events.ConfigTaken) -> None:
        counts = {"added": event.added, "changed": event.changed, "restored": event.restored}
        self._write(
            logging.INFO,
            "logs.config_taken",
            event,
            path=event.path or translate("logs.config_of_program"),
            archived=event.archived,
            **counts,
        )

    def _keep_edits(self, event: events.ConfigDrifted) -> None:
        names = ", ".join(event.task_ids)
        self._write(logging.WARNING, "logs.config_drifted", event, names=names)

    def _refuse_config(self, event: events.ConfigRefused) -> None:
        self._write(
            logging.ERROR, "logs.config_refused", event, path=event.path, reason=event.reason
        )

    def _notice_fault(self, event: events.FaultBegan) -> None:
        trouble = event.trouble
        key = "logs.store_failed" if trouble.kind.is_of_store else "logs.fault_began"
        self._write(
            logging.ERROR,
            key,
            event,
            what=_FaultSentence(trouble),
            where=trouble.where,
            why=trouble.why,
            remedy=_FaultSentence(trouble, "_remedy"),
        )
        if trouble.detail:
            self._write(logging.DEBUG, "logs.fault_detail", event, detail=trouble.detail)

    def _overcome_fault(self, event: events.FaultEnded) -> None:
        trouble, span = event.trouble, Span(event.lasted)
        key = "logs.store_recovered" if trouble.kind.is_of_store else "logs.fault_ended"
        self._write(logging.INFO, key, event, span=span, what=_FaultSentence(trouble))

    def _leave_store(self, event: events.StoreAbandoned) -> None:
        self._write(logging.ERROR, "logs.store_abandoned", event, error=event.error)

    def _hold_ledger(self, event: events.LedgerHeld) -> None:
        key = f"logs.ledger_held_{event.reason}"
        self._write(logging.ERROR, key, event, moment=Moment(event.moment))

    def _release_ledger(self, event: events.LedgerReleased) -> None:
        done = {"skipped": event.skipped, "given_up": event.given_up}
        if event.since is None:
            self._write(logging.WARNING, "logs.ledger_released_here", event, **done)
        else:
            since = Moment(event.since)
            self._write(logging.WARNING, "logs.ledger_released", event, since=since, **done)

    def _take_ping(self, event: events.PingReceived) -> None:
        level = logging.WARNING if event.kind == "fail" else logging.INFO
        self._write(
            level, f"logs.ping_{event.kind}", event, check_id=event.check_id, text=event.text
        )

    def _silence_alerts(self, event: events.SilencesChanged) -> None:
        if event.until is None:
            self._write(logging.INFO, "logs.silence_ended", event, pattern=event.pattern)
        else:
            until = Moment(event.until)
            self._write(
                logging.INFO, "logs.silence_began", event, pattern=event.pattern, until=until
            )

    def _contain_listener(self, event: events.ListenerFailed) -> None:
        self._write(logging.ERROR, "logs.listener_failed", event, error=event.error)

    def _notice_clock(self, event: events.ClockStepped) -> None:
        key = "logs.clock_forward" if event.by > 0 else "logs.clock_back"
        self._write(logging.WARNING, key, event, span=Span(abs(event.by)))

    def _follow_clock(self, event: events.ClockFollowed) -> None:
        done = {"moved": event.moved, "rewound": event.rewound, "delays": event.delays}
        if event.by is None:
            self._write(logging.WARNING, "logs.clock_corrected", event, **done)
        else:
            span = Span(abs(event.by))
            self._write(logging.WARNING, "logs.clock_followed", event, span=span, **done)

    def _start_scheduler(self, event: events.SchedulerStarted) -> None:
        self._write(
            logging.INFO, "logs.scheduler_started", event, entries=event.entries, path=event.path
        )

    def _drain_scheduler(self, event: events.SchedulerStopping) -> None:
        if event.is_left:
            self._write(logging.WARNING, "logs.scheduler_left", event)
        else:
            self._write(logging.INFO, "logs.scheduler_stopping", event)

    def _stop_scheduler(self, event: events.SchedulerStopped) -> None:
        self._write(logging.INFO, "logs.scheduler_stopped", event)

    def _stand_by(self, event: events.StandbyWaiting) -> None:
        self._write(logging.INFO, "logs.standby_waiting", event, path=event.path)

    def _take_over(self, event: events.StandbyTookOver) -> None:
        self._write(logging.INFO, "logs.standby_took_over", event, path=event.path)

    # -- one line -------------------------------------------------------------------------------

    def _write(self, level: int, key: str, event: events.Event, **values: object) -> None:
        """Log one sentence in the name of the calling method; values become text only here."""
        if not self._logger.isEnabledFor(level):
            return
        extra = {"action": type(event).__name__}
        for name in ("task_id", "run_id", "attempt"):
            value = getattr(event, name, None)
            if value is not None:
                extra[name] = value
        if isinstance(event, events.FaultBegan | events.FaultEnded):
            extra["fault"] = event.trouble.kind.value
        self._logger.log(level, translate(key, **values), extra=extra, stacklevel=2)


class _Sentence:
    """A sentence inside another, translated only when that is."""

    __slots__ = ("_key",)

    def __init__(self, key: str) -> None:
        self._key = key

    def __str__(self) -> str:
        return translate(self._key)


class _FaultSentence:
    """What a fault is, or what to do about it."""

    __slots__ = ("_key", "_trouble")

    def __init__(self, trouble: Trouble, suffix: str = "") -> None:
        self._key = f"faults.{trouble.kind.value}{suffix}"
        self._trouble = trouble

    def __str__(self) -> str:
        return translate(self._key, where=self._trouble.where, why=self._trouble.why)


class _Reason(_Sentence):
    """What went wrong, or that nobody said."""

    __slots__ = ("_error",)

    def __init__(self, error: str | None) -> None:
        super().__init__("logs.no_reason")
        self._error = error

    def __str__(self) -> str:
        return self._error or super().__str__()
