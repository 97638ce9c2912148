"""Amounts as users write them: ``10MB``, ``1GiB``; ``30s``, ``5m``, ``1h30m``.

Responsible for: turning them into bytes and seconds. Does not know what they are for.
"""

from __future__ import annotations

import re
from decimal import Decimal

from task_scheduler.errors import ConfigError
from task_scheduler.schedules.durations import DURATION_PATTERN, duration_of

__all__ = ["DURATION_PATTERN", "SIZE_PATTERN", "parse_duration", "parse_size"]

SIZE_PATTERN = r"^\s*[0-9]+(\.[0-9]+)?\s*([kKmMgGtT]([iI]?[bB])?|[bB])?\s*$"

_SIZE = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>[kmgt](?P<binary>i?)b|[kmgt]|b?)")

_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_LENGTH_LIMIT = 40
"""Characters; longer text is no amount, and need not be read digit by digit."""


def parse_size(value: object) -> int:
    """Return bytes: an int as it is, ``10MB`` decimal, ``10MiB`` binary; raises ConfigError."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and len(value) <= _LENGTH_LIMIT:
        match = _SIZE.fullmatch(value.strip().lower())
        if match is not None:
            power = _POWERS[match["unit"][:1].replace("b", "")]
            step = 1024 if match["binary"] else 1000
            return int(Decimal(match["number"]) * step**power)
    raise ConfigError("config.bad_size")


def parse_duration(value: object) -> int | float:
    """Return seconds: a number as it is, ``5m``, ``1h30m``, ``250ms``; raises ConfigError."""
    seconds = duration_of(value)
    if seconds is None:
        raise ConfigError("config.bad_duration")
    return seconds
