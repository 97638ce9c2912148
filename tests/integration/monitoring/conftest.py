"""A scheduler that is watched: its endpoint, its traces, and work for it."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import FunctionTask, ScriptTask, TaskScheduler
from tests.integration.facade.bench import eventually, settled
from tests.integration.monitoring.receivers import Collector, ask, collecting
from tests.integration.monitoring.scrape import Scrape

Make = Callable[..., TaskScheduler]


def made(folder: Path, **sections: Any) -> TaskScheduler:
    """Make a scheduler in a folder; `monitoring` says where metrics and traces go."""
    given: dict[str, Any] = {
        "storage": str(folder / "state" / "scheduler.db"),
        "language": "en",
        "tasks": {"max_retries": 0},
        "logging": {"log_dir": str(folder / "logs"), "console": False},
        **sections,
    }
    return TaskScheduler({}, **given)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make schedulers in one folder and start them."""
    schedulers: list[TaskScheduler] = []

    def start(**sections: Any) -> TaskScheduler:
        scheduler = made(tmp_path, **sections)
        schedulers.append(scheduler)
        scheduler.start()
        return scheduler

    yield start
    for scheduler in schedulers:
        scheduler.stop(10)


def scraped(scheduler: TaskScheduler, **headers: str) -> Scrape:
    """Fetch the metrics over HTTP."""
    address = eventually("it listens", lambda: scheduler.metrics_address)
    reply = ask(address, **headers)
    assert reply.status == 200, reply
    return Scrape(reply.text)


def troubles(scheduler: TaskScheduler, kind: str = "monitoring_failed") -> list[dict[str, Any]]:
    """Return what is wrong of that kind; a busy machine may bring others along."""
    return [problem for problem in scheduler.problems() if problem["kind"] == kind]


def fail_once(seen: list[int]) -> bool:
    seen.append(1)
    return len(seen) > 1


SCRIPT = """
import sys, time
block = bytearray(24_000_000)
end = time.process_time() + 0.05
while time.process_time() < end:
    pass
print("counted", len(block))
"""


class Watched:
    """A scheduler with runs of every kind behind it, and the last scrape of it."""

    def __init__(self, scheduler: TaskScheduler, collector: Collector) -> None:
        self.scheduler = scheduler
        self.collector = collector
        self.scrape = scraped(scheduler)


def let_work(scheduler: TaskScheduler, folder: Path) -> None:
    """Have runs of every kind: they succeed, fail, are tried again, use something, are skipped."""
    script = folder / "count.py"
    script.write_text(textwrap.dedent(SCRIPT), encoding="utf-8")
    seen: list[int] = []
    tasks = [
        FunctionTask("fine", None, lambda: True),
        FunctionTask("bad", None, lambda: 1 / 0),
        FunctionTask("again", None, lambda: fail_once(seen), max_retries=2, retry_delay=0),
        ScriptTask("count", None, str(script), interpreter=sys.executable),
        FunctionTask("paused", None, lambda: True),
    ]
    for task in tasks:
        scheduler.add_task(task, every="1d", start_at=datetime.now(UTC) + timedelta(days=1))
    scheduler.pause_task("paused")
    for task_id in ("fine", "bad", "again", "count"):
        settled(scheduler, scheduler.run_task(task_id))


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A scheduler with an endpoint and a collector, and a scrape of it after its work."""
    folder = tmp_path_factory.mktemp("watched")
    with collecting() as collector:
        monitoring = {
            "metrics": {"listen": "127.0.0.1:0"},
            "traces": {"endpoint": collector.url},
        }
        scheduler = made(folder, monitoring=monitoring)
        scheduler.start()
        try:
            let_work(scheduler, folder)
            yield Watched(scheduler, collector)
        finally:
            scheduler.stop(10)
