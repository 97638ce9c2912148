"""The clock watch: told once for each time the clock is set, and never afterwards."""

from __future__ import annotations

import os
import queue
import threading

import pytest

from task_scheduler.clock_watch import ClockWatch, open_cancelled_timer


class Timers:
    """Timers of which the test sets the clock."""

    def __init__(self) -> None:
        self.writers: queue.Queue[int] = queue.Queue()

    def open(self) -> int:
        reader, writer = os.pipe()
        self.writers.put(writer)
        return reader

    def set_clock(self) -> None:
        os.close(self.writers.get(timeout=10))


def test_each_time_the_clock_is_set_is_told() -> None:
    timers = Timers()
    told: queue.Queue[str] = queue.Queue()
    watch = ClockWatch(lambda: told.put("set"), open_timer=timers.open)

    for _ in range(3):
        timers.set_clock()
        assert told.get(timeout=10) == "set"

    watch.close()
    assert told.empty()


def test_a_closed_watch_ends_its_thread() -> None:
    timers = Timers()
    watch = ClockWatch(lambda: None, open_timer=timers.open)

    watch.close()
    watch.close()

    for thread in threading.enumerate():
        if thread.name == "task-scheduler-clock":
            thread.join(timeout=10)
            assert not thread.is_alive()


def test_a_system_without_such_a_timer_is_never_told_and_closes_all_the_same() -> None:
    watch = ClockWatch(lambda: None, open_timer=lambda: None)

    assert not watch.is_told
    watch.close()


@pytest.mark.may_skip(reason="only Linux has this timer")
def test_linux_gives_the_timer() -> None:
    timer = open_cancelled_timer()
    if timer is None:
        pytest.skip("no timerfd here")

    assert os.get_inheritable(timer) is False
    with pytest.raises(BlockingIOError):
        os.read(timer, 8)
    os.close(timer)
