"""Hints: the name that was probably meant.

Responsible for: finding it among those that there are.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["nearest_hint"]


def nearest_hint(task_id: str, known: Sequence[str]) -> str:
    """Return the id that was probably meant, quoted, or an empty text."""
    import difflib  # for those who mistype alone

    near = difflib.get_close_matches(task_id, known, n=1)
    return repr(near[0]) if near else ""
