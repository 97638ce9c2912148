"""An attempt of the process executor whose end was not reported yet.

Responsible for: what is known of it in this process, and for the signal that its supervisor was
promised until that has taken it.
"""

from __future__ import annotations

from dataclasses import dataclass

from task_scheduler.core.model import SECOND, Claim, Microseconds
from task_scheduler.supervision.outgoing_order import OutgoingOrder
from task_scheduler.supervision.signals import KILL, signal_supervisor
from task_scheduler.supervision.template_client import TemplateClient

__all__ = ["ProcessFlight", "name_of"]


def name_of(claim: Claim) -> str:
    """Return the name of an attempt's folder; the token makes it one that no other attempt has."""
    return f"{claim.run_id}-{claim.token}"


@dataclass(slots=True)
class ProcessFlight:
    """One attempt, launched or adopted."""

    claim: Claim
    since: Microseconds
    """Moment of the last order, or of the adoption, on the boot clock."""
    is_adopted: bool = False
    """Whether an earlier process launched it."""
    order: OutgoingOrder | None = None
    """None while it is prepared, and for an adopted one."""
    preload: tuple[str, ...] | None = None
    """The modules with which its script may be started warm; None: it may not."""
    template: TemplateClient | None = None
    """Who was given its order, where that is not the launcher."""
    orders: int = 0
    is_seen: bool = False
    """Whether its supervisor was seen alive."""
    stop: int = 0
    """The signal that its supervisor shall have and has not taken yet; 0 for none."""

    @property
    def is_prepared(self) -> bool:
        """Whether its files tell anything yet."""
        return self.order is not None or self.is_adopted

    def promise(self, number: int) -> None:
        """Have its supervisor signalled, as soon as that can be; what is harder stands."""
        if self.stop != KILL:
            self.stop = number

    def deliver(self, folder: bytes) -> bool:
        """Send what was promised; False where it has to be tried again at the next look."""
        number = self.stop
        if not number:
            return True
        try:
            is_taken = signal_supervisor(folder, number)
        except OSError:
            # It is just ending, or no descriptor is left.
            return False
        if is_taken and self.stop == number:
            self.stop = 0
        # Without a supervisor there is nobody to be signalled: one that comes reads the reason.
        return True

    def overdue(self, now: Microseconds) -> Microseconds:
        """Return how long ago its timeout and its grace were over; negative before."""
        if self.claim.timeout is None:
            return -1
        grace = 0.0 if self.order is None else self.order.kill_grace_seconds
        return now - self.since - self.claim.timeout - round(grace * SECOND)
