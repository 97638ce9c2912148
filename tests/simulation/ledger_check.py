"""The oracle of random worlds: which occurrences each task owed over its lives, by brute force.

Responsible for: that each is accounted for exactly once through edits, pauses, removals and clocks
that are set, that chained tasks come once, and that nothing is left lying. It knows what was asked
of the scheduler and what the ledger says, not how it decides. What attempts do is `witness`'s.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from math import inf
from typing import Any

from task_scheduler.core.inbox import AddEntries, Command, RemoveEntries
from task_scheduler.core.model import SECOND, Entry, OverlapPolicy
from task_scheduler.stores.sqlite import SqliteStore
from tests.simulation.rules import Rule

__all__ = ["Oracle"]

_AHEAD = 100_000
"""The engine's look-ahead: what is planned within it may outlive an edit that comes then."""
_PATIENCE = 600 * SECOND
"""When nothing fails any more, what is due has begun and ended after this time."""


@dataclass(slots=True)
class _Stretch:
    """The time in which one rule decided when a task is due."""

    rule: Rule
    anchor: int
    low: int
    high: int | None = None
    is_first: bool = False
    """Of a life: a one-off in the past counts too."""
    skips: tuple[int, float] = (0, inf)
    """The ids of skips, from after one to another, that tell of this stretch."""


@dataclass(slots=True)
class _Place:
    """Where an entry stood after the last tick."""

    revision: int
    lap: int
    anchor: int
    cursor: int | None


