"""Occurrences against a list of instants that was found by other means, question by question."""

from __future__ import annotations

from collections.abc import Sequence

from task_scheduler.schedules.occurrences import Occurrences

__all__ = ["assert_instants"]


def assert_instants(
    occurrences: Occurrences, instants: Sequence[int], begin: int, end: int, *, anchor: int
) -> None:
    """Assert that the instants from `begin` to `end` are these, whatever question is asked."""
    walked = []
    found = occurrences.next_after(begin - 1, anchor)
    while found is not None and found <= end:
        assert not walked or found > walked[-1], "next(t) > t"
        walked.append(found)
        found = occurrences.next_after(found, anchor)
    assert walked == list(instants)
    for index, instant in enumerate(walked):
        before = walked[index - 1] if index else None
        assert occurrences.last_until(instant, begin - 1, anchor) == instant
        assert occurrences.last_until(instant - 1, begin - 1, anchor) == before
        assert occurrences.next_after(instant - 1, anchor) == instant
        assert occurrences.count_between(begin - 1, instant, anchor) in (index + 1, None)
    assert occurrences.count_between(begin - 1, end, anchor) in (len(walked), None)
    assert occurrences.count_between(end, begin, anchor) == 0
