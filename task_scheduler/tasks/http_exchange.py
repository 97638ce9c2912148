"""One HTTP exchange: a request goes out, redirects are followed, what came back is read.

Responsible for: which headers and secrets go to whom, and how far a redirect may lead. The target
that the task names is judged by the policy of its origin; a host that a *server* names is a
stranger's target, and gets no secret.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import httpcore
import httpx

from task_scheduler.errors import DefinitionError
from task_scheduler.targets import TargetPolicy, pinned_transport, read_capped
from task_scheduler.tasks.http_line import Line, LineCutError, transport_over

__all__ = ["Answer", "Outgoing", "exchange"]

_MOST_HOPS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEPS_METHOD = frozenset({307, 308})
_SAFE = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A request with its secrets in their places."""

    method: str
    url: str
    headers: Mapping[str, str]
    secret_headers: frozenset[str] = frozenset()
    """The headers, in small letters, that only the target of the task may have."""
    body: bytes = b""
    has_secret_body: bool = False
    verify: bool | str = True
    follows_redirects: bool = True
    most_bytes: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back in the end."""

    status: int
    reason: str
    body: bytes
    is_cut: bool
    """Whether there was more than the most that is read."""
    location: str = ""
    """Where a redirect would lead that was not followed."""


def exchange(outgoing: Outgoing, policy: TargetPolicy, line: Line) -> Answer:
    """Send a request and return its answer.

    Raises TaskSchedulerError, which says what kept it from an answer, and LineCutError.
    """
    try:
        first = url = httpx.URL(outgoing.url)
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        # Its own words would quote the URL, and with it what was filled in.
        raise DefinitionError("tasks.http_no_url") from error
    for _ in range(_MOST_HOPS + 1):
        judge = policy if url.host == first.host else dataclasses.replace(policy, is_trusted=False)
        answer, location = _hop(outgoing, url, judge, line)
        if not location:
            return answer
        outgoing, url = _next(outgoing, url, location, answer.status)
    raise DefinitionError("tasks.http_redirects", count=_MOST_HOPS)


def _hop(
    outgoing: Outgoing, url: httpx.URL, policy: TargetPolicy, line: Line
) -> tuple[Answer, str]:
    """Return the answer of one request, and where it redirects to if that is to be followed."""
    try:
        request = httpx.Request(
            outgoing.method,
            url,
            headers=[(name.encode(), value.encode()) for name, value in outgoing.headers.items()],
            content=outgoing.body or None,
        )
        inner = transport_over(line, outgoing.verify)
        with pinned_transport(policy, resolve=line.resolve, inner=inner) as transport:
            response = transport.handle_request(request)
            try:
                answer, location = _read(outgoing, response)
            finally:
                response.close()
    except (httpcore.NetworkError, httpcore.ProtocolError, httpx.RequestError, OSError) as error:
        if line.is_cut:
            raise LineCutError from error
        raise DefinitionError(
            "tasks.http_failed", place=_place(url), reason=str(error) or type(error).__name__
        ) from error
    if line.is_cut:
        raise LineCutError
    return answer, location


def _read(outgoing: Outgoing, response: httpx.Response) -> tuple[Answer, str]:
    status = response.status_code
    location = response.headers.get("location", "") if status in _REDIRECTS else ""
    # Without its body what a POST asked for would be done as something else.
    loses_body = status in (301, 302) and outgoing.method not in _SAFE
    is_followed = bool(location) and outgoing.follows_redirects and not loses_body
    try:
        body, is_cut = read_capped(response, 0 if is_followed else outgoing.most_bytes)
    except ValueError as error:
        raise DefinitionError("tasks.http_unpackable", reason=str(error)) from error
    reason = response.extensions.get("reason_phrase", b"").decode("ascii", "replace")
    answer = Answer(status, reason, body, is_cut, "" if is_followed else location)
    return answer, location if is_followed else ""


def _next(
    outgoing: Outgoing, url: httpx.URL, location: str, status: int
) -> tuple[Outgoing, httpx.URL]:
    """Return the request to where a server sends us."""
    try:
        target = url.join(location)
    except (httpx.InvalidURL, ValueError) as error:
        raise DefinitionError("tasks.http_bad_location", place=_place(url)) from error
    if status not in _KEEPS_METHOD and outgoing.method not in _SAFE:
        headers = _without(outgoing.headers, {"content-type"})
        outgoing = dataclasses.replace(
            outgoing, method="GET", headers=headers, body=b"", has_secret_body=False
        )
    if _origin(url) == _origin(target) or _is_upgrade(url, target):
        return outgoing, target
    if outgoing.has_secret_body:
        raise DefinitionError("tasks.http_secret_elsewhere", place=_place(target))
    headers = _without(outgoing.headers, outgoing.secret_headers)
    return dataclasses.replace(outgoing, headers=headers), target


def _without(headers: Mapping[str, str], names: AbstractSet[str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in names}


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _is_upgrade(url: httpx.URL, target: httpx.URL) -> bool:
    """Whether only TLS is new."""
    schemes = (url.scheme, target.scheme)
    return schemes == ("http", "https") and url.host == target.host and url.port == target.port


def _place(url: httpx.URL) -> str:
    """Return where a request goes, without what a path or a query may hold."""
    return f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}"
