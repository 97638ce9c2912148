"""Calendar events against the systemd-analyze of this machine, in UTC.

Changes of clocks are left out: what systemd does there differs from release to release, and ours is
the choice of `gap` and `fold`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime
from itertools import islice

import pytest

from task_scheduler.errors import ScheduleError
from task_scheduler.schedules.cron_occurrences import CronOccurrences
from task_scheduler.schedules.instants import datetime_at, instant_of
from task_scheduler.schedules.on_calendar import CalendarExpression, parse_on_calendar
from task_scheduler.schedules.zones import zone_named
from tests.oracle.expressions import corpus

SYSTEMD = shutil.which("systemd-analyze")
BASE = datetime(2023, 11, 24, 5, 17, 33, tzinfo=UTC)
RUNS = 6


def asked_from_systemd(text: str) -> tuple[str | None, list[str]]:
    """Return the normalized form of an event, none where it is refused, and its next runs."""
    assert SYSTEMD is not None
    command = [SYSTEMD, "calendar", f"--base-time={BASE:%Y-%m-%d %H:%M:%S} UTC"]
    done = subprocess.run(
        [*command, f"--iterations={RUNS}", "--", text],
        capture_output=True,
        text=True,
        check=False,
        env={"TZ": "UTC", "LC_ALL": "C"},
    )
    normalized = re.search(r"Normalized form: (.*)", done.stdout)
    runs = re.findall(r"(?:Next elapse|Iter\. #\d+): \w+ (\S+ \S+) UTC", done.stdout)
    return normalized and normalized[1], runs


def read_or_refused(text: str) -> CalendarExpression | None:
    try:
        return parse_on_calendar(text)
    except ScheduleError:
        return None


@pytest.mark.may_skip(reason="not every machine has systemd; recorded answers are a unit test")
@pytest.mark.skipif(SYSTEMD is None, reason="systemd-analyze is not installed")
def test_drawn_events_are_what_systemd_says() -> None:
    events = (one.text for one in corpus(7, 600) if one.kind == "event")
    for text in islice(dict.fromkeys(events), 100):
        normalized, runs = asked_from_systemd(text)
        expression = read_or_refused(text)
        if expression is None:
            # We refuse what never comes; systemd accepts it and never runs.
            assert not runs, text
            continue
        occurrences = CronOccurrences(
            expression.times, zone_named("UTC"), is_run_after_gap=True, is_twice_in_fold=True
        )
        found = []
        following = occurrences.next_after(instant_of(BASE, UTC), 0)
        while following is not None and len(found) < RUNS:
            found.append(datetime_at(following, UTC).strftime("%Y-%m-%d %H:%M:%S"))
            following = occurrences.next_after(following, 0)
        assert (expression.normalized, found) == (normalized, runs), text
