"""Identities: the numbers that nothing else ever had.

Responsible for: run ids and tokens, each greater than all before it, also across restarts: both go
on from what the ledger has seen, and a token's upper half is the epoch of its process.
"""

from __future__ import annotations

__all__ = ["Identities"]


class Identities:
    """Give out run ids and tokens; one thread calls."""

    def __init__(self) -> None:
        self.last_run_id = 0
        """The greatest id given to a run."""
        self._token = 0

    def open(self, *, epoch: int, last_run_id: int) -> None:
        """Begin an epoch: go on above everything the ledger has seen."""
        self._token = epoch << 32
        self.last_run_id = last_run_id

    def next_run_id(self) -> int:
        """Return an id that no run ever had."""
        self.last_run_id += 1
        return self.last_run_id

    def next_token(self) -> int:
        """Return a token greater than all before it."""
        self._token += 1
        return self._token
