"""A service manager hears each message as sd_notify(3) writes it; one that is gone, nothing."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from task_scheduler.clock import SystemClock
from task_scheduler.service.manager import ServiceManager


class Listener:
    """A manager's socket, at an address of its own."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.settimeout(10)

    def heard(self) -> dict[str, str]:
        """Return the next message."""
        text = self._socket.recv(65_536).decode()
        return dict(line.split("=", 1) for line in text.split("\n"))

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listener]:
    name = f"task-scheduler-test-{os.getpid()}-{id(tmp_path)}"
    made = Listener(f"@{name}" if request.param == "abstract" else str(tmp_path / "notify"))
    yield made
    made.close()


def test_each_message_is_what_the_protocol_says(listener: Listener) -> None:
    manager = ServiceManager(listener.address)

    manager.ready("All is well.")
    manager.say("Tasks that need you: 1 of 3.")
    manager.alive()
    manager.stopping("SIGTERM received", seconds=30.0)

    assert listener.heard() == {"READY": "1", "STATUS": "All is well."}
    assert listener.heard() == {"STATUS": "Tasks that need you: 1 of 3."}
    assert listener.heard() == {"WATCHDOG": "1"}
    stopping = listener.heard()
    assert stopping["STOPPING"] == "1"
    assert int(stopping["EXTEND_TIMEOUT_USEC"]) > 30_000_000


def test_a_reload_names_its_moment_on_the_clock_that_systemd_reads(listener: Listener) -> None:
    before = SystemClock().monotonic()

    ServiceManager(listener.address).reloading()

    heard = listener.heard()
    assert heard["RELOADING"] == "1"
    assert before <= int(heard["MONOTONIC_USEC"]) <= SystemClock().monotonic()


def test_a_sentence_of_several_lines_cannot_become_another_message(listener: Listener) -> None:
    ServiceManager(listener.address).say("task 'a'\nSTOPPING=1\nfailed")

    assert listener.heard() == {"STATUS": "task 'a' STOPPING=1 failed"}


def test_a_sentence_without_end_is_cut(listener: Listener) -> None:
    ServiceManager(listener.address).say("x" * 5_000)

    assert listener.heard()["STATUS"].endswith("x…")


def test_what_is_taken_from_the_environment_is_gone_from_it() -> None:
    environ = {"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "3000000", "PATH": "/bin"}
    environ["WATCHDOG_PID"] = str(os.getpid())

    manager = ServiceManager.of(environ)

    assert (manager.address, manager.watchdog_seconds) == ("/run/n", 3.0)
    assert environ == {"PATH": "/bin"}


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "5000000"}, 5.0),
        ({"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
        ({}, 0.0),
    ],
)
def test_a_watchdog_that_watches_another_process_is_not_ours(
    environ: dict[str, str], seconds: float
) -> None:
    manager = ServiceManager.of({"NOTIFY_SOCKET": "@n", **environ})

    assert manager.watchdog_seconds == seconds


@pytest.mark.parametrize("address", ["", "vsock:2:1", "relative/socket"])
def test_an_address_that_is_none_is_nobody(address: str) -> None:
    manager = ServiceManager.of({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000000"})

    assert (manager.is_there, manager.watchdog_seconds) == (False, 0.0)
    manager.ready("nobody hears it")


def test_a_manager_that_is_gone_disturbs_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ServiceManager(str(tmp_path / "gone")).ready("nobody hears it")
    ServiceManager(f"/{'x' * 300}").ready("nor this, at a path that no socket can have")

    assert caplog.records == []
    assert list(tmp_path.iterdir()) == []
