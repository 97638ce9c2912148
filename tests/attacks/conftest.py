"""What every attack needs: a canary that must not be touched, and a scheduler to attack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import TaskScheduler
from task_scheduler.i18n import set_language
from tests.attacks.places import open_to_all


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    set_language("en")
    yield
    set_language("en")


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """Give a path that a payload would make if it ran; nothing may ever be there."""
    path = tmp_path / "canary"
    yield path
    assert not path.exists(), "the payload ran"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder that every user may look into, as a shared one is."""
    open_to_all(tmp_path)
    return tmp_path


@pytest.fixture
def make(folder: Path) -> Iterator[Callable[..., TaskScheduler]]:
    """Make schedulers on one ledger, with a section `security`; they are stopped at the end."""
    made: list[TaskScheduler] = []

    def make(*, is_started: bool = True, **security: Any) -> TaskScheduler:
        scheduler = TaskScheduler(
            {"security": security},
            storage=str(folder / "state" / "scheduler.db"),
            logging={"log_dir": str(folder / "logs"), "console": False},
            tasks={"max_retries": 0},
            log_level="DEBUG",
            language="en",
        )
        made.append(scheduler)
        if is_started:
            scheduler.start()
        return scheduler

    yield make
    for scheduler in made:
        scheduler.stop(5)
