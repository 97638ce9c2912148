"""The courier: a thread that delivers messages, and tries again what could not be delivered.

Responsible for: which message goes next through which channel, how long a channel that failed is
left alone, and when a message is given up. A channel that does not answer holds up the others by
one time limit, and then again only after its pause.

A message of an alert takes the place of an earlier one that was not delivered through the same
channel: each says how things stand. So a channel that was down for a night tells the morning, not
the night.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from task_scheduler.alerts.messages import ChannelError, Message, Reveal
from task_scheduler.alerts.rules import Channel
from task_scheduler.core.faults import FaultKind, Trouble
from task_scheduler.core.model import SECOND, Microseconds
from task_scheduler.core.ports import Clock
from task_scheduler.errors import TaskSchedulerError
from task_scheduler.i18n import translate

__all__ = ["Courier", "Delivery"]

_FIRST_PAUSE: Microseconds = 5 * SECOND
_LONGEST_PAUSE: Microseconds = 300 * SECOND
_MOST_REFUSALS = 3
"""So often is tried again what was refused for good: somebody may mend the other end."""
_OLDEST: Microseconds = 24 * 3_600 * SECOND
"""What could not be delivered for so long is given up, and shown as such."""
_TROUBLED_AFTER = 2
"""One failure of a channel happens; two are worth a word."""
_LONGEST_REST = 60.0


@dataclass(slots=True)
class Delivery:
    """One message on its way through one channel."""

    delivery_id: int
    alert_id: int
    channel: str
    notice: str
    state: str
    """``waiting``, ``delivered``, ``superseded`` or ``given_up``."""
    created_at: Microseconds
    not_before: Microseconds
    attempts: int
    tried_at: Microseconds | None
    answer: str | None
    message: str
    """As JSON: `Message.to_json`."""

    def row(self) -> list[Any]:
        """Return the parameters of `put_deliveries`."""
        return [getattr(self, name) for name in self.__slots__]


@dataclass(slots=True)
class _Standing:
    """How a channel does."""

    failures: int = 0
    until: Microseconds = 0
    """The boot time before which it is left alone."""
    why: str = ""


class Courier:
    """Deliver; any thread may call. `note` is told of every change of a delivery."""

    def __init__(
        self,
        *,
        clock: Clock,
        channels: Callable[[], Mapping[str, Channel]],
        reveal: Reveal,
        mask: Callable[[str], str],
        note: Callable[[Delivery], None],
    ) -> None:
        self._clock = clock
        self._channels = channels
        self._reveal = reveal
        self._mask = mask
        self._note = note
        self._ready = threading.Condition()
        self._waiting: dict[int, Delivery] = {}
        self._standing: dict[str, _Standing] = {}
        self._in_hand: Delivery | None = None
        self._is_closing = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; once."""
        self._thread = threading.Thread(
            target=self._work, name="task-scheduler-courier", daemon=True
        )
        self._thread.start()

    def put(self, deliveries: Iterable[Delivery]) -> None:
        """Take deliveries; each takes the place of those of its alert and channel that wait."""
        replaced = []
        with self._ready:
            for new in deliveries:
                for old in list(self._waiting.values()):
                    is_same = (old.alert_id, old.channel) == (new.alert_id, new.channel)
                    if is_same and old is not self._in_hand:
                        del self._waiting[old.delivery_id]
                        old.state = "superseded"
                        replaced.append(old)
                self._waiting[new.delivery_id] = new
            self._ready.notify()
        for old in replaced:
            self._note(old)

    def wake(self) -> None:
        """Look again: a channel changed."""
        with self._ready:
            for standing in self._standing.values():
                standing.until = 0
            self._ready.notify()

    def close(self, timeout_seconds: float) -> None:
        """Begin nothing more, and wait so long for what is in hand."""
        with self._ready:
            self._is_closing = True
            self._ready.notify()
        if self._thread is not None:
            self._thread.join(timeout_seconds)

    def trouble(self) -> Trouble | None:
        """Return which channel does not deliver, if there is one."""
        with self._ready:
            for name, standing in sorted(self._standing.items()):
                if standing.failures >= _TROUBLED_AFTER:
                    return Trouble(FaultKind.ALERTS_FAILED, name, standing.why)
        return None

    # -- the thread -----------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            with self._ready:
                delivery, seconds = self._next()
                while delivery is None and not self._is_closing:
                    self._ready.wait(seconds)
                    delivery, seconds = self._next()
                if self._is_closing or delivery is None:
                    return
                self._in_hand = delivery
            try:
                self._deliver(delivery)
            finally:
                with self._ready:
                    self._in_hand = None
            self._note(delivery)

    def _next(self) -> tuple[Delivery | None, float]:
        """Return what to deliver now, or how long to wait; under the lock."""
        now, boottime = self._clock.now(), self._clock.boottime()
        soonest = _LONGEST_REST * SECOND
        for delivery in self._waiting.values():
            standing = self._standing.get(delivery.channel)
            pause = 0 if standing is None else standing.until - boottime
            wait = max(delivery.not_before - now, pause)
            if wait <= 0:
                return delivery, 0.0
            soonest = min(soonest, wait)
        return None, soonest / SECOND

    def _deliver(self, delivery: Delivery) -> None:
        delivery.attempts += 1
        delivery.tried_at = self._clock.now()
        channel = self._channels().get(delivery.channel)
        if channel is None:
            self._end(delivery, "given_up", translate("alerts.no_channel", name=delivery.channel))
            return
        try:
            message = Message.from_json(delivery.message)
            answer = channel.target.send(message, self._reveal)
        except ChannelError as error:
            self._fail(delivery, error)
        except TaskSchedulerError as error:
            # A secret that is not there.
            self._fail(delivery, ChannelError(str(error)))
        except Exception as error:  # fence: listener
            self._fail(delivery, ChannelError(f"{type(error).__name__}: {error}"))
        else:
            with self._ready:
                self._standing.pop(delivery.channel, None)
            self._end(delivery, "delivered", self._mask(answer))

    def _fail(self, delivery: Delivery, error: ChannelError) -> None:
        why = self._mask(error.why)
        with self._ready:
            standing = self._standing.setdefault(delivery.channel, _Standing())
            standing.failures += 1
            standing.why = why
            pause = min(_FIRST_PAUSE << min(standing.failures - 1, 16), _LONGEST_PAUSE)
            pause = max(pause, round(error.wait_seconds * SECOND))
            standing.until = self._clock.boottime() + pause
        is_old = self._clock.now() - delivery.created_at > _OLDEST
        is_refused = error.is_final and delivery.attempts >= _MOST_REFUSALS
        if is_old or is_refused:
            self._end(delivery, "given_up", why)
        else:
            delivery.answer = why

    def _end(self, delivery: Delivery, state: str, answer: str) -> None:
        delivery.state, delivery.answer = state, answer
        with self._ready:
            self._waiting.pop(delivery.delivery_id, None)
