"""Functions for tasks that outlive a process."""

from __future__ import annotations


def fail() -> bool:
    return False


def work() -> bool:
    return True


def crash() -> bool:
    raise RuntimeError("no water")
