"""Tables of signs with their moments, and what people hear of them; moments are seconds here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from task_scheduler.alerts.judge import Judge
from task_scheduler.alerts.notices import Notice
from task_scheduler.alerts.rules import AlertKind, AlertPlan, Rule
from task_scheduler.alerts.signs import Failed, Sign, Succeeded

S = 1_000_000
MINUTE, HOUR, DAY = 60, 3_600, 86_400
START = 1_800_000_000
"""The second from which the tables count."""
RULE = Rule(name="all", kinds=frozenset(AlertKind), channels=("ops",))
PLAN = AlertPlan(rules=(RULE,))


def at(second: float) -> int:
    return round((START + second) * S)


def failed(task_id: str = "upload", cause: str = "refused", second: float = 0) -> Failed:
    return Failed(task_id, task_id, 1, 1, cause, cause, at(second))


def fine(task_id: str = "upload", second: float = 0, took: float = 1) -> Succeeded:
    return Succeeded(task_id, task_id, 2, round(took * S), at(second))


def heard(judge: Judge, signs: Iterable[Sign], until: float, step: float = 1) -> list[str]:
    """Let signs happen at their moments; return ``second kind``, and ``xCOUNT`` where not 1."""
    return [
        f"{round((notice.at - at(0)) / S)} {notice.kind}"
        + (f" x{notice.count}" if notice.count > 1 else "")
        for notice in notices(judge, signs, until, step)
    ]


def notices(judge: Judge, signs: Iterable[Sign], until: float, step: float = 1) -> list[Notice]:
    waiting = sorted(signs, key=lambda sign: sign.at)
    found: list[Notice] = []
    second = 0.0
    while second <= until:
        while waiting and waiting[0].at <= at(second):
            judge.take(waiting.pop(0))
        found += judge.decide(at(second))
        second += step
    return found


def with_rule(**changes: Any) -> AlertPlan:
    return replace(PLAN, rules=(replace(RULE, **changes),))
