"""The instants of a rule with a fixed delay: one after the anchor, which is the last run's end.

Responsible for: making a repetition of equal steps into a single step, so that nothing is missed,
counted or caught up beyond it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from task_scheduler.core.model import Microseconds
from task_scheduler.schedules.occurrences import Occurrences

__all__ = ["DelayOccurrences", "is_fixed_delay"]


def is_fixed_delay(rules: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an entry, of which these are the plain rules, counts from the end of its runs."""
    return len(rules) == 1 and rules[0].get("kind") == "fixed_delay"


@dataclass(frozen=True, slots=True)
class DelayOccurrences:
    """The first instant of a rule, and the one that follows the anchor."""

    inner: Occurrences
    after: Occurrences | None = None
    """The same rule without its `start_at`, where it has one: ends count from themselves."""

    def first(self, added_at: Microseconds) -> Microseconds | None:
        """Return the first instant of an entry that is added at this moment."""
        return self.inner.first(added_at)

    def next_after(self, moment: Microseconds, anchor: Microseconds) -> Microseconds | None:
        """Return the first of the two that lies after the moment."""
        return min((at for at in self._both(anchor) if at > moment), default=None)

    def last_until(
        self, moment: Microseconds, after: Microseconds, anchor: Microseconds
    ) -> Microseconds | None:
        """Return the last of the two in ``(after, moment]``."""
        return max((at for at in self._both(anchor) if after < at <= moment), default=None)

    def count_between(
        self, after: Microseconds, until: Microseconds, anchor: Microseconds
    ) -> int | None:
        """Return how many of the two lie in ``(after, until]``."""
        return sum(after < at <= until for at in self._both(anchor))

    def _both(self, anchor: Microseconds) -> list[Microseconds]:
        found = {self.inner.first(anchor), self.inner.next_after(anchor, anchor)}
        if self.after is not None:
            start = self.inner.first(0)
            following = self.after.next_after(anchor, anchor)
            is_begun = start is not None and following is not None and following > start
            found = {following if is_begun else start}
        return [at for at in found if at is not None]
