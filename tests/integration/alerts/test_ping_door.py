"""Signs of life over HTTP: real clients, hostile ones too, against a real server."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from task_scheduler import TaskScheduler
from task_scheduler.alerts import ping_door
from task_scheduler.alerts.ping_door import PingDoor
from task_scheduler.alerts.ping_request import digest_of
from tests.integration.alerts.conftest import until
from tests.integration.alerts.servers import Receiver

Start = Callable[..., TaskScheduler]
TOKEN = "wq3vVn0l2dS5sT7bYx9cKf1hJ4mN6pR8"
ROOT = Path(__file__).parents[3]
EXPECTED = {
    "nas": {"every_seconds": "1d", "token_sha256": digest_of(TOKEN)},
    "other": {"every_seconds": "1d", "token_sha256": digest_of(TOKEN[::-1])},
}
ALERTS = {"ping_in": {"listen": "127.0.0.1:0"}, "expected": EXPECTED}


@pytest.fixture
def door(started: Start) -> PingDoor:
    return door_of(started(ALERTS))


def door_of(scheduler: TaskScheduler) -> PingDoor:
    """Return the door once it is open."""
    office = until(lambda: scheduler._office)
    found = until(lambda: office._door)
    until(lambda: found.port)
    assert isinstance(found, PingDoor)
    return found


def url(door: PingDoor, rest: str = "", token: str = TOKEN) -> str:
    return f"http://127.0.0.1:{door.port}/ping/{token}{rest}"


@pytest.fixture
def pings(started: Start) -> Callable[[], dict[str, Any]]:
    """Return what reads the last signs of life, as another process would."""
    reader = started({"expected": EXPECTED}, is_begun=False)
    return lambda: {row["check_id"]: row for row in reader.pings()}


@pytest.mark.parametrize(
    ("rest", "kind", "text"),
    [
        ("", "success", None),
        ("/", "success", None),
        ("/start", "start", None),
        ("/fail", "fail", None),
        ("/0", "success", None),
        ("/3", "fail", "exit code 3"),
        ("?rid=0c8983c9-9d73-446f-adb6-0641fdacc9d4", "success", None),
    ],
)
def test_the_paths_of_healthchecks_are_taken(
    door: PingDoor, pings: Callable[[], dict[str, Any]], rest: str, kind: str, text: str | None
) -> None:
    for method in ("GET", "HEAD", "POST"):
        answer = httpx.request(method, url(door, rest))

        assert (answer.status_code, answer.text) == (200, "" if method == "HEAD" else "OK")
        # Answered, and so durable: nothing is waited for.
        assert (pings()["nas"]["kind"], pings()["nas"]["text"]) == (kind, text)


def test_a_log_is_kept_and_says_nothing_of_how_it_is(
    door: PingDoor, pings: Callable[[], dict[str, Any]]
) -> None:
    httpx.get(url(door, "/start"))
    before = pings()["nas"]

    httpx.post(url(door, "/log"), content="half way")

    assert pings()["nas"] == {**before, "text": "half way"}


def test_a_body_is_kept_up_to_ten_thousand_bytes(
    door: PingDoor, pings: Callable[[], dict[str, Any]]
) -> None:
    assert httpx.post(url(door, "/fail"), content=b"x" * 30_000).status_code == 200

    assert pings()["nas"]["text"] == "x" * 10_000


def test_a_secret_in_a_body_is_masked(started: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "hunter2-and-more")
    scheduler = started(ALERTS, security={"secrets": {"smtp": {"env": "SMTP_PASSWORD"}}})
    door = door_of(scheduler)
    assert scheduler._reveal("${secret:smtp}") == "hunter2-and-more"

    httpx.post(url(door, "/fail"), content="login with hunter2-and-more failed")

    [ping] = scheduler.pings()
    assert "hunter2" not in ping["text"]
    assert ping["text"].startswith("login with ")


def test_a_body_in_pieces_is_taken_too(door: PingDoor, pings: Callable[[], dict[str, Any]]) -> None:
    answer = httpx.post(url(door, "/7"), content=iter([b"no ", b"\xffroom\0"]))

    assert answer.status_code == 200
    assert pings()["nas"]["text"] == "exit code 7\nno \ufffdroom\ufffd"


def test_a_body_without_end_counts_as_a_sign_of_life(
    door: PingDoor, pings: Callable[[], dict[str, Any]]
) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 65_536

    # It is cut off while it still sends.
    with contextlib.suppress(httpx.TransportError):
        httpx.post(url(door), content=endless(), timeout=30)

    assert pings()["nas"]["kind"] == "success"
    assert len(pings()["nas"]["text"]) == 10_000


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"/ping/{TOKEN}x", 404),
        ("GET", f"/ping/{TOKEN[:-1]}", 404),
        ("GET", f"/ping/{TOKEN}/256", 404),
        ("GET", f"/ping/{TOKEN}/stop", 404),
        ("GET", f"/ping/{TOKEN}/start/start", 404),
        ("GET", f"/{TOKEN}", 404),
        ("GET", "/", 404),
        ("GET", f"/ping/../ping/{TOKEN}", 404),
        ("PUT", f"/ping/{TOKEN}", 405),
        ("DELETE", f"/ping/{TOKEN}", 405),
    ],
)
def test_all_else_is_refused(
    door: PingDoor,
    pings: Callable[[], dict[str, Any]],
    method: str,
    path: str,
    status: int,
) -> None:
    answer = said(
        door, f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode()
    )

    assert answer.split()[1] == str(status).encode()
    assert pings() == {} or pings()["nas"]["kind"] == "expected"


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 10_000,
        b"GET /" + b"a" * 100_000,
        b"\r\n" * 10_000,
    ],
)
def test_nonsense_is_answered_or_cut_off_and_the_next_one_is_heard(
    door: PingDoor, sent: bytes
) -> None:
    answer = said(door, sent)

    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert httpx.get(url(door)).status_code == 200


def test_no_bytes_bring_it_down(door: PingDoor) -> None:
    rng = random.Random(20261125)
    whole = (
        f"POST /ping/{TOKEN}/log?rid=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
        "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
    ).encode()
    for _ in range(200):
        sent = bytearray(whole)
        for _ in range(rng.randrange(1, 6)):
            place = rng.randrange(len(sent))
            if rng.random() < 0.5:
                sent[place] = rng.randrange(256)
            else:
                sent[place : place + rng.randrange(9)] = rng.randbytes(rng.randrange(9))
        said(door, bytes(sent[: rng.randrange(1, len(sent) + 1)]))

    assert httpx.get(url(door)).status_code == 200
    until(lambda: not door._open)


def test_a_changed_configuration_changes_who_is_let_in_and_where(tmp_path: Path) -> None:
    path = tmp_path / "scheduler_config.json"
    config: dict[str, Any] = {
        "storage": {"path": str(tmp_path / "scheduler.db")},
        "logging": {"log_dir": str(tmp_path / "logs"), "console": False},
        "alerts": ALERTS,
    }
    path.write_text(json.dumps(config))
    with TaskScheduler(path) as scheduler:
        door = door_of(scheduler)
        first = door.port
        assert httpx.get(url(door)).status_code == 200

        others = {"nas": {**EXPECTED["nas"], "token_sha256": digest_of("another-token-of-its-own")}}
        path.write_text(json.dumps({**config, "alerts": {**ALERTS, "expected": others}}))
        scheduler.reload()
        assert httpx.get(url(door)).status_code == 404
        assert httpx.get(url(door, token="another-token-of-its-own")).status_code == 200
        assert door.port == first

        moved = {**ALERTS, "ping_in": {"listen": "localhost:0"}}
        path.write_text(json.dumps({**config, "alerts": moved}))
        scheduler.reload()
        until(lambda: door.port not in (0, first))
        assert httpx.get(url(door)).status_code == 200

        path.write_text(json.dumps({**config, "alerts": {"expected": EXPECTED}}))
        scheduler.reload()
        until(lambda: door.port == 0)
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://127.0.0.1:{first}/ping/{TOKEN}")


def test_who_is_slow_is_cut_off_and_holds_up_nobody(
    door: PingDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ping_door, "_SECONDS", 0.5)
    with socket.create_connection(("127.0.0.1", door.port), 30) as slow:
        slow.sendall(b"POST /ping/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        until(lambda: door._open)
        # The others have their time, however busy this machine is.
        monkeypatch.setattr(ping_door, "_SECONDS", 30)
        assert httpx.get(url(door)).status_code == 200

        assert slow.recv(100) == b""


def test_of_very_many_the_oldest_are_cut_off(
    door: PingDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ping_door, "_MOST_OPEN", 8)
    idle = [socket.create_connection(("127.0.0.1", door.port), 30) for _ in range(40)]
    try:
        until(lambda: len(door._open) == 8)
        # The first who came are gone already; a ping does not wait for them.
        assert httpx.get(url(door)).status_code == 200
        assert idle[0].recv(1) == b""
        assert len(door._open) <= 8
    finally:
        for client in idle:
            client.close()


def test_a_ledger_that_does_not_answer_is_told_so_that_the_client_tries_again(
    door: PingDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_released = threading.Event()
    monkeypatch.setattr(ping_door, "_TAKE_SECONDS", 0.2)
    monkeypatch.setattr(door, "_take", lambda *_: is_released.wait(30))
    try:
        assert httpx.get(url(door)).status_code == 503
    finally:
        is_released.set()


def test_without_the_key_nothing_listens(started: Start, receiver: Receiver) -> None:
    scheduler = started(
        {"channels": {"x": {"webhook": {"url": receiver.url}}}, "expected": EXPECTED}
    )

    assert until(lambda: scheduler._office)._door is None


def test_a_port_that_is_taken_is_shown_and_got_when_it_is_free(
    started: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ping_door, "_RETRY_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        alerts = {**ALERTS, "ping_in": {"listen": f"127.0.0.1:{port}"}}
        scheduler = started(alerts, is_begun=False)
        # As under `tsk up`: the watchdog looks every second, whether there is work or not.
        scheduler._runtime.vigil.is_close = True
        scheduler.start()
        problem = until(lambda: [p for p in scheduler.problems() if f":{port}" in p["where"]])[0]
        assert problem["kind"] == "alerts_failed"

    assert door_of(scheduler).port == port
    until(lambda: not scheduler.problems())


def test_a_sign_of_life_over_http_ends_the_alert_of_its_silence(
    started: Start, receiver: Receiver
) -> None:
    expected = {"nas": {**EXPECTED["nas"], "every_seconds": 1, "grace_seconds": 1}}
    channel = {"webhook": {"url": receiver.url}}
    scheduler = started({**ALERTS, "channels": {"chat": channel}, "expected": expected})
    until(lambda: receiver.requests)

    httpx.get(url(door_of(scheduler)))
    until(lambda: len(receiver.requests) >= 2)

    assert [alert["notice"] for alert in receiver.alerts[:2]] == ["opened", "recovered"]


def test_the_token_is_kept_nowhere(
    started: Start, door: PingDoor, tmp_path: Path, pings: Callable[[], dict[str, Any]]
) -> None:
    httpx.post(url(door, "/fail"), content="disk 3")
    until(lambda: pings()["nas"]["kind"] == "fail")

    holding = [
        path
        for path in tmp_path.rglob("*")
        if path.is_file() and TOKEN.encode() in path.read_bytes()
    ]

    assert holding == []


PROGRAM = """
    import json, sys, time
    from task_scheduler import TaskScheduler
    with TaskScheduler(json.loads(sys.argv[1])) as scheduler:
        while not (scheduler._office and scheduler._office._door and scheduler._office._door.port):
            time.sleep(0.02)
        print(scheduler._office._door.port, flush=True)
        sys.stdin.read()
