"""Why a task ran, or did not: the rules in the order in which they decide, read from the ledger.

Responsible for: finding what became of one moment, and the checklist with the one line that
decided and the command to type next. Changes nothing, and decides nothing that the engine decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from task_scheduler.core.model import SECOND, Microseconds
from task_scheduler.errors import ScheduleError
from task_scheduler.i18n import translate
from task_scheduler.ledger_view import USER_RULE, LedgerView, iso, rule_sentence
from task_scheduler.schedules.calendars.registry import BUILT_IN, Calendars
from task_scheduler.schedules.occurrences import Occurrences, union
from task_scheduler.schedules.rule import from_plain, occurrences_of

__all__ = ["Check", "Explanation", "explain_task", "parent_text"]

_LATE: Microseconds = 5 * SECOND
"""A start that came so long after its moment is worth a word."""
_SKIPPED_BY = {
    "overlap": "overlap",
    "paused": "paused",
    "blackout": "excluded",
    "misfire": "misfire",
    "coalesced": "misfire",
    "catch_up_limit": "misfire",
    "expired": "misfire",
    "superseded": "edit",
    "removed": "edit",
    "restored": "hold",
}
"""Which rule a reason of a skip belongs to."""
_ORDER = ("schedule", "edit", "paused", "excluded", "code", "scheduler", "misfire", "overlap")
_ALWAYS = frozenset({"schedule", "paused", "code", "misfire", "overlap"})
"""Rules that are named also where they stood in nobody's way."""


@dataclass(frozen=True, slots=True)
class Check:
    """One rule and what it said; `values` hold moments in ISO 8601 under names ending in _at."""

    name: str
    is_fine: bool
    key: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def sentence(self, show: Callable[[str | None], str] = str) -> str:
        """Return the sentence, with moments as `show` gives them."""
        shown = {k: show(v) if k.endswith("_at") else v for k, v in self.values.items()}
        return translate(f"why.{self.key}", **shown)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What became of one moment of a task, and why."""

    task_id: str
    verdict: str
    """``ran``, ``runs``, ``waits``, ``not_started``, ``not_due`` or ``to_come``."""
    at: str | None
    run_id: int | None
    checks: tuple[Check, ...]
    decided_by: str | None
    """The name of the check that decided; None: nothing stood in the way."""
    command: str
    """What to type next."""

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON values, with the sentences in the current language."""
        return {
            "task_id": self.task_id,
            "verdict": self.verdict,
            "at": self.at,
            "run_id": self.run_id,
            "decided_by": self.decided_by,
            "checks": [
                {"check": c.name, "is_fine": c.is_fine, "sentence": c.sentence(), **c.values}
                for c in self.checks
            ],
            "next": self.command,
        }


def explain_task(
    fetch: Callable[..., Any],
    task_id: str,
    at: Microseconds | None,
    *,
    now: Microseconds,
    is_running: bool,
    calendars: Calendars = BUILT_IN,
    width: Microseconds = SECOND,
) -> Explanation:
    """Explain what became of a task in the stretch of `width` from `at`; None: of its last moment.

    `is_running`: whether a scheduler runs on the ledger now. Raises TaskNotFoundError.
    """
    # Also where it raises for an unknown task.
    task = LedgerView(fetch).task(task_id)
    row = fetch("load_entries", ids=[task_id])[0]
    if at is None:
        at, width = fetch("why_latest", task_id=task_id) or row[12] or now, 1
    case = _Case(
        fetch,
        task,
        row,
        at=at,
        width=width,
        now=now,
        is_running=is_running,
        calendars=calendars,
    )
    return case.explanation()


def parent_text(parent: Mapping[str, Any]) -> str:
    """Return a parent with how it has to end, and whether it is awaited or does not exist."""
    state = "awaited" if parent["run_id"] is None else "ended"
    state = state if parent["exists"] else "unknown"
    on = translate(f"why.on_{parent['on']}")
    values = {"task": parent["task"], "on": on, "run_id": parent["run_id"]}
    return translate(f"why.parent_{state}", **values)


