"""The books of a year: every instant of the fixed workload has exactly one disposition.

Responsible for: comparing the ledger at rest with the instants of `workload` (none missing, none
twice, none invented), with the reasons that policies allow, and with what an operator was promised.
Shares no code with the planner.

Where the clock was set back it showed some times twice. An instant in such a stretch has one run at
most, like any other, but may have been skipped beside it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from task_scheduler.core.model import SECOND, ChainOn, MisfirePolicy
from task_scheduler.stores.sqlite import SqliteStore
from tests.simulation.workload import Job

__all__ = ["Accounts"]

_AHEAD = 1_100_000
"""What may be planned ahead of a moment, or lie ahead of a clock of which nobody knows more."""
_REASONS = {
    MisfirePolicy.RUN_ONCE: {"coalesced"},
    MisfirePolicy.RUN_ALL: {"catch_up_limit"},
    MisfirePolicy.SKIP: {"misfire", "expired"},
}
_ANY = {"overlap", "paused", "removed"}
_FAILURES = ("failed", "timed_out", "lost")


@dataclass(slots=True)
class Accounts:
    """What a year owed and what an operator was promised."""

    ledger: SqliteStore
    begun_at: int
    replayed: list[tuple[int, int]] = field(default_factory=list)
    """Times that the clock showed more than once."""
    requests: list[tuple[str, str, bool]] = field(default_factory=list)
    """Runs that were asked for: by task and id, and whether that was acknowledged."""
    backfills: list[tuple[str, int, int]] = field(default_factory=list)
    occurrences: int = 0

    def check(self, jobs: tuple[Job, ...], now: int) -> None:
        """Judge a ledger that has come to rest; its entries were removed at `now`."""
        for job in jobs:
            if job.instants is not None:
                self._check_calendar(job, now)
            for link in job.entry.policies.after:
                self._check_chain(job.entry.task_id, link.task_id, link.on, now)
        self._check_laps()
        keys = self._rows("SELECT task_id, key FROM runs WHERE origin = 'manual'")
        found = {(task_id, key) for task_id, key in keys}
        asked = {(task_id, f"manual:{key}") for task_id, key, _ in self.requests}
        promised = {(task_id, f"manual:{key}") for task_id, key, is_ok in self.requests if is_ok}
        assert promised <= found, f"never came, though promised: {sorted(promised - found)}"
        assert found <= asked, f"nobody asked for {sorted(found - asked)}"

    def _rows(self, query: str, *values: Any) -> list[Any]:
        return self.ledger._connection.execute(query, values).fetchall()

    def _check_calendar(self, job: Job, now: int) -> None:
        task_id, policies = job.entry.task_id, job.entry.policies
        assert job.instants is not None
        owed = job.instants(self.begun_at - 1, now)
        self.occurrences += len(owed)
        have = set(owed)
        cover: Counter[int] = Counter()
        again: set[int] = set()
        for key, at, origin, is_given_up in self._rows(
            "SELECT key, scheduled_at, origin, state = 'skipped' AND reason <> 'expired' FROM runs"
            " WHERE task_id = ?"
            " AND origin IN ('schedule', 'backfill')",
            task_id,
        ):
            assert at in have, f"{task_id} has a run at {at}, which it did not owe"
            assert key == str(at) or origin == "backfill", f"{task_id}: run at {at} is {key}"
            if origin == "schedule":
                cover[at] += 1
            if not is_given_up:
                again.add(at)
        for reason, first, last, count, seen in self._rows(
            "SELECT reason, first_at, last_at, count, at FROM skips WHERE task_id = ?", task_id
        ):
            name = f"{task_id}: {count} skipped ({reason}) from {first} to {last}"
            low, high = bisect_left(owed, first), bisect_right(owed, last)
            cover.update(owed[low:high])
            assert reason in _REASONS[policies.misfire] | _ANY, name
            if self._is_replayed(first, last):
                continue
            assert owed[low:high][:1] == [first], name
            assert owed[low:high][-1:] == [last], name
            assert count == high - low, f"{name}, where {high - low} were owed"
            late = {
                "misfire": policies.misfire_grace_seconds,
                "catch_up_limit": policies.catch_up_window_seconds,
            }.get(reason)
            assert late is None or seen - last > late * SECOND, f"{name} when it was {seen}"
        for at in owed:
            times = cover[at] or int(at in again)
            if times != 1 and not (times and self._is_replayed(at, at)):
                raise AssertionError(f"{task_id}: {at} is accounted for {times} times")
        for asked, low_at, high_at in self.backfills:
            if asked == task_id:
                missing = [at for at in owed if low_at <= at < high_at and at not in again]
                missing = [at for at in missing if not self._is_replayed(at, at)]
                assert not missing, f"{task_id}: {missing} were not made up for"

    def _is_replayed(self, first: int, last: int) -> bool:
        return any(low < last and first <= high for low, high in self.replayed)

    def _check_chain(self, child: str, parent: str, on: ChainOn, now: int) -> None:
        """Judge that a child came once after each end of its parent that it waits for."""
        states = ("succeeded",) if on is ChainOn.SUCCESS else _FAILURES
        ended = {
            f"after:{run_id}": ended_at
            for run_id, state, ended_at in self._rows(
                "SELECT run_id, state, ended_at FROM runs WHERE task_id = ?", parent
            )
            if state in states
        }
        rows = self._rows("SELECT key FROM runs WHERE task_id = ? AND origin = 'chain'", child)
        came = {key for (key,) in rows}
        assert came <= ended.keys(), f"{child} came after {sorted(came - ended.keys())}"
        missing = {key for key in ended.keys() - came if ended[key] < now}
        assert not missing, f"{child} did not come {sorted(missing)}"
        self.occurrences += len(came)

    def _check_laps(self) -> None:
        """Judge that an interval never drifts: in a lap its instants are whole periods apart."""
        laps: dict[str, set[int]] = defaultdict(set)
        for key, at in self._rows(
            "SELECT key, scheduled_at FROM runs WHERE task_id = 'own-anchor'"
            " AND origin = 'schedule'"
        ):
            self.occurrences += 1
            laps[key.partition(".")[2]].add(at % (24 * 3600 * SECOND))
        for lap, phases in laps.items():
            assert len(phases) == 1, f"own-anchor drifts in lap {lap}: {sorted(phases)}"
