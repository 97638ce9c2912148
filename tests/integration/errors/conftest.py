from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from task_scheduler.clock import SystemClock
from task_scheduler.i18n import set_language
from tests.unit.cli.made_ledger import NOW, MadeLedger, fill


@pytest.fixture(autouse=True)
def _plain_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """One language and zone, 80 columns, and a folder in which commands may write."""
    for name in ("LC_ALL", "LC_MESSAGES", "TASK_SCHEDULER_CONFIG", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    yield
    set_language("en")


@pytest.fixture
def farm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> MadeLedger:
    """A ledger after a night, with the command line in front of it at that morning."""
    monkeypatch.setattr(SystemClock, "now", lambda _: NOW)
    return fill(MadeLedger(tmp_path, capsys))
