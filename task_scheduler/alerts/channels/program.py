"""The channel `command`: a program that gets the message as JSON on its standard input.

Responsible for: starting it, without a shell, with little of the scheduler's environment, and
ending it with all that it started when its time is over.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field

from task_scheduler.alerts.messages import ChannelError, Message, Reveal
from task_scheduler.i18n import translate

__all__ = ["ProgramTarget"]

_INHERITED = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES",
    "TZ", "TMPDIR", "XDG_RUNTIME_DIR", "DISPLAY", "DBUS_SESSION_BUS_ADDRESS",
)  # fmt: skip
"""What a program that shows a message needs; secrets of the scheduler are not among it."""
_ANSWER_BYTES = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramTarget:
    """A program and its arguments."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    """Values may be references to secrets."""
    working_dir: str | None = None
    timeout_seconds: float = 30.0

    @property
    def place(self) -> str:
        """What it starts."""
        return self.argv[0]

    def send(self, message: Message, reveal: Reveal) -> str:
        """Run it to its end; raises ChannelError unless that is 0."""
        env = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        env |= {
            "TASK_SCHEDULER_ALERT_SUBJECT": message.subject.replace("\0", ""),
            "TASK_SCHEDULER_ALERT_KEY": message.key,
            **{name: reveal(value) for name, value in self.env.items()},
        }
        plain = {**message.values, "subject": message.subject, "text": message.text}
        try:
            process = subprocess.Popen(
                self.argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=self.working_dir,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ChannelError(f"{self.argv[0]}: {reason}") from error
        with process:
            try:
                said, _ = process.communicate(
                    json.dumps(plain, ensure_ascii=False).encode(), self.timeout_seconds
                )
            except subprocess.TimeoutExpired as error:
                # Its own end was not waited for yet, so the number of the group is still its own.
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                text = translate("alerts.no_end", seconds=f"{self.timeout_seconds:g}")
                raise ChannelError(text) from error
        text = said[-_ANSWER_BYTES:].decode("utf-8", "replace").strip()[-400:]
        if process.returncode:
            raise ChannelError(f"exit {process.returncode}: {text}".rstrip(": "))
        return text or "exit 0"
