"""Retention: what goes, what stays, and when it looks, on a ledger in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from task_scheduler.core.model import SECOND
from task_scheduler.retention import Retention
from task_scheduler.stores.sqlite import MEMORY, SqliteStore

HOUR = 3_600 * SECOND
NOW = 1_000 * HOUR


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.booted = 0

    def now(self) -> int:
        return NOW + self.booted

    def boottime(self) -> int:
        self.booted += 100
        return self.booted


class Files:
    """Folders of attempts, by name."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def attempt_names(self) -> Iterator[str]:
        yield from sorted(self.names)

    def prune(self, names: Iterable[str]) -> None:
        self.names -= set(names)


class Bench:
    """A ledger with tasks whose runs have ended, and retention on it."""

    def __init__(self, *, days: float = 0, keep: int = 0) -> None:
        self.store = SqliteStore(MEMORY)
        self.clock, self.files = Clock(), Files()
        self.retention = Retention(
            self.store,
            clock=self.clock,
            days=days,
            runs_per_task=keep,
            files=self.files,
            last_run_id=self.last_run_id,
        )

    def last_run_id(self) -> int:
        last: int = self.store.fetch("last_run_id")
        return last

    def add(self, task_id: str, count: int, *, age: int = 0, with_files: bool = False) -> None:
        """Let a task have run so many times more, the last time `age` ago."""
        at = self.clock.now() - age
        connection = self.store._connection
        connection.execute(
            "INSERT OR IGNORE INTO progress (task_id, revision, is_resolved, anchor)"
            " VALUES (?, 1, 1, 0)",
            (task_id,),
        )
        connection.execute("UPDATE progress SET run_count = run_count + ?", (count,))
        first = self.last_run_id() + 1
        connection.executemany(
            "INSERT INTO runs (run_id, task_id, key, origin, state, scheduled_at, due_at,"
            " priority, executor, ended_at)"
            " VALUES (?, ?, ?, 'schedule', 'succeeded', ?, ?, 5, 'thread', ?)",
            [(n, task_id, str(n), at, at, at) for n in range(first, first + count)],
        )
        if with_files:
            self.files.names |= {f"{n}-1" for n in range(first, first + count)}

    def skip(self, task_id: str, count: int, *, age: int = 0) -> None:
        """Let so many occurrences have been skipped, each in a range of its own."""
        at = self.clock.now() - age
        self.store._connection.executemany(
            "INSERT INTO skips (task_id, reason, first_at, last_at, count, at)"
            " VALUES (?, 'misfire', ?, ?, 1, ?)",
            [(task_id, n, n, at) for n in range(count)],
        )

    def count(self, table: str, task_id: str) -> int:
        query = f"SELECT count(*) FROM {table} WHERE task_id = ?"
        (found,) = self.store._connection.execute(query, (task_id,)).fetchone()
        return int(found)

    def walk(self) -> int:
        """Take steps, each at its moment, until the walk rests; return how many it took."""
        steps = 0
        while True:
            self.clock.booted = max(self.clock.booted, self.retention.next_at)
            self.retention.step()
            steps += 1
            if self.retention.next_at - self.clock.booted > HOUR / 2:
                return steps


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench(days=1, keep=50)
    yield made
    made.store.close()


def test_a_walk_keeps_the_newest_runs_of_each_task_and_no_old_ones(bench: Bench) -> None:
    bench.add("crowded", 2_000)
    bench.add("old", 30, age=25 * HOUR)
    bench.add("calm", 30)

    bench.walk()

    left = {name: bench.count("runs", name) for name in ("crowded", "old", "calm")}
    assert left == {"crowded": 50, "old": 0, "calm": 30}


def test_the_next_walk_comes_after_an_hour(bench: Bench) -> None:
    bench.walk()

    assert bench.retention.next_at == pytest.approx(bench.clock.booted + HOUR, abs=SECOND)


def test_runs_that_come_fast_begin_the_next_walk_at_once(bench: Bench) -> None:
    bench.walk()
    bench.add("crowded", 10_000)

    assert bench.retention.next_at <= bench.clock.booted
    bench.walk()
    assert bench.count("runs", "crowded") == 50
    assert bench.retention.next_at > bench.clock.booted + HOUR / 2


def test_a_step_takes_the_surplus_of_many_tasks(bench: Bench) -> None:
    for number in range(200):
        bench.add(f"task-{number}", 60)

    steps = bench.walk()

    assert {bench.count("runs", f"task-{number}") for number in range(200)} == {50}
    assert steps < 100, "a batch a task would be 200 steps and more"


def test_skips_are_bounded_by_age_and_by_number_too(bench: Bench) -> None:
    bench.add("calm", 1)
    bench.skip("calm", 1_200, age=25 * HOUR)
    bench.add("t", 51)
    bench.skip("t", 700)

    bench.walk()

    assert (bench.count("skips", "t"), bench.count("skips", "calm")) == (50, 0)


def test_skips_that_grow_old_all_the_time_do_not_keep_a_walk_from_going_on(bench: Bench) -> None:
    bench.add("crowded", 15_000)
    for _ in range(40):
        bench.skip("crowded", 1, age=25 * HOUR)
        bench.clock.booted = max(bench.clock.booted, bench.retention.next_at)
        bench.retention.step()

    assert bench.count("runs", "crowded") < 15_000


def test_files_go_after_their_runs_also_those_that_an_earlier_process_left(bench: Bench) -> None:
    bench.add("t", 60, with_files=True)
    bench.store._connection.execute("DELETE FROM runs WHERE run_id = 60")

    bench.walk()

    assert bench.files.names == {f"{run_id}-1" for run_id in range(10, 60)}


def test_files_of_runs_that_a_ledger_cannot_know_yet_stay(bench: Bench) -> None:
    bench.add("t", 5)
    bench.files.names = {"6-1", "70-1"}

    bench.walk()

    assert bench.files.names == {"6-1", "70-1"}


def test_the_ledger_belongs_to_what_is_due_nine_tenths_of_a_walk(bench: Bench) -> None:
    bench.add("crowded", 2_000)
    began = bench.clock.booted
    bench.retention.step()

    took = bench.clock.booted - began
    assert bench.retention.next_at - bench.clock.booted >= 9 * (took - 100)


def test_a_walk_that_runs_outpace_hurries(bench: Bench) -> None:
    bench.add("crowded", 2_000)
    bench.retention.step()
    bench.add("crowded", 10_000)
    bench.clock.booted = bench.retention.next_at
    began = bench.clock.booted
    bench.retention.step()

    took = bench.clock.booted - began
    assert bench.retention.next_at - bench.clock.booted <= 2 * took


def test_a_walk_that_somebody_asks_for_begins_at_once_and_counts_what_goes(bench: Bench) -> None:
    bench.walk()
    bench.add("crowded", 1_500)
    bench.skip("crowded", 80)
    assert bench.retention.next_at > bench.clock.booted

    taken = bench.retention.ask()

    assert bench.retention.is_asked
    assert bench.retention.next_at <= bench.clock.booted
    bench.walk()
    assert (taken.runs, taken.skips) == (1_450, 30)
    assert taken.ended.is_set()
    assert not bench.retention.is_asked


def test_who_asks_during_a_walk_gets_a_whole_one(bench: Bench) -> None:
    bench.add("crowded", 2_000)
    bench.retention.step()

    taken = bench.retention.ask()
    assert bench.retention.ask() is taken
    bench.walk()

    assert taken.ended.is_set()
    assert bench.count("runs", "crowded") == 50