class Oracle:
    """Watch a world and judge its ledger."""

    def __init__(self, ledger: SqliteStore, lowered: set[str]) -> None:
        self._ledger = ledger
        self.rules: dict[str, Rule] = {}
        self.removed: set[str] = set()
        self.occurrences = 0
        self._stretches: dict[str, list[_Stretch]] = defaultdict(list)
        self._vague: dict[str, list[tuple[int, int]]] = defaultdict(list)
        """Where an edit and a look-ahead or a clock set back overlap: either side may have it."""
        self._latest = 0
        self._ticked_at = 0
        self._mark = self._back_mark = 0
        """The greatest id of a skip, now and when the clock was last set back."""
        self._went_back = False
        self.limits: dict[str, int] = {}
        """The most failures that a run of each task may have."""
        self.lowered = lowered
        """Tasks of which so many may live as an earlier policy allowed."""
        self.children: dict[str, str] = {}
        """Chained tasks and their parents."""
        self._awaited: dict[str, set[int]] = defaultdict(set)
        """The successes of its parent that each of them does not, or did not, come after."""
        self._closed: dict[str, set[int]] = {}
        """The successes of its parent up to its removal."""
        self._places: dict[str, _Place] = {}
        self._waiting: dict[int, tuple[str, int]] = {}
        self._moved: dict[str, list[tuple[int, int | None]]] = defaultdict(list)
        """Runs that nobody had begun and that moved with an anchor: from where to where."""
        self._replayed: dict[str, list[tuple[int, int]]] = defaultdict(list)
        """Times that the clock showed to a rule of the calendar more than once."""

    # -- what the world tells -------------------------------------------------------------------

    def now_seen(self, now: int) -> None:
        """Note the wall clock."""
        self._went_back = self._went_back or now < self._latest
        self._latest = max(self._latest, now)

    def on_tick(self, now: int) -> None:
        """Look where entries and waiting runs stand, and what moved with the clock."""
        places = {
            row[0]: _Place(*row[1:])
            for row in self._rows("SELECT task_id, revision, lap, anchor, cursor FROM progress")
        }
        if now < self._ticked_at:
            self._back_mark = self._mark
            for stretch in chain.from_iterable(self._stretches.values()):
                if stretch.high is not None:
                    # What is skipped from now on is not of those.
                    stretch.skips = (stretch.skips[0], min(stretch.skips[1], self._mark))
        for task_id, stretches in self._stretches.items():
            old, new = self._places.get(task_id), places.get(task_id)
            if old is not None and new is not None and new.lap != old.lap:
                self._on_lap(task_id, old, new.anchor - old.anchor, now)
            elif not stretches[-1].rule.is_anchored:
                if now < self._ticked_at:
                    self._replayed[task_id].append((now, self._ticked_at + _AHEAD))
            elif old is not None and new is not None and new.cursor is not None:
                self._open_again(task_id, old.cursor, new.cursor)
        self._ticked_at = now
        (self._mark,) = self._row("SELECT coalesce(max(skip_id), 0) FROM skips")
        self._places = places
        waiting = {
            row[0]: (row[1], row[2])
            for row in self._rows(
                "SELECT run_id, task_id, scheduled_at FROM runs"
                " WHERE state IN ('waiting', 'running') AND attempt = 0 AND origin = 'schedule'"
            )
        }
        for run_id, (task_id, at) in waiting.items():
            was = self._waiting.get(run_id, (task_id, at))[1]
            if was != at:
                self._moved[task_id].append((was, at))
        self._waiting = waiting

    def _open_again(self, task_id: str, before: int | None, cursor: int) -> None:
        """Note that a claim which had moved with the clock was forgotten: its moment is to come."""
        last = self._stretches[task_id][-1]
        if before is not None and cursor < min(before, last.low):
            last.low = cursor
            self._moved[task_id] = [
                (was, None if at is None or at > cursor else at) for was, at in self._moved[task_id]
            ]

    def _on_lap(self, task_id: str, old: _Place, by: int, now: int) -> None:
        """Begin a new stretch: an anchor moved with a clock that was set back."""
        last = self._stretches[task_id][-1]
        if last.rule.is_delay:
            return
        assert by < 0, f"{task_id}: its anchor moved by {by}"
        mark = self._mark
        if old.cursor is None:
            last.anchor, last.low = last.anchor + by, last.low + by
            return
        # An edit owes nothing of before, whatever the cursor says.
        last.high = max(last.low, old.cursor)
        last.skips = (last.skips[0], mark)
        self._stretches[task_id].append(
            _Stretch(last.rule, last.anchor + by, last.high + by, skips=(mark, inf))
        )

    def snapshot(self) -> dict[str, Any]:
        """Return where every entry stands."""
        rows = self._rows("SELECT task_id, revision, anchor, cursor, next_due_at FROM progress")
        return {row[0]: row[1:] for row in rows}

    def revision_of(self, task_id: str) -> tuple[int, int] | None:
        """Return what changes whenever an entry is added, changed or removed."""
        found: tuple[int, int] | None = self._row(
            "SELECT revision, added_at FROM progress JOIN entries USING (task_id)"
            " WHERE task_id = ?",
            task_id,
        )
        return found

    def on_command(self, command: Command, before: dict[str, Any], now: int) -> None:
        """Note what a committed command changed."""
        after = self.snapshot()
        if isinstance(command, RemoveEntries):
            for task_id in command.task_ids:
                if task_id in before and task_id not in after:
                    self._close(task_id, now)
                    self.removed.add(task_id)
                    if task_id in self.children:
                        self._closed[task_id] = self._successes_of(self.children[task_id])
        elif isinstance(command, AddEntries):
            for entry in command.entries:
                self._on_put(entry, before.get(entry.task_id), after.get(entry.task_id), now)

    def _on_put(self, entry: Entry, old: Any, new: Any, now: int) -> None:
        task_id = entry.task_id
        if new is None or (old is not None and old[0] == new[0]):
            return
        limit = entry.policies.max_retries + 1
        self.limits[task_id] = max(self.limits.get(task_id, 0), limit)
        for link in entry.policies.after:
            self.children[task_id] = link.task_id
            self._awaited[task_id] = self._successes_of(link.task_id)
        if entry.policies.overlap is OverlapPolicy.ALLOW:
            # A smaller limit does not stop what lives.
            self.lowered |= {task_id} if old is not None else set()
        rule = self.rules[task_id]
        stretches = self._stretches[task_id]
        if old is not None and stretches and stretches[-1].rule.plains == rule.plains:
            return
        if old is not None:
            self._close(task_id, now)
        is_first = old is None or old[2] is None
        low = now - 1 if is_first else now
        # With the clock set back, even its first moment may lie in what was accounted for before.
        begin = low if self._latest > now else now
        self._vague[task_id].append((begin, max(self._latest, now) + _AHEAD))
        if rule.once_at is not None and old is not None and rule.once_at <= now:
            self._vague[task_id].append((rule.once_at - 1, rule.once_at))
        skips = (self._back_mark, inf)
        stretches.append(_Stretch(rule, new[1], low, is_first=old is None, skips=skips))

    def _close(self, task_id: str, now: int) -> None:
        self._stretches[task_id][-1].high = now
        self._vague[task_id].append((now, max(self._latest, now) + _AHEAD))

    # -- what the world asks --------------------------------------------------------------------

    def unfinished(self) -> list[int]:
        """Return the runs that are not over."""
        rows = self._rows(
            "SELECT run_id FROM runs WHERE state IN ('waiting', 'running') ORDER BY run_id"
        )
        return [row[0] for row in rows]

    # -- judgement ------------------------------------------------------------------------------

    def check_rest(self, now: int, rules: Mapping[str, Rule]) -> None:
        """Judge that nothing due was left lying once everything works."""
        for run_id, task_id, state, waiting_for, due_at in self._rows(
            "SELECT run_id, task_id, state, waiting_for, due_at FROM runs"
            " WHERE state IN ('waiting', 'running') AND due_at < ?",
            now - _PATIENCE,
        ):
            late = (now - due_at) / SECOND
            raise AssertionError(
                f"run {run_id} of {task_id} is {state} for {waiting_for}, {late:.0f} s after its"
                " moment"
            )
        late_entries = self._rows(
            "SELECT task_id, next_due_at FROM progress WHERE paused_at IS NULL AND is_resolved"
            " AND next_due_at < ?",
            now - SECOND,
        )
        assert not late_entries, f"not planned: {late_entries}"
        for task_id, rule in rules.items():
            found = self._row(
                "SELECT next_due_at FROM progress AS p WHERE task_id = ? AND NOT EXISTS (SELECT 1"
                " FROM runs AS r WHERE r.task_id = p.task_id AND state IN ('waiting', 'running'))",
                task_id,
            )
            assert not (rule.is_delay and found) or found[0], f"{task_id} stalls"

    def check(self) -> None:
        """Judge the ledger of a world that has come to rest and has no entries left."""
        unfinished = self.unfinished()
        assert not unfinished, f"still unfinished: {unfinished}"
        for task_id in self._stretches:
            self._check_accounts(task_id)
        for child in self.children:
            keys = self._rows("SELECT key FROM runs WHERE task_id = ? AND origin = 'chain'", child)
            came = {key for (key,) in keys}
            owed = {f"after:{run_id}" for run_id in self._closed[child] - self._awaited[child]}
            assert came == owed, f"{child} came after {came} instead of {owed}"

    def _successes_of(self, task_id: str) -> set[int]:
        rows = self._rows(
            "SELECT run_id FROM runs WHERE task_id = ? AND state = 'succeeded'", task_id
        )
        return {run_id for (run_id,) in rows}

    def _check_accounts(self, task_id: str) -> None:
        stretches = self._stretches[task_id]
        if any(stretch.rule.is_delay for stretch in stretches):
            # What it owed follows from what happened; `check_rest` sees that it goes on.
            return
        instants = [self._instants_of(stretch) for stretch in stretches]
        owed = Counter(at for found in instants for at in found)
        self.occurrences += owed.total()
        for was, at in self._moved[task_id]:
            if at is not None:
                owed[at] += 1
            owed[was] -= 1
            for found in instants:
                if was in found:
                    found.discard(was)
                    break
        vague, replayed = self._vague[task_id], self._replayed[task_id]

        def is_vague(first: int, last: int | None = None) -> bool:
            return any(low < (last or first) and first <= high for low, high in vague + replayed)

        cover: Counter[int] = Counter()
        for (at,) in self._rows(
            "SELECT scheduled_at FROM runs WHERE task_id = ? AND origin = 'schedule'", task_id
        ):
            assert owed[at] or is_vague(at), f"{task_id} has a run at {at}, which it did not owe"
            cover[at] += 1
        for skip_id, reason, first, last, count in self._rows(
            "SELECT skip_id, reason, first_at, last_at, count FROM skips WHERE task_id = ?", task_id
        ):
            assert first <= last, f"{task_id}: a {reason} range from {first} to {last}"
            inside = [
                at
                for stretch, found in zip(stretches, instants, strict=True)
                if stretch.skips[0] < skip_id <= stretch.skips[1]
                for at in found
                if first <= at <= last
            ]
            cover.update(inside)
            if count is not None and not is_vague(first, last):
                assert count == len(inside), (
                    f"{task_id}: {count} skipped ({reason}) from {first} to {last},"
                    f" where {len(inside)} were owed"
                )
        again = {
            at
            for (at,) in self._rows(
                "SELECT scheduled_at FROM runs WHERE task_id = ? AND origin = 'backfill'", task_id
            )
        }
        for at in again - cover.keys():
            # An operator was quicker than the planner.
            cover[at] += owed[at]
        end = stretches[-1].high
        assert end is not None
        for at, times in sorted(owed.items()):
            if not is_vague(at):
                assert cover[at] == times, (
                    f"{task_id}: {at} is accounted for {cover[at]} times instead of {times}"
                )
            elif not any(low < at <= high for low, high in vague):
                is_there = cover[at] or not times or at > end
                assert is_there, f"{task_id}: {at} came twice and is not accounted for"

    def _instants_of(self, stretch: _Stretch) -> set[int]:
        """Return what was owed in a stretch, by brute force."""
        assert stretch.high is not None
        found = stretch.rule.instants(stretch.anchor, stretch.low, stretch.high)
        once_at = stretch.rule.once_at
        if stretch.is_first and once_at is not None and once_at <= stretch.high:
            found.add(once_at)
        return found

    def _rows(self, query: str, *values: Any) -> list[Any]:
        return self._ledger._connection.execute(query, values).fetchall()

    def _row(self, query: str, *values: Any) -> Any:
        return self._ledger._connection.execute(query, values).fetchone()
