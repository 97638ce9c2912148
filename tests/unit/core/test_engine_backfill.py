"""Stories about backfills: what a past range still owes, and how it comes."""

from __future__ import annotations

import pytest

from task_scheduler.core.inbox import BackfillRange, CancelRun, PauseEntry, ResumeEntry
from task_scheduler.core.model import SECOND, OverlapPolicy
from task_scheduler.errors import DefinitionError, TaskNotFoundError
from tests.unit.core.engine_bench import T0, Bench, entry


def at(seconds: float) -> int:
    return T0 + round(seconds * SECOND)


def backfill(bench: Bench, start: float, end: float, **options: object) -> dict[str, int]:
    command = BackfillRange(
        task_id="pump",
        start=at(start),
        end=at(end),
        **{"limit": 100, **options},  # type: ignore[arg-type]
    )
    counts: dict[str, int] = bench.command(command)
    return counts


@pytest.fixture
def bench() -> Bench:
    """A task that ran at 0 and 10, and whose moments from 20 to 40 fell into a pause."""
    made = Bench()
    made.add(entry())
    made.end(made.start())
    made.tick(after=10)
    made.end(made.start())
    made.tick(after=1)
    made.command(PauseEntry(task_id="pump"))
    made.clock.wall = at(45)
    made.command(ResumeEntry(task_id="pump"))
    assert made.runs() == ["succeeded", "succeeded"]
    return made


def test_what_never_ran_comes_one_behind_the_other(bench: Bench) -> None:
    assert backfill(bench, 0, 45) == {"planned": 3, "present": 2}

    order = []
    for _ in range(3):
        claim = bench.start()
        order.append(claim.scheduled_at)
        assert len(bench.hands.gate) == 0, "one at a time"
        bench.end(claim)
        bench.tick()

    assert order == [at(20), at(30), at(40)]
    assert bench.runs("origin")[2:] == ["backfill"] * 3


def test_the_same_range_again_plans_nothing(bench: Bench) -> None:
    backfill(bench, 0, 45)

    assert backfill(bench, 0, 45) == {"planned": 0, "present": 5}
    assert len(bench.runs()) == 5


def test_a_range_begins_with_its_start_and_ends_before_its_end(bench: Bench) -> None:
    assert backfill(bench, 20, 40) == {"planned": 2, "present": 0}
    assert backfill(bench, 20.001, 40.001) == {"planned": 1, "present": 1}


def test_a_dry_run_only_counts(bench: Bench) -> None:
    assert backfill(bench, 0, 45, is_dry_run=True) == {"planned": 3, "present": 2}
    assert len(bench.runs()) == 2


@pytest.mark.parametrize(
    ("overlap", "limit", "living"),
    [
        (OverlapPolicy.SKIP, 0, 1),
        (OverlapPolicy.QUEUE, 0, 1),
        (OverlapPolicy.QUEUE, 1, 1),
        (OverlapPolicy.REPLACE, 0, 1),
        (OverlapPolicy.ALLOW, 0, 3),
        (OverlapPolicy.ALLOW, 2, 2),
    ],
)
def test_as_many_live_as_the_overlap_policy_allows_and_none_is_lost(
    bench: Bench, overlap: OverlapPolicy, limit: int, living: int
) -> None:
    bench.add(entry(overlap=overlap, overlap_limit=limit))
    backfill(bench, 15, 45)
    assert len(bench.hands.gate) == living

    for _ in range(3):
        for run_id in list(bench.hands.gate):
            bench.end(bench.start(run_id))
        bench.tick()

    assert bench.runs("state, scheduled_at")[2:] == [
        ("succeeded", at(moment)) for moment in (20, 30, 40)
    ]


def test_a_claim_ahead_of_its_moment_does_not_hold_the_range_up(bench: Bench) -> None:
    bench.tick(after=4.95)
    assert [c.scheduled_at for c in bench.hands.gate.values()] == [at(50)]

    backfill(bench, 20, 30)

    assert bench.start().scheduled_at == at(20)


def test_a_run_that_was_given_up_before_it_began_may_come_again(bench: Bench) -> None:
    bench.add(entry(overlap=OverlapPolicy.REPLACE))
    backfill(bench, 20, 50 - 5)
    bench.tick(after=5)
    assert bench.runs("state")[2:5] == ["skipped"] * 3, "the schedule's own run came instead"
    bench.end(bench.start())
    bench.tick(after=1)

    assert backfill(bench, 20, 31) == {"planned": 2, "present": 0}
    assert bench.start().scheduled_at == at(20)
    assert backfill(bench, 20, 31) == {"planned": 0, "present": 2}


def test_a_cancelled_one_ran_as_far_as_it_was_to(bench: Bench) -> None:
    backfill(bench, 20, 21)
    (run_id,) = bench.hands.gate
    bench.command(CancelRun(run_id=run_id))

    assert backfill(bench, 20, 21) == {"planned": 0, "present": 1}


@pytest.mark.parametrize(("start", "end"), [(30, 30), (30, 20), (30, 46), (50, 60)])
def test_a_range_that_is_none_or_not_past_is_refused(
    bench: Bench, start: float, end: float
) -> None:
    with pytest.raises(DefinitionError, match="range"):
        backfill(bench, start, end)


def test_too_much_is_refused_before_anything_is_planned(bench: Bench) -> None:
    with pytest.raises(DefinitionError, match="more than 2"):
        backfill(bench, 0, 45, limit=2)
    assert len(bench.runs()) == 2

    assert backfill(bench, 0, 45, limit=5)["planned"] == 3


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(TaskNotFoundError):
        backfill(Bench(), -10, 0)
