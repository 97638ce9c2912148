"""Roll-ups: every run that is over is counted once, in the half hour in which it began."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest

from task_scheduler.core.model import SECOND
from task_scheduler.ledger_view import HalfHour, LedgerView
from task_scheduler.retention import Retention
from task_scheduler.rollups import SLOT, RollUps
from task_scheduler.stores.sqlite import MEMORY, SqliteStore

NOW = 1_000_000 * SLOT
OVER = ("succeeded", "failed", "timed_out", "cancelled", "lost", "skipped")


class Bench:
    """A ledger with runs, and what counts them."""

    def __init__(self) -> None:
        self.store = SqliteStore(MEMORY)
        self.roll_ups = RollUps(self.store, last_run_id=self.last_run_id)
        self.view = LedgerView(self.store.fetch)

    def last_run_id(self) -> int:
        last: int = self.store.fetch("last_run_id")
        return last

    def add(self, task_id: str = "pump", state: str = "succeeded", *, slot: int = 0) -> int:
        """Add a run that began so many half hours after now, and took a second."""
        at = NOW + slot * SLOT
        is_over = state in OVER
        row = self.store._connection.execute(
            "INSERT INTO runs (task_id, key, origin, state, scheduled_at, due_at, priority,"
            " executor, attempt, started_at, ended_at) VALUES (?, random(), 'schedule', ?, ?, ?, 0,"
            " 'thread', ?, ?, ?) RETURNING run_id",
            (
                *(task_id, state, at, at, int(is_over)),
                *((at, at + SECOND) if is_over and state != "skipped" else (None, None)),
            ),
        ).fetchone()
        return int(row[0])

    def end(self, run_id: int, state: str = "failed", *, slot: int = 0) -> None:
        """Let a run that was unfinished be over."""
        at = NOW + slot * SLOT
        self.store._connection.execute(
            "UPDATE runs SET state = ?, started_at = ?, ended_at = ? WHERE run_id = ?",
            (state, at, at + SECOND, run_id),
        )

    def count_all(self) -> None:
        while self.roll_ups.step():
            pass

    def activity(self, task_id: str | None = "pump", *, since: int = 0) -> list[HalfHour]:
        return self.view.activity(task_id, since=NOW + since * SLOT)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.store.close()


def test_runs_are_counted_by_outcome_in_the_half_hour_in_which_they_began(bench: Bench) -> None:
    for state in (*OVER, "failed"):
        bench.add(state=state)
    bench.add(slot=2)
    bench.add("lamp")

    bench.count_all()

    assert bench.activity() == [
        HalfHour(NOW, 1, 2, 1, 1, 1, 1, duration_seconds=6),
        HalfHour(NOW + 2 * SLOT, 1, 0, 0, 0, 0, 0, duration_seconds=1),
    ]
    assert [half_hour.succeeded for half_hour in bench.activity(None)] == [2, 1]


def test_what_is_not_counted_yet_is_in_the_answer_all_the_same(bench: Bench) -> None:
    bench.add()
    bench.add("lamp")
    before = bench.activity(), bench.activity(None)

    bench.count_all()

    assert (bench.activity(), bench.activity(None)) == before
    assert before[0][0].succeeded == 1


def test_a_run_that_ends_long_after_those_behind_it_is_counted_when_it_does(bench: Bench) -> None:
    slow = bench.add(state="running")
    queued = bench.add(state="waiting")
    bench.add()
    bench.count_all()

    bench.end(slow, slot=1)
    seen = bench.activity()
    bench.roll_ups.step()

    assert bench.activity() == seen
    assert [(h.succeeded, h.failed) for h in seen] == [(1, 0), (0, 1)]
    bench.end(queued)
    bench.roll_ups.step()
    bench.roll_ups.step()
    assert bench.activity()[0].failed == 1
    assert bench.store._connection.execute("SELECT count(*) FROM uncounted").fetchone() == (0,)


def test_a_run_that_lasts_is_found_again_however_many_come_and_end_behind_it(bench: Bench) -> None:
    lasting = bench.add(state="running")
    for _ in range(4):
        coming = bench.add(state="running")
        bench.roll_ups.step()
        bench.end(coming)
    bench.end(lasting)

    for _ in range(3):
        bench.add(state="running")
        bench.roll_ups.step()

    # Nothing that is over waits to be counted: it would never be taken away.
    (waiting,) = bench.store._connection.execute(
        "SELECT count(*) FROM uncounted JOIN runs USING (run_id) WHERE state = 'failed'"
    ).fetchone()
    assert waiting == 0


def test_whatever_comes_in_whatever_order_each_run_is_counted_once(bench: Bench) -> None:
    rng = random.Random(8)
    unfinished: list[int] = []
    for _ in range(40):
        for _ in range(rng.randrange(150)):
            state = rng.choice([*OVER, "waiting", "running"])
            run_id = bench.add(rng.choice("abc"), state, slot=rng.randrange(5))
            unfinished += [run_id] if state not in OVER else []
        rng.shuffle(unfinished)
        for run_id in unfinished[: rng.randrange(60)]:
            bench.end(run_id, rng.choice(OVER), slot=rng.randrange(5))
            unfinished.remove(run_id)
        if rng.random() < 0.6:
            bench.roll_ups.step()
        if rng.random() < 0.2:  # a restart
            bench.roll_ups = RollUps(bench.store, last_run_id=bench.last_run_id)
        _check_against_the_runs(bench)
    bench.count_all()
    _check_against_the_runs(bench)


def _check_against_the_runs(bench: Bench) -> None:
    rows = bench.store._connection.execute(
        "SELECT task_id, coalesce(started_at, due_at), state FROM runs"
        " WHERE state NOT IN ('waiting', 'running')"
    ).fetchall()
    for whose in (None, "a", "b"):
        expected = Counter((at, state) for task_id, at, state in rows if whose in (None, task_id))
        found: Counter[tuple[int, str]] = Counter()
        for half_hour in bench.activity(whose):
            for state in OVER:
                found[half_hour.at, state] += getattr(half_hour, state)
        assert +found == expected


def test_a_step_that_fails_counts_nothing(bench: Bench) -> None:
    bench.add()
    seen = bench.activity()
    bench.store._connection.execute(
        "CREATE TRIGGER no BEFORE UPDATE ON counted BEGIN SELECT raise(ABORT, 'no'); END"
    )

    with pytest.raises(Exception, match="no"):
        bench.roll_ups.step()

    bench.store._connection.execute("DROP TRIGGER no")
    assert bench.activity() == seen
    bench.count_all()
    assert bench.activity() == seen


class Clock:
    """A clock that goes on by itself."""

    def __init__(self) -> None:
        self.booted = 0

    def now(self) -> int:
        return NOW + 100 * 86_400 * SECOND

    def boottime(self) -> int:
        self.booted += 100
        return self.booted


class Files:
    """No files at all."""

    def attempt_names(self) -> Iterator[str]:
        yield from ()

    def prune(self, names: object) -> None:
        """Nothing is there."""


def test_charts_outlive_the_runs_and_no_run_goes_uncounted(bench: Bench) -> None:
    for _ in range(3):
        bench.add()
    late = bench.add(state="running")
    retention = Retention(
        bench.store,
        clock=Clock(),
        days=30,
        runs_per_task=1,
        files=Files(),
        last_run_id=bench.last_run_id,
    )
    bench.end(late)
    seen = bench.activity()

    for _ in range(60):
        retention.step()
        assert bench.activity() == seen

    assert bench.store._connection.execute("SELECT count(*) FROM runs").fetchone()[0] == 0
    assert (seen[0].succeeded, seen[0].failed) == (3, 1)


def test_half_hours_of_long_ago_go(bench: Bench) -> None:
    days = 86_400 * SECOND // SLOT
    bench.add(slot=-299 * days)
    bench.add(slot=-301 * days)
    bench.count_all()
    retention = Retention(
        bench.store,
        clock=Clock(),  # a hundred days later
        days=0,
        runs_per_task=0,
        files=Files(),
        last_run_id=bench.last_run_id,
    )

    for _ in range(10):
        retention.step()

    rows = bench.store._connection.execute("SELECT task_id, slot FROM rollups").fetchall()
    assert rows == [(task_id, NOW // SLOT - 299 * days) for task_id in ("", "pump")]


def test_counting_goes_along_with_the_runs_and_leaves_the_ledger_to_them(bench: Bench) -> None:
    retention = Retention(
        bench.store,
        clock=Clock(),
        days=0,
        runs_per_task=0,
        files=Files(),
        last_run_id=bench.last_run_id,
    )
    while not retention._is_resting or retention._next_at == 0:
        retention.step()
    resting = retention.next_at

    for _ in range(2_000):
        bench.add()

    assert retention.next_at < resting
    retention.step()
    assert retention.next_at == resting
    assert bench.store.fetch("counted_to") == 2_000
