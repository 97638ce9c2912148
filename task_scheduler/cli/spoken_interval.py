"""Intervals as people say them: ``every 5 minutes``, ``every hour``.

Responsible for: writing them as the one form that is read everywhere, ``every 5m``. Anything else
is left as it is.
"""

from __future__ import annotations

import re

__all__ = ["in_short"]

_UNITS = {
    "second": "s",
    "sec": "s",
    "minute": "m",
    "min": "m",
    "hour": "h",
    "day": "d",
    "week": "w",
}
_SPOKEN = re.compile(
    rf"\s*every\s+(?:(?P<number>[0-9]+(?:\.[0-9]+)?)\s*)?(?P<unit>{'|'.join(_UNITS)})s?\s*",
    re.IGNORECASE,
)


def in_short(text: str) -> str:
    """Return a spoken interval as ``every 5m``, and every other text unchanged."""
    found = _SPOKEN.fullmatch(text[:80])
    if found is None:
        return text
    return f"every {found['number'] or 1}{_UNITS[found['unit'].lower()]}"
