"""Test a schedule on a virtual clock: a month of it in seconds, the same ledger every time.

Responsible for: the public names of `task_scheduler.testing`; docs/testing.md tells their use.
"""

from __future__ import annotations

from task_scheduler.testing.scripts import VirtualRun
from task_scheduler.testing.virtual_scheduler import VirtualScheduler

__all__ = ["VirtualRun", "VirtualScheduler"]
