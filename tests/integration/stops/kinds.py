"""The ways to end a scheduler, as data: which there are, whom they suit, and how it may end.

Responsible for: drawing a stop from a seed, and the exit codes that the documents allow.
"""

from __future__ import annotations

import random
import signal
from dataclasses import dataclass

FOREGROUND = ("tsk", "forever")
"""Modes in which the scheduler owns its process."""

_FORCED = frozenset({0, 130, 143, -signal.SIGINT, -signal.SIGTERM})
"""After a second signal: as the signal would; -2 and -15 where it came after all was done."""
_STORM = _FORCED | {-signal.SIGHUP}


@dataclass(frozen=True, slots=True)
class Stop:
    """One way to end it: what is sent, in this order, with so many seconds between."""

    name: str
    steps: tuple[str, ...]
    """Names of signals, ``down``, or words for the embedding program."""
    apart: tuple[float, ...] = ()
    codes: frozenset[int] = frozenset({0})
    is_forced: bool = False
    """Whether attempts may be left in the middle: it was told not to wait for them."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When it comes: so many seconds after the process was started, or after it runs."""

    name: str
    seconds: float


def draw_moment(rng: random.Random) -> Moment:
    """Draw when to stop: while it starts, while it recovers, or while it works."""
    name = rng.choices(("start", "recovery", "work"), (25, 25, 50))[0]
    low, high = {"start": (0.0, 0.7), "recovery": (0.0, 0.15), "work": (0.15, 1.2)}[name]
    return Moment(name, rng.uniform(low, high))


def draw_stop(rng: random.Random, mode: str, moment: str) -> Stop:
    """Draw how to stop a scheduler of this mode."""
    if mode in FOREGROUND:
        names = ["term", "int", "hup", "down", "twice", "storm"]
    else:
        names = ["stop", "stop-now", "two-threads", "again", "term", "int"]
    if moment == "start":
        # Before it runs nobody listens: then it is a signal that comes. SIGINT is the program's
        # own, and Python may swallow it while it imports.
        names = [name for name in names if name in ("term", "hup", "twice", "storm")]
    return _make(rng.choice(names), rng, is_embedded=mode not in FOREGROUND)


def _make(name: str, rng: random.Random, *, is_embedded: bool) -> Stop:
    match name:
        case "term" if is_embedded:
            # It drains, and ends as the signal would.
            return Stop(name, ("SIGTERM",), codes=frozenset({-signal.SIGTERM}))
        case "term":
            return Stop(name, ("SIGTERM",))
        case "int":
            return Stop(name, ("SIGINT",))
        case "hup":
            return Stop(name, ("SIGHUP", "SIGTERM"), (rng.choice((0.0, rng.uniform(0, 1))),))
        case "twice":
            numbers = tuple(rng.choices(("SIGTERM", "SIGINT"), k=2))
            return Stop(name, numbers, (rng.uniform(0, 1),), _FORCED, is_forced=True)
        case "storm":
            numbers = tuple(rng.choices(("SIGTERM", "SIGINT", "SIGHUP"), k=rng.randint(3, 8)))
            apart = tuple(rng.uniform(0, 0.1) for _ in numbers)
            last = ("SIGTERM",)
            return Stop(name, numbers + last, apart, _STORM, is_forced=True)
        case "stop":
            return Stop(name, ("stop 20",))
        case "stop-now":
            seconds = rng.choice((0.0, rng.uniform(0, 0.5)))
            return Stop(name, (f"stop {seconds}",), is_forced=True)
        case "two-threads":
            return Stop(name, ("stop-from-two-threads",))
        case "again":
            return Stop(name, ("again 20", "again 0", "stop 20"), (0.3, 0.3), is_forced=True)
    return Stop("down", ("down",))
