"""Metrics of the scheduler, for Prometheus.

Responsible for: counting events and ends of attempts. Serves nothing and knows no clock. Made only
where monitoring is on.

Counting is on the way of every run, rendering happens a few times a minute: so what is counted are
plain values, and they become text when somebody asks (`metrics_text`). The number of series is
bounded: the first `task_limit` tasks have series of their own, all others share the label
``_other``. What the scheduler measures of itself, such as how late attempts start, is counted in
`measures`; how everything stands at the moment of a rendering is asked for then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from task_scheduler.core import events
from task_scheduler.core.model import RunState
from task_scheduler.core.settlement import Settlement
from task_scheduler.observe.standing import OwnCounts, Standing
from task_scheduler.observe.task_book import TaskBook

__all__ = ["TASK_LIMIT", "Metrics"]

TASK_LIMIT = 500
"""Some fifty lines of text each: a rendering of all of them takes a tenth of a second."""


class Metrics:
    """Count what happens; `render` from any thread.

    Call it with each event, and `note_ends` with what ended. `look` is asked at each rendering for
    how everything stands; it gets the tasks that have series of their own and how many more may.
    A task of whose id `mask` leaves something out has a secret in it and is not shown.
    """

    hears_routine = False
    """Successes of which nobody else wants to hear come through `note_ends` alone."""

    def __init__(
        self,
        *,
        look: Callable[[Sequence[str], int], Standing] = lambda _ids, _room: Standing(),
        mask: Callable[[str], str] = lambda text: text,
        task_limit: int = TASK_LIMIT,
    ) -> None:
        self.tasks = TaskBook(task_limit)
        self._look = look
        self._mask = mask
        self._own = OwnCounts()

    def note_ends(self, settlements: Sequence[Settlement]) -> None:
        """Count attempts whose ends are durable; in the engine's thread."""
        of = self.tasks.of
        for flight, done, state, _, _, _, told in settlements:
            figures = of(done.task_id)
            figures.note_attempt(done, flight.claim.due_at, is_last=state is not RunState.WAITING)
            if not told:
                figures.note_run(done.outcome.value, done.ended_at)

    def __call__(self, event: events.Event) -> None:
        """Count one event."""
        match event:
            case events.RunSettled():
                self.tasks.of(event.task_id).note_run(event.outcome.value, event.at)
            case events.RetryScheduled():
                self.tasks.of(event.task_id).retries[event.outcome.value] += 1
            case events.RunSkipped():
                # A range that cannot be counted is at least one occurrence.
                count = 1 if event.count is None else event.count
                self.tasks.of(event.task_id).skips[event.reason.value] += count
            case events.ThreadAbandoned():
                self.tasks.of(event.task_id).abandoned += event.count
            case events.EntryFailed():
                self.tasks.of(event.task_id).rule_errors += 1
            case events.EntryRemoved():
                self.tasks.forget(event.task_id)
            case events.FaultBegan():
                kind = event.trouble.kind
                self._own.faults[kind.value] += 1
                self._own.store_failures += kind.is_of_store
            case events.LedgerHeld():
                self._own.is_held = True
            case events.LedgerReleased():
                self._own.is_held = False
            case events.ListenerFailed():
                self._own.listener_failures += 1
            case events.SupervisionFaltered():
                self._own.supervision_failures += 1
            case events.ClockStepped():
                self._own.clock_steps += 1

    def render(self) -> bytes:
        """Return everything in Prometheus' text format, UTF-8."""
        from task_scheduler.observe.metrics_text import text_of  # the client library with it

        book = self.tasks
        standing = self._look(book.ids(), max(0, book.limit - len(book)))
        for task in standing.tasks:
            figures = book.of(task.task_id)
            if figures.last_success is None and figures is not book.others:
                figures.last_success = task.last_success_at
        shown = [(task, figures) for task, figures in book.all() if self._mask(task) == task]
        return text_of(standing, shown, self._own, limit=book.limit)
