"""Moments: when the engine has something to look at, as the last tick knew.

Responsible for: keeping the next moments of cursors, waiting runs and pauses between two ticks,
read off the ledger at the end of each; what nobody knows any more counts as due.
"""

from __future__ import annotations

from task_scheduler.core.model import Microseconds

__all__ = ["LONG_AGO", "Moments"]

LONG_AGO: Microseconds = -(1 << 62)
"""Before any moment, also of a clock that was set to before 1970."""


class Moments:
    """The next moments, None where there is none."""

    __slots__ = ("claim_at", "has_queue", "plan_at", "resume_at", "stuck_until")

    def __init__(self) -> None:
        self.plan_at: Microseconds | None
        """Of a cursor."""
        self.claim_at: Microseconds | None
        """Of a waiting run."""
        self.resume_at: Microseconds | None
        """Of the end of a pause."""
        self.has_queue: bool
        """Whether runs wait for seats of their tasks."""
        self.stuck_until: Microseconds
        """Until when nobody may have the runs that are due."""
        self.forget()

    def forget(self) -> None:
        """Look at everything: nobody knows."""
        self.plan_at = self.claim_at = self.resume_at = 0
        self.has_queue = True
        self.stuck_until = LONG_AGO

    def set(
        self,
        plan_at: Microseconds | None,
        claim_at: Microseconds | None,
        resume_at: Microseconds | None,
        has_queue: bool,
    ) -> None:
        """Take over what the ledger says (`wake_at`)."""
        self.plan_at, self.claim_at, self.resume_at = plan_at, claim_at, resume_at
        self.has_queue = bool(has_queue)

    def is_planning_due(self, now: Microseconds) -> bool:
        """Whether a cursor wants to be looked at."""
        return self.plan_at is not None and self.plan_at <= now

    def is_claiming_due(self, now: Microseconds) -> bool:
        """Whether runs wait that are due."""
        return self.claim_at is not None and self.claim_at <= now

    def is_resuming_due(self, now: Microseconds) -> bool:
        """Whether a pause is to end."""
        return self.resume_at is not None and self.resume_at <= now
