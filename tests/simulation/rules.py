"""Rules of the simulated entries, each with its instants found by brute force.

Responsible for: drawing rules and policies from a seed, and enumerating what a rule should give
without any of the code under test.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from task_scheduler.core.model import (
    SECOND,
    Backoff,
    MisfirePolicy,
    OnLost,
    OverlapPolicy,
    Policies,
)
from task_scheduler.schedules.rule import ScheduleRule

__all__ = ["POOLS", "Rule", "draw_policies", "draw_rule", "no_rule"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CRONS: tuple[tuple[str, int, Callable[[int], bool]], ...] = (
    ("*/2 * * * *", 60, lambda n: n % 2 == 0),
    ("7,37 * * * *", 60, lambda n: n % 60 in (7, 37)),
    ("0 */2 * * *", 60, lambda n: n % 120 == 0),
    ("*/20 * * * * *", 20, lambda n: True),
)
"""An expression, the step in seconds, and which multiples of the step it means (in UTC)."""


POOLS = {"bus": 1, "line": 2}
"""The places of the pools of every world."""


class GridRule(ScheduleRule):
    """A rule such as a user writes: uneven steps of some minutes."""

    def __init__(self, born: int, minutes: int) -> None:
        self.timezone = "UTC"
        self.step = minutes * 60 * SECOND
        self.born = born

    def has(self, number: int) -> bool:
        """Whether this multiple of the step is one of the rule's instants."""
        return number % 5 != 3

    def get_next_run_time(self, last_run: datetime | None = None) -> datetime | None:
        """Return the next multiple that the rule has."""
        step = self.step
        moment = self.born if last_run is None else (last_run - _EPOCH) // timedelta(microseconds=1)
        number = moment // step + 1
        while not self.has(number):
            number += 1
        return _EPOCH + timedelta(microseconds=number * step)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule in its plain form, and its instants."""

    plains: tuple[dict[str, Any], ...]
    instants: Callable[[int, int, int], set[int]]
    """(anchor, low, high) -> the instants in ``(low, high]``."""
    user_rule: ScheduleRule | None = None
    once_at: int | None = None
    is_delay: bool = False
    """Whether its instants follow from how long the runs take."""

    @property
    def is_anchored(self) -> bool:
        """Whether its instants are no readings of the clock, but follow real time."""
        return (
            len(self.plains) == 1
            and not self.is_delay
            and self.plains[0].keys()
            <= {
                "type",
                "seconds",
                "jitter_seconds",
            }
        )


def draw_rule(draw: random.Random, now: int) -> Rule:
    """Return a rule of any kind."""
    kind = draw.choice(
        ["interval", "interval", "anchored", "once", "cron", "cron", "user", "both", "delay"]
    )
    if kind == "delay":
        plain = {"type": "interval", "seconds": draw.choice([5, 60]), "kind": "fixed_delay"}
        return Rule((plain,), lambda *_: set(), is_delay=True)
    if kind == "both":
        one, other = _interval(draw, now, is_anchored=True), _cron(draw)
        return Rule(
            one.plains + other.plains,
            lambda anchor, low, high: (
                one.instants(anchor, low, high) | other.instants(anchor, low, high)
            ),
        )
    if kind == "once":
        at = now + round(draw.uniform(-0.2, 1) * 3600 * SECOND)
        plain = {"type": "once", "run_at": _iso(at)}
        return Rule((plain,), lambda _, low, high: {at} & set_between(at, low, high), once_at=at)
    if kind == "user":
        rule = GridRule(now, draw.choice([1, 3, 10]))
        return Rule(
            ({"type": "user", "made_at": now},),
            lambda _, low, high: _grid(rule, max(low, now), high),
            rule,
        )
    if kind == "cron":
        return _cron(draw)
    return _interval(draw, now, is_anchored=kind == "anchored")


def no_rule() -> Rule:
    """Return the rule of a task that comes after another one."""
    return Rule((), lambda *_: set())


def draw_policies(draw: random.Random, task_id: str, old: Policies | None) -> Policies:
    """Return policies; whether a task may overlap, and what is done when lost, never changes."""
    may_overlap = sum(task_id.encode()) % 4 == 0
    overlaps = [OverlapPolicy.SKIP, OverlapPolicy.QUEUE, OverlapPolicy.REPLACE]
    is_again = _is_started_again_when_lost(task_id)
    at_least = OnLost.AT_LEAST_ONCE if is_again else OnLost.AT_MOST_ONCE
    number = sum(task_id.encode())
    drawn = Policies(
        timeout_seconds=draw.choice([None, 20.0, 60.0]),
        max_retries=draw.choice([0, 1, 3]),
        retry_delay_seconds=draw.choice([0.0, 1.0, 30.0]),
        backoff=draw.choice(list(Backoff)),
        retry_jitter=draw.choice([0.0, 0.5]),
        retry_max_delay_seconds=60.0,
        misfire=draw.choice(list(MisfirePolicy)),
        misfire_grace_seconds=draw.choice([0.0, 1.0, 60.0]),
        catch_up_window_seconds=draw.choice([60.0, 1800.0, 86_400.0]),
        catch_up_limit=draw.choice([1, 5, 20]),
        overlap=OverlapPolicy.ALLOW if may_overlap else draw.choice(overlaps),
        overlap_limit=draw.choice([0, 1, 3]),
        on_lost=at_least,
        priority=draw.choice([-1, 0, 5]),
        # Not drawn: a seed goes on to mean the same tasks.
        pool={0: "bus", 1: "line"}.get(number % 5),
        rate_limit={0: "3/1m", 1: "1/10s"}.get(number % 11),
    )
    return drawn if old is None else replace(drawn, on_lost=old.on_lost)


def _is_started_again_when_lost(task_id: str) -> bool:
    """Whether the runs of a task are started again after a loss."""
    return sum(task_id.encode()) % 3 != 0


def set_between(at: int, low: int, high: int) -> set[int]:
    """Return the instant where it lies in ``(low, high]``."""
    return {at} if low < at <= high else set()


def _interval(draw: random.Random, now: int, *, is_anchored: bool) -> Rule:
    seconds = draw.choice([30, 45, 120, 600, 3600])
    plain: dict[str, Any] = {"type": "interval", "seconds": seconds, **_jitter(draw)}
    start = None
    if is_anchored:
        start = now + draw.randint(-7200, 1800) * SECOND + draw.randint(0, 10**6 - 1)
        plain["start_at"] = _iso(start)

    def instants(anchor: int, low: int, high: int) -> set[int]:
        moment, found = anchor if start is None else start, set()
        while moment <= high:
            if moment > low:
                found.add(moment)
            moment += seconds * SECOND
        return found

    return Rule((plain,), instants)


def _cron(draw: random.Random) -> Rule:
    text, seconds, has = draw.choice(_CRONS)
    step = seconds * SECOND

    def instants(_: int, low: int, high: int) -> set[int]:
        return {n * step for n in range(low // step, high // step + 1) if has(n)} - {
            n * step for n in range(low // step, low // step + 1) if n * step <= low
        }

    plain = {"type": "cron", "cron": text, "timezone": "UTC", **_jitter(draw)}
    return Rule((plain,), instants)


def _jitter(draw: random.Random) -> dict[str, Any]:
    """Return how much runs are put off: it changes when they start and nothing else."""
    return draw.choice([{}, {}, {}, {"jitter_seconds": draw.choice([0.05, 7, 90])}])


def _grid(rule: GridRule, low: int, high: int) -> set[int]:
    step = rule.step
    numbers = range(low // step, high // step + 1)
    return {n * step for n in numbers if rule.has(n) and n * step > low}


def _iso(moment: int) -> str:
    return (_EPOCH + timedelta(microseconds=moment)).isoformat()
