"""The watchdog is fed while the engine turns, and only then."""

from __future__ import annotations

from dataclasses import dataclass, field

from task_scheduler.service.manager import ServiceManager
from task_scheduler.service.pulse import Pulse

SECOND = 1_000_000


class Clock:
    at = 0

    def now(self) -> int:
        return self.at

    def boottime(self) -> int:
        return self.at


@dataclass
class Scheduler:
    """What is asked of one."""

    turns: bool = True
    sentence: str = "All is well."

    def is_turning(self) -> bool:
        return self.turns

    def verdict(self) -> str:
        return self.sentence


@dataclass(frozen=True, slots=True)
class Manager(ServiceManager):
    """One that notes what it is told."""

    heard: list[str] = field(default_factory=list)

    def _tell(self, **values: str | int) -> None:
        self.heard.append(" ".join(f"{name}={value}" for name, value in values.items()))


def beaten(pulse: Pulse, clock: Clock, seconds: int) -> None:
    """Let seconds go by, with a beat at each."""
    for _ in range(seconds):
        clock.at += SECOND
        pulse.beat()


def test_a_watchdog_is_fed_three_times_before_it_bites() -> None:
    clock, manager = Clock(), Manager("@n", watchdog_seconds=30.0)

    beaten(Pulse(manager, Scheduler(), clock), clock, 60)

    assert manager.heard == ["WATCHDOG=1"] * 6


def test_an_engine_that_stands_still_starves_it_until_it_turns_again() -> None:
    clock, manager, scheduler = Clock(), Manager("@n", watchdog_seconds=3.0), Scheduler()
    pulse = Pulse(manager, scheduler, clock)
    beaten(pulse, clock, 2)
    manager.heard.clear()

    scheduler.turns = False
    beaten(pulse, clock, 120)
    starved = list(manager.heard)
    scheduler.turns = True
    beaten(pulse, clock, 1)

    assert (starved, manager.heard) == ([], ["WATCHDOG=1"])


def test_who_has_no_watchdog_hears_nothing_of_it() -> None:
    clock, manager = Clock(), Manager("@n")

    beaten(Pulse(manager, Scheduler(), clock), clock, 60)

    assert manager.heard == []


def test_a_reload_is_told_before_and_after_it() -> None:
    manager = Manager("@n")
    pulse = Pulse(manager, Scheduler(), Clock())

    pulse.around_reload(lambda: manager.heard.append("reads it") or "configuration read again")

    assert manager.heard[0].startswith("RELOADING=1 MONOTONIC_USEC=")
    assert manager.heard[1:] == ["reads it", "READY=1 STATUS=configuration read again"]


def test_the_end_is_told_with_the_time_that_it_may_take() -> None:
    manager = Manager("@n")
    pulse = Pulse(manager, Scheduler(), Clock())
    pulse.begin()

    pulse.finish("SIGTERM received", seconds=60.0)

    assert manager.heard == [
        "READY=1 STATUS=All is well.",
        "STOPPING=1 STATUS=SIGTERM received EXTEND_TIMEOUT_USEC=90000000",
    ]
