"""What a scheduler stands on is judged by given figures."""

from __future__ import annotations

from typing import Any

import pytest

from task_scheduler.doctor import surroundings
from task_scheduler.doctor.findings import Level
from task_scheduler.doctor.surroundings import ClockState, DatabaseState, OpenFile, Space

GIGABYTE = 1024**3
MEGABYTE = 1024**2


@pytest.mark.parametrize(
    ("holder", "level", "command"),
    [
        (None, Level.WARNING, "tsk up"),
        ({"pid": 7, "state": "running", "version": "2"}, Level.FINE, ""),
        ({"pid": 7, "state": "running", "version": "1"}, Level.WARNING, "tsk down"),
        ({"pid": 7, "state": "passive", "version": "2"}, Level.WARNING, "tsk up"),
        ({"pid": 7, "state": "mute"}, Level.PROBLEM, "tsk status"),
    ],
)
def test_whether_a_scheduler_runs(
    holder: dict[str, Any] | None, level: Level, command: str
) -> None:
    finding = surroundings.judge_scheduler(holder, version="2")

    assert (finding.level, finding.command) == (level, command)


def test_every_fault_is_a_problem_with_its_own_remedy() -> None:
    fault = {
        "kind": "store_full",
        "what": "the disk of the ledger is full",
        "where": "/x",
        "why": "no space",
        "since": None,
        "remedy": "Make room",
    }

    (finding,) = surroundings.judge_faults([fault])

    assert finding.level is Level.PROBLEM
    assert finding.told() == "the disk of the ledger is full: no space"
    assert finding.advice() == "Make room"


def test_no_fault_is_told_too() -> None:
    assert [found.level for found in surroundings.judge_faults([])] == [Level.FINE]


def test_tasks_without_code_are_named_and_the_rest_counted() -> None:
    finding = surroundings.judge_unresolved(["a b", *"cdefg"], count=1_000)

    assert "a b, c, d, e, f +995" in finding.told()
    assert finding.command == "tsk why 'a b'"


@pytest.mark.parametrize(
    ("state", "level"),
    [
        (None, Level.UNKNOWN),
        (ClockState(is_synchronised=True, error_microseconds=900), Level.FINE),
        (ClockState(is_synchronised=False, error_microseconds=900), Level.WARNING),
        (ClockState(is_synchronised=True, error_microseconds=1_500_000), Level.WARNING),
    ],
)
def test_a_clock_that_nobody_keeps_right(state: ClockState | None, level: Level) -> None:
    assert surroundings.judge_clock(state).level is level


@pytest.mark.parametrize(
    ("version", "level"),
    [("2026a", Level.FINE), ("2025b", Level.FINE), ("2024a", Level.WARNING), (None, Level.UNKNOWN)],
)
def test_old_zones(version: str | None, level: Level) -> None:
    assert surroundings.judge_zones(version, year=2026).level is level


def test_old_zones_are_renewed_where_they_come_from() -> None:
    of_package = surroundings.judge_zones("2020a", year=2026, source="tzdata")
    of_system = surroundings.judge_zones("2020a", year=2026, source="/usr/share/zoneinfo")

    assert of_package.command == "pip install --upgrade tzdata"
    assert of_system.command == "apt-get install tzdata"


@pytest.mark.parametrize(
    ("free", "ledger", "files", "level"),
    [
        (50 * GIGABYTE, MEGABYTE, None, Level.FINE),
        (900 * MEGABYTE, MEGABYTE, None, Level.WARNING),
        (3 * GIGABYTE, 2 * GIGABYTE, None, Level.WARNING),
        (90 * MEGABYTE, MEGABYTE, None, Level.PROBLEM),
        (50 * GIGABYTE, MEGABYTE, 5_000, Level.WARNING),
        (50 * GIGABYTE, MEGABYTE, 50, Level.PROBLEM),
    ],
)
def test_room_for_the_ledger_and_a_copy(
    free: int, ledger: int, files: int | None, level: Level
) -> None:
    assert surroundings.judge_space(Space("/x", free, ledger, files)).level is level


def test_a_damaged_ledger_is_restored() -> None:
    state = DatabaseState("/x.db", "row 7 missing from index", 3, 9, 0.5)

    finding = surroundings.judge_database(state)

    assert (finding.level, finding.command) == (Level.PROBLEM, "tsk restore")
    assert "row 7 missing" in finding.told()


def test_a_check_that_ran_out_of_time_says_how_far_it_came() -> None:
    finding = surroundings.judge_database(DatabaseState("/x.db", "", 3, 9, 5.0))

    assert finding.level is Level.UNKNOWN
    assert "3 of 9" in finding.told()
    assert finding.command == "tsk doctor database --limit 10m"


def test_a_ledger_that_was_looked_at_as_a_whole_is_sound() -> None:
    finding = surroundings.judge_database(DatabaseState("/x.db", "", 9, 9, 5.0))

    assert finding.level is Level.FINE


@pytest.mark.parametrize(
    ("size", "level"),
    [(0, Level.FINE), (128 * MEGABYTE, Level.WARNING), (256 * MEGABYTE, Level.PROBLEM)],
)
def test_a_log_that_is_not_folded_in(size: int, level: Level) -> None:
    assert surroundings.judge_log(size).level is level


def test_what_others_may_write_is_worse_than_what_they_may_read() -> None:
    read = OpenFile("/x/scheduler.db", is_writable=False)
    written = OpenFile("/x/a folder", is_writable=True)

    only_read = surroundings.judge_rights([read], folder="/x")
    both = surroundings.judge_rights([read, written], folder="/x")

    assert (only_read.level, only_read.command) == (
        Level.WARNING,
        "chmod go-rwx /x/scheduler.db",
    )
    assert (both.level, both.command) == (Level.PROBLEM, "chmod go-w '/x/a folder'")


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 kB"), (GIGABYTE * 2048, "2048.0 GB")],
)
def test_sizes_as_people_write_them(count: int, text: str) -> None:
    assert surroundings.size_text(count) == text
