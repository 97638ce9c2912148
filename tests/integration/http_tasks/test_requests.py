"""HTTP tasks against real servers on the loopback, one attempt at a time."""

from __future__ import annotations

import gzip
import json
import resource
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import HttpTask
from task_scheduler.errors import DefinitionError
from task_scheduler.targets import TargetPolicy
from task_scheduler.tasks.context import Lent
from task_scheduler.tasks.http_line import Line, LineCutError
from tests.integration.http_tasks.attempts import SECRETS, Attempt, run
from tests.integration.http_tasks.servers import (
    Seen,
    answer,
    certificate,
    closed_port,
    raw_server,
    serving,
    silent,
)


def test_a_request_goes_out_as_it_is_defined_and_its_answer_is_the_output() -> None:
    with serving(answer("201 Created", b"made")) as server:
        task = HttpTask(
            "report",
            None,
            server.url("/a?b=1"),
            "put",
            headers={"X-Farm": "north"},
            body="fish: \u9b5a",
            expected_status=[201],
        )
        assert run(task) == (True, "None", b"made")
    [seen] = server.seen
    assert seen.line == "PUT /a?b=1 HTTP/1.1"
    assert seen.body.decode() == "fish: \u9b5a"
    assert seen.headers["x-farm"] == "north"
    assert seen.headers["host"] == f"127.0.0.1:{server.port}"
    assert seen.headers["user-agent"].startswith("task-scheduler/")
    assert seen.headers["content-type"] == "text/plain; charset=utf-8"


def test_every_attempt_of_a_run_names_the_run_and_another_run_names_itself() -> None:
    with serving(answer()) as server:
        task = HttpTask("\u9b5a pump", None, server.url())
        for key, number in (("2026-11-25T06:00:00+00:00", 1), ("2026-11-25T06:00:00+00:00", 2)):
            attempt = Attempt(task)
            attempt.context.key, attempt.context.attempt = key, number
            attempt.run()
        other = Attempt(task)
        other.context.key = "another\r\nX-Forged: 1"
        other.run()
    first, again, third = [seen.headers["idempotency-key"] for seen in server.seen]
    assert first == again == "%E9%AD%9A%20pump/2026-11-25T06:00:00+00:00"
    assert third == "%E9%AD%9A%20pump/another%0D%0AX-Forged:%201"
    assert "x-forged" not in server.seen[2].headers


def test_secrets_are_filled_in_where_they_stand_and_quoted_as_it_takes() -> None:
    with serving(answer()) as server:
        task = HttpTask(
            "t",
            None,
            server.url("/${secret:TOKEN}/x?k=${secret:TOKEN}"),
            "POST",
            headers={"X-Key": "k ${secret:TOKEN}"},
            json={"password": "${secret:DB}", "list": [1, "${secret:TOKEN}", None]},
            auth=["farm", "${secret:TOKEN}"],
        )
        assert run(task)[0]
    [seen] = server.seen
    quoted = "t0ken%2Fwith%20%3F%26%23"
    assert seen.line == f"POST /{quoted}/x?k={quoted} HTTP/1.1"
    assert seen.headers["x-key"] == f"k {SECRETS['TOKEN']}"
    assert seen.headers["authorization"] == "Basic ZmFybTp0MGtlbi93aXRoID8mIw=="
    assert json.loads(seen.body) == {"password": SECRETS["DB"], "list": [1, SECRETS["TOKEN"], None]}


def test_a_secret_with_a_line_break_is_no_header_of_its_own() -> None:
    with serving(answer()) as server:
        task = HttpTask("t", None, server.url(), headers={"X-Key": "${secret:EVIL}"})
        is_ok, error, _ = run(task, EVIL="a\r\nX-Forged: 1")
    assert (is_ok, server.seen) == (False, [])
    assert "X-Key" in error
    assert "Forged" not in error


