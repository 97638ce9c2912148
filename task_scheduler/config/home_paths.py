"""Paths as people write them: ``~`` and ``~name`` are homes.

Responsible for: that one expansion. `pathlib` raises where there is no such user; here the name
stays as it was written, and the file that is not there is told as that.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["home_path"]


def home_path(name: str) -> Path:
    """Return a path with the home that it begins with, if it does."""
    return Path(os.path.expanduser(name))  # noqa: PTH111  see above
