"""Signs: what the judge of alerts is told, as frozen values.

Responsible for: the shapes. They are made of the events of the stream, enriched by what the ledger
and outputs say, and of looks at the ledger; so the judge knows neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from task_scheduler.core.model import Microseconds

__all__ = [
    "Failed",
    "Faulted",
    "Gone",
    "Look",
    "Mended",
    "Missed",
    "Pinged",
    "Sign",
    "Standing",
    "Succeeded",
    "Used",
]


@dataclass(frozen=True, slots=True)
class Sign:
    """The root of all signs."""


@dataclass(frozen=True, slots=True)
class Failed(Sign):
    """A run is over and did not succeed, its retries included."""

    task_id: str
    name: str
    run_id: int | None
    attempt: int
    cause: str
    error: str
    at: Microseconds


@dataclass(frozen=True, slots=True)
class Succeeded(Sign):
    """A run went well."""

    task_id: str
    name: str
    run_id: int
    duration: Microseconds
    at: Microseconds


@dataclass(frozen=True, slots=True)
class Used(Sign):
    """What the programs of a run used, with all that they started."""

    task_id: str
    name: str
    run_id: int
    amounts: Mapping[str, float]
    """By the names of `Rule.most`; what nobody measured is not there."""
    at: Microseconds
    is_over: bool = True
    """Whether the run is; of one that runs these are the amounts until now."""


@dataclass(frozen=True, slots=True)
class Missed(Sign):
    """Occurrences will never run."""

    task_id: str
    name: str
    reason: str
    count: int
    at: Microseconds


@dataclass(frozen=True, slots=True)
class Gone(Sign):
    """A task was removed: nothing is to be said of it any more."""

    task_id: str


@dataclass(frozen=True, slots=True)
class Faulted(Sign):
    """Something keeps the scheduler from its work."""

    kind: str
    what: str
    at: Microseconds


@dataclass(frozen=True, slots=True)
class Mended(Sign):
    """It does not any more."""

    kind: str
    at: Microseconds


@dataclass(frozen=True, slots=True)
class Pinged(Sign):
    """What runs elsewhere said how it is: ``success``, ``start``, ``fail`` or ``log``."""

    check_id: str
    kind: str
    text: str
    at: Microseconds


@dataclass(frozen=True, slots=True)
class Standing:
    """A run that waits or runs, or a task that does not fire, as a look at the ledger found it."""

    task_id: str
    name: str
    run_id: int | None
    since: Microseconds
    """When it was due, or began."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Look(Sign):
    """What stands in the ledger at a moment."""

    at: Microseconds
    waiting: tuple[Standing, ...] = ()
    running: tuple[Standing, ...] = ()
    unresolved: tuple[Standing, ...] = ()
