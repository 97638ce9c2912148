"""The command line, `tsk`: one command a file, imported only when it is called.

Responsible for: the entry point. `tsk --help` loads neither the configuration nor the ledger.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]

_INTERRUPTED = 130
"""`ExitCode.INTERRUPTED`, which is not loaded yet."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line, that of the process by default, and return its exit code."""
    try:
        from task_scheduler.cli.program import run
    except KeyboardInterrupt:
        # While the modules are read no command has begun: nothing to say but that it was Ctrl-C.
        return _INTERRUPTED
    return run(arguments)
