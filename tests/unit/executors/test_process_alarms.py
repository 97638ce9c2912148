"""What supervision could not do is shown as long as it is so."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from task_scheduler.core.faults import FaultKind
from task_scheduler.core.model import Claim
from task_scheduler.executors.process_alarms import ProcessAlarms

CLAIM = Claim(
    run_id=1,
    task_id="t",
    key="1",
    attempt=1,
    token=7,
    scheduled_at=0,
    due_at=0,
    start_by=None,
    priority=0,
    slot=-1,
    executor="process",
    timeout=None,
    clock_offset=0,
)


def record(**values: object) -> dict[str, object]:
    return {"format": 1, "output_error": None, **values}


def kinds(alarms: ProcessAlarms, folder: Path) -> list[FaultKind]:
    return [trouble.kind for trouble in alarms.troubles(folder)]


@pytest.fixture
def told() -> list[Any]:
    return []


@pytest.fixture
def alarms(told: list[Any]) -> ProcessAlarms:
    return ProcessAlarms(told.append)


def test_that_no_process_starts_is_shown_until_one_has_ended(
    alarms: ProcessAlarms, tmp_path: Path
) -> None:
    sentence = alarms.not_started(errno.EAGAIN)

    assert os.strerror(errno.EAGAIN) in sentence
    assert kinds(alarms, tmp_path) == [FaultKind.LAUNCH_FAILED]
    alarms.examine(CLAIM, record())
    assert kinds(alarms, tmp_path) == []


def test_that_a_program_is_not_there_is_no_fault_of_the_system(
    alarms: ProcessAlarms, tmp_path: Path
) -> None:
    alarms.not_started(errno.ENOENT)

    assert kinds(alarms, tmp_path) == []


def test_output_that_was_not_kept_is_shown_until_some_is(
    alarms: ProcessAlarms, tmp_path: Path
) -> None:
    alarms.examine(CLAIM, record(output_error="No space left on device"))
    assert kinds(alarms, tmp_path) == [FaultKind.OUTPUT_FAILED]

    alarms.examine(CLAIM, record())

    assert kinds(alarms, tmp_path) == []


def test_a_full_disk_is_shown_before_anything_is_printed(
    alarms: ProcessAlarms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = os.statvfs(tmp_path)
    full = os.statvfs_result([*room[:4], 0, *room[5:10]])
    monkeypatch.setattr(os, "statvfs", lambda _: full)

    assert kinds(alarms, tmp_path) == [FaultKind.OUTPUT_FAILED]
