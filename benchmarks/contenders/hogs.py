"""A function that computes all the time, in pure Python: a hog of the interpreter.

Standard library only: it is imported in the environment of each contender.
"""

from __future__ import annotations

import time

__all__ = ["compute_until"]

_STEPS = 200_000


def compute_until(moment: float) -> bool:
    """Compute until a moment of the wall clock."""
    number = 1
    while time.time() < moment:
        for _ in range(_STEPS):
            number = (number * 1_103_515_245 + 12_345) % 2_147_483_648
    return number > 0
