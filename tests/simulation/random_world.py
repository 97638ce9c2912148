"""Random worlds: rules, policies and an operator who never rests, all drawn from the seed.

Responsible for: entries that come, change and go, commands at the worst moments, chains and
backfill, and the judgement of it all by `ledger_check.Oracle`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

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
from task_scheduler.core.model import SECOND, AfterMode, Claim, Entry, Link, Outcome
from tests.simulation.ledger_check import Oracle
from tests.simulation.nemesis import Nemesis
from tests.simulation.rules import POOLS, Rule, draw_policies, draw_rule, no_rule
from tests.simulation.world import HOUR, MINUTE, Figures, World

__all__ = ["RandomWorld"]

WORKERS = 4


class RandomWorld(World):
    """A short life in which everything may be anything."""

    def __init__(self, seed: int, *, is_told: bool = False) -> None:
        super().__init__(seed, workers=WORKERS, pools=POOLS, is_told=is_told)
        self.oracle = Oracle(self.ledger, self.witness.overlapping)
        self.rules: dict[str, Rule] = {}
        self.entries: dict[str, Entry] = {}
        self.nemesis = Nemesis(self, longest=9.3, farthest=11)
        self._before: dict[str, Any] = {}
        self._made = 0
        self._commands: dict[Callable[[], None], int] = {
            self._add: 6,
            self._edit: 6,
            self._pause: 5,
            self._resume: 8,
            self._remove: 2,
            self._run: 6,
            self._cancel: 6,
            self._backfill: 3,
            self.nemesis.strike: 24,
            self._rest: 20,
        }

    def live(self, hours: float) -> Figures:
        """Let time pass with everything that may happen, then calmly to a state of rest."""
        self.run_until(self.clock.time)
        end = self.clock.time + round(hours * HOUR)
        for _ in range(self.random.randint(2, 5)):
            self._add()
        while self.clock.time < end:
            pause = round(10 ** self.random.uniform(3.0, 9.2))
            self.run_until(min(end, self.clock.time + pause))
            if self.random.random() < 0.4:
                # Things are most delicate while claims stand in the gate ahead of their moment.
                self.run_until(min(end, self.next_event() + 1))
            (act,) = self.random.choices(list(self._commands), list(self._commands.values()))
            act()
        self._come_to_rest()
        self.oracle.check()
        self.witness.check(self.oracle.limits)
        return self.figures(years=hours / 24 / 365, occurrences=self.oracle.occurrences)

    def _come_to_rest(self) -> None:
        self.nemesis.end()
        self.is_calm = True
        self.run_until(self.clock.time + 4 * MINUTE)
        for task_id in sorted(self.entries):
            self.command(ResumeEntry, task_id=task_id)
        # What is due is given the time to come to its end, retries and all.
        self.run_until(self.clock.time + 20 * MINUTE)
        self.oracle.check_rest(self.clock.now(), self.rules)
        for task_id in sorted(self.entries):
            self.command(RemoveEntries, task_ids=[task_id])
        self.run_until(self.clock.time + 10 * MINUTE)

    # -- what the world asks --------------------------------------------------------------------

    def bound_entries(self) -> Sequence[Entry]:
        """Return the entries whose code lives in the program."""
        return [entry for entry in self.entries.values() if entry.is_code_bound]

    def bind_all(self) -> None:
        """Bind the code of those."""
        for entry in self.bound_entries():
            self._bind(entry)

    def draw_attempt(self, entry: Entry) -> tuple[int, Outcome]:
        """Return how long an attempt takes and how it ends."""
        duration = round(10 ** self.random.uniform(2, 8.5))
        if self.is_calm:
            return min(duration, 1_000), Outcome.SUCCEEDED
        is_ok = self.random.random() < 0.75
        return duration, Outcome.SUCCEEDED if is_ok else Outcome.FAILED

    def before_tick(self) -> None:
        """Let the oracle see the clock that the engine sees."""
        self.oracle.now_seen(self.clock.now())

    def after_tick(self) -> None:
        """Let the oracle look at the ledger."""
        self.oracle.on_tick(self.clock.now())

    def set_clock(self, by: int) -> None:
        """Set the wall clock."""
        super().set_clock(by)
        self.oracle.now_seen(self.clock.now())

    def on_begin(self, claim: Claim, entry: Entry, living: Sequence[Claim]) -> None:
        """Judge that no pool is overfull."""
        for pool, places in POOLS.items():
            self.witness.judge_pool(pool, places, [claim, *living])

    # -- commands -------------------------------------------------------------------------------

    def before_command(self, command: Command) -> None:
        """Remember where everything stands; the store may fail, or the process die."""
        self._before = self.oracle.snapshot()
        if not self.is_calm and self.random.random() < 0.15:
            self.fail_soon(is_deadly=self.random.random() < 0.3)

    def on_command(self, command: Command) -> None:
        """Tell the oracle what was committed."""
        self.oracle.on_command(command, self._before, self.clock.now())

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
        self.command(AddEntries, entries=[entry])
        if self.oracle.revision_of(task_id) != revision:
            return
        # It was not added after all.
        self.bindings.unbind(task_id)
        if old_rule is None or old_entry is None:
            del self.rules[task_id], self.entries[task_id]
        else:
            self.rules[task_id], self.entries[task_id] = old_rule, old_entry
            self._bind(old_entry)

    def _add(self) -> None:
        self._made += 1
        removed = sorted(self.oracle.removed - self.entries.keys() - self.oracle.children.keys())
        again = removed and self.random.random() < 0.3
        task_id = self.random.choice(removed) if again else f"task-{self._made}"
        executor = self.random.choice(["thread", "thread", "process"])
        if self.entries and not again and self.random.random() < 0.2:
            self._add_child(f"child-{self._made}", executor)
        else:
            self._put(task_id, *self._new_entry(task_id, executor, None))

    def _add_child(self, task_id: str, executor: str) -> None:
        """Add a task that comes after each success of another one."""
        parent = self.random.choice(sorted(self.entries))
        _, entry = self._new_entry(task_id, executor, None)
        policies = replace(entry.policies, after=(Link(parent),), after_mode=AfterMode.ANY)
        entry = replace(entry, rules=(), policies=policies, is_code_bound=False)
        self._put(task_id, no_rule(), entry)

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
        task_id = self._some_task()
        if task_id is None or task_id in self.oracle.children:
            return
        old = self.entries[task_id]
        rule, entry = self._new_entry(task_id, old.executor, old)
        if self.random.random() < 0.5:
            rule = self.rules[task_id]
            executor = self.random.choice([old.executor, "thread", "process"])
            entry = replace(old, executor=executor, policies=entry.policies)
        self._put(task_id, rule, entry)

    def _some_task(self) -> str | None:
        """Return the id of an entry, rather of one that is about to start."""
        holder = self.holder
        gate = [] if holder is None else [claim.task_id for claim, _ in holder.hands.gate.values()]
        starting = sorted(set(gate) & {*self.entries})
        if starting and self.random.random() < 0.7:
            return self.random.choice(starting)
        return self.random.choice(sorted(self.entries)) if self.entries else None

    def _pause(self) -> None:
        if (task_id := self._some_task()) is not None:
            # Every other one ends by itself.
            until = self.random.choice([None, self.clock.now() + 10 * MINUTE])
            self.command(PauseEntry, task_id=task_id, until=until)

    def _resume(self) -> None:
        if (task_id := self._some_task()) is not None:
            self.command(ResumeEntry, task_id=task_id)

    def _remove(self) -> None:
        if (task_id := self._some_task()) is not None:
            self.command(RemoveEntries, task_ids=[task_id])
            if self.oracle.revision_of(task_id) is None:
                del self.entries[task_id], self.rules[task_id]

    def _run(self) -> None:
        if (task_id := self._some_task()) is not None:
            self._made += 1
            self.command(RequestRun, task_id=task_id, request_id=str(self._made))

    def _cancel(self) -> None:
        unfinished = self.oracle.unfinished()
        if unfinished:
            run_id = self.random.choice(unfinished)
            if self.command(CancelRun, run_id=run_id)[1]:
                self.witness.cancelled.add(run_id)
                self.kill_after_answer()

    def _backfill(self) -> None:
        task_id, end = self._some_task(), self.clock.now()
        if task_id is not None:
            start = end - self.random.randint(SECOND, HOUR)
            self.command(BackfillRange, task_id=task_id, start=start, end=end, limit=30)

    def _rest(self) -> None:
        """Do nothing."""
