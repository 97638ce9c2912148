"""The launcher under test: the real one, whose processes wait until they are watched.

Started in the place of ``task_scheduler/supervision/__main__.py``, and as bare as that:
``python -I -S launcher_program.py ARGUMENTS``.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    """Serve as the launcher does."""
    sys.path.append(str(Path(__file__).resolve().parents[3]))

    from task_scheduler.supervision import __main__ as program
    from task_scheduler.supervision import launcher
    from task_scheduler.supervision.orders import Order
    from tests.integration.crashpoints.meeting import meet

    supervise = launcher.supervise  # type: ignore[attr-defined]

    def watched(order: Order) -> int:
        task_id = order.env[b"TASK_SCHEDULER_TASK_ID"].decode()
        attempt = order.env[b"TASK_SCHEDULER_ATTEMPT"].decode()
        meet(f"supervisor.{task_id}.{attempt}")
        return supervise(order)

    launcher.supervise = watched  # type: ignore[attr-defined]
    meet("launcher")
    program.main()


if __name__ == "__main__":
    main()
