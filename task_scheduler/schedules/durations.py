"""Durations as users write them: ``30s``, ``5m``, ``1h30m``.

Responsible for: turning them into seconds. Does not know what they are for.
"""

from __future__ import annotations

import re
from decimal import Decimal

__all__ = ["DURATION_PATTERN", "duration_of"]

DURATION_PATTERN = r"^\s*([0-9]+(\.[0-9]+)?\s*(ms|s|m|h|d|w)\s*)+$"

_PART = re.compile(r"\s*(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>ms|s|m|h|d|w)\s*")
_SECONDS = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86_400),
    "w": Decimal(604_800),
}
_LENGTH_LIMIT = 40
"""Characters; longer text is no amount, and need not be read digit by digit."""


def duration_of(value: object) -> int | float | None:
    """Return seconds: a number as it is, ``5m``, ``1h30m``, ``250ms``; None for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip() and len(value) <= _LENGTH_LIMIT:
        seconds, end = Decimal(0), 0
        while (match := _PART.match(value, end)) is not None:
            seconds += Decimal(match["number"]) * _SECONDS[match["unit"]]
            end = match.end()
        if end == len(value):
            return int(seconds) if seconds == int(seconds) else float(seconds)
    return None
