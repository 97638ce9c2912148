"""What a request at the ping door asks for, by its path.

Responsible for: the paths of Healthchecks: ``/ping/TOKEN`` alone is a success, behind it may come
``/start``, ``/fail``, ``/log`` or the exit code of what ran. Pure.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

__all__ = ["PingRequest", "digest_of", "ping_of"]

_PATH = re.compile(
    r"/ping/(?P<token>[A-Za-z0-9_-]{16,128})(/(?P<what>start|fail|log|[0-9]{1,3}))?/?"
)
_MOST_EXIT_CODE = 255


class PingRequest(NamedTuple):
    """A sign of life, and whose it is by the digest of the token."""

    digest: str
    kind: str
    """``success``, ``start``, ``fail`` or ``log``."""
    text: str = ""
    """What the path itself says: the exit code of what failed."""


def ping_of(target: str) -> PingRequest | None:
    """Return what the target of a request asks for; None where it is no ping.

    A query, such as Healthchecks' ``?rid=``, says nothing here.
    """
    match = _PATH.fullmatch(target.partition("?")[0])
    if match is None:
        return None
    what, digest = match["what"] or "success", digest_of(match["token"])
    if not what.isdigit():
        return PingRequest(digest, what)
    code = int(what)
    if code > _MOST_EXIT_CODE:
        return None
    return (
        PingRequest(digest, "fail", f"exit code {code}") if code else PingRequest(digest, "success")
    )


def digest_of(token: str) -> str:
    """Return what is kept of a token: so long and random a text is not found by its digest."""
    return hashlib.sha256(token.encode("ascii", "replace")).hexdigest()
