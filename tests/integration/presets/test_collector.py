"""The collector as a server: what it refuses, and how it ends."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys

import pytest

from tests.integration.presets.conftest import MODULES, SHORT

BEAT = json.dumps({"gateway": "g"}).encode()
KEY = {"Idempotency-Key": "k"}


def post(collector, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict]:
    connection = http.client.HTTPConnection(collector.address, timeout=SHORT)
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, json.load(answer)
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/api/v1/heartbeats", BEAT, {}, 400),
        ("/api/v1/heartbeats", BEAT, {"Idempotency-Key": "k" * 201}, 400),
        ("/api/v1/heartbeats", b"{", KEY, 400),
        ("/api/v1/heartbeats", b"\xff\xfe", KEY, 400),
        ("/api/v1/heartbeats", b'{"gateway": NaN}', KEY, 400),
        ("/api/v1/heartbeats", b"[" * 100_000, KEY, 400),
        ("/api/v1/heartbeats", b"", KEY, 400),
        ("/api/v1/batches", BEAT, KEY, 404),
        ("/elsewhere", BEAT, KEY, 404),
        ("/api/v1/heartbeats", BEAT, {**KEY, "Content-Length": str(5 << 20)}, 413),
        ("/api/v1/heartbeats", BEAT, {**KEY, "Content-Length": "-1"}, 411),
        ("/api/v1/heartbeats", BEAT, KEY, 200),
    ],
)
def test_what_is_no_batch_is_refused_with_a_reason(
    start_collector, path, body, headers, status
) -> None:
    collector = start_collector()

    found, content = post(collector, path, body, headers)

    assert found == status, content
    assert ("error" in content) == (status != 200)
    assert collector.get()["batches"] == (status == 200)


def test_a_token_is_asked_for_where_one_is_set(tmp_path) -> None:
    command = [sys.executable, "-m", f"{MODULES}.collector", "--port", "0", "--until-eof"]
    process = subprocess.Popen(
        [*command, "--database", str(tmp_path / "c.db")],
        env={**os.environ, "FARM_SERVER_TOKEN": "secret"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        address = process.stdout.readline().strip().rpartition("//")[2]
        statuses = []
        for token in ("", "Bearer wrong", "Bearer sécret", "Bearer secret"):
            connection = http.client.HTTPConnection(address, timeout=SHORT)
            headers = {"Authorization": token.encode(), **KEY}
            connection.request("POST", "/api/v1/heartbeats", BEAT, headers)
            statuses.append(connection.getresponse().status)
            connection.close()
        # Its standard input closes: whoever started it is gone.
        process.stdin.close()
        assert process.wait(SHORT) == 0

    assert statuses == [401, 401, 401, 200]


def test_it_does_not_listen_to_other_machines_without_a_token(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"{MODULES}.collector", "--host", "0.0.0.0", "--port", "0"],
        env={**os.environ, "FARM_SERVER_TOKEN": "", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=SHORT,
        check=False,
    )

    assert done.returncode == 2
    assert "set FARM_SERVER_TOKEN" in done.stderr


def test_a_client_that_goes_away_in_the_middle_disturbs_nobody(start_collector) -> None:
    collector = start_collector()
    host, _, port = collector.address.partition(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"POST /api/v1/readings HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")

    assert post(collector, "/api/v1/heartbeats", BEAT, KEY)[0] == 200


@pytest.mark.parametrize("module", ["collector", "pond_device"])
def test_a_port_that_is_taken_is_told_in_one_line(tmp_path, module) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", f"{MODULES}.{module}", "--port", str(port)],
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=SHORT,
            check=False,
        )

    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr
