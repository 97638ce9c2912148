from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import TaskScheduler
from tests.integration.alerts.servers import MailServer, Receiver


@pytest.fixture
def mail() -> Iterator[MailServer]:
    server = MailServer()
    yield server
    server.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.close()


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., TaskScheduler]]:
    """Return what starts a scheduler on the one ledger, with these alerts; ended at the end."""
    made: list[TaskScheduler] = []

    def start(alerts: dict[str, Any], *, is_begun: bool = True, **more: Any) -> TaskScheduler:
        scheduler = TaskScheduler(
            {
                "storage": {"path": str(tmp_path / "state" / "scheduler.db")},
                "logging": {"log_dir": str(tmp_path / "logs"), "console": False},
                "tasks": {"max_retries": 0, "retry_delay": 0},
                "alerts": {"gather_seconds": 0, "digest_seconds": 1, "name": "farm", **alerts},
                **more,
            },
            language="en",
        )
        made.append(scheduler)
        if is_begun:
            scheduler.start()
        return scheduler

    yield start
    for scheduler in made:
        scheduler.stop(timeout=5)


def until(check: Callable[[], Any], seconds: float = 30) -> Any:
    """Wait until something is true, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.02)
    return found