@pytest.mark.parametrize(
    ("status", "expected", "is_ok"),
    [
        ("200 OK", "2xx", True),
        ("204 No Content", "2xx", True),
        ("404 Not Found", "2xx", False),
        ("404 Not Found", [200, 404], True),
        ("304 Not Modified", "200-399", True),
        ("500 Oops", 500, True),
        ("599 x", ["2xx", "3xx"], False),
    ],
)
def test_the_status_decides(status: str, expected: Any, is_ok: bool) -> None:
    with serving(answer(status, b"")) as server:
        found = run(HttpTask("t", None, server.url(), expected_status=expected))
    assert found[0] is is_ok


def test_the_error_tells_status_reason_and_the_beginning_without_what_obeys() -> None:
    body = b"\x1b[2Jno\r\nroom \xe2\x80\xae here " + b"y" * 5_000
    with serving(answer("507 Insufficient \x1b[31mStorage", body)) as server:
        task = HttpTask("t", None, server.url("/x?k=${secret:TOKEN}"))
        is_ok, error, output = run(task)
    assert not is_ok
    assert error.startswith("507 Insufficient ")
    assert "/x?k=${secret:TOKEN} (expected 2xx): " in error
    assert "no room" in error
    assert len(error) < 500
    assert error.isprintable()
    assert output == body


def test_a_long_answer_is_cut_and_its_connection_closed() -> None:
    def endless(connection: socket.socket, _: Seen) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")

    with serving(endless) as server:
        is_ok, _, output = run(HttpTask("t", None, server.url(), max_response_bytes=1_000))
        assert server.broken.wait(30)
    assert is_ok
    assert output.startswith(b"x" * 1_000 + b"\n")
    assert len(output) < 1_300


def test_a_bomb_is_unpacked_no_further_than_it_is_kept() -> None:
    bomb = gzip.compress(bytes(200_000_000), 9)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with serving(answer(body=bomb, headers={"Content-Encoding": "gzip"})) as server:
        is_ok, _, output = run(HttpTask("t", None, server.url(), max_response_bytes=10_000))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1_024
    assert is_ok
    assert output.startswith(bytes(10_000))
    assert grown < 50_000_000


def test_a_packed_answer_is_unpacked_and_a_broken_one_told() -> None:
    packed = {"Content-Encoding": "gzip"}
    with serving(answer(body=gzip.compress(b"fish"), headers=packed)) as server:
        assert run(HttpTask("t", None, server.url()))[2] == b"fish"
    with serving(answer(body=b"not packed", headers=packed)) as server:
        is_ok, error, _ = run(HttpTask("t", None, server.url()))
    assert not is_ok
    assert "unpacked" in error


def test_a_refused_connection_names_the_place_and_the_reason() -> None:
    port = closed_port()
    is_ok, error, _ = run(HttpTask("t", None, f"http://127.0.0.1:{port}/x?k=${{secret:TOKEN}}"))
    assert not is_ok
    assert error == f"no answer from http://127.0.0.1:{port}: Connection refused"


def test_a_name_that_there_is_not_is_told() -> None:
    is_ok, error, _ = run(HttpTask("t", None, "http://no-such-host.invalid/"))
    assert not is_ok
    assert error.startswith("no answer from http://no-such-host.invalid: ")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 300_000,
    ],
)
def test_what_is_no_answer_is_a_failure(said: bytes) -> None:
    def reply(connection: socket.socket, _: Seen) -> None:
        connection.sendall(said)

    with serving(reply) as server:
        is_ok, error, _ = run(HttpTask("t", None, server.url()))
    assert not is_ok
    assert error.startswith(f"no answer from http://127.0.0.1:{server.port}: ")


def test_localhost_is_reached_whichever_of_its_addresses_listens() -> None:
    with serving(answer()) as server:
        assert run(HttpTask("t", None, server.url(host="localhost")))[0]


# -- redirects --------------------------------------------------------------------------------


def moved(to: str, status: str = "302 Found") -> Callable[..., None]:
    return answer(status, b"", {"Location": to})


