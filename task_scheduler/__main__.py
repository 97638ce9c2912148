"""`python -m task_scheduler` is `tsk`."""

from __future__ import annotations

import sys

from task_scheduler.cli import main

if __name__ == "__main__":
    sys.exit(main())