"""


@pytest.mark.may_skip(reason="curl is not on every machine")
@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_curl_reports_to_a_scheduler_of_another_process(tmp_path: Path) -> None:
    config = {
        "storage": {"path": str(tmp_path / "scheduler.db")},
        "logging": {"log_dir": str(tmp_path), "console": False},
        "alerts": ALERTS,
    }
    (tmp_path / "scheduler_config.json").write_text(json.dumps(config))
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), json.dumps(config)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        base = f"http://127.0.0.1:{process.stdout.readline().strip()}/ping/{TOKEN}"

        def curl(*words: str) -> str:
            line = ["curl", "-fsS", "-m", "30", "--retry", "3", *words]
            return subprocess.run(line, check=True, capture_output=True, text=True).stdout

        assert curl(f"{base}/start") == "OK"
        assert curl("--data-raw", "all is well", base) == "OK"
        assert curl("-H", "Expect: 100-continue", "--data-raw", "disk 3", f"{base}/1") == "OK"
        assert curl("-I", f"{base}/fail").startswith("HTTP/1.1 200")
        shown = subprocess.run(
            [sys.executable, "-m", "task_scheduler", "alerts", "--json"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        process.stdin.close()

    [nas, other] = json.loads(shown.stdout)["expected"]
    assert (nas["check_id"], nas["state"], nas["has_token"]) == ("nas", "failed", True)
    assert (other["check_id"], other["state"]) == ("other", "new")


def said(door: PingDoor, sent: bytes) -> bytes:
    """Return all that the door answers to bytes, until it hangs up."""
    with socket.create_connection(("127.0.0.1", door.port), 30) as client:
        try:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has heard enough
        answer = b""
        try:
            while part := client.recv(65_536):
                answer += part
        except ConnectionResetError:
            pass
        return answer
