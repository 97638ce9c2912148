"""The next moment of cron expressions in a zone, asked one after another, by us or by a peer."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

EXPRESSIONS = {
    "every_5_minutes": "*/5 * * * *",
    "weekdays_at_3": "0 3 * * 1-5",
    "leap_days": "0 0 29 2 *",
}
ZONE = "America/New_York"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

Asker = Callable[[str, int], None]
"""Asks for so many moments of an expression, each from the one before."""


def ours(expression: str, count: int) -> None:
    from task_scheduler.schedules.rule import ScheduleRule, occurrences_of

    occurrences = occurrences_of(ScheduleRule("cron", cron=expression, timezone=ZONE))
    moment = begin = round(BEGIN.timestamp() * 1_000_000)
    for _ in range(count):
        moment = occurrences.next_after(moment, begin) or begin


def cronsim(expression: str, count: int) -> None:
    from cronsim import CronSim

    begin = BEGIN.astimezone(ZoneInfo(ZONE))
    moments = CronSim(expression, begin)
    for _ in range(count):
        if next(moments).year > 2190:
            moments = CronSim(expression, begin)


def croniter(expression: str, count: int) -> None:
    from croniter import croniter as iterate

    begin = BEGIN.astimezone(ZoneInfo(ZONE))
    moments = iterate(expression, begin)
    for _ in range(count):
        if moments.get_next(datetime).year > 2090:
            moments = iterate(expression, begin)


def apscheduler(expression: str, count: int) -> None:
    from apscheduler.triggers.cron import CronTrigger

    trigger = CronTrigger.from_crontab(expression, timezone=ZoneInfo(ZONE))
    begin = moment = BEGIN.astimezone(ZoneInfo(ZONE))
    for _ in range(count):
        moment = trigger.get_next_fire_time(moment, moment) or begin
        if moment.year > 2190:
            moment = begin


ASKERS: dict[str, Asker] = {
    "ours": ours,
    "cronsim": cronsim,
    "croniter": croniter,
    "apscheduler": apscheduler,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--by", choices=ASKERS, default="ours")
    options = parser.parse_args()
    ask = ASKERS[options.by]
    rates = {}
    for name, expression in EXPRESSIONS.items():
        ask(expression, 100)  # imports and caches are not what is compared
        began = time.process_time()
        ask(expression, options.count)
        rates[f"{name}_per_second"] = options.count / max(1e-9, time.process_time() - began)
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
