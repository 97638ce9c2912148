"""The desk: the thread that takes events, lets them be judged, and hands messages to the courier.

Responsible for: a queue that never holds up the engine, what is read from and written to the ledger
and when, and what an earlier process left to be told. Decides nothing about alerts.

The listener runs in the engine's thread and only puts down what may matter. All that the desk
remembers goes into the ledger by the engine's own hand; where that cannot write, messages go out
all the same, and it is written later. People hear of a full disk that way.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from task_scheduler.alerts import signs
from task_scheduler.alerts.composer import Composer
from task_scheduler.alerts.courier import Courier, Delivery
from task_scheduler.alerts.judge import Judge
from task_scheduler.alerts.memory import Alert, Memory, Part, PingState, Silence
from task_scheduler.alerts.notices import Notice
from task_scheduler.alerts.reading import MISSED, SignReader
from task_scheduler.alerts.rules import AlertKind, AlertPlan, stretch_end
from task_scheduler.core import events
from task_scheduler.core.faults import FaultKind, Trouble
from task_scheduler.core.model import SECOND, Microseconds, Outcome
from task_scheduler.core.ports import Clock
from task_scheduler.core.tags import tags_in

__all__ = ["AlertDesk", "Write"]

Write = Callable[[list[tuple[str, dict[str, Any]]]], bool]
"""Has the engine write statements; answers whether that is durable, in a few seconds at most."""

_MOST_EVENTS = 100_000
"""What comes while so much waits is counted and not looked at: the engine does not wait."""
_BATCH = 2_000
_LOOK: Microseconds = 5 * SECOND
_SAVE: Microseconds = SECOND
_PRUNE: Microseconds = 3_600 * SECOND
_BUSY_SECONDS = 1.0
_QUIET_SECONDS = 30.0
_PRUNED = ("deliveries", "alerts", "silences")


class AlertDesk:
    """Alerts of one scheduler; call it with each event."""

    def __init__(
        self,
        *,
        clock: Clock,
        reader: SignReader,
        write: Write,
        composer: Composer,
        courier: Callable[[Callable[[Delivery], None]], Courier],
        keep_days: float,
    ) -> None:
        self.plan = AlertPlan()
        self._clock = clock
        self._reader = reader
        self._write = write
        self._composer = composer
        self._new_courier = courier
        self._keep = round(keep_days * 86_400 * SECOND)
        self._events: deque[events.Event] = deque()
        self.dropped = 0
        """Events that came while too many waited."""
        self._wake = threading.Event()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closing = False
        self._judge: Judge | None = None
        self._courier: Courier | None = None
        self._noted: deque[Delivery] = deque()
        """Deliveries of which something changed."""
        self._error = ""
        self._wants_silences = True
        self._wants_tags = True
        self._judged = self.plan
        """The plan by which is judged, as it was handed in: what has which tag changes."""
        self._seen_at: Microseconds = 0
        self._looked_at = self._saved_at = self._pruned_at = -_PRUNE
        self._last_delivery_id = 0
        self._suspects: set[str] = set()
        """Tasks that failed and have not succeeded since: in the engine's thread alone."""
        self._told_already: set[int] = set()
        """Runs that were found in the ledger, and whose events may still come."""

    # -- what others call -----------------------------------------------------------------------

    def adopt(self, plan: AlertPlan) -> None:
        """Go by another plan from now on."""
        self.plan = plan
        courier = self._courier
        if courier is not None:
            courier.wake()
        self._wake.set()

    def start(self) -> None:
        """Begin where a process that is gone left off; once the ledger is held here."""
        with self._guard:
            if self._thread is not None and self._thread.is_alive():
                return
            self._is_closing = False
            self._judge = self._courier = None
            self._thread = threading.Thread(
                target=self._work, name="task-scheduler-alerts", daemon=True
            )
            self._thread.start()

    def close(self, timeout_seconds: float) -> None:
        """Deliver nothing more, and write down what is remembered while the engine can."""
        with self._guard:
            thread, self._thread = self._thread, None
            self._is_closing = True
            self._wake.set()
        if thread is not None:
            thread.join(timeout_seconds)

    def __call__(self, event: events.Event) -> None:
        """Put an event down if it may matter: in the engine's thread."""
        if not self.plan.rules or not self._may_matter(event):
            return
        if len(self._events) >= _MOST_EVENTS:
            self.dropped += 1
            return
        self._events.append(event)
        if not self._wake.is_set():
            self._wake.set()

    @property
    def hears_routine(self) -> bool:
        """Whether it matters now that runs succeed."""
        if not self.plan.rules:
            return False
        judge = self._judge
        is_watching = judge is None or judge.is_watching
        is_measuring = self.plan.has(AlertKind.SLOW, AlertKind.HEAVY)
        return is_watching or bool(self._suspects) or is_measuring

    def trouble(self) -> Trouble | None:
        """Return what keeps people from hearing what is wrong, if anything does."""
        if self._error:
            return Trouble(FaultKind.ALERTS_FAILED, "alerts", self._error)
        courier = self._courier
        return None if courier is None else courier.trouble()

    def _may_matter(self, event: events.Event) -> bool:
        if isinstance(event, events.EntryAdded | events.EntriesAdded):
            # Read again before anything is judged: nothing else follows from it.
            self._wants_tags = True
            return False
        if isinstance(event, events.RunSettled):
            if event.outcome is Outcome.SUCCEEDED:
                judge = self._judge
                is_suspect = event.task_id in self._suspects
                self._suspects.discard(event.task_id)
                return is_suspect or judge is None or judge.awaits_success(event.task_id)
            if event.outcome is Outcome.CANCELLED:
                return False
            self._suspects.add(event.task_id)
            return True
        if isinstance(event, events.RunSkipped):
            if event.reason in MISSED:
                self._suspects.add(event.task_id)
            return event.reason in MISSED
        return isinstance(
            event,
            events.EntryRemoved
            | events.FaultBegan
            | events.FaultEnded
            | events.LedgerHeld
            | events.LedgerReleased
            | events.PingReceived
            | events.SilencesChanged,
        )

    # -- the thread -----------------------------------------------------------------------------

    def _work(self) -> None:
        """Turn until closed; what a turn fails with is shown, and the next one goes on."""
        while not self._is_closing:
            try:
                if self._judge is None:
                    self._judge = self._load()
                self._turn(self._judge)
                self._error = ""
            except Exception as error:  # fence: listener
                self._error = f"{type(error).__name__}: {error}"
            if not self._events:
                self._wake.wait(self._rest())
            self._wake.clear()
        if self._courier is not None:
            self._courier.close(5.0)
        if self._judge is not None:
            self._save(self._judge.memory)

    def _rest(self) -> float:
        judge = self._judge
        if self._error or judge is None or self._noted:
            return 1.0
        memory = judge.memory
        if memory.changed or any(not alert.is_over for alert in memory.alerts.values()):
            return _BUSY_SECONDS
        return _LOOK / SECOND if self._has_looks() else _QUIET_SECONDS

    def _has_looks(self) -> bool:
        kinds = (AlertKind.LATE, AlertKind.OVERRUN, AlertKind.SLOW, AlertKind.UNRESOLVED)
        return self.plan.has(*kinds, AlertKind.HEAVY) or bool(self.plan.expected)

    def _turn(self, judge: Judge) -> None:
        now, memory = self._clock.now(), judge.memory
        self._read_tags(judge)
        # All that waits, before anything is said of it; in parts, for the sake of memory.
        for _ in range(1 + len(self._events) // _BATCH):
            found = self._signs(judge, now)
            self._read_silences(memory, now)
            self._read_tags(judge)
            for sign in found:
                judge.take(sign)
        self._look(judge, now)
        deliveries = [d for notice in judge.decide(now) for d in self._deliveries(notice, now)]
        boottime = self._clock.boottime()
        is_due = boottime - self._saved_at >= _SAVE and (memory.changed or self._noted)
        if deliveries or is_due:
            self._saved_at = boottime
            self._save(memory, deliveries)
        if deliveries and self._courier is not None:
            self._courier.put(deliveries)
        if boottime - self._pruned_at >= _PRUNE:
            self._pruned_at = boottime
            before = now - self._keep if self._keep else 0
            self._write([(f"prune_{w}", {"before": before}) for w in _PRUNED])

    def _signs(self, judge: Judge, now: Microseconds) -> list[signs.Sign]:
        """Return what happened since the last turn, or the first part of it."""
        taken = [self._events.popleft() for _ in range(min(len(self._events), _BATCH))]
        told = [event for event in taken if not self._is_told_already(event)]
        for event in told:
            if isinstance(event, events.RunSettled):
                self._seen_at = max(self._seen_at, event.at)
            elif isinstance(event, events.SilencesChanged):
                self._wants_silences = True
        found = self._reader.signs_of(told, now)
        self._learn(judge, found)
        return [*found, *(self._reader.used_by(told) if self.plan.has(AlertKind.HEAVY) else ())]

    def _look(self, judge: Judge, now: Microseconds) -> None:
        """Look at the ledger for what no event tells of, every few seconds."""
        boottime = self._clock.boottime()
        if not self._has_looks() or boottime - self._looked_at < _LOOK:
            return
        self._looked_at = boottime
        look = self._reader.look(judge.plan, now)
        if look is not None:
            new = {s.task_id for s in look.running if judge.needs_history(s.task_id)}
            judge.memory.seed(self._reader.history(new, now))
            judge.take(look)
        if judge.plan.has(AlertKind.HEAVY):
            for used in self._reader.used_now(judge.plan, now):
                judge.take(used)

    def _is_told_already(self, event: events.Event) -> bool:
        if not self._told_already or not isinstance(event, events.RunSettled):
            return False
        is_known = event.run_id in self._told_already
        self._told_already.discard(event.run_id)
        return is_known

    def _learn(self, judge: Judge, found: list[signs.Sign]) -> None:
        """Have the judge know what the ledger says of tasks that it meets for the first time."""
        first: dict[str, Microseconds] = {}
        strangers = set()
        for sign in found:
            if isinstance(sign, signs.Failed | signs.Succeeded | signs.Missed):
                if not isinstance(sign, signs.Missed) and judge.needs_history(sign.task_id):
                    first.setdefault(sign.task_id, sign.at)
                if sign.task_id not in judge.memory.ancestors:
                    strangers.add(sign.task_id)
        if first:
            judge.memory.seed(self._reader.history(first, min(first.values())))
        if strangers:
            judge.memory.ancestors.update(self._reader.ancestors(strangers))

    def _read_silences(self, memory: Memory, now: Microseconds) -> None:
        if self._wants_silences:
            rows = self._reader.ask("silences_now", [], now=now)
            memory.silences = tuple(Silence(row["pattern"], row["until"]) for row in rows)
            self._wants_silences, self._wants_tags = False, True

    def _read_tags(self, judge: Judge) -> None:
        """Judge by the plan of the moment, with the tasks that have the tags it names."""
        if self._judged is self.plan and not self._wants_tags:
            return
        self._wants_tags, self._judged = False, self.plan
        judge.adopt(self._with_tags(judge.memory))

    def _with_tags(self, memory: Memory) -> AlertPlan:
        plan = self._judged
        tags = plan.named_tags() | tags_in(silence.pattern for silence in memory.silences)
        if not tags:
            return plan
        found = self._reader.ask("tagged", {}, tags=sorted(tags))
        return replace(plan, tagged={tag: frozenset(ids) for tag, ids in found.items()})

    # -- messages -------------------------------------------------------------------------------

    def _deliveries(self, notice: Notice, now: Microseconds) -> list[Delivery]:
        """Return a message for each of a notice's channels."""
        message = self._composer.message(notice)
        made = []
        for name in notice.channels:
            channel = self.plan.channels.get(name)
            if channel is None or self._is_about(notice, name):
                continue
            self._last_delivery_id += 1
            not_before = now
            if channel.quiet is not None and not notice.is_urgent:
                not_before = stretch_end(channel.quiet, now) or now
            keyed = self._composer.keyed(message, self._last_delivery_id)
            made.append(
                Delivery(
                    self._last_delivery_id,
                    notice.alert_id,
                    name,
                    notice.kind.value,
                    "waiting",
                    now,
                    not_before,
                    0,
                    None,
                    None,
                    keyed.to_json(),
                )
            )
        return made

    def _is_about(self, notice: Notice, channel: str) -> bool:
        """Whether a channel would be told that it does not deliver: by itself, when it does."""
        is_failing = notice.about is AlertKind.FAULT and notice.cause == FaultKind.ALERTS_FAILED
        trouble = self.trouble()
        return is_failing and trouble is not None and trouble.where == channel

    # -- the ledger -----------------------------------------------------------------------------

    def _load(self) -> Judge:
        """Return a judge who remembers what an earlier process did, and tell what it could not."""
        now = self._clock.now()
        memory, waiting = self._memory()
        self._judged = self.plan
        judge = Judge(self._with_tags(memory), memory)
        self._courier = self._new_courier(self._note)
        self._courier.start()
        if self._reader.ask("ledger_row", {}).get("held_at") is None:
            self._courier.put(waiting)
        else:
            # The ledger is older than what was delivered: who knows which of them were.
            for delivery in waiting:
                delivery.state = "superseded"
                self._note(delivery)
        expected = list(self.plan.expected)
        statements: list[tuple[str, dict[str, Any]]] = [("put_alert_cursor", {"seen_at": now})]
        if expected:
            statements.append(("expect_pings", {"ids": expected, "now": now}))
        since = self._reader.ask("alert_cursor", None)
        self._seen_at = now if since is None else since
        if since is None:
            self._write(statements)
            return judge
        self._write(statements[1:])
        missed = self._reader.missed_ends(since)
        self._told_already = {event.run_id for event in missed}
        found = self._reader.signs_of(missed, now)
        self._learn(judge, found)
        open_tasks = {
            task_id: part.last_at
            for a in memory.alerts.values()
            for task_id, part in a.parts.items()
        }
        found += [
            sign
            for sign in self._reader.missed_successes(open_tasks)
            if sign.at > open_tasks[sign.task_id]
        ]
        for alert in list(memory.alerts.values()):
            if alert.kind == AlertKind.FAULT:
                # Of the process that had it. This one tells its own.
                found += [signs.Mended(task_id.removeprefix("@"), now) for task_id in alert.parts]
        for sign in sorted(found, key=lambda sign: getattr(sign, "at", now)):
            judge.take(sign)
        return judge

    def _memory(self) -> tuple[Memory, list[Delivery]]:
        fetch = self._reader.fetch
        memory = Memory()
        memory.last_alert_id, self._last_delivery_id = fetch("last_alert_ids")
        for row in fetch("alerts_alive"):
            alert = Alert.of_row(row)
            memory.alerts[alert.alert_id] = alert
        for alert_id, *row in fetch("alert_tasks_alive"):
            part = Part(*row)
            memory.alerts[alert_id].parts[part.task_id] = part
        for row in fetch("pings_now"):
            memory.pings[row["check_id"]] = PingState(row["fine_at"], row["started_at"])
        return memory, [Delivery(*row) for row in fetch("deliveries_waiting")]

    def _note(self, delivery: Delivery) -> None:
        """Take note of what became of a delivery: in the courier's thread."""
        self._noted.append(delivery)
        self._wake.set()

    def _save(self, memory: Memory, new: list[Delivery] | None = None) -> None:
        """Write what changed; what could not be written is tried again with the next."""
        noted = {d.delivery_id: d for d in [*(new or []), *self._taken()]}
        changed, changed_parts = set(memory.changed), set(memory.changed_parts)
        alerts, parts, left = memory.take_changes()
        rows = {
            "put_alerts": alerts,
            "put_alert_tasks": parts,
            "remove_alert_tasks": left,
            "put_deliveries": [noted[number].row() for number in sorted(noted)],
        }
        statements: list[tuple[str, dict[str, Any]]] = [
            (name, {"rows": of}) for name, of in rows.items() if of
        ]
        if not statements:
            return
        statements.append(("put_alert_cursor", {"seen_at": self._seen_at}))
        if not self._write(statements):
            memory.changed |= changed
            memory.changed_parts |= changed_parts
            self._noted.extend(noted.values())

    def _taken(self) -> list[Delivery]:
        return [self._noted.popleft() for _ in range(len(self._noted))]
