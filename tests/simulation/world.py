"""A simulated world around the real engine, the real store and the real rules.

Responsible for: virtual time, workers that start and end attempts, an operator who gives commands,
and everything that goes wrong: a store that fails before or after its commit, processes and
machines that die, clocks that are set. All of it follows from one seed.

It decides nothing that the engine should decide. What it sees it tells `ledger_check.Oracle`.
"""

from __future__ import annotations

import random
from typing import Any

from task_scheduler.bindings import Bindings
from task_scheduler.core.engine import Engine
from task_scheduler.core.events import Event
from task_scheduler.core.inbox import (
    AddEntries,
    CancelRun,
    Command,
    PauseEntry,
    RemoveEntries,
    RequestRun,
    ResumeEntry,
)
from task_scheduler.core.limits import EngineLimits
from task_scheduler.core.model import SECOND, Claim, Completion, Entry, Outcome
from task_scheduler.core.recovery import (
    Verdict,
    take_over,
)
from task_scheduler.errors import StoreUnavailableError, TaskSchedulerError
from task_scheduler.stores.sqlite import MEMORY, SqliteStore
from tests.simulation.faulty_store import FaultyStore, ProcessDies
from tests.simulation.hands import BEGIN, WORKERS, Attempt, Clock, Hands, Marks
from tests.simulation.ledger_check import Oracle
from tests.simulation.rules import POOLS, Rule, draw_policies, draw_rule

__all__ = ["World"]

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
_MANY_TICKS = 60
"""Ticks at one and the same instant beyond which the engine is said to spin."""


