"""Faults: what keeps the scheduler itself from doing its work, while it lasts.

Responsible for: their kinds and shape. What a fault is called and what to do about it stands in
the message catalogue ``faults``, under the name of its kind: so it travels as plain values and is
told in the language of whoever reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from task_scheduler.core.model import Microseconds

__all__ = ["OF_TICKS", "Fault", "FaultKind", "Trouble"]


class FaultKind(StrEnum):
    """What is wrong; those of the ledger begin with ``store_``."""

    STORE_LOCKED = "store_locked"
    STORE_FULL = "store_full"
    STORE_READ_ONLY = "store_read_only"
    STORE_VANISHED = "store_vanished"
    STORE_REPLACED = "store_replaced"
    STORE_DAMAGED = "store_damaged"
    STORE_UNAVAILABLE = "store_unavailable"
    """Whatever else the system says: an input or output error, no descriptors."""
    TICK_FAILED = "tick_failed"
    """The engine raised: a bug of ours."""
    ENGINE_STALLED = "engine_stalled"
    """A tick does not come to its end."""
    PROCESS_STOPPED = "process_stopped"
    """Nothing of the process ran for a while; told when it is over."""
    LOG_FAILED = "log_failed"
    OUTPUT_FAILED = "output_failed"
    """What a program prints cannot be kept; the program goes on."""
    LAUNCH_FAILED = "launch_failed"
    """The system starts no process."""
    DESCRIPTORS_SPENT = "descriptors_spent"
    SOCKET_FAILED = "socket_failed"
    """Other processes cannot reach the scheduler."""
    ALERTS_FAILED = "alerts_failed"
    """A channel of the alerts does not deliver; people may not hear what is wrong."""
    MEMORY_GROWS = "memory_grows"
    """The process has more memory every hour."""
    MEMORY_HIGH = "memory_high"
    """The process has more memory than it should."""
    MONITORING_FAILED = "monitoring_failed"
    """Metrics or traces do not get out."""

    CONFIG_REFUSED = "config_refused"
    """The configuration was changed and is wrong; the last good one stays in force."""

    @property
    def is_of_store(self) -> bool:
        """Whether the ledger cannot be written."""
        return self.startswith("store_")


OF_TICKS = frozenset(kind for kind in FaultKind if kind.is_of_store) | {FaultKind.TICK_FAILED}
"""What ends a tick: one of them at a time, and over as soon as a tick succeeds."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong where, and the system's own word for why."""

    kind: FaultKind
    where: str
    why: str
    detail: str = ""
    """More than fits in a line, such as a stack."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A trouble and since when it lasts."""

    trouble: Trouble
    since: Microseconds

    def plain(self) -> dict[str, str | int]:
        """Return it as it travels to other processes."""
        trouble = self.trouble
        return {
            "kind": trouble.kind.value,
            "where": trouble.where,
            "why": trouble.why,
            "since": self.since,
        }
