"""`VirtualScheduler`: the real engine and the real ledger on a clock that a test moves.

Responsible for: what tests call: the facade's changes and views, scripts for what tasks do, and
time. No thread, no process, no real time: the same input gives the same ledger.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any

from task_scheduler.bindings import Bindings
from task_scheduler.core.events import ClockStepped, Event
from task_scheduler.core.inbox import (
    AddEntries,
    BackfillRange,
    CancelRun,
    Command,
    PauseEntry,
    RemoveEntries,
    RequestRun,
    ResumeEntry,
)
from task_scheduler.core.model import Claim, Entry, Microseconds, Outcome
from task_scheduler.errors import DefinitionError, TaskSchedulerError
from task_scheduler.ledger_view import LedgerView
from task_scheduler.schedules.instants import datetime_at, instant_of
from task_scheduler.schedules.rule import ScheduleRule, to_plain
from task_scheduler.schedules.zones import local_zone
from task_scheduler.stores.sqlite import MEMORY, SqliteStore

# The facade's own reading of what users give as a rule: a test's schedule means the same.
from task_scheduler.task_rules import plain_of, rules_of
from task_scheduler.tasks.attempt import perform
from task_scheduler.tasks.context import RunContext
from task_scheduler.tasks.registry import entry_of
from task_scheduler.tasks.task import BaseTask
from task_scheduler.testing.life import Life, Surroundings, may_queue
from task_scheduler.testing.scripts import Ending, Scripts, VirtualRun, duration_of
from task_scheduler.testing.virtual_hands import VirtualClock

__all__ = ["VirtualScheduler"]

_Rules = ScheduleRule | Sequence[ScheduleRule] | None
_PAGE = 1_000
_START = "2026-01-01T00:00:00+00:00"


class VirtualScheduler:
    """Run a schedule in virtual time and keep its ledger in memory.

    `config` and the options are those of `TaskScheduler`; without a config there are only the
    defaults. The declared tasks are added at `start` (ISO 8601 or a datetime; a naive one is in
    the machine's zone). Nothing is run unless `execute` is true: then functions are called, in
    this thread, in no virtual time unless scripted. Attempts that no script tells of succeed
    after `duration`. Raises ConfigError, and DefinitionError for a start or a duration that is
    none.
    """

    def __init__(
        self,
        config: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        *,
        start: datetime | str = _START,
        duration: Any = None,
        execute: bool = False,
        **options: Any,
    ) -> None:
        # Here, since reading a configuration needs pydantic, which takes longer than all the rest.
        from task_scheduler.config import Config

        self.config = Config.load({} if config is None else config, options=options)
        self._zone: tzinfo = local_zone().tz
        begin = self._datetime_of(start)
        self._zone = begin.tzinfo or self._zone
        self._is_executing = execute
        self._default = 0 if execute else 1
        self._scripts = Scripts(self._default if duration is None else duration)
        self._numbers: dict[str, int] = {}
        self._requests = 0
        self._listeners: list[Callable[[Event], None]] = []
        self._clock = VirtualClock(instant_of(begin, self._zone))
        self._store = SqliteStore(MEMORY)
        # A test has no end of its own at which it would close its world.
        weakref.finalize(self, self._store.close)
        self._bindings = Bindings(lambda: self.config.calendars)
        self.ledger = LedgerView(self._store.fetch)
        """The ledger's views, as the facade's `view`."""
        self._around = Surroundings(
            clock=self._clock,
            store=self._store,
            bindings=self._bindings,
            workers=self.config.settings.scheduler.max_workers,
            pools=self.config.settings.pools,
            draw=self._draw,
            emit=self._emit,
        )
        self._life = Life(self._around)
        declared = self.config.declared()
        if declared:
            pairs = [(d.task, d.rules if d.is_enabled else ()) for d in declared]
            self._add(pairs, origin="config")

    def __repr__(self) -> str:
        return f"<VirtualScheduler {self.now.isoformat()}>"

    # -- tasks, as on the facade ----------------------------------------------------------------

    def add_task(self, task: BaseTask, schedule_rule: _Rules = None, **when: Any) -> None:
        """Add or change a task, with the rules and keywords of `TaskScheduler.add_task`."""
        self._add([(task, rules_of(schedule_rule, **when))])

    def remove_task(self, task_id: str) -> None:
        """Remove a task; its history stays. Raises TaskNotFoundError."""
        self._command(RemoveEntries, task_ids=[task_id])
        self._bindings.unbind(task_id)

    def pause_task(
        self, task_id: str, reason: str | None = None, until: datetime | str | None = None
    ) -> None:
        """Plan nothing of a task until `resume_task`, or until a moment; what runs goes on."""
        end = None if until is None else instant_of(self._datetime_of(until), self._zone)
        self._command(PauseEntry, task_id=task_id, reason=reason, until=end)

    def resume_task(self, task_id: str, resume_from: datetime | str | None = None) -> None:
        """Plan a task again; what fell into the pause is skipped, or late from a moment on."""
        since = None if resume_from is None else self._datetime_of(resume_from)
        moment = None if since is None else instant_of(since, self._zone)
        self._command(ResumeEntry, task_id=task_id, resume_from=moment)

    def run_task(self, task_id: str, *, request_id: str | None = None) -> int:
        """Ask for a run now, beside the schedule; return its id. Time has to move for it to end."""
        self._requests += 1
        key = request_id or f"request-{self._requests}"
        run_id: int = self._command(RequestRun, task_id=task_id, request_id=key)
        return run_id

    def backfill(
        self,
        task_id: str,
        start: datetime | str,
        end: datetime | str,
        *,
        limit: int = 10_000,
        dry_run: bool = False,
    ) -> dict[str, int]:
        """Run what was due from `start` up to `end`, both past, and never ran; return counts."""
        counts: dict[str, int] = self._command(
            BackfillRange,
            task_id=task_id,
            start=instant_of(self._datetime_of(start), self._zone),
            end=instant_of(self._datetime_of(end), self._zone),
            limit=limit,
            is_dry_run=dry_run,
        )
        return counts

    def cancel_run(self, run_id: int, reason: str | None = None) -> bool:
        """End a run; return whether there was anything left to end."""
        arguments = {} if reason is None else {"reason": reason}
        is_cancelled: bool = self._command(CancelRun, run_id=run_id, **arguments)
        return is_cancelled

    def add_listener(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` with every event, at once."""
        self._listeners.append(listener)

    # -- what tasks do --------------------------------------------------------------------------

    def script(
        self, task_id: str, *, duration: Any = None, outcome: Any = None, listens: bool = False
    ) -> None:
        """Say how the attempts of a task go from now on; an id may be a pattern, ``"sensor_*"``.

        `duration` (seconds, ``"40s"``, a timedelta, `math.inf`) and `outcome` (``"succeeded"``,
        ``"failed"``, ``"lost"``, a bool, an exception) are each a value, a sequence of which each
        attempt takes the next and the last one stays, or a function of the `VirtualRun`. One that
        takes longer than its timeout times out. A function that `listens` ends as soon as it is
        asked to; others, as real ones, only at their own end. Raises DefinitionError.
        """
        self._scripts.write(
            task_id,
            duration=self._default if duration is None else duration,
            outcome=outcome,
            listens=listens,
        )

    # -- time -----------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The virtual time."""
        return datetime_at(self._clock.now(), self._zone)

    def step(self) -> datetime | None:
        """Move to the next moment at which something happens; None: nothing ever will."""
        moment = self._life.next_boot()
        if moment is None:
            return None
        self._clock.boot = max(self._clock.boot, moment)
        self._life.turn()
        self._life.settle()
        return self.now

    def run_until(self, moment: datetime | str) -> None:
        """Let time pass up to a moment, what is due at it included; one in the past is refused."""
        until = instant_of(self._datetime_of(moment), self._zone) - self._clock.offset
        if until < self._clock.boot:
            raise DefinitionError("simulate.in_the_past", moment=moment, now=self.now.isoformat())
        self._pass_until(until)

    def run_for(
        self,
        length: Any = 0,
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
    ) -> None:
        """Let so much time pass: ``"36h"``, a timedelta, seconds, and any of the keywords."""
        more = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        self._pass_until(self._clock.boot + _bounded(length) + _bounded(more))

    def set_clock(self, *, by: Any) -> None:
        """Set the wall clock forward, or back: seconds, a timedelta, ``"1h"`` or ``"-1h"``."""
        is_back = by.startswith("-") if isinstance(by, str) else by < by - by
        size = by.removeprefix("-") if isinstance(by, str) else abs(by)
        step = -_bounded(size) if is_back else _bounded(size)
        self._clock.offset += step
        self._emit(ClockStepped(step))
        self._life.look_again()

    def crash(self, down: Any = 0, *, power_cut: bool = False) -> None:
        """Kill the scheduler at this moment and start it again after `down`.

        Functions that ran are lost; programs go on without it, unless the power was cut. The
        program that starts again adds the tasks that are there once more.
        """
        around = self._around
        self._clock.boot += _bounded(down)
        around.live_without_scheduler(is_power_cut=power_cut)
        around.boots += power_cut
        self._life = Life(around)
        known = {row["task_id"] for row in self.ledger.tasks(with_quantiles=False)}
        bound = [entry for entry in self._bindings.bound() if entry.task_id in known]
        if bound:
            self._command(AddEntries, entries=bound)

    # -- the ledger -----------------------------------------------------------------------------

    def runs(self, task_id: str | None = None, *, state: str | None = None) -> list[dict[str, Any]]:
        """Return the runs, all of them, oldest first, as `ledger.runs` shows them."""
        return self._all("run_id", self.ledger.runs, task_id=task_id, state=state)

    def skips(self, task_id: str | None = None) -> list[dict[str, Any]]:
        """Return the occurrences without an attempt, with the reason, oldest first."""
        return self._all("skip_id", self.ledger.skips, task_id=task_id)

    def get_task_status(self, task_id: str | None = None) -> dict[str, Any]:
        """Return the status of one task, or of all, as `TaskScheduler.get_task_status` does."""
        if task_id is not None:
            return self.ledger.task(task_id)
        return {
            **self.ledger.counts(self._clock.now()),
            "tasks": {row["task_id"]: row for row in self.ledger.tasks()},
            "scheduler": {"state": "running", "pid": None, "path": MEMORY, "store_error": None},
        }

    # -- inside ---------------------------------------------------------------------------------

    def _add(
        self,
        pairs: Sequence[tuple[BaseTask, Sequence[ScheduleRule]]],
        *,
        origin: str = "api",
    ) -> None:
        entries = [
            entry_of(
                task,
                [plain_of(rule) for rule in rules],
                self.config.policies,
                has_user_rule=any(to_plain(rule) is None for rule in rules),
                origin=origin,
            )
            for task, rules in pairs
        ]
        undo = self._bindings.bind_all(
            entries, [task for task, _ in pairs], [rules for _, rules in pairs]
        )
        queueing = {entry.task_id for entry in entries if may_queue(entry.policies)}
        # The end of a parent is news at once.
        queueing.update(link.task_id for entry in entries for link in entry.policies.after)
        self._around.queueing |= queueing
        try:
            self._command(AddEntries, entries=entries)
        except BaseException:
            undo()
            raise

    def _command(self, kind: type[Command], **arguments: Any) -> Any:
        """Have a command obeyed and return its answer; raises what it was refused with."""
        answers: list[Any] = []
        errors: list[BaseException] = []
        self._life.command(kind(**arguments, resolve=answers.append, reject=errors.append))
        if errors:
            raise errors[0]
        return answers[0]

    def _pass_until(self, until: Microseconds) -> None:
        life, clock = self._life, self._clock
        while (moment := life.next_boot()) is not None and moment <= until:
            clock.boot = max(clock.boot, moment)
            life.turn()
        clock.boot = max(clock.boot, until)
        life.settle()

    def _draw(self, claim: Claim, entry: Entry) -> tuple[Ending, bool]:
        """Say how an attempt that begins now goes, calling its function where that is wanted."""
        task_id = claim.task_id
        number = self._numbers[task_id] = self._numbers.get(task_id, -1) + 1
        script = self._scripts.of(task_id)
        if script.fixed is not None and not self._is_executing:
            return script.fixed, script.listens
        run = VirtualRun(
            task_id=task_id,
            run_id=claim.run_id,
            attempt=claim.attempt,
            number=number,
            scheduled_at=datetime_at(claim.scheduled_at, self._zone),
            started_at=self.now,
        )
        result: tuple[Outcome, str | None] = (Outcome.SUCCEEDED, None)
        if self._is_executing and claim.executor == "thread":
            result = self._executed(claim, entry)
        outcome, error = script.outcome(run) or result
        return Ending(script.duration(run), outcome, error), script.listens

    def _executed(self, claim: Claim, entry: Entry) -> tuple[Outcome, str | None]:
        """Call the function of an attempt; return how it ended."""
        try:
            task = self._bindings.task_of(entry)
        except TaskSchedulerError as error:
            return Outcome.FAILED, str(error)
        is_fine, reason = perform(task, RunContext.of_claim(claim))
        return Outcome.SUCCEEDED if is_fine else Outcome.FAILED, reason

    def _emit(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)

    def _all(
        self, key: str, page: Callable[..., list[dict[str, Any]]], **wanted: Any
    ) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        before: int | None = None
        while rows := page(**wanted, before=before, limit=_PAGE):
            found += rows
            before = rows[-1][key]
        found.reverse()
        return found

    def _datetime_of(self, moment: datetime | str) -> datetime:
        try:
            found = moment if isinstance(moment, datetime) else datetime.fromisoformat(moment)
        except (TypeError, ValueError):
            raise DefinitionError("simulate.bad_moment", value=moment) from None
        return found if found.tzinfo is not None else found.replace(tzinfo=self._zone)


def _bounded(length: Any) -> Microseconds:
    """Return a length of time that ends, in microseconds."""
    duration = duration_of(length)
    if duration is None:
        raise DefinitionError("simulate.bad_duration", value=length)
    return duration
