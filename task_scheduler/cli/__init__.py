"""The command line, `tsk`: one command a file, imported only when it is called.

Responsible for: the entry point. `tsk --help` loads neither the configuration nor the ledger.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line, that of the process by default, and return its exit code."""
    from task_scheduler.cli.program import run

    return run(arguments)
