"""What a program that runs has used until now, with all that it started.

Responsible for: finding its tree by the folder of its attempt, and reading it. A program that is
gone, or of which this user may read nothing, has no amounts.
"""

from __future__ import annotations

import os
from pathlib import Path

from task_scheduler.supervision.attempt_folder import read_holder
from task_scheduler.supervision.census import tree_memory
from task_scheduler.supervision.process_tree import descendants, start_time

__all__ = ["used_until_now"]


def used_until_now(folder: Path) -> dict[str, float]:
    """Return memory and processor time by the names of `Rule.most`.

    The time is that of what runs, and of what its supervisor and its processes have waited for.
    """
    import psutil

    holder = read_holder(os.fsencode(folder))
    if holder is None or start_time(holder.pid) != holder.started:
        return {}
    tree = descendants(holder.pid)
    cpu = 0.0
    for pid in (holder.pid, *tree):
        try:
            times = psutil.Process(pid).cpu_times()
        except (psutil.Error, OSError):
            continue
        cpu += times.children_user + times.children_system
        if pid != holder.pid:
            cpu += times.user + times.system
    return {"memory_bytes": float(tree_memory(tree)), "cpu_seconds": cpu} if tree else {}
