"""The judge: signs in, notices out; what is told of an alert, and when.

Responsible for: grouping by cause, counting, opening and closing, and the moments at which people
hear of it. Pure: it reads no clock, no ledger and no configuration, and tells nobody.

An alert is open while one of its tasks has not recovered. Of an open one people hear when it has
been gathered for a moment; then when it became more (another task, or twice as many failures), at
most once in the time of a digest; then as a reminder; and when all of its tasks have recovered. One
that comes back soon is the same alert, and ever less is told of it: whatever flaps would else tell
of nothing else.

Nothing is told of a task that somebody silenced, that is in maintenance, or that follows a task
which is in an alert itself. It is remembered all the same: what outlasts that is told then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from task_scheduler.alerts.case_book import CaseBook
from task_scheduler.alerts.memory import Alert, Memory, PingState, Sample
from task_scheduler.alerts.notices import Notice
from task_scheduler.alerts.rules import AlertKind, AlertPlan, Rule
from task_scheduler.alerts.signs import (
    Failed,
    Faulted,
    Gone,
    Look,
    Mended,
    Missed,
    Pinged,
    Sign,
    Standing,
    Succeeded,
    Used,
)
from task_scheduler.alerts.telling import Teller
from task_scheduler.alerts.usual import slow_from
from task_scheduler.core.model import SECOND, Microseconds

__all__ = ["Judge"]

_UNTIL_SUCCESS = (AlertKind.FAILED, AlertKind.MISSED)
_SEEN_BY_LOOKS = (AlertKind.LATE, AlertKind.OVERRUN, AlertKind.UNRESOLVED)


class Judge:
    """Take signs, and say what is to be told; one thread calls it."""

    def __init__(self, plan: AlertPlan, memory: Memory | None = None) -> None:
        self.memory = memory or Memory()
        self.book = CaseBook(plan, self.memory)
        self._teller = Teller(self.book)
        self._struggling: set[str] = set()
        """Tasks that failed when they last ran."""

    @property
    def plan(self) -> AlertPlan:
        """What it judges by."""
        return self.book.plan

    def adopt(self, plan: AlertPlan) -> None:
        """Judge by another plan from now on."""
        self.book.adopt(plan)

    def decide(self, now: Microseconds) -> list[Notice]:
        """Return what is to be told now; it counts as told with that."""
        self._expect(now)
        return self._teller.decide(now)

    # -- signs ----------------------------------------------------------------------------------

    def take(self, sign: Sign) -> None:
        """Take in what happened."""
        match sign:
            case Failed():
                self._fail(sign)
            case Succeeded():
                self._succeed(sign)
            case Used():
                self._use(sign)
            case Missed():
                self._miss(sign)
            case Look():
                self._look(sign)
            case Pinged():
                self._ping(sign)
            case Faulted():
                self._fault(sign)
            case Mended():
                self.book.clear(f"@{sign.kind}", sign.at, AlertKind.FAULT)
            case Gone():
                for alert_id in list(self.book.of_task.get(sign.task_id, ())):
                    alert = self.memory.alerts[alert_id]
                    self.book.drop(alert, sign.task_id)
                    if not alert.parts:
                        alert.closed_at, alert.is_over = alert.last_at, True
                self.memory.records.pop(sign.task_id, None)
                self._struggling.discard(sign.task_id)

    def needs_history(self, task_id: str) -> bool:
        """Whether a rule counts what this task did, and nothing of it is known yet."""
        return task_id not in self.memory.records and any(
            rule.needs_history
            for kind in (AlertKind.FAILED, AlertKind.SLOW)
            for rule in self.plan.rules_for(kind, task_id)
        )

    @property
    def is_watching(self) -> bool:
        """Whether a success of any task may matter."""
        return bool(self.book.of_task) or bool(self._struggling)

    def awaits_success(self, task_id: str) -> bool:
        """Whether it matters that a run of this task went well; any thread may ask."""
        if task_id in self.book.of_task or task_id in self._struggling:
            return True
        plan = self.plan
        return any(plan.rules_for(kind, task_id) for kind in (AlertKind.SLOW, AlertKind.HEAVY))

    def _fail(self, sign: Failed) -> None:
        record = self.memory.record(sign.task_id)
        record.note_failure(sign.at)
        self._struggling.add(sign.task_id)
        self.book.clear(sign.task_id, sign.at, AlertKind.OVERRUN)
        sample = Sample(sign.task_id, sign.name, sign.run_id, sign.attempt, sign.error, sign.at)
        for rule in self.plan.rules_for(AlertKind.FAILED, sign.task_id):
            in_a_row = rule.in_a_row or (1 if rule.within is None else None)
            is_enough = in_a_row is not None and record.streak >= in_a_row
            if rule.within is not None:
                most, window = rule.within
                is_enough = is_enough or record.failures_since(sign.at - window) >= most
            if is_enough:
                self.book.open(rule, AlertKind.FAILED, sign.cause, sample)

    def _succeed(self, sign: Succeeded) -> None:
        record = self.memory.record(sign.task_id)
        limit = slow_from(record.durations)
        record.note_success(sign.duration)
        self._struggling.discard(sign.task_id)
        for kind in _UNTIL_SUCCESS:
            for alert in self.book.alerts_with(sign.task_id, kind):
                within = self.book.rules[alert.rule].within
                if kind is AlertKind.FAILED and within is not None:
                    most, window = within
                    if record.failures_since(sign.at - window) >= most:
                        continue
                self.book.close(alert, sign.task_id, sign.at)
        self.book.clear(sign.task_id, sign.at, AlertKind.LATE, AlertKind.OVERRUN)
        if limit is None or sign.duration < limit:
            self.book.clear(sign.task_id, sign.at, AlertKind.SLOW)
            return
        sample = Sample(
            sign.task_id,
            sign.name,
            sign.run_id,
            0,
            _usual(sign.duration, record.durations),
            sign.at,
        )
        for rule in self.plan.rules_for(AlertKind.SLOW, sign.task_id):
            self.book.open(rule, AlertKind.SLOW, "", sample)

    def _use(self, sign: Used) -> None:
        """Open where a run used too much, and close where it did not any more."""
        for rule in self.plan.rules_for(AlertKind.HEAVY, sign.task_id):
            over = [
                (name, sign.amounts[name], most)
                for name, most in rule.most.items()
                if sign.amounts.get(name, 0) > most
            ]
            known = {
                alert.cause: alert
                for alert in self.book.alerts_with(sign.task_id, AlertKind.HEAVY)
                if alert.rule == rule.name
            }
            for cause in known.keys() - {name for name, *_ in over} if sign.is_over else ():
                self.book.close(known[cause], sign.task_id, sign.at)
            for name, used, most in over:
                if name in known and (not sign.is_over or self._is_of(known[name], sign)):
                    # It was told while it ran: it is the same once more.
                    continue
                text = f"{used}/{most}"
                sample = Sample(sign.task_id, sign.name, sign.run_id, 0, text, sign.at)
                self.book.open(rule, AlertKind.HEAVY, name, sample)

    @staticmethod
    def _is_of(alert: Alert, sign: Used) -> bool:
        part = alert.parts.get(sign.task_id)
        return part is not None and part.run_id == sign.run_id

    def _miss(self, sign: Missed) -> None:
        sample = Sample(sign.task_id, sign.name, None, 0, sign.reason, sign.at)
        for rule in self.plan.rules_for(AlertKind.MISSED, sign.task_id):
            self.book.open(rule, AlertKind.MISSED, sign.reason, sample, count=sign.count)

    def _fault(self, sign: Faulted) -> None:
        sample = Sample(f"@{sign.kind}", sign.kind, None, 0, sign.what, sign.at)
        for rule in self.plan.rules_for(AlertKind.FAULT, ""):
            self.book.open(rule, AlertKind.FAULT, sign.kind, sample)

    def _ping(self, sign: Pinged) -> None:
        if sign.kind == "log":
            # It says something, and not how it is.
            return
        before = self.memory.pings.get(sign.check_id, PingState(sign.at))
        if sign.kind == "start":
            self.memory.pings[sign.check_id] = replace(before, started_at=sign.at)
            return
        if sign.kind == "success":
            self.memory.pings[sign.check_id] = PingState(sign.at)
            self.book.clear(sign.check_id, sign.at, AlertKind.SILENT, AlertKind.FAILED)
            return
        self.memory.pings[sign.check_id] = replace(before, started_at=None)
        text = sign.text.strip()
        sample = Sample(sign.check_id, sign.check_id, None, 0, text, sign.at)
        for rule in self.plan.rules_for(AlertKind.SILENT, sign.check_id):
            self.book.open(rule, AlertKind.SILENT, "failed", sample)

    def _look(self, look: Look) -> None:
        """Open and close what a look at the ledger shows, and what it shows no more."""
        standing: dict[AlertKind, set[tuple[str, str]]] = {k: set() for k in _SEEN_BY_LOOKS}

        def stands(rule: Rule, kind: AlertKind, found: Standing, cause: str = "") -> None:
            if kind in standing:
                standing[kind].add((rule.name, found.task_id))
            if not self.book.is_in(rule, kind, found.task_id):
                sample = Sample(found.task_id, found.name, found.run_id, 0, found.why, found.since)
                self.book.open(rule, kind, cause, sample, at=look.at)

        for found in look.waiting:
            for rule in self.plan.rules_for(AlertKind.LATE, found.task_id):
                if look.at - found.since > rule.late:
                    stands(rule, AlertKind.LATE, found)
        for found in look.running:
            took = look.at - found.since
            for rule in self.plan.rules_for(AlertKind.OVERRUN, found.task_id):
                if rule.overrun is not None and took > rule.overrun:
                    stands(rule, AlertKind.OVERRUN, found)
            for rule in self.plan.rules_for(AlertKind.SLOW, found.task_id):
                record = self.memory.records.get(found.task_id)
                durations = () if record is None else record.durations
                limit = slow_from(durations)
                if limit is not None and took >= limit:
                    stands(rule, AlertKind.SLOW, replace(found, why=_usual(took, durations)))
        for found in look.unresolved:
            for rule in self.plan.rules_for(AlertKind.UNRESOLVED, found.task_id):
                stands(rule, AlertKind.UNRESOLVED, found, found.why)
        for alert in list(self.memory.alerts.values()):
            kind = AlertKind(alert.kind)
            if kind in standing:
                for task_id in list(alert.parts):
                    if (alert.rule, task_id) not in standing[kind]:
                        self.book.close(alert, task_id, look.at)

    # -- signs of life --------------------------------------------------------------------------

    def _expect(self, now: Microseconds) -> None:
        """Raise what should have given a sign of life by now."""
        for check_id, wanted in self.plan.expected.items():
            state = self.memory.pings.setdefault(check_id, PingState(now))
            cause = ""
            if state.started_at is not None and now > state.started_at + wanted.grace:
                cause = "unfinished"
            if now > state.fine_at + wanted.every + wanted.grace:
                cause = "silent"
            if not cause:
                continue
            for rule in self.plan.rules_for(AlertKind.SILENT, check_id):
                if not self.book.is_in(rule, AlertKind.SILENT, check_id):
                    sample = Sample(check_id, check_id, None, 0, "", state.fine_at)
                    self.book.open(rule, AlertKind.SILENT, cause, sample, at=now)


def _usual(took: Microseconds, durations: Iterable[Microseconds]) -> str:
    """Return how long it took and how long it usually takes, in seconds, as ``30.1/0.4``."""
    ordered = sorted(durations)
    return f"{took / SECOND:.1f}/{ordered[len(ordered) // 2] / SECOND:.1f}" if ordered else ""
