"""Counting: so many inputs to a reader, and what came out that should not have.

Responsible for: one input by its number, and findings: an error that is no answer, and a parse that
took longer than it may, in CPU time.
"""

from __future__ import annotations

import gc
import random
import time
from dataclasses import dataclass, field

from tests.fuzz.mutation import mutated
from tests.fuzz.targets import TARGETS

__all__ = ["LONGEST_SECONDS", "Tally", "fuzz", "input_of"]

LONGEST_SECONDS = 0.1
"""CPU time that one input may take."""


@dataclass(slots=True)
class Tally:
    """What became of the inputs of one reader."""

    inputs: int = 0
    refused: int = 0
    slowest: float = 0.0
    findings: list[str] = field(default_factory=list)


def input_of(target: str, seed: int, number: int) -> str:
    """Return an input; the same for the same three."""
    draw = random.Random(f"{target}/{seed}/{number}")
    return mutated(draw, TARGETS[target].corpus)


def fuzz(target: str, *, seed: int, first: int, count: int) -> Tally:
    """Give a reader `count` inputs from number `first` on."""
    tally = Tally()
    for number in range(first, first + count):
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
        tally.slowest = max(tally.slowest, took)
    return tally


def _read(target: str, text: str, tally: Tally, name: str) -> float:
    reader = TARGETS[target]
    began = time.thread_time()
    try:
        reader.read(text)
    except reader.answers as error:
        str(error)
        tally.refused += 1
    except Exception as error:  # fence: request
        tally.findings.append(f"{name}: {type(error).__name__}: {str(error)[:200]}")
    return time.thread_time() - began
