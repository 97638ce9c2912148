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
    kind = type(value)
    if value is None or kind is bool:
        return True
    if isinstance(value, str):
        return kind is str and _is_text(value)
    if isinstance(value, int):
        return kind is int and -_INTEGER_LIMIT <= value < _INTEGER_LIMIT
    if isinstance(value, float):
        return kind is float and math.isfinite(value)
    if depth == 0:
        return False
    if isinstance(value, list):
        return kind is list and all(is_json(item, depth - 1) for item in value)
    if isinstance(value, dict):
        return kind is dict and all(
            type(key) is str and _is_text(key) and is_json(item, depth - 1)
            for key, item in value.items()
        )
    return False


def _is_text(text: str) -> bool:
    """Whether UTF-8 can hold a text: a lone surrogate it cannot."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
