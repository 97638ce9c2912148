"""Folders of tests that every user may look into."""

from __future__ import annotations

import tempfile
from pathlib import Path

__all__ = ["open_to_all"]


def open_to_all(folder: Path) -> None:
    """Let every user through to a folder below the one for temporary files."""
    top = Path(tempfile.gettempdir())
    for part in (folder, *folder.parents):
        if top not in part.parents:
            return
        part.chmod(part.stat().st_mode | 0o055)