class World:
    """Everything around one ledger, from a seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.clock = Clock()
        self.ledger = SqliteStore(MEMORY)
        self.store = FaultyStore(self.ledger)
        self.oracle = Oracle(self.ledger)
        self.deadlines: dict[int, int] = {}
        self.processes: dict[int, Attempt] = {}
        self.rules: dict[str, Rule] = {}
        self.entries: dict[str, Entry] = {}
        self.is_calm = False
        self.is_clock_set = False
        self.boot_id = "boot-0"
        self.ticks = 0
        self.story: list[str] = []
        self._made = 0
        self._wake: int | None = 0
        self._is_up = False
        self._start_process(None)

    # -- one life of the world ------------------------------------------------------------------

    def live(self, hours: float) -> None:
        """Let time pass with everything that may happen, then calmly to a state of rest."""
        end = self.clock.boot + round(hours * HOUR)
        for _ in range(self.random.randint(2, 5)):
            self._add()
        while self.clock.boot < end:
            until = min(end, self.clock.boot + self._pause_between())
            self._run_until(until)
            if self._is_up and self._wake is not None and self.random.random() < 0.4:
                # Things are most delicate while claims stand in the gate ahead of their moment.
                self._run_until(max(self.clock.boot, min(end, self._wake - self.clock.offset + 1)))
            self._something_happens()
        self.is_calm = True
        self._come_to_rest()
        self.oracle.check(self.clock.now())

    def dump(self) -> bytes:
        """Return the whole ledger as bytes."""
        return "\n".join(self.ledger._connection.iterdump()).encode()

    def _pause_between(self) -> int:
        return round(10 ** self.random.uniform(3.0, 9.2))

    def _run_until(self, until: int) -> None:
        """Move from event to event up to a moment of the boot clock."""
        if not self._is_up:
            self.clock.boot = until
            return
        here, count = -1, 0
        while True:
            moments = [until]
            if self._wake is not None:
                moments.append(self._wake - self.clock.offset)
            ahead = self.hands.next_boot()
            if ahead is not None:
                moments.append(ahead)
            if len(self.engine.inbox):
                moments.append(self.clock.boot)
            self.clock.boot = max(self.clock.boot, min(moments))
            if self.clock.boot >= until and not len(self.engine.inbox) and count > 0:
                return
            count = count + 1 if here == self.clock.boot else 1
            here = self.clock.boot
            assert count < _MANY_TICKS, f"the engine spins: wakes at {self._wake}"
            self.hands.work()
            if not self._tick():
                return

    def _tick(self) -> bool:
        """Tick once; False if the process died in it."""
        self.ticks += 1
        self.oracle.now_seen(self.clock.now())
        try:
            self._wake = self.engine.tick()
        except ProcessDies:
            self._die()
            return False
        except StoreUnavailableError:
            self._wake = self.clock.now() + SECOND
        finally:
            self.oracle.on_tick(self.clock.now())
        return True

    def _come_to_rest(self) -> None:
        self.store.fault = None
        if not self._is_up:
            self._start_process(self.marks)
        self._run_until(self.clock.boot + 2 * MINUTE)
        for task_id in sorted(self.entries):
            self._command(ResumeEntry, task_id=task_id)
        # What is due is given the time to come to its end, retries and all.
        self._run_until(self.clock.boot + 20 * MINUTE)
        self.oracle.check_rest(self.clock.now())
        for task_id in sorted(self.entries):
            self._command(RemoveEntries, task_ids=[task_id])
        self._run_until(self.clock.boot + 10 * MINUTE)

    # -- what happens ---------------------------------------------------------------------------

    def _something_happens(self) -> None:
        kinds: dict[Any, int] = {
            self._add: 6,
            self._edit: 6,
            self._pause: 5,
            self._resume: 8,
            self._remove: 2,
            self._run: 6,
            self._cancel: 6,
            self._fail_store: 8,
            self._die_soon: 5,
            self._die: 3,
            self._step_clock: 4,
            self._rest: 20,
        }
        if not self._is_up:
            self._start_process(self.marks)
            return
        happen = self.random.choices(list(kinds), list(kinds.values()))[0]
        happen()

    def _rest(self) -> None:
        pass

    def _fail_store(self) -> None:
        where = self.random.choice(["step", "step", "before", "after", "after"])
        self.store.fault = (where, self.random.randint(1, 8), StoreUnavailableError)

    def _die_soon(self) -> None:
        where = self.random.choice(["step", "before", "after", "after"])
        self.store.fault = (where, self.random.randint(1, 8), ProcessDies)

    def _step_clock(self) -> None:
        by = round(10 ** self.random.uniform(4, 11))
        back = self.random.random() < 0.4
        self._tell(f"clock set by {'-' if back else ''}{by}")
        self.clock.offset += -by if back else by
        self.is_clock_set = True
        self.oracle.now_seen(self.clock.now())
        self.engine.look_again()
        self._wake = 0

    def _die(self) -> None:
        """The process is gone, perhaps with the whole machine."""
        is_power_cut = self.random.random() < 0.25
        self._tell("power cut" if is_power_cut else "process dies")
        self._is_up = False
        self.store.fault = None
        self.oracle.on_death()
        if is_power_cut:
            self.boot_id = f"boot-{self.ticks}"
            for attempt in self.processes.values():
                attempt.is_ended = True
        self.deadlines = {
            a.claim.token: self.deadlines[a.claim.token]
            for a in self.processes.values()
            if a.claim.token in self.deadlines
        }

    def _start_process(self, marks: Marks | None) -> None:
        """Recover as the runtime does it."""
        self._tell("process starts")
        clock, store = self.clock, self.ledger
        self._live_without_scheduler()
        self.bindings = Bindings()
        recovered = take_over(
            store,
            boot_id=self.boot_id,
            pid=1,
            version="0",
            now=clock.now(),
            fresh=(),
            gone=(),
            inspect=lambda claim, _: self._inspect(claim),
            mark_of=marks.read if marks is not None else lambda _: None,
            lost_text="lost",
        )
        self.marks = Marks(marks)
        self.marks.reserve({flight.claim.slot for flight in recovered.flights})
        self.hands = Hands(self)
        self.engine = Engine(
            store=self.store,
            clock=clock,
            catalog=self.bindings,
            hands=self.hands,
            marks=self.marks,
            emit=self._hear,
            limits=EngineLimits(workers=WORKERS, pools=POOLS),
        )
        self.engine.open(
            epoch=store.fetch("last_epoch")[0],
            last_run_id=store.fetch("last_run_id"),
            boot_id=self.boot_id,
        )
        for flight in recovered.flights:
            self.engine.flights.add(flight)
        for fact in recovered.facts:
            self.engine.inbox.put(fact)
        self._is_up = True
        self._wake = 0
        bound = [e for e in self.entries.values() if e.is_code_bound]
        for entry in bound:
            self._bind(entry)
        if bound:
            self._run_until(clock.boot + self.random.choice([0, MINUTE]))
            if self._is_up:
                self.engine.inbox.put(AddEntries(entries=bound))

    def _live_without_scheduler(self) -> None:
        """Supervised processes came to their end while no scheduler was there."""
        for attempt in self.processes.values():
            deadline = self.deadlines.get(attempt.claim.token, attempt.ends_boot)
            end = min(deadline, attempt.ends_boot)
            if not attempt.is_ended and end <= self.clock.boot:
                attempt.is_ended = True
                is_late = attempt.ends_boot > deadline
                outcome = Outcome.TIMED_OUT if is_late else attempt.outcome
                attempt.completion = self.completion(attempt, outcome)

    def _inspect(self, claim: Claim) -> tuple[str, Completion | None]:
        """Tell what became of a supervised process."""
        attempt = self.processes.get(claim.run_id)
        if attempt is None or attempt.claim.token != claim.token:
            return Verdict.NOT_STARTED, None
        if not attempt.is_ended:
            return Verdict.ALIVE, None
        if attempt.completion is not None:
            return Verdict.ENDED, attempt.completion
        return Verdict.LOST, self.completion(attempt, Outcome.LOST)

    # -- commands -------------------------------------------------------------------------------

    def _command(self, kind: type[Command], **arguments: Any) -> Any:
        """Give a command and await its answer; None if it was refused or nobody is there."""
        answers: list[tuple[bool, Any]] = []
        command = kind(
            **arguments,
            resolve=lambda answer: answers.append((True, answer)),
            reject=lambda error: answers.append((False, error)),
        )
        if self.is_clock_set and not self._tick():
            # An operator is not as quick as the engine, which follows a clock that was set.
            return None
        self.is_clock_set = False
        before = self.oracle.snapshot()
        if not self.is_calm and self.random.random() < 0.15:
            error = self.random.choice([StoreUnavailableError, StoreUnavailableError, ProcessDies])
            where = self.random.choice(["step", "before", "after", "after"])
            self.store.fault = (where, self.random.randint(1, 12), error)
        self.engine.inbox.put(command)
        alive = self._tick()
        is_committed = self.store.was_committed
        if not alive or (answers and not answers[0][0]):
            error = answers[0][1] if answers else None
            is_refused = isinstance(error, TaskSchedulerError) and not isinstance(
                error, StoreUnavailableError
            )
            if is_refused or not is_committed:
                return None
        else:
            assert len(answers) == 1, f"{command} had {len(answers)} answers"
        self._tell(f"{kind.__name__} {arguments.get('task_id', '')}")
        self.oracle.on_command(command, before, self.clock.now())
        return answers[0][1] if answers and answers[0][0] else None

    def _bind(self, entry: Entry) -> None:
        rule = self.rules[entry.task_id]
        if rule.user_rule is not None:
            self.bindings.bind(entry, None, [rule.user_rule])  # type: ignore[arg-type]

    def _put(self, task_id: str, rule: Rule, entry: Entry) -> None:
        old_rule, old_entry = self.rules.get(task_id), self.entries.get(task_id)
        self.rules[task_id], self.entries[task_id] = rule, entry
        self.bindings.unbind(task_id)
        self._bind(entry)
        self.oracle.rules[task_id] = rule
        revision = self.oracle.revision_of(task_id)
        self._command(AddEntries, entries=[entry])
        if self.oracle.revision_of(task_id) == revision:
            # It was not added after all.
            for mapping, value in ((self.rules, old_rule), (self.entries, old_entry)):
                if value is None:
                    del mapping[task_id]
                else:
                    mapping[task_id] = value
            self.bindings.unbind(task_id)
            if old_entry is not None:
                self._bind(old_entry)

    def _add(self) -> None:
        self._made += 1
        removed = sorted(set(self.oracle.removed) - set(self.entries))
        again = removed and self.random.random() < 0.3
        task_id = self.random.choice(removed) if again else f"task-{self._made}"
        executor = self.random.choice(["thread", "thread", "process"])
        self._put(task_id, *self._new_entry(task_id, executor, None))

    def _new_entry(self, task_id: str, executor: str, old: Entry | None) -> tuple[Rule, Entry]:
        rule = draw_rule(self.random, self.clock.now())
        entry = Entry(
            task_id=task_id,
            name=task_id,
            kind="custom",
            executor=executor,
            definition={},
            rules=rule.plains,
            policies=draw_policies(self.random, task_id, old.policies if old else None),
            is_code_bound=rule.user_rule is not None,
        )
        return rule, entry

    def _edit(self) -> None:
        if not self.entries:
            return
        task_id = self._some_task()
        old = self.entries[task_id]
        rule, entry = self._new_entry(task_id, old.executor, old)
        if self.random.random() < 0.5:
            rule = self.rules[task_id]
            entry = Entry(
                task_id=task_id,
                name=task_id,
                kind="custom",
                executor=self.random.choice([old.executor, "thread", "process"]),
                definition={},
                rules=rule.plains,
                policies=entry.policies,
                is_code_bound=rule.user_rule is not None,
            )
        self._put(task_id, rule, entry)

    def _some_task(self) -> str:
        """Return the id of an entry, rather of one that is about to start."""
        starting = sorted(
            {claim.task_id for claim, _ in self.hands.gate.values()} & {*self.entries}
        )
        if starting and self.random.random() < 0.7:
            return self.random.choice(starting)
        return self.random.choice(sorted(self.entries))

    def _pause(self) -> None:
        if self.entries:
            # Every other one ends by itself.
            until = self.clock.now() + 10 * MINUTE if self.ticks % 2 else None
            self._command(PauseEntry, task_id=self._some_task(), until=until)

    def _resume(self) -> None:
        if self.entries:
            self._command(ResumeEntry, task_id=self._some_task())

    def _remove(self) -> None:
        if self.entries:
            task_id = self._some_task()
            self._command(RemoveEntries, task_ids=[task_id])
            if self.oracle.revision_of(task_id) is None:
                del self.entries[task_id]
                del self.rules[task_id]

    def _run(self) -> None:
        if self.entries:
            task_id = self._some_task()
            self._command(RequestRun, task_id=task_id, request_id=str(self._made + self.ticks))

    def _cancel(self) -> None:
        unfinished = self.oracle.unfinished()
        if unfinished:
            run_id = self.random.choice(unfinished)
            if self._command(CancelRun, run_id=run_id):
                self.oracle.on_cancel(run_id)

    # -- what the hands ask ---------------------------------------------------------------------

    def report(self, fact: Any) -> None:
        """Put a fact into the inbox of the engine that lives now."""
        self.engine.inbox.put(fact)

    def draw_attempt(self, entry: Entry) -> tuple[int, Outcome]:
        """Return how long an attempt takes and how it ends."""
        duration = round(10 ** self.random.uniform(2, 8.5))
        if self.is_calm:
            return min(duration, 1_000), Outcome.SUCCEEDED
        is_ok = self.random.random() < 0.75
        return duration, Outcome.SUCCEEDED if is_ok else Outcome.FAILED

    def completion(
        self, attempt: Attempt, outcome: Outcome, *, is_still_running: bool = False
    ) -> Completion:
        """Return the report of an attempt's end."""
        claim = attempt.claim
        return Completion(
            run_id=claim.run_id,
            task_id=claim.task_id,
            attempt=claim.attempt,
            token=claim.token,
            outcome=outcome,
            started_at=attempt.started_at,
            ended_at=max(self.clock.now(), attempt.started_at),
            error=None if outcome is Outcome.SUCCEEDED else "it went wrong",
            is_still_running=is_still_running,
        )

    def _hear(self, event: Event) -> None:
        self.oracle.events += 1

    def _tell(self, line: str) -> None:
        self.story.append(f"{self.clock.now() - BEGIN:>15} {line}")
