"""The channel `mail`: plain text over SMTP, with STARTTLS or TLS.

Responsible for: the letter and the conversation with the server. Letters about one alert belong
together for every mail program, and a letter that is sent again is the same one.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, parseaddr

from task_scheduler.alerts.messages import ChannelError, Message, Reveal
from task_scheduler.i18n import translate

__all__ = ["MailTarget", "default_sender"]

_FIRST_FINAL = 500
"""Codes from here on are refusals for good (RFC 5321)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailTarget:
    """A mail server, and who gets letters through it."""

    host: str
    port: int
    recipients: tuple[str, ...]
    sender: str
    security: str = "starttls"
    """``starttls``, ``tls`` or ``none``."""
    username: str | None = None
    password: str | None = None
    """May be a reference to a secret."""
    ca_file: str | None = None
    """Who vouches for the server, where that is none of those whom this machine trusts."""
    timeout_seconds: float = 30.0

    @property
    def place(self) -> str:
        """Where it leads."""
        return f"{', '.join(self.recipients)} ({self.host}:{self.port})"

    def send(self, message: Message, reveal: Reveal) -> str:
        """Hand the letter to the server; raises ChannelError."""
        try:
            with self._connected(reveal) as server:
                refused = server.send_message(self._letter(message))
        except smtplib.SMTPRecipientsRefused as error:
            answers = [_answer(code, text) for code, text in error.recipients.values()]
            is_final = all(code >= _FIRST_FINAL for code, _ in error.recipients.values())
            raise ChannelError("; ".join(answers), is_final=is_final) from error
        except smtplib.SMTPResponseException as error:
            text = _answer(error.smtp_code, error.smtp_error)
            raise ChannelError(text, is_final=error.smtp_code >= _FIRST_FINAL) from error
        except (smtplib.SMTPException, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            if isinstance(error, FileNotFoundError):
                reason = f"{reason}: {self.ca_file}"
            raise ChannelError(f"{self.host}:{self.port}: {reason}") from error
        if refused:
            left_out = "; ".join(f"{who}: {_answer(*why)}" for who, why in refused.items())
            return translate("alerts.accepted_except", who=left_out)
        return translate("alerts.accepted")

    def _connected(self, reveal: Reveal) -> smtplib.SMTP:
        context = None
        if self.security != "none":
            context = ssl.create_default_context(cafile=self.ca_file)
        seconds = self.timeout_seconds
        server: smtplib.SMTP
        if self.security == "tls":
            server = smtplib.SMTP_SSL(self.host, self.port, timeout=seconds, context=context)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=seconds)
        try:
            if self.security == "starttls":
                server.starttls(context=context)
            if self.username is not None:
                server.login(self.username, reveal(self.password or ""))
        except BaseException:
            server.close()
            raise
        return server

    def _letter(self, message: Message) -> EmailMessage:
        letter = EmailMessage(policy=SMTP)
        # A header takes one line; the composer left no line break in it, and this makes sure.
        letter["Subject"] = " ".join(message.subject.split())
        letter["From"] = _address(self.sender)
        letter["To"] = [_address(recipient) for recipient in self.recipients]
        letter["Date"] = formatdate(localtime=True)
        domain = parseaddr(self.sender)[1].rpartition("@")[2] or socket.gethostname()
        letter["Message-ID"] = f"<{message.key}@{domain}>"
        letter["References"] = f"<{message.thread}@{domain}>"
        letter["In-Reply-To"] = f"<{message.thread}@{domain}>"
        # Neither out-of-office answers nor mailing lists shall answer (RFC 3834).
        letter["Auto-Submitted"] = "auto-generated"
        letter["X-Auto-Response-Suppress"] = "All"
        letter.set_content(message.text, cte="base64" if not message.text.isascii() else None)
        return letter


def default_sender() -> str:
    """Return the address of this program on this machine."""
    return f"Task Scheduler <task-scheduler@{socket.getfqdn()}>"


def _address(text: str) -> Address:
    name, address = parseaddr(text)
    user, _, domain = address.rpartition("@")
    return Address(display_name=name, username=user or address, domain=domain if user else "")


def _answer(code: int, text: bytes | str) -> str:
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {said}"[:500]