def test_a_redirect_is_followed_with_its_secrets_where_it_stays_at_the_host() -> None:
    def reply(connection: socket.socket, seen: Seen) -> None:
        (answer() if "/b" in seen.line else moved("/b"))(connection, seen)

    with serving(reply) as server:
        task = HttpTask("t", None, server.url("/a"), headers={"X-Key": "${secret:TOKEN}"})
        assert run(task)[2] == b"fine"
    assert [seen.line.split()[1] for seen in server.seen] == ["/a", "/b"]
    assert server.seen[1].headers["x-key"] == SECRETS["TOKEN"]


def test_another_host_gets_no_secret() -> None:
    policy = TargetPolicy(is_trusted=True, allowed=("127.0.0.1",))
    with serving(answer()) as other, serving(moved(other.url("/b"))) as server:
        task = HttpTask(
            "t",
            None,
            server.url("/a", host="localhost"),
            headers={"X-Key": "${secret:TOKEN}", "X-Open": "yes"},
            auth=["farm", "${secret:TOKEN}"],
        )
        assert run(task, policy=policy)[0]
    [seen] = other.seen
    assert seen.headers["x-open"] == "yes"
    assert {"x-key", "authorization"}.isdisjoint(seen.headers)
    assert server.seen[0].headers["x-key"] == SECRETS["TOKEN"]


@pytest.mark.parametrize("status", ["307 Temporary", "308 Permanent"])
def test_a_body_with_a_secret_goes_to_no_other_host(status: str) -> None:
    policy = TargetPolicy(is_trusted=True, allowed=("127.0.0.1",))
    with serving(answer()) as other, serving(moved(other.url("/b"), status)) as server:
        url = server.url("/a", host="localhost")
        task = HttpTask("t", None, url, "POST", json={"p": "${secret:TOKEN}"})
        is_ok, error, _ = run(task, policy=policy)
    assert (is_ok, other.seen) == (False, [])
    assert "secret" in error


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.1:{port}/", "http://[::1]:{port}/", "http://2130706433:{port}/",
     "http://[::ffff:127.0.0.1]:{port}/", "http://169.254.169.254/latest/meta-data/"],
)  # fmt: skip
def test_a_server_cannot_send_a_request_into_this_network(target: str) -> None:
    with serving(answer()) as inner, serving(moved(target.format(port=inner.port))) as server:
        is_ok, error, _ = run(HttpTask("t", None, server.url("/a", host="localhost")))
    assert (is_ok, inner.seen) == (False, [])
    assert "an address of this network" in error


@pytest.mark.parametrize("target", ["file:///etc/passwd", "gopher://127.0.0.1/x", "ftp://x/"])
def test_a_server_cannot_choose_another_protocol(target: str) -> None:
    with serving(moved(target)) as server:
        is_ok, error, output = run(HttpTask("t", None, server.url()))
    assert not is_ok
    assert "http" in error
    assert output == b""


def test_a_target_of_a_stranger_is_judged_before_anything_is_sent() -> None:
    with serving(answer()) as server:
        is_ok, error, _ = run(HttpTask("t", None, server.url()), policy=TargetPolicy())
    assert (is_ok, server.seen) == (False, [])
    assert "127.0.0.1" in error


def test_a_circle_of_redirects_ends() -> None:
    with serving(moved("/again")) as server:
        is_ok, error, _ = run(HttpTask("t", None, server.url()))
    assert not is_ok
    assert len(server.seen) == 6
    assert "5" in error


@pytest.mark.parametrize("status", ["301 Moved", "302 Found"])
def test_a_body_is_not_lost_by_a_redirect(status: str) -> None:
    with serving(moved("/elsewhere", status)) as server:
        is_ok, error, _ = run(HttpTask("t", None, server.url(), "POST", body="x"))
    assert not is_ok
    assert len(server.seen) == 1
    assert "/elsewhere" in error


def test_after_a_post_the_result_may_be_elsewhere() -> None:
    def reply(connection: socket.socket, seen: Seen) -> None:
        is_post = seen.line.startswith("POST")
        (moved("/result", "303 See Other") if is_post else answer())(connection, seen)

    with serving(reply) as server:
        assert run(HttpTask("t", None, server.url(), "POST", json={"a": 1}))[2] == b"fine"
    assert server.seen[1].line == "GET /result HTTP/1.1"
    assert (server.seen[1].body, server.seen[1].headers.get("content-type")) == (b"", None)


