from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from task_scheduler.clock import SystemClock
from task_scheduler.i18n import set_language
from tests.unit.cli.made_ledger import NOW, MadeLedger, fill


@pytest.fixture(autouse=True)
def _fixed_world(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One moment, one zone, one language, 80 columns, no colours."""
    for name in ("LC_ALL", "LC_MESSAGES", "TASK_SCHEDULER_CONFIG", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(SystemClock, "now", lambda _: NOW)
    yield
    set_language("en")


@pytest.fixture
def empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> MadeLedger:
    """A ledger without a task."""
    return MadeLedger(tmp_path, capsys)


@pytest.fixture
def farm(empty: MadeLedger) -> MadeLedger:
    """A ledger after a night."""
    return fill(empty)
