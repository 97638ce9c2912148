"""`HttpTask`: one HTTP request, whose answer is the outcome.

Responsible for: the request as it is defined and stored, and carrying it out once: its secrets, its
identity, what counts as success, and the words for what does not. What goes over the wire is
`http_exchange`, which is imported when the first request is due.
"""

from __future__ import annotations

import base64
import json
import re
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlsplit

from task_scheduler.core.model import Policies
from task_scheduler.core.policies import policies_from
from task_scheduler.errors import DefinitionError, TaskSchedulerError
from task_scheduler.i18n import translate
from task_scheduler.tasks.confinement import names_secret
from task_scheduler.tasks.context import RunContext, active_context
from task_scheduler.tasks.json_values import is_json
from task_scheduler.tasks.process import absolute_path
from task_scheduler.tasks.task import BaseTask
from task_scheduler.version import __version__

if TYPE_CHECKING:
    from task_scheduler.tasks.http_exchange import Answer, Outgoing

__all__ = ["METHODS", "HttpTask", "checked_statuses"]

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_MOST_BYTES = 1 << 20
_LARGEST_ANSWER = 1 << 30
_SAID_CHARACTERS = 200
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_STATUS = re.compile(r"([1-5])xx|([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")
_SECRET = re.compile(r"\$\{secret:(?P<name>[^}]*)\}")
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection"})
"""Headers that say how a request is framed and whom it is for: the URL and the body say that."""