def test_redirects_that_are_not_wanted_are_not_followed() -> None:
    with serving(moved("/elsewhere?token=x")) as server:
        is_ok, error, _ = run(HttpTask("t", None, server.url(), follow_redirects=False))
    assert not is_ok
    assert len(server.seen) == 1
    assert "It moved to /elsewhere:" in error


# -- TLS --------------------------------------------------------------------------------------


def test_a_certificate_that_nobody_vouches_for_is_told_and_nothing_is_sent(tmp_path: Path) -> None:
    with serving(answer(), tls=certificate(tmp_path)) as server:
        task = HttpTask("t", None, server.url(host="localhost"), headers={"K": "${secret:TOKEN}"})
        is_ok, error, _ = run(task)
    assert (is_ok, server.seen) == (False, [])
    assert "self-signed certificate" in error


def test_a_certificate_of_ones_own_is_trusted_where_it_is_named(tmp_path: Path) -> None:
    pair = certificate(tmp_path)
    with serving(answer(), tls=pair) as server:
        url = server.url(host="localhost")
        assert run(HttpTask("t", None, url, verify=str(pair[0])))[2] == b"fine"
        assert run(HttpTask("t", None, url, verify=False))[2] == b"fine"


def test_a_certificate_of_another_host_is_refused(tmp_path: Path) -> None:
    pair = certificate(tmp_path, "other.example")
    with serving(answer(), tls=pair) as server:
        is_ok, error, _ = run(
            HttpTask("t", None, server.url(host="localhost"), verify=str(pair[0]))
        )
    assert (is_ok, server.seen) == (False, [])
    assert "localhost" in error


def test_a_server_without_tls_is_told() -> None:
    with raw_server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        is_ok, error, _ = run(HttpTask("t", None, f"https://127.0.0.1:{port}/"))
    assert not is_ok
    assert "TLS" in error


def test_outside_a_scheduler_the_timeout_holds(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(silent) as server:
        task = HttpTask("t", None, server.url(), timeout=0.3)
        assert task.execute() is False
        assert "0.3" in task.last_error
        assert server.broken.wait(30)
    with serving(answer()) as server:
        assert HttpTask("t", None, server.url()).execute() is True
    assert capsys.readouterr().out == "fine"


def test_outside_a_scheduler_a_secret_is_not_guessed() -> None:
    task = HttpTask("t", None, "http://127.0.0.1:1/", headers={"K": "${secret:TOKEN}"})
    assert task.execute() is False
    assert "TOKEN" in task.last_error


def test_a_line_that_was_cut_connects_to_nothing() -> None:
    line = Line()
    line.cut()
    with serving(answer()) as server, pytest.raises(LineCutError):
        line.connect("127.0.0.1", server.port)


def test_no_descriptor_stays_open() -> None:
    def count() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    with serving(answer()) as server:
        task = HttpTask("t", None, server.url())
        run(task)
        before = count()
        for _ in range(20):
            assert run(task)[0]
            run(HttpTask("t", None, f"http://127.0.0.1:{closed_port()}/"))
        assert count() <= before


def test_what_was_kept_of_a_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{closed_port()}")
    with serving(answer()) as server:
        assert run(HttpTask("t", None, server.url()))[0]


def test_a_missing_file_of_certificates_is_told() -> None:
    is_ok, error, _ = run(HttpTask("t", None, "https://localhost:1/", verify="/no/such.pem"))
    assert not is_ok
    assert "No such file" in error


def test_a_secret_that_is_not_there_sends_nothing() -> None:
    def none(name: str) -> str:
        raise DefinitionError("confinement.unknown_secret", name=name)

    with serving(answer()) as server:
        attempt = Attempt(HttpTask("t", None, server.url(), headers={"K": "${secret:NOPE}"}))
        assert attempt.context.lent is not None
        attempt.context.lent = Lent(none, attempt.context.lent.targets, lambda _: None)
        is_ok, error = attempt.run()
    assert (is_ok, server.seen) == (False, [])
    assert "NOPE" in error
