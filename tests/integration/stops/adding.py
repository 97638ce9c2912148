"""Take up what a configuration declares, and end: ``... adding CONFIG``."""

from __future__ import annotations

import sys

from task_scheduler import TaskScheduler

if __name__ == "__main__":
    TaskScheduler(sys.argv[1]).apply_declared()
