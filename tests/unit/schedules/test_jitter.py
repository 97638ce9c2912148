"""Jitter: a delay that is spread, and always the same."""

from __future__ import annotations

from statistics import mean

from hypothesis import given
from hypothesis import strategies as st

from task_scheduler.schedules.instants import SECOND
from task_scheduler.schedules.jitter import jitter_of


@given(st.text(), st.integers(0, 10**16), st.floats(0, 86_400))
def test_it_lies_in_its_range_and_is_the_same_for_ever(
    task_id: str, instant: int, seconds: float
) -> None:
    delay = jitter_of(task_id, instant, seconds)

    assert 0 <= delay <= round(seconds * SECOND)
    assert jitter_of(task_id, instant, seconds) == delay


def test_it_does_not_change_from_release_to_release() -> None:
    assert [jitter_of("pump", n * 60 * SECOND, 30) for n in range(3)] == [
        17741724,
        25209087,
        24320932,
    ]


def test_tasks_and_instants_are_spread_over_the_whole_range() -> None:
    by_task = [jitter_of(f"task-{n}", 0, 10) / SECOND for n in range(2_000)]
    by_instant = [jitter_of("task", n * 60 * SECOND, 10) / SECOND for n in range(2_000)]

    for delays in (by_task, by_instant):
        assert 4.7 < mean(delays) < 5.3
        assert min(delays) < 0.05
        assert max(delays) > 9.95
