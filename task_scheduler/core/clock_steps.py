"""Clock steps: the ledger brought into step with a clock that was set back.

Responsible for: noticing that wall and boot clock have parted since the ledger last saw them, also
across a restart, and what follows from a step back. What counts from an anchor, and every delay,
follows real time: it moves by the step. What the rules read off the clock is planned again from
the present on; an instant that had its run has no second one. All of it is done set-wise, inside
the engine's transaction, and costs as much as there are entries to move, however far the jump.

A step forward needs nothing: what is due by it was missed, which the planner bounds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from task_scheduler.core.delay_occurrences import is_fixed_delay
from task_scheduler.core.entries import EntryShelf, plan_moment
from task_scheduler.core.events import ClockFollowed
from task_scheduler.core.flights import Flights, Known, Work
from task_scheduler.core.inbox import Fact, Returned
from task_scheduler.core.limits import EngineLimits
from task_scheduler.core.model import SECOND, Microseconds
from task_scheduler.core.ports import Hands, Store

__all__ = ["ClockSteps", "anchoring_of", "instant_key"]

_STEP: Microseconds = SECOND // 10
"""A difference of the clocks beyond which the wall clock was set; below, it is slewed."""
_SLEW: Microseconds = SECOND // 100
"""A difference that is not worth a note in the ledger."""
_UNSURE: Microseconds = SECOND
"""How far ahead of the clock a cursor may stand that was planned ahead of its moment."""
_ANCHORED = frozenset(
    {"type", "seconds", "cron", "anchor", "kind", "timezone", "jitter_seconds", "max_runs"}
)
"""The parameters of an interval whose instants all move with its anchor."""


def anchoring_of(rules: Sequence[Mapping[str, Any]]) -> int:
    """Return 1 where an entry's instants count from its own anchor, 2 with bounds that do not.

    0: some rule reads the clock; 3: they count from the end of the last run. `rules` are plain.
    """
    if is_fixed_delay(rules):
        return 3
    if len(rules) != 1 or rules[0].get("start_at") is not None:
        return 0
    rule = rules[0]
    cron = rule.get("cron")
    is_interval = rule.get("type") == "interval" and rule.get("anchor", "start") == "start"
    is_every = rule.get("type") == "cron" and str(cron).strip().lower().startswith("@every")
    if not is_interval and not is_every:
        return 0
    return 1 if rule.keys() <= _ANCHORED else 2


def instant_key(at: Microseconds, lap: int) -> str:
    """Return the key of the run at an instant.

    `lap` is how often the entry's anchor was moved back with the clock: the clock shows some
    moments again then, and they are other ones.
    """
    return f"{at}.{lap}" if lap else str(at)


class ClockSteps:
    """Follow the clock; the engine calls, in its transaction and around it."""

    def __init__(
        self, store: Store, shelf: EntryShelf, flights: Flights, hands: Hands, limits: EngineLimits
    ) -> None:
        self._store = store
        self._shelf = shelf
        self._flights = flights
        self._hands = hands
        self._limits = limits
        self._boot_id = ""
        self._offset: Microseconds | None = None
        """Wall minus boot clock at the last look; None: the ledger is to be asked."""
        self._noted: Microseconds | None = None
        """The same, as this tick found it."""
        self._recorded: Microseconds | None = None
        """The same, as the ledger has it."""
        self._by: Microseconds | None = None
        """The step back, if it is known, that came while no process held the ledger."""
        self._ahead: Microseconds = 0
        """Beyond this moment lies what the clock is to show again, as this tick found it."""

    def open(self, boot_id: str) -> None:
        """Begin on this boot of the machine."""
        self._boot_id = boot_id
        self._offset = self._by = None

    def is_stepped(self, work: Work) -> bool:
        """Whether the clock was set since the last look; a slewed one is followed silently."""
        if self._offset is None:
            return False
        if abs(work.clock_offset - self._offset) > _STEP:
            return True
        self._offset = work.clock_offset
        return False

    def recall(self, work: Work) -> list[Returned]:
        """Take unstarted claims out of the gate if the clock was set back."""
        if self._offset is None or work.clock_offset - self._offset >= -_STEP:
            return []
        unstarted = [f.claim for f in self._flights.in_hand.values() if not f.is_started]
        return [Returned(claim) for claim in unstarted if self._hands.revoke(claim.run_id)]

    def follow(self, work: Work) -> None:
        """Bring the ledger into step; before anything of this tick is recorded at the new time."""
        self._noted = offset = work.clock_offset
        self._ahead = work.now + _UNSURE
        seen = self._offset
        if seen is None:
            boot_id, then = self._store.fetch("clock_seen") or [None, 0]
            seen = self._recorded = then if boot_id == self._boot_id else None
        if seen is None:
            # Another boot: its clocks tell nothing of the difference.
            self._go_back(None, work)
        elif offset - seen < -_STEP:
            if self._offset is None:
                self._by = offset - seen
            self._go_back(offset - seen, work)
        if self._recorded is None or abs(offset - self._recorded) > _SLEW:
            self._store.execute("see_clock", boot_id=self._boot_id, offset=offset)
            self._recorded = offset

    def mend(self, facts: Sequence[Fact], work: Work) -> bool:
        """Bring claims into step that came back unstarted; True if seats became free."""
        rows, tasks = [], []
        for fact in facts:
            if isinstance(fact, Returned) and fact.claim.due_at > self._ahead:
                # Claimed just before its moment, which lies ahead again: the clock was set back.
                claim = fact.claim
                by = work.clock_offset - claim.clock_offset
                if not claim.clock_offset:
                    # Of a claim from before a restart; nobody may know how the clock stood then.
                    by = work.now - claim.due_at if self._by is None else self._by
                rows.append([claim.run_id, by])
                tasks.append(claim.task_id)
        if not rows:
            return False
        self._store.execute("shift_returned", rows=rows)
        self._store.execute("forget_returned", rows=rows, limit=self._ahead)
        work.vacated.update(tasks)
        work.has_unclaimed = True
        return True

    def keep(self) -> None:
        """Remember where the clock stands: what followed from it is durable."""
        self._offset = self._noted

    def doubt(self) -> None:
        """Ask the ledger at the next tick: this one failed, perhaps after its commit."""
        self._offset = None

    # -- a step back ----------------------------------------------------------------------------

    def _go_back(self, by: Microseconds | None, work: Work) -> None:
        """Follow a step back; None: it is unknown whether there was one, and by how much."""
        run, now = self._store.execute, work.now
        self._ahead = limit = now + _UNSURE if by is None else now
        self._flights.unlearn_all()
        shifts = self._store.fetch("anchored_shifts", by=by, now=now, limit=limit)
        if shifts:
            run("shift_anchored", rows=shifts)
            run("shift_planned", rows=shifts)
        delays = run("shift_delays", by=by, now=now, limit=limit)
        run("shift_starts", by=by, now=now)
        forgotten = run("forget_ahead", limit=limit)
        ahead = self._store.fetch("ahead_of_clock", now=now, limit=limit)
        if ahead:
            self._rewind(ahead, work)
        # Anchors changed under the same revision.
        self._flights.unlearn_all()
        if by is not None or shifts or delays or forgotten or ahead:
            work.has_unclaimed = True
            work.vacated.update(row[0] for row in ahead)
            work.events.append(ClockFollowed(by, len(shifts), len(ahead), delays))

    def _rewind(self, ahead: Sequence[Sequence[Any]], work: Work) -> None:
        """Plan entries of the calendar from the present on."""
        known_of = self._shelf.look_up([(row[0], row[1]) for row in ahead])
        rows = [self._rewound(known_of.get(row[0]), row, work) for row in ahead]
        self._store.execute("rewind_cursors", rows=rows)
        found = self._store.fetch("skips_beyond", ids=[row[0] for row in ahead], now=work.now)
        if not found:
            return
        trimmed = []
        counts: Counter[str] = Counter()
        for skip_id, task_id, first, count in found:
            left = self._count(known_of.get(task_id), first, work.now)
            trimmed.append([skip_id, left if count is not None else None])
            if count is not None and left is not None:
                counts[task_id] += left - count
        self._store.execute("trim_skips", rows=trimmed, now=work.now)
        self._store.execute("count_skips", rows=list(counts.items()))

    def _rewound(self, known: Known | None, row: Sequence[Any], work: Work) -> list[Any]:
        """Return a row of `rewind_cursors`."""
        task_id, _, anchor, cursor = row
        now = work.now
        anchor = min(anchor, now)
        cursor = None if cursor is None else min(cursor, now)
        if known is not None and known.occurrences is not None:
            try:
                if cursor is None:
                    due_at = known.occurrences.first(anchor)
                else:
                    due_at = known.occurrences.next_after(now, anchor)
            except Exception as error:  # fence: rule
                self._shelf.keep_error(known.entry, error, work)
            else:
                plan_at = plan_moment(known.entry, due_at, self._limits.look_ahead)
                return [task_id, anchor, cursor, due_at, plan_at, None]
        # Its code is not here, or raises: asked again later, it goes on from the cursor.
        error_text = self._shelf.error_of(task_id)
        return [task_id, anchor, cursor, None, now + self._limits.rule_retry, error_text]

    @staticmethod
    def _count(known: Known | None, first: Microseconds, until: Microseconds) -> int | None:
        if known is None or known.occurrences is None:
            return None
        try:
            return known.occurrences.count_between(first - 1, until, known.anchor)
        except Exception:  # fence: rule
            return None
