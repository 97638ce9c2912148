"""The run context: what a task may know of the run that it is executing.

Responsible for: `RunContext`, finding the current one (in this thread, or in the environment of a
script), and the environment variables that carry it into a process.

Deliberately does not know: what a task is, and who starts, times or records the run.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping, MutableMapping
from contextvars import ContextVar, Token
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from task_scheduler.core.model import Claim, Microseconds
from task_scheduler.errors import DefinitionError, RunNotFoundError

if TYPE_CHECKING:
    from task_scheduler.targets import TargetPolicy

__all__ = [
    "LOGGER_NAME",
    "Lent",
    "Progress",
    "RunContext",
    "RunLogger",
    "active_context",
    "current_run",
    "environment",
]

LOGGER_NAME = "TaskScheduler.task"
_PREFIX = "TASK_SCHEDULER_"
_TRACEPARENT = "TRACEPARENT"
"""As OpenTelemetry and those who follow it call the variable."""
_MESSAGE_LIMIT = 500
"""Characters kept of a progress message: it is one line of a table."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_making = threading.Lock()

_active: ContextVar[RunContext | None] = ContextVar("task_scheduler_run", default=None)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run says it is: a share of 0..1, None where it cannot tell, and a message."""

    fraction: float | None
    message: str


@dataclass(frozen=True, slots=True)
class Lent:
    """What the scheduler lends an attempt that goes out to the network for it."""

    read_secret: Callable[[str], str]
    """Returns a secret by its name; raises DefinitionError."""
    targets: TargetPolicy
    keep_output: Callable[[bytes], None]
    """Keeps what the attempt has to show, without the secrets that it got."""


class RunLogger(logging.LoggerAdapter[logging.Logger]):
    """Log under the run's ids: each record has `run_id`, `task_id` and `attempt`."""

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Add the ids to what the caller gives as `extra`, instead of in its place."""
        return msg, {**kwargs, "extra": {**(kwargs.get("extra") or {}), **(self.extra or {})}}


class RunContext:
    """One attempt of a run as the task sees it.

    `scheduled_at` is the nominal moment (aware, UTC), however late the attempt started; `key` is
    the same for every attempt of the run, so that an effect outside can be made once; `token`
    grows with every attempt, so that a stale one can be told. Where the scheduler traces,
    `traceparent` is what makes spans of your own children of the attempt's.
    """

    __slots__ = (
        "_cancel",
        "_cut",
        "_is_cancelled",
        "_logger",
        "_scheduled_at",
        "attempt",
        "error",
        "key",
        "last_progress",
        "lent",
        "run_id",
        "task_id",
        "token",
        "traceparent",
    )

    def __init__(
        self,
        *,
        run_id: int,
        task_id: str,
        scheduled_at: datetime | Microseconds,
        attempt: int,
        token: int,
        key: str,
    ) -> None:
        self.run_id = run_id
        self.task_id = task_id
        self._scheduled_at = scheduled_at
        self.attempt = attempt
        self.token = token
        self.key = key
        self.last_progress: Progress | None = None
        self.error: object = None
        """What the task set as its `last_error` in this attempt; None if nothing."""
        self.lent: Lent | None = None
        self.traceparent: str | None = None
        """The attempt's span, in the W3C's form; None where nothing is traced."""
        self._cut: Callable[[], None] | None = None
        self._is_cancelled = False
        self._cancel: threading.Event | None = None
        """Made by who waits for it: hardly any attempt does, and each would pay for it."""
        self._logger: RunLogger | None = None

    @classmethod
    def of_claim(cls, claim: Claim) -> RunContext:
        """Return the context of a claimed run."""
        return cls(
            run_id=claim.run_id,
            task_id=claim.task_id,
            scheduled_at=claim.scheduled_at,
            attempt=claim.attempt,
            token=claim.token,
            key=claim.key,
        )

    def __repr__(self) -> str:
        return f"<RunContext {self.task_id!r} run {self.run_id} attempt {self.attempt}>"

    @property
    def scheduled_at(self) -> datetime:
        """The nominal moment (aware, UTC), however late the attempt started."""
        if isinstance(self._scheduled_at, int):
            self._scheduled_at = _EPOCH + timedelta(microseconds=self._scheduled_at)
        return self._scheduled_at

    @property
    def cancelled(self) -> bool:
        """Whether the attempt was asked to end (cancelled, timed out, or the scheduler stops).

        A function in a thread is never stopped from outside: a long one looks here now and then.
        A script is stopped by signals instead, and always reads False.
        """
        return self._is_cancelled

    def cancel(self) -> None:
        """Ask the attempt to end; for the executor."""
        # First said, then looked for who waits: who waits does it in the opposite order.
        self._is_cancelled = True
        if self._cancel is not None:
            self._cancel.set()
        if self._cut is not None:
            self._cut()

    def on_cancel(self, cut: Callable[[], None]) -> None:
        """Have something called, from another thread, when the attempt is asked to end."""
        self._cut = cut
        if self._is_cancelled:
            # Asked in between: it may be called twice.
            cut()

    def wait_cancelled(self, timeout_seconds: float) -> bool:
        """Wait up to `timeout_seconds` and return whether the attempt was asked to end."""
        with _making:
            event = self._cancel = self._cancel or threading.Event()
        return self._is_cancelled or event.wait(timeout_seconds)

    @property
    def logger(self) -> RunLogger:
        """The logger of this run; its records carry the ids."""
        if self._logger is None:
            ids = {"run_id": self.run_id, "task_id": self.task_id, "attempt": self.attempt}
            self._logger = RunLogger(logging.getLogger(LOGGER_NAME), ids)
        return self._logger

    def progress(self, fraction: float | None = None, message: str = "") -> None:
        """Tell how far the run is: a share, held to 0..1, and a message of at most 500 characters.

        Raises DefinitionError where `fraction` is not a number or `message` not a str.
        """
        if fraction is not None:
            fraction = _share(fraction)
        self.last_progress = Progress(fraction, _line(message))

    def activate(self) -> Token[RunContext | None]:
        """Make this the current run of the calling thread or coroutine; for the attempt."""
        return _active.set(self)

    def deactivate(self, token: Token[RunContext | None]) -> None:
        """Undo `activate`."""
        _active.reset(token)


def active_context() -> RunContext | None:
    """Return the context that this thread or coroutine executes now; None outside a run."""
    return _active.get()


def current_run() -> RunContext:
    """Return the run that calls: in a task's function, or in a script that the scheduler started.

    Raises RunNotFoundError outside a run. A thread that the task itself starts is outside; hand
    the context over, or start it with `contextvars.copy_context().run`.
    """
    context = _active.get() or _from_environment(os.environ)
    if context is None:
        raise RunNotFoundError("tasks.no_current_run")
    return context


def environment(context: RunContext) -> dict[str, str]:
    """Return the variables that tell a process which run it is; times in RFC 3339."""
    trace = {} if context.traceparent is None else {_TRACEPARENT: context.traceparent}
    return {
        **trace,
        f"{_PREFIX}RUN_ID": str(context.run_id),
        f"{_PREFIX}TASK_ID": context.task_id,
        f"{_PREFIX}SCHEDULED_AT": context.scheduled_at.isoformat(),
        f"{_PREFIX}ATTEMPT": str(context.attempt),
        f"{_PREFIX}TOKEN": str(context.token),
        f"{_PREFIX}KEY": context.key,
    }


def _share(value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # Not isfinite: that overflows for a huge int, which is held to 1 like any other.
    if not is_number or value != value:  # noqa: PLR0124
        raise DefinitionError("tasks.progress_fraction", value=value)
    return float(min(1, max(0, value)))


def _line(value: object) -> str:
    if not isinstance(value, str):
        raise DefinitionError("tasks.progress_message", value=value)
    return value[:_MESSAGE_LIMIT]


def _from_environment(variables: Mapping[str, str]) -> RunContext | None:
    """Return the run of this process; None if the variables are not all there and sound."""
    try:
        scheduled_at = datetime.fromisoformat(variables[f"{_PREFIX}SCHEDULED_AT"])
        context = RunContext(
            run_id=int(variables[f"{_PREFIX}RUN_ID"]),
            task_id=variables[f"{_PREFIX}TASK_ID"],
            scheduled_at=scheduled_at,
            attempt=int(variables[f"{_PREFIX}ATTEMPT"]),
            token=int(variables[f"{_PREFIX}TOKEN"]),
            key=variables.get(f"{_PREFIX}KEY", variables[f"{_PREFIX}SCHEDULED_AT"]),
        )
    except (KeyError, ValueError):
        return None
    context.traceparent = variables.get(_TRACEPARENT)
    return context if scheduled_at.tzinfo is not None else None
