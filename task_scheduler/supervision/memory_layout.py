"""Where new objects lie in memory: side by side, for the sake of the supervisors.

Responsible for: filling holes. A page that a forked process writes to is its own from then on, and
counting a reference is a write. Python puts a new object into the first hole that fits, wherever an
earlier one has left it. With the holes filled, what a supervisor uses lies in few pages.
"""

from __future__ import annotations

__all__ = ["fill_holes"]

_LIBRARY = ("ctypes", "fcntl", "json", "math", "resource", "select", "signal", "socket", "typing")
_SIZES = range(48, 513, 16)
"""Of what shares a pool with others of its size; what is larger or smaller lies elsewhere."""
_POOL_BYTES = 16_384
_POOL_HEAD_BYTES = 48
_MOST_HOLES = 2_048
"""Of one size: where the allocator is another one, and has no such pools, it stops there."""

_filling: list[bytes] = []


def fill_holes() -> None:
    """Take the place of what was freed: what is made from here on lies in fresh pools.

    Before that load the standard library, of which supervisors use little here and there.
    """
    for name in _LIBRARY:
        __import__(name)
    for size in _SIZES:
        for _ in range(_MOST_HOLES):
            _filling.append(bytes(size - b"".__sizeof__()))
            if id(_filling[-1]) % _POOL_BYTES <= _POOL_HEAD_BYTES:
                break
