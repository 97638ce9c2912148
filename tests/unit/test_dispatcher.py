"""The dispatcher: starts at their moment, in order of importance, through the gate exactly once."""

from __future__ import annotations

import itertools
import queue
import random
import threading
from collections.abc import Iterator

import pytest

from task_scheduler.core.model import SECOND, Claim, Entry
from task_scheduler.dispatcher import Dispatcher

T0 = 1_000 * SECOND
PATIENCE = 20
"""Seconds after which a test says that something hangs; none needs a noticeable part of it."""


class Clock:
    """Wall and boot clock of the test."""

    def __init__(self) -> None:
        self.wall = T0
        self.boot = 5 * SECOND

    def now(self) -> int:
        return self.wall

    def boottime(self) -> int:
        return self.boot

    def advance(self, by: int) -> None:
        self.wall += by
        self.boot += by


class Workers:
    """Real threads that take claims and tell which."""

    def __init__(self, dispatcher: Dispatcher, count: int, *, goes_on: bool = False) -> None:
        self.dispatcher = dispatcher
        self.go_on = threading.Event()
        """Until this is set a function goes on, where one does."""
        if not goes_on:
            self.go_on.set()
        self.taken: queue.Queue[int] = queue.Queue()
        self.threads = [threading.Thread(target=self._work, daemon=True) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def _work(self) -> None:
        while (item := self.dispatcher.take()) is not None:
            self.taken.put(item[0].run_id)
            self.go_on.wait(PATIENCE)
            self.dispatcher.release()

    def next(self) -> int:
        return self.taken.get(timeout=PATIENCE)

    def join(self) -> None:
        for thread in self.threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def returned() -> list[Claim]:
    return []


@pytest.fixture
def dispatcher(clock: Clock, returned: list[Claim]) -> Iterator[Dispatcher]:
    made = Dispatcher(clock, 4, returned.append)
    yield made
    made.close()


ENTRY = Entry(
    task_id="pump", name="Pump", kind="function", executor="thread", definition={}, rules=()
)
OFFSET = T0 - 5 * SECOND


def claim(run_id: int, due_at: int = T0, **other: object) -> tuple[Claim, Entry]:
    values: dict[str, object] = {
        "run_id": run_id, "task_id": "pump", "key": str(run_id), "attempt": 1,
        "token": 100 + run_id, "scheduled_at": due_at, "due_at": due_at, "start_by": None,
        "priority": 0, "slot": 0, "executor": "thread", "timeout": None, "clock_offset": OFFSET,
    }  # fmt: skip
    return Claim(**{**values, **other}), ENTRY  # type: ignore[arg-type]


def take_all(dispatcher: Dispatcher, count: int) -> list[int]:
    found = []
    for _ in range(count):
        item = dispatcher.take()
        assert item is not None
        found.append(item[0].run_id)
        dispatcher.release()
    return found


def test_what_is_due_starts_in_order_of_priority_then_of_its_moment(
    dispatcher: Dispatcher,
) -> None:
    claims = [
        claim(1, T0 - 1),
        claim(2, T0 - 3),
        claim(3, T0 - 2, priority=5),
        claim(4, T0 - 9, priority=-1),
        claim(5, T0, priority=5),
    ]
    for order in itertools.permutations(claims):
        dispatcher.hand_over(order)

        assert take_all(dispatcher, 5) == [3, 5, 2, 1, 4]


def test_nothing_starts_before_its_moment_and_then_it_starts(
    dispatcher: Dispatcher, clock: Clock
) -> None:
    workers = Workers(dispatcher, 3)
    dispatcher.hand_over([claim(1, T0 + SECOND), claim(2, T0 + 2 * SECOND)])
    clock.advance(SECOND - 1)
    dispatcher.resize(0)
    assert workers.taken.empty()

    clock.advance(1)
    dispatcher.resize(0)

    assert workers.next() == 1
    assert workers.taken.empty()
    clock.advance(SECOND)
    dispatcher.resize(0)
    assert workers.next() == 2


def test_a_claim_close_behind_one_whose_function_goes_on_does_not_wait_for_that(
    dispatcher: Dispatcher, clock: Clock
) -> None:
    workers = Workers(dispatcher, 4, goes_on=True)
    dispatcher.hand_over([claim(n, T0 + n * SECOND // 100) for n in range(1, 5)])

    # Whoever takes one is gone for long; nobody is called but by the time itself.
    found = []
    for _ in range(4):
        clock.advance(SECOND // 100)
        found.append(workers.next())

    assert found == [1, 2, 3, 4]
    workers.go_on.set()
    dispatcher.close()
    workers.join()


def test_a_claim_that_is_handed_over_while_nobody_leads_starts_at_once(
    dispatcher: Dispatcher, clock: Clock
) -> None:
    workers = Workers(dispatcher, 2, goes_on=True)
    dispatcher.hand_over([claim(1, T0 + 1_000), claim(2, T0 + 3_600 * SECOND)])
    clock.advance(1_000)
    assert workers.next() == 1

    dispatcher.hand_over([claim(3)])

    assert workers.next() == 3
    workers.go_on.set()
    dispatcher.close()
    workers.join()


def test_a_clock_set_back_after_a_claim_became_due_keeps_it_from_starting_early(
    clock: Clock, returned: list[Claim]
) -> None:
    dispatcher = Dispatcher(clock, 0, returned.append)
    workers = Workers(dispatcher, 1)
    dispatcher.hand_over([claim(1)])
    dispatcher.resize(0)  # it is ready now and waits for a seat
    clock.wall -= 50_000
    clock.boot -= 50_000  # so that only the moment counts, not the step
    dispatcher.resize(1)
    assert workers.taken.empty()

    clock.advance(50_000)
    dispatcher.resize(0)

    assert workers.next() == 1
    assert returned == []
    dispatcher.close()
    workers.join()


@pytest.mark.parametrize("step", [-SECOND, SECOND, 3_600 * SECOND])
def test_a_claim_that_saw_the_clock_set_is_handed_back(
    dispatcher: Dispatcher, clock: Clock, returned: list[Claim], step: int
) -> None:
    dispatcher.hand_over([claim(1, T0 - 2 * SECOND), claim(2, T0 - 2 * SECOND)])
    clock.wall += step
    fresh = claim(3, T0 - 2 * SECOND, clock_offset=OFFSET + step)
    dispatcher.hand_over([fresh])

    assert take_all(dispatcher, 1) == [3]
    assert [c.run_id for c in returned] == [1, 2]


def test_a_clock_that_drifts_a_little_hands_nothing_back(
    dispatcher: Dispatcher, clock: Clock, returned: list[Claim]
) -> None:
    dispatcher.hand_over([claim(1, T0 - 1)])
    clock.wall += 99_000

    assert take_all(dispatcher, 1) == [1]
    assert returned == []


def test_a_claim_that_is_too_late_is_handed_back_and_one_just_in_time_starts(
    dispatcher: Dispatcher, returned: list[Claim]
) -> None:
    late, in_time = claim(1, T0 - 9, start_by=T0 - 1), claim(2, T0 - 9, start_by=T0)
    dispatcher.hand_over([late, in_time])

    assert take_all(dispatcher, 1) == [2]
    assert [c.run_id for c in returned] == [1]


def test_a_revoked_claim_never_starts(dispatcher: Dispatcher) -> None:
    dispatcher.hand_over([claim(1), claim(2)])

    assert dispatcher.revoke(1)
    assert not dispatcher.revoke(1)
    assert not dispatcher.revoke(99)

    assert take_all(dispatcher, 1) == [2]
    assert not dispatcher.revoke(2), "it has started"


def test_a_run_claimed_again_starts_once_and_by_its_new_claim(dispatcher: Dispatcher) -> None:
    dispatcher.hand_over([claim(1, T0 - 5)])
    assert dispatcher.revoke(1)
    dispatcher.hand_over([claim(1, T0 - 3, token=500)])
    dispatcher.hand_over([claim(2, T0 - 1)])

    item = dispatcher.take()

    assert item is not None
    assert (item[0].run_id, item[0].token) == (1, 500)
    assert take_all(dispatcher, 1) == [2]


def test_of_a_worker_and_a_revoker_exactly_one_gets_the_claim(clock: Clock) -> None:
    rounds, random_order = 300, random.Random(1)
    dispatcher = Dispatcher(clock, 4, lambda _: None)
    workers = Workers(dispatcher, 4)
    revoked: list[int] = []
    for run_id in range(rounds):
        dispatcher.hand_over([claim(run_id)])
        if random_order.random() < 0.8 and dispatcher.revoke(run_id):
            revoked.append(run_id)
    started = [workers.next() for _ in range(rounds - len(revoked))]

    assert sorted(started + revoked) == list(range(rounds))
    dispatcher.close()
    workers.join()
    assert workers.taken.empty()


def test_many_claims_over_many_workers_each_start_once(clock: Clock) -> None:
    dispatcher = Dispatcher(clock, 8, lambda _: None)
    workers = Workers(dispatcher, 8)
    for first in range(0, 2_000, 50):
        dispatcher.hand_over([claim(n, T0 - n % 7) for n in range(first, first + 50)])

    assert sorted(workers.next() for _ in range(2_000)) == list(range(2_000))
    dispatcher.close()
    workers.join()
    assert workers.taken.empty()


def test_a_worker_that_keeps_its_seat_waits_for_no_lock(clock: Clock) -> None:
    dispatcher = Dispatcher(clock, 1, lambda _: None)
    dispatcher.hand_over([claim(n, T0 - 9 + n) for n in range(3)])
    assert dispatcher.take() is not None
    taken: list[int] = []

    def go_on() -> None:
        for _ in range(2):
            item = dispatcher.take(has_seat=True)
            assert item is not None
            taken.append(item[0].run_id)

    worker = threading.Thread(target=go_on, daemon=True)
    with dispatcher._lock:
        worker.start()
        worker.join(PATIENCE)

        assert taken == [1, 2]


def test_nobody_sleeps_while_there_is_more_to_start(clock: Clock) -> None:
    """Workers that never end an attempt: each claim needs one of its own."""
    dispatcher = Dispatcher(clock, 8, lambda _: None)
    taken: queue.Queue[int] = queue.Queue()
    is_over = threading.Event()

    def work(most: int) -> None:
        has_seat = False
        for _ in range(most):
            item = dispatcher.take(has_seat=has_seat)
            if item is None:
                return
            taken.put(item[0].run_id)
            has_seat = True
        is_over.wait(PATIENCE)

    threads = [threading.Thread(target=work, args=(most,), daemon=True) for most in (9, *[1] * 7)]
    for thread in threads:
        thread.start()
    dispatcher.hand_over([claim(n, T0 + n % 3) for n in range(16)])
    clock.advance(5)
    dispatcher.look_again()

    assert sorted(taken.get(timeout=PATIENCE) for _ in range(16)) == list(range(16))
    is_over.set()
    dispatcher.close()
    for thread in threads:
        thread.join(PATIENCE)


def test_a_seat_too_many_is_given_up_before_the_next_start(clock: Clock) -> None:
    dispatcher = Dispatcher(clock, 2, lambda _: None)
    dispatcher.hand_over([claim(n) for n in range(3)])
    assert dispatcher.take() is not None
    assert dispatcher.take() is not None
    dispatcher.resize(-1)
    third: queue.Queue[int] = queue.Queue()

    def go_on() -> None:
        item = dispatcher.take(has_seat=True)
        third.put(-1 if item is None else item[0].run_id)

    worker = threading.Thread(target=go_on, daemon=True)
    worker.start()
    while not dispatcher.idle:
        is_over = threading.Event()
        is_over.wait(0.001)
    assert third.empty()

    dispatcher.release()

    assert third.get(timeout=PATIENCE) == 2
    dispatcher.close()
    worker.join(PATIENCE)


def test_no_more_start_than_there_are_seats(clock: Clock) -> None:
    dispatcher = Dispatcher(clock, 2, lambda _: None)
    dispatcher.hand_over([claim(n) for n in range(4)])
    for _ in range(2):
        assert dispatcher.take() is not None
    third: queue.Queue[int] = queue.Queue()

    def take() -> None:
        item = dispatcher.take()
        assert item is not None
        third.put(item[0].run_id)

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    dispatcher.resize(0)
    assert third.empty()

    dispatcher.release()

    assert third.get(timeout=PATIENCE) == 2
    dispatcher.close()


def test_a_seat_taken_away_while_it_is_used_is_gone_when_it_is_given_back(clock: Clock) -> None:
    dispatcher = Dispatcher(clock, 1, lambda _: None)
    dispatcher.hand_over([claim(1), claim(2)])
    assert dispatcher.take() is not None
    dispatcher.resize(-1)
    dispatcher.release()
    workers = Workers(dispatcher, 1)
    assert workers.taken.empty()

    dispatcher.resize(1)

    assert workers.next() == 2
    dispatcher.close()
    workers.join()


def test_closing_lets_the_workers_go_and_returns_what_never_started(clock: Clock) -> None:
    dispatcher = Dispatcher(clock, 2, lambda _: None)
    workers = Workers(dispatcher, 3)
    dispatcher.hand_over([claim(1, T0 + SECOND), claim(2, T0 + 2 * SECOND)])

    left = dispatcher.close()
    clock.advance(10 * SECOND)

    workers.join()
    assert sorted(c.run_id for c in left) == [1, 2]
    assert workers.taken.empty()
    assert dispatcher.take() is None
    assert dispatcher.close() == []


def test_idle_counts_the_workers_that_wait(clock: Clock) -> None:
    dispatcher = Dispatcher(clock, 3, lambda _: None)
    assert dispatcher.idle == 0
    dispatcher.hand_over([claim(1)])
    assert dispatcher.take() is not None

    assert dispatcher.idle == 0
    workers = Workers(dispatcher, 2)
    dispatcher.hand_over([claim(2)])
    assert workers.next() == 2
    dispatcher.close()
    workers.join()
    assert dispatcher.idle == 0


def test_workers_starve_only_while_no_claim_is_here(dispatcher: Dispatcher) -> None:
    is_known = threading.Event()
    workers = Workers(dispatcher, 1)
    while not dispatcher.idle:
        is_known.wait(0.001)
    assert dispatcher.is_starving

    dispatcher.hand_over([claim(1, T0 + SECOND)])

    assert not dispatcher.is_starving
    dispatcher.close()
    workers.join()
