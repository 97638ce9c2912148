"""Worker threads: exactly one completion a claim, whatever the function does and whenever."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

import pytest

from task_scheduler.core.inbox import Fact, Started, ThreadEnded
from task_scheduler.core.model import SECOND, Claim, Completion, Entry, Outcome
from task_scheduler.core.recovery import Mark
from task_scheduler.executors.marks import MemoryMarks
from task_scheduler.executors.thread import Performance, WorkerPool

T0 = 1_000 * SECOND
PATIENCE = 20
ENTRY = Entry(
    task_id="pump", name="Pump", kind="function", executor="thread", definition={}, rules=()
)


class Clock:
    """Wall and boot clock of the test."""

    def __init__(self) -> None:
        self.boot = 5 * SECOND

    def now(self) -> int:
        return T0 + self.boot

    def boottime(self) -> int:
        return self.boot


class Source:
    """A queue of claims with a count of the seats that came back."""

    def __init__(self) -> None:
        self.claims: queue.Queue[tuple[Claim, Entry] | None] = queue.Queue()
        self.released: queue.Queue[None] = queue.Queue()

    def take(self, *, has_seat: bool = False) -> tuple[Claim, Entry] | None:
        if has_seat:
            self.release()
        item = self.claims.get()
        if item is None:
            self.claims.put(None)
        return item

    def release(self) -> None:
        self.released.put(None)


class Function:
    """A function that goes on until the test says how it ends."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.end: queue.Queue[tuple[bool, str | None]] = queue.Queue()
        self.was_cancelled = threading.Event()

    def call(self) -> tuple[bool, str | None]:
        self.began.set()
        return self.end.get(timeout=PATIENCE)


