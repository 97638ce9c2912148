"""From events to signs: what the ledger and outputs add to what the event stream tells.

Responsible for: reading it, a batch at a time, and the looks at the ledger. A ledger that cannot be
read adds nothing; the signs come all the same.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from task_scheduler.alerts import signs
from task_scheduler.alerts.cause import cause_of, error_line
from task_scheduler.alerts.excerpt import last_lines
from task_scheduler.alerts.living_use import used_until_now
from task_scheduler.alerts.rules import AlertKind, AlertPlan
from task_scheduler.core import events
from task_scheduler.core.model import Microseconds, Outcome, SkipReason
from task_scheduler.errors import StoreError
from task_scheduler.i18n import translate

__all__ = ["MISSED", "SignReader"]

MISSED = frozenset({SkipReason.MISFIRE, SkipReason.CATCH_UP_LIMIT, SkipReason.EXPIRED})
"""Skips that nobody wished for."""
_BAD = frozenset({Outcome.FAILED, Outcome.TIMED_OUT, Outcome.LOST})
_LINES = 20
_MOST = 5_000
_MOST_PROGRAMS = 200
"""Whose processes are looked at every few seconds."""
_cause_of = functools.lru_cache(maxsize=4_096)(cause_of)


class SignReader:
    """Make signs of events; `fetch` is that of a reader of the ledger."""

    def __init__(self, fetch: Callable[..., Any], runs_folder: Path) -> None:
        self.fetch = fetch
        self._runs_folder = runs_folder

    def ask(self, name: str, default: Any, **parameters: Any) -> Any:
        """Return what a query gives; what stands for it where the ledger cannot be read."""
        try:
            found = self.fetch(name, **parameters)
        except StoreError:
            return default
        return default if found is None else found

    def signs_of(self, told: Sequence[events.Event], now: Microseconds) -> list[signs.Sign]:
        """Return the signs of events, in their order; `now` for those that have no moment."""
        failed = [e for e in told if isinstance(e, events.RunSettled) and e.outcome in _BAD]
        attempts = self._attempts([event.run_id for event in failed])
        lines: dict[tuple[str, int | None], str] = {}
        found: list[signs.Sign] = []
        for event in told:
            if isinstance(event, events.RunSettled) and event.outcome in _BAD:
                exit_code, output = attempts.get(str(event.run_id), (None, None))
                line = ""
                if exit_code is not None and event.outcome is Outcome.FAILED:
                    # Of many failures of a task in one breath, one is read.
                    known = (event.task_id, exit_code)
                    if known not in lines:
                        lines[known] = self._error_line(output)
                    line = lines[known]
                found.append(_failed(event, exit_code, line))
            elif (sign := _sign_of(event, now)) is not None:
                found.append(sign)
        return found

    def used_by(self, told: Sequence[events.Event]) -> list[signs.Used]:
        """Return what the runs used that ended by these events, as far as it was measured."""
        ended = [e for e in told if isinstance(e, events.RunSettled)]
        if not ended:
            return []
        found = self.ask("usage_of_runs", {}, ids=[event.run_id for event in ended])
        return [
            signs.Used(event.task_id, event.name, event.run_id, _amounts(row), event.at)
            for event in ended
            if (row := found.get(str(event.run_id))) is not None
        ]

    def used_now(self, plan: AlertPlan, now: Microseconds) -> list[signs.Used]:
        """Return what those programs have used that run now, and of which a rule wants to know."""
        rows = self.ask("alert_programs_living", [], limit=_MOST_PROGRAMS)
        wanted = [row for row in rows if plan.rules_for(AlertKind.HEAVY, row[0])]
        names = self.names({row[0] for row in wanted})
        found = []
        for task_id, run_id, token in wanted:
            amounts = used_until_now(self._runs_folder / f"{run_id}-{token}")
            if amounts:
                name = names.get(task_id, task_id)
                found.append(signs.Used(task_id, name, run_id, amounts, now, is_over=False))
        return found

    def missed_ends(self, since: Microseconds) -> list[events.RunSettled]:
        """Return as events what ended badly since a moment and may have been told to nobody."""
        rows = self.ask("alert_missed_ends", [], since=since, limit=_MOST)
        names = self.names({row[0] for row in rows})
        return [
            events.RunSettled(
                task_id, names.get(task_id, task_id), run_id, attempt, Outcome(state), error, 0, at
            )
            for task_id, run_id, attempt, state, error, at in rows
        ]

    def missed_successes(self, task_ids: Iterable[str]) -> list[signs.Succeeded]:
        """Return which of these tasks went well when they last ran."""
        rows = self.ask("last_runs", [], ids=list(task_ids))
        return [
            signs.Succeeded(
                row["task_id"],
                row["task_id"],
                row["run_id"],
                row["ended_at"] - row["started_at"],
                row["ended_at"],
            )
            for row in rows
            if row["state"] == "succeeded" and row["started_at"] is not None
        ]

    def history(self, task_ids: Iterable[str], before: Microseconds) -> dict[str, Any]:
        """Return how tasks ended before a moment, as `Memory.seed` takes it."""
        ids = list(task_ids)
        if not ids:
            return {}
        found = self.ask("alert_history", {}, ids=ids, before=before, sample=50)
        return {task_id: found.get(task_id) or [] for task_id in ids}

    def ancestors(self, task_ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return after which tasks these run, and those in turn."""
        ids = list(task_ids)
        found = self.ask("alert_ancestors", {}, ids=ids) if ids else {}
        return {task_id: tuple(found.get(task_id) or ()) for task_id in ids}

    def names(self, task_ids: Iterable[str]) -> dict[str, str]:
        """Return what tasks are called."""
        ids = list(task_ids)
        names: dict[str, str] = self.ask("alert_names", {}, ids=ids) if ids else {}
        return names

    def look(self, plan: AlertPlan, now: Microseconds) -> signs.Look | None:
        """Look at the ledger for what no event tells of; None where it cannot be read."""
        try:
            waiting = self._waiting(plan, now) if plan.has(AlertKind.LATE) else []
            is_timed = plan.has(AlertKind.OVERRUN, AlertKind.SLOW)
            running = self.fetch("alert_runs_living", limit=_MOST) if is_timed else []
            unresolved = (
                self.fetch("alert_unresolved", limit=_MOST)
                if plan.has(AlertKind.UNRESOLVED)
                else []
            )
        except StoreError:
            return None
        names = self.names({row[0] for row in (*waiting, *running)})

        def standing(rows: list[Any]) -> tuple[signs.Standing, ...]:
            return tuple(
                signs.Standing(t, names.get(t, t), run_id, at) for t, run_id, at, _ in rows
            )

        return signs.Look(
            now,
            standing(waiting),
            standing(running),
            tuple(signs.Standing(t, name, None, now, why or "") for t, name, why in unresolved),
        )

    def _waiting(self, plan: AlertPlan, now: Microseconds) -> list[Any]:
        least = min(rule.late for rule in plan.rules if AlertKind.LATE in rule.kinds)
        rows: list[Any] = self.fetch("alert_runs_late", before=now - least, limit=_MOST)
        return rows

    def _attempts(self, run_ids: list[int]) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("alert_attempts", {}, ids=run_ids) if run_ids else {}
        return found

    def _error_line(self, output: str | None) -> str:
        return error_line(last_lines(self._runs_folder / output, _LINES)) if output else ""


