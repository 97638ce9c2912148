"""The way of the metrics out of the process: an HTTP endpoint, a file, or both; one thread.

Responsible for: that thread, trying again where an address is taken or a file cannot be written,
and saying so. What the metrics are and how a request is answered is not its business.

The file is for node_exporter's text-file collector: it is replaced as a whole, and taken away at
the end, as figures of nobody would else be taken for figures of now.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from task_scheduler.core.faults import FaultKind, Trouble
from task_scheduler.core.model import SECOND, Microseconds
from task_scheduler.core.ports import Clock
from task_scheduler.observe.metrics_server import MetricsServer

__all__ = ["ExportPlan", "Exporter", "shown_address"]

_AGAIN: Microseconds = 2 * SECOND
"""Before the next try to listen."""
_LONG: Microseconds = 3_600 * SECOND
_END_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """Where the metrics go."""

    listen: tuple[str, int] | None = None
    token: str | None = None
    """What a request has to carry; None: nothing."""
    file: Path | None = None
    file_interval: Microseconds = 15 * SECOND


class Exporter:
    """Serve what `render` returns, until closed."""

    def __init__(self, plan: ExportPlan, render: Callable[[], bytes], *, clock: Clock) -> None:
        self.plan = plan
        self._render = render
        self._clock = clock
        self._server: MetricsServer | None = None
        self._why_deaf = ""
        self._why_unwritten = ""
        self._listen_at: Microseconds = 0
        self._write_at: Microseconds = 0
        self._has_written = False
        self._closing = threading.Event()
        self._thread = threading.Thread(
            target=self._keep, name="task-scheduler-metrics", daemon=True
        )

    def start(self) -> None:
        """Begin; an address that is taken is tried again and raises nothing."""
        self._thread.start()

    def close(self) -> None:
        """End and wait for that: a rendering at most, or a while for the lookup of a name."""
        self._closing.set()
        server = self._server
        if server is not None:
            server.stir()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(_END_SECONDS)

    @property
    def address(self) -> tuple[str, int] | None:
        """Where it listens; None while it cannot."""
        server = self._server
        return None if server is None else server.address

    @property
    def results(self) -> Mapping[str, int]:
        """How requests ended, until now."""
        server = self._server
        return {} if server is None else dict(server.results)

    def trouble(self) -> Trouble | None:
        """Return why the metrics cannot be had, if so."""
        plan = self.plan
        if self._why_deaf and plan.listen is not None:
            return Trouble(FaultKind.MONITORING_FAILED, shown_address(plan.listen), self._why_deaf)
        if self._why_unwritten:
            return Trouble(FaultKind.MONITORING_FAILED, str(plan.file), self._why_unwritten)
        return None

    def _keep(self) -> None:
        try:
            while not self._closing.is_set():
                try:
                    self._turn()
                except Exception as error:  # fence: request
                    # Its own descriptors are not what they were; a new one may be better off.
                    self._why_deaf = _reason(error)
                    self._listen_at = self._clock.boottime() + _AGAIN
                    self._drop()
        finally:
            self._drop()
            if self.plan.file is not None and self._has_written:
                with contextlib.suppress(OSError):
                    self.plan.file.unlink()

    def _drop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def _turn(self) -> None:
        now = self._clock.boottime()
        if self.plan.listen is not None and self._server is None and now >= self._listen_at:
            self._listen()
        if self.plan.file is not None and now >= self._write_at:
            self._write(self.plan.file)
        wait = self._wait()
        if self._server is None:
            self._closing.wait(wait / SECOND)
            return
        if self._closing.is_set():
            # Whoever closes may have looked before there was a server to stir.
            return
        self._server.serve(wait)

    def _wait(self) -> Microseconds:
        """Return how long there is nothing to do but to answer."""
        now, moments = self._clock.boottime(), []
        if self.plan.file is not None:
            moments.append(self._write_at)
        if self.plan.listen is not None and self._server is None:
            moments.append(self._listen_at)
        return max(0, min((at - now for at in moments), default=_LONG))

    def _listen(self) -> None:
        plan = self.plan
        if plan.listen is None:
            return
        try:
            self._server = MetricsServer(
                plan.listen, self._render, clock=self._clock, token=plan.token
            )
        except (OSError, UnicodeError) as error:
            self._why_deaf = _reason(error)
            self._listen_at = self._clock.boottime() + _AGAIN
        else:
            self._why_deaf = ""

    def _write(self, path: Path) -> None:
        self._write_at = self._clock.boottime() + self.plan.file_interval
        try:
            _replace(path, self._render())
        except Exception as error:  # fence: request
            self._why_unwritten = _reason(error)
        else:
            self._why_unwritten, self._has_written = "", True


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {error}"


def shown_address(address: tuple[str, int]) -> str:
    """Return an address as it stands in a URL."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _replace(path: Path, text: bytes) -> None:
    """Put a text where whoever reads it sees the old one or all of the new one."""
    # Not a name that the collector takes for one of its files.
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(beside, flags, 0o644), "wb") as file:
            # Whatever our umask: another user's collector reads it.
            os.fchmod(file.fileno(), 0o644)
            file.write(text)
        beside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
