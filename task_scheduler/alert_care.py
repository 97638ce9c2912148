"""What users do about alerts: see them, silence them, try channels, and send signs of life.

Responsible for: that part of the facade, and the office of the alerts of this process, which is
made when a configuration first asks for any.
"""

from __future__ import annotations

import difflib
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import datetime
from typing import TYPE_CHECKING, Any

from task_scheduler.core.faults import Trouble
from task_scheduler.core.inbox import EndSilences, KeepRecords, SilenceAlerts, TakePing
from task_scheduler.core.model import SECOND
from task_scheduler.errors import DefinitionError, TaskNotFoundError, TaskSchedulerError
from task_scheduler.facade_part import FacadePart
from task_scheduler.ledger_view import iso
from task_scheduler.task_rules import moment_of
from task_scheduler.vault import Vault

if TYPE_CHECKING:
    from task_scheduler.alerts.office import AlertOffice

__all__ = ["AlertCare"]

_WRITE_SECONDS = 5.0
"""How long is waited for the engine to write what alerts remember; it is tried again then."""
_SILENCE_SECONDS = 3_600.0


class AlertCare(FacadePart):
    """The part of `TaskScheduler` that tells people what goes wrong."""

    _office: AlertOffice | None = None

    def alerts(self, *, with_closed: bool = False, limit: int = 100) -> list[dict[str, Any]]:
        """Return the open alerts, newest first; `with_closed`: also those that are over."""
        rows = self._reader.fetch("list_alerts", with_closed=int(with_closed), limit=limit)
        return [_alert(row) for row in rows]

    def alert_log(self, *, limit: int = 50) -> list[dict[str, Any]]:
        """Return what was delivered, newest first, or is waiting to be, with the answers."""
        rows = self._reader.fetch("list_deliveries", limit=limit)
        return [_delivery(row) for row in rows]

    def silences(self) -> list[dict[str, Any]]:
        """Return what is silenced now, the first to end first."""
        rows = self._reader.fetch("silences_now", now=self._clock.now())
        return [{**row, "since": iso(row["since"]), "until": iso(row["until"])} for row in rows]

    def silence_alerts(
        self,
        pattern: str,
        *,
        seconds: float = _SILENCE_SECONDS,
        until: datetime | str | None = None,
        reason: str | None = None,
    ) -> str:
        """Let nobody hear of the tasks of a pattern for so long, or until a moment; return that.

        What is wrong with them then, still or again, is told. Raises ScheduleError for a moment
        that is none, and DefinitionError for one in the past.
        """
        end = self._clock.now() + round(seconds * SECOND) if until is None else moment_of(until)
        self._runtime.execute(SilenceAlerts(pattern=pattern, until=end, reason=reason))
        return str(iso(end))

    def unsilence_alerts(self, pattern: str) -> int:
        """End the silences of a pattern, or the one of a number; return how many there were."""
        ended: int = self._runtime.execute(EndSilences(pattern=pattern))
        return ended

    def ping(self, check_id: str, kind: str = "success", text: str | None = None) -> None:
        """Take a sign of life of something that runs elsewhere.

        `kind` is ``success``, ``start``, ``fail``, or ``log`` for a text that says neither.

        Raises TaskNotFoundError for what the configuration does not expect any of, under
        ``alerts.expected``.
        """
        known = list(self.config.settings.alerts.expected)
        if check_id not in known:
            near = difflib.get_close_matches(check_id, known, n=1)
            hint = repr(near[0]) if near else ""
            raise TaskNotFoundError("alerts.check_not_found", task_id=check_id, hint=hint)
        said = None if text is None else self._guard.masker.mask(text)
        self._runtime.execute(TakePing(check_id=check_id, kind=kind, text=said))

    def pings(self) -> list[dict[str, Any]]:
        """Return the last sign of life of each of those that are expected to give any."""
        rows = self._reader.fetch("pings_now")
        moments = ("at", "started_at", "fine_at")
        return [{**row, **{name: iso(row[name]) for name in moments}} for row in rows]

    def test_alerts(self, channel: str | None = None) -> list[dict[str, Any]]:
        """Send a test message through a channel, or through each, from this process and at once.

        Returns what each answered: ``channel``, ``place``, ``is_delivered``, ``answer``. Raises
        TaskNotFoundError for a channel that there is not.
        """
        office = self._made_office()
        names = list(office.plan.channels) if channel is None else [channel]
        if channel is not None and channel not in office.plan.channels:
            near = difflib.get_close_matches(channel, list(office.plan.channels), n=1)
            hint = repr(near[0]) if near else ""
            raise TaskNotFoundError("alerts.channel_not_found", task_id=channel, hint=hint)
        if not names:
            raise DefinitionError("alerts.no_channels")
        return [office.test(name) for name in names]

    # -- inside ---------------------------------------------------------------------------------

    def _take_up_alerts(self) -> None:
        """Go by what the configuration says of alerts now."""
        settings = self.config.settings
        alerts = settings.alerts
        has_any = bool(
            alerts.channels or alerts.pings or alerts.heartbeat or alerts.ping_in
        ) or any(entry.ping_url for entry in settings.entries.values())
        if self._office is None and not has_any:
            return
        is_new = self._office is None
        office = self._made_office()
        if is_new:
            self._runtime.listeners.append(office)
            if self._runtime.state == "running":
                # It came with a change of the configuration.
                office.begin()

    def _made_office(self) -> AlertOffice:
        """Return the office, with the plan of the moment."""
        # Mail, HTTP and the rest are for those who have alerts.
        from task_scheduler.alerts.office import AlertOffice, OfficeParts
        from task_scheduler.config.alerts import plan_of, secrets_of

        settings = self.config.settings
        if self._office is None:
            self._office = AlertOffice(
                OfficeParts(
                    clock=self._clock,
                    fetch=self._reader.fetch,
                    write=self._write_records,
                    take_ping=self.ping,
                    runs_folder=self.files.runs,
                    ledger=str(self.files.database),
                    mask=self._guard.masker.mask,
                    reveal=self._reveal,
                    problems=self._problem_sentences,
                    keep_days=settings.storage.retention_days,
                )
            )
        self._guard.masker.learn(secrets_of(settings.alerts))
        urls = {name: e.ping_url for name, e in settings.entries.items() if e.ping_url}
        plan = plan_of(settings.alerts, calendars=self.config.calendars, ping_urls=urls)
        self._office.adopt(plan)
        return self._office

    def _close_alerts(self) -> None:
        if self._office is not None:
            self._office.close()

    def _alert_trouble(self) -> Trouble | None:
        return None if self._office is None else self._office.trouble()

    def _write_records(self, statements: list[tuple[str, dict[str, Any]]]) -> bool:
        """Have the engine write; it may be at a long tick, or unable to."""
        done: Future[Any] = Future()
        command = KeepRecords(
            statements=statements, resolve=done.set_result, reject=done.set_exception
        )
        if not self._runtime.note(command):
            return False
        try:
            done.result(_WRITE_SECONDS)
        except (FutureTimeoutError, TaskSchedulerError):
            return False
        return True

    def _reveal(self, text: str) -> str:
        """Return a text with its secrets, which are masked from then on."""
        vault = Vault(self._guard.rules.secrets, masker=self._guard.masker)
        filled, _ = vault.fill({"text": text})
        return filled.get("text", text)

    def _problem_sentences(self) -> list[str]:
        from task_scheduler.fault_board import problem_of

        found = [problem_of(plain) for plain in self._runtime.vigil.problems()]
        return [f"{problem['what']}: {problem['why']}" for problem in found]


def _alert(row: dict[str, Any]) -> dict[str, Any]:
    memory = row.pop("memory")
    sample = memory.get("sample") or {}
    return {
        **row,
        **{name: iso(row[name]) for name in ("opened_at", "last_at", "closed_at")},
        "is_open": row["closed_at"] is None,
        "told_at": iso(memory.get("told_at")),
        "seen_count": memory.get("seen_count", 0),
        "flaps": memory.get("flaps", 0),
        "task_id": sample.get("task_id"),
        "run_id": sample.get("run_id"),
        "error": sample.get("error"),
    }


def _delivery(row: dict[str, Any]) -> dict[str, Any]:
    message = row.pop("message")
    moments = ("created_at", "not_before", "tried_at")
    return {
        **row,
        **{name: iso(row[name]) for name in moments},
        "subject": message.get("subject"),
        "key": message.get("key"),
    }