class House:
    """A pool with everything around it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.source = Source()
        self.marks = MemoryMarks()
        self.facts: queue.Queue[Fact] = queue.Queue()
        self.functions: dict[int, Function] = {}
        self.launched: queue.Queue[int] = queue.Queue()
        self.pool = WorkerPool(
            source=self.source,
            clock=self.clock,
            marks=self.marks,
            report=self.facts.put,
            stir=lambda: None,
            prepare=self.prepare,
            launch=lambda claim, _: self.launched.put(claim.run_id),
        )

    def prepare(self, claim: Claim, _: Entry) -> Performance:
        function = self.functions[claim.run_id]
        return Performance(function.call, function.was_cancelled.set)

    def give(self, claim: Claim) -> Function:
        """Hand a claim over; return its function once it runs."""
        function = self.functions[claim.run_id] = Function()
        self.source.claims.put((claim, ENTRY))
        assert function.began.wait(PATIENCE)
        assert self.pool.has_begun
        (started,) = self.pool.begun()
        assert (started.run_id, started.token) == (claim.run_id, claim.token)
        assert not self.pool.has_begun
        assert not self.pool.begun(), "each beginning is told once"
        return function

    def next(self) -> Fact:
        return self.facts.get(timeout=PATIENCE)

    def completion(self) -> Completion:
        fact = self.next()
        assert isinstance(fact, Completion)
        return fact


def claim(run_id: int = 1, *, timeout: int | None = None, executor: str = "thread") -> Claim:
    return Claim(
        run_id=run_id,
        task_id="pump",
        key=str(run_id),
        attempt=2,
        token=100 + run_id,
        scheduled_at=T0,
        due_at=T0,
        start_by=None,
        priority=0,
        slot=run_id,
        executor=executor,
        timeout=timeout,
        clock_offset=T0,
    )


@pytest.fixture
def house() -> Iterator[House]:
    built = House()
    built.pool.start(2)
    yield built
    built.source.claims.put(None)
    for function in built.functions.values():
        function.end.put((True, None))
    built.pool.join(PATIENCE)


@pytest.mark.parametrize(
    ("answer", "outcome", "mark"),
    [
        ((True, None), Outcome.SUCCEEDED, Mark.SUCCEEDED),
        ((False, "no water"), Outcome.FAILED, Mark.FAILED),
    ],
)
def test_a_function_that_returns_is_one_completion_and_gives_its_seat_back(
    house: House, answer: tuple[bool, str | None], outcome: Outcome, mark: int
) -> None:
    function = house.give(claim())
    assert house.marks._bytes[1] == Mark.RUNNING
    house.clock.boot += SECOND
    function.end.put(answer)

    done = house.completion()

    assert (done.outcome, done.error, done.is_still_running) == (outcome, answer[1], False)
    assert (done.run_id, done.token, done.attempt) == (1, 101, 2)
    assert done.ended_at - done.started_at == SECOND
    assert house.marks._bytes[1] == mark
    house.source.released.get(timeout=PATIENCE)
    assert house.pool.running_count() == 0


def test_a_function_beyond_its_timeout_is_settled_replaced_and_told_of_when_it_ends(
    house: House,
) -> None:
    function = house.give(claim(timeout=3 * SECOND))
    assert house.pool.next_deadline() == house.clock.boot + 3 * SECOND
    house.clock.boot += 3 * SECOND - 1
    house.pool.expire()
    assert house.facts.empty()
    house.clock.boot += 1

    house.pool.expire()
    house.pool.expire()

    done = house.completion()
    assert (done.outcome, done.is_still_running) == (Outcome.TIMED_OUT, True)
    assert function.was_cancelled.is_set()
    house.source.released.get(timeout=PATIENCE)
    assert house.pool.next_deadline() is None
    # Two more claims run beside the thread that cannot be stopped: it was replaced.
    others = [house.give(claim(2)), house.give(claim(3))]
    house.marks.set(1, Mark.CLEAR)  # the slot is somebody else's by now
    function.end.put((True, None))
    assert house.next() == ThreadEnded(1, "pump")
    assert house.marks._bytes[1] == Mark.CLEAR
    for other in others:
        other.end.put((True, None))
    assert {house.completion().run_id, house.completion().run_id} == {2, 3}
    assert house.facts.empty()


def test_a_function_that_obeys_a_cancel_is_cancelled(house: House) -> None:
    function = house.give(claim())

    assert house.pool.cancel(claim(), "no longer wanted")
    assert function.was_cancelled.is_set()
    function.end.put((False, "interrupted"))

    done = house.completion()
    assert (done.outcome, done.error) == (Outcome.CANCELLED, "no longer wanted")


def test_a_function_that_succeeds_despite_a_cancel_has_succeeded(house: House) -> None:
    function = house.give(claim())
    house.pool.cancel(claim(), "no longer wanted")
    function.end.put((True, None))

    assert house.completion().outcome is Outcome.SUCCEEDED


def test_only_the_holder_of_the_token_can_be_cancelled(house: House) -> None:
    function = house.give(claim())
    stale = claim()._replace(token=7)

    assert not house.pool.cancel(stale, "a stale wish")
    assert not house.pool.cancel(claim(9), "nobody there")
    assert not function.was_cancelled.is_set()
    function.end.put((True, None))
    assert house.completion().outcome is Outcome.SUCCEEDED


def test_an_attempt_that_is_over_cannot_be_cancelled(house: House) -> None:
    house.give(claim(timeout=SECOND))
    house.clock.boot += SECOND
    house.pool.expire()
    assert house.completion().outcome is Outcome.TIMED_OUT

    assert not house.pool.cancel(claim(), "too late")


def test_everything_that_runs_can_be_asked_to_end(house: House) -> None:
    functions = [house.give(claim(1)), house.give(claim(2))]

    house.pool.cancel_all("the scheduler stops")

    assert all(function.was_cancelled.is_set() for function in functions)
    for function in functions:
        function.end.put((False, None))
    assert {house.completion().error for _ in functions} == {"the scheduler stops"}


def test_a_process_is_launched_and_keeps_its_seat(house: House) -> None:
    house.source.claims.put((claim(executor="process"), ENTRY))

    assert isinstance(house.next(), Started)
    assert house.launched.get(timeout=PATIENCE) == 1
    assert house.source.released.empty()
    assert house.facts.empty()


def test_a_return_at_the_very_timeout_is_one_completion() -> None:
    for step in range(200):
        house = House()
        house.pool.start(1)
        function = house.give(claim(timeout=SECOND))
        house.clock.boot += SECOND
        racers: list[Callable[[], None]] = [
            lambda: function.end.put((True, None)),  # noqa: B023
            house.pool.expire,
        ]
        threads = [threading.Thread(target=race) for race in racers[:: 1 if step % 2 else -1]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        house.source.claims.put(None)
        house.pool.join(PATIENCE)
        done = house.completion()
        if done.is_still_running:
            assert house.next() == ThreadEnded(1, "pump")
        assert house.facts.empty()
        assert house.source.released.qsize() == 1


def test_workers_for_which_there_is_no_thread_are_started_once_there_is(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    house.pool.start(2)
    house.pool.expire()
    assert house.pool.lacking == 2
    assert house.pool.next_deadline() == house.clock.boottime() + SECOND

    monkeypatch.setattr(threading.Thread, "start", start)
    house.pool.expire()

    assert house.pool.lacking == 0
    assert house.pool.next_deadline() is None
