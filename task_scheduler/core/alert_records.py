"""What alerts keep in the ledger, and what others ask of them: inside the engine's transaction.

Responsible for: writing it. What is worth an alert is decided elsewhere, beside the engine.
"""

from __future__ import annotations

from task_scheduler.core.events import PingReceived, SilencesChanged
from task_scheduler.core.flights import Work
from task_scheduler.core.inbox import EndSilences, KeepRecords, SilenceAlerts, TakePing
from task_scheduler.core.ports import Store
from task_scheduler.errors import DefinitionError

__all__ = ["AlertRecords"]

PING_KINDS = ("success", "start", "fail", "log")


class AlertRecords:
    """Apply the commands about alerts."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, command: KeepRecords, _: Work) -> None:
        """Write what a listener remembers."""
        for name, parameters in command.statements:
            self._store.execute(name, **parameters)

    def silence(self, command: SilenceAlerts, work: Work) -> None:
        """Begin a silence; raises DefinitionError for one that would be over already."""
        if command.until <= work.now:
            raise DefinitionError("alerts.silence_in_the_past", pattern=command.pattern)
        self._store.execute(
            "insert_silence",
            pattern=command.pattern,
            now=work.now,
            until=command.until,
            reason=command.reason,
            actor=command.actor,
        )
        work.events.append(SilencesChanged(command.pattern, command.until))

    def end_silences(self, command: EndSilences, work: Work) -> int:
        """End silences; return how many."""
        number = (
            int(command.pattern) if command.pattern.isascii() and command.pattern.isdigit() else -1
        )
        ended = self._store.execute(
            "end_silences", pattern=command.pattern, silence_id=number, now=work.now
        )
        if ended:
            work.events.append(SilencesChanged(command.pattern, None))
        return ended

    def ping(self, command: TakePing, work: Work) -> None:
        """Take a sign of life."""
        if command.kind not in PING_KINDS:
            raise DefinitionError("alerts.ping_kind", kind=command.kind)
        self._store.execute(
            "take_ping",
            check_id=command.check_id,
            kind=command.kind,
            text=command.text,
            now=work.now,
        )
        work.events.append(
            PingReceived(command.check_id, command.kind, command.text or "", work.now)
        )
