"""The office: everything of alerts in one process, as one listener.

Responsible for: putting desk, courier and pinger together, beginning when the ledger is held here,
and ending before it is let go. Decides nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from task_scheduler.alerts.composer import Composer, Identity
from task_scheduler.alerts.courier import Courier, Delivery
from task_scheduler.alerts.desk import AlertDesk, Write
from task_scheduler.alerts.messages import ChannelError, Reveal
from task_scheduler.alerts.pinger import Pinger
from task_scheduler.alerts.reading import SignReader
from task_scheduler.alerts.rules import AlertPlan
from task_scheduler.core.events import Event, SchedulerStarted
from task_scheduler.core.faults import Trouble
from task_scheduler.core.ports import Clock
from task_scheduler.errors import StoreError, TaskSchedulerError

if TYPE_CHECKING:
    from task_scheduler.alerts.ping_door import PingDoor, Take

__all__ = ["AlertOffice", "OfficeParts"]

_STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficeParts:
    """What an office needs of the scheduler around it."""

    clock: Clock
    fetch: Callable[..., Any]
    """Reads the ledger."""
    write: Write
    take_ping: Take
    runs_folder: Path
    ledger: str
    """The path of the ledger, for people."""
    mask: Callable[[str], str]
    reveal: Reveal
    problems: Callable[[], list[str]]
    """What keeps the scheduler from its work now, as sentences."""
    keep_days: float


class AlertOffice:
    """Alerts and pings of one scheduler; call it with each event."""

    def __init__(self, parts: OfficeParts) -> None:
        self.plan = AlertPlan()
        self._parts = parts
        self._ledger_id = ""
        self.composer = Composer(
            parts.fetch,
            runs_folder=parts.runs_folder,
            mask=parts.mask,
            identity=self.identity,
        )
        self.desk = AlertDesk(
            clock=parts.clock,
            reader=SignReader(parts.fetch, parts.runs_folder),
            write=parts.write,
            composer=self.composer,
            courier=self._courier,
            keep_days=parts.keep_days,
        )
        self._pinger: Pinger | None = None
        self._door: PingDoor | None = None
        self._is_begun = False

    def adopt(self, plan: AlertPlan) -> None:
        """Go by another plan from now on."""
        self.plan = plan
        self.desk.adopt(plan)
        if self._is_begun:
            self._begin()

    def begin(self) -> None:
        """Begin: the ledger is held here, and the engine runs."""
        self._is_begun = True
        self._begin()

    def __call__(self, event: Event) -> None:
        """Take an event: in the engine's thread, and so quickly."""
        if isinstance(event, SchedulerStarted):
            self.begin()
        if self.plan.rules:
            self.desk(event)
        if self.plan.pings and self._pinger is not None:
            self._pinger.tell(event)

    @property
    def hears_routine(self) -> bool:
        """Whether the beginning and the success of runs matter now: then they are told."""
        return bool(self.plan.pings) or self.desk.hears_routine

    def close(self) -> None:
        """Deliver and tell nothing more; what is remembered is in the ledger."""
        if not self._is_begun:
            return
        self._is_begun = False
        self.desk.close(_STOP_SECONDS)
        door, self._door = self._door, None
        if door is not None:
            door.close(2.0)
        pinger, self._pinger = self._pinger, None
        if pinger is not None:
            pinger.close(2.0)

    def trouble(self) -> Trouble | None:
        """Return what keeps people from hearing what is wrong, if anything does."""
        if not self._is_begun:
            return None
        return self.desk.trouble() or (self._door.trouble() if self._door is not None else None)

    def identity(self) -> Identity:
        """Return who speaks."""
        if not self._ledger_id:
            try:
                row = self._parts.fetch("ledger_row")
                self._ledger_id = str((row or {}).get("ledger_id") or "")
            except StoreError:
                pass
        host = socket.gethostname()
        name = self.plan.name or host
        return Identity(name, host, self._parts.ledger, self._ledger_id or "new")

    def test(self, name: str) -> dict[str, Any]:
        """Send a test message through a channel, now and here; say what the other end said."""
        channel = self.plan.channels[name]
        message = self.composer.test_message(name, self._parts.clock.now())
        found = {"channel": name, "place": self._parts.mask(channel.target.place)}
        try:
            answer = channel.target.send(message, self._parts.reveal)
        except (ChannelError, TaskSchedulerError) as error:
            return {**found, "is_delivered": False, "answer": self._parts.mask(str(error))}
        return {**found, "is_delivered": True, "answer": self._parts.mask(answer)}

    def _begin(self) -> None:
        """Begin what the plan asks for; what runs already goes on."""
        if self._door is not None:
            self._door.wake()
        elif self.plan.door is not None:
            from task_scheduler.alerts.ping_door import PingDoor  # few have one

            self._door = PingDoor(plan=lambda: self.plan, take=self._parts.take_ping)
            self._door.start()
        if self.plan.rules:
            self.desk.start()
        if (self.plan.pings or self.plan.heartbeat) and self._pinger is None:
            parts = self._parts
            self._pinger = Pinger(
                clock=parts.clock,
                plan=lambda: self.plan,
                ledger_id=lambda: self.identity().ledger_id,
                reveal=parts.reveal,
                mask=parts.mask,
                problems=parts.problems,
            )
            self._pinger.start()

    def _courier(self, note: Callable[[Delivery], None]) -> Courier:
        parts = self._parts
        return Courier(
            clock=parts.clock,
            channels=lambda: self.plan.channels,
            reveal=parts.reveal,
            mask=parts.mask,
            note=note,
        )
