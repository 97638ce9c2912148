"""A world in which the clock is set all the time, and nothing else goes wrong.

Responsible for: forty schedules of every kind, jumps both ways from one second to eighty years,
process and machine restarts between them, and the judgement after each jump: no early start, no
duplicate, no stall. Starts take no time, so that every deviation is the clock's.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from task_scheduler.bindings import Bindings
from task_scheduler.core.engine import Engine
from task_scheduler.core.events import Event
from task_scheduler.core.inbox import AddEntries, Started
from task_scheduler.core.limits import EngineLimits
from task_scheduler.core.model import SECOND, Claim, Completion, Entry, Outcome, Policies
from task_scheduler.executors.marks import MemoryMarks
from task_scheduler.schedules.rule import ScheduleRule
from task_scheduler.stores.sqlite import MEMORY, SqliteStore
from tests.simulation.machine import Clock

__all__ = ["JumpingWorld"]

YEAR = 365 * 86_400 * SECOND
_EARLIEST, _LATEST = 10 * 86_400 * SECOND, 229 * YEAR
"""Where the clock may stand: within what the rules can say."""
_WINDOW = 20 * SECOND
"""Real time between two jumps."""
_AHEAD = 200_000
_RRULE = "FREQ=MINUTELY;BYSECOND=5,25,45"


class OddRule(ScheduleRule):
    """A rule such as a user writes: every seventh second, but for some."""

    def __init__(self) -> None:
        self.timezone = "UTC"

    def get_next_run_time(self, last_run: datetime | None = None) -> datetime | None:
        """Return the next seventh second that is not an eleventh one too."""
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        second = 0 if last_run is None else (last_run - epoch) // timedelta(seconds=1)
        number = second // 7 + 1
        number += number % 11 == 0
        return epoch + timedelta(seconds=7 * number)


def _plain_rules() -> list[list[dict[str, Any]]]:
    intervals = [{"type": "interval", "seconds": s} for s in (3, 4, 5, 5.5, 6, 7, 8, 9, 10, 13, 17)]
    crons = [
        {"type": "cron", "cron": text, "timezone": zone}
        for text in ("*/5 * * * * *", "*/7 * * * * *", "3,33 * * * * *", "* * * * *", "0 3 * * *")
        for zone in ("UTC", "Asia/Tokyo", "Europe/Berlin", "Australia/Lord_Howe")
    ]
    others: list[list[dict[str, Any]]] = [
        [{"type": "cron", "cron": "@every 6s"}],
        [{"type": "interval", "seconds": 8, "kind": "fixed_delay"}],
        [{"type": "interval", "seconds": 6, "anchor": "epoch"}],
        [{"type": "interval", "seconds": 9, "start_at": "2026-01-01T00:00:00+00:00"}],
        [{"type": "interval", "seconds": 6, "end_at": "2199-06-01T00:00:00+00:00"}],
        [{"type": "on_calendar", "on_calendar": "*:*:0/9", "timezone": "UTC"}],
        [{"type": "daily", "daily": "08:00,20:30", "timezone": "Asia/Shanghai"}],
        [
            {
                "type": "rrule",
                "rrule": _RRULE,
                "timezone": "UTC",
                "start_at": "1970-01-01T00:00:00+00:00",
            }
        ],
        [crons[0], crons[8]],
    ]
    return [[rule] for rule in intervals + crons] + others


class JumpingWorld:
    """An engine on a clock that jumps, from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.clock = Clock()
        self.ledger = SqliteStore(MEMORY)
        self.bindings = Bindings()
        self.events: list[Event] = []
        self.gate: dict[int, Claim] = {}
        self.started: dict[str, set[str]] = defaultdict(set)
        self.instants: dict[str, set[int]] = defaultdict(set)
        self.starts: dict[str, list[int]] = defaultdict(list)
        """When, on the boot clock, since the last jump."""
        self._epoch = 0
        self._boots = 0
        self._start_process()
        self.entries = [self._entry(n, rules) for n, rules in enumerate(_plain_rules())]
        odd = self._entry(len(self.entries), [{"type": "user"}], is_code_bound=True)
        self.bindings.bind(odd, None, [OddRule()])  # type: ignore[arg-type]
        self.entries.append(odd)
        self.engine.inbox.put(AddEntries(entries=self.entries))
        self._live(_WINDOW)

    def jump(self, by: int | None = None) -> None:
        """Set the clock, let time pass, and judge."""
        if by is None:
            by = self._draw()
        before = self.clock.now()
        self.clock.offset += by
        if self.random.random() < 0.2:
            self._start_process()
        elif self.random.random() < 0.3:
            self.engine.look_again()
        self.starts.clear()
        begin = self.clock.now()
        self._live(_WINDOW)
        self._judge(begin, before, by)

    def _draw(self) -> int:
        while True:
            size = round(10 ** self.random.uniform(6, 15.4))
            by = size if self.random.random() < 0.5 else -size
            if _EARLIEST < self.clock.now() + by < _LATEST:
                return by

    @staticmethod
    def _entry(
        number: int, rules: Sequence[dict[str, Any]], *, is_code_bound: bool = False
    ) -> Entry:
        return Entry(
            task_id=f"task-{number}",
            name=f"task-{number}",
            kind="custom",
            executor="thread",
            definition={},
            rules=tuple(rules),
            policies=Policies(max_retries=0),
            is_code_bound=is_code_bound,
        )

    def _start_process(self) -> None:
        """Begin anew on the same ledger, sometimes on another boot of the machine."""
        self._epoch += 1
        if self.random.random() < 0.3:
            self._boots += 1
        store = self.ledger
        # What was claimed and not begun is found as not started.
        with store.transaction():
            held = store.fetch("claims_now")
            store.execute("hand_back", rows=[[row[0], row[1]] for row in held])
        self.gate.clear()
        self.engine = Engine(
            store=store,
            clock=self.clock,
            catalog=self.bindings,
            hands=self,
            marks=MemoryMarks(),
            emit=self.events.append,
            limits=EngineLimits(workers=50),
        )
        self.engine.open(
            epoch=self._epoch,
            last_run_id=store.fetch("last_run_id"),
            boot_id=f"boot-{self._boots}",
        )

    # -- the hands ------------------------------------------------------------------------------

    def hand_over(self, claims: Sequence[tuple[Claim, Entry]]) -> None:
        """Take claims."""
        self.gate |= {claim.run_id: claim for claim, _ in claims}

    def revoke(self, run_id: int) -> bool:
        """Give a claim back."""
        return self.gate.pop(run_id, None) is not None

    def cancel(self, claim: Claim, reason: str) -> bool:
        """Nothing runs."""
        raise AssertionError((claim, reason))

    def forget(self, claims: Sequence[Claim]) -> None:
        """Nothing is kept."""

    # -- time -----------------------------------------------------------------------------------

    def _live(self, length: int) -> None:
        clock, end = self.clock, self.clock.time + length
        while True:
            wake = self.engine.tick()
            moments = [claim.due_at for claim in self.gate.values()]
            moments += [wake] if wake is not None else []
            following = min(moments, default=clock.now() + length) - clock.offset
            if not len(self.engine.inbox):
                if following >= end:
                    clock.time = end
                    return
                clock.time = max(clock.time, following)
            for claim in [c for c in self.gate.values() if c.due_at <= clock.now()]:
                self._start(claim)

    def _start(self, claim: Claim) -> None:
        now = self.clock.now()
        del self.gate[claim.run_id]
        task_id = claim.task_id
        assert now >= claim.scheduled_at, f"{claim} starts early"
        assert claim.key not in self.started[task_id], f"{claim} starts twice"
        self.started[task_id].add(claim.key)
        self.instants[task_id].add(claim.scheduled_at)
        self.starts[task_id].append(self.clock.time)
        self.engine.inbox.put(Started(claim.run_id, claim.token, now))
        self.engine.inbox.put(
            Completion(
                run_id=claim.run_id,
                task_id=task_id,
                attempt=claim.attempt,
                token=claim.token,
                outcome=Outcome.SUCCEEDED,
                started_at=now,
                ended_at=now,
            )
        )

    # -- judgement ------------------------------------------------------------------------------

    def _judge(self, begin: int, before: int, by: int) -> None:
        end = self.clock.now()
        for entry in self.entries:
            where = f"{entry.task_id} {entry.rules}, from {before} by {by}"
            period = _period_of(entry)
            if period is not None:
                self._judge_interval(entry.task_id, period, where)
            else:
                self._judge_calendar(entry, begin, end, where)

    def _judge_interval(self, task_id: str, period: int, where: str) -> None:
        """An interval goes on in real time; a jump forward may bring one start at once."""
        starts = self.starts[task_id]
        assert len(starts) >= _WINDOW // period - 1, f"{where}: a stall, {len(starts)} starts"
        assert len(starts) <= _WINDOW // period + 2, f"{where}: {len(starts)} starts"
        for one, other in pairwise(starts[1:]):
            assert other - one >= period - 1, f"{where}: two starts {other - one} apart"

    def _judge_calendar(self, entry: Entry, begin: int, end: int, where: str) -> None:
        """Every instant that the clock came to has its run; none has two (`_start`)."""
        occurrences = self.bindings.occurrences_of(entry)
        anchor = min(begin, 0)
        moment = occurrences.next_after(begin, anchor)
        while moment is not None and moment <= end - _AHEAD:
            assert moment in self.instants[entry.task_id], f"{where}: nothing at {moment}"
            moment = occurrences.next_after(moment, anchor)


def _period_of(entry: Entry) -> int | None:
    """Return the period of an entry that counts from its own anchor; None: it reads the clock."""
    rule = entry.rules[0]
    if rule.get("cron") == "@every 6s":
        return 6 * SECOND
    if rule["type"] == "interval" and not rule.keys() & {"anchor", "start_at"}:
        return int(rule["seconds"] * SECOND)
    return None
