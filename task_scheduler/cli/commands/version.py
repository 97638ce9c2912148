"""`tsk version`: what runs here."""

from __future__ import annotations

import platform

from task_scheduler import __version__
from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.session import Session


@cli_command("version", examples=("tsk version --json",))
def command(session: Session) -> None:
    """Print the versions that a report of a bug should name."""
    import sqlite3

    versions = {
        "version": __version__,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": platform.platform(),
    }
    if session.is_json:
        session.document("version", versions)
    else:
        session.put(
            f"tsk {__version__} (Python {versions['python']}, SQLite {versions['sqlite']},"
            f" {versions['system']})"
        )
