"""Memory: what the scheduler's own process has of it, and what the machine has left.

Responsible for: reading both and judging them. Growth over hours is a fault, which the scheduler
tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from task_scheduler.doctor.findings import Finding, Level
from task_scheduler.doctor.surroundings import size_text

__all__ = ["MemoryState", "judge_memory", "look_at_memory"]

_SHARE = 0.5
"""Of the machine's memory: more is too much for whoever only starts others."""
_LEFT_SHARE = 0.05


class MemoryState(NamedTuple):
    """Bytes; None where they cannot be read, or where there is no scheduler."""

    used: int | None
    total: int
    available: int


def look_at_memory(holder: Mapping[str, Any] | None) -> MemoryState | None:
    """Look at the machine, and at the process that holds the ledger."""
    import psutil

    used = None
    try:
        machine = psutil.virtual_memory()
        if holder is not None and holder.get("pid"):
            used = psutil.Process(holder["pid"]).memory_info().rss
    except (psutil.Error, OSError):
        return None
    return MemoryState(used, machine.total, machine.available)


def judge_memory(state: MemoryState | None, *, most: int | None) -> Finding:
    """Say what the process has and the machine has left; `most` as it is configured."""
    if state is None:
        return Finding(check="memory", level=Level.UNKNOWN, sentence="memory_unknown")
    used = state.used or 0
    is_heavy = used > (most or _SHARE * state.total)
    is_short = state.available < _LEFT_SHARE * state.total
    remedy, command = "", ""
    if is_heavy:
        remedy, command = "memory_remedy", "isolation: process"
    elif is_short:
        remedy, command = "memory_machine_remedy", "ps -eo rss,pid,args --sort -rss"
    return Finding(
        check="memory",
        level=Level.WARNING if is_heavy or is_short else Level.FINE,
        sentence="memory" if state.used is not None else "memory_machine",
        remedy=remedy,
        command=command,
        figures={
            "used_bytes": state.used,
            "most_bytes": most,
            "total_bytes": state.total,
            "available_bytes": state.available,
        },
        texts={
            "used": size_text(used),
            "available": size_text(state.available),
            "total": size_text(state.total),
        },
    )
