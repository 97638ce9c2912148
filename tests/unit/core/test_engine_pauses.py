"""Stories about pauses: what falls into them, and how they end by themselves."""

from __future__ import annotations

import pytest

from task_scheduler.core.inbox import PauseEntry, RequestRun, ResumeEntry
from task_scheduler.core.model import SECOND, MisfirePolicy
from task_scheduler.errors import DefinitionError
from tests.unit.core.engine_bench import T0, Bench, entry


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.add(entry())
    made.end(made.start())
    made.tick(after=1)
    return made


def at(seconds: float) -> int:
    return T0 + round(seconds * SECOND)


def test_a_pause_ends_by_itself_and_what_fell_into_it_is_told(bench: Bench) -> None:
    bench.command(PauseEntry(task_id="pump", reason="winter", until=at(30)))
    wake = bench.tick(after=1)
    assert wake == at(30)
    assert bench.rows("SELECT pause_reason, resume_at FROM progress") == [("winter", at(30))]

    bench.tick(after=28)

    assert bench.skips("reason, first_at, last_at, count") == [("paused", at(10), at(20), 2)]
    assert bench.start().scheduled_at == at(30), "what is due at its end is no part of it"
    assert bench.rows("SELECT paused_at, pause_reason, resume_at FROM progress") == [(None,) * 3]


def test_a_pause_that_ended_while_nobody_looked_covers_no_more_than_itself(bench: Bench) -> None:
    bench.add(entry(misfire=MisfirePolicy.RUN_ALL))
    bench.command(PauseEntry(task_id="pump", until=at(25)))

    bench.tick(after=54)

    assert bench.skips("reason, count") == [("paused", 2)]
    assert bench.runs("scheduled_at")[1:] == [at(30), at(40), at(50)]


def test_a_pause_in_the_past_is_refused(bench: Bench) -> None:
    with pytest.raises(DefinitionError, match="past"):
        bench.command(PauseEntry(task_id="pump", until=at(1)))

    assert bench.rows("SELECT paused_at FROM progress") == [(None,)]


def test_a_pause_is_prolonged_shortened_and_made_endless(bench: Bench) -> None:
    bench.command(PauseEntry(task_id="pump", until=at(30)))
    bench.command(PauseEntry(task_id="pump", until=at(50)))
    assert bench.tick() == at(50)
    bench.command(ResumeEntry(task_id="pump", resume_from=at(40)))
    assert bench.tick() == at(40)
    bench.command(PauseEntry(task_id="pump"))
    assert bench.tick() is None
    assert bench.rows("SELECT paused_at FROM progress") == [(at(1),)]


@pytest.mark.parametrize(
    ("since", "skipped", "planned"),
    [(None, 4, []), (5, 0, [10, 20, 30, 40]), (20, 1, [20, 30, 40]), (42, 4, [])],
)
def test_what_was_due_since_a_moment_is_late_and_not_skipped(
    bench: Bench, since: float | None, skipped: int, planned: list[float]
) -> None:
    bench.add(entry(misfire=MisfirePolicy.RUN_ALL))
    bench.command(PauseEntry(task_id="pump"))
    bench.clock.wall = at(45)
    moment = None if since is None else at(since)

    bench.command(ResumeEntry(task_id="pump", resume_from=moment))

    assert sum(count for (count,) in bench.skips("count")) == skipped
    assert bench.runs("scheduled_at")[1:] == [at(moment) for moment in planned]


def test_a_request_comes_in_a_pause_and_the_pause_goes_on(bench: Bench) -> None:
    bench.command(PauseEntry(task_id="pump", until=at(30)))

    bench.start(bench.command(RequestRun(task_id="pump", request_id="now")))

    assert bench.tick() == at(30)


def test_an_edit_leaves_the_end_of_a_pause(bench: Bench) -> None:
    bench.command(PauseEntry(task_id="pump", until=at(30)))
    bench.add(entry(seconds=7))

    assert bench.tick() == at(30)
    bench.tick(after=29)

    assert bench.rows("SELECT paused_at FROM progress") == [(None,)]


def test_a_fixed_delay_goes_on_after_a_pause_that_ends_by_itself() -> None:
    bench = Bench()
    delay = {"type": "interval", "seconds": 10, "kind": "fixed_delay"}
    bench.add(entry(rules=[delay]))
    bench.end(bench.start())
    bench.tick()
    bench.command(PauseEntry(task_id="pump", until=at(35)))

    bench.tick(after=35)

    assert bench.skips("reason, count") == [("paused", 1)]
    assert bench.rows("SELECT next_due_at FROM progress") == [(at(45),)]
