"""A request that is cancelled ends at once, wherever it is."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import HttpTask
from tests.integration.http_tasks.attempts import Attempt
from tests.integration.http_tasks.servers import (
    Seen,
    answer,
    certificate,
    deaf_port,
    raw_server,
    serving,
    silent,
)


@contextmanager
def cancelled_once(attempt: Attempt, begun: Callable[[], object]) -> Any:
    """Run an attempt in a thread and cancel it when something has begun."""
    found: list[tuple[bool, str]] = []
    thread = threading.Thread(target=lambda: found.append(attempt.run()), daemon=True)
    thread.start()
    begun()
    attempt.context.cancel()
    thread.join(30)
    assert not thread.is_alive()
    yield found[0]


def dripping(connection: socket.socket, _: Seen) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.01)


@pytest.mark.parametrize("reply", [silent, dripping])
@pytest.mark.parametrize("has_tls", [False, True])
def test_a_cancel_closes_the_connection(reply: Any, has_tls: bool, tmp_path: Path) -> None:
    tls = certificate(tmp_path) if has_tls else None
    with serving(reply, tls=tls) as server:
        attempt = Attempt(HttpTask("t", None, server.url(host="localhost"), verify=False))
        with cancelled_once(attempt, lambda: server.reached.wait(30)) as (is_ok, error):
            assert (is_ok, error) == (False, "cancelled")
        assert server.broken.wait(30)


def test_a_cancel_ends_a_connection_that_is_not_made_yet() -> None:
    with deaf_port() as port:
        attempt = Attempt(HttpTask("t", None, f"http://127.0.0.1:{port}/"))
        with cancelled_once(attempt, lambda: time.sleep(0.3)) as (is_ok, error):
            assert (is_ok, error) == (False, "cancelled")


def test_a_cancel_ends_a_handshake() -> None:
    with raw_server(None) as port:
        attempt = Attempt(HttpTask("t", None, f"https://127.0.0.1:{port}/"))
        with cancelled_once(attempt, lambda: time.sleep(0.3)) as (is_ok, error):
            assert (is_ok, error) == (False, "cancelled")


def test_a_cancel_ends_the_wait_for_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, told = threading.Event(), threading.Event()

    def slow(*_: Any, **__: Any) -> Any:
        asked.set()
        told.wait(30)
        raise OSError("too late")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    attempt = Attempt(HttpTask("t", None, "http://slow.example/"))
    with cancelled_once(attempt, lambda: asked.wait(30)) as (is_ok, error):
        assert (is_ok, error) == (False, "cancelled")
    told.set()


def test_what_was_cancelled_before_it_began_sends_nothing() -> None:
    with serving(answer()) as server:
        attempt = Attempt(HttpTask("t", None, server.url()))
        attempt.context.cancel()
        assert attempt.run() == (False, "cancelled")
    assert server.seen == []
