"""What the engine remembers: the inbox, the flights, the room for more, skips."""

from __future__ import annotations

import itertools

import pytest

from task_scheduler.core.flights import Flight, Flights, Known
from task_scheduler.core.inbox import Inbox, PauseEntry, ThreadEnded
from task_scheduler.core.limits import Room
from task_scheduler.core.model import Claim, Entry, OverlapPolicy, Policies


def claim(run_id: int, *, task_id: str = "pump", executor: str = "thread") -> Claim:
    return Claim(
        run_id=run_id,
        task_id=task_id,
        key=str(run_id),
        attempt=1,
        token=run_id * 10,
        scheduled_at=0,
        due_at=0,
        start_by=None,
        priority=0,
        slot=0,
        executor=executor,
        timeout=None,
        clock_offset=0,
    )


def entry(overlap: OverlapPolicy = OverlapPolicy.SKIP, task_id: str = "pump") -> Entry:
    return Entry(
        task_id=task_id,
        name=task_id,
        kind="function",
        executor="thread",
        definition={},
        rules=(),
        policies=Policies(overlap=overlap),
    )


def test_facts_come_out_in_the_order_they_came_in() -> None:
    inbox = Inbox()
    facts = [ThreadEnded(n, "pump") for n in range(5)]
    for fact in facts:
        inbox.put(fact)

    assert inbox.take() == facts
    assert not len(inbox)


def test_what_is_put_back_comes_before_what_arrived_since() -> None:
    inbox = Inbox()
    inbox.put(ThreadEnded(1, "pump"))
    inbox.put(ThreadEnded(2, "pump"))
    taken = inbox.take()
    inbox.put(PauseEntry(task_id="pump"))

    inbox.put_back(fact for fact in taken)

    assert inbox.take() == [*taken, PauseEntry(task_id="pump")]


def test_a_stale_token_owns_nothing() -> None:
    flights = Flights()
    flights.add(Flight(claim(1), entry()))

    assert flights.holder_of(1, 10) is not None
    assert flights.holder_of(1, 11) is None
    assert flights.holder_of(2, 10) is None


def test_processes_in_hand_are_counted() -> None:
    flights = Flights()
    flights.add(Flight(claim(1, executor="process"), entry()))
    flights.add(Flight(claim(2), entry()))

    assert flights.process_count == 1
    flights.remove(1)
    flights.remove(1)
    assert flights.process_count == 0


def test_only_what_has_not_begun_is_unstarted() -> None:
    flights = Flights()
    for run_id, task_id in ((1, "pump"), (2, "pump"), (3, "lamp")):
        flights.add(Flight(claim(run_id, task_id=task_id), entry()))
    flights.in_hand[1].is_started = True

    assert [f.claim.run_id for f in flights.unstarted_of("pump")] == [2]


def test_an_entry_is_known_at_one_revision_only() -> None:
    flights = Flights()
    known = Known(entry(), 3, 0, None)
    flights.learn(known)

    assert flights.known("pump", 3) is known
    assert flights.known("pump", 4) is None
    flights.unlearn("pump")
    assert flights.known("pump", 3) is None


def test_a_thread_that_goes_on_keeps_the_seat_of_its_task() -> None:
    flights = Flights()
    flights.keep_seat(Flight(claim(1), entry()))
    flights.keep_seat(Flight(claim(2, task_id="lamp"), entry(OverlapPolicy.ALLOW, "lamp")))

    assert (flights.seats_kept("pump"), flights.keeper_of("pump")) == (1, 1)
    assert flights.seats_kept("lamp") == 1
    # Beside a task that may overlap, others may start.
    assert flights.closed_tasks() == {"pump"}
    assert (flights.seats_kept("door"), flights.keeper_of("door")) == (0, None)


@pytest.mark.parametrize("is_open", [True, False])
def test_room_never_lets_in_more_than_there_are_places_for(is_open: bool) -> None:
    for places, processes, order in itertools.product(
        range(-1, 4), range(-1, 4), itertools.product(("thread", "process"), repeat=4)
    ):
        room = Room(places, processes, is_open_to_threads=is_open)

        taken = [executor for executor in order if room.take(executor)]

        assert len(taken) <= max(0, places)
        assert taken.count("process") <= max(0, processes)
        assert is_open or "thread" not in taken
