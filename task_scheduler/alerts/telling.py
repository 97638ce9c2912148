"""Telling: what people hear of an alert, and when.

Responsible for: the moments of the first message, of digests, reminders and recoveries, and that
all of them together never become a flood. Pure.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable

from task_scheduler.alerts.case_book import FORGIVEN, CaseBook
from task_scheduler.alerts.memory import Alert
from task_scheduler.alerts.notices import Notice, NoticeKind, Other
from task_scheduler.alerts.rules import AlertKind, Rule
from task_scheduler.core.model import Microseconds

__all__ = ["Teller"]

_FACTS = frozenset(
    {AlertKind.FAILED, AlertKind.MISSED, AlertKind.SLOW, AlertKind.HEAVY, AlertKind.FAULT}
)
"""These happened, even if they are over before anybody was told; the others may pass unheard."""
_NAMED = 20
"""The tasks that a message names."""


class Teller:
    """Decide what is to be told of the alerts of a book."""

    def __init__(self, book: CaseBook) -> None:
        self.book = book
        self._told: defaultdict[str, deque[Microseconds]] = defaultdict(deque)
        """When a rule last told something."""

    def decide(self, now: Microseconds) -> list[Notice]:
        """Return what is to be told now; it counts as told with that."""
        due: defaultdict[str, list[tuple[Alert, NoticeKind]]] = defaultdict(list)
        for alert in list(self.book.memory.alerts.values()):
            kind = None if alert.is_over else self._due(alert, now)
            if kind is not None:
                due[alert.rule].append((alert, kind))
            if alert.is_over and now - (alert.closed_at or now) > max(
                FORGIVEN, 2 * self.book.pause(alert)
            ):
                self.book.forget(alert)
        return [
            notice
            for name, found in due.items()
            for notice in self._within_bounds(self.book.rules[name], found, now)
        ]

    def _within_bounds(
        self, rule: Rule, due: list[tuple[Alert, NoticeKind]], now: Microseconds
    ) -> Iterable[Notice]:
        """Return the notices of a rule: what is too much waits, and comes as one."""
        told = self._told[rule.name]
        while told and now - told[0] >= self.book.plan.digest:
            told.popleft()
        room = self.book.plan.most_messages - len(told)
        if room <= 0:
            return []
        if len(due) <= room:
            notices = [self._notice(rule, alert, kind, now) for alert, kind in due]
        else:
            notices = [self._summary(rule, due, now)]
        for alert, kind in due:
            self._mark_told(alert, kind, now)
        told.extend(now for _ in notices)
        return notices

    def _due(self, alert: Alert, now: Microseconds) -> NoticeKind | None:
        """Return which message of an alert is due; one of which none is to come is over."""
        rule, pause = self.book.rules[alert.rule], self.book.pause(alert)
        last = alert.told_at if alert.told_at is not None else now - pause
        if alert.first_told_at is None:
            if now < max(alert.opened_at + self.book.plan.gather, last + pause * bool(alert.flaps)):
                return None
            if alert.closed_at is None:
                return NoticeKind.OPENED if self.book.is_visible(alert, now) else None
            return self._recovered_or_over(alert, is_told=AlertKind(alert.kind) in _FACTS)
        if alert.closed_at is not None:
            if now < max(alert.closed_at, last + pause * bool(alert.flaps)):
                return None
            return self._recovered_or_over(alert, is_told=rule.is_recovery_told)
        has_grown = alert.has_joined or alert.count >= 2 * alert.told_count
        if has_grown and now >= last + pause and self.book.is_visible(alert, now):
            return NoticeKind.DIGEST
        if self._is_reminder_due(alert, now) and self.book.is_visible(alert, now):
            return NoticeKind.REMINDER
        return None

    def _recovered_or_over(self, alert: Alert, *, is_told: bool) -> NoticeKind | None:
        if is_told and alert.is_heard:
            return NoticeKind.RECOVERED
        alert.is_over = True
        self.book.touch(alert)
        return None

    def _is_reminder_due(self, alert: Alert, now: Microseconds) -> bool:
        reminders = self.book.plan.reminders
        if not reminders or alert.first_told_at is None:
            return False
        number = alert.reminders
        after = reminders[min(number, len(reminders) - 1)]
        if number >= len(reminders):
            after = reminders[-1] * (number - len(reminders) + 2)
        return now >= alert.first_told_at + after

    def _mark_told(self, alert: Alert, kind: NoticeKind, now: Microseconds) -> None:
        alert.told_at, alert.told_count, alert.has_joined = now, alert.count, False
        if alert.first_told_at is None:
            alert.first_told_at = now
        while self._is_reminder_due(alert, now):
            # Whatever was just said: it is a reminder as well.
            alert.reminders += 1
        if kind is NoticeKind.RECOVERED:
            alert.is_over = True
        self.book.touch(alert)

    def _notice(self, rule: Rule, alert: Alert, kind: NoticeKind, now: Microseconds) -> Notice:
        heard = [task_id for task_id in alert.parts if not self.book.is_muted(task_id, now)]
        names = alert.seen if kind is NoticeKind.RECOVERED else heard
        return Notice(
            kind=kind,
            alert_id=alert.alert_id,
            about=AlertKind(alert.kind),
            rule=rule.name,
            cause=alert.cause,
            channels=rule.channels,
            opened_at=alert.opened_at,
            at=now,
            is_urgent=rule.is_urgent,
            closed_at=alert.closed_at,
            count=alert.count,
            news=alert.count - alert.told_count,
            task_ids=tuple(names[:20]),
            task_count=alert.seen_count if kind is NoticeKind.RECOVERED else len(heard),
            held_back=len(alert.parts) - len(heard),
            sample=alert.sample,
        )

    def _summary(
        self, rule: Rule, due: list[tuple[Alert, NoticeKind]], now: Microseconds
    ) -> Notice:
        newest = due[-1][0]
        others = tuple(
            Other(
                AlertKind(alert.kind),
                alert.cause,
                alert.count,
                alert.sample.task_id if alert.sample is not None else "",
                kind is NoticeKind.RECOVERED,
            )
            for alert, kind in due
        )
        return Notice(
            kind=NoticeKind.SUMMARY,
            alert_id=newest.alert_id,
            about=AlertKind(newest.kind),
            rule=rule.name,
            cause=newest.cause,
            channels=rule.channels,
            opened_at=min(alert.opened_at for alert, _ in due),
            at=now,
            is_urgent=rule.is_urgent,
            count=sum(alert.count for alert, _ in due),
            news=sum(alert.count - alert.told_count for alert, _ in due),
            task_count=len({task_id for alert, _ in due for task_id in alert.seen}),
            sample=newest.sample,
            others=others,
        )
