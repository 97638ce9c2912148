"""How codes of errors are met for real: by a line that is typed, or a call.

Responsible for: these two tables; what takes more is in `stories`. `test_error_codes` goes through
them, and fails for a code that stands nowhere.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from task_scheduler import (
    CommandTask,
    FunctionTask,
    HttpTask,
    ScheduleRule,
    ScheduleType,
    TaskScheduler,
    current_run,
)
from task_scheduler.errors import TaskSchedulerError
from task_scheduler.schedules.rule import occurrences_of
from task_scheduler.supervision.launcher_client import LauncherClient
from task_scheduler.targets import TargetPolicy
from task_scheduler.testing import VirtualScheduler
from task_scheduler.vault import Vault

LINES: dict[str, tuple[int, tuple[str, ...]]] = {
    "E1001": (2, ("lss",)),
    "E1002": (2, ("ls", "--faild")),
    "E1003": (2, ("show",)),
    "E1004": (2, ("show", "heartbeat", "backup")),
    "E1005": (2, ("runs", "-n", "0")),
    "E1006": (2, ("ls", "--failed=yes")),
    "E1007": (2, ("pause", "heartbeat", "--for", "1h", "--until", "2100-01-01T00:00")),
    "E1008": (2, ("rm", "heartbeat", "--no-input")),
    "E1009": (2, ("help", "nonsense")),
    "E1010": (2, ("why", "heartbeat", "--at", "noonish")),
    "E1011": (2, ("top",)),
    "E2001": (3, ("-c", "nowhere.json", "ls")),
    "E2002": (7, ("-c", ".", "ls")),
    "E2101": (7, ("explain", "0 25 * * *")),
    "E2102": (7, ("explain", "every 0s")),
    "E2105": (7, ("explain", "Mon..Fri 25:00")),
    "E2106": (7, ("explain", "RRULE:FREQ=NEVER")),
    "E2107": (7, ("explain", "sunset")),
    "E2112": (7, ("explain", "some day soon")),
    "E3001": (3, ("show", "hartbeat")),
    "E3002": (3, ("ls", "x*")),
    "E3004": (3, ("logs", "999")),
    "E3005": (3, ("logs", "117", "--attempt", "7")),
    "E3006": (3, ("logs", "backup")),
    "E3007": (6, ("kill", "117")),
    "E3009": (7, ("pause", "heartbeat", "--until", "2020-01-01T00:00")),
    "E3010": (7, ("backfill", "heartbeat", "--from", "2026-01-02", "--to", "2026-01-01")),
    "E3011": (
        7,
        (
            "backfill",
            "heartbeat",
            "--from",
            "2026-11-24T01:00",
            "--to",
            "2026-11-24T05:00",
            "--limit",
            "5",
        ),
    ),
    "E3013": (3, ("logs", "--scheduler")),
    "E3015": (6, ("retry", "118")),
    "E4001": (4, ("down",)),
    "E6004": (6, ("backup", "nowhere/x.backup")),
    "E6006": (7, ("restore", "--resume-from", "now")),
    "E7002": (3, ("ping", "nope")),
    "E7003": (7, ("alerts", "test")),
    "E7004": (7, ("alerts", "silence", "heartbeat", "--until", "2020-01-01T00:00")),
    "E8001": (3, ("import", "crontab", "nowhere")),
    "E8004": (2, ("simulate", "--from", "2100-01-02", "--to", "2100-01-01")),
    "E9003": (3, ("export", "--output", "nowhere/x.json")),
}
"""What is typed before a ledger after a night, and its exit code."""


def _rule(**values: Any) -> ScheduleRule:
    return ScheduleRule(**values)


class OwnRule(ScheduleRule):
    """A rule of a user, with a mistake in it."""

    def __init__(self) -> None:
        super().__init__(ScheduleType.INTERVAL)

    def get_next_run_time(self, last_run: datetime | None = None) -> datetime | None:
        raise ZeroDivisionError


def nothing() -> None:
    """Succeed."""


def _memory() -> VirtualScheduler:
    return VirtualScheduler()


def _closed_launcher() -> None:
    executable, sys.executable = sys.executable, ""
    try:
        LauncherClient(b"/nowhere").send(SimpleNamespace(encode=bytes))  # type: ignore[arg-type]
    finally:
        sys.executable = executable


def _chained_in_a_circle() -> None:
    scheduler = VirtualScheduler()
    scheduler.add_task(CommandTask("a", command=["true"], after="b"))
    scheduler.add_task(CommandTask("b", command=["true"], after="a"))


def _of_another_kind() -> None:
    scheduler = VirtualScheduler()
    scheduler.add_task(CommandTask("a", command=["true"]), every=60)
    scheduler.add_task(FunctionTask("a", func=nothing), every=60)


CALLS: dict[str, Callable[[], object]] = {
    "E2005": lambda: TaskScheduler(42),  # type: ignore[arg-type]
    "E2103": lambda: _rule(schedule_type="cron", cron="0 3 * * *", timezone="Mars/Base"),
    "E2104": lambda: _rule(schedule_type="sometimes"),
    "E2108": lambda: occurrences_of(_rule(schedule_type="all_of", rules=[])),
    "E2109": lambda: _rule(schedule_type="once", run_at="some day"),
    "E2110": lambda: occurrences_of(
        _rule(schedule_type="cron", cron="0 3 * * *", exclude="nowhere")
    ),
    "E2111": lambda: occurrences_of(OwnRule()).next_after(0, 0),
    "E2201": lambda: _memory().add_task("heartbeat", every=60),
    "E2202": lambda: CommandTask("", command=["true"]),
    "E2203": lambda: CommandTask("list", command="ls -l"),
    "E2204": lambda: FunctionTask("sum", func=42),  # type: ignore[arg-type]
    "E2205": lambda: FunctionTask("sum", func=nothing, args="abc"),
    "E2206": lambda: HttpTask("ask", url="not a url"),
    "E2207": lambda: CommandTask("list", command=["ls"], overlap="sometimes"),
    "E2208": lambda: CommandTask("list", command=["ls"], umask="999"),
    "E2209": lambda: Vault(environ={}).read("ftp_password"),
    "E2210": lambda: _memory().add_task(
        CommandTask("list", command=["ls"], pool="boats"), every=60
    ),
    "E2211": _chained_in_a_circle,
    "E2212": _of_another_kind,
    "E2214": lambda: TargetPolicy().judge("intranet", ["10.0.0.1"]),
    "E3014": current_run,
    "E4008": _closed_launcher,
    "E8005": lambda: VirtualScheduler(duration="soon"),
}
"""What a program does that is answered with the code."""


def met(call: Callable[[], object]) -> TaskSchedulerError:
    """Return the error of a call."""
    with pytest.raises(TaskSchedulerError) as caught:
        call()
    return caught.value