class HttpTask(BaseTask):
    """Send a request; it succeeds with an expected status, and what came back is its output.

    `headers`, `body` (text) or `json` (any JSON), and `auth` (user and password, for Basic
    authentication) may name secrets: ``${secret:NAME}``, as may the path and the query of the
    `url`. `expected_status`: numbers, ranges ``"200-299"``, classes ``"2xx"``. Of the answer
    `max_response_bytes` are kept. Redirects are followed, at most five, unless a body would get
    lost; another host gets no secrets. `verify` is False, or a file with the certificates to
    trust. Cancelling it, or its timeout, closes its connection.

    Every attempt of a run sends the same ``Idempotency-Key``, so that the other side can tell a
    repetition. Raises DefinitionError for what can be no request.
    """

    kind: ClassVar[str] = "http"

    def __init__(
        self,
        task_id: str,
        name: str | None = None,
        url: str = "",
        method: str = "GET",
        *,
        headers: Mapping[str, str] | None = None,
        body: str | None = None,
        json: Any = None,
        auth: Sequence[str] | None = None,
        expected_status: int | str | Sequence[int | str] = "2xx",
        max_response_bytes: int = _MOST_BYTES,
        follow_redirects: bool = True,
        verify: bool | str = True,
        description: str = "",
        **policies: Any,
    ) -> None:
        super().__init__(task_id, name, description=description, **policies)
        self.url = _checked_url(task_id, url)
        self.method = _checked_method(task_id, method)
        self.headers = _checked_headers(task_id, headers)
        if body is not None and json is not None:
            raise DefinitionError("tasks.http_two_bodies", task_id=task_id)
        if not (body is None or _is_text(body)):
            raise DefinitionError("tasks.http_bad_body", task_id=task_id, value=body)
        if not is_json(json):
            raise DefinitionError("tasks.http_bad_json", task_id=task_id, value=json)
        self.body = body
        self.json = json
        self.auth = _checked_auth(task_id, auth)
        self.expected_status = checked_statuses(task_id, expected_status)
        self.max_response_bytes = _checked_size(task_id, max_response_bytes)
        if not isinstance(follow_redirects, bool):
            raise DefinitionError(
                "tasks.bad_flag", task_id=task_id, what="follow_redirects", value=follow_redirects
            )
        self.follow_redirects = follow_redirects
        self.verify = (
            verify if isinstance(verify, bool) else absolute_path(task_id, "verify", verify)
        )

    def execute(self) -> bool:
        """Send the request, wait for its answer, and return whether it is the expected one."""
        error = self._carry_out(active_context())
        if error is not None:
            self.last_error = error
        return error is None

    def definition(self) -> dict[str, Any] | None:
        """Return the request; its secrets are references."""
        if self.kind == "custom":
            return None
        return {
            "url": self.url,
            "method": self.method,
            "headers": self.headers,
            "body": self.body,
            "json": self.json,
            "auth": self.auth,
            "expected_status": self.expected_status,
            "max_response_bytes": self.max_response_bytes,
            "follow_redirects": self.follow_redirects,
            "verify": self.verify,
        }

    def warnings(self) -> list[str]:
        """Warn of what anybody on the way can read or change."""
        found = []
        if self.url.startswith("http://") and self._names_secrets():
            found.append(translate("tasks.http_open_secret", task_id=self.task_id))
        if self.verify is False and self.url.startswith("https://"):
            found.append(translate("tasks.http_unverified", task_id=self.task_id))
        return found

    def _names_secrets(self) -> bool:
        return names_secret(repr((self.url, self.headers, self.body, self.json, self.auth)))

    def _carry_out(self, context: RunContext | None) -> str | None:
        """Send the request once; return None if it succeeded, else why it did not."""
        from task_scheduler.targets import TargetPolicy
        from task_scheduler.tasks.http_exchange import exchange
        from task_scheduler.tasks.http_line import Line, LineCutError

        line = Line()
        timer = None
        if context is not None:
            context.on_cancel(line.cut)
        else:
            seconds = policies_from(self.policy_options, Policies()).timeout_seconds
            timer = threading.Timer(seconds, line.cut) if seconds else None
        lent = None if context is None else context.lent
        try:
            if timer is not None:
                timer.daemon = True
                timer.start()
            outgoing = self._outgoing(context, _no_secret if lent is None else lent.read_secret)
            policy = TargetPolicy(is_trusted=True) if lent is None else lent.targets
            answer = exchange(outgoing, policy, line)
        except LineCutError:
            key = "tasks.was_cancelled" if context is not None else "tasks.timed_out"
            return translate(key, seconds=self.policy_options.get("timeout", 0))
        except TaskSchedulerError as error:
            return str(error)
        finally:
            if timer is not None:
                timer.cancel()
            line.close()
        (_print if lent is None else lent.keep_output)(self._output(answer))
        return self._verdict(answer)

    def _outgoing(self, context: RunContext | None, read: Callable[[str], str]) -> Outgoing:
        """Return the request with its secrets; raises DefinitionError for one that is not there."""
        from task_scheduler.tasks.http_exchange import Outgoing

        def fill(text: str, form: Callable[[str], str] = str) -> str:
            return _SECRET.sub(lambda match: form(read(match["name"])), text)

        given = {name: _filled_header(name, fill(value)) for name, value in self.headers.items()}
        secret = {name.lower() for name, value in self.headers.items() if names_secret(value)}
        names = {name.lower() for name in given}
        if self.auth:
            user, password = (fill(part) for part in self.auth)
            given["Authorization"] = f"Basic {_base64(f'{user}:{password}')}"
            secret.add("authorization")
        body, has_secret_body = b"", False
        if self.json is not None:
            body = json.dumps(_filled_json(self.json, fill), ensure_ascii=False).encode()
            has_secret_body = names_secret(json.dumps(self.json))
            given |= {} if "content-type" in names else {"Content-Type": "application/json"}
        elif self.body is not None:
            body, has_secret_body = fill(self.body).encode(), names_secret(self.body)
            plain = "text/plain; charset=utf-8"
            given |= {} if "content-type" in names else {"Content-Type": plain}
        usual = {
            "User-Agent": f"task-scheduler/{__version__}",
            "Accept": "*/*",
            "Accept-Encoding": "gzip, deflate",
            "Connection": "close",
            **_identity(context),
        }
        usual = {name: value for name, value in usual.items() if name.lower() not in names}
        return Outgoing(
            method=self.method,
            # Whatever is in it, a secret is one part of the path or the query.
            url=fill(self.url, lambda value: quote(value, safe="")),
            headers={**usual, **given},
            secret_headers=frozenset(secret),
            body=body,
            has_secret_body=has_secret_body,
            verify=self.verify,
            follows_redirects=self.follow_redirects,
            most_bytes=self.max_response_bytes,
        )

    def _output(self, answer: Answer) -> bytes:
        if not answer.is_cut:
            return answer.body
        mark = translate("supervision.truncated", limit=self.max_response_bytes)
        return answer.body + f"\n{mark}\n".encode()

    def _verdict(self, answer: Answer) -> str | None:
        """Return None for an expected status, else what was answered instead."""
        if any(low <= answer.status <= high for low, high in _ranges(self.expected_status)):
            return None
        said = _one_line(answer.body[: 4 * _SAID_CHARACTERS].decode("utf-8", "replace"))
        sentence = translate(
            "tasks.http_status",
            status=answer.status,
            reason=_one_line(answer.reason) or "-",
            method=self.method,
            url=self.url,
            expected=", ".join(self.expected_status),
        )
        if answer.location:
            place = _one_line(answer.location.partition("?")[0])
            return f"{sentence} {translate('tasks.http_moved', place=place)}"
        return f"{sentence}: {said[:_SAID_CHARACTERS]}" if said else sentence


def _identity(context: RunContext | None) -> dict[str, str]:
    """Return by what the other side tells a repetition, and the trace of which it is a part.

    The key is the same for all attempts.
    """
    if context is None:
        return {}
    trace = {} if context.traceparent is None else {"traceparent": context.traceparent}
    key = quote(f"{context.task_id}/{context.key}", safe="/:+.-_~@")
    return {"Idempotency-Key": key, **trace}


