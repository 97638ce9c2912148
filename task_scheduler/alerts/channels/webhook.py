"""The channel `webhook`: an HTTP request with the message in the form that the other end takes.

Responsible for: the forms, the request and what its answer means. Services for chats answer 200 and
say in the body that they refused: that is read too.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from task_scheduler.alerts.messages import ChannelError, Message, Reveal
from task_scheduler.errors import TargetRefusedError
from task_scheduler.targets import TargetPolicy, pinned_transport, read_capped

__all__ = ["FORMS", "WebhookTarget"]

_ANSWER_BYTES = 4_096
_TRIED_AGAIN = frozenset({408, 425, 429})
"""Of the codes below 500, those that are not for good."""
_FIRST_REFUSAL, _FIRST_FAULT = 300, 500
_LONGEST_WAIT = 3_600.0


def _both(message: Message) -> str:
    return f"{message.subject}\n\n{message.text}"


FORMS: Mapping[str, Callable[[Message], dict[str, Any]]] = {
    "json": lambda message: dict(message.values),
    "slack": lambda message: {"text": _both(message)},
    "discord": lambda message: {
        "content": _both(message)[:2_000],
        "allowed_mentions": {"parse": []},
    },
    "wecom": lambda message: {"msgtype": "text", "text": {"content": _both(message)[:1_500]}},
    "dingtalk": lambda message: {"msgtype": "text", "text": {"content": _both(message)[:6_000]}},
    "feishu": lambda message: {"msg_type": "text", "content": {"text": _both(message)}},
}
"""What is sent, by the name of the form."""
_REFUSALS = {"wecom": "errcode", "dingtalk": "errcode", "feishu": "code"}
"""Where the answer says that it was refused: anything but 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTarget:
    """A URL that takes messages."""

    url: str
    """May hold a reference to a secret: the URLs of chats are secrets themselves."""
    form: str = "json"
    headers: Mapping[str, str] = field(default_factory=dict)
    signing_key: str | None = None
    """With it the body is signed: ``X-Task-Scheduler-Signature: sha256=...``."""
    timeout_seconds: float = 15.0
    policy: TargetPolicy = field(default_factory=lambda: TargetPolicy(is_trusted=True))

    @property
    def place(self) -> str:
        """Where it leads; the path may be a secret."""
        scheme, _, rest = self.url.partition("://")
        host = rest.partition("/")[0].rpartition("@")[2]
        return f"{scheme}://{host}/…" if rest else "…"

    def send(self, message: Message, reveal: Reveal) -> str:
        """Make the request; raises ChannelError."""
        import httpx  # only those who have such a channel wait for it

        body = json.dumps(FORMS[self.form](message), ensure_ascii=False).encode()
        headers = {name: reveal(value) for name, value in self.headers.items()}
        headers |= {"Content-Type": "application/json", "Idempotency-Key": message.key}
        if self.signing_key is not None:
            key = reveal(self.signing_key).encode("utf-8", "surrogateescape")
            digest = hmac.new(key, body, hashlib.sha256).hexdigest()
            headers["X-Task-Scheduler-Signature"] = f"sha256={digest}"
        try:
            with (
                httpx.Client(
                    transport=pinned_transport(self.policy),
                    timeout=self.timeout_seconds,
                    follow_redirects=False,
                ) as client,
                client.stream("POST", reveal(self.url), content=body, headers=headers) as response,
            ):
                code, wait = response.status_code, _seconds(response.headers.get("Retry-After"))
                data, _ = read_capped(response, _ANSWER_BYTES)
        except TargetRefusedError as error:
            raise ChannelError(str(error), is_final=True) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise ChannelError(reason, is_final=isinstance(error, httpx.InvalidURL)) from error
        said = f"{code} {data.decode('utf-8', 'replace')}".strip()[:500]
        if code >= _FIRST_REFUSAL:
            is_final = code < _FIRST_FAULT and code not in _TRIED_AGAIN
            raise ChannelError(said, is_final=is_final, wait_seconds=wait)
        if self._is_refused(data):
            raise ChannelError(said)
        return said

    def _is_refused(self, data: bytes) -> bool:
        key = _REFUSALS.get(self.form)
        if key is None:
            return False
        try:
            answer = json.loads(data)
        except ValueError:
            return False
        return isinstance(answer, dict) and answer.get(key, 0) != 0


def _seconds(text: str | None) -> float:
    """Return what a ``Retry-After`` asks for; dates, which hardly anybody sends, are not read."""
    if text is None or not text.isascii() or not text.strip().isdigit():
        return 0.0
    return min(float(text.strip()[:9]), _LONGEST_WAIT)
