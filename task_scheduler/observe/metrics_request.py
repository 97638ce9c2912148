"""A request for the metrics and its answer, as bytes of HTTP/1.1.

Responsible for: what may be asked, by whom, and the form of the answer. Pure: knows no socket.

A page that a browser shows may ask any address of this machine, and by a name that its owner lets
lead here it may read the answer too. So an endpoint on the loopback answers to the names of the
loopback alone.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass

from task_scheduler.observe.exposition import CONTENT_TYPE

__all__ = ["LONGEST", "Answer", "answer_to", "is_whole", "refusal"]

LONGEST = 8_192
"""Bytes of a request: Prometheus sends some four hundred."""

_REQUEST = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.[01]")
_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent: a head, and a body that many answers may share."""

    status: int
    head: bytes
    body: bytes


def is_whole(request: bytes | bytearray) -> bool:
    """Whether a request has come to the end of its head; a body is not waited for."""
    return b"\r\n\r\n" in request or b"\n\n" in request


def refusal(status: int, text: str = "", **headers: str) -> Answer:
    """Return an answer that is nothing but its status."""
    body = f"{text or _REASONS[status]}\n".encode()
    return _answer(status, body, "text/plain; charset=utf-8", headers)


def answer_to(
    request: bytes, render: Callable[[], bytes], *, is_loopback: bool, token: str | None = None
) -> Answer:
    """Return the answer to a whole request; `render` is asked only where the metrics are due."""
    line, _, rest = request.replace(b"\r\n", b"\n").partition(b"\n")
    found = _REQUEST.fullmatch(line)
    if found is None:
        return refusal(400)
    headers = _headers_of(rest)
    if is_loopback and not _is_name_of_loopback(headers.get(b"host", b"localhost")):
        return refusal(403, "this endpoint answers to localhost and addresses alone")
    if token is not None:
        given = headers.get(b"authorization", b"")
        if not hmac.compare_digest(given, b"Bearer " + token.encode()):
            return refusal(401, **{"WWW-Authenticate": "Bearer"})
    method, target = found.groups()
    if method not in (b"GET", b"HEAD"):
        return refusal(405, Allow="GET, HEAD")
    if target.partition(b"?")[0] != b"/metrics":
        return refusal(404, "the metrics are at /metrics")
    answer = _answer(200, render(), CONTENT_TYPE, {})
    return answer if method == b"GET" else Answer(200, answer.head, b"")


def _answer(status: int, body: bytes, content_type: str, headers: dict[str, str]) -> Answer:
    lines = {
        "Content-Type": content_type,
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Connection": "close",
        **headers,
    }
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return Answer(status, f"HTTP/1.1 {status} {_REASONS[status]}\r\n{text}\r\n".encode(), body)


def _headers_of(head: bytes) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for line in head.partition(b"\n\n")[0].split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon:
            headers.setdefault(name.strip().lower(), value.strip())
    return headers


def _is_name_of_loopback(host: bytes) -> bool:
    """Whether a Host header names the loopback, or an address: no name leads elsewhere then."""
    name = (
        host.decode("latin-1").rpartition("]")[0].removeprefix("[")
        or (host.decode("latin-1").partition(":")[0])
    )
    if name.lower() == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
