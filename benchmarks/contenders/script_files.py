"""The script that everybody starts: three heavy imports of the standard library, then one byte.

Standard library only: it is imported in the environment of each contender.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["ended", "write_script"]

_SOURCE = """\
import json
import sqlite3
import urllib.request
import os
assert json.__file__ != __file__
descriptor = os.open({tally!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.write(descriptor, b".")
"""


def write_script(folder: Path) -> tuple[Path, Path]:
    """Write it; return its path and that of the tally, which grows by a byte for each run."""
    # Not called like a module that it imports: it would import itself.
    script, tally = folder / "heavy_script.py", folder / "tally"
    tally.touch()
    script.write_text(_SOURCE.format(tally=str(tally)), encoding="utf-8")
    return script, tally


def ended(tally: Path) -> int:
    """Return how many runs came to their last line."""
    return tally.stat().st_size
