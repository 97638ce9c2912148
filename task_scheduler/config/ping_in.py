"""The keys `ping_in` and `expected` of the section `alerts`: signs of life from elsewhere.

Responsible for: their types and bounds, and the door that they mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from task_scheduler.alerts.rules import Door
from task_scheduler.config.problems import KeyPath
from task_scheduler.config.sections import Model, Seconds
from task_scheduler.i18n import translate

__all__ = ["ExpectConfig", "PingInConfig", "door_of", "door_problems"]

_YEAR = 52 * 7 * 86_400
_LISTEN = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})")
_MOST_PORT = 65_535


def _listen(value: Any) -> Any:
    match = _LISTEN.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match[2]) > _MOST_PORT:
        raise PydanticCustomError("config.must_be_listen", "no address")
    return value


class ExpectConfig(Model):
    """Signs of life of something that runs elsewhere."""

    every_seconds: Annotated[float, Field(ge=1, le=_YEAR), Seconds]
    grace_seconds: Annotated[float, Field(ge=0, le=_YEAR), Seconds] = 300
    token_sha256: Annotated[str | None, Field(pattern=r"^[0-9a-f]{64}$")] = None
    """The digest of the token with which it pings; `tsk alerts token` makes both."""


class PingInConfig(Model):
    """Where what runs elsewhere pings over HTTP."""

    listen: Annotated[
        str,
        BeforeValidator(_listen),
        WithJsonSchema({"type": "string", "pattern": f"^{_LISTEN.pattern}$"}),
    ] = "127.0.0.1:8421"

    @property
    def address(self) -> tuple[str, int]:
        """Return host and port."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


def door_of(ping_in: PingInConfig | None, expected: Mapping[str, ExpectConfig]) -> Door | None:
    """Return the door for those who have a token; None where there is to be none."""
    if ping_in is None:
        return None
    checks = {of.token_sha256: name for name, of in expected.items() if of.token_sha256}
    return Door(*ping_in.address, checks)


def door_problems(
    ping_in: PingInConfig | None, expected: Mapping[str, ExpectConfig]
) -> Iterator[tuple[KeyPath, str]]:
    """Yield what is wrong although each key by itself is right: paths within the section."""
    seen: dict[str, str] = {}
    for name, of in expected.items():
        if of.token_sha256 is None:
            continue
        other = seen.setdefault(of.token_sha256, name)
        if other != name:
            sentence = translate("config.token_twice", name=name, other=other)
            yield ("expected", name, "token_sha256"), sentence
    if ping_in is not None and not seen:
        yield ("ping_in",), translate("config.ping_in_without_token")
