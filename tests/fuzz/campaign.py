"""Counting: so many inputs to a reader, and what came out that should not have.

Responsible for: one input by its number, and findings: an error that is no answer, a parse that
took longer than it may, in CPU time, and one that does not come to an end.
"""

from __future__ import annotations

import gc
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.fuzz.mutation import mutated
from tests.fuzz.targets import TARGETS

__all__ = ["HANG_SECONDS", "LONGEST_SECONDS", "Tally", "fuzz", "input_of", "watch_for_hangs"]

LONGEST_SECONDS = 0.1
"""CPU time that one input may take."""
HANG_SECONDS = 60
"""On the clock, beside whatever else the machine does: what takes longer waits for something."""


class _HungError(BaseException):
    """One input does not come to an end; no reader may take it for an error of its own."""


@dataclass(slots=True)
class Tally:
    """What became of the inputs of one reader."""

    inputs: int = 0
    refused: int = 0
    slowest: float = 0.0
    slowest_number: int = 0
    findings: list[str] = field(default_factory=list)


def input_of(target: str, seed: int, number: int) -> str:
    """Return an input; the same for the same three."""
    draw = random.Random(f"{target}/{seed}/{number}")
    return mutated(draw, TARGETS[target].corpus)


def fuzz(
    target: str,
    *,
    seed: int,
    first: int,
    count: int,
    begin: Callable[[int], object] = lambda number: None,
) -> Tally:
    """Give a reader `count` inputs from number `first` on; `begin` is told each before it is read.

    What hangs is a finding where `watch_for_hangs` was called before.
    """
    tally = Tally()
    for number in range(first, first + count):
        begin(number)
        text = input_of(target, seed, number)
        tally.inputs += 1
        name = f"{target} --seed {seed} --number {number}"
        took = _read(target, text, tally, name)
        if took > LONGEST_SECONDS:
            # Once more, without what else the process had to do: only the input counts.
            gc.collect()
            took = min(took, _read(target, text, Tally(), ""))
            if took > LONGEST_SECONDS:
                tally.findings.append(
                    f"{target} --seed {seed} --number {number}: {took:.2f} s of CPU"
                )
        if took > tally.slowest:
            tally.slowest, tally.slowest_number = took, number
    return tally


def watch_for_hangs() -> None:
    """Have this process, which does nothing else, interrupt what does not come to an end."""

    def interrupt(*_: object) -> None:
        raise _HungError

    signal.signal(signal.SIGALRM, interrupt)
    _Watch.is_on = True


class _Watch:
    is_on = False

    @classmethod
    def set(cls, seconds: float) -> None:
        if cls.is_on:
            signal.setitimer(signal.ITIMER_REAL, seconds)


def _read(target: str, text: str, tally: Tally, name: str) -> float:
    reader = TARGETS[target]
    began = time.thread_time()
    try:
        _Watch.set(HANG_SECONDS)
        reader.read(text)
    except reader.answers as error:
        str(error)
        tally.refused += 1
    except Exception as error:  # fence: request
        tally.findings.append(f"{name}: {type(error).__name__}: {str(error)[:200]}")
    except _HungError:
        tally.findings.append(f"{name}: no end after {HANG_SECONDS} s")
    finally:
        _Watch.set(0)
    return time.thread_time() - began
