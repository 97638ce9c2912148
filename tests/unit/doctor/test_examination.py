"""Everything that is judged is read once, whether the scheduler runs or not."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from task_scheduler.doctor.examination import Subject, examine
from task_scheduler.doctor.findings import CHECKS, Finding, Level
from task_scheduler.observe.clock_sync import read_clock_sync
from task_scheduler.state_files import StateFiles
from task_scheduler.stores.sqlite import SqliteReader, SqliteStore

SECOND = 1_000_000
NOW = 1_800_000_000 * SECOND


class HandClock:
    """Both clocks, as they were set; each look at the boot clock takes `step`."""

    def __init__(self, step: int = 0) -> None:
        self.passed = 0
        self.step = step

    def now(self) -> int:
        return NOW

    def boottime(self) -> int:
        self.passed += self.step
        return self.passed


@pytest.fixture
def files(tmp_path: Path) -> StateFiles:
    """Return a ledger in a private folder."""
    made = StateFiles(tmp_path / "state" / "scheduler.db")
    made.prepare()
    SqliteStore(made.database).close()
    return made


def subject_of(files: StateFiles, **values: Any) -> Subject:
    made = {"clock": HandClock(), "workers": 4, "holder": None, **values}
    return Subject(files=files, fetch=SqliteReader(files.database).fetch, **made)


def found_of(subject: Subject, check: str) -> Finding:
    (finding,) = examine(subject, [check])
    return finding


def write(files: StateFiles, statement: str, rows: list[tuple[Any, ...]]) -> None:
    store = SqliteStore(files.database)
    store._connection.executemany(statement, rows)
    store.close()


def add_runs(files: StateFiles, task_id: str, spans: list[tuple[int, int]]) -> None:
    """Add runs of a task that began and ended so many seconds before now."""
    rows = [
        (task_id, f"{task_id}-{begun}", *(NOW - begun * SECOND,) * 3, NOW - ended * SECOND)
        for begun, ended in spans
    ]
    write(
        files,
        "INSERT INTO runs (task_id, key, origin, state, scheduled_at, due_at, priority, executor,"
        " started_at, ended_at) VALUES (?, ?, 'schedule', 'succeeded', ?, ?, 0, 'thread', ?, ?)",
        rows,
    )


def test_every_check_works_with_the_scheduler_down(files: StateFiles) -> None:
    found = examine(subject_of(files), CHECKS)

    assert [finding.check for finding in found] == list(CHECKS)
    assert all(finding.told() for finding in found)
    assert found[0].command == "tsk up"


def test_every_check_works_where_there_is_no_ledger_yet(tmp_path: Path) -> None:
    found = examine(subject_of(StateFiles(tmp_path / "none" / "scheduler.db")), CHECKS)

    assert {f.check: f.level for f in found}["database"] is Level.UNKNOWN
    assert Level.PROBLEM not in [finding.level for finding in found]


def test_only_the_checks_that_were_asked_for_are_made(files: StateFiles) -> None:
    assert [f.check for f in examine(subject_of(files), ["log", "space"])] == ["log", "space"]


def test_the_task_that_holds_the_seats_is_found_in_the_history(files: StateFiles) -> None:
    add_runs(files, "quick", [(300, 299), (200, 199), (100, 99)])
    add_runs(files, "slow", [(300, 100)])

    finding = found_of(subject_of(files, workers=1), "slow_task")

    assert finding.figures["task_id"] == "slow"
    assert finding.figures["longest_seconds"] == 200
    assert finding.figures["seat_share"] == pytest.approx(200 / 201, abs=1e-4)


def test_overlaps_of_the_last_day_are_counted(files: StateFiles) -> None:
    day = 86_400 * SECOND
    statement = (
        "INSERT INTO skips (task_id, reason, first_at, last_at, count, at)"
        " VALUES (?, ?, ?, ?, ?, ?)"
    )
    rows = [
        (task_id, reason, at, at, count, at)
        for task_id, reason, at, count in (
            ("a", "overlap", NOW - 2 * day, 50),
            ("b", "overlap", NOW - day // 2, 4),
            ("c", "paused", NOW - day // 2, 90),
        )
    ]
    write(files, statement, rows)

    finding = found_of(subject_of(files), "overlaps")

    assert finding.figures == {"task_id": "b", "count": 4, "tasks": 1}


def test_tasks_without_code_are_counted(files: StateFiles) -> None:
    statement = "INSERT INTO progress (task_id, revision, is_resolved, anchor) VALUES (?, 1, ?, 0)"
    write(files, statement, [("here", 1), ("gone", 0), ("lost", 0)])

    finding = found_of(subject_of(files), "unresolved")

    assert finding.figures == {"count": 2, "task_ids": ["gone", "lost"]}


def test_a_database_check_that_takes_too_long_breaks_off(files: StateFiles) -> None:
    subject = subject_of(files, clock=HandClock(step=SECOND), limit_seconds=2.5)

    finding = found_of(subject, "database")

    assert finding.sentence == "database_partly"
    assert 0 < finding.figures["checked_tables"] < finding.figures["tables"]


def test_a_sound_database_says_so(files: StateFiles) -> None:
    assert found_of(subject_of(files), "database").sentence == "database"


def test_a_private_ledger_has_private_files(files: StateFiles) -> None:
    assert found_of(subject_of(files), "rights").level is Level.FINE


def test_a_ledger_that_others_may_read_is_named(files: StateFiles) -> None:
    files.database.chmod(0o644)

    finding = found_of(subject_of(files), "rights")

    assert finding.level is Level.WARNING
    assert finding.command == f"chmod go-rwx {files.database}"


def test_a_folder_that_others_may_write_is_a_problem(files: StateFiles) -> None:
    files.database.parent.chmod(0o777)

    finding = found_of(subject_of(files), "rights")

    assert (finding.level, finding.figures["open"]) == (
        Level.PROBLEM,
        [str(files.database.parent)],
    )


def test_the_load_of_a_living_process_is_read(files: StateFiles) -> None:
    holder = {"pid": os.getpid(), "state": "running", "version": "x"}
    figures = {
        name: {"recent": {"count": 50, "p50_seconds": 0.0, "p95_seconds": 0.0, "p99_seconds": 9.0}}
        for name in ("queue_wait", "wake_delay", "commit", "start_lateness")
    }
    measures = {"workers": 2, "full_share": {"recent": 0.0}, **figures}

    finding = found_of(subject_of(files, holder=holder, measures=measures), "interpreter")

    assert finding.level is Level.PROBLEM
    assert finding.figures["process_cores"] >= 0
    json.dumps(finding.plain())


def test_the_kernel_is_asked_about_the_clock_without_changing_it() -> None:
    first, second = read_clock_sync(), read_clock_sync()

    assert first is None or (
        second is not None and first.is_synchronised == second.is_synchronised and first.error >= 0
    )
