"""The retry decision: tried again or over, and after which delay.

Responsible for: one pure function. Draws nothing at random: the spread of a delay is a hash of the
attempt's identity, so that the same facts always give the same decision, here and on any node.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from task_scheduler.core.model import SECOND, Backoff, Microseconds, OnLost, Outcome, Policies

__all__ = ["MAX_RECOVERIES", "RetryDecision", "decide_retry"]

MAX_RECOVERIES = 3
"""How often a run is started again after a loss: a poison pill may kill no more processes."""

_MAX_DOUBLINGS = 62
"""Any delay of a microsecond or more is far beyond every cap by then."""


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """Whether a run gets another attempt, after which delay, and why.

    `reason` is a word for logs and tests: ``succeeded``, ``cancelled``, ``retry``,
    ``retries_used_up``, ``recovery``, ``at_most_once`` or ``recoveries_used_up``.
    """

    is_retried: bool
    delay: Microseconds
    reason: str


def decide_retry(
    policies: Policies, *, attempt: int, outcome: Outcome, identity: str, recoveries: int
) -> RetryDecision:
    """Decide what follows an attempt that ended with `outcome`.

    `attempt` counts from 1 and leaves recoveries out; `recoveries` tells how often the run was
    started again after a loss before this attempt; `identity` spreads the delays.
    """
    if outcome is Outcome.SUCCEEDED or outcome is Outcome.CANCELLED:
        return RetryDecision(False, 0, str(outcome))
    if outcome is Outcome.LOST:
        if policies.on_lost is OnLost.AT_MOST_ONCE:
            return RetryDecision(False, 0, "at_most_once")
        if recoveries >= MAX_RECOVERIES:
            return RetryDecision(False, 0, "recoveries_used_up")
        return RetryDecision(True, 0, "recovery")
    if attempt > policies.max_retries:
        return RetryDecision(False, 0, "retries_used_up")
    return RetryDecision(True, _delay(policies, attempt, identity), "retry")


def _delay(policies: Policies, attempt: int, identity: str) -> Microseconds:
    """Return the delay before the next attempt, spread, and never above its cap."""
    cap = round(policies.retry_max_delay_seconds * SECOND)
    delay = round(policies.retry_delay_seconds * SECOND)
    if policies.backoff is Backoff.EXPONENTIAL:
        delay <<= min(max(attempt - 1, 0), _MAX_DOUBLINGS)
    delay = min(delay, cap)
    if policies.retry_jitter:
        spread = policies.retry_jitter * (2 * _share(identity, attempt) - 1)
        delay = min(round(delay * (1 + spread)), cap)
    return delay


def _share(identity: str, attempt: int) -> float:
    """Return a number in [0, 1) that the identity and the attempt determine."""
    text = f"{identity}\0{attempt}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=6).digest(), "big") / (1 << 48)
