"""Amounts as users write them: ``10MB``, ``1GiB``; ``30s``, ``5m``, ``1h30m``.

Responsible for: turning them into bytes and seconds. Does not know what they are for.
"""

from __future__ import annotations

import re
from decimal import Decimal

from task_scheduler.errors import ConfigError

__all__ = ["DURATION_PATTERN", "SIZE_PATTERN", "parse_duration", "parse_size"]

SIZE_PATTERN = r"^\s*[0-9]+(\.[0-9]+)?\s*([kKmMgGtT]([iI]?[bB])?|[bB])?\s*$"
DURATION_PATTERN = r"^\s*([0-9]+(\.[0-9]+)?\s*(ms|s|m|h|d|w)\s*)+$"

_SIZE = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>[kmgt]?(?P<binary>i)?b?)")
_PART = re.compile(r"\s*(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>ms|s|m|h|d|w)\s*")

_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
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


def parse_size(value: object) -> int:
    """Return bytes: an int as it is, ``10MB`` decimal, ``10MiB`` binary; raises ConfigError."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and len(value) <= _LENGTH_LIMIT:
        match = _SIZE.fullmatch(value.strip().lower())
        if match is not None and match["unit"] != "i":
            power = _POWERS[match["unit"][:1].replace("b", "")]
            step = 1024 if match["binary"] else 1000
            return int(Decimal(match["number"]) * step**power)
    raise ConfigError("config.bad_size")


def parse_duration(value: object) -> int | float:
    """Return seconds: a number as it is, ``5m``, ``1h30m``, ``250ms``; raises ConfigError."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip() and len(value) <= _LENGTH_LIMIT:
        seconds, end = Decimal(0), 0
        while (match := _PART.match(value, end)) is not None:
            seconds += Decimal(match["number"]) * _SECONDS[match["unit"]]
            end = match.end()
        if end == len(value):
            return int(seconds) if seconds == int(seconds) else float(seconds)
    raise ConfigError("config.bad_duration")
