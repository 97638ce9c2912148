"""What a request for the metrics may be, and what it is answered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_scheduler.observe.metrics_request import LONGEST, answer_to, is_whole


def answer(
    request: str, *, is_loopback: bool = True, token: str | None = None
) -> tuple[int, bytes]:
    text = request.replace("\n", "\r\n").encode()
    made = answer_to(text, lambda: b"figures 1\n", is_loopback=is_loopback, token=token)
    assert made.head.startswith(f"HTTP/1.1 {made.status} ".encode())
    assert made.head.endswith(b"\r\n\r\n")
    return made.status, made.body


def test_the_metrics_are_at_their_path() -> None:
    assert answer("GET /metrics HTTP/1.1\n\n") == (200, b"figures 1\n")
    assert answer("GET /metrics?name=x HTTP/1.0\n\n") == (200, b"figures 1\n")


def test_a_head_is_as_long_as_the_answer_to_a_get() -> None:
    made = answer_to(b"HEAD /metrics HTTP/1.1\r\n\r\n", lambda: b"figures", is_loopback=True)

    assert (made.body, b"Content-Length: 7\r\n" in made.head) == (b"", True)


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("GET / HTTP/1.1\n\n", 404),
        ("GET /metrics/ HTTP/1.1\n\n", 404),
        ("GET /../etc/passwd HTTP/1.1\n\n", 404),
        ("POST /metrics HTTP/1.1\nContent-Length: 3\n\nabc", 405),
        ("DELETE /metrics HTTP/1.1\n\n", 405),
        ("GET /metrics\n\n", 400),
        ("GET /metrics HTTP/2.0\n\n", 400),
        ("\x16\x03\x01\n\n", 400),
        ("\n\n", 400),
    ],
)
def test_anything_else_is_refused(request_text: str, status: int) -> None:
    assert answer(request_text)[0] == status


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:9464", "127.0.0.1:1", "[::1]:9464", "10.0.0.7"]
)
def test_the_loopback_answers_to_its_names_and_to_addresses(host: str) -> None:
    assert answer(f"GET /metrics HTTP/1.1\nHost: {host}\n\n")[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "evil.example:9464", ""]
)
def test_a_name_that_anybody_may_point_here_is_refused(host: str) -> None:
    request = f"GET /metrics HTTP/1.1\nHost: {host}\n\n"

    assert answer(request)[0] == 403
    assert answer(request, is_loopback=False)[0] == 200


def test_a_token_has_to_be_carried_whole() -> None:
    def with_header(header: str) -> int:
        return answer(f"GET /metrics HTTP/1.1\n{header}\n\n", token="s3cret")[0]

    assert with_header("authorization: Bearer s3cret") == 200
    for wrong in ("Authorization: Bearer s3cre", "Authorization: s3cret", "X: y", "Authorization:"):
        assert with_header(wrong) == 401


def test_nobody_who_is_refused_costs_a_rendering() -> None:
    def render() -> bytes:
        raise AssertionError("rendered")

    for request in (b"GET / HTTP/1.1\r\n\r\n", b"PUT /metrics HTTP/1.1\r\n\r\n", b"x\r\n\r\n"):
        assert answer_to(request, render, is_loopback=True).status >= 400
    refused = answer_to(b"GET /metrics HTTP/1.1\r\n\r\n", render, is_loopback=True, token="t")
    assert refused.status == 401


def test_the_end_of_a_head_is_seen_however_its_lines_end() -> None:
    assert is_whole(b"GET / HTTP/1.1\r\nA: b\r\n\r\n")
    assert is_whole(b"GET / HTTP/1.1\n\n")
    assert not is_whole(b"GET / HTTP/1.1\r\nA: b\r\n")
    assert LONGEST <= 65_536


@given(st.binary(max_size=300), st.booleans(), st.sampled_from([None, "t"]))
def test_any_bytes_are_answered(request: bytes, is_loopback: bool, token: str | None) -> None:
    made = answer_to(request, lambda: b"x", is_loopback=is_loopback, token=token)

    assert made.status in (200, 400, 401, 403, 404, 405)
    assert made.head.count(b"\r\n\r\n") == 1
    assert b"\n\n" not in made.head.replace(b"\r\n\r\n", b"")
