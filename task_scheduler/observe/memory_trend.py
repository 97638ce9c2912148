"""Whether memory grows: from samples over hours, with the figure.

Responsible for: the judgement alone. Pure.

A program takes memory when it begins and in steps later on, and that is no leak. So the first
hour is left out, an hour counts by its median, and growth is told only where nearly every later
hour lies above every earlier one (the share of such pairs, as in Kendall's tau) and it has become
much.
"""

from __future__ import annotations

import itertools
import statistics
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from task_scheduler.core.model import SECOND, Microseconds

__all__ = ["HOURS_KEPT", "Growth", "growth_of"]

HOURS_KEPT = 24
"""What is older says nothing of now."""

_HOUR: Microseconds = 3_600 * SECOND
_LEAST_HOURS = 4
_LEAST_SAMPLES = 10
"""Of an hour, for it to count."""
_RISING = 0.9
"""The share of pairs of hours of which the later one has more."""
_LEAST_BYTES = 32_000_000
_LEAST_SHARE = 0.2


class Growth(NamedTuple):
    """How memory grows."""

    bytes_per_hour: int
    """The median of the slopes between all pairs of hours (Theil and Sen)."""
    grown_bytes: int
    hours: int
    """How long it has been watched growing."""
    now_bytes: int


def growth_of(samples: Iterable[tuple[Microseconds, int]], began: Microseconds) -> Growth | None:
    """Return how memory grows; None where it does not, or that is not known yet.

    `samples` are moments of a clock that never goes back, with bytes; `began` is when the process
    did.
    """
    by_hour: defaultdict[int, list[int]] = defaultdict(list)
    for at, used in samples:
        by_hour[(at - began) // _HOUR].append(used)
    hours = [
        (hour, statistics.median(values))
        for hour, values in sorted(by_hour.items())
        if hour > 0 and len(values) >= _LEAST_SAMPLES
    ]
    if len(hours) < _LEAST_HOURS:
        return None
    pairs = list(itertools.combinations(hours, 2))
    rising = sum(later > earlier for (_, earlier), (_, later) in pairs)
    first, last = hours[0][1], hours[-1][1]
    grown = last - first
    if rising < _RISING * len(pairs) or grown < max(_LEAST_BYTES, _LEAST_SHARE * first):
        return None
    slope = statistics.median((later - earlier) / (b - a) for (a, earlier), (b, later) in pairs)
    return Growth(round(slope), round(grown), hours[-1][0] - hours[0][0], round(last))
