"""The policies hold for a run whatever asked for it: every origin beside every policy."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from task_scheduler.core.inbox import BackfillRange, RequestRun
from task_scheduler.core.model import SECOND, Claim, Link, MisfirePolicy, Outcome, OverlapPolicy
from tests.unit.core.engine_bench import T0, Bench, entry

NEVER = {"type": "once", "run_at": "2100-01-01T00:00:00+00:00"}
EVERY = 100
ORIGINS = ("schedule", "manual", "chain", "backfill", "catch_up")
OVERLAPS = (
    (OverlapPolicy.SKIP, 0),
    (OverlapPolicy.QUEUE, 0),
    (OverlapPolicy.REPLACE, 0),
    (OverlapPolicy.ALLOW, 0),
    (OverlapPolicy.ALLOW, 1),
    (OverlapPolicy.ALLOW, 2),
)


class Farm(Bench):
    """A pump whose next runs come from anywhere, while its first one lives."""

    def __init__(self, **policies: Any) -> None:
        super().__init__(workers=20, pools={"serial": 1})
        self._requests = itertools.count()
        if policies.pop("is_catching_up", False):
            policies["misfire"] = MisfirePolicy.RUN_ALL
        self.add(entry("parent", rules=[NEVER]))
        # It has moments before it was added: those are what a backfill finds owed.
        begin = {"type": "interval", "seconds": EVERY, "start_at": "2027-01-15T07:00:00+00:00"}
        given = {"max_retries": 0, "retry_delay_seconds": 1.0, **policies}
        self.add(entry(rules=[begin], after=(Link("parent"),), **given))

    def live(self) -> Claim:
        """Let the first run begin: the schedule's, at once."""
        return self.start()

    def ask(self, origin: str) -> None:
        """Make another run due."""
        if origin == "schedule":
            self.tick(after=EVERY)
        elif origin == "catch_up":
            self.tick(after=2 * EVERY)
        elif origin == "manual":
            self.command(RequestRun(task_id="pump", request_id=str(next(self._requests))))
        elif origin == "chain":
            request = RequestRun(task_id="parent", request_id=str(next(self._requests)))
            run_id = self.command(request)
            self.end(self.start(run_id))
            self.tick()
        else:
            begin = T0 - (next(self._requests) + 1) * EVERY * SECOND
            end = begin + EVERY * SECOND
            self.command(BackfillRange(task_id="pump", start=begin, end=end, limit=9))

    def living(self) -> int:
        """Return how many runs of the pump were begun, or may begin, and have not ended."""
        held = self.engine.flights.in_hand.values()
        return sum(1 for flight in held if flight.claim.task_id == "pump")


def expected(origin: str, overlap: OverlapPolicy, limit: int) -> tuple[int, str]:
    """Return how many live after the first ask, and what became of the run that was asked for."""
    if overlap is OverlapPolicy.ALLOW and limit != 1:
        return (2 if limit else 2 + (origin == "catch_up")), "beside"
    if overlap in (OverlapPolicy.QUEUE, OverlapPolicy.REPLACE):
        return 1, "queued"
    # What was asked for by name, run by run, is never lost to the overlap.
    return 1, "queued" if origin in ("backfill", "catch_up") else "skipped"


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize(("overlap", "limit"), OVERLAPS)
def test_the_overlap_policy_holds_for_every_origin(
    origin: str, overlap: OverlapPolicy, limit: int
) -> None:
    farm = Farm(overlap=overlap, overlap_limit=limit, is_catching_up=origin == "catch_up")
    first = farm.live()
    skipped = farm.rows("SELECT skip_count FROM progress WHERE task_id = 'pump'")

    farm.ask(origin)

    living, fate = expected(origin, overlap, limit)
    assert farm.living() == living
    waiting = farm.rows("SELECT count(*) FROM runs WHERE waiting_for = 'overlap'")[0][0]
    after = farm.rows("SELECT skip_count FROM progress WHERE task_id = 'pump'")
    assert (waiting > 0) is (fate == "queued" or (limit == 2 and origin == "catch_up"))
    assert (after > skipped) is (fate == "skipped")
    assert (first.run_id in farm.hands.cancelled) is (
        overlap is OverlapPolicy.REPLACE and origin not in ("backfill", "catch_up")
    )
    farm.end(first)
    farm.tick()
    if fate == "queued":
        assert farm.living() == 1, "the next one of the queue"


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_full_pool_holds_every_origin_back(origin: str) -> None:
    farm = Farm(pool="serial", overlap=OverlapPolicy.ALLOW, is_catching_up=origin == "catch_up")
    first = farm.live()

    farm.ask(origin)

    assert farm.living() == 1
    waiting = farm.rows("SELECT DISTINCT waiting_for FROM runs WHERE state = 'waiting'")
    assert waiting == [("pool",)]
    farm.end(first)
    farm.tick()
    assert farm.living() == 1


@pytest.mark.parametrize("origin", [*ORIGINS, "retry"])
def test_a_rate_that_is_used_up_holds_every_origin_back(origin: str) -> None:
    farm = Farm(
        rate_limit="1/1h",
        overlap=OverlapPolicy.ALLOW,
        is_catching_up=origin == "catch_up",
        max_retries=int(origin == "retry"),
    )
    first = farm.live()
    if origin == "retry":
        farm.end(first, Outcome.FAILED)
        farm.tick()
        farm.tick(after=2)
    else:
        farm.ask(origin)
        farm.end(first)
        farm.tick()

    assert farm.living() == 0
    waiting = farm.rows("SELECT DISTINCT waiting_for FROM runs WHERE state = 'waiting'")
    assert waiting == [("rate",)]
    farm.tick(after=3600)
    assert farm.living() == 1


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_run_that_may_not_start_late_is_given_up_whatever_asked_for_it(origin: str) -> None:
    """`misfire=skip` bounds how late a claim may start; it does so for all of them."""
    farm = Farm(
        misfire=MisfirePolicy.SKIP, misfire_grace_seconds=150.0, overlap=OverlapPolicy.ALLOW
    )

    farm.ask(origin)

    claims = [c for c in farm.hands.gate.values() if c.task_id == "pump"]
    assert claims
    assert all(claim.start_by == claim.due_at + 150 * SECOND for claim in claims)
