"""Entries in a line: what they start, as short as a table wants it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

__all__ = ["what_of"]


def what_of(entry: Mapping[str, Any]) -> str:
    """Return what an entry starts."""
    if entry["type"] == "command":
        return shlex.join(map(str, entry["command"]))
    if entry["type"] == "script":
        return shlex.join([str(entry["script_path"]), *map(str, entry.get("args", ()))])
    return str(entry.get("function", entry["type"]))
