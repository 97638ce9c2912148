"""The watchdog: a step that does not end is told with what it is stuck in, and a standstill too."""

from __future__ import annotations

import queue
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from task_scheduler.core.events import Event, FaultBegan, FaultEnded
from task_scheduler.core.faults import FaultKind, Trouble
from task_scheduler.fault_board import FaultBoard
from task_scheduler.i18n import set_language
from task_scheduler.watchdog import STALL_SECONDS, Probe, Watchdog, Work
from tests.unit.test_fault_board import SECOND, Clock

STALL = round(STALL_SECONDS * SECOND)


class Watched:
    """A watchdog over a thread of a test, on a clock that the test moves."""

    def __init__(
        self,
        probes: list[tuple[frozenset[FaultKind], Probe]] | None = None,
        rest_seconds: float = 0.0,
    ) -> None:
        set_language("en")
        self.clock = Clock()
        self.told: list[Event] = []
        self.board = FaultBoard(self.clock, self.told.append)
        self.work: Work | None = None
        self.rest_seconds = rest_seconds
        self.watchdog = Watchdog(
            clock=self.clock,
            board=self.board,
            work=lambda: self.work,
            probes=probes or [],
            rest_seconds=lambda: self.rest_seconds,
        )

    def pass_by(self, microseconds: int) -> None:
        """Let time go by in beats."""
        for _ in range(microseconds // SECOND):
            self.clock.at += SECOND
            self.watchdog.look()

    @contextmanager
    def stuck_in(self, call: Callable[[threading.Event], None]) -> Iterator[None]:
        """Have a thread inside a call that ends with the block."""
        go_on, is_in = threading.Event(), threading.Event()

        def wait() -> None:
            is_in.set()
            call(go_on)

        thread = threading.Thread(target=wait)
        thread.start()
        is_in.wait()
        self.work = Work(thread, self.clock.boottime())
        try:
            yield
        finally:
            go_on.set()
            thread.join()
            self.work = None


def stand_still(go_on: threading.Event) -> None:
    go_on.wait()


def test_a_step_that_takes_its_time_is_no_stall() -> None:
    watched = Watched()
    with watched.stuck_in(stand_still):
        watched.pass_by(STALL - SECOND)

    assert watched.told == []


def test_a_step_that_does_not_end_is_told_once_with_its_stack_and_its_end() -> None:
    watched = Watched()
    with watched.stuck_in(stand_still):
        watched.pass_by(3 * STALL)
        assert watched.watchdog.stuck_seconds() == 3 * STALL_SECONDS
        (problem,) = watched.board.problems()
    watched.pass_by(3 * SECOND)

    began, ended = watched.told
    assert isinstance(began, FaultBegan)
    assert isinstance(ended, FaultEnded)
    assert began.trouble.kind is FaultKind.ENGINE_STALLED
    assert "stand_still" in began.trouble.detail
    assert problem["kind"] == "engine_stalled"
    assert watched.watchdog.stuck_seconds() == 0


def test_the_listener_that_does_not_return_is_named() -> None:
    watched = Watched()

    def slow_listener(_: Event) -> None:
        """Never return."""

    with watched.stuck_in(stand_still):
        assert watched.work is not None
        watched.work = Work(watched.work.thread, watched.work.since, slow_listener)
        watched.pass_by(STALL)
        (problem,) = watched.board.problems()

    assert "slow_listener" in problem["why"]


def test_a_process_that_stood_still_is_told_of_and_its_engine_gets_its_time_anew() -> None:
    watched = Watched()
    with watched.stuck_in(stand_still):
        watched.clock.at += 5 * STALL
        watched.watchdog.look()
        assert watched.watchdog.stuck_seconds() == 0

        began, ended = watched.told
        assert isinstance(began, FaultBegan)
        assert isinstance(ended, FaultEnded)
        assert began.trouble.kind is FaultKind.PROCESS_STOPPED
        assert ended.lasted == 5 * STALL
        watched.pass_by(STALL)
        assert [p["kind"] for p in watched.board.problems()] == ["engine_stalled"]


def test_a_probe_is_believed_while_it_says_so() -> None:
    found = [Trouble(FaultKind.LOG_FAILED, "/logs", "full")]
    watched = Watched([(frozenset({FaultKind.LOG_FAILED}), lambda: found)])
    watched.pass_by(2 * SECOND)
    assert [p["kind"] for p in watched.board.problems()] == ["log_failed"]

    found.clear()
    watched.pass_by(3 * SECOND)

    assert watched.board.is_clear
    assert [type(event) for event in watched.told] == [FaultBegan, FaultEnded]


def test_descriptors_that_are_spent_are_told_and_over_when_there_are_some() -> None:
    watched = Watched()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        watched.pass_by(SECOND)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [p["kind"] for p in watched.board.problems()] == ["descriptors_spent"]

    watched.pass_by(3 * SECOND)

    assert watched.board.is_clear


def test_while_the_engine_rests_it_sleeps_too_and_that_is_no_standstill() -> None:
    watched = Watched(rest_seconds=3_600.0)
    watched.watchdog.look()
    watched.clock.at += 30 * SECOND
    watched.watchdog.look()
    assert watched.told == []

    watched.clock.at += 40 * SECOND
    watched.watchdog.look()

    _, ended = watched.told
    assert isinstance(ended, FaultEnded)
    assert ended.trouble.kind is FaultKind.PROCESS_STOPPED
    assert ended.lasted == 10 * SECOND


def test_what_gets_stuck_when_the_engine_wakes_by_itself_is_found_in_time() -> None:
    watched = Watched(rest_seconds=5.0)
    watched.watchdog.look()
    watched.clock.at += 5 * SECOND

    with watched.stuck_in(stand_still):
        watched.clock.at += STALL
        watched.watchdog.look()

    assert [p["kind"] for p in watched.board.problems()] == ["engine_stalled"]
    assert len(watched.told) == 1


def test_it_is_roused_by_whoever_gives_the_engine_something_to_do_and_by_a_fault() -> None:
    looks: queue.Queue[None] = queue.Queue()

    def probe() -> list[Trouble]:
        looks.put(None)
        return []

    watched = Watched([(frozenset({FaultKind.LOG_FAILED}), probe)], rest_seconds=3_600.0)
    watched.watchdog.start()
    try:
        deadline = threading.Event()
        while not watched.watchdog._is_resting:
            deadline.wait(0.001)
        watched.watchdog.rouse()
        looks.get(timeout=20)
        watched.board.on_fault = watched.watchdog.wake
        watched.board.begin(Trouble(FaultKind.STORE_FULL, "/ledger", "no space"))
        looks.get(timeout=20)
        assert [problem["kind"] for problem in watched.board.problems()] == ["store_full"]
    finally:
        watched.watchdog.close()


@pytest.mark.parametrize("is_running", [True, False])
def test_a_closed_watchdog_tells_what_is_over(*, is_running: bool) -> None:
    watched = Watched()
    if is_running:
        watched.watchdog.start()
    watched.board.begin(Trouble(FaultKind.LOG_FAILED, "/logs", "full"))
    watched.board.end([FaultKind.LOG_FAILED])

    watched.watchdog.close()

    assert [type(event) for event in watched.told] == [FaultBegan, FaultEnded]