def _filled_json(value: Any, fill: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return fill(value)
    if isinstance(value, list):
        return [_filled_json(item, fill) for item in value]
    if isinstance(value, dict):
        return {key: _filled_json(item, fill) for key, item in value.items()}
    return value


def _filled_header(name: str, value: str) -> str:
    """Return a header's value; a secret with a line break would be a header of its own."""
    if any(not (mark.isprintable() or mark == "\t") for mark in value):
        raise DefinitionError("tasks.http_secret_header", name=name)
    return value


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogateescape")).decode("ascii")


def _one_line(text: str) -> str:
    """Return a stranger's text as part of a sentence: in one line, and without what obeys."""
    shown = (mark if mark.isprintable() else "\ufffd" for mark in " ".join(text.split()))
    return "".join(shown)


def _no_secret(name: str) -> str:
    raise DefinitionError("tasks.http_secret_here", name=name)


def _print(output: bytes) -> None:
    sys.stdout.write(output.decode("utf-8", "replace"))


def _checked_url(task_id: str, url: object) -> str:
    """Return a URL of http or https with a host and without a user; raises DefinitionError."""
    if not isinstance(url, str) or not url.isprintable() or " " in url:
        raise DefinitionError("tasks.http_bad_url", task_id=task_id, value=url)
    try:
        parts = urlsplit(url)
        is_sound = parts.scheme in ("http", "https") and bool(parts.hostname)
        is_sound = is_sound and (parts.port is None or parts.port > 0)
    except ValueError:
        is_sound = False
    if not is_sound or "\\" in parts.netloc:
        raise DefinitionError("tasks.http_bad_url", task_id=task_id, value=url)
    if "@" in parts.netloc:
        raise DefinitionError("tasks.http_user_in_url", task_id=task_id)
    if "${" in parts.netloc:
        raise DefinitionError("tasks.http_secret_host", task_id=task_id)
    return url


def _checked_method(task_id: str, method: object) -> str:
    name = method.upper() if isinstance(method, str) else ""
    if name not in METHODS:
        known = ", ".join(METHODS)
        raise DefinitionError("tasks.http_bad_method", task_id=task_id, value=method, known=known)
    return name


def _checked_headers(task_id: str, headers: object) -> dict[str, str]:
    """Return headers, each once whatever its letters; raises DefinitionError."""
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        raise DefinitionError("tasks.http_bad_headers", task_id=task_id, value=headers)
    found: dict[str, str] = {}
    for name, value in headers.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise DefinitionError("tasks.http_bad_header", task_id=task_id, name=name)
        if name.lower() in _OURS or name.lower() in (known.lower() for known in found):
            raise DefinitionError("tasks.http_header_is_ours", task_id=task_id, name=name)
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            raise DefinitionError("tasks.http_bad_header", task_id=task_id, name=name)
        found[name] = value
    return found


def _checked_auth(task_id: str, auth: object) -> list[str] | None:
    if auth is None:
        return None
    parts = list(auth) if isinstance(auth, list | tuple) else []
    if len(parts) != len(("user", "password")) or not all(map(_is_text, parts)):
        raise DefinitionError("tasks.http_bad_auth", task_id=task_id)
    user, password = parts
    if not names_secret(password):
        # It would be stored, and shown, as it is.
        raise DefinitionError("tasks.http_open_password", task_id=task_id)
    return [user, password]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and is_json(value)


def checked_statuses(task_id: str, statuses: object) -> list[str]:
    """Return expected statuses as a list of text; raises DefinitionError."""
    given = [statuses] if isinstance(statuses, int | str) else statuses
    if not isinstance(given, list | tuple) or not given:
        raise DefinitionError("tasks.http_bad_status", task_id=task_id, value=statuses)
    found = [str(item).strip() for item in given]
    for item in found:
        match = _STATUS.fullmatch(item)
        if match is None or int(match[3] or 599) < int(match[2] or 100):
            raise DefinitionError("tasks.http_bad_status", task_id=task_id, value=item)
    return found


def _checked_size(task_id: str, size: object) -> int:
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _LARGEST_ANSWER:
        high = _LARGEST_ANSWER
        raise DefinitionError("tasks.http_bad_size", task_id=task_id, value=size, high=high)
    return size


def _ranges(statuses: Sequence[str]) -> list[tuple[int, int]]:
    """Return the statuses that `checked_statuses` has found to be some, each with its last."""
    matches = [match for item in statuses if (match := _STATUS.fullmatch(item))]
    return [
        (int(match[1]) * 100, int(match[1]) * 100 + 99)
        if match[1]
        else (int(match[2]), int(match[3] or match[2]))
        for match in matches
    ]
