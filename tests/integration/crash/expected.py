"""What the checker is told of the entries under fire.

Responsible for: the same table in the checker's words. Apart from the table, because every life
reads that one, and what it reads beside it delays its start.
"""

from __future__ import annotations

from tests import checker
from tests.integration.crash.workload import Planned

_SAME_WORDS = ("misfire", "catch_up_limit", "overlap", "overlap_limit", "on_lost", "max_retries")
_IN_SECONDS = ("misfire_grace", "kill_grace")


def task_of(planned: Planned, start_at: int, added_at: int) -> checker.Task:
    """Return an entry as the checker takes it: due from `start_at` on, known since `added_at`."""
    given = planned.policies
    policies = checker.Policies(
        **{key: given[key] for key in _SAME_WORDS if key in given},
        **{
            key: round(given[f"{key}_seconds"] * checker.SECOND)
            for key in _IN_SECONDS
            if f"{key}_seconds" in given
        },
        retry_delay=round(given.get("retry_delay", 0) * checker.SECOND),
        retry_growth=2 if given.get("backoff") == "exponential" else 1,
        timeout=60 * checker.SECOND,
    )
    rules = (checker.Every(period=planned.period_us, anchor=start_at),)
    return checker.Task(
        planned.task_id,
        "thread" if planned.is_in_thread else "process",
        (checker.Revision(rules, policies, asked=added_at, acked=added_at),),
        has_witness=planned.has_witness,
        may_fail=planned.fails_first,
    )
