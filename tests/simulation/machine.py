"""The machine of a world: its clocks, and everything on it that outlives a process.

Responsible for: the wall and the boot clock, mark bytes in shared memory, launch orders under way,
and the supervisors of programs with what they record. A power cut ends all of it but the ledger and
such records as happened to be on the disk by then.

One SQLite file is one machine: all nodes share its clocks and its boot. So skew between nodes is
what it is in reality, a clock that was set between two of them holding the ledger.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from task_scheduler.core.model import SECOND, Claim, Completion, Entry, Outcome
from task_scheduler.core.recovery import Verdict

__all__ = ["BEGIN", "Attempt", "Clock", "Machine", "Marks"]

BEGIN = 1_800_000_000 * SECOND
"""The wall clock's time at which every world begins: a Friday in January 2027."""
_SLOTS = 64


class Clock:
    """True time, which only the world moves, and the two clocks that the product reads."""

    def __init__(self) -> None:
        self.time = 1_000 * SECOND
        """What passes whatever happens: a suspend, a power cut."""
        self.booted_at = 0
        self.offset = BEGIN - self.time
        """Wall clock minus true time."""

    def now(self) -> int:
        """Return the wall clock."""
        return self.time + self.offset

    def boottime(self) -> int:
        """Return the time since boot, suspend included."""
        return self.time - self.booted_at


class Marks:
    """Mark bytes of a shared mapping: few slots, so that a process is made in no time."""

    def __init__(self) -> None:
        self._bytes = bytearray(_SLOTS)
        self._free: deque[int] = deque()
        self.reached = (0, 0)

    def begin_process(self, taken: AbstractSet[int]) -> None:
        """Give out every slot again but those of recovered claims."""
        self._free = deque(slot for slot in range(_SLOTS) if slot not in taken)

    def take(self) -> int | None:
        """Return the index of a cleared mark; None when all are taken."""
        if not self._free:
            return None
        slot = self._free.popleft()
        self._bytes[slot] = 0
        return slot

    def release(self, slot: int) -> None:
        """Give a mark back."""
        if slot >= 0:
            self._free.append(slot)

    def note_claims(self, token: int, run_id: int) -> None:
        """Keep how far the claims came, beside the ledger."""
        self.reached = (token, run_id)

    def set(self, slot: int, mark: int) -> None:
        """Write a mark."""
        if slot >= 0:
            self._bytes[slot] = mark

    def age(self, draw: random.Random) -> None:
        """Let some marks be as they were long ago: they are not synced."""
        for slot in range(_SLOTS):
            if draw.random() < 0.5:
                self._bytes[slot] = 0

    def read(self, slot: int) -> int | None:
        """Return the mark that an earlier process left."""
        return self._bytes[slot] if slot >= 0 else None


@dataclass(slots=True)
class Attempt:
    """What a worker or a supervisor has begun; `started_at` on the wall clock, the rest true."""

    claim: Claim
    started_at: int
    ends: int
    deadline: int | None
    outcome: Outcome
    is_over: bool = False
    """Timed out, and its thread still runs."""
    is_ended: bool = False
    completion: Completion | None = None

    def next_time(self) -> int:
        """Return when something happens to it by itself."""
        if self.deadline is not None and not self.is_over and self.deadline < self.ends:
            return self.deadline
        return self.ends

    def report(self, outcome: Outcome, now: int, *, is_still_running: bool = False) -> Completion:
        """Make and keep the record of its end."""
        claim = self.claim
        self.completion = Completion(
            run_id=claim.run_id,
            task_id=claim.task_id,
            attempt=claim.attempt,
            token=claim.token,
            outcome=outcome,
            started_at=self.started_at,
            ended_at=max(now, self.started_at),
            error=None if outcome is Outcome.SUCCEEDED else "it went wrong",
            is_still_running=is_still_running,
        )
        return self.completion


class Machine:
    """What the nodes of a world share."""

    def __init__(
        self,
        draw: random.Random,
        *,
        begin: Callable[[Claim, Entry], Attempt],
        ended: Callable[[Attempt], None],
    ) -> None:
        self.random = draw
        self.clock = Clock()
        self.marks = Marks()
        self.boot = 0
        self.programs: dict[int, Attempt] = {}
        """By run: those that run, and those whose record nobody has taken yet."""
        self.orders: dict[int, tuple[int, Claim, Entry]] = {}
        """Launches under way, and when they will have begun."""
        self._begin = begin
        self._ended = ended

    @property
    def boot_id(self) -> str:
        """The identity of this boot."""
        return f"boot-{self.boot}"

    def next_time(self) -> int | None:
        """Return when something happens here by itself."""
        moments = [a.next_time() for a in self.programs.values() if not a.is_ended]
        moments += [begins for begins, _, _ in self.orders.values()]
        return min(moments, default=None)

    def work(self) -> None:
        """Let programs begin and end; a scheduler is not needed for it."""
        time = self.clock.time
        if self.orders:
            for begins, claim, entry in list(self.orders.values()):
                if begins <= time:
                    del self.orders[claim.run_id]
                    self.programs[claim.run_id] = self._begin(claim, entry)
        living = self.living()
        for attempt in [attempt for attempt in living if attempt.next_time() <= time]:
            is_late = attempt.ends > time
            self.end(attempt, Outcome.TIMED_OUT if is_late else attempt.outcome)

    def end(self, attempt: Attempt, outcome: Outcome) -> None:
        """Write the exit record of a program, and tell."""
        attempt.is_ended = True
        attempt.report(outcome, self.clock.now())
        self._ended(attempt)

    def living(self) -> list[Attempt]:
        """Return the programs that run."""
        return [attempt for attempt in self.programs.values() if not attempt.is_ended]

    def inspect(self, claim: Claim, is_same_boot: bool) -> tuple[str, Completion | None]:
        """Tell what became of an attempt; one that is not started is buried for ever."""
        attempt = self.programs.get(claim.run_id)
        if attempt is None or attempt.claim.token != claim.token:
            if is_same_boot:
                self.orders.pop(claim.run_id, None)
                return Verdict.NOT_STARTED, None
            now = self.clock.now()
            gone = Attempt(claim, min(claim.due_at, now), 0, None, Outcome.LOST)
            return Verdict.LOST, gone.report(Outcome.LOST, now)
        if not attempt.is_ended:
            return Verdict.ALIVE, None
        assert attempt.completion is not None
        is_lost = attempt.completion.outcome is Outcome.LOST
        return Verdict.LOST if is_lost else Verdict.ENDED, attempt.completion

    def forget(self, claim: Claim) -> None:
        """Remove the record of an attempt whose end is durable."""
        attempt = self.programs.get(claim.run_id)
        if attempt is not None and attempt.claim.token == claim.token:
            assert attempt.is_ended, f"{claim} is forgotten while it runs"
            del self.programs[claim.run_id]

    def cut_power(self) -> list[Attempt]:
        """End everything at once; return the programs that were cut off or whose record is gone."""
        self.boot += 1
        self.orders.clear()
        self.marks.age(self.random)
        gone = []
        for run_id, attempt in list(self.programs.items()):
            # Records are not synced: some of them were on the disk, some were not.
            if not attempt.is_ended or self.random.random() < 0.5:
                gone.append(attempt)
                del self.programs[run_id]
        return gone
