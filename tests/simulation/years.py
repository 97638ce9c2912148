"""Years of the fixed workload: three nodes, twenty entries, a fault in every simulated hour.

Responsible for: the life of one such world from its seed, its operator, the judgement at its end,
and its figures.
"""

from __future__ import annotations

from collections.abc import Sequence

from task_scheduler.core.inbox import (
    AddEntries,
    BackfillRange,
    CancelRun,
    Command,
    PauseEntry,
    RemoveEntries,
    RequestRun,
    ResumeEntry,
)
from task_scheduler.core.model import SECOND, Claim, Entry, MisfirePolicy, Outcome
from task_scheduler.core.ports import Catalog
from task_scheduler.schedules.occurrences import Occurrences
from tests.simulation.accounts import Accounts
from tests.simulation.nemesis import Nemesis
from tests.simulation.workload import DAY, JOBS, POOLS, WORKERS, Job, draw_attempt
from tests.simulation.world import HOUR, MINUTE, Figures, World

__all__ = ["Year"]

_PATIENCE = 2 * SECOND
"""How late a start may be where nothing is in its way."""
_JOBS: dict[str, Job] = {job.entry.task_id: job for job in JOBS}
_RATE = (1, 5 * MINUTE - SECOND // 10)
"""A start counts from the gate; the call may come a moment later."""


class _Catalog:
    """The product's catalog, which reads a rule once: rules are values, and a restart is cheap."""

    def __init__(self, world: Year) -> None:
        self._world = world

    def occurrences_of(self, entry: Entry) -> Occurrences:
        """Return the occurrences of an entry's rules."""
        known = self._world.read.get(entry.task_id)
        if known is None or entry.is_code_bound:
            known = self._world.bindings.occurrences_of(entry)
            self._world.read[entry.task_id] = known
        return known


class Year(World):
    """A world with the fixed workload, from a seed."""

    def __init__(self, seed: int, *, is_told: bool = False) -> None:
        super().__init__(seed, workers=WORKERS, pools=POOLS, is_told=is_told)
        self.read: dict[str, Occurrences] = {}
        self.nemesis = Nemesis(self)
        self.accounts = Accounts(self.ledger, self.clock.now())
        self.paused: set[str] = set()
        self._asked = 0
        self.nemesis.strikes[self._operate] = 8

    def live(self, days: float) -> Figures:
        """Let days pass with a fault in each hour, come to rest, and judge."""
        self.run_until(self.clock.time)
        self._put_entries()
        end = self.clock.time + round(days * DAY)
        hour = self.clock.time
        while hour < end:
            self._reach(hour + self.random.randint(0, HOUR - 1), hour + HOUR)
            self.nemesis.strike()
            hour = max(hour + HOUR, self.clock.time)
            self.run_until(hour)
        removed_at = self._come_to_rest()
        limits = {job.entry.task_id: job.entry.policies.max_retries + 1 for job in JOBS}
        self.witness.check(limits)
        self.accounts.check(JOBS, removed_at)
        return self.figures(years=days / 365, occurrences=self.accounts.occurrences)

    def _reach(self, moment: int, latest: int) -> None:
        """Go to a moment; rather to one at which something is about to happen."""
        self.run_until(moment)
        if self.random.random() < 0.4 and (event := self.next_event()) < latest:
            self.run_until(event + self.random.choice((-1, 0, 1, 10_000)))

    def _put_entries(self) -> None:
        self.is_calm = True
        self.bind_all()
        added, _ = self.command(AddEntries, entries=[job.entry for job in JOBS])
        assert added
        self.is_calm = False

    def _come_to_rest(self) -> int:
        """Let everything work, and what is due come to its end; then remove all entries."""
        self.nemesis.end()
        self.is_calm = True
        self.run_until(self.clock.time + 10 * MINUTE)
        for task_id in sorted(self.paused):
            self.command(ResumeEntry, task_id=task_id)
        self.run_until(self.clock.time + 12 * HOUR)
        self._check_liveness(HOUR)
        self.witness.check_tallies()
        removed_at = self.clock.now()
        self.command(RemoveEntries, task_ids=list(_JOBS))
        self.run_until(self.clock.time + 2 * HOUR)
        return removed_at

    def _check_liveness(self, patience: int) -> None:
        """Judge that nothing due is left lying."""
        rows = self.ledger._connection.execute(
            "SELECT task_id, next_due_at FROM progress WHERE next_due_at < :then"
            " AND paused_at IS NULL UNION ALL"
            " SELECT task_id || ', run ' || run_id, due_at FROM runs"
            " WHERE state IN ('waiting', 'running') AND due_at < :then",
            {"then": self.clock.now() - patience},
        ).fetchall()
        assert not rows, f"left lying: {rows}"

    # -- the operator ---------------------------------------------------------------------------

    def _operate(self) -> None:
        draw = self.random
        task_id = draw.choice(list(_JOBS))
        act = draw.choice((self._pause, self._resume, self._request, self._request, self._cancel))
        act(task_id) if draw.random() < 0.85 else self._backfill(task_id)

    def before_command(self, command: Command) -> None:
        """Let the store fail, or the process die, while it obeys."""
        if not self.is_calm and self.random.random() < 0.2:
            self.fail_soon(is_deadly=self.random.random() < 0.3)

    def _pause(self, task_id: str) -> None:
        until = self.random.choice([None, self.clock.now() + self.random.randint(1, 2 * DAY)])
        self.command(PauseEntry, task_id=task_id, until=until)
        # Also where nobody answered: it may have been.
        self.paused.add(task_id)

    def _resume(self, task_id: str) -> None:
        if self.paused:
            task_id = self.random.choice(sorted(self.paused))
        if self.command(ResumeEntry, task_id=task_id)[0]:
            self.paused.discard(task_id)
            self.disturb()

    def _request(self, task_id: str) -> None:
        self._asked += 1
        is_done, _ = self.command(RequestRun, task_id=task_id, request_id=str(self._asked))
        self.accounts.requests.append((task_id, str(self._asked), is_done))

    def _cancel(self, _: str) -> None:
        # Not in the order of the table: that would be read as a whole.
        rows = self.ledger._connection.execute(
            "SELECT run_id FROM runs WHERE state IN ('waiting', 'running') ORDER BY +run_id"
        ).fetchall()
        if rows:
            (run_id,) = self.random.choice(rows)
            if self.command(CancelRun, run_id=run_id)[1]:
                self.witness.cancelled.add(run_id)
                self.kill_after_answer()

    def _backfill(self, task_id: str) -> None:
        if _JOBS[task_id].instants is None:
            return
        end = self.clock.now()
        start = max(self.accounts.begun_at, end - self.random.randint(1, 5 * DAY))
        if start < end:
            is_done, _ = self.command(
                BackfillRange, task_id=task_id, start=start, end=end, limit=100
            )
            if is_done:
                self.accounts.backfills.append((task_id, start, end))

    # -- what the world asks --------------------------------------------------------------------

    def bound_entries(self) -> Sequence[Entry]:
        """Return the entries whose code lives in the program."""
        return [job.entry for job in JOBS if job.user_rule is not None]

    def bind_all(self) -> None:
        """Bind the code of those."""
        for job in JOBS:
            if job.user_rule is not None:
                self.bindings.bind(job.entry, None, [job.user_rule])  # type: ignore[arg-type]

    def begin_catalog(self) -> Catalog:
        """Return what a new process knows of code."""
        super().begin_catalog()
        return _Catalog(self)

    def draw_attempt(self, entry: Entry) -> tuple[int, Outcome]:
        """Return how long an attempt takes and how it ends."""
        if self.is_calm:
            return SECOND, Outcome.SUCCEEDED
        return draw_attempt(self.random)

    def set_clock(self, by: int) -> None:
        """Set the wall clock, and note which times it shows again."""
        if by < 0:
            now = self.clock.now()
            self.accounts.replayed.append((now + by, now))
        super().set_clock(by)

    def on_begin(self, claim: Claim, entry: Entry, living: Sequence[Claim]) -> None:
        """Judge how late an attempt begins, and what limits say."""
        policies, now, time = entry.policies, self.clock.now(), self.clock.time
        late = now - claim.due_at
        is_free = policies.pool is None and policies.rate_limit is None and not entry.is_code_bound
        is_first = claim.attempt == 1 and claim.key == str(claim.due_at)
        is_free = is_free and is_first and len(living) < WORKERS and policies.overlap == "skip"
        if is_free and time > self.disturbed and claim.task_id not in self.paused:
            assert min(late, time - self.disturbed) <= _PATIENCE, f"{claim} is {late} late"
        if policies.misfire is MisfirePolicy.SKIP and is_first:
            most = round(policies.misfire_grace_seconds * SECOND) + SECOND
            assert late <= most, f"{claim} begins {late} late, beyond its grace"
        if policies.pool is not None:
            self.witness.judge_pool(policies.pool, POOLS[policies.pool], [claim, *living])
        if policies.rate_limit is not None:
            self.witness.judge_rate(claim.task_id, *_RATE)
