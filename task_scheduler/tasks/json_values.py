"""What is strictly JSON: values that come back from the ledger as they went in.

Responsible for: telling such values from those that JSON would change (tuples, NaN, enums, keys
that are not text) or cannot hold. Knows nothing of tasks.
"""

from __future__ import annotations

import math

__all__ = ["is_json"]

_DEPTH = 50
"""Deeper than any sensible argument, and the end of a list that contains itself."""
_INTEGER_LIMIT = 1 << 63
"""SQLite and most readers of JSON hold 64 bits."""


def is_json(value: object, depth: int = _DEPTH) -> bool:
    """Whether a value equals, types included, what is read back after it was written as JSON."""
    # By exact types, the likeliest first: a subclass would come back as what it derives from.
    kind = type(value)
    if kind is str:
        return _is_text(value)  # type: ignore[arg-type]
    if value is None or kind is bool:
        return True
    if kind is int:
        return -_INTEGER_LIMIT <= value < _INTEGER_LIMIT  # type: ignore[operator]
    if kind is float:
        return math.isfinite(value)  # type: ignore[arg-type]
    if depth == 0:
        return False
    if kind is list:
        return all(is_json(item, depth - 1) for item in value)  # type: ignore[attr-defined]
    if kind is dict:
        for key, item in value.items():  # type: ignore[attr-defined]
            if type(key) is not str or not _is_text(key) or not is_json(item, depth - 1):
                return False
        return True
    return False


def _is_text(text: str) -> bool:
    """Whether UTF-8 can hold a text: a lone surrogate it cannot."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