class _Case:
    """One question, and what the ledger knows of it."""

    def __init__(
        self,
        fetch: Callable[..., Any],
        task: Mapping[str, Any],
        row: list[Any],
        *,
        at: Microseconds,
        width: Microseconds,
        now: Microseconds,
        is_running: bool,
        calendars: Calendars,
    ) -> None:
        self._fetch = fetch
        self._task = task
        self._id = task["task_id"]
        self._anchor: Microseconds = row[10]
        self._paused_at: Microseconds | None = row[13]
        self._is_resolved = bool(row[14])
        self._at = at
        self._last = at + width - 1
        self._now = now
        self._is_running = is_running
        self._calendars = calendars
        stretch = {"task_id": self._id, "first": at, "last": self._last}
        self._run: Mapping[str, Any] | None = fetch("why_run", **stretch)
        self._skip: Mapping[str, Any] | None = fetch("why_skip", **stretch)
        self._due = self._due_at()

    def explanation(self) -> Explanation:
        """Find the rule that decided and tell it with those before it."""
        if self._run is not None:
            return self._of_run(self._run)
        if self._skip is not None:
            skip = self._skip
            values = {"first_at": iso(skip["first_at"]), "last_at": iso(skip["last_at"])}
            return self._told("not_started", self._skipped(skip["reason"], skip, values))
        if self._due is None:
            return self._told("not_due", self._not_due())
        verdict = "to_come" if self._due > self._now else "not_started"
        return self._told(verdict, self._undecided(self._due))

    # -- what decided ---------------------------------------------------------------------------

    def _of_run(self, run: Mapping[str, Any]) -> Explanation:
        state, run_id = run["state"], run["run_id"]
        if state == "skipped":
            return self._told("not_started", self._skipped(run["reason"], run, {}), run)
        if state == "running":
            check = Check("attempt", True, "running", {"started_at": iso(run["started_at"])})
            return self._told("runs", check, run, f"tsk logs {run_id} -f")
        if state == "waiting":
            return self._told("waits", self._waiting(run), run)
        if run["started_at"] is None:
            check = Check("attempt", False, "cancelled", {"error": run["error"] or ""})
            return self._told("not_started", check, run)
        values = {"started_at": iso(run["started_at"]), "attempt": run["attempt"]}
        check = Check(
            "attempt",
            state == "succeeded",
            f"ended_{state}",
            {**values, "error": run["error"] or ""},
        )
        return self._told("ran", check, run, f"tsk logs {run_id}")

    def _skipped(self, reason: str, row: Mapping[str, Any], values: Mapping[str, Any]) -> Check:
        name = _SKIPPED_BY.get(reason, "edit")
        blocker = row.get("blocker_run_id")
        if reason == "overlap" and blocker is not None:
            return Check(name, False, "overlap_by", {**values, "run_id": blocker})
        started = None
        if name == "misfire" and "at" in row:
            started = self._fetch("why_start", first=self._at, last=row["at"])
        if started is not None:
            return Check("scheduler", False, f"down_{reason}", {"started_at": iso(started)})
        return Check(name, False, f"skipped_{reason}", values)

    def _waiting(self, run: Mapping[str, Any]) -> Check:
        waiting_for, due = run["waiting_for"], {"due_at": iso(run["due_at"])}
        policies = self._task["policies"]
        held = self._hold_check()
        if held is not None:
            return held
        if waiting_for == "overlap":
            blocker = self._fetch("why_blocker", task_id=self._id, run_id=run["run_id"])
            return Check("overlap", False, "queued", {"run_id": blocker})
        if waiting_for == "pause":
            return self._pause_check()
        if waiting_for == "code":
            return Check("code", False, "code_gone")
        if waiting_for == "pool":
            users = self._fetch("why_pool", pool=policies.get("pool"))
            names = ", ".join(f"{task_id} ({run_id})" for run_id, task_id in users)
            return Check("pool", False, "pool_full", {"pool": policies["pool"], "users": names})
        if waiting_for == "rate":
            return Check("rate", False, "rate_used", {"rate": policies["rate_limit"], **due})
        if waiting_for == "thread":
            return Check("attempt", False, "old_thread")
        if not self._is_running:
            return Check("scheduler", False, "nobody_runs")
        if waiting_for == "retry" and run["due_at"] > self._now:
            return Check("retry", False, "retry_later", {"attempt": run["attempt"], **due})
        if run["due_at"] > self._now:
            return Check("schedule", True, "to_come", due)
        return Check("workers", False, "no_worker")

    def _not_due(self) -> Check:
        kept = self._occurrences(with_calendars=False)
        if kept is not None:
            excluded = kept.next_after(self._at - 1, self._anchor)
            if excluded is not None and excluded <= self._last:
                names = [*self._names("exclude"), *self._names("include")]
                values = {"due_at": iso(excluded), "calendars": ", ".join(names)}
                return Check("excluded", False, "excluded", values)
        occurrences = self._occurrences()
        following = (
            None if occurrences is None else occurrences.next_after(self._last, self._anchor)
        )
        if not self._task["rules"]:
            parents = LedgerView(self._fetch).parents(self._id)
            text = ", ".join(parent_text(parent) for parent in parents)
            key = "after_others" if parents else "on_request"
            return Check("schedule", False, key, {"parents": text})
        if following is None:
            return Check("schedule", False, "no_occurrence")
        return Check("schedule", False, "other_occurrence", {"next_at": iso(following)})

    def _undecided(self, due: Microseconds) -> Check:
        """Return what keeps an occurrence that has neither run nor skip yet."""
        held = self._hold_check()
        if held is not None:
            return held
        if self._paused_at is not None:
            return self._pause_check()
        if not self._is_resolved:
            return Check("code", False, "code_gone")
        if self._task["rule_error"]:
            return Check("schedule", False, "rule_error", {"error": self._task["rule_error"]})
        if not self._is_running:
            return Check("scheduler", False, "nobody_runs")
        if due > self._now:
            return Check("schedule", True, "to_come", {"due_at": iso(due)})
        return Check("history", False, "not_kept", {"added_at": self._task["added_at"]})

    def _hold_check(self) -> Check | None:
        """Return why nothing of the whole ledger starts; None where it is not held."""
        hold = LedgerView(self._fetch).hold()
        if hold is None:
            return None
        return Check("hold", False, f"held_{hold['reason']}", {"held_at": hold["held_at"]})

    def _pause_check(self) -> Check:
        values = {
            "paused_at": self._task["paused_at"],
            "reason": self._task["pause_reason"] or "–",
        }
        return Check("paused", False, "paused_since", values)

    # -- the checklist --------------------------------------------------------------------------

    def _told(
        self,
        verdict: str,
        decided: Check,
        run: Mapping[str, Any] | None = None,
        command: str = "",
    ) -> Explanation:
        checks = [] if decided.name == "schedule" else [self._schedule_check(run)]
        for name in _ORDER[1:]:
            if decided.name in (name, "schedule"):
                break
            if name in _ALWAYS:
                checks.append(Check(name, True, f"{name}_fine"))
        checks.append(decided)
        lateness = 0
        if run is not None and run["started_at"] is not None and run["attempt"] == 1:
            lateness = run["started_at"] - run["scheduled_at"]
        if lateness > _LATE:
            checks.insert(-1, Check("late", True, "late", {"seconds": round(lateness / SECOND)}))
        shown_at = run["scheduled_at"] if run is not None else self._due or self._at
        return Explanation(
            task_id=self._id,
            verdict=verdict,
            at=iso(shown_at),
            run_id=None if run is None else run["run_id"],
            checks=tuple(checks),
            decided_by=None if decided.is_fine else decided.name,
            command=command or self._command(decided),
        )

    def _schedule_check(self, run: Mapping[str, Any] | None) -> Check:
        if run is not None and run["origin"] != "schedule":
            return Check("schedule", True, f"asked_{run['origin']}", {"due_at": iso(self._at)})
        rules = "; ".join(rule_sentence(rule) for rule in self._task["rules"])
        due = run["scheduled_at"] if run is not None else self._due or self._at
        return Check("schedule", True, "schedule_fine", {"rules": rules, "due_at": iso(due)})

    def _command(self, decided: Check) -> str:
        task_id = self._id
        run_id = decided.values.get("run_id")
        commands = {
            "overlap": f"tsk logs {run_id}" if run_id else f"tsk runs {task_id}",
            "hold": "tsk restore",
            "paused": f"tsk resume {task_id}",
            "scheduler": f"tsk run {task_id}" if self._is_running else "tsk up",
            "misfire": f"tsk run {task_id}",
            "pool": "tsk runs --state running",
            "workers": "tsk runs --state running",
            "retry": f"tsk runs {task_id}",
            "attempt": f"tsk runs {task_id}",
            "schedule": f"tsk next {task_id}",
            "excluded": f"tsk next {task_id}",
        }
        return commands.get(decided.name, f"tsk show {task_id}")

    # -- the rules ------------------------------------------------------------------------------

    def _due_at(self) -> Microseconds | None:
        """Return the occurrence in the stretch, as the rules say it now."""
        occurrences = self._occurrences()
        found = None
        if occurrences is not None:
            found = occurrences.next_after(self._at - 1, self._anchor)
        return found if found is not None and found <= self._last else None

    def _occurrences(self, *, with_calendars: bool = True) -> Occurrences | None:
        """Return what the rules say; None for those that only their own code knows."""
        rules = self._task["rules"]
        if not rules or any(rule.get("type") == USER_RULE for rule in rules):
            return None
        without = () if with_calendars else ("exclude", "include")
        try:
            made = [from_plain({k: v for k, v in r.items() if k not in without}) for r in rules]
            return union([occurrences_of(r, self._calendars, task_id=self._id) for r in made])
        except ScheduleError:
            return None

    def _names(self, key: str) -> list[str]:
        names = [rule.get(key) or [] for rule in self._task["rules"]]
        return [str(n) for item in names for n in ([item] if isinstance(item, str) else item)]