def _amounts(row: Sequence[float | None]) -> dict[str, float]:
    names = ("memory_bytes", "cpu_seconds", "read_bytes", "written_bytes")
    return {name: of for name, of in zip(names, row, strict=True) if of is not None}


def _failed(event: events.RunSettled, exit_code: int | None, line: str) -> signs.Failed:
    cause = _cause_of(event.outcome.value, error=event.error, exit_code=exit_code, line=line)
    error = event.error or translate("logs.no_reason")
    if line and line not in error and event.outcome is Outcome.FAILED:
        error = f"{error}: {line}"
    return signs.Failed(
        event.task_id, event.name, event.run_id, event.attempt, cause, error, event.at
    )


def _sign_of(event: events.Event, now: Microseconds) -> signs.Sign | None:
    """Return the sign of an event that says it all."""
    match event:
        case events.RunSettled(outcome=Outcome.SUCCEEDED):
            return signs.Succeeded(
                event.task_id, event.name, event.run_id, event.duration, event.at
            )
        case events.RunSkipped():
            count = 1 if event.count is None else event.count
            return signs.Missed(event.task_id, event.name, event.reason.value, count, event.at)
        case events.EntryRemoved():
            return signs.Gone(event.task_id)
        case events.FaultBegan():
            trouble = event.trouble
            what = translate(f"faults.{trouble.kind}", where=trouble.where, why=trouble.why)
            return signs.Faulted(trouble.kind.value, f"{what}: {trouble.why}", event.at)
        case events.FaultEnded():
            return signs.Mended(event.trouble.kind.value, now)
        case events.LedgerHeld():
            return signs.Faulted("ledger_held", translate("alerts.ledger_held"), now)
        case events.LedgerReleased():
            return signs.Mended("ledger_held", now)
        case events.PingReceived():
            return signs.Pinged(event.check_id, event.kind, event.text, event.at)
    return None
