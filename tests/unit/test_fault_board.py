"""The fault board: a fault is told once, also one that comes and goes, and shown while it lasts."""

from __future__ import annotations

import pytest

from task_scheduler.core.events import Event, FaultBegan, FaultEnded
from task_scheduler.core.faults import OF_TICKS, FaultKind, Trouble
from task_scheduler.errors import StoreDamagedError, StoreUnavailableError
from task_scheduler.fault_board import FaultBoard, problem_of
from task_scheduler.i18n import LANGUAGES, current_language, set_language
from task_scheduler.trouble import trouble_of

SECOND = 1_000_000
FULL = Trouble(FaultKind.STORE_FULL, "/farm/scheduler.db", "no space")


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = 100 * SECOND

    def now(self) -> int:
        return 1_000 * SECOND + self.at

    def boottime(self) -> int:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def board(clock: Clock, told: list[Event]) -> FaultBoard:
    return FaultBoard(clock, told.append)


def kinds(board: FaultBoard) -> list[str]:
    return [str(problem["kind"]) for problem in board.problems()]


def test_a_fault_that_is_reported_again_and_again_is_told_once(
    board: FaultBoard, clock: Clock, told: list[Event]
) -> None:
    for _ in range(20):
        board.begin(FULL)
        clock.at += SECOND

    assert told == [FaultBegan(FULL, 1_100 * SECOND)]
    assert [problem["since"] for problem in board.problems()] == [1_100 * SECOND]


def test_its_end_is_told_with_how_long_it_lasted(
    board: FaultBoard, clock: Clock, told: list[Event]
) -> None:
    board.begin(FULL)
    clock.at += 3 * SECOND
    board.end(OF_TICKS)
    assert kinds(board) == [], "it does not show any more"
    clock.at += 2 * SECOND
    board.settle()

    assert told[1:] == [FaultEnded(FULL, 3 * SECOND)]
    assert board.is_clear


def test_one_that_goes_and_comes_back_within_a_moment_is_one_fault(
    board: FaultBoard, clock: Clock, told: list[Event]
) -> None:
    for _ in range(20):
        board.begin(FULL)
        clock.at += SECOND // 10
        board.end(OF_TICKS)
        clock.at += SECOND // 10
        board.settle()

    assert len(told) == 1
    clock.at += SECOND
    board.settle()
    assert told[1:] == [FaultEnded(FULL, 39 * SECOND // 10)]


def test_one_takes_the_place_of_another_that_ended_the_same_tick(
    board: FaultBoard, clock: Clock, told: list[Event]
) -> None:
    locked = Trouble(FaultKind.STORE_LOCKED, "/farm/scheduler.db", "busy")
    board.begin(FULL, OF_TICKS)

    board.begin(locked, OF_TICKS)

    assert kinds(board) == ["store_locked"]
    clock.at += 2 * SECOND
    board.settle()
    assert told == [
        FaultBegan(FULL, 1_100 * SECOND),
        FaultBegan(locked, 1_100 * SECOND),
        FaultEnded(FULL, 0),
    ]


def test_what_is_gone_only_just_now_is_told_at_the_end(
    board: FaultBoard, told: list[Event]
) -> None:
    board.begin(FULL)
    board.end(OF_TICKS)

    board.settle(is_final=True)

    assert [type(event) for event in told] == [FaultBegan, FaultEnded]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", [*FaultKind, "mute"])
def test_every_kind_says_what_it_is_and_what_to_do(kind: str, language: str) -> None:
    before = current_language()
    set_language(language)
    try:
        problem = problem_of({"kind": str(kind), "where": "/farm", "why": "full", "since": 0})
    finally:
        set_language(before)

    assert problem.keys() == {"kind", "what", "since", "where", "why", "remedy"}
    assert not problem["what"].startswith("faults.")
    assert not problem["remedy"].startswith("faults.")
    assert "{" not in problem["what"] + problem["remedy"]


def test_errors_of_the_ledger_keep_their_kind_place_and_reason() -> None:
    damaged = trouble_of(StoreDamagedError("errors.store_damaged", path="/l.db", reason="page 4"))
    other = trouble_of(StoreUnavailableError("errors.lock_unavailable", path="/l", reason="EIO"))

    assert damaged == Trouble(FaultKind.STORE_DAMAGED, "/l.db", "page 4", damaged.detail)
    assert (other.kind, other.why) == (FaultKind.STORE_UNAVAILABLE, "EIO")


def test_a_bug_is_told_with_its_place() -> None:
    try:
        raise ZeroDivisionError("a bug of ours")
    except ZeroDivisionError as error:
        found = trouble_of(error)

    assert found.kind is FaultKind.TICK_FAILED
    assert found.where.startswith("test_fault_board.py:")
    assert found.why == "ZeroDivisionError: a bug of ours"
    assert "Traceback" in found.detail
