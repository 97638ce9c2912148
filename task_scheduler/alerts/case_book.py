"""The case book: the alerts there are, opened by causes and closed by recoveries.

Responsible for: which alert a failure belongs to, which tasks are in it, and whether a task is to
be heard of at all. Pure; what is told of an alert, and when, is `telling`'s.
"""

from __future__ import annotations

from collections import defaultdict

from task_scheduler.alerts.memory import Alert, Memory, Part, Sample
from task_scheduler.alerts.rules import AlertKind, AlertPlan, Rule, is_named
from task_scheduler.core.model import SECOND, Microseconds

__all__ = ["FORGIVEN", "CaseBook"]

FORGIVEN: Microseconds = 3_600 * SECOND
"""Who comes back after that is new."""
_MOST_CAUSES = 3
"""A task that fails ever differently opens so many alerts; what comes then counts in the last."""
_SLOWEST_FLAP = 6
"""The pause between messages about what flaps is doubled so often."""


class CaseBook:
    """The alerts of a memory, found by cause and by task."""

    def __init__(self, plan: AlertPlan, memory: Memory) -> None:
        self.memory = memory
        self._by_key: dict[tuple[str, str, str], Alert] = {}
        self.of_task: defaultdict[str, set[int]] = defaultdict(set)
        """The numbers of the alerts that a task is in; tasks that are in none are not there."""
        for alert in sorted(memory.alerts.values(), key=lambda found: found.alert_id):
            self._by_key[alert.key] = alert
            for task_id in alert.parts:
                self.of_task[task_id].add(alert.alert_id)
        self.adopt(plan)

    def adopt(self, plan: AlertPlan) -> None:
        """Go on by another plan; alerts of rules that are gone are over without a word."""
        self.plan = plan
        self.rules = {rule.name: rule for rule in plan.rules}
        for alert in list(self.memory.alerts.values()):
            if alert.rule not in self.rules and not alert.is_over:
                for task_id in list(alert.parts):
                    self.drop(alert, task_id)
                alert.closed_at = alert.closed_at or alert.last_at
                alert.is_over = True
                self.touch(alert)

    def open(
        self,
        rule: Rule,
        kind: AlertKind,
        cause: str,
        sample: Sample,
        *,
        at: Microseconds | None = None,
        count: int = 1,
    ) -> None:
        """Let an alert open, or become more."""
        at = sample.at if at is None else at
        task_id = sample.task_id
        alert = self._alert_for(rule, kind, cause, task_id, at)
        part = alert.parts.get(task_id)
        if part is None:
            part = alert.parts[task_id] = Part(
                task_id, sample.name, sample.at, at, 0, sample.run_id
            )
            self.of_task[task_id].add(alert.alert_id)
            alert.name_task(task_id)
            alert.has_joined = True
        part.count += count
        part.last_at, part.run_id = at, sample.run_id
        alert.count += count
        alert.last_at = at
        alert.sample = sample
        alert.closed_at, alert.is_over = None, False
        alert.is_heard = alert.is_heard or not self.is_muted(task_id, at)
        self.memory.changed_parts.add((alert.alert_id, task_id))
        self.touch(alert)

    def _alert_for(
        self, rule: Rule, kind: AlertKind, cause: str, task_id: str, at: Microseconds
    ) -> Alert:
        alert = self._by_key.get((rule.name, kind, cause))
        if alert is None or alert.closed_at is not None:
            others = [a for a in self.alerts_with(task_id, kind) if a.rule == rule.name]
            if len(others) >= _MOST_CAUSES:
                return others[-1]
        if alert is not None and not alert.is_over:
            return alert
        if alert is not None and at - (alert.closed_at or at) < max(
            FORGIVEN, 2 * self.pause(alert)
        ):
            alert.flaps += 1
            self._begin_turn(alert, at)
            return alert
        if alert is not None:
            # The ledger keeps it for whoever looks back.
            del self.memory.alerts[alert.alert_id]
        self.memory.last_alert_id += 1
        alert = Alert(self.memory.last_alert_id, rule.name, kind, cause, at, at)
        self.memory.alerts[alert.alert_id] = self._by_key[alert.key] = alert
        return alert

    def _begin_turn(self, alert: Alert, at: Microseconds) -> None:
        alert.opened_at, alert.first_told_at = at, None
        alert.count = alert.told_count = alert.reminders = alert.seen_count = 0
        alert.seen.clear()
        alert.is_heard = False

    def clear(self, task_id: str, at: Microseconds, *kinds: AlertKind) -> None:
        """Take a task out of alerts of these kinds: it has recovered."""
        for kind in kinds:
            for alert in self.alerts_with(task_id, kind):
                self.close(alert, task_id, at)

    def close(self, alert: Alert, task_id: str, at: Microseconds) -> None:
        """Take a task out of an alert, which closes with the last of them."""
        is_muted = self.is_muted(task_id, at)
        self.drop(alert, task_id)
        if not alert.parts:
            alert.closed_at = at
            # Whoever was told that it began is told that it is over, whatever is silenced by now.
            alert.is_heard = alert.first_told_at is not None or (alert.is_heard and not is_muted)
        self.touch(alert)

    def drop(self, alert: Alert, task_id: str) -> None:
        """Take a task out of an alert, whatever that means for it."""
        del alert.parts[task_id]
        numbers = self.of_task[task_id]
        numbers.discard(alert.alert_id)
        if not numbers:
            del self.of_task[task_id]
        self.memory.changed_parts.add((alert.alert_id, task_id))
        self.touch(alert)

    def alerts_with(self, task_id: str, kind: AlertKind) -> list[Alert]:
        """Return the alerts of a kind that a task is in, the oldest first."""
        numbers = sorted(self.of_task.get(task_id, ()))
        found = [self.memory.alerts[number] for number in numbers]
        return [alert for alert in found if alert.kind == kind]

    def is_in(self, rule: Rule, kind: AlertKind, task_id: str) -> bool:
        """Whether a task is in an alert of a rule and kind."""
        return any(alert.rule == rule.name for alert in self.alerts_with(task_id, kind))

    def touch(self, alert: Alert) -> None:
        """Note that an alert is not written as it is now."""
        self.memory.changed.add(alert.alert_id)

    def is_visible(self, alert: Alert, now: Microseconds) -> bool:
        """Whether there is a task in an alert of which people may hear."""
        return any(not self.is_muted(task_id, now) for task_id in alert.parts)

    def is_muted(self, task_id: str, now: Microseconds) -> bool:
        """Whether nothing is to be told of a task."""
        if any(
            now < silence.until and is_named(task_id, (silence.pattern,), self.plan.tagged)
            for silence in self.memory.silences
        ):
            return True
        above = {*self.memory.ancestors.get(task_id, ()), *self.plan.named_parents(task_id)}
        if any(parent != task_id and parent in self.of_task for parent in above):
            return True
        return bool(self.plan.maintenance) and self.plan.is_in_maintenance(task_id, now)

    def forget(self, alert: Alert) -> None:
        """Keep an alert in the ledger alone."""
        del self.memory.alerts[alert.alert_id]
        if self._by_key.get(alert.key) is alert:
            del self._by_key[alert.key]

    def pause(self, alert: Alert) -> Microseconds:
        """Return how long after a message nothing is told of an alert."""
        return self.plan.digest << min(max(0, alert.flaps - 1), _SLOWEST_FLAP)
