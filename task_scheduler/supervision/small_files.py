"""Small files, read and written without a word where that cannot be.

Responsible for: what helps and nobody depends on, and what the system tells in ``/proc``.
"""

from __future__ import annotations

import os
import sys

__all__ = ["CREATE", "read_file", "read_proc", "write_file"]

# Not blocking and no links: a task may have put a pipe or a link there.
_CAREFUL = os.O_CLOEXEC | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0)
CREATE = os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
_CHUNK_BYTES = 8_192
"""Memory that a supervisor touches once is its own from then on. No buffer for all that is read:
the scheduler has threads."""


def read_file(path: str | bytes, most: int = sys.maxsize) -> bytes | None:
    """Return the first `most` bytes of a file; None where it cannot be read, or is a link."""
    content = b""
    try:
        descriptor = os.open(path, os.O_RDONLY | _CAREFUL)
        try:
            while len(content) < most and (chunk := os.read(descriptor, _CHUNK_BYTES)):
                content += chunk
        finally:
            os.close(descriptor)
    except OSError:
        return None
    return content[:most]


def read_proc(path: str) -> bytes:
    """Return a file of ``/proc`` whole; nothing where it cannot be read."""
    return read_file(path) or b""


def write_file(path: bytes, content: bytes) -> None:
    """Write a file that helps, and that nobody depends on."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _CAREFUL, 0o600)
        try:
            os.write(descriptor, content)
        finally:
            os.close(descriptor)
    except OSError:
        return
