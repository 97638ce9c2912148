"""What the tasks themselves saw, and what may never happen in a ledger, judged as it happens.

Responsible for: a log of begins, ends and deaths that the world writes and the product never sees;
the rules that hold at every start (never early, never twice, not beside itself, not in a pause, not
after a success); triggers that watch every change of a run; and, at rest, that what the ledger says
of each attempt is what happened to it. Shares no code with the engine.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from task_scheduler.core.model import SECOND, Claim, Entry, OnLost, Outcome, OverlapPolicy
from task_scheduler.stores.sqlite import SqliteStore
from tests.simulation.machine import Attempt, Clock

__all__ = ["Begun", "Witness"]

RECOVERIES = 3
"""How often a run is begun again after a loss."""
_RECORDING = 6 * 3600 * SECOND
"""An end that was not recorded within this time after it was cut off by nothing."""
_OVER = ("succeeded", "failed", "timed_out", "cancelled", "lost", "skipped")
_WATCHED = (
    # A run that is over stays as it is, and one that began is never forgotten.
    (
        "UPDATE ON main.runs",
        "OLD.state NOT IN ('waiting', 'running')",
        "'over, and changed', OLD.run_id, OLD.state, NEW.state",
    ),
    (
        "DELETE ON main.runs",
        "OLD.attempt > 0 OR OLD.state NOT IN ('waiting', 'running')",
        "'begun, and deleted', OLD.run_id, OLD.state, OLD.attempt",
    ),
    (
        "UPDATE OF attempt ON main.runs",
        "NEW.attempt NOT IN (OLD.attempt, OLD.attempt + 1)",
        "'attempts do not follow', OLD.run_id, OLD.attempt, NEW.attempt",
    ),
    # Only the process that holds the ledger gives tokens out, and only where there is none.
    (
        "UPDATE OF token ON main.runs",
        (
            "NEW.token IS NOT NULL AND (OLD.token IS NOT NULL"
            " OR NEW.token >> 32 <> (SELECT max(epoch) FROM epochs))"
        ),
        "'a claim out of turn', OLD.run_id, OLD.token, NEW.token",
    ),
    ("UPDATE ON main.attempts", "true", "'an attempt was recorded anew', OLD.run_id, OLD.attempt"),
    (
        "INSERT ON main.attempts",
        (
            "EXISTS (SELECT 1 FROM attempts AS a WHERE a.run_id = NEW.run_id"
            " AND a.attempt = NEW.attempt AND a.token <> NEW.token)"
        ),
        "'an attempt has two ends', NEW.run_id, NEW.attempt",
    ),
    (
        "INSERT ON main.skips",
        "NEW.first_at > NEW.last_at OR NEW.count < 1",
        "'an empty skip', NEW.task_id, NEW.first_at, NEW.last_at",
    ),
)
"""Changes that may never be made: which, when, and what to say of them."""


@dataclass(slots=True)
class Begun:
    """An attempt as its task saw it; moments in true time."""

    claim: Claim
    began: int
    is_again: bool
    """Whether its task is begun again when lost."""
    ended: int | None = None
    outcome: str | None = None
    """As it ended; ``cut``: it was killed with its process or with the machine."""
    may_be_lost: bool = False
    """Whether a power cut took the proof of its end."""
    may_be: tuple[str, ...] = ()
    """What else its marks may say after its process died before its end was recorded."""


class Witness:
    """Watch a world from outside."""

    def __init__(self, ledger: SqliteStore, clock: Clock) -> None:
        self.log: dict[int, list[Begun]] = defaultdict(list)
        self.begins = 0
        self.violations: list[str] = []
        self.cancelled: set[int] = set()
        """Runs of which a cancel was promised."""
        self.overlapping: set[str] = set()
        """Tasks whose limit was lowered: what lives may go on."""
        self.counts: dict[str, int] = defaultdict(int)
        self._cut: set[tuple[int, int]] = set()
        """Claims that a power cut found: nobody can tell whether they had begun."""
        self._deaths: list[int] = []
        self._ended: dict[str, int] = {}
        self._starts: dict[str, deque[int]] = defaultdict(deque)
        self._set_at = -1
        """When the clock was last set."""
        self._clock = clock
        self._connection = ledger._connection
        self._connection.create_function("violated", -1, self._violated)
        for number, (change, condition, what) in enumerate(_WATCHED):
            self._connection.execute(
                f"CREATE TEMP TRIGGER watch_{number} BEFORE {change} WHEN {condition}"
                f" BEGIN SELECT violated({what}); END"
            )

    # -- as it happens --------------------------------------------------------------------------

    def on_gate(self, claim: Claim, entry: Entry) -> None:
        """Judge that a worker takes a claim through the gate."""
        now = self._clock.now()
        # A retry may come while the clock was set back behind the first attempt.
        assert claim.attempt > 1 or now >= claim.scheduled_at, f"{claim} starts early"
        assert now >= claim.due_at, f"{claim} starts before it is due"
        assert claim.run_id not in self.cancelled, f"run {claim.run_id} was cancelled"
        row = self._connection.execute(
            "SELECT state, token, origin, p.task_id, paused_at FROM runs"
            " LEFT JOIN progress AS p USING (task_id) WHERE run_id = ?",
            (claim.run_id,),
        ).fetchone()
        assert row is not None, f"{claim} starts, and the ledger knows nothing of it"
        state, token, origin, task_id, paused_at = row
        assert state == "waiting", f"{claim} starts, and its run is {state}"
        assert token == claim.token, f"{claim} starts, and the ledger shows token {token}"
        assert task_id is not None, f"{claim} starts, and its entry was removed"
        assert origin != "schedule" or paused_at is None, f"{claim} starts in a pause"

    def on_begin(self, claim: Claim, entry: Entry, living: Sequence[Claim]) -> None:
        """Judge that an attempt begins, beside what lives."""
        before = self.log[claim.run_id]
        numbers = [begun.claim.attempt for begun in before]
        assert claim.attempt not in numbers, f"attempt {claim.attempt} of {claim} is begun twice"
        for begun in before:
            is_known = begun.outcome == "succeeded" and not begun.may_be_lost
            assert not is_known, f"{claim} begins after a success"
            is_out = begun.outcome is not None
            assert is_out, f"{claim} begins while attempt {begun.claim.attempt} lives"
        policies = entry.policies
        is_again = policies.on_lost is OnLost.AT_LEAST_ONCE
        if before and not is_again:
            last = before[-1]
            is_failed = last.outcome in ("failed", "timed_out")
            assert is_failed, f"{claim} begins again after {last.outcome}"
        limit = policies.overlap_limit if policies.overlap is OverlapPolicy.ALLOW else 1
        beside = [other for other in living if other.task_id == claim.task_id]
        is_judged = limit and claim.task_id not in self.overlapping
        assert not is_judged or len(beside) < limit, f"{claim} begins beside {beside}"
        before.append(Begun(claim, self._clock.time, is_again))
        self.begins += 1

    def on_end(self, attempt: Attempt, outcome: Outcome) -> None:
        """Note that an attempt came to its end."""
        self._note(attempt.claim, outcome)

    def on_cut(self, claims: Iterable[Claim]) -> None:
        """Note that attempts were killed with whoever held them."""
        for claim in claims:
            self._note(claim, "cut")

    def on_death(self) -> None:
        """Note that a process of the scheduler died."""
        self._deaths.append(self._clock.time)

    def on_power_cut(self, gone: Iterable[Attempt]) -> None:
        """Note what nobody can know any more."""
        for attempt in gone:
            begun = self._begun(attempt.claim)
            if begun.outcome is None:
                self._note(attempt.claim, "cut")
            begun.may_be_lost = True
        for run_id, attempt in self._connection.execute(
            "SELECT run_id, attempt + 1 FROM runs WHERE token IS NOT NULL"
        ):
            self._cut.add((run_id, attempt))
            for begun in self.log.get(run_id, ()):
                if begun.claim.attempt == attempt and begun.claim.executor == "thread":
                    begun.may_be_lost = True

    def on_clock_set(self) -> None:
        """Note that lengths of time cannot be read off the wall clock across this moment."""
        self._set_at = self._clock.time

    def judge(self) -> None:
        """Raise what a trigger saw."""
        if self.violations:
            raise AssertionError("; ".join(self.violations))

    def judge_pool(self, pool: str, places: int, living: Sequence[Claim]) -> None:
        """Judge that no pool has more users than places."""
        if len(living) <= places:
            return
        ids = ", ".join(str(claim.run_id) for claim in living)
        (count,) = self._connection.execute(
            f"SELECT count(*) FROM runs WHERE run_id IN ({ids}) AND pool = ?", (pool,)
        ).fetchone()
        assert count <= places, f"{count} use {pool} when {living[0]} begins"

    def judge_owners(self, run_ids: AbstractSet[int]) -> None:
        """Judge that no run is claimed but by one of these attempts."""
        rows = self._connection.execute("SELECT run_id FROM runs WHERE token IS NOT NULL")
        lost = sorted(run_id for (run_id,) in rows if run_id not in run_ids)
        assert not lost, f"claimed, and in nobody's hands: runs {lost}"

    def judge_rate(self, task_id: str, count: int, period: int) -> None:
        """Judge that no stretch of time has more starts than it may; called at each of them."""
        time, starts = self._clock.time, self._starts[task_id]
        starts.append(time)
        while starts[0] <= time - period:
            starts.popleft()
        is_judged = self._set_at < time - period
        assert not is_judged or len(starts) <= count, f"{task_id} began {len(starts)} times"

    # -- at rest --------------------------------------------------------------------------------

    def check_tallies(self) -> None:
        """Judge that what is counted of each task is what there is of it."""
        for row in self._connection.execute(
            "SELECT task_id, success_count, failure_count, skip_count,"
            " (SELECT count(*) FROM runs AS r WHERE r.task_id = p.task_id AND state = 'succeeded'),"
            " (SELECT count(*) FROM runs AS r WHERE r.task_id = p.task_id"
            "  AND state IN ('failed', 'timed_out', 'lost')),"
            " (SELECT count(*) FROM runs AS r WHERE r.task_id = p.task_id AND state = 'skipped')"
            " + (SELECT coalesce(sum(count), 0) FROM skips AS s WHERE s.task_id = p.task_id)"
            " FROM progress AS p"
        ):
            task_id, *counted = row[:4]
            assert counted == list(row[4:]), f"{task_id} counts {counted}, not {row[4:]}"

    def check(self, limits: Mapping[str, int]) -> None:
        """Judge what the ledger says of every attempt; `limits`: the most failures of a task."""
        self.judge()
        recorded: dict[int, list[tuple[int, str]]] = defaultdict(list)
        for run_id, number, outcome in self._connection.execute(
            "SELECT run_id, attempt, outcome FROM attempts ORDER BY run_id, attempt"
        ):
            recorded[run_id].append((number, outcome))
        for run_id, task_id, state, attempt in self._connection.execute(
            "SELECT run_id, task_id, state, attempt FROM runs"
        ):
            name = f"run {run_id} of {task_id}"
            attempts = recorded.pop(run_id, [])
            self._check_run(name, state, attempt, [outcome for _, outcome in attempts])
            failures = sum(1 for _, outcome in attempts if outcome in ("failed", "timed_out"))
            most = limits.get(task_id, 0)
            assert failures <= most, f"{name} failed {failures} times, of {most}"
            assert sum(1 for _, out in attempts if out == "lost") <= RECOVERIES + 1, name
            begun = {b.claim.attempt: b for b in self.log.get(run_id, ())}
            if any(outcome == "lost" for _, outcome in attempts[:-1]):
                is_again = all(b.is_again for b in begun.values())
                assert is_again, f"{name} began again after a loss: {attempts}"
            for number, outcome in attempts:
                self._check_attempt(f"attempt {number} of {name}", begun.pop(number, None), outcome)
                if outcome == "lost" and (run_id, number) not in self._cut:
                    self.counts["lost"] += 1
            assert not begun, f"{name}: attempts {sorted(begun)} began and have no end"
        assert not recorded, f"attempts without a run: {sorted(recorded)}"

    def _check_run(self, name: str, state: str, attempt: int, outcomes: Sequence[str]) -> None:
        name = f"{name}, {state} after {outcomes}"
        assert state in _OVER, f"{name} is not over"
        assert len(outcomes) == attempt, f"{name}: {attempt} attempts are counted"
        assert "succeeded" not in outcomes[:-1], f"{name}: it went on after a success"
        assert (state == "skipped") <= (not outcomes), f"{name}: it was skipped and began"
        if state in ("succeeded", "failed", "timed_out", "lost"):
            assert outcomes[-1:] == [state], f"{name}: that is not how it ended"

    def _check_attempt(self, name: str, begun: Begun | None, outcome: str) -> None:
        self.counts["attempts"] += 1
        if begun is None:
            assert outcome == "lost", f"{name} is {outcome} and never began"
            return
        allowed = {"lost" if begun.outcome == "cut" else begun.outcome, *begun.may_be}
        if begun.may_be_lost:
            allowed.add("lost")
        if begun.claim.executor == "thread" and begun.ended is not None and self._died(begun.ended):
            # Its process died before the end was recorded: only the mark speaks, if it was set.
            allowed |= {"timed_out": {"lost"}, "cancelled": {"failed"}}.get(
                str(begun.outcome), set()
            )
        assert outcome in allowed, f"{name} is {outcome}, and it was {begun.outcome}"

    def _died(self, after: int) -> bool:
        index = bisect_left(self._deaths, after)
        return index < len(self._deaths) and self._deaths[index] <= after + _RECORDING

    def _begun(self, claim: Claim) -> Begun:
        for begun in reversed(self.log[claim.run_id]):
            if begun.claim.token == claim.token:
                return begun
        raise AssertionError(f"{claim} ended and never began")

    def _note(self, claim: Claim, outcome: str) -> None:
        begun = self._begun(claim)
        if begun.outcome is None:
            begun.ended, begun.outcome = self._clock.time, str(outcome)

    def _violated(self, *what: Any) -> None:
        self.violations.append(" ".join(str(part) for part in what))
