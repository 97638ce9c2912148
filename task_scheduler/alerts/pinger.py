"""The pinger: tells a monitor outside that runs begin and end, and that the scheduler lives.

Responsible for: the protocol of Healthchecks (``URL/start``, ``URL``, ``URL/fail``, ``URL/log``,
each with the run's id), and the scheduler's own heartbeat: a machine that is down cannot report
itself, so somebody else has to notice that it is silent.

Pings are about the present: what cannot be told within a minute is dropped.
"""

from __future__ import annotations

import threading
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from task_scheduler.alerts.messages import ChannelError, Reveal
from task_scheduler.alerts.rules import AlertPlan
from task_scheduler.core.events import AttemptStarted, Event, RetryScheduled, RunSettled
from task_scheduler.core.model import SECOND, Microseconds, Outcome
from task_scheduler.core.ports import Clock
from task_scheduler.errors import TargetRefusedError, TaskSchedulerError
from task_scheduler.targets import TargetPolicy, pinned_transport

__all__ = ["Pinger"]

_MOST = 10_000
_OLDEST: Microseconds = 60 * SECOND
_TRIES = 3
_TIMEOUT_SECONDS = 5.0
_BODY_BYTES = 10_000
_FIRST_REFUSAL = 300
_LONGEST_REST = 30.0


@dataclass(frozen=True, slots=True)
class _Ping:
    url: str
    run: str
    text: str
    at: Microseconds
    """On the boot clock."""


class Pinger:
    """Ping; `tell` is quick and may be called by any thread."""

    def __init__(
        self,
        *,
        clock: Clock,
        plan: Callable[[], AlertPlan],
        ledger_id: Callable[[], str],
        reveal: Reveal,
        mask: Callable[[str], str],
        problems: Callable[[], list[str]],
    ) -> None:
        self._clock = clock
        self._plan = plan
        self._ledger_id = ledger_id
        self._reveal = reveal
        self._mask = mask
        self._problems = problems
        self._pings: deque[_Ping] = deque(maxlen=_MOST)
        self._wake = threading.Event()
        self._is_closing = False
        self._beat_at: Microseconds = 0
        self._thread: threading.Thread | None = None
        self.last_error = ""
        """Why the last ping could not be told; empty where it could."""

    def start(self) -> None:
        """Begin; once."""
        self._thread = threading.Thread(target=self._work, name="task-scheduler-pings", daemon=True)
        self._thread.start()

    def tell(self, event: Event) -> None:
        """Take an event of a run."""
        if not isinstance(event, AttemptStarted | RunSettled | RetryScheduled):
            return
        url = self._plan().ping_url(event.task_id)
        if url is None:
            return
        suffix, text = "", ""
        match event:
            case AttemptStarted():
                if event.attempt > 1:
                    return
                suffix = "/start"
            case RetryScheduled():
                suffix, text = "/log", event.error or str(event.outcome)
            case RunSettled(outcome=Outcome.SUCCEEDED):
                pass
            case RunSettled(outcome=Outcome.CANCELLED):
                suffix, text = "/log", event.error or str(event.outcome)
            case RunSettled():
                suffix, text = "/fail", event.error or str(event.outcome)
        run = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._ledger_id()}/{event.run_id}"))
        self._pings.append(_Ping(url + suffix, run, text, self._clock.boottime()))
        self._wake.set()

    def close(self, timeout_seconds: float) -> None:
        """Tell what there is to tell, for so long at most."""
        self._is_closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout_seconds)

    def _work(self) -> None:
        import httpx  # only those who ping wait for it

        policy = TargetPolicy(is_trusted=True)
        with httpx.Client(
            transport=pinned_transport(policy), timeout=_TIMEOUT_SECONDS, follow_redirects=False
        ) as client:
            while not (self._is_closing and not self._pings):
                self._beat(client)
                while self._pings:
                    self._send(client, self._pings.popleft())
                    self._beat(client)
                if not self._is_closing:
                    self._wake.wait(self._rest())
                    self._wake.clear()

    def _rest(self) -> float:
        if self._plan().heartbeat is None:
            return _LONGEST_REST
        return max(0.0, min(_LONGEST_REST, (self._beat_at - self._clock.boottime()) / SECOND))

    def _beat(self, client: Any) -> None:
        """Say that the scheduler lives, or what keeps it from its work."""
        heartbeat = self._plan().heartbeat
        boottime = self._clock.boottime()
        if heartbeat is None or boottime < self._beat_at or self._is_closing:
            return
        self._beat_at = boottime + heartbeat.every
        problems = self._problems()
        suffix = "/fail" if problems else ""
        text = "\n".join(problems)
        self._send(client, _Ping(heartbeat.url + suffix, "", text, boottime))

    def _send(self, client: Any, ping: _Ping) -> None:
        body = self._mask(ping.text).encode("utf-8", "replace")[:_BODY_BYTES]
        for number in range(_TRIES):
            if self._clock.boottime() - ping.at > _OLDEST:
                return
            try:
                self._post(client, ping, body)
            except ChannelError as error:
                self.last_error = self._mask(error.why)
                if error.is_final or self._is_closing:
                    return
                # Between two tries others may close us.
                self._wake.wait(number + 1.0)
            else:
                self.last_error = ""
                return

    def _post(self, client: Any, ping: _Ping, body: bytes) -> None:
        import httpx

        parameters = {"rid": ping.run} if ping.run else None
        try:
            url = self._reveal(ping.url)
            answer = client.post(url, params=parameters, content=body)
        except (TargetRefusedError, httpx.InvalidURL) as error:
            raise ChannelError(str(error), is_final=True) from error
        except (TaskSchedulerError, httpx.HTTPError, OSError, ValueError) as error:
            raise ChannelError(f"{type(error).__name__}: {error}") from error
        if answer.status_code >= _FIRST_REFUSAL:
            is_final = answer.status_code < 500
            raise ChannelError(f"HTTP {answer.status_code}", is_final=is_final)
