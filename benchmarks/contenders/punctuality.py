"""How late the n-th start of each of many periodic jobs is, measured from its n-th slot.

Standard library only: it is imported in the environment of each peer. Drift counts: a job whose
second start comes 1.01 s after its first is 10 ms late by then, and stays so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from figures import sleep_until

__all__ = ["LEAD_SECONDS", "Punctuality"]

LEAD_SECONDS = 3.0
"""Before the first slot: everybody is ready by then."""


class Punctuality:
    """`count` jobs of one second each, spread over the second or all at its beginning."""

    def __init__(self, count: int, seconds: float, *, is_aligned: bool, lead: float = 0.0) -> None:
        self.count = count
        self.seconds = seconds
        self.is_aligned = is_aligned
        self.first = float(int(time.time() + LEAD_SECONDS + lead) + 1)
        self._starts: list[list[float]] = [[] for _ in range(count)]
        self._cpu = 0.0

    def slot(self, number: int) -> float:
        """Return the first moment of a job, in seconds since the epoch."""
        return self.first + (0.0 if self.is_aligned else number / self.count)

    def slot_at(self, number: int) -> datetime:
        """Return the same as an aware datetime."""
        return datetime.fromtimestamp(self.slot(number), UTC)

    def job(self, number: int) -> Callable[[], bool]:
        """Return a job that notes when it starts and does nothing else."""
        note, clock = self._starts[number].append, time.time

        def start() -> bool:
            note(clock())
            return True

        return start

    def start(self, number: int) -> bool:
        """Be that job, for peers that take one function and an argument."""
        self._starts[number].append(time.time())
        return True

    @property
    def end(self) -> float:
        """The moment at which the window ends."""
        return self.first + self.seconds

    def watch(self) -> None:
        """Sleep through the window, and note the processor time used in it."""
        if time.time() >= self.first:
            raise SystemExit("the jobs could not be added in time: give more --lead")
        sleep_until(self.first)
        before = time.process_time()
        sleep_until(self.end)
        self._cpu = time.process_time() - before

    def run_loop(self, turn: Callable[[], object], nap_seconds: float) -> None:
        """Do the same for a peer that is a loop in the main thread: turn, nap, turn, nap."""
        before = None
        while (now := time.time()) < self.end:
            if before is None and now >= self.first:
                before = time.process_time()
            turn()
            time.sleep(nap_seconds)
        self._cpu = time.process_time() - (before or 0.0)

    def figures(self) -> dict[str, float]:
        """Return what came of it: lateness in milliseconds, processor time, what was missed."""
        late = []
        slots = int(self.seconds) * self.count
        for number, starts in enumerate(self._starts):
            base = self.slot(number)
            kept = [at - base - n for n, at in enumerate(starts[: int(self.seconds)])]
            late += kept
        late.sort()
        if not late:
            raise SystemExit("nothing started")
        return {
            "p50_ms": late[len(late) // 2] * 1_000,
            "p99_ms": late[min(len(late) - 1, int(len(late) * 0.99))] * 1_000,
            "max_ms": late[-1] * 1_000,
            "cpu_seconds": self._cpu,
            "early": float(sum(value < 0 for value in late)),
            "missed": float(slots - len(late)),
        }
