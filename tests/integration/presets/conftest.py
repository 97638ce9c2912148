"""A farm in a temporary folder, with the simulated device and the collector as real processes."""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from task_scheduler.presets.farm.starter import bundled_file, write_farm

MODULES = "task_scheduler.presets.farm"
SHORT = 20


def wait_for(condition: Callable[[], Any], seconds: float = SHORT) -> Any:
    """Return what the condition gives as soon as it is true; fail after a deadline."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)
    return found


class Server:
    """A child process that listens."""

    def __init__(self, *command: str) -> None:
        environ = {**os.environ, "FARM_SERVER_TOKEN": "", "LANG": "C.UTF-8"}
        self.process = subprocess.Popen(
            [sys.executable, *command], stdout=subprocess.PIPE, text=True, env=environ
        )
        said = self.process.stdout.readline()
        self.url = re.search(r"\w+://\S+", said).group()
        self.address = self.url.partition("://")[2]

    def get(self) -> dict[str, Any]:
        with urllib.request.urlopen(self.url, timeout=SHORT) as answer:
            return json.load(answer)

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(SHORT)
        self.process.stdout.close()


class Farm:
    """The folder, and its scripts as somebody would start them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "data" / "farm.db"
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FARM_")},
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
        }
        self.set_up()

    def set_up(self, *, device: str = "", url: str = "") -> None:
        """Fill in farm.toml."""
        text = bundled_file("farm.toml", "en").read_text(encoding="utf-8")
        text = text.replace('gateway = "" ', 'gateway = "g1" ')
        text = text.replace("timeout_seconds = 2 ", "timeout_seconds = 0.3 ")
        text = text.replace("timeout_seconds = 20", "timeout_seconds = 3")
        if device:
            host, _, port = device.rpartition(":")
            text = text.replace('host = ""', f'host = "{host}"')
            text = text.replace("port = 502", f"port = {port}")
        if url:
            text = text.replace('url = "" ', f'url = "{url}" ')
        (self.folder / "farm.toml").write_text(text, encoding="utf-8")

    def run(self, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
        """Run a script to its end."""
        return subprocess.run(
            [sys.executable, str(self.folder / script), *arguments],
            env={**self.environ, **variables},
            capture_output=True,
            text=True,
            cwd="/",
            timeout=60,
            check=False,
        )

    def query(self, statement: str) -> list[tuple]:
        with closing(sqlite3.connect(self.database)) as db:
            return db.execute(statement).fetchall()

    def add_readings(self, count: int) -> None:
        """Add rows as `count` collections of one sensor would."""
        # Nobody listens on port 1: eight rows without a value.
        self.run("sensor_data_collection.py", FARM_DEVICE="127.0.0.1:1")
        statement = (
            "INSERT INTO readings (scheduled_at, measured_at, pond, sensor, value, unit, quality)"
            " VALUES (?, ?, 'pond-9', 'ph', 8.1, 'pH', 'ok')"
        )
        moments = [f"2026-01-01T00:00:{number:06}" for number in range(count)]
        with closing(sqlite3.connect(self.database)) as db, db:
            db.executemany(statement, [(moment, moment) for moment in moments])


@pytest.fixture
def farm(tmp_path: Path) -> Farm:
    write_farm(tmp_path, "en")
    return Farm(tmp_path)


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    """Start servers that end with the test."""
    servers: list[Server] = []

    def start_one(*command: str) -> Server:
        servers.append(Server(*command))
        return servers[-1]

    yield start_one
    for server in servers:
        server.end()


@pytest.fixture
def start_device(start) -> Callable[..., Server]:
    return lambda *options: start(
        "-m", f"{MODULES}.pond_device", "--port", "0", "--no-faults", *options
    )


@pytest.fixture
def start_collector(start, tmp_path) -> Callable[..., Server]:
    """Start the collector on its file; again on the same port if one is given."""
    return lambda port=0: start(
        *("-m", f"{MODULES}.collector", "--port", str(port)),
        *("--database", str(tmp_path / "collector.db")),
    )


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
