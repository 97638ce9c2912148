"""How the scheduler stands at the moment in which its metrics are rendered.

Responsible for: the shapes. Who asks whom is the facade's business (`monitoring_care`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from task_scheduler.core.faults import FaultKind
from task_scheduler.core.model import Microseconds
from task_scheduler.observe.measures import Measures

__all__ = ["OwnCounts", "Standing", "TaskStanding"]


@dataclass(slots=True)
class OwnCounts:
    """What is counted of the scheduler itself, by no task."""

    is_held: bool = False
    """Whether nothing starts until somebody says from where the ledger goes on."""
    store_failures: int = 0
    listener_failures: int = 0
    supervision_failures: int = 0
    clock_steps: int = 0
    faults: Counter[str] = field(
        default_factory=lambda: Counter(dict.fromkeys((kind.value for kind in FaultKind), 0))
    )
    """How often each kind of them began."""


class TaskStanding(NamedTuple):
    """How one task stands in the ledger."""

    task_id: str
    next_due_at: Microseconds | None
    is_paused: bool
    is_unresolved: bool
    last_success_at: Microseconds | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How the scheduler stands at the moment of a rendering; None where it is not known."""

    is_active: bool = False
    """Whether it runs the ledger, and is no standby."""
    is_ledger_readable: bool = True
    entries: int | None = None
    running: int | None = None
    queue_depth: int | None = None
    """Runs that are due and that nobody has begun."""
    faults: frozenset[str] = frozenset()
    """The kinds of the faults that last."""
    measures: Measures | None = None
    programs: int | None = None
    """Attempts that live under supervision."""
    launcher_memory: int | None = None
    """Bytes of the process that starts programs; None where there is none."""
    launcher_cpu_seconds: float | None = None
    tasks: Sequence[TaskStanding] = ()
    scrapes: Mapping[str, int] = field(default_factory=dict)
    """How requests for the metrics ended."""
    spans: Mapping[str, int] = field(default_factory=dict)
    """What became of spans of traces."""
